"""What a training found out, as JSON-ready values."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.bootstrap import Interval
from pipeline.targets.decisions import Decision


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows whose highest probability falls into one bin.

    Attributes
    ----------
    confidence
        Mean of the highest probability.
    accuracy
        Share of the rows predicted right.
    rows
        Number of rows, at least 1.
    """

    confidence: float
    accuracy: float
    rows: int


@dataclass(frozen=True, slots=True)
class Score:
    """One learner on the test split.

    Attributes
    ----------
    name
        ``network``, ``network_unrepaired``, ``gradient_boosting`` (for pictures
        ``logistic_regression``) or ``majority``.
    title
        The same for people.
    metrics
        All of ``metrics.METRICS``.
    confusion
        Test rows: true class by row, predicted class by column, in the order of the classes.
    calibration
        Bins that hold rows, from low to high confidence.
    seconds
        Wall time of the fit.
    """

    name: str
    title: str
    metrics: dict[str, Interval]
    confusion: list[list[int]]
    calibration: list[CalibrationBin]
    seconds: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of one learner minus that of another, on the same test rows and resamples.

    Attributes
    ----------
    metric
        The metric; of ``log_loss``, ``brier`` and ``ece`` less is better.
    name, against
        The learners; the interval holds ``name`` minus ``against``.
    interval
        The paired difference.
    rows
        Number of test rows.
    """

    metric: str
    name: str
    against: str
    interval: Interval
    rows: int


@dataclass(frozen=True, slots=True)
class FoldScore:
    """The network on one held-out fold of the training split's original rows."""

    fold: int
    rows: int
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """All that is known about a baseline and its peers.

    Attributes
    ----------
    classes
        The classes; their order is that of confusion matrices and probabilities.
    target
        The column predicted.
    features
        Number of features.
    train_rows, validation_rows, test_rows
        Rows of the splits; training rows include synthetic ones.
    parameters
        Trainable numbers in the network.
    epochs_run
        Epochs until the end or the early stop.
    best_epoch
        The epoch, from 1, whose weights were kept.
    history
        ``loss``, ``val_loss``, ``accuracy``, ``val_accuracy`` and ``learning_rate`` per epoch. The
        losses include the penalty on weights. Empty lists for a metric that was not measured.
    decision
        How the network's outputs are read.
    scores
        The learners on the test split, the network first.
    differences
        The network against each other learner.
    folds
        Cross-validation, where it was asked for.
    notes
        Caveats for the reader, as sentences.
    waited
        Share of the network's wall time in which it waited for pictures; 0 for tables.
    rows_per_second
        Training rows over the wall time of an epoch, the first epoch (tracing) left out.
    seconds
        Wall time of the whole.
    seed, bootstrap
        The root seed, and the number of resamples behind each interval.
    """

    classes: list[str]
    target: str
    features: int
    train_rows: int
    validation_rows: int
    test_rows: int
    parameters: int
    epochs_run: int
    best_epoch: int
    batch_size: int
    learning_rate: float
    history: dict[str, list[float]]
    decision: Decision
    scores: list[Score]
    differences: list[Difference]
    folds: list[FoldScore]
    notes: list[str]
    rows_per_second: float
    seconds: float
    seed: int
    bootstrap: int
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class FitSummary:
    """What a worker says of one finished fit; see ``TrainingFacts`` for the fields."""

    parameters: int
    epochs_run: int
    best_epoch: int
    rows_per_second: float
    seconds: float
    waited_seconds: float
