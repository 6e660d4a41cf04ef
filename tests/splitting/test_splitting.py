"""Splitting: each row in one split, equal rows together, lasting from refresh to refresh."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.settings import SplitConfig
from pipeline.dataset import ROW_ID, SPLIT, SPLITS, Schema
from pipeline.errors import DataContractError, StageError
from pipeline.splitting.assignment import Assignment, hold_out_fold, split_rows

SCHEMA = Schema("y", {"n": "numeric", "c": "categorical", "y": "target"})


def name_row(*parts: object) -> str:
    """Give a row an id like those of ingest."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def make_frame(sizes: dict[str, int], seed: int = 0) -> pd.DataFrame:
    """Make rows of which no two are equal, with so many rows in each class."""
    labels = [label for label, size in sizes.items() for _ in range(size)]
    return pd.DataFrame(
        {
            ROW_ID: [name_row(seed, i) for i in range(len(labels))],
            "n": np.arange(len(labels)) + 1e6 * seed,
            "c": pd.Series(["x"] * len(labels), dtype="str"),
            "y": pd.Series(labels, dtype="str"),
        }
    )


def split_up(frame: pd.DataFrame, seed: int = 0, **knobs: object) -> Assignment:
    """Split a frame."""
    return split_rows(frame, SCHEMA, SplitConfig.model_validate(knobs), seed=seed)


@st.composite
def repeating_frames(draw: st.DrawFn) -> pd.DataFrame:
    """Draw rows of which many are equal, some with conflicting labels."""
    rows = draw(st.integers(40, 80))
    pick = np.random.default_rng(draw(st.integers(0, 10_000)))
    spread = draw(st.integers(8, 60))
    numbers = pick.integers(0, spread, rows).astype(float)
    return pd.DataFrame(
        {
            ROW_ID: [name_row(i, rows, spread) for i in range(rows)],
            "n": np.where(pick.random(rows) < 0.1, np.nan, numbers),
            "c": pd.Series(pick.choice(["a", "A ", "b", None], rows), dtype="str"),
            "y": pd.Series(pick.choice(["p", "q"], rows), dtype="str"),
        }
    )


def fold_features(frame: pd.DataFrame) -> list[str]:
    """Give the features of each row without case and blanks."""
    words = frame["c"].fillna("?").str.strip().str.casefold()
    return [f"{n} {word}" for n, word in zip(frame["n"], words, strict=True)]


@given(frame=repeating_frames(), seed=st.integers(0, 100))
def test_each_row_is_in_one_split_and_equal_rows_are_together(
    frame: pd.DataFrame, seed: int
) -> None:
    """A partition of the rows in their order; equal features share a split, whatever the label."""
    result = split_up(frame, seed)
    assert result.frame[ROW_ID].equals(frame[ROW_ID])
    assert set(result.frame[SPLIT]) <= set(SPLITS)
    counted = result.frame[SPLIT].groupby(np.array(fold_features(frame))).nunique()
    assert (counted == 1).all()
    assert sum(sum(own.values()) for own in result.facts.counts.values()) == len(frame)
    for name in SPLITS:
        own = frame["y"][result.frame[SPLIT] == name].value_counts()
        assert {k: v for k, v in result.facts.counts[name].items() if v} == own.to_dict()


@given(frame=repeating_frames(), seed=st.integers(0, 100))
def test_duplicates_conflicts_and_majority_are_what_their_names_say(
    frame: pd.DataFrame, seed: int
) -> None:
    """Flags are told from the features and labels of the rows alone."""
    result = split_up(frame, seed)
    features = fold_features(frame)
    seen: set[object] = set()
    for i, (feature, label) in enumerate(zip(features, frame["y"], strict=True)):
        same = [y for f, y in zip(features, frame["y"], strict=True) if f == feature]
        row = result.frame.iloc[i]
        assert row["duplicate"] == ((feature, label) in seen)
        assert row["conflict"] == (len(set(same)) > 1)
        assert row["majority"] == max(sorted(set(same)), key=same.count)
        seen.add((feature, label))
    assert result.facts.duplicates == result.frame["duplicate"].sum()
    assert result.facts.conflicts == result.frame["conflict"].sum()


