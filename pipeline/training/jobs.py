"""One fit as a job: what the parent asks for and what the worker leaves on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.config.image import AugmentationConfig
from pipeline.config.settings import TrainingConfig
from pipeline.dataset import SPLITS
from pipeline.features.layout import Layout, load_layout
from pipeline.features.splits import Split, load_split
from pipeline.targets.results import FitSummary

MODEL = "baseline.keras"
HISTORY = "history.json"
PROBABILITIES = "probabilities.npz"
PREDICTIONS = "predictions.parquet"
DECISION = "decision.json"


@dataclass(frozen=True, slots=True)
class Job:
    """A fit of the baseline network.

    Attributes
    ----------
    features
        A features directory.
    out
        Where the results go; it is created.
    config
        How to train.
    seed
        Seed of the fit.
    save_model
        Whether to write ``baseline.keras``.
    learning
        The module that knows how such rows are learned from, see ``Learning``.
    augmentation
        How training rows are changed at random in each epoch.
    """

    features: Path
    out: Path
    config: TrainingConfig
    seed: int
    learning: str
    save_model: bool = True
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)

    def dump(self) -> dict[str, Any]:
        """Make it JSON-ready."""
        return {
            "features": str(self.features),
            "out": str(self.out),
            "config": self.config.model_dump(mode="json"),
            "seed": self.seed,
            "learning": self.learning,
            "save_model": self.save_model,
            "augmentation": self.augmentation.model_dump(mode="json"),
        }

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Job:
        """Read what ``dump`` made."""
        return cls(
            Path(raw["features"]),
            Path(raw["out"]),
            TrainingConfig.model_validate(raw["config"]),
            int(raw["seed"]),
            str(raw["learning"]),
            bool(raw["save_model"]),
            AugmentationConfig.model_validate(raw["augmentation"]),
        )


def run_job(job: Job, on_epoch: Callable[[int, int, dict[str, float]], None]) -> FitSummary:
    """Fit a network and write its model, history, decision and probabilities.

    ``probabilities.npz`` holds ``validation`` and ``test``, float32, shape ``(rows, classes)``.

    Raises
    ------
    StageError
        If the features can't be trained on, or the loss diverges.
    """
    import keras
    import numpy as np

    from pipeline.storage.store import dump_json
    from pipeline.targets.decisions import calibrate, fit_calibration, make_decision
    from pipeline.training.fit import adjust_outputs, fit_network, predict
    from pipeline.training.networks import build_network

    layout = load_layout(job.features)
    # Many fits may follow one another in a process; each leaves its graphs in Keras's state.
    keras.utils.clear_session()
    job.out.mkdir(parents=True, exist_ok=True)
    learning: Any = import_module(job.learning)
    train, validation, test = _load_splits(job, layout, learning.read)
    classes = len(layout.classes)
    decision = make_decision(train, layout, job.config)
    fitted = fit_network(
        lambda: build_network(layout, job.config, job.seed, learning.build_inputs),
        learning.feed(train, job.config, classes, job.seed, job.augmentation),
        validation,
        job.config,
        seed=job.seed,
        offset=decision.offset,
        on_epoch=on_epoch,
    )
    probabilities = predict(fitted.model, validation.values)
    decision = fit_calibration(
        probabilities, validation.labels, decision, job.config.calibration
    )  # fmt: skip
    if decision.temperature != 1:
        adjust_outputs(fitted.model, np.zeros(classes), decision.temperature)
    if job.save_model:
        fitted.model.save(job.out / MODEL)
    dump_json(job.out / HISTORY, fitted.history)
    dump_json(job.out / DECISION, decision)
    np.savez(
        job.out / PROBABILITIES,
        validation=calibrate(predict(fitted.model, validation.values), decision),
        test=calibrate(predict(fitted.model, test.values), decision),
    )
    return FitSummary(
        fitted.parameters,
        fitted.epochs_run,
        fitted.best_epoch,
        fitted.rows_per_second,
        fitted.seconds,
        fitted.waited_seconds,
    )


def _load_splits(job: Job, layout: Layout, read: Any) -> tuple[Split, Split, Split]:
    """Load the splits as the network takes them."""

    def read_values(path: Path, layout: Layout) -> Any:
        return read(path, layout, job.out)

    given = None if read is None else read_values
    train, validation, test = (load_split(job.features, name, layout, given) for name in SPLITS)
    return train, validation, test
