"""New rows of any dtype are read as the source was, and what it never had is told."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from pipeline.config.settings import DatasetConfig
from pipeline.errors import DataContractError
from pipeline.ingest.canonical import Canonical, canonicalise
from pipeline.ingest.columns import InputWarning, read_rows
from pipeline.sources.reading import read_source

ROWS = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a table with a column of each kind that another dtype may stand for."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "zip": draw.choice(["02134", "08540", "90210"], ROWS),
            "member": draw.integers(0, 2, ROWS),
            "active": draw.choice(["yes", "no"], ROWS),
            "flag": draw.choice(["True", "False"], ROWS),
            "level": draw.choice(["1", "2", "3"], ROWS),
            "amount": draw.normal(size=ROWS).round(3),
            "lasted": [f"{i // 60}:{i % 60:02}:07" for i in draw.integers(10, 3000, ROWS)],
            "day": [f"{i % 28 + 1:02}.03.2021" for i in range(ROWS)],
            "y": draw.choice(["p", "q"], ROWS),
        }
    )
    place = tmp_path / "t.csv"
    frame.to_csv(place, index=False)
    return place


def read_all(path: Path) -> Canonical:
    """Read a source as a run does."""
    config = DatasetConfig.model_validate({"dataset": "t", "source": path.name, "target": "y"})
    return canonicalise(read_source(path, config.ingest), config)


@pytest.mark.parametrize("reader", ["texts", "pandas", "pyarrow", "numpy_nullable", "polars"])
def test_the_sources_own_rows_are_read_alike_by_any_library(path: Path, reader: str) -> None:
    """Whatever dtypes a library gives them, the same values come out, and nothing is told."""
    canonical = read_all(path)
    if reader == "texts":
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    elif reader == "polars":
        rows = pl.read_csv(path).to_pandas()
    elif reader == "pandas":
        rows = pd.read_csv(path)
    else:
        rows = pd.read_csv(path, dtype_backend=reader)  # type: ignore[call-overload]  # two names
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = read_rows(rows, canonical.rules)
    pd.testing.assert_frame_equal(got, canonical.frame[list(got.columns)])


def test_other_values_that_mean_the_same_are_the_same(path: Path) -> None:
    """True for 1, 'Y' for yes, 2134.0 for '02134', a Timedelta for a clock time."""
    canonical = read_all(path)
    given = {
        "zip": [2134.0], "member": [True], "active": ["Y"], "flag": [1], "level": ["2.0"],
        "amount": ["0.5"], "lasted": [pd.Timedelta(seconds=67)],
        "day": [pd.Timestamp("2021-03-04")],
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = read_rows(pd.DataFrame(given), canonical.rules)
    assert got.iloc[0].to_dict() == {
        "zip": "02134", "member": "1", "active": "yes", "flag": "True", "level": 2.0,
        "amount": 0.5, "lasted": 67.0, "day": pd.Timestamp("2021-03-04"),
    }  # fmt: skip


def test_what_was_never_seen_is_told_once_with_its_rows(path: Path) -> None:
    """Values, columns that are not there and unknown ones are in a single warning, or refused."""
    canonical = read_all(path)
    rows = pd.DataFrame({"zip": ["10001", "10001", "02134"], "amout": [1, 2, 3]})
    with pytest.warns(InputWarning) as told:
        read_rows(rows, canonical.rules)
    (message,) = [str(warning.message) for warning in told]
    assert "column 'zip': '10001' was never seen (2 rows)" in message
    assert "are not there and count as missing" in message
    assert "'amout' is not known and passed over (did you mean 'amount'?)" in message
    with pytest.raises(DataContractError, match="'10001' was never seen"):
        read_rows(rows, canonical.rules, strict=True)
