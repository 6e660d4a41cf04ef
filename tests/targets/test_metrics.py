"""Metrics agree with scikit-learn, and their intervals are bootstrap intervals."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from pipeline.targets.class_metrics import (
    bin_calibration,
    compare,
    count_confusion,
    measure,
    prepare_metrics,
    resample,
)
from pipeline.targets.metric_names import METRICS


def draw(n: int, k: int, seed: int, levels: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels that need not hold every class, and probabilities, tied if `levels` is given."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, max(1, generator.integers(1, k + 1)), n)
    probabilities = generator.dirichlet(np.ones(k), n)
    if levels:
        counts = generator.integers(1, levels + 1, (n, k)).astype(float)
        probabilities = counts / counts.sum(axis=1, keepdims=True)
    return labels, probabilities


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 60), st.integers(2, 5), st.integers(0, 10_000), st.sampled_from([0, 2, 4]))
def test_metrics_are_those_of_scikit_learn(n: int, k: int, seed: int, levels: int) -> None:
    """Every metric equals scikit-learn's on the same rows, with ties and absent classes."""
    labels, probabilities = draw(n, k, seed, levels)
    found = measure(labels, probabilities)
    predicted = probabilities.argmax(axis=1)
    with warnings.catch_warnings():
        # scikit-learn warns of predicted classes that no label has, which is what is tested.
        warnings.simplefilter("ignore")
        assert found["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
        assert found["balanced_accuracy"] == pytest.approx(
            sk.balanced_accuracy_score(labels, predicted)
        )
        assert found["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro"))
    present = np.unique(labels)
    if len(present) < 2:
        assert np.isnan(found["auc"])
        assert np.isnan(found["average_precision"])
    else:
        scored = [np.bincount(labels).argmin()] if k == 2 else list(present)
        areas = [sk.roc_auc_score(labels == c, probabilities[:, c]) for c in scored]
        assert found["auc"] == pytest.approx(np.mean(areas))
        means = [sk.average_precision_score(labels == c, probabilities[:, c]) for c in scored]
        assert found["average_precision"] == pytest.approx(np.mean(means))
    if k == 2:
        squares = (probabilities[:, 1] - labels) ** 2
    else:
        squares = ((probabilities - np.eye(k)[labels]) ** 2).sum(axis=1)
    assert found["brier"] == pytest.approx(squares.mean())
    confusion = sk.confusion_matrix(labels, predicted, labels=range(k))
    assert count_confusion(labels, predicted, k) == confusion.tolist()
    own = np.clip(probabilities[np.arange(n), labels], 1e-7, 1)
    assert found["log_loss"] == pytest.approx(-np.log(own).mean())
    other = (predicted + 1) % k
    assert measure(labels, probabilities, other) == pytest.approx(
        found
        | {
            "accuracy": sk.accuracy_score(labels, other),
            "balanced_accuracy": sk.recall_score(
                labels, other, labels=present, average="macro", zero_division=0
            ),
            "macro_f1": sk.f1_score(labels, other, average="macro", zero_division=0),
        },
        nan_ok=True,
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 25), st.integers(2, 4), st.integers(0, 1000), st.sampled_from([0, 3]))
def test_a_resample_is_the_metric_of_the_drawn_rows(n: int, k: int, seed: int, levels: int) -> None:
    """Weighting rows gives what repeating them gives; a metric that lost a class is undefined."""
    labels, probabilities = draw(n, k, seed, levels)
    drawn = resample(labels, probabilities, resamples=20, seed=seed).draws
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, n, size=(20, n))
    classes = set(labels.tolist())
    for index, chosen in enumerate(rows):
        again = measure(labels[chosen], probabilities[chosen])
        for name in ("accuracy", "brier", "ece"):
            assert drawn[name][index] == pytest.approx(again[name])
        if set(labels[chosen].tolist()) == classes:
            names = ["balanced_accuracy", "auc"]
            rarer = np.bincount(labels, minlength=k).argmin()
            if k > 2 or np.bincount(labels[chosen], minlength=k).argmin() == rarer:
                names.append("average_precision")
            for name in names:
                assert drawn[name][index] == pytest.approx(again[name], nan_ok=True)
        else:
            assert np.isnan(drawn["balanced_accuracy"][index])
            assert np.isnan(drawn["auc"][index])
            assert np.isnan(drawn["average_precision"][index])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """A 95 % interval of the accuracy of a fair coin holds 0.5 in 88 to 100 % of 100 samples."""
    hits = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, 2, 200)
        guesses = np.eye(2)[generator.integers(0, 2, 200)]
        interval = resample(labels, guesses, resamples=300, seed=seed).intervals()["accuracy"]
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= 0.5 <= interval.high
    assert 88 <= hits <= 100


