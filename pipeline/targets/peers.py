"""Learners that the network has to beat: the majority class, gradient boosting, thumbnails."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.features.splits import Split
from pipeline.targets.weights import weigh_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pipeline.config.settings import TrainingConfig

# A yardstick needs no more rows, and has to be ready when the network is.
BOOSTED_ROWS = 100_000
LOGISTIC_ROWS = 20_000
CLASS_ROWS = 10  # that a class keeps, whatever the draw
# scikit-learn's own number of bins.
BINS = 255
# Inverse penalties of logistic regression that are tried.
PENALTIES = (0.001, 0.01, 0.1)


@dataclass(frozen=True, slots=True)
class BaselineFit:
    """What a baseline says of the test split.

    Attributes
    ----------
    probabilities
        Shape ``(n_test, n_classes)``, float64, rows sum to 1.
    seconds
        Wall time of fit and prediction.
    rows
        Training rows that it learned from.
    """

    probabilities: np.ndarray
    seconds: float
    rows: int


def predict_majority(train: Split, rows: int, classes: int) -> BaselineFit:
    """Give every row the class shares of the training split's original rows.

    The most frequent class is predicted; of equally frequent ones the first.

    Parameters
    ----------
    train
        The training split.
    rows
        Number of rows to predict.
    classes
        Number of classes.
    """
    import numpy as np

    started = time.perf_counter()
    # Resampling evens the classes out; the shares of the world are those of the original rows.
    labels = train.labels[train.original] if train.original.any() else train.labels
    shares = np.bincount(labels, minlength=classes) / len(labels)
    return BaselineFit(np.tile(shares, (rows, 1)), time.perf_counter() - started, len(labels))


def fit_boosting(
    train: Split,
    validation: Split,
    test: Split,
    classes: int,
    config: TrainingConfig,
    *,
    seed: int,
    blocks: Sequence[Sequence[int]] = (),
) -> BaselineFit:
    """Fit scikit-learn's histogram gradient boosting on what the network sees.

    A category is one feature to it: a split then takes any set of categories, and 139 features of
    flights are 20 (2.8 in place of 17.7 s). Synthetic rows between two categories count as of the
    nearer one. It learns from at most 100,000 training rows, drawn at random, and stops early on
    the validation rows whose class occurs among them; without such rows it runs all its iterations.
    Classes without a training row get probability 0.

    Parameters
    ----------
    train, validation, test
        The splits; train has at least two classes.
    classes
        Number of classes.
    config
        ``class_weight`` is followed, as it is by the network.
    seed
        Seed of the draw.
    blocks
        The positions of the features of each categorical column.
    """
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    from pipeline.features.one_hot import fold

    started = time.perf_counter()  # without the import, as for the network
    weights = weigh_rows(train, config, classes)
    chosen = _draw_rows(train.labels, BOOSTED_ROWS, seed)
    train, weights = train.take(chosen), weights[chosen]
    known = validation.take(np.isin(validation.labels, train.labels))
    stops = len(known.labels) > 0
    onehot = [list(block) for block in blocks if 1 < len(block) <= BINS]
    values = fold(train.values, onehot)
    categories = np.arange(values.shape[1]) >= values.shape[1] - len(onehot)
    learner = HistGradientBoostingClassifier(
        random_state=seed,
        early_stopping=stops,
        max_bins=BINS,
        categorical_features=categories if onehot else None,
    )
    weighted = bool(np.ptp(weights) > 0)
    # Given weights, scikit-learn 1.9 bins by a Python call for each threshold: 5 s in place of
    # 0.3 s on 1,540 x 30. Values that are bin numbers already it takes as they are.
    edges = _find_edges(values[:, ~categories]) if weighted else []

    def take(split: Split) -> np.ndarray:
        return _bin(fold(split.values, onehot), edges)

    probabilities = np.zeros((len(test.labels), classes))
    # Half of the cores: the network trains on the others. Threads of OpenMP spin while they wait
    # for one another; two on two busy cores took 7 to 15 s for one's 0.3 s.
    with threadpool_limits(max(1, (os.cpu_count() or 1) // 2), user_api="openmp"):
        learner.fit(
            _bin(values, edges),
            train.labels,
            sample_weight=weights if weighted else None,
            X_val=take(known) if stops else None,
            y_val=known.labels if stops else None,
        )
        probabilities[:, learner.classes_] = learner.predict_proba(take(test))
    return BaselineFit(probabilities, time.perf_counter() - started, len(chosen))


def fit_logistic(
    train: Split,
    validation: Split,
    test: Split,
    classes: int,
    config: TrainingConfig,
    *,
    seed: int,
) -> BaselineFit:
    """Fit scikit-learn's logistic regression on thumbnails, on at most 20,000 training rows.

    The penalty is the one of three with the smallest log loss on the validation rows whose class
    occurs in training. See ``fit_boosting`` for the parameters.
    """
    import warnings

    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from threadpoolctl import threadpool_limits

    started = time.perf_counter()
    weights = weigh_rows(train, config, classes)
    chosen = _draw_rows(train.labels, LOGISTIC_ROWS, seed)
    sample = train.take(chosen)
    known = validation.take(np.isin(validation.labels, sample.labels))
    fits = []
    with threadpool_limits(max(1, (os.cpu_count() or 1) // 2)), warnings.catch_warnings():
        # 100 steps are enough for a yardstick.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for strength in PENALTIES if len(known.labels) else PENALTIES[1:2]:
            learner = LogisticRegression(C=strength, max_iter=100)
            learner.fit(sample.values, sample.labels, sample_weight=weights[chosen])
            loss = 0.0
            if len(known.labels):
                guesses = learner.predict_proba(known.values)
                loss = log_loss(known.labels, guesses, labels=learner.classes_)
            fits.append((loss, strength, learner))
    best = min(fits, key=lambda fit: fit[:2])[2]
    probabilities = np.zeros((len(test.labels), classes))
    probabilities[:, best.classes_] = best.predict_proba(test.values)
    return BaselineFit(probabilities, time.perf_counter() - started, len(chosen))


def _draw_rows(labels: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Draw about so many positions of rows, ascending; ten of each class, if it has them."""
    import numpy as np
    import pandas as pd

    order = np.random.default_rng(seed).permutation(len(labels))
    place = pd.Series(labels[order]).groupby(labels[order]).cumcount().to_numpy()
    return np.sort(order[(np.arange(len(order)) < most) | (place < CLASS_ROWS)])


def _find_edges(values: np.ndarray) -> list[np.ndarray]:
    """Find the inner quantiles of each feature."""
    import numpy as np

    shares = np.linspace(0, 1, BINS + 1)[1:-1]
    return [np.unique(np.quantile(column, shares)) for column in values.T]


def _bin(values: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    """Replace the values of the first features, as many as there are edges, by their bins."""
    import numpy as np

    binned = values.astype(np.float32)
    for position, edge in enumerate(edges):
        binned[:, position] = np.searchsorted(edge, values[:, position])
    return binned
