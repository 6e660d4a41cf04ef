"""The baseline as a whole: the network beside its peers, on the same rows and resamples."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.config.image import AugmentationConfig
from pipeline.config.settings import TrainingConfig
from pipeline.dataset import SPLITS
from pipeline.errors import StageError, name_examples
from pipeline.features.layout import Layout, load_layout
from pipeline.features.splits import STAGE, Split, load_split
from pipeline.storage.store import dump_json, load_facts
from pipeline.targets.class_metrics import (
    ResampledMetrics,
    bin_calibration,
    count_confusion,
    resample,
)
from pipeline.targets.decisions import Decision, correct, decide, make_decision
from pipeline.targets.metric_names import COMPARED
from pipeline.targets.peers import predict_majority
from pipeline.targets.results import Difference, FoldScore, Score, TrainingFacts
from pipeline.training.client import OnEpoch, Trainer
from pipeline.training.jobs import DECISION, HISTORY, MODEL, PREDICTIONS, PROBABILITIES, Job
from pipeline.training.learning import Learning

FACTS = "metrics.json"
TITLES = {
    "network": "Network",
    "network_unrepaired": "Network on the data before repair",
    "gradient_boosting": "Gradient boosting",
    "logistic_regression": "Logistic regression on thumbnails",
    "majority": "Majority class",
}
FEW_TEST_ROWS = 10

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class _Prediction:
    """A learner's probabilities of the test rows, and the class that it decides for in each.

    ``rows`` is how many training rows it learned from.
    """

    name: str
    probabilities: np.ndarray
    predicted: np.ndarray
    seconds: float
    rows: int


@dataclass(frozen=True, slots=True)
class _Splits:
    """A features directory in memory."""

    layout: Layout
    train: Split
    validation: Split
    test: Split


def train_baseline(
    features: Path,
    out: Path,
    config: TrainingConfig,
    learning: Learning,
    *,
    seed: int,
    trainer: Trainer | None = None,
    unrepaired: Path | None = None,
    folds: Sequence[FoldScore] = (),
    augmentation: AugmentationConfig | None = None,
    on_progress: OnProgress | None = None,
) -> TrainingFacts:
    """Train the baseline network and score it beside its peers on the test split.

    Parameters
    ----------
    features
        A features directory: train, validation and test as Parquet, and layout.json.
    out
        Receives ``baseline.keras``, ``history.json``, ``decision.json`` (how its outputs are read),
        ``predictions.parquet`` (the network's on the test split) and ``metrics.json`` (what is
        returned).
    config
        How to train.
    learning
        How the modality's rows are learned from.
    seed
        Root seed of fits, folds and resamples.
    trainer
        A worker that was started earlier; without one, one is started and closed here, with its
        log in ``out``.
    unrepaired
        The same rows before their repair, as a features directory; used if
        ``config.compare_unrepaired``.
    folds
        What a cross-validation on the training split found, if there was one.
    augmentation
        How the repaired training pictures are changed again for each epoch.
    on_progress
        Called in this thread with the learner's title, the epoch from 1, and the most there can be.

    Raises
    ------
    StageError
        If the test split holds no rows, the training split no two classes, the unrepaired test
        rows are others, the features can't be trained on, or the worker died.
    """
    started = time.perf_counter()
    data = _load(features, learning)
    _refuse_untrainable(data, config)
    other = unrepaired if config.compare_unrepaired else None
    if other is not None:
        _refuse_other_rows(data, other)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if trainer is None:
            log = out / "training.log"
            trainer = stack.enter_context(Trainer(log, learning.choose_threads(config)))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=out)))
        jobs = _plan(features, other, scratch, config, learning.module, seed, augmentation)
        fits = {
            name: trainer.submit(job, _title_progress(name, on_progress))
            for name, job in jobs.items()
        }
        # The worker trains meanwhile.
        peers = _fit_peers(data, config, learning, seed)
        resampled = _resample_all(data.test.labels, peers, config, seed)
        summaries = {name: handle.result() for name, handle in fits.items()}
        # Where thresholds alone are moved, they are for the network on the data before repair too:
        # what that does is no effect of the repair.
        decision = load_facts(jobs["network"].out / DECISION, Decision)
        weights = decision.multipliers if data.layout.even else None
        predictions = [
            _Prediction(
                name, *_load_test(job, weights), summaries[name].seconds, len(data.train.labels)
            )
            for name, job in jobs.items()
            if name in TITLES
        ]
        for name in (MODEL, HISTORY, DECISION):
            shutil.move(jobs["network"].out / name, out / name)
    _write_predictions(out / PREDICTIONS, data, predictions[0])
    network = summaries["network"]
    resampled = _resample_all(data.test.labels, predictions, config, seed) | resampled
    scores, differences = _score(data.test.labels, [*predictions, *peers], resampled)
    facts = TrainingFacts(
        classes=list(data.layout.classes),
        target=data.layout.target,
        features=len(data.layout.features),
        train_rows=len(data.train.labels),
        validation_rows=len(data.validation.labels),
        test_rows=len(data.test.labels),
        parameters=network.parameters,
        epochs_run=network.epochs_run,
        best_epoch=network.best_epoch,
        batch_size=min(config.batch_size, len(data.train.labels)),
        learning_rate=config.learning_rate,
        history=load_facts(out / HISTORY, dict[str, list[float]]),
        decision=decision,
        scores=scores,
        differences=differences,
        folds=list(folds),
        notes=[
            *_write_notes(data, config, decision),
            *_note_sample(peers[0], len(data.train.labels)),
        ],
        rows_per_second=network.rows_per_second,
        seconds=time.perf_counter() - started,
        seed=seed,
        bootstrap=config.bootstrap,
        waited=network.waited_seconds / network.seconds,
    )
    dump_json(out / FACTS, facts)
    return facts


def _write_predictions(path: Path, data: _Splits, network: _Prediction) -> None:
    """Write what the network says of each test row: label, prediction, probabilities by class."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    classes = np.array(data.layout.classes, dtype=object)
    columns = {
        "row_id": pa.array(data.test.row_ids.astype(str)),
        "label": pa.array(classes[data.test.labels].astype(str)),
        "predicted": pa.array(classes[network.predicted].astype(str)),
    }
    shares = {
        f"probability of {name}": pa.array(network.probabilities[:, i])
        for i, name in enumerate(data.layout.classes)
    }
    names = [*columns, *shares]
    pq.write_table(pa.table([*columns.values(), *shares.values()], names=names), path)


