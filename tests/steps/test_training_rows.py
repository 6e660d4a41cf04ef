"""What a stage learns from is bounded, and the same however the rows are partitioned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset import ROW_ID, SPLIT, Schema, draw_uniform
from pipeline.steps import training_rows
from pipeline.steps.training_rows import take_train

SCHEMA = Schema("y", {"y": "target"})


def make_rows(count: int, seed: int) -> pd.DataFrame:
    """Make rows of which some are no training rows, and some repeat others."""
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            ROW_ID: [f"{seed}-{i}" for i in range(count)],
            SPLIT: draw.choice(["train", "train", "test"], count),
            "duplicate": draw.random(count) < 0.1,
            "y": "a",
        }
    )


@given(st.integers(1, 400), st.integers(1, 60), st.integers(0, 5))
def test_the_rows_chosen_are_those_of_the_least_draws(count: int, size: int, seed: int) -> None:
    """In any partitioning the same rows are chosen, in their order, and never too many."""
    rows = make_rows(count, seed)
    eligible = rows[(rows[SPLIT] == "train") & ~rows["duplicate"]].reset_index(drop=True)
    most = 50
    draws = draw_uniform(eligible[ROW_ID], "fit sample", 0)
    expected = eligible.iloc[np.sort(np.argsort(draws, kind="stable")[:most])][ROW_ID].tolist()
    parts = [rows.iloc[start : start + size] for start in range(0, count, size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_rows, "MAX_FIT_ROWS", most)
        assert take_train(parts, SCHEMA).frame[ROW_ID].tolist() == expected
