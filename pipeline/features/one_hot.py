"""One-hot features, folded back into a category each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def fold(values: np.ndarray, onehot: Sequence[Sequence[int]]) -> np.ndarray:
    """Put one column of codes in the place of each category's features, and last.

    Parameters
    ----------
    values
        Shape ``(n_rows, n_features)``.
    onehot
        For each category the positions of its features, one of which is 1 and the others 0.

    Returns
    -------
    np.ndarray
        Shape ``(n_rows, n_others + n_categories)``, of the dtype of ``values``: the other features,
        then for each category the number of the feature that is 1.
    """
    others = np.delete(values, [position for block in onehot for position in block], axis=1)
    codes = [values[:, list(block)].argmax(axis=1).astype(values.dtype) for block in onehot]
    return np.column_stack([others, *codes])
