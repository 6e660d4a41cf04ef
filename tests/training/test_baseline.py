"""The whole baseline: figures that belong together, and refusals that say what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from pipeline.config.settings import TrainingConfig
from pipeline.errors import StageError
from pipeline.features.layout import load_layout
from pipeline.features.splits import Split, load_split
from pipeline.modality import find_modality
from pipeline.targets.peers import fit_boosting, predict_majority
from pipeline.targets.results import FoldScore, TrainingFacts
from pipeline.training.baseline import train_baseline
from pipeline.training.client import Trainer

CONFIG = TrainingConfig(hidden=(8,), epochs=4, bootstrap=100)

LEARNING = find_modality("table").learning


def test_the_whole(trainer: Trainer, make_features, tmp_path: Path) -> None:
    """Four learners are scored on the same rows, and the facts read back as they were."""
    features = make_features(classes=("a", "b", "c"), synthetic=50)
    unrepaired = make_features("unrepaired", classes=("a", "b", "c"), noise=3.0)
    seen: list[tuple[str, int, int]] = []
    facts = train_baseline(
        features,
        tmp_path / "out",
        CONFIG,
        LEARNING,
        seed=0,
        trainer=trainer,
        unrepaired=unrepaired,
        folds=[FoldScore(1, 40, {"accuracy": 0.5})],
        on_progress=lambda title, done, of: seen.append((title, done, of)),
    )
    names = ["network", "network_unrepaired", "gradient_boosting", "majority"]
    assert [score.name for score in facts.scores] == names
    for score in facts.scores:
        assert sum(map(sum, score.confusion)) == facts.test_rows == 80
        right = sum(score.confusion[i][i] for i in range(3)) / 80
        assert score.metrics["accuracy"].value == pytest.approx(right)
        for interval in score.metrics.values():
            assert interval.low is not None
            assert interval.high is not None
            assert interval.low <= interval.high
    by_name = {score.name: score.metrics for score in facts.scores}
    assert {(gap.against, gap.metric) for gap in facts.differences} == {
        (name, metric)
        for name in names[1:]
        for metric in (
            "balanced_accuracy",
            "macro_f1",
            "auc",
            "average_precision",
            "accuracy",
            "log_loss",
            "brier",
        )
    }
    for gap in facts.differences:
        own, other = by_name["network"][gap.metric].value, by_name[gap.against][gap.metric].value
        assert own is not None
        assert other is not None
        assert gap.interval.value == pytest.approx(own - other)
    assert facts.folds == [FoldScore(1, 40, {"accuracy": 0.5})]
    assert ("Network", 1, 4) in seen
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "baseline.keras", "decision.json", "history.json", "metrics.json", "predictions.parquet",
    ]  # fmt: skip
    raw = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert TypeAdapter(TrainingFacts).validate_python(raw) == facts


def test_other_test_rows_are_refused(trainer: Trainer, make_features, tmp_path: Path) -> None:
    """A comparison with unrepaired data needs the same rows, order and classes."""
    features = make_features()
    fewer = make_features("fewer", rows=(200, 60, 79))
    with pytest.raises(StageError, match=r"79 rows.*'test-79' are in one only"):
        train_baseline(
            features, tmp_path / "o", CONFIG, LEARNING, seed=0, trainer=trainer, unrepaired=fewer
        )
    turned = make_features("turned")
    table = pq.read_table(turned / "test.parquet")
    pq.write_table(table.take(np.arange(80)[::-1]), turned / "test.parquet")
    with pytest.raises(StageError, match="their order differs"):
        train_baseline(
            features, tmp_path / "o", CONFIG, LEARNING, seed=0, trainer=trainer, unrepaired=turned
        )
    renamed = make_features("renamed", classes=("no", "maybe"))
    with pytest.raises(StageError, match="have the classes 'no', 'maybe'"):
        train_baseline(
            features, tmp_path / "o", CONFIG, LEARNING, seed=0, trainer=trainer, unrepaired=renamed
        )


def test_what_cannot_be_trained_is_refused(trainer: Trainer, make_features, tmp_path: Path) -> None:
    """No test rows, one class or a gap are errors that say what to do."""

    def train(features: Path, config: TrainingConfig = CONFIG) -> None:
        train_baseline(features, tmp_path / "out", config, LEARNING, seed=0, trainer=trainer)

    with pytest.raises(StageError, match=r"test split holds 0 rows.*Raise split\.test"):
        train(make_features("empty", rows=(50, 20, 0)))
    with pytest.raises(StageError, match=r"hold 1 class of 'class' \('yes'\)"):
        train(make_features("single", present=(1,)))
    gappy = make_features("gappy")
    table = pq.read_table(gappy / "train.parquet").to_pydict()
    table["f2"][3] = float("nan")
    import pyarrow as pa

    pq.write_table(pa.table(table), gappy / "train.parquet")
    with pytest.raises(StageError, match=r"feature 'f2' has 1 values in train\.parquet"):
        train(gappy)
    table["f2"] = [None, *[True] * (len(table["f2"]) - 1)]
    pq.write_table(pa.table(table), gappy / "train.parquet")
    with pytest.raises(StageError, match=r"feature 'f2' has 1 values in train\.parquet"):
        train(gappy)


def test_notes_name_the_rare_classes(trainer: Trainer, make_features, tmp_path: Path) -> None:
    """A class that is absent from training, or rare in test, is named."""
    features = make_features(classes=("a", "b", "c"), rows=(100, 30, 12), present=(0, 1))
    facts = train_baseline(features, tmp_path / "out", CONFIG, LEARNING, seed=0, trainer=trainer)
    text = " ".join(facts.notes)
    assert "Class 'c' has no training row" in text
    assert "test rows" in text


def test_a_training_that_was_cut_off_is_left_to_the_findings(
    trainer: Trainer, make_features, tmp_path: Path
) -> None:
    """The best epoch was the last one: a finding says so, and no note says it a second time."""
    config = CONFIG.model_copy(update={"epochs": 2, "early_stopping": 5})
    facts = train_baseline(
        make_features(), tmp_path / "out", config, LEARNING, seed=0, trainer=trainer
    )
    assert facts.best_epoch == facts.epochs_run == config.epochs
    assert "epochs" not in " ".join(facts.notes)


def test_baselines_cope_with_missing_classes(make_features) -> None:
    """A class without a training row has probability 0; shares are those of original rows."""
    features = make_features(classes=("a", "b", "c"), present=(0, 2), synthetic=20)
    layout = load_layout(features)
    train, validation, test = (
        load_split(features, name, layout) for name in ("train", "validation", "test")
    )
    fitted = fit_boosting(train, validation, test, 3, CONFIG, seed=0)
    assert np.all(fitted.probabilities[:, 1] == 0)
    assert fitted.probabilities.sum(axis=1) == pytest.approx(np.ones(80))
    balanced = CONFIG.model_copy(update={"class_weight": "balanced"})
    weighted = fit_boosting(train, validation, test, 3, balanced, seed=0).probabilities
    assert weighted.sum(axis=1) == pytest.approx(np.ones(80))
    majority = predict_majority(train, 80, 3).probabilities
    shares = np.bincount(train.labels[:180], minlength=3) / 180
    assert majority == pytest.approx(np.tile(shares, (80, 1)))


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_boosting_splits_on_any_set_of_categories(class_weight: str) -> None:
    """A one-hot category is one feature: 60 random categories of 200 are told from the rest."""
    draw = np.random.default_rng(0)
    codes = draw.integers(0, 200, 8_000)
    labels = np.isin(codes, draw.permutation(200)[:60]).astype(np.int32)
    noise = draw.standard_normal((8_000, 2)).astype(np.float32)
    values = np.hstack([noise[:, :1], np.eye(200, dtype=np.float32)[codes], noise[:, 1:]])
    ones = np.ones(8_000, np.float32)
    whole = Split(np.arange(8_000), values, labels, ones, ones > 0)
    parts = [whole.take(np.arange(8_000) % 4 == part) for part in range(3)]
    config = CONFIG.model_copy(update={"class_weight": class_weight})
    fitted = fit_boosting(*parts, 2, config, seed=0, blocks=[range(1, 201)])
    guesses = fitted.probabilities.argmax(axis=1)
    assert (guesses == parts[2].labels).mean() > 0.97


def test_boosting_on_a_sample_knows_every_class() -> None:
    """Of more rows than it takes, a class of a few rows keeps them."""
    labels = np.zeros(150_000, np.int32)
    labels[[7, 100_000]] = 1
    draw = np.random.default_rng(0)
    values = draw.standard_normal((150_000, 2)).astype(np.float32)
    whole = Split(
        np.arange(150_000), values, labels, np.ones(150_000, np.float32), np.ones(150_000, bool)
    )
    few = whole.take(np.arange(50))
    for seed in range(3):
        fitted = fit_boosting(whole, few, few, 2, CONFIG, seed=seed)
        assert fitted.probabilities.shape == (50, 2)
        assert 100_000 <= fitted.rows <= 100_002