@given(frame=repeating_frames(), order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(frame: pd.DataFrame, order: object) -> None:
    """A row's split depends on ids and content, not on its place."""
    positions = list(range(len(frame)))
    order.shuffle(positions)  # type: ignore[attr-defined]
    moved = frame.iloc[positions].reset_index(drop=True)
    plain = split_up(frame).frame.set_index(ROW_ID)[SPLIT]
    other = split_up(moved).frame.set_index(ROW_ID)[SPLIT]
    assert other.loc[plain.index].equals(plain)


@given(
    sizes=st.lists(st.integers(20, 400), min_size=2, max_size=4),
    validation=st.sampled_from([0.1, 0.15, 0.25]),
    test=st.sampled_from([0.1, 0.2, 0.3]),
    seed=st.integers(0, 1000),
)
def test_shares_are_kept_in_each_class(
    sizes: list[int], validation: float, test: float, seed: int
) -> None:
    """Each class is within 5 % of its share of each split, or within a row or two."""
    classes = {f"class {i}": size for i, size in enumerate(sizes)}
    counts = split_up(make_frame(classes), seed, validation=validation, test=test).facts.counts
    for label, size in classes.items():
        for name, share in (("test", test), ("validation", validation)):
            # Two cut points bound validation, and each may be off by its own tolerance.
            slack = 2 + 0.05 * (test + validation + share) * size
            assert abs(counts[name][label] - share * size) <= slack


@pytest.mark.parametrize(
    ("size", "expected", "note"),
    [
        (1, (1, 0, 0), "class 'tiny' is not in validation or test: it has 1 row, and each split"),
        (2, (1, 0, 1), "class 'tiny' is not in validation: it has 2 rows, and each split needs"),
        (3, (1, 1, 1), None),
        (5, None, None),
    ],
)
def test_tiny_classes_reach_each_split_or_the_run_says_why_not(
    size: int, expected: tuple[int, ...] | None, note: str | None
) -> None:
    """Training comes first, then test, then validation; a note names a class that is too small."""
    for seed in range(20):
        facts = split_up(make_frame({"big": 100, "tiny": size}), seed).facts
        counts = tuple(facts.counts[name]["tiny"] for name in SPLITS)
        assert sum(counts) == size
        assert counts == expected if expected else min(counts) >= 1
        assert [text.startswith(note) for text in facts.notes] == ([True] if note else [])


def test_rows_that_are_all_alike_are_one_unit() -> None:
    """A class of equal rows stays in training, and a note tells why the others lack it."""
    frame = make_frame({"big": 100, "same": 6})
    frame.loc[frame["y"] == "same", "n"] = -1.0
    facts = split_up(frame).facts
    assert facts.counts["train"]["same"] == 6
    assert facts.shared_units == 1
    (note,) = facts.notes
    assert (
        note == "class 'same' is not in validation or test: its 6 rows are too few different ones"
    )


@pytest.mark.parametrize("seed", range(5))
def test_new_rows_move_hardly_any_old_row(seed: int) -> None:
    """After a refresh with 10 % more rows less than 2 % of the old rows change their split."""
    old = make_frame({"p": 2000, "q": 300, "r": 60})
    new = pd.concat([old, make_frame({"p": 190, "q": 40, "r": 6}, seed=seed + 1)])
    before = split_up(old, seed).frame.set_index(ROW_ID)[SPLIT]
    after = split_up(new.reset_index(drop=True), seed).frame.set_index(ROW_ID)[SPLIT]
    assert (after.loc[before.index] != before).mean() < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_lost_rows_move_hardly_any_other_row(seed: int) -> None:
    """After a refresh that lacks 10 % of the rows less than 2 % of the others change split."""
    old = make_frame({"p": 2000, "q": 300, "r": 60})
    kept = np.random.default_rng(seed).random(len(old)) < 0.9
    before = split_up(old, seed).frame.set_index(ROW_ID)[SPLIT]
    after = split_up(old[kept].reset_index(drop=True), seed).frame.set_index(ROW_ID)[SPLIT]
    assert (after != before.loc[after.index]).mean() < 0.02


def test_seeds_give_splits_of_their_own() -> None:
    """The same seed gives the same split, another seed another one."""
    frame = make_frame({"p": 200, "q": 200})
    assert split_up(frame, 1).frame.equals(split_up(frame, 1).frame)
    assert not split_up(frame, 1).frame[SPLIT].equals(split_up(frame, 2).frame[SPLIT])


def test_the_frame_is_not_changed() -> None:
    """Splitting leaves its argument as it was."""
    frame = make_frame({"p": 50, "q": 50})
    before = frame.copy(deep=True)
    split_up(frame)
    pd.testing.assert_frame_equal(frame, before)


@given(frame=repeating_frames(), groups=st.integers(12, 30), seed=st.integers(0, 100))
def test_groups_are_never_parted(frame: pd.DataFrame, groups: int, seed: int) -> None:
    """Rows of one group share a split, and so do groups that share a row."""
    frame["n"] = np.arange(len(frame), dtype=float)
    frame.loc[3, ["n", "c"]] = frame.loc[5, ["n", "c"]]
    frame["c"] = [f"patient {i % groups}" for i in range(len(frame))]
    frame.loc[3, "n"] = frame.loc[5, "n"]
    result = split_up(frame, seed, by="group", column="c").frame
    assert (result[SPLIT].groupby(frame["c"]).nunique() == 1).all()
    assert (result[SPLIT].groupby(np.array(fold_features(frame))).nunique() == 1).all()


def test_groups_that_share_equal_rows_stay_together() -> None:
    """Equal features in two groups, where the group is no feature, join the groups."""
    frame = make_frame({"p": 60, "q": 60})
    frame["g"] = pd.Series([f"g{i % 40}" for i in range(120)], dtype="str")
    frame.loc[0, "n"] = frame.loc[1, "n"]
    schema = Schema("y", {**SCHEMA.roles, "g": "identifier"})
    config = SplitConfig(by="group", column="g")
    for seed in range(10):
        split = split_rows(frame, schema, config, seed=seed).frame[SPLIT]
        assert split[frame["g"].isin(["g0", "g1"])].nunique() == 1


@given(st.lists(st.integers(0, 40), min_size=40, max_size=100), st.integers(0, 5))
def test_time_runs_from_training_to_test(times: list[int], seed: int) -> None:
    """No training row is later than a validation row, no validation row later than a test row."""
    times = [*times, *range(41)]
    frame = make_frame({"p": len(times)})
    frame["n"] = np.array(times, dtype=float)
    frame["y"] = pd.Series(["p", "q"] * len(times), dtype="str")[: len(times)]
    frame["c"] = pd.Series([f"row {i}" for i in range(len(times))], dtype="str")
    split = split_up(frame, seed, by="time", column="n").frame[SPLIT]
    ends = {name: frame["n"][split == name] for name in SPLITS}
    assert ends["train"].max() < ends["validation"].min()
    assert ends["validation"].max() < ends["test"].min()


def test_dates_are_times_too() -> None:
    """A datetime column splits as its day count would; shares are those configured."""
    frame = make_frame({"p": 100, "q": 100})
    frame["n"] = pd.date_range("2020-01-01", periods=200)
    frame["y"] = pd.Series(["p", "q"] * 100, dtype="str")
    schema = Schema("y", {"n": "datetime", "c": "categorical", "y": "target"})
    facts = split_rows(frame, schema, SplitConfig(by="time", column="n"), seed=0).facts
    assert [sum(facts.counts[name].values()) for name in SPLITS] == [140, 30, 30]


@pytest.mark.parametrize(
    ("by", "values", "says"),
    [
        ("group", ["g1", None] * 50, "group column 'c' is missing in 50 rows.*split.by to 'hash'"),
        ("time", ["x", "y"] * 50, r"time column 'c' holds text such as 'x'.*columns\.c\.role"),
    ],
)
def test_a_column_that_can_not_split_is_refused(
    by: str, values: list[str | None], says: str
) -> None:
    """A group or time must be known for each row."""
    frame = make_frame({"p": 50, "q": 50})
    frame["c"] = pd.Series(values, dtype="str")
    with pytest.raises(StageError, match=says):
        split_up(frame, by=by, column="c")


def test_a_missing_time_is_refused() -> None:
    """A row without a time is neither early nor late."""
    frame = make_frame({"p": 50, "q": 50})
    frame.loc[:2, "n"] = np.nan
    with pytest.raises(StageError, match="time column 'n' is missing in 3 rows"):
        split_up(frame, by="time", column="n")


def test_a_split_without_rows_is_refused() -> None:
    """One group, one time, or two rows can't fill three splits."""
    frame = make_frame({"p": 50, "q": 50})
    with pytest.raises(DataContractError, match=r"has 0 rows of 100.*split\.validation"):
        split_up(frame, by="group", column="c")
    with pytest.raises(DataContractError, match="validation has 0 rows of 2"):
        split_up(make_frame({"p": 2}))


def test_training_on_one_class_is_refused() -> None:
    """Where a class begins only later, time can't split; the message offers the hash."""
    frame = make_frame({"p": 90, "q": 10})
    with pytest.raises(
        DataContractError, match=r"training holds a single class, 'p'\. Set split.by to 'hash'"
    ):
        split_up(frame, by="time", column="n")


@given(frame=repeating_frames(), folds=st.integers(2, 6), seed=st.integers(0, 50))
def test_folds_part_the_training_split_and_nothing_else(
    frame: pd.DataFrame, folds: int, seed: int
) -> None:
    """Each training row is held out once, with all its equals; test rows proper are never used."""
    plain = split_up(frame, seed).frame
    labels = frame["y"]
    held = pd.DataFrame(
        {fold: hold_out_fold(plain, labels, fold, folds, seed=seed)[SPLIT] for fold in range(folds)}
    )
    in_train = plain[SPLIT] == "train"
    assert ((held == "test").sum(axis=1) == in_train.astype(int)).all()
    assert (held[plain[SPLIT] == "test"] == "unused").all(axis=None)
    assert (held[plain[SPLIT] == "validation"] == "validation").all(axis=None)
    for fold in range(folds):
        together = held[fold].groupby(np.array(fold_features(frame))).nunique()
        assert (together == 1).all()


def test_too_many_folds_are_refused() -> None:
    """There are no more folds than different training rows."""
    frame = make_frame({"p": 6, "q": 6})
    plain = split_up(frame).frame
    with pytest.raises(StageError, match=r"different rows for 20 folds.*training\.folds"):
        hold_out_fold(plain, frame["y"], 0, 20, seed=0)