def _load(features: Path, learning: Learning) -> _Splits:
    layout = load_layout(features)
    splits = [load_split(features, name, layout, learning.read_plain) for name in SPLITS]
    return _Splits(layout, *splits)


def _plan(
    features: Path,
    unrepaired: Path | None,
    scratch: Path,
    config: TrainingConfig,
    learning: str,
    seed: int,
    augmentation: AugmentationConfig | None,
) -> dict[str, Job]:
    """Name the fits, in the order in which the worker does them."""
    change = augmentation or AugmentationConfig()
    out = scratch / "network"
    jobs = {"network": Job(features, out, config, seed, learning, augmentation=change)}
    if unrepaired is not None:
        out = scratch / "unrepaired"
        jobs["network_unrepaired"] = Job(unrepaired, out, config, seed, learning, save_model=False)
    return jobs


def _title_progress(name: str, on_progress: OnProgress | None) -> OnEpoch | None:
    if on_progress is None:
        return None
    title = TITLES.get(name, f"Network, {name}")
    return lambda epoch, epochs: on_progress(title, epoch, epochs)


def _fit_peers(
    data: _Splits, config: TrainingConfig, learning: Learning, seed: int
) -> list[_Prediction]:
    classes = len(data.layout.classes)
    peer = learning.fit_peer(data.train, data.validation, data.test, data.layout, config, seed)
    decision = make_decision(data.train, data.layout, config)
    probabilities = correct(peer.probabilities, decision)
    majority = predict_majority(data.train, len(data.test.labels), classes)
    largest = majority.probabilities.argmax(axis=1)
    return [
        _Prediction(
            learning.peer, probabilities, decide(probabilities, decision), peer.seconds, peer.rows
        ),
        _Prediction("majority", majority.probabilities, largest, majority.seconds, majority.rows),
    ]


