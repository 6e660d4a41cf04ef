"""From what a network was trained on to what its outputs mean: probabilities, and a class for each.

A network that learned from resampled or weighted rows gives the probabilities of a world in which
classes are as frequent as they were there. They are corrected to the training split's own class
shares, by Bayes' rule (Elkan, "The foundations of cost-sensitive learning", IJCAI 2001; Saerens,
Latinne and Decaestecker, Neural Computation 14, 2002):

    p(class | row) ~ q(class | row) * prior(class) / trained(class)

The class that is decided for is the one that the resampling asked for: where rows were balanced,
the most probable one if classes were balanced. Threshold moving decides in the same way, for a
network that learned from the rows as they are (Collell, Prelec and Patil, Neurocomputing 275,
2018).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.features.layout import Layout
from pipeline.features.splits import Split
from pipeline.targets.weights import weigh_rows

if TYPE_CHECKING:
    from pipeline.config.settings import TrainingConfig

Calibration = Literal["none", "temperature", "isotonic"]
# Smallest probability that a logarithm is taken of, Keras's own.
SMALLEST = 1e-7
LOG_TEMPERATURES = (-3.0, 3.0)
# Fewer rows calibrate nothing; and how far from 1 a temperature is expected, in logarithms.
CALIBRATION_ROWS, USUAL = 50, 0.5
# Smallest probability that float32 holds with all its digits.
TINY = 1.2e-38


@dataclass(frozen=True, slots=True)
class Curve:
    """A rising piecewise linear function, from a probability to a calibrated one."""

    given: list[float]
    calibrated: list[float]


@dataclass(frozen=True, slots=True)
class Decision:
    """How a network's outputs became probabilities, and how a class is decided for.

    Attributes
    ----------
    classes
        In the order of the outputs; likewise all lists below.
    priors
        Share of each class in the training split before resampling: what probabilities mean.
    trained
        Share of each class in what the network learned from, rows times weights.
    multipliers
        The class is decided for whose probability times this is largest.
    calibration
        How probabilities were calibrated on the validation split.
    temperature
        Logits were divided by it; 1 without.
    curves
        Of isotonic calibration, one for each class, or none; to be applied to the network's
        outputs. All else is within the network.
    """

    classes: list[str]
    priors: list[float]
    trained: list[float]
    multipliers: list[float]
    calibration: Calibration = "none"
    temperature: float = 1.0
    curves: list[Curve | None] = field(default_factory=list)

    @property
    def offset(self) -> np.ndarray | None:
        """What is added to logits, shape ``(k,)``; None where nothing is to be corrected."""
        ratio = _divide(np.array(self.priors), np.array(self.trained))
        return None if self.priors == self.trained else np.log(ratio)

    @property
    def moves(self) -> bool:
        """Whether another class than the most probable one may be decided for."""
        return len(set(self.multipliers)) > 1


def make_decision(train: Split, layout: Layout, config: TrainingConfig) -> Decision:
    """Work out from a training split how its network's outputs are to be read.

    Parameters
    ----------
    train
        The rows that the network learns from, resampled and weighted.
    layout
        Holds the rows of each class before resampling; without them, original rows are counted.
    config
        Whether classes are weighted.
    """
    k = len(layout.classes)
    counts = np.array(layout.priors or np.bincount(train.labels[train.original], minlength=k))
    weights = weigh_rows(train, config, k).astype(np.float64)
    learned = np.bincount(train.labels, weights=weights, minlength=k)
    if layout.balanced is not None:
        # Rows that were cleaned away for their neighbours make a class no rarer where it is clear.
        rows = np.bincount(train.labels, minlength=k)
        learned = learned * _divide(np.array(layout.balanced, dtype=np.float64), rows)
    priors, trained = counts / max(1, counts.sum()), learned / max(learned.sum(), SMALLEST)
    if np.allclose(priors, trained, rtol=1e-6, atol=0):
        trained = priors
    multipliers = _divide(trained, priors).tolist()
    decision = Decision(list(layout.classes), priors.tolist(), trained.tolist(), multipliers)
    return decide_evenly(decision) if layout.even else decision


def decide_evenly(decision: Decision) -> Decision:
    """Move the thresholds: decide as if all classes were equally frequent."""
    priors = np.array(decision.priors)
    even = (priors > 0) / max(1, int(np.count_nonzero(priors)))
    return replace(decision, multipliers=_divide(even, priors).tolist())


def correct(probabilities: np.ndarray, decision: Decision) -> np.ndarray:
    """Correct outputs of a learner from the trained class shares to the priors.

    Parameters
    ----------
    probabilities
        Shape ``(n, k)``, rows sum to 1.
    """
    if decision.offset is None:
        return probabilities
    return _normalise(probabilities * np.exp(decision.offset))


def undo_correction(probabilities: np.ndarray, decision: Decision) -> np.ndarray:
    """Turn corrected probabilities back into those of the trained class shares."""
    if decision.offset is None:
        return probabilities
    return _normalise(probabilities * np.exp(-decision.offset))


def decide(probabilities: np.ndarray, decision: Decision) -> np.ndarray:
    """Decide for a class in each row; of equal ones for the first.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, integers: class indices.
    """
    if not decision.moves:
        return np.asarray(probabilities.argmax(axis=1))
    return np.asarray((probabilities * np.array(decision.multipliers)).argmax(axis=1))


def calibrate(probabilities: np.ndarray, decision: Decision) -> np.ndarray:
    """Apply isotonic calibration, if there is one, to what the network gives.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, k)``, of the given type; rows sum to 1.
    """
    if not decision.curves:
        return probabilities
    result = probabilities.astype(np.float64)
    for position, curve in enumerate(decision.curves):
        if curve is not None:
            result[:, position] = np.interp(result[:, position], curve.given, curve.calibrated)
    if len(decision.curves) == 2:
        result[:, 0] = 1 - result[:, 1]
    return _normalise(result).astype(probabilities.dtype)


def fit_calibration(
    probabilities: np.ndarray, labels: np.ndarray, decision: Decision, how: Calibration
) -> Decision:
    """Learn a calibration on the validation split's corrected probabilities.

    ``temperature`` (Guo et al., ICML 2017) finds the most probable divisor of all logits, which is
    expected near 1; ``isotonic`` (Zadrozny and Elkan, KDD 2002) a rising function for each class,
    one against the rest, towards Platt's targets (1999), which few rows never make 0 or 1. A class
    that the rows lack keeps its probabilities; fewer than 50 rows calibrate nothing.

    Parameters
    ----------
    probabilities
        Shape ``(n, k)``.
    labels
        Shape ``(n,)``: class indices.
    """
    if how == "none" or len(labels) < CALIBRATION_ROWS or len(np.unique(labels)) < 2:
        return decision
    if how == "temperature":
        temperature = _find_temperature(probabilities, labels)
        # What was decided for is decided for still.
        multipliers = [m ** (1 / temperature) for m in decision.multipliers]
        return replace(
            decision, calibration=how, temperature=temperature, multipliers=multipliers
        )  # fmt: skip
    k = probabilities.shape[1]
    curves = [_find_curve(probabilities[:, i], labels == i) for i in range(k)]
    return replace(decision, calibration=how, curves=curves if k > 2 else [None, curves[1]])


def _find_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    from scipy.optimize import minimize_scalar

    logits = np.log(np.maximum(probabilities.astype(np.float64), TINY))
    rows = np.arange(len(labels))

    def measure_loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        losses = np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, labels]
        return float(losses.sum() + (log_temperature / USUAL) ** 2 / 2)

    found = minimize_scalar(measure_loss, bounds=LOG_TEMPERATURES, method="bounded")
    return float(np.exp(found.x))


def _find_curve(probabilities: np.ndarray, positive: np.ndarray) -> Curve | None:
    from sklearn.isotonic import IsotonicRegression

    if positive.all() or not positive.any():
        return None
    ones, zeros = np.count_nonzero(positive), np.count_nonzero(~positive)
    targets = np.where(positive, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    fitted = IsotonicRegression(out_of_bounds="clip")
    fitted.fit(probabilities.astype(np.float64), targets)
    return Curve(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist())


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; a class that either side lacks is left as it is."""
    known = (above > 0) & (below > 0)
    ratio: np.ndarray = np.divide(above, below, out=np.ones(len(above)), where=known)
    return ratio


def _normalise(values: np.ndarray) -> np.ndarray:
    sums = values.sum(axis=1, keepdims=True)
    # Nothing is likely only where all probabilities are too small for their type.
    shares: np.ndarray = np.full_like(values, 1 / values.shape[1])
    np.divide(values, sums, out=shares, where=sums > 0)
    return shares
