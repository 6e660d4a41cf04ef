"""The score that resamplings race for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.config.settings import RaceScore
from pipeline.targets.class_metrics import prepare_balance, prepare_metrics
from pipeline.targets.decisions import SMALLEST
from pipeline.targets.metric_names import LOWER_IS_BETTER

Measure = Callable[[np.ndarray], dict[str, np.ndarray]]


def prepare_score(
    labels: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray,
    guesses: np.ndarray,
    score: RaceScore,
) -> Measure:
    """Make a function that measures all metrics and ``score`` under weights of the rows.

    It takes weights of shape ``(r, n)`` and gives each in shape ``(r,)``; more of ``score`` is
    better. Balanced accuracy is that of the classes drawn.

    Parameters
    ----------
    labels
        Shape ``(n,)``, integers.
    probabilities
        Shape ``(n, k)``.
    predicted
        Shape ``(n,)``: the class decided for.
    guesses
        Shape ``(n,)``: the share of each row's class in training, its probability by guessing.
    """
    weigh = prepare_metrics(labels, probabilities, predicted)
    balance = prepare_balance(labels, predicted)
    losses = -np.log(np.maximum(guesses, SMALLEST))
    chance = 1 / max(2, len(np.unique(labels)))

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = weigh(weights) | {"balanced_accuracy": balance(weights)}
        if score == "combined":
            guessed = np.maximum(weights @ losses / len(labels), SMALLEST)
            decided = (found["balanced_accuracy"] - chance) / (1 - chance)
            found["score"] = (decided + 1 - found["log_loss"] / guessed) / 2
        else:
            found["score"] = (-1.0 if score in LOWER_IS_BETTER else 1.0) * found[score]
        return found

    return measure
