"""What a network said of the rows that a fold holds out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the network of one variant said of the rows of one held-out fold.

    Attributes
    ----------
    labels
        Shape ``(n,)``, integers: class indices.
    probabilities
        Shape ``(n, k)``, corrected to the class shares of the training split.
    predicted
        Shape ``(n,)``: the class decided for.
    guess
        Shape ``(k,)``: the class shares of the fold's training rows.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    guess: np.ndarray