def _load_test(job: Job, weights: list[float] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Load a fit's probabilities of the test rows, and what it decides for, by weights if given."""
    with np.load(job.out / PROBABILITIES) as arrays:
        probabilities: np.ndarray = arrays["test"]
    decision = load_facts(job.out / DECISION, Decision)
    if weights is not None:
        decision = replace(decision, multipliers=weights)
    return probabilities, decide(probabilities, decision)


def _resample_all(
    labels: np.ndarray, predictions: list[_Prediction], config: TrainingConfig, seed: int
) -> dict[str, ResampledMetrics]:
    """Resample every learner with the same draws, so that their differences are paired."""
    return {
        learner.name: resample(
            labels,
            learner.probabilities,
            learner.predicted,
            resamples=config.bootstrap,
            seed=seed,
        )
        for learner in predictions
    }


def _score(
    labels: np.ndarray, predictions: list[_Prediction], resampled: dict[str, ResampledMetrics]
) -> tuple[list[Score], list[Difference]]:
    scores = [
        Score(
            name=learner.name,
            title=TITLES[learner.name],
            metrics=resampled[learner.name].intervals(),
            confusion=count_confusion(labels, learner.predicted, learner.probabilities.shape[1]),
            calibration=bin_calibration(labels, learner.probabilities),
            seconds=learner.seconds,
        )
        for learner in predictions
    ]
    network, *others = predictions
    differences = [
        Difference(metric, network.name, other.name, intervals[metric], len(labels))
        for other in others
        for intervals in [resampled[network.name].minus(resampled[other.name])]
        for metric in COMPARED
    ]
    return scores, differences


def _refuse_untrainable(data: _Splits, config: TrainingConfig) -> None:
    if not len(data.test.labels):
        raise StageError(
            STAGE, "the test split holds 0 rows, so nothing can be measured",
            "Raise split.test, or add rows to the source",
        )  # fmt: skip
    classes = [data.layout.classes[index] for index in np.unique(data.train.labels)]
    if len(classes) < 2:
        raise StageError(
            STAGE,
            f"the training split's {len(data.train.labels)} rows hold {len(classes)} class of "
            f"'{data.layout.target}' ({name_examples(classes) or 'none'}) and a network needs 2",
            "Add rows of another class to the source, or predict another column",
        )


def _refuse_other_rows(data: _Splits, unrepaired: Path) -> None:
    """Check what a paired difference needs: the same test rows in one order, the same classes."""
    layout = load_layout(unrepaired)
    if layout.classes != data.layout.classes:
        raise StageError(
            STAGE, f"the unrepaired features have the classes {name_examples(layout.classes)} "
            f"and the repaired ones {name_examples(data.layout.classes)}",
            "Make both from one list of classes, or set training.compare_unrepaired to false",
        )  # fmt: skip
    ids = load_split(unrepaired, "test", layout).row_ids
    if not np.array_equal(ids, data.test.row_ids):
        strange = sorted(set(ids) ^ set(data.test.row_ids))
        seen = f"{name_examples(strange)} are in one only" if strange else "their order differs"
        raise StageError(
            STAGE,
            f"the unrepaired test split has {len(ids)} rows and the repaired one "
            f"{len(data.test.row_ids)}; {seen}",
            "Make both from the same split, or set training.compare_unrepaired to false",
        )


def _note_sample(peer: _Prediction, rows: int) -> list[str]:
    if peer.rows == rows:
        return []
    return [
        f"{TITLES[peer.name]} learned from {peer.rows:,} of the {rows:,} training rows, drawn at "
        "random."
    ]


def _write_notes(
    data: _Splits,
    config: TrainingConfig,
    decision: Decision,
) -> list[str]:
    """Caveats: what a reader must know before trusting the figures."""
    notes = []
    counts = {
        name: np.bincount(split.labels, minlength=len(data.layout.classes))
        for name, split in (("training", data.train), ("test", data.test))
    }
    for index, name in enumerate(data.layout.classes):
        if not counts["training"][index]:
            notes.append(f"Class '{name}' has no training row; no learner can predict it.")
        if counts["test"][index] < FEW_TEST_ROWS:
            rows = int(counts["test"][index])
            notes.append(
                f"Class '{name}' has only {rows} test row{'' if rows == 1 else 's'}; "
                "figures that average over classes are uncertain."
            )
    if config.calibration != "none" and decision.calibration == "none":
        rows = len(data.validation.labels)
        notes.append(f"The {rows} validation rows are too few to calibrate probabilities by.")
    if not len(data.validation.labels):
        notes.append("There are no validation rows, so training could not stop early.")
    return notes[:20]
