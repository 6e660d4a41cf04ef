"""How much each training row counts in the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.config.settings import TrainingConfig
    from pipeline.features.splits import Split


def balance_classes(split: Split, classes: int) -> np.ndarray:
    """Multiply the sample weights so that each class present weighs the same.

    Returns
    -------
    weights
        Shape ``(n,)``, float32, with the sum of the sample weights.
    """
    totals = np.bincount(split.labels, weights=split.weights, minlength=classes)
    factors = np.divide(
        totals.sum(), totals * np.count_nonzero(totals), out=np.zeros(classes), where=totals > 0
    )
    weights: np.ndarray = (split.weights * factors[split.labels]).astype(np.float32)
    return weights


def weigh_rows(split: Split, config: TrainingConfig, classes: int) -> np.ndarray:
    """Give each row its weight in the loss: its own, times its class's where they are balanced.

    Parameters
    ----------
    split
        Training rows.
    config
        ``class_weight``.
    classes
        How many classes there are.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``.
    """
    return balance_classes(split, classes) if config.class_weight == "balanced" else split.weights
