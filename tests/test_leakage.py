"""The first law: nothing that learns sees a validation or test row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import imputation, resampling
from pipeline.cleaning import repairs as cleaning
from pipeline.config.settings import (
    CleaningConfig,
    EncodingConfig,
    ImputationConfig,
    ResamplingConfig,
)
from pipeline.dataset import ROW_ID, SPLIT, Features, Schema, TrainFeatures, TrainSet
from pipeline.encoding import features as encoding
from pipeline.runs.run import prepare
from pipeline.steps.clean import clean
from pipeline.steps.encode import encode
from pipeline.steps.impute import impute
from pipeline.steps.ingest import ingest
from pipeline.steps.resample import resample
from pipeline.steps.split import split
from pipeline.storage.hashing import hash_file
from pipeline.storage.parts import list_parts, read_frame, write_frame
from tests.conftest import copy_sample


def _rewrite_others(folder: Path, assignment: pd.DataFrame, seed: int) -> int:
    """Rewrite every value of each validation and test row, the label included; keep ids."""
    draw = np.random.default_rng(seed)
    start, rewritten = 0, 0
    for path in list_parts(folder):
        frame = read_frame(path)
        other = (assignment[SPLIT].iloc[start : start + len(frame)] != "train").to_numpy()
        start += len(frame)
        for name in frame.columns.drop(ROW_ID):
            values = frame[name].copy()
            if values.dtype == "str":
                values[other] = [f"rewritten {n}" for n in draw.integers(0, 5, other.sum())]
                values[other & (draw.random(len(frame)) < 0.2)] = None
            else:
                noise = draw.normal(1e6, 1e5, other.sum())
                values[other] = np.where(draw.random(other.sum()) < 0.2, np.nan, noise)
            frame[name] = values
        rewritten += int(other.sum())
        write_frame(path, frame)
    return rewritten


@pytest.mark.parametrize("imputation_method", ["knn", "median"])
def test_rewriting_validation_and_test_changes_nothing_that_was_learned(
    home: Path, imputation_method: str
) -> None:
    """Fitted values and the training split keep their bytes when all other rows are rewritten."""
    copy_sample(home, "hypothyroid")
    overrides = [f"imputation.numeric={imputation_method}", "ingest.partition_rows=1000"]
    learned = []
    for rewrite in (False, True):
        # A second project directory, so that no stage is taken from the first.
        place = home / str(rewrite)
        copy_sample(place, "hypothyroid")
        run = prepare(place, "hypothyroid", overrides)
        rows = ingest(run)
        assignment = split(run, rows)
        if rewrite:
            assigned = read_frame(assignment.path / "assignment.parquet")
            assert _rewrite_others(rows.path, assigned, seed=1) == 951
        cleaned = clean(run, rows, assignment)
        imputed = impute(run, cleaned)
        if rewrite:
            _relabel_one_each(imputed.path)
        features = encode(run, imputed)
        resampled = resample(run, features)
        learned.append(
            {
                "cleaning": hash_file(cleaned.path / "cleaning.json"),
                "imputation": hash_file(imputed.path / "imputation.json"),
                "encoding": hash_file(features.path / "preprocessor" / "encoding.json"),
                "train": hash_file(resampled.path / "train.parquet"),
                "repaired": hash_file(features.path / "repaired" / "train.parquet"),
            }
        )
    assert learned[0] == learned[1]


def _relabel_one_each(folder: Path) -> None:
    """Give one rewritten row of each split a class that training knows: the rest are left out."""
    path = list_parts(folder)[0]
    frame = read_frame(path)
    for name in ("validation", "test"):
        frame.loc[frame.index[frame[SPLIT] == name][0], "class"] = "negative"
    write_frame(path, frame)


@st.composite
def train_frames(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a small dirty training split."""
    rows = draw(st.integers(12, 40))
    number = st.one_of(st.none(), st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 2)))
    word = st.one_of(st.none(), st.sampled_from(["red", "Red", "blue ", "green"]))
    return pd.DataFrame(
        {
            ROW_ID: [f"row-{i}" for i in range(rows)],
            "x": pd.Series(draw(st.lists(number, min_size=rows, max_size=rows)), dtype="float64"),
            "y": pd.Series(np.linspace(0, 1, rows) ** 2),
            "colour": pd.Series(draw(st.lists(word, min_size=rows, max_size=rows)), dtype="str"),
            "label": pd.Series(["a" if i % 3 else "b" for i in range(rows)], dtype="str"),
        }
    )


@given(frame=train_frames())
@settings(max_examples=20)
def test_fitting_does_not_change_its_arguments(frame: pd.DataFrame) -> None:
    """A stage that learns leaves the training split as it was."""
    schema = Schema(
        "label", {"x": "numeric", "y": "numeric", "colour": "categorical", "label": "target"}
    )
    before = frame.copy(deep=True)
    train = TrainSet(frame, schema)
    fitted = cleaning.fit_cleaning(train, CleaningConfig(max_missing=1.0), {})
    kept = [n for n in schema.roles if n not in {c.name for c in fitted.dropped}]
    cleaned = cleaning.clean_values(frame, fitted).frame
    narrow = schema.keep(kept)
    method = ImputationConfig(numeric="median")
    filled = imputation.fit_imputation(TrainSet(cleaned, narrow), method, seed=0)
    repaired = imputation.impute(cleaned, filled).frame
    code = encoding.fit_encoding(TrainSet(repaired, narrow), EncodingConfig(), ["a", "b"])
    values = encoding.encode(repaired, code)
    rows = Features(
        frame[ROW_ID].to_numpy(dtype=object), values, frame["label"].to_numpy(dtype=object)
    )
    copied = values.copy()
    resampling.resample(
        TrainFeatures(rows, code.blocks), ResamplingConfig(method="random_over"), seed=0
    )
    pd.testing.assert_frame_equal(frame, before)
    np.testing.assert_array_equal(values, copied)
    assert np.isfinite(values).all()
