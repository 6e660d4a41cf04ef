"""What a split is stratified by."""

from __future__ import annotations

import numpy as np
import pandas as pd


def find_strata(labels: pd.Series) -> np.ndarray:
    """Find the stratum of each label: a class each, numbered in the order of their names.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, int64, from 0.
    """
    codes: np.ndarray = np.unique(labels.to_numpy(dtype=object), return_inverse=True)[1]
    return codes
