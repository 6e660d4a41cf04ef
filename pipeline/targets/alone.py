"""What one feature alone tells of the label."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

MIN_CLASS_ROWS = 5
SIGNIFICANT = 0.001


def differ_in_labels(values: pd.Series, labels: pd.Series, texts: Sequence[str]) -> bool:
    """Tell whether rows with one text have other labels than those with another.

    Pearson's chi-squared test on the table of texts and labels; texts with fewer than 5 rows are
    left out.

    Parameters
    ----------
    values, labels
        Shape ``(n,)``.
    texts
        The texts to compare.
    """
    from scipy.stats import chi2_contingency

    rows = values.isin(list(texts)) & labels.notna()
    table = pd.crosstab(values[rows].to_numpy(), labels[rows].to_numpy())
    table = table[table.sum(axis=1) >= MIN_CLASS_ROWS]
    table = table.loc[:, table.sum() > 0]
    if min(table.shape) < 2:
        return False
    return bool(chi2_contingency(table).pvalue < SIGNIFICANT)


def prepare_alone(target: pd.Series, half: np.ndarray) -> Callable[[np.ndarray], tuple[float, int]]:
    """Make a function that scores a feature by a small tree, fitted on half of the rows.

    It takes the feature's values, one number a row, and gives the balanced accuracy on the other
    half, both ways round, and the number of rows judged. Classes with fewer than 5 rows are left
    out; the score is 0 where fewer than two are left.

    Parameters
    ----------
    target
        The labels, shape ``(n,)``.
    half
        Shape ``(n,)``, bool: which rows are of the first half.
    """
    labels, _ = pd.factorize(target)
    sizes = np.bincount(labels)
    usable = sizes[labels] >= MIN_CLASS_ROWS
    rows = int(usable.sum())
    labels, half = labels[usable], half[usable]
    classes = np.unique(labels)

    def score(values: np.ndarray) -> tuple[float, int]:
        from sklearn.tree import DecisionTreeClassifier

        values = values[usable]
        predicted = np.full(rows, -1)
        for side in (half, ~half):
            if side.all() or not side.any() or len(np.unique(labels[side])) < 2:
                return 0.0, rows
            tree = DecisionTreeClassifier(max_leaf_nodes=64, min_samples_leaf=2, random_state=0)
            tree.fit(values[side][:, None], labels[side])
            predicted[~side] = tree.predict(values[~side][:, None])
        recalls = [float((predicted[labels == c] == c).mean()) for c in classes]
        return float(np.mean(recalls)), rows

    return score
