"""Stages on disk: the same bytes whatever the partitions, and only what changed is done again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.dataset_yaml import load_config
from pipeline.preprocessing.preprocessor import load_preprocessor
from pipeline.runs.keys import plan_keys
from pipeline.runs.run import prepare
from pipeline.steps.clean import clean
from pipeline.steps.encode import encode
from pipeline.steps.impute import impute
from pipeline.steps.ingest import ingest
from pipeline.steps.resample import resample
from pipeline.steps.split import split
from pipeline.storage.hashing import hash_file
from pipeline.storage.parts import list_parts, read_all, read_frame
from pipeline.storage.store import Address
from tests.conftest import SAMPLES, copy_sample

FEATURES = ("train.parquet", "validation.parquet", "test.parquet")


def prepare_features(home: Path, *overrides: str) -> tuple[Address, Address]:
    """Run all stages up to resampling; return the encoded and the resampled features."""
    copy_sample(home, "hypothyroid")
    run = prepare(home, "hypothyroid", list(overrides))
    rows = ingest(run)
    imputed = impute(run, clean(run, rows, split(run, rows)))
    encoded = encode(run, imputed)
    return encoded, resample(run, encoded)


def hash_features(encoded: Address, resampled: Address) -> dict[str, str]:
    """Hash everything that is published of the data."""
    files = {name: resampled.path / name for name in FEATURES}
    files |= {f"repaired/{name}": encoded.path / "repaired" / name for name in FEATURES}
    return {name: hash_file(path) for name, path in files.items()}


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> tuple[Address, Address]:
    """Prepare the features of hypothyroid once, in one partition."""
    return prepare_features(tmp_path_factory.mktemp("one"))


def test_seven_partitions_give_the_same_bytes_as_one(
    features: tuple[Address, Address], tmp_path: Path
) -> None:
    """How rows are partitioned shows nowhere in what is published."""
    encoded, resampled = prepare_features(tmp_path, "ingest.partition_rows=452")
    assert (
        len(list_parts(tmp_path / "data/runs/hypothyroid/stages" / _find(tmp_path, "clean"))) == 7
    )
    assert hash_features(encoded, resampled) == hash_features(*features)


def _find(home: Path, stage: str) -> str:
    return next((home / "data/runs/hypothyroid/stages").glob(f"{stage}-*")).name


def test_two_runs_from_scratch_give_the_same_bytes(
    features: tuple[Address, Address], tmp_path: Path
) -> None:
    """Nothing but source, configuration and seed enters the published data."""
    assert hash_features(*prepare_features(tmp_path)) == hash_features(*features)


def test_another_seed_gives_another_split(
    features: tuple[Address, Address], tmp_path: Path
) -> None:
    """The root seed is used."""
    other = hash_features(*prepare_features(tmp_path, "seed=1"))
    assert other["test.parquet"] != hash_features(*features)["test.parquet"]


def test_no_row_is_in_two_splits(features: tuple[Address, Address]) -> None:
    """Neither a row_id nor a row of equal features is in two splits; others are all original."""
    _, resampled = features
    tables = {name: pd.read_parquet(resampled.path / name) for name in FEATURES}
    seen_ids: set[str] = set()
    seen_rows: set[bytes] = set()
    for name, table in tables.items():
        values = table.drop(columns=["row_id", "class", "origin", "sample_weight"], errors="ignore")
        assert (values.dtypes == "float32").all()
        assert np.isfinite(values.to_numpy()).all()
        rows = {row.tobytes() for row in values.to_numpy()}
        assert not rows & seen_rows
        assert not set(table["row_id"]) & seen_ids
        seen_rows |= rows
        seen_ids |= set(table["row_id"])
        if name != "train.parquet":
            assert set(table["origin"]) == {"original"}
    train = tables["train.parquet"]
    counts = train["class"].value_counts()
    assert counts["hypothyroid"] == counts["negative"]
    assert train["row_id"].is_unique


def test_preprocessor_gives_raw_rows_the_features_of_the_training(
    features: tuple[Address, Address],
) -> None:
    """New raw rows, as texts, come out with the very bytes that the published rows have."""
    encoded, _ = features
    source = pd.read_csv(SAMPLES / "hypothyroid" / "hypothyroid.csv", dtype=str)
    home = encoded.path.parents[4]
    ids = read_all(next((home / "data/runs/hypothyroid/stages").glob("ingest-*")))["row_id"]
    preprocessor = load_preprocessor(encoded.path / "preprocessor")
    for name in FEATURES:
        table = pd.read_parquet(encoded.path / name)
        raw = source.set_axis(ids).loc[table["row_id"]].drop(columns="class")
        got = preprocessor.transform(raw.to_dict("records"))
        np.testing.assert_array_equal(got, table[preprocessor.features].to_numpy())
    alone = preprocessor.transform([raw.iloc[0].to_dict()])
    np.testing.assert_array_equal(alone, got[:1])


@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("ingest.partition_rows=1000", "ingest"),
        ("split.test=0.2", "split"),
        ("cleaning.outliers.factor=2.5", "clean"),
        ("imputation.numeric=median", "impute"),
        ("encoding.scaling=robust", "encode"),
        ("resampling.ratio=0.9", "resample"),
        ("training.epochs=2", "train"),
        ("validation.stop_on=warning", "publish"),
        ("drift.psi=0.3", "validate_raw"),
    ],
)
def test_a_changed_section_redoes_its_stage_and_those_behind(
    home: Path, override: str, first: str
) -> None:
    """A stage's key changes if and only if its own section, or an input's key, does."""
    behind = {
        "ingest": set(ORDER),
        "split": set(ORDER) - {"ingest", "validate_raw"},
        "clean": set(ORDER) - {"ingest", "validate_raw", "split", "profile"},
        "impute": set(ORDER) - {"ingest", "validate_raw", "split", "profile", "clean"},
        "encode": {"encode", "resample", "trial", "unrepaired", "train", "publish"},
        "resample": {"resample", "trial", "train", "publish"},
        "train": {"trial", "train", "publish"},
        "publish": {"publish"},
        "validate_raw": {"validate_raw", "publish"},
    }
    copy_sample(home, "hypothyroid")
    path = home / "data/hypothyroid/dataset.yaml"
    plain, changed = (plan_keys(load_config(path, o), {}, {}, {}) for o in ([], [override]))
    assert {stage for stage in plain if plain[stage] != changed[stage]} == behind[first]


ORDER = (
    "ingest", "validate_raw", "split", "clean", "impute", "validate_repaired", "encode", "resample",
    "trial", "unrepaired", "train", "profile", "publish",
)  # fmt: skip


def test_quarantined_rows_are_written_with_their_reason(home: Path) -> None:
    """A row that is left out is kept, with its values and its reason; only training loses it."""
    copy_sample(home, "hypothyroid")
    run = prepare(home, "hypothyroid", ["cleaning.outliers.columns={TSH: quarantine}"])
    rows = ingest(run)
    cleaned = clean(run, rows, split(run, rows))
    aside = read_frame(cleaned.path / "quarantine.parquet")
    far = aside[aside["reason"].str.startswith("TSH outside")]
    assert len(far) > 10
    assert (far["split"] == "train").all()
    high = float(far["reason"].iloc[0].rpartition(" ")[2])
    assert (far["TSH"] > high).all()
    kept = read_all(cleaned.path)
    assert kept["TSH"].max() <= high
    assert set(kept["row_id"]) | set(aside["row_id"]) == set(read_all(rows.path)["row_id"])
    assert not set(kept["row_id"]) & set(aside["row_id"])


@pytest.mark.parametrize("seed", [1, 5, 7])
def test_repair_meets_the_bounds_of_the_suite_whatever_the_split(home: Path, seed: int) -> None:
    """Bounds learned on another training split never leave values that the suites refuse."""
    copy_sample(home, "hypothyroid")
    run = prepare(home, "hypothyroid", [f"seed={seed}"])
    rows = ingest(run)
    cleaned = clean(run, rows, split(run, rows))
    imputed = read_all(impute(run, cleaned).path)
    assert {"TSH", "T3", "FTI"} <= set(run.expected)
    for column, (low, high) in run.expected.items():
        assert low is not None
        assert high is not None
        assert imputed[column].between(low, high).all(), column


def test_repair_does_not_hide_what_most_rows_break(home: Path) -> None:
    """A suite's bound that more than a few rows break is for the gate, not for clipping."""
    copy_sample(home, "hypothyroid")
    suite = home / "expectations/hypothyroid/outliers.json"
    suite.write_text(suite.read_text().replace('"max_value": 126.0', '"max_value": 2.0', 1))
    run = prepare(home, "hypothyroid")
    assert run.expected["TSH"] == (0.0, 2.0)
    rows = ingest(run)
    cleaned = read_all(clean(run, rows, split(run, rows)).path)
    assert (cleaned["TSH"] > 2.0).mean() > 0.1
