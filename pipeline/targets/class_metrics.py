"""Metrics of class probabilities, with percentile-bootstrap intervals.

Every metric is computed from a weight per row, for many weightings at once: the measured value has
all weights 1, and a bootstrap resample is how often each row was drawn. So a thousand resamples are
a few matrix products, and value and resamples cannot disagree about a definition.

Resamples draw rows, not rows within classes: the class counts of the test split are themselves a
draw, and their uncertainty belongs into the interval. Efron and Tibshirani, An Introduction to the
Bootstrap (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.bootstrap import Interval, draw_weights, summarize
from pipeline.targets.decisions import SMALLEST
from pipeline.targets.metric_names import METRICS
from pipeline.targets.results import CalibrationBin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

BINS = 10
# A share of all weights that is a rounding of sums.
NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class ResampledMetrics:
    """Metrics of one learner, measured and resampled.

    Attributes
    ----------
    values
        Each metric on the rows as they are, nan where undefined.
    draws
        Each metric on every resample, shape ``(resamples,)``, nan where undefined.
    """

    values: dict[str, float]
    draws: dict[str, np.ndarray]

    def intervals(self) -> dict[str, Interval]:
        """Summarize each metric; resamples in which it is undefined are left out."""
        return {name: summarize(self.values[name], self.draws[name]) for name in METRICS}

    def minus(self, other: ResampledMetrics) -> dict[str, Interval]:
        """Summarize the paired differences to another learner on the same resamples."""
        return {
            name: summarize(
                self.values[name] - other.values[name], self.draws[name] - other.draws[name]
            )
            for name in METRICS
        }


def measure(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray | None = None
) -> dict[str, float]:
    """Compute every metric.

    Parameters
    ----------
    labels
        Shape ``(n,)``, integers: class indices, n at least 1.
    probabilities
        Shape ``(n, k)``.
    predicted
        Shape ``(n,)``: the class that is decided for; left out, the first of the most probable.

    Returns
    -------
    metrics
        ``accuracy``.
        ``balanced_accuracy``: mean recall of the classes that occur in the labels.
        ``macro_f1``: mean F1 of the classes that occur in labels or predictions.
        ``auc``: area under the ROC curve by ranks, ties count half (Hanley and McNeil 1982); with
        more than two classes the mean over one-vs-rest of the classes that occur; nan if only one
        class does.
        ``average_precision``: mean precision at the scores of a class's rows, the area under the
        curve of precision by recall in steps (as scikit-learn has it); of two classes that of the
        rarer one, of more the mean as above. Guessing gives the class's share.
        ``log_loss``: mean of minus the logarithm of the label's probability, in nats; a probability
        below 1e-7 counts as that.
        ``brier``: for two classes the mean of ``(p1 - y)**2``, between 0 and 1; for more the mean
        over rows of the sum over classes of squared errors, between 0 and 2 (Brier 1950).
        ``ece``: expected calibration error over ten equal bins of the top probability (Guo et al.
        2017), whatever is decided for.

    Examples
    --------
    >>> measure(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))["accuracy"]
    1.0
    """
    found = prepare_metrics(labels, probabilities, predicted)(np.ones((1, len(labels))))
    return {name: float(values[0]) for name, values in found.items()}


def prepare_balance(labels: np.ndarray, predicted: np.ndarray) -> Callable[[Numbers], Numbers]:
    """Make a function of weights that gives balanced accuracy, of the classes that each leaves.

    That of ``prepare_metrics`` is undefined where a weighting leaves out a class; here the others
    speak, so that how much a class of few rows matters shows in how much it varies.
    """
    tally = _Tally.of(labels, predicted, 0)
    occurs = tally.true.any(axis=0)
    true, both = tally.true[:, occurs], tally.both[:, occurs]

    def balance(weights: Numbers) -> Numbers:
        rows, hits = weights @ true, weights @ both
        recalls = np.divide(hits, rows, out=np.zeros_like(rows), where=rows > 0)
        return np.asarray(recalls.sum(axis=1) / np.maximum(1, (rows > 0).sum(axis=1)))

    return balance


def resample(
    labels: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray | None = None,
    *,
    resamples: int,
    seed: int,
) -> ResampledMetrics:
    """Compute every metric on the rows and on bootstrap resamples of them.

    The resamples depend on the number of rows, of resamples and the seed only: two learners on the
    same rows see the same ones.

    Parameters
    ----------
    labels
        Shape ``(n,)``, integers: class indices, n at least 1.
    probabilities, predicted
        See ``measure``.
    resamples
        Number of resamples.
    seed
        Seed of the resamples.
    """
    weigh = prepare_metrics(labels, probabilities, predicted)
    draws: dict[str, np.ndarray] = {name: np.empty(resamples) for name in METRICS}
    start = 0
    for weights in draw_weights(len(labels), resamples, seed):
        for name, values in weigh(weights).items():
            draws[name][start : start + len(weights)] = values
        start += len(weights)
    return ResampledMetrics(measure(labels, probabilities, predicted), draws)


def compare(
    labels: np.ndarray,
    probabilities_a: np.ndarray,
    probabilities_b: np.ndarray,
    *,
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    """Compute each metric of ``a`` minus that of ``b`` with a paired bootstrap interval.

    See ``resample`` for shapes.
    """
    a = resample(labels, probabilities_a, resamples=resamples, seed=seed)
    return a.minus(resample(labels, probabilities_b, resamples=resamples, seed=seed))


def count_confusion(labels: np.ndarray, predicted: np.ndarray, k: int) -> list[list[int]]:
    """Count rows by true class (outer) and predicted class (inner), of ``k`` classes.

    Parameters
    ----------
    labels, predicted
        Shape ``(n,)``, integers: classes by their number.
    k
        How many classes there are.
    """
    cells = labels.astype(np.int64) * k + predicted
    counts: list[list[int]] = np.bincount(cells, minlength=k * k).reshape(k, k).tolist()
    return counts


def bin_calibration(labels: np.ndarray, probabilities: np.ndarray) -> list[CalibrationBin]:
    """Compare confidence with accuracy in ten equal bins of the top probability.

    Returns
    -------
    bins
        Those that hold rows, from low to high.
    """
    top = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bins = _assign_bins(top)
    return [
        CalibrationBin(
            float(top[bins == bin_].mean()), float(right[bins == bin_].mean()), int(count)
        )
        for bin_, count in enumerate(np.bincount(bins, minlength=BINS))
        if count
    ]


def prepare_metrics(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray | None
) -> Callable[[Numbers], dict[str, Numbers]]:
    """Do what does not depend on the weights once; return a function of weights.

    It takes weights of shape ``(r, n)``, float64, whose rows add up to n, and gives each metric in
    shape ``(r,)``, nan where it is undefined; see ``measure`` for the arguments and metrics.

    Parameters
    ----------
    labels
        Shape ``(n,)``, integers.
    probabilities
        Shape ``(n, k)``.
    predicted
        Shape ``(n,)``, integers: the classes decided for; None: the most probable ones.
    """
    labels = labels.astype(np.int64)
    # float64 keeps the ties of float32 scores, and sums of squares exact enough.
    probabilities = probabilities.astype(np.float64)
    k = probabilities.shape[1]
    likeliest = probabilities.argmax(axis=1)
    predicted = likeliest if predicted is None else predicted.astype(np.int64)
    right = (predicted == labels).astype(np.float64)
    tally = _Tally.of(labels, predicted, k)
    top = probabilities.max(axis=1)
    gaps = np.zeros((len(labels), BINS))
    gaps[np.arange(len(labels)), _assign_bins(top)] = top - (likeliest == labels)
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    losses = -np.log(np.maximum(own, SMALLEST))
    errors = _square_errors(labels, probabilities)
    n = len(labels)
    counts = np.bincount(labels, minlength=k)
    present = np.flatnonzero(counts)
    # With two classes the two areas are the same where the probabilities sum to one.
    ranked = [int(counts.argmin())] if k == 2 else [int(c) for c in present]
    ranks = [_rank(labels == c, probabilities[:, c]) for c in ranked if len(present) > 1]

    def weigh(weights: Numbers) -> dict[str, Numbers]:
        pairs = [rank(weights) for rank in ranks]
        return {
            "accuracy": weights @ right / n,
            "balanced_accuracy": tally.balanced_accuracy(weights),
            "macro_f1": tally.macro_f1(weights),
            "auc": _average([area for area, _ in pairs], len(weights)),
            "average_precision": _average([precision for _, precision in pairs], len(weights)),
            "log_loss": weights @ losses / n,
            "brier": weights @ errors / n,
            "ece": np.abs(weights @ gaps).sum(axis=1) / n,
        }

    return weigh


@dataclass(frozen=True, slots=True)
class _Tally:
    """Weighted counts per class, as products with indicator columns of the classes that occur."""

    true: Numbers
    predicted: Numbers
    both: Numbers

    @classmethod
    def of(cls, labels: np.ndarray, predicted: np.ndarray, k: int) -> _Tally:
        classes = np.union1d(labels, predicted)
        true = (labels[:, None] == classes).astype(np.float64)
        guess = (predicted[:, None] == classes).astype(np.float64)
        return cls(true, guess, true * guess)

    def balanced_accuracy(self, weights: Numbers) -> Numbers:
        occurs = self.true.any(axis=0)
        with np.errstate(invalid="ignore"):
            recalls = (weights @ self.both[:, occurs]) / (weights @ self.true[:, occurs])
        # A class that no drawn row has makes the mean nan: it would be a mean of other classes.
        means: Numbers = recalls.mean(axis=1)
        return means

    def macro_f1(self, weights: Numbers) -> Numbers:
        with np.errstate(invalid="ignore"):
            scores = 2 * (weights @ self.both) / (weights @ (self.true + self.predicted))
        means: Numbers = scores.mean(axis=1)
        return means


def _rank(positive: np.ndarray, scores: np.ndarray) -> Callable[[Numbers], tuple[Numbers, Numbers]]:
    """Sort once; return what computes the area under the ROC curve and average precision.

    Both are sums over positives: of the weight below each, and of the share of positives in the
    weight that is not below it.
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    places = np.flatnonzero(positive[order])
    first = np.searchsorted(ordered, ordered[places], side="left")
    after = np.searchsorted(ordered, ordered[places], side="right")
    before = np.searchsorted(places, first)

    def measure_ranks(weights: Numbers) -> tuple[Numbers, Numbers]:
        drawn = np.zeros((len(weights), len(order) + 1))
        np.take(weights, order, axis=1, out=drawn[:, 1:], mode="clip")
        own = drawn[:, places + 1]
        below = np.cumsum(drawn, axis=1, out=drawn)
        less = below[:, first]
        total, sums = own.sum(axis=1), below[:, -1]
        # Ties count half. Positives below positives are in there too: half of all such pairs.
        won = np.einsum("rp,rp->r", own, less + below[:, after]) / 2 - total**2 / 2
        found = np.zeros((len(weights), len(places) + 1))
        np.cumsum(own, axis=1, out=found[:, 1:])
        with np.errstate(invalid="ignore", divide="ignore"):
            area: Numbers = won / (total * (sums - total))
            # A positive that was drawn is itself among what is not below it.
            least = NOTHING * sums[:, None]
            shares = (total[:, None] - found[:, before]) / np.maximum(sums[:, None] - less, least)
            precision: Numbers = np.einsum("rp,rp->r", own, shares) / total
        # Without another class nothing is ranked; sums of fractions differ by a rounding.
        alone = sums - total <= NOTHING * sums
        area[alone] = precision[alone] = np.nan
        return area, precision

    return measure_ranks


def _average(columns: list[Numbers], rows: int) -> Numbers:
    if not columns:
        return np.full(rows, np.nan)
    total: Numbers = np.mean(columns, axis=0)
    return total


def _square_errors(labels: np.ndarray, probabilities: Numbers) -> Numbers:
    """Each row's Brier score; see ``measure`` for the convention."""
    if probabilities.shape[1] == 2:
        squares: Numbers = (probabilities[:, 1] - labels) ** 2
        return squares
    hit = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    # sum_j (p_j - y_j)^2 = sum_j p_j^2 - 2 p_label + 1
    sums: Numbers = np.einsum("nk,nk->n", probabilities, probabilities) - 2 * hit + 1
    return sums


def _assign_bins(top: Numbers) -> NDArray[np.int64]:
    """Bins are open on the left, as in Guo et al.: 0.1 belongs to the first."""
    bins: NDArray[np.int64] = np.clip(np.ceil(top * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return bins
