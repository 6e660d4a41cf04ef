"""One fit as a job: what the parent asks for and what the worker leaves on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import TrainingConfig
from pipeline.training.results import FitSummary

MODEL = "baseline.keras"
HISTORY = "history.json"
PROBABILITIES = "probabilities.npz"


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
    """

    features: Path
    out: Path
    config: TrainingConfig
    seed: int
    save_model: bool = True

    def dump(self) -> dict[str, Any]:
        """Make it JSON-ready."""
        return {
            "features": str(self.features),
            "out": str(self.out),
            "config": self.config.model_dump(mode="json"),
            "seed": self.seed,
            "save_model": self.save_model,
        }

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Job:
        """Read what ``dump`` made."""
        return cls(
            Path(raw["features"]),
            Path(raw["out"]),
            TrainingConfig.model_validate(raw["config"]),
            int(raw["seed"]),
            bool(raw.get("save_model", True)),
        )


def run_job(job: Job, on_epoch: Callable[[int, int, dict[str, float]], None]) -> FitSummary:
    """Fit a network and write its model, history and probabilities.

    ``probabilities.npz`` holds ``validation`` and ``test``, float32, shape ``(rows, classes)``.

    Raises
    ------
    StageError
        If the features can't be trained on, or the loss diverges.
    """
    import keras
    import numpy as np

    from pipeline.store import dump_json
    from pipeline.training.features import load_layout, load_split
    from pipeline.training.fit import fit_network, predict
    from pipeline.training.models import build_network

    layout = load_layout(job.features)
    train = load_split(job.features, "train", layout)
    validation = load_split(job.features, "validation", layout)
    test = load_split(job.features, "test", layout)
    # Many fits may follow one another in a process; each leaves its graphs in Keras's state.
    keras.utils.clear_session()
    fitted = fit_network(
        lambda: build_network(len(layout.features), len(layout.classes), job.config, job.seed),
        train,
        validation,
        job.config,
        seed=job.seed,
        on_epoch=on_epoch,
    )
    job.out.mkdir(parents=True, exist_ok=True)
    if job.save_model:
        fitted.model.save(job.out / MODEL)
    dump_json(job.out / HISTORY, fitted.history)
    np.savez(
        job.out / PROBABILITIES,
        validation=predict(fitted.model, validation.values),
        test=predict(fitted.model, test.values),
    )
    return FitSummary(
        fitted.parameters,
        fitted.epochs_run,
        fitted.best_epoch,
        fitted.rows_per_second,
        fitted.seconds,
    )