def test_a_learner_does_not_differ_from_itself() -> None:
    """Paired differences use the same resamples: against itself every interval is zero."""
    labels, probabilities = draw(50, 3, 2)
    for interval in compare(labels, probabilities, probabilities, resamples=100, seed=1).values():
        assert (interval.value, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_pairing_narrows_the_interval() -> None:
    """The difference of two learners that err together is known better than either of them."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 400)
    right = generator.random(400) < 0.7
    first = np.eye(2)[np.where(right, labels, 1 - labels)]
    right[:8] = ~right[:8]
    second = np.eye(2)[np.where(right, labels, 1 - labels)]
    alone = resample(labels, first, resamples=500, seed=0).intervals()["accuracy"]
    paired = compare(labels, first, second, resamples=500, seed=0)["accuracy"]
    assert None not in (alone.low, alone.high, paired.low, paired.high)
    assert paired.high - paired.low < (alone.high - alone.low) / 2  # type: ignore[operator]  # not None


def test_one_class_leaves_the_area_undefined() -> None:
    """What is undefined on all rows is None, not a number and no exception."""
    labels = np.zeros(10, int)
    probabilities = np.full((10, 2), 0.5)
    interval = resample(labels, probabilities, resamples=100, seed=0).intervals()["auc"]
    assert (interval.value, interval.low, interval.high) == (None, None, None)


@pytest.mark.parametrize("n", range(2, 30))
def test_weights_that_leave_one_class_leave_ranks_undefined(n: int) -> None:
    """Also fractions, whose sums differ by a rounding: what holds no other class ranks nothing."""
    draws = np.random.default_rng(n).random(n + 3)
    labels = np.repeat([0, 1], [n, 3])
    weights = np.append(np.zeros(n), np.full(3, (n + 3) / 3))[None]
    found = prepare_metrics(labels, np.stack([1 - draws, draws], axis=1), None)(weights)
    assert np.isnan(found["auc"]).all()
    assert np.isnan(found["average_precision"]).all()


def test_bins_hold_every_row_once() -> None:
    """Calibration bins sum to the rows, and their gaps weighted by rows are the ece."""
    labels, probabilities = draw(300, 3, 5)
    bins = bin_calibration(labels, probabilities)
    assert sum(bin_.rows for bin_ in bins) == 300
    gap = sum(abs(bin_.confidence - bin_.accuracy) * bin_.rows for bin_ in bins) / 300
    assert measure(labels, probabilities)["ece"] == pytest.approx(gap)


def test_arguments_stay_and_a_seed_repeats() -> None:
    """Neither labels nor probabilities change; the same seed gives the same draws."""
    labels, probabilities = draw(40, 2, 7)
    before = labels.copy(), probabilities.copy()
    first = resample(labels, probabilities, resamples=100, seed=3)
    second = resample(labels, probabilities, resamples=100, seed=3)
    assert np.array_equal(labels, before[0])
    assert np.array_equal(probabilities, before[1])
    for name in METRICS:
        assert np.array_equal(first.draws[name], second.draws[name], equal_nan=True)


def test_a_thousand_resamples_of_a_small_split_are_quick() -> None:
    """1000 resamples of 500 rows take a small part of a second (0.1 s measured, 1 s allowed)."""
    labels, probabilities = draw(500, 2, 0)
    started = time.perf_counter()
    resample(labels, probabilities, resamples=1000, seed=0)
    assert time.perf_counter() - started < 1.0
