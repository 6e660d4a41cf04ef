"""Imputation: fills are learned, gaps are filled, and nothing but gaps changes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.settings import ImputationConfig
from pipeline.dataset import ROW_ID, Schema, TrainSet
from pipeline.errors import StageError
from pipeline.imputation import FittedImputation, fit_imputation, impute

SCHEMA = Schema(
    "y",
    {
        "a": "numeric", "b": "numeric", "c": "numeric", "word": "categorical", "flag": "boolean",
        "when": "datetime", "y": "target",
    },
)  # fmt: skip
NUMBERS = ["a", "b", "c"]
NUMERIC = SCHEMA.keep(NUMBERS)


def make_frame(rows: int, seed: int = 0, gaps: float = 0.2) -> pd.DataFrame:
    """Make rows of each role with gaps; numbers of very different sizes."""
    draw = np.random.default_rng(seed)
    base = draw.normal(0, 1, rows)
    numbers = {
        "a": base + draw.normal(0, 0.1, rows),
        "b": 1e4 * base + 5e4,
        "c": draw.lognormal(0, 1, rows).round(2),
    }
    frame = pd.DataFrame(
        {ROW_ID: [f"row-{i:05}" for i in range(rows)]}
        | {n: np.where(draw.random(rows) < gaps, np.nan, v) for n, v in numbers.items()}
        | {
            "word": pd.Series(draw.choice(["x", "y", "z"], rows, p=[0.5, 0.3, 0.2]), dtype="str"),
            "flag": pd.Series(draw.choice(["t", "f"], rows), dtype="str"),
            "when": pd.to_datetime("2020-01-01") + pd.to_timedelta(draw.integers(0, 99, rows), "D"),
            "y": pd.Series(draw.choice(["p", "q"], rows), dtype="str"),
        }
    )
    for name in ("word", "flag", "when"):
        frame[name] = frame[name].mask(draw.random(rows) < gaps)
    return frame


def fit(frame: pd.DataFrame, schema: Schema = SCHEMA, **knobs: Any) -> FittedImputation:
    """Learn the fills of a frame."""
    return fit_imputation(TrainSet(frame, schema), ImputationConfig.model_validate(knobs), seed=0)


@given(
    numeric=st.sampled_from(["knn", "median", "mean", "most_frequent", "constant"]),
    categorical=st.sampled_from(["most_frequent", "constant", "knn"]),
    datetime=st.sampled_from(["median", "most_frequent"]),
    indicators=st.booleans(),
    seed=st.integers(0, 1000),
    gaps=st.sampled_from([0.0, 0.1, 0.6]),
)
def test_nothing_but_gaps_changes(
    numeric: str, categorical: str, datetime: str, indicators: bool, seed: int, gaps: float
) -> None:
    """Every gap of a feature is filled, every other cell is as it was, and so is the argument."""
    frame = make_frame(60, seed, gaps)
    before = frame.copy(deep=True)
    train, other = frame.iloc[:40], frame.iloc[40:]
    fitted = fit(
        train, numeric=numeric, categorical=categorical, datetime=datetime, indicators=indicators
    )
    for part in (train, other):
        result = impute(part, fitted)
        assert not result.frame[SCHEMA.features].isna().any(axis=None)
        for name in part.columns:
            present = part[name].notna()
            pd.testing.assert_series_equal(result.frame[name][present], part[name][present])
            assert result.frame[name].dtype == part[name].dtype
        counts = part[SCHEMA.features].isna().sum()
        assert result.filled == {str(n): int(c) for n, c in counts.items() if c}
        assert impute(result.frame[part.columns], fitted).filled == {}
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("method", ["median", "mean", "most_frequent"])
def test_a_number_is_filled_by_what_training_shows(method: str) -> None:
    """The fill is the statistic of the training rows, whatever rows are filled."""
    frame = make_frame(200)
    frame["c"] = frame["c"].round(0)
    fitted = fit(frame, numeric=method)
    other = make_frame(50, seed=1)
    other["c"] += 1000
    filled = impute(other, fitted).frame["c"][other["c"].isna()]
    expected = {"median": frame["c"].median, "mean": frame["c"].mean}.get(
        method, lambda: frame["c"].mode()[0]
    )()
    assert set(filled) == {expected}


def test_words_and_dates_are_filled_by_what_training_shows() -> None:
    """The commonest word, the middle or commonest day; of equally common ones the first."""
    frame = make_frame(300)
    for method in ("median", "most_frequent"):
        fitted = fit(frame, datetime=method, numeric="median")
        result = impute(frame, fitted).frame
        days = frame["when"].dropna()
        expected = days.sort_values().iloc[(len(days) - 1) // 2]
        if method == "most_frequent":
            expected = days.mode()[0]
        assert set(result["when"][frame["when"].isna()]) == {expected}
        assert set(result["word"][frame["word"].isna()]) == {"x"}


@pytest.mark.parametrize(("constant", "number", "word"), [(None, 0, "(missing)"), (7, 7, "7")])
def test_a_constant_is_written_as_it_is(constant: float | None, number: float, word: str) -> None:
    """Left out it is 0, or a category of its own."""
    frame = make_frame(50)
    fitted = fit(frame, numeric="constant", categorical="constant", constant=constant)
    result = impute(frame, fitted).frame
    assert set(result["a"][frame["a"].isna()]) == {number}
    assert {float(v) if constant else v for v in result["word"][frame["word"].isna()]} == {
        float(word) if constant else word
    }


def test_a_column_without_any_value_is_refused() -> None:
    """Bounds that leave no training value leave nothing to fill with."""
    frame = make_frame(50)
    frame["b"] = np.nan
    for method in ("knn", "median", "mean", "most_frequent"):
        with pytest.raises(StageError, match="column 'b' has 0 values in 50 training rows"):
            fit(frame, numeric=method)
    assert impute(frame, fit(frame, numeric="constant")).filled["b"] == 50


def test_the_method_of_a_column_goes_before_that_of_its_role() -> None:
    """imputation.columns names exceptions."""
    fitted = fit(make_frame(50), numeric="median", columns={"a": "mean", "word": "constant"})
    methods = {fill.column: fill.method for fill in fitted.fills}
    assert methods == {
        "a": "mean", "b": "median", "c": "median", "word": "constant", "flag": "most_frequent",
        "when": "median",
    }  # fmt: skip
    assert fitted.donors is None


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        (
            {"columns": {"word": "mean"}},
            r"column 'word' is categorical with 3 values; 'mean' needs numbers.*columns\.word",
        ),
        ({"columns": {"when": "knn"}}, "column 'when' is datetime.*'knn' needs numbers or categ"),
        ({"columns": {"when": "mean"}}, r"column 'when' is datetime.*imputation\.columns\.when"),
        ({"numeric": "constant", "constant": "none"}, "column 'a' is numeric.*'none'"),
        ({"numeric": "knn", "k_neighbors": 50}, "k_neighbors=50 needs more than 50.*there are 50"),
    ],
)
def test_a_method_that_does_not_fit_is_refused(knobs: dict[str, Any], says: str) -> None:
    """The message names the column, its role and what it may be set to."""
    with pytest.raises(StageError, match=says):
        fit(make_frame(50), **knobs)


def measure_all(rows: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """Measure squared distances; a column that one of both lacks adds its variance."""
    both = ~np.isnan(rows)[:, None, :] & ~np.isnan(donors)[None, :, :]
    squares = np.where(both, np.square(rows[:, None, :] - donors[None, :, :]), np.nanvar(donors, 0))
    return np.where(both.any(axis=2), squares.sum(axis=2), np.inf)


@given(
    rows=st.integers(30, 120),
    k_neighbors=st.integers(1, 7),
    gaps=st.sampled_from([0.05, 0.3, 0.6]),
    seed=st.integers(0, 1000),
)
def test_knn_takes_the_mean_of_the_nearest(
    rows: int, k_neighbors: int, gaps: float, seed: int
) -> None:
    """Of z-scores of the training rows; a row without any number gets the medians.

    But for cells whose last neighbour is as near as the next one: there either will do.
    """
    frame = make_frame(rows, seed, gaps)
    other = make_frame(40, seed + 1, gaps)
    fitted = fit(frame, NUMERIC, numeric="knn", k_neighbors=k_neighbors)
    numbers = frame[NUMBERS].to_numpy()
    means, scales = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
    known = (numbers - means) / scales
    medians = (np.nanmedian(numbers, axis=0) - means) / scales
    for part in (frame, other):
        z_scores = (part[NUMBERS].to_numpy() - means) / scales
        got = (impute(part, fitted).frame[NUMBERS].to_numpy() - means) / scales
        squares = measure_all(z_scores, known)
        clear = 0
        for row, column in zip(*np.isnan(z_scores).nonzero(), strict=True):
            near = np.where(np.isnan(known[:, column]), np.inf, squares[row])
            order = np.argsort(near)[: k_neighbors + 1]
            order = order[np.isfinite(near[order])]
            if not len(order):
                assert got[row, column] == pytest.approx(medians[column])
            elif len(order) <= k_neighbors or np.ptp(near[order[-2:]]) > 1e-9:
                expected = known[order[:k_neighbors], column].mean()
                assert got[row, column] == pytest.approx(expected, abs=1e-9)
                clear += 1
        assert clear


@given(
    cuts=st.lists(st.integers(0, 80), max_size=4),
    order=st.permutations(range(80)),
    seed=st.integers(0, 100),
)
def test_knn_gives_the_same_bytes_in_any_batches_and_order(
    cuts: list[int], order: list[int], seed: int
) -> None:
    """A row is filled alike alone or among others, first or last, from donors in any order."""
    train, frame = make_frame(100, seed), make_frame(80, seed + 1, gaps=0.4)
    knn = {"numeric": "knn", "categorical": "knn"}
    fitted = fit(train, **knn)
    whole = impute(frame, fitted).frame
    moved = frame.iloc[order]
    edges = sorted({0, *cuts, len(frame)})
    parts = [impute(moved.iloc[a:b], fitted).frame for a, b in pairwise(edges)]
    joined = pd.concat(parts).sort_index()
    assert joined["word"].tolist() == whole["word"].tolist()
    assert joined[NUMBERS].to_numpy().tobytes() == whole[NUMBERS].to_numpy().tobytes()
    shuffled = fit(train.sample(frac=1, random_state=seed), **knn)
    again = impute(frame, shuffled).frame
    assert again[NUMBERS].to_numpy().tobytes() == whole[NUMBERS].to_numpy().tobytes()


def test_donors_are_chosen_by_their_ids() -> None:
    """More rows than max_donors: which ones stay depends on ids and seed, not on their order."""
    frame = make_frame(200, gaps=0.0)
    config = ImputationConfig(numeric="knn", max_donors=50)
    plain, moved = (
        fit_imputation(TrainSet(f, SCHEMA), config, seed=0).donors
        for f in (frame, frame.iloc[::-1].reset_index(drop=True))
    )
    other = fit_imputation(TrainSet(frame, SCHEMA), config, seed=1).donors
    assert plain is not None
    assert moved is not None
    assert other is not None
    assert plain.rows.shape == (50, 5)
    assert plain.rows.tobytes() == moved.rows.tobytes()
    assert not np.array_equal(plain.rows, other.rows)


def test_far_out_numbers_and_constant_columns_do_no_harm() -> None:
    """A number a million deviations away, or a column that never varies, breaks no distance."""
    frame = make_frame(60)
    frame["b"] = 5.0
    frame.loc[0, "b"] = np.nan
    other = make_frame(20, seed=1)
    other.loc[3, "a"] = 1e300
    other.loc[3, "c"] = np.nan
    result = impute(other, fit(frame)).frame
    assert np.isfinite(result[NUMBERS].to_numpy()).all()
    assert result.loc[3, "a"] == 1e300
    assert frame["c"].min() <= result.loc[3, "c"] <= frame["c"].max()


def test_a_column_that_is_empty_in_the_donors_is_filled_by_its_median() -> None:
    """Where no donor has a value, the median of all training rows fills the gap."""
    frame = make_frame(30)
    frame["b"] = np.nan
    frame.loc[[1, 2, 3], "b"] = [7.0, 8.0, 9.0]
    config = ImputationConfig(numeric="knn", max_donors=10)
    for seed in range(200):
        fitted = fit_imputation(TrainSet(frame, SCHEMA), config, seed=seed)
        assert fitted.donors is not None
        if "b" not in fitted.donors.columns:
            break
    result = impute(frame, fitted).frame["b"]
    assert set(result[frame["b"].isna()]) == {8.0}


def test_indicators_mark_the_gaps_of_columns_that_had_some() -> None:
    """A 0/1 column for each column with gaps in training; none for a gap that only others have."""
    frame, other = make_frame(60), make_frame(30, seed=1)
    frame["a"] = frame["a"].fillna(1.0)
    fitted = fit(frame, indicators=True, numeric="median")
    assert fitted.indicators == ["b", "c", "word", "flag", "when"]
    result = impute(other, fitted).frame
    for name in fitted.indicators:
        assert result[f"{name} is missing"].tolist() == other[name].isna().tolist()
        assert result[f"{name} is missing"].dtype == np.float64
    assert "a is missing" not in result


def test_an_empty_frame_is_filled_too() -> None:
    """No rows in, no rows out, all columns there."""
    frame = make_frame(60)
    for method in ("knn", "median"):
        result = impute(frame.iloc[:0], fit(frame, numeric=method, indicators=True))
        assert len(result.frame) == 0
        assert result.filled == {}
        assert set(frame.columns) < set(result.frame.columns)


def test_categories_are_filled_by_the_commonest_of_their_neighbours() -> None:
    """Numbers and categories together say who is near; of equally common ones the nearest wins."""
    schema = Schema("y", {"a": "numeric", "kind": "categorical", "word": "categorical"})
    rows = {
        "a": [0.0, 0.1, 0.2, 5.0, 5.1, 5.2],
        "kind": ["p", "p", "p", "q", "q", "q"],
        "word": ["x", "x", "y", "z", "z", "z"],
        "y": ["u", "v"] * 3,
    }
    frame = pd.DataFrame(rows).assign(**{ROW_ID: [f"row-{i}" for i in range(6)]})
    gaps = pd.DataFrame(
        {
            ROW_ID: ["g0", "g1", "g2", "g3"],
            "a": [0.0, np.nan, 5.0, np.nan],
            "kind": ["p", "q", None, None],
            "word": [None, None, "z", None],
        }
    )
    for name in ("kind", "word"):
        frame[name], gaps[name] = frame[name].astype("str"), gaps[name].astype("str")
    fitted = fit(frame, schema, categorical="knn", numeric="knn", k_neighbors=3)
    result = impute(gaps, fitted).frame
    # The last row has nothing to be compared by: it gets what is commonest on the whole.
    assert result["word"].tolist() == ["x", "z", "z", "z"]
    assert result["kind"].tolist() == ["p", "q", "q", "p"]
    assert result["a"].tolist() == pytest.approx([0.0, 5.1, 5.0, 2.6])
    one = fit(frame, schema, categorical="knn", numeric="knn", k_neighbors=2)
    tied = impute(gaps.iloc[[0]].assign(a=0.19), one).frame
    assert tied["word"].tolist() == ["y"]
    # A category that no donor has is as far from each of them.
    strange = impute(gaps.iloc[[2]].assign(kind="r", word=None), fitted).frame
    assert strange["word"].tolist() == ["z"]


def test_donors_are_a_share_of_each_class_alike() -> None:
    """A class that is hardly there is there among the donors too."""
    frame = make_frame(1000)
    frame["y"] = pd.Series(["rare"] * 20 + ["common"] * 980, dtype="str")
    config = ImputationConfig(numeric="knn", max_donors=100)
    donors = fit_imputation(TrainSet(frame, SCHEMA), config, seed=0).donors
    assert donors is not None
    rare = frame.loc[:19, "b"].dropna().to_numpy()
    place = donors.columns.index("b")
    values = donors.rows[:, place] * donors.scales[place] + donors.means[place]
    hits = sum(np.isclose(values, value, rtol=1e-9).any() for value in rare)
    assert len(donors.rows) == 100
    assert hits <= 2
    shares = [
        len(fit_imputation(TrainSet(frame, SCHEMA), config, seed=seed).donors.rows)
        for seed in range(3)
    ]
    assert shares == [100] * 3


@pytest.mark.parametrize("rows", [240, 6000])
def test_the_rehearsal_finds_what_fills_best(rows: int) -> None:
    """Neighbours where columns hang together, the median or mean where they do not."""
    draw = np.random.default_rng(0)
    base = draw.normal(size=rows)
    table = pd.DataFrame(
        {
            ROW_ID: [f"row-{i:05}" for i in range(rows)],
            "a": base,
            "b": base + draw.normal(0, 0.1, rows),
            "c": draw.normal(size=rows),
            "word": pd.Series(np.where(base > 0, "high", "low"), dtype="str"),
            "flag": pd.Series(draw.choice(["t", "f"], rows, p=[0.3, 0.7]), dtype="str"),
            "when": pd.Timestamp("2020-01-01"),
            "y": pd.Series(draw.choice(["p", "q"], rows), dtype="str"),
        }
    )
    for name in ("a", "b", "c", "word", "flag"):
        table[name] = table[name].mask(draw.random(rows) < 0.2)
    fitted = fit(table)
    methods = {fill.column: (fill.method, fill.neighbours) for fill in fitted.fills}
    for name in ("a", "b", "word"):
        assert methods[name][0] == "knn"
        assert methods[name][1] in (5, 15)
    # With few rows chance decides between methods that are equally good.
    assert methods["c"][0] in ("mean", "median") or rows == 240
    assert methods["flag"] == ("most_frequent", 0) or rows == 240
    assert methods["when"] == ("median", 0)
    by_name = {one.column: one for one in fitted.rehearsals}
    assert set(by_name) == {"a", "b", "c", "word", "flag"}
    for one in by_name.values():
        assert one.cells >= 20
        errors = [trial.error for trial in one.trials]
        assert errors == sorted(errors)
        assert all(trial.low <= trial.error <= trial.high for trial in one.trials)
    assert by_name["a"].trials[0].error < 0.7
    assert by_name["word"].trials[0].error < 0.25
    assert 0.8 < by_name["c"].trials[0].error < 1.2
    again = fit(table.sample(frac=1, random_state=1).reset_index(drop=True))
    assert again.rehearsals == fitted.rehearsals
    assert again.fills == fitted.fills


def test_a_rehearsal_needs_gaps_and_rows() -> None:
    """Without gaps in training, or with hardly any rows, the simple fill is taken."""
    for frame in (make_frame(300, gaps=0.0), make_frame(50)):
        fitted = fit(frame)
        assert fitted.rehearsals == []
        assert {fill.method for fill in fitted.fills} == {"median", "most_frequent"}
