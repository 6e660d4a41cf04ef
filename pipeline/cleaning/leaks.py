"""Features that alone give the label away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.dataset import ROW_ID, Schema, draw_uniform
from pipeline.targets.alone import prepare_alone
from pipeline.targets.metric_names import MAIN, TITLES

MAX_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature from which alone the label can be told on rows that were not used to learn it.

    Attributes
    ----------
    score
        The main metric of the feature alone, by two-fold cross-fitting on training rows.
    """

    column: str
    score: float
    rows: int
    detail: str


def find_leaks(frame: pd.DataFrame, schema: Schema, threshold: float) -> list[Leak]:
    """Score each feature alone by a small tree, fitted on half of the rows, judged on the rest.

    At most 20,000 training rows are looked at, chosen by their ids.

    Parameters
    ----------
    frame
        Training rows with ``row_id``, features and target.
    schema
        Which columns are features, and which is the target.
    threshold
        Of the main metric, 0 to 1, from which a feature counts as a leak.

    Returns
    -------
    list of Leak
        The highest score first.
    """
    if len(frame) > MAX_ROWS:
        chosen = np.argsort(draw_uniform(frame[ROW_ID], "leaks", 0), kind="stable")[:MAX_ROWS]
        frame = frame.iloc[np.sort(chosen)]
    half = draw_uniform(frame[ROW_ID], "leak halves", 0) < 0.5
    score_alone = prepare_alone(frame[schema.target], half)
    leaks = []
    for name in schema.features:
        score, rows = score_alone(_rank(frame[name]))
        if score >= threshold:
            detail = f"{TITLES[MAIN].lower()} {score:.3f} by '{name}' alone"
            leaks.append(Leak(name, round(score, 4), rows, detail))
    return sorted(leaks, key=lambda leak: -leak.score)


def _rank(values: pd.Series) -> np.ndarray:
    """Turn a column into one number a row; trees take NaN as it is."""
    if values.dtype == "str":
        return pd.factorize(values, use_na_sentinel=False)[0].astype(np.float64)
    if values.dtype.kind == "M":
        return values.to_numpy().view(np.int64).astype(np.float64)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
