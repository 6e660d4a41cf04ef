"""Features that alone give the label away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.dataset import ROW_ID, Schema, draw_uniform

MAX_ROWS = 20_000
MIN_CLASS_ROWS = 5


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature from which alone the label can be told on rows that were not used to learn it.

    Attributes
    ----------
    score
        Balanced accuracy of the feature alone, by two-fold cross-fitting on training rows.
    """

    column: str
    score: float
    rows: int
    detail: str


def find_leaks(frame: pd.DataFrame, schema: Schema, threshold: float) -> list[Leak]:
    """Score each feature alone by a small tree, fitted on half of the rows, judged on the rest.

    At most 20,000 training rows are looked at, chosen by their ids. Classes with fewer than 5 rows
    are left out of the score.

    Parameters
    ----------
    frame
        Training rows with ``row_id``, features and target.
    schema
        Which columns are features, and which is the target.
    threshold
        Balanced accuracy, 0 to 1, from which a feature counts as a leak.

    Returns
    -------
    list of Leak
        The highest score first.
    """
    if len(frame) > MAX_ROWS:
        chosen = np.argsort(draw_uniform(frame[ROW_ID], "leaks", 0), kind="stable")[:MAX_ROWS]
        frame = frame.iloc[np.sort(chosen)]
    labels, _ = pd.factorize(frame[schema.target])
    sizes = np.bincount(labels)
    usable = sizes[labels] >= MIN_CLASS_ROWS
    if (sizes >= MIN_CLASS_ROWS).sum() < 2:
        return []
    half = draw_uniform(frame[ROW_ID], "leak halves", 0) < 0.5
    leaks = []
    for name in schema.features:
        score = _score(_rank(frame[name])[usable], labels[usable], half[usable])
        if score >= threshold:
            detail = f"balanced accuracy {score:.3f} by '{name}' alone"
            leaks.append(Leak(name, round(score, 4), int(usable.sum()), detail))
    return sorted(leaks, key=lambda leak: -leak.score)


def _rank(values: pd.Series) -> np.ndarray:
    """Turn a column into one number a row; trees take NaN as it is."""
    if values.dtype == "str":
        return pd.factorize(values, use_na_sentinel=False)[0].astype(np.float64)
    if values.dtype.kind == "M":
        return values.to_numpy().view(np.int64).astype(np.float64)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _score(values: np.ndarray, labels: np.ndarray, half: np.ndarray) -> float:
    from sklearn.tree import DecisionTreeClassifier

    predicted = np.full(len(labels), -1)
    for side in (half, ~half):
        if side.all() or not side.any() or len(np.unique(labels[side])) < 2:
            return 0.0
        tree = DecisionTreeClassifier(max_leaf_nodes=64, min_samples_leaf=2, random_state=0)
        tree.fit(values[side][:, None], labels[side])
        predicted[~side] = tree.predict(values[~side][:, None])
    recalls = [float((predicted[labels == c] == c).mean()) for c in np.unique(labels)]
    return float(np.mean(recalls))
