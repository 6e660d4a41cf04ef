"""Probabilities after resampling mean what they say, and the class decided for stays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.settings import TrainingConfig
from pipeline.features.layout import Layout
from pipeline.features.splits import Split
from pipeline.storage.store import load_facts
from pipeline.targets.class_metrics import measure
from pipeline.targets.decisions import (
    Decision,
    calibrate,
    correct,
    decide,
    fit_calibration,
    make_decision,
    undo_correction,
)
from pipeline.training.client import Trainer
from pipeline.training.jobs import DECISION, MODEL, PROBABILITIES, Job
from pipeline.training.loading import load_network

LAYOUT = Layout("class", ("a", "b", "c"), ("f",))
ROWS = "pipeline.training.row_networks"


def make_split(counts: tuple[int, ...], weights: tuple[float, ...] | None = None) -> Split:
    """Make training rows of which only the labels and weights matter."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    per_class = np.array(weights or [1.0] * len(counts), np.float32)
    n = len(labels)
    return Split(np.arange(n), np.zeros((n, 1)), labels, per_class[labels], np.ones(n, bool))


def normalise(values: np.ndarray) -> np.ndarray:
    """Make rows add up to 1."""
    return values / values.sum(axis=1, keepdims=True)


def test_a_posterior_of_other_priors_is_corrected_exactly() -> None:
    """Bayes' rule with the densities gives what the correction gives."""
    x = np.linspace(-4, 6, 50)[:, None]
    densities = np.exp(-((x - np.array([0.0, 1.0, 2.5])) ** 2) / 2)
    priors, trained = np.array([90, 9, 1]), np.array([50, 30, 20])
    layout = Layout("class", ("a", "b", "c"), ("f",), priors=(90, 9, 1))
    decision = make_decision(make_split((50, 30, 20)), layout, TrainingConfig())
    given_ = normalise(densities * trained)
    assert correct(given_, decision) == pytest.approx(normalise(densities * priors))
    assert undo_correction(correct(given_, decision), decision) == pytest.approx(given_)
    assert np.array_equal(decide(correct(given_, decision), decision), given_.argmax(axis=1))


def test_weights_count_as_rows_do() -> None:
    """Weights of rows, and balanced classes of the training section, shift as rows would."""
    rows = make_decision(
        make_split((60, 60, 60)), Layout("", LAYOUT.classes, (), priors=(60, 30, 10)),
        TrainingConfig(),
    )  # fmt: skip
    own = make_decision(make_split((60, 30, 10), (1.0, 2.0, 6.0)), LAYOUT, TrainingConfig())
    balanced = TrainingConfig(class_weight="balanced")
    weighted = make_decision(make_split((60, 30, 10)), LAYOUT, balanced)
    for decision in (own, weighted):
        assert decision.offset == pytest.approx(rows.offset, abs=1e-6)
        assert decision.multipliers == pytest.approx(rows.multipliers, rel=1e-6)


def test_nothing_is_corrected_where_nothing_was_resampled() -> None:
    """The same rows with equal weights leave outputs bit by bit as they are."""
    decision = make_decision(make_split((60, 30, 10), (0.5, 0.5, 0.5)), LAYOUT, TrainingConfig())
    assert decision.offset is None
    assert not decision.moves
    given_ = normalise(np.random.default_rng(0).random((20, 3))).astype(np.float32)
    assert correct(given_, decision) is given_


def test_a_class_without_rows_stays_as_it_is() -> None:
    """A class that training lacks gets neither an infinite offset nor a multiplier."""
    layout = Layout("class", LAYOUT.classes, ("f",), priors=(90, 10, 0), even=True)
    decision = make_decision(make_split((50, 50, 0)), layout, TrainingConfig())
    assert decision.offset is not None
    assert np.isfinite(decision.offset).all()
    assert decision.offset[2] == 0
    assert decision.multipliers == pytest.approx([0.5 / 0.9, 0.5 / 0.1, 1.0])


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=5), st.integers(0, 1000))
def test_threshold_moving_decides_as_if_classes_were_even(counts: list[int], seed: int) -> None:
    """It decides for the class whose probability is largest beside its share."""
    names = tuple(f"c{i}" for i in range(len(counts)))
    layout = Layout("class", names, ("f",), priors=tuple(counts), even=True)
    decision = make_decision(make_split(tuple(counts)), layout, TrainingConfig())
    assert decision.offset is None
    given_ = normalise(np.random.default_rng(seed).random((30, len(counts))))
    ratios = given_ / (np.array(counts) / sum(counts))
    chosen = decide(given_, decision)
    assert ratios[np.arange(30), chosen] == pytest.approx(ratios.max(axis=1))


def test_temperature_is_found_again() -> None:
    """Labels drawn from tempered logits give that temperature, and decisions don't change."""
    draw = np.random.default_rng(0)
    logits = 3 * draw.standard_normal((20_000, 3))
    true = normalise(np.exp(logits / 2.5))
    labels = (true.cumsum(axis=1) > draw.random((20_000, 1))).argmax(axis=1)
    given_ = normalise(np.exp(logits))
    before = Decision(["a", "b", "c"], [0.6, 0.3, 0.1], [1 / 3] * 3, [0.5, 1.0, 3.0])
    after = fit_calibration(given_, labels, before, "temperature")
    assert after.temperature == pytest.approx(2.5, rel=0.05)
    tempered = normalise(given_ ** (1 / after.temperature))
    assert np.array_equal(decide(given_, before), decide(tempered, after))


