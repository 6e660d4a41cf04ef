"""What every stage owes: it works by partition, on no rows, and never changes what it is given."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cleaning.repairs import clean_values, fit_cleaning
from pipeline.config.settings import CleaningConfig, EncodingConfig, ImputationConfig
from pipeline.dataset import ROW_ID, Schema, TrainSet
from pipeline.encoding.features import encode, fit_encoding
from pipeline.imputation import fit_imputation, impute

ROWS = 240
SCHEMA = Schema(
    "label",
    {"x": "numeric", "y": "numeric", "word": "categorical", "flag": "boolean", "day": "datetime",
     "label": "target"},
)  # fmt: skip


def _make_rows(seed: int = 0) -> pd.DataFrame:
    """Make dirty rows of every role."""
    draw = np.random.default_rng(seed)
    x = draw.lognormal(size=ROWS).round(3)
    return pd.DataFrame(
        {
            ROW_ID: [f"row-{i}" for i in range(ROWS)],
            "x": np.where(draw.random(ROWS) < 0.2, np.nan, x),
            "y": np.where(draw.random(ROWS) < 0.1, np.nan, x * 3 + draw.normal(size=ROWS)),
            "word": pd.Series(draw.choice(["a", "A ", "b", "c", None], ROWS), dtype="str"),
            "flag": pd.Series(draw.choice(["t", "f", None], ROWS), dtype="str"),
            "day": pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(ROWS), "D"))
            .where(draw.random(ROWS) > 0.1)
            .astype("datetime64[us]"),
            "label": pd.Series(draw.choice(["p", "q"], ROWS), dtype="str"),
        }
    )


FRAME = _make_rows()
CLEANING = fit_cleaning(TrainSet(FRAME, SCHEMA), CleaningConfig(), {})
CLEANED = clean_values(FRAME, CLEANING).frame
IMPUTATION = fit_imputation(TrainSet(CLEANED, SCHEMA), ImputationConfig(indicators=True), seed=0)
IMPUTED = impute(CLEANED, IMPUTATION).frame
ENCODING = fit_encoding(TrainSet(IMPUTED, SCHEMA), EncodingConfig(), ["p", "q"])

Apply = Callable[[pd.DataFrame], pd.DataFrame]
STAGES: dict[str, tuple[pd.DataFrame, Apply]] = {
    "cleaning": (FRAME, lambda frame: clean_values(frame, CLEANING).frame),
    "imputation": (CLEANED, lambda frame: impute(frame, IMPUTATION).frame),
    "encoding": (IMPUTED, lambda frame: pd.DataFrame(encode(frame, ENCODING))),
}
stages = pytest.mark.parametrize("stage", STAGES)


@stages
@given(cuts=st.lists(st.integers(0, ROWS), max_size=6))
@settings(max_examples=15)
def test_any_partitioning_gives_the_same_bytes(stage: str, cuts: list[int]) -> None:
    """Applied to partitions, also empty ones, a stage gives what it gives to the whole."""
    rows, apply = STAGES[stage]
    edges = [0, *sorted(cuts), ROWS]
    parts = [apply(rows.iloc[a:b]) for a, b in pairwise(edges)]
    together = pd.concat([part for part in parts if len(part)], ignore_index=True)
    pd.testing.assert_frame_equal(
        together, apply(rows).reset_index(drop=True), check_exact=True, check_dtype=False
    )


@stages
@given(seed=st.integers(0, 99))
@settings(max_examples=10)
def test_the_order_of_rows_does_not_matter(stage: str, seed: int) -> None:
    """A row comes out alike wherever it stands."""
    rows, apply = STAGES[stage]
    order = np.random.default_rng(seed).permutation(ROWS)
    shuffled = apply(rows.iloc[order]).reset_index(drop=True)
    expected = apply(rows).iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(shuffled, expected, check_exact=True)


@stages
def test_no_rows_give_no_rows(stage: str) -> None:
    """An empty partition keeps its columns."""
    rows, apply = STAGES[stage]
    nothing = apply(rows.iloc[:0])
    assert len(nothing) == 0
    assert list(nothing.columns) == list(apply(rows).columns)


@stages
def test_arguments_stay_as_they_were(stage: str) -> None:
    """A stage never changes what it is given."""
    rows, apply = STAGES[stage]
    before = rows.copy(deep=True)
    apply(rows)
    pd.testing.assert_frame_equal(rows, before, check_exact=True)


@pytest.mark.parametrize("shuffle", [False, True])
def test_fitting_twice_gives_the_same(shuffle: bool) -> None:
    """The same rows, in any order of columns, and the same seed teach the same."""
    columns = list(FRAME.columns)
    frame = FRAME[columns[::-1]] if shuffle else FRAME.copy()
    assert fit_cleaning(TrainSet(frame, SCHEMA), CleaningConfig(), {}) == CLEANING
    again = fit_imputation(
        TrainSet(clean_values(frame, CLEANING).frame, SCHEMA),
        ImputationConfig(indicators=True),
        seed=0,
    )
    assert again.fills == IMPUTATION.fills
    assert again.donors is not None
    assert IMPUTATION.donors is not None
    np.testing.assert_array_equal(again.donors.rows, IMPUTATION.donors.rows)
    assert fit_encoding(TrainSet(IMPUTED, SCHEMA), EncodingConfig(), ["p", "q"]) == ENCODING