@pytest.mark.parametrize("k", [2, 3])
def test_isotonic_calibration_rises_and_calibrates(k: int) -> None:
    """Distorted probabilities become right on other rows; none becomes 0 or 1; order is kept."""
    draw = np.random.default_rng(0)
    true = draw.dirichlet(np.ones(k), 20_000)
    labels = (true.cumsum(axis=1) > draw.random((20_000, 1))).argmax(axis=1)
    given_ = normalise(true**3)
    plain = Decision([f"c{i}" for i in range(k)], [1 / k] * k, [1 / k] * k, [1.0] * k)
    fitted = fit_calibration(given_[:10_000], labels[:10_000], plain, "isotonic")
    after = calibrate(given_[10_000:].astype(np.float32), fitted)
    assert after.dtype == np.float32
    assert after.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert after.min() > 0
    assert measure(labels[10_000:], after)["ece"] < 0.03
    assert measure(labels[10_000:], given_[10_000:])["ece"] > 0.1
    for curve in filter(None, fitted.curves):
        assert (np.diff(curve.calibrated) >= 0).all()


def test_calibration_without_enough_rows_changes_nothing() -> None:
    """Rows of one class, or a handful of rows, can't calibrate."""
    plain = Decision(["a", "b"], [0.5, 0.5], [0.5, 0.5], [1.0, 1.0])
    few = np.tile([[0.4, 0.6]], (6, 1))
    for how in ("temperature", "isotonic"):
        assert fit_calibration(few.repeat(20, axis=0), np.ones(120, int), plain, how) == plain
        assert fit_calibration(few, np.array([0, 1, 1, 1, 1, 1]), plain, how) == plain


def test_rows_cleaned_away_for_their_neighbours_are_no_other_class_shares() -> None:
    """After ENN a class that overlaps another has few rows; its probability does not pay for it."""
    layout = Layout("class", LAYOUT.classes, ("f",), priors=(60, 30, 10), balanced=(60, 30, 10))
    decision = make_decision(make_split((60, 25, 1)), layout, TrainingConfig())
    assert decision.offset is None
    assert not decision.moves
    both = Layout("class", LAYOUT.classes, ("f",), priors=(60, 30, 10), balanced=(60, 60, 60))
    after_smote = make_decision(make_split((60, 50, 41)), both, TrainingConfig())
    assert after_smote.trained == pytest.approx([1 / 3] * 3)


def write_unbalanced(folder: Path, *, copies: int, even: bool = False) -> Path:
    """Write two overlapping classes, one a ninth of the other, its training rows repeated."""
    folder.mkdir()
    draw = np.random.default_rng(1)
    before = {}
    for name, count in (("train", 6000), ("validation", 1500), ("test", 6000)):
        labels = (draw.random(count) < 0.1).astype(int)
        values = draw.standard_normal((count, 2)) + 1.2 * labels[:, None]
        if name == "train":
            before = {"no": int((labels == 0).sum()), "yes": int((labels == 1).sum())}
            chosen = np.append(np.arange(count), np.repeat(np.flatnonzero(labels), copies))
            labels, values = labels[chosen], values[chosen]
        columns = {
            "row_id": [f"{name}-{i}" for i in range(len(labels))],
            "f0": values[:, 0].astype(np.float32),
            "f1": values[:, 1].astype(np.float32),
            "class": np.array(["no", "yes"])[labels],
        }
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    layout = {"target": "class", "classes": ["no", "yes"], "features": ["f0", "f1"]}
    (folder / "layout.json").write_text(
        json.dumps(layout | {"priors": before, "even": even}), encoding="utf-8"
    )
    return folder


def test_a_network_of_repeated_rows_is_as_calibrated_as_one_of_plain_rows(
    trainer: Trainer, tmp_path: Path
) -> None:
    """Corrected, the Brier score is that without resampling; plain Keras gives it too."""
    config = TrainingConfig(hidden=(16,), epochs=12, calibration="temperature")
    briers, recalls, uncorrected = {}, {}, 0.0
    for name, copies in (("plain", 0), ("repeated", 8)):
        features = write_unbalanced(tmp_path / name, copies=copies)
        out = tmp_path / f"{name} out"
        trainer.submit(Job(features, out, config, 0, ROWS)).result()
        decision = load_facts(out / DECISION, Decision)
        test = pq.read_table(features / "test.parquet")
        labels = (np.array(test["class"].to_pylist()) == "yes").astype(int)
        with np.load(out / PROBABILITIES) as arrays:
            probabilities = arrays["test"]
        found = measure(labels, probabilities, decide(probabilities, decision))
        briers[name], recalls[name] = found["brier"], found["balanced_accuracy"]
        values = np.stack([test["f0"].to_numpy(), test["f1"].to_numpy()], axis=1)
        loaded = load_network(out / MODEL).predict(values, verbose=0)
        assert loaded == pytest.approx(probabilities, abs=1e-5)
        uncorrected = measure(labels, undo_correction(probabilities, decision))["brier"]
    assert briers["repeated"] == pytest.approx(briers["plain"], abs=0.005)
    assert uncorrected > briers["plain"] + 0.03
    assert recalls["repeated"] > recalls["plain"] + 0.1
