"""Cleaning: bounds, spelling, useless columns, leaks, duplicates and conflicting labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.cleaning.leaks import find_leaks
from pipeline.cleaning.outliers import Bound, learn_bound
from pipeline.cleaning.repairs import Cleaned, FittedCleaning, clean, clean_values, fit_cleaning
from pipeline.cleaning.repairs import merge_changes as merge
from pipeline.cleaning.spelling import learn_spelling
from pipeline.config.settings import (
    CleaningConfig,
    ColumnConfig,
    OutlierConfig,
    Role,
    SpellingConfig,
)
from pipeline.dataset import REASON, ROW_ID, SPLIT, Schema, TrainSet
from pipeline.errors import DataContractError, StageError
from pipeline.ingest.label_names import fold_text


def make_frame(**columns: object) -> pd.DataFrame:
    """Make canonical training rows."""
    data = {name: pd.Series(values) for name, values in columns.items()}
    data = {
        n: v.astype("str") if v.dtype == object or v.dtype == "str" else v for n, v in data.items()
    }
    rows = len(next(iter(data.values())))
    return pd.DataFrame({ROW_ID: [f"row-{i:04}" for i in range(rows)]} | data)


def fit(
    frame: pd.DataFrame,
    roles: Mapping[str, Role],
    declared: Mapping[str, ColumnConfig] | None = None,
    **knobs: object,
) -> FittedCleaning:
    """Learn cleaning; the target is ``y``."""
    schema = Schema("y", {**roles, "y": "target"})
    config = CleaningConfig.model_validate(knobs)
    return fit_cleaning(TrainSet(frame, schema), config, declared or {})


def run(
    frame: pd.DataFrame,
    roles: Mapping[str, Role],
    declared: Mapping[str, ColumnConfig] | None = None,
    **knobs: object,
) -> Cleaned:
    """Learn on the training rows of a frame and clean all of it."""
    flags = {SPLIT: "train", "duplicate": False, "conflict": False, "unit": frame[ROW_ID]}
    flags |= {"majority": frame["y"]}
    frame = frame.assign(**{n: v for n, v in flags.items() if n not in frame.columns})
    train = frame[frame[SPLIT] == "train"].reset_index(drop=True)
    fitted = fit(train, roles, declared, **knobs)
    return clean(frame, fitted, CleaningConfig.model_validate(knobs))


def bound_of(numbers: np.ndarray, **knobs: object) -> Bound | None:
    """Learn the bounds of one column."""
    config = OutlierConfig.model_validate(knobs)
    return learn_bound(pd.Series(numbers, dtype="float64"), config, "x", ColumnConfig())


SHAPES = {
    "normal": lambda draw, n: draw.normal(0, 1, n),
    "lognormal": lambda draw, n: draw.lognormal(0, 1.5, n),
    "zero-inflated": lambda draw, n: draw.exponential(5, n) * (draw.random(n) < 0.4),
    "negative": lambda draw, n: -draw.lognormal(3, 1, n),
    "heavy": lambda draw, n: draw.standard_cauchy(n),
    "dates": lambda draw, n: draw.integers(20_200_101, 20_200_131, n).astype(float),
    "counts": lambda draw, n: draw.poisson(0.5, n).astype(float),
    "two humps": lambda draw, n: np.where(draw.random(n) < 0.3, draw.normal(50, 1, n), 0),
    "tiny": lambda draw, n: draw.normal(1e-12, 1e-14, n),
    "huge": lambda draw, n: draw.normal(1e15, 1e9, n),
}


@given(
    shape=st.sampled_from(sorted(SHAPES)),
    method=st.sampled_from(["iqr", "mad", "quantile"]),
    max_share=st.sampled_from([0.0, 0.01, 0.1]),
    factor=st.sampled_from([0.5, 1.5, 3.0]),
    rows=st.integers(10, 400),
    seed=st.integers(0, 1000),
)
def test_bounds_contain_the_bulk(
    shape: str, method: str, max_share: float, factor: float, rows: int, seed: int
) -> None:
    """No more than the allowed share of training rows lies beyond a bound, on either side."""
    numbers = SHAPES[shape](np.random.default_rng(seed), rows)
    bound = bound_of(numbers, method=method, max_share=max_share, factor=factor)
    if bound is None:
        return
    allowed = 0.001 if method == "quantile" else max_share
    below, above = (numbers < bound.low).mean(), (numbers > bound.high).mean()
    assert below <= allowed + 1 / rows
    assert above <= allowed + 1 / rows
    assert bound.low <= np.median(numbers) <= bound.high
    assert bound.training_outside == ((numbers < bound.low) | (numbers > bound.high)).sum()
    assert np.isfinite([bound.low, bound.high]).all()


@given(st.floats(-1e6, 1e6), st.integers(0, 100))
def test_a_constant_column_is_not_bounded(value: float, rows: int) -> None:
    """Where nothing varies, or hardly any row is there, nothing is far out."""
    assert bound_of(np.full(rows, value)) is None


@pytest.mark.parametrize("shape", ["lognormal", "zero-inflated", "dates"])
def test_what_is_never_negative_stays_so(shape: str) -> None:
    """The lower bound of a column without negative values is not below zero."""
    bound = bound_of(SHAPES[shape](np.random.default_rng(0), 500))
    assert bound is not None
    assert bound.low >= 0


def test_a_skewed_tail_is_real_and_a_wild_value_is_not() -> None:
    """A long tail lies within the bounds of its logarithm; a slipped decimal point does not."""
    numbers = np.random.default_rng(0).lognormal(3, 0.5, 2000)
    bound = bound_of(np.append(numbers, [1e6, 2e6]))
    assert bound is not None
    assert bound.training_outside == 2
    assert bound.high > numbers.max()
    assert "log scale" in bound.method


def test_a_common_value_is_judged_apart() -> None:
    """Most rows at zero do not make the others far out."""
    numbers = np.append(np.zeros(900), np.random.default_rng(0).normal(50, 5, 100))
    bound = bound_of(numbers)
    assert bound is not None
    assert bound.training_outside == 0
    assert bound.low == 0
    assert "values of 0 apart" in bound.method


@given(st.sampled_from(sorted(SHAPES)), st.integers(0, 1000))
def test_bounds_are_numbers_that_people_can_read(shape: str, seed: int) -> None:
    """Learned bounds have six digits and are rounded away from the data."""
    bound = bound_of(SHAPES[shape](np.random.default_rng(seed), 100))
    assume(bound is not None)
    assert bound is not None
    for value in (bound.low, bound.high):
        assert value == float(f"{value:.6g}")


@given(
    minimum=st.one_of(st.none(), st.integers(20_200_101, 20_200_115)),
    maximum=st.one_of(st.none(), st.integers(20_200_128, 20_200_131)),
    method=st.sampled_from(["iqr", "none"]),
)
def test_declared_limits_win_and_are_exact(
    minimum: int | None, maximum: int | None, method: str
) -> None:
    """A possible minimum or maximum replaces the learned bound, to the last digit."""
    numbers = pd.Series(np.arange(20_200_101.0, 20_200_132.0))
    declared = ColumnConfig(minimum=minimum, maximum=maximum)
    bound = learn_bound(numbers, OutlierConfig.model_validate({"method": method}), "x", declared)
    if bound is None:
        assert minimum is maximum is None
        assert method == "none"
        return
    assert bound.low == minimum if minimum is not None else bound.low <= numbers.min()
    assert bound.high == maximum if maximum is not None else bound.high >= numbers.max()
    assert ("declared" in bound.method) == (minimum is not None or maximum is not None)


NUMBERS = [*np.arange(1.0, 60.0), 999.0, np.nan]
LABELS = ["p", "q"] * 30 + ["p"]


@pytest.mark.parametrize(
    ("action", "expected"),
    [("clip", 80.0), ("set_missing", None), ("keep", 999.0), ("quarantine", "gone")],
)
def test_each_action_does_what_it_says(action: str, expected: object) -> None:
    """What lies outside is clipped, emptied, kept or left out; nothing else changes."""
    frame = make_frame(n=NUMBERS, y=LABELS)
    result = run(
        frame,
        {"n": "numeric"},
        {"n": ColumnConfig(maximum=80)},
        outliers={"columns": {"n": action}, "max_share": 0.0},
    )
    far = result.frame[result.frame[ROW_ID] == "row-0059"]["n"]
    if expected == "gone":
        assert len(far) == 0
        assert result.quarantined[ROW_ID].tolist() == ["row-0059"]
        (reason,) = result.quarantined[REASON]
        assert reason.startswith("n outside ")
        assert reason.endswith(" to 80")
    else:
        assert len(result.quarantined) == 0
        assert far.isna().all() if expected is None else far.tolist() == [expected]
    others = result.frame[result.frame[ROW_ID] != "row-0059"]
    pd.testing.assert_series_equal(
        others["n"], frame["n"][frame[ROW_ID] != "row-0059"], check_index=False
    )
    changes = [change for change in result.changes if change.rows]
    assert (changes == []) == (action == "keep")
    assert all(change.rows == 1 for change in changes)


def test_quarantine_is_for_training_rows() -> None:
    """A validation or test row is never left out for its values; it is clipped."""
    frame = make_frame(n=[*np.arange(60.0), 999.0, 999.0], y=["p", "q"] * 31)
    frame[SPLIT] = ["train"] * 61 + ["test"]
    knobs = {"outliers": {"action": "quarantine", "max_share": 0.0}}
    result = run(frame, {"n": "numeric"}, {"n": ColumnConfig(maximum=80)}, **knobs)
    assert result.quarantined[ROW_ID].tolist() == ["row-0060"]
    assert result.frame[result.frame[SPLIT] == "test"]["n"].tolist() == [80.0]


words = st.sampled_from(["Red", "red", " RED", "blue", "Blue ", "bluee", "green", "grün", None])


@given(
    values=st.lists(words, min_size=30, max_size=80),
    numbers=st.lists(st.floats(-1e4, 1e4), min_size=30, max_size=30),
    typos=st.sampled_from(["report", "apply", "ignore"]),
    action=st.sampled_from(["clip", "set_missing", "keep"]),
)
def test_cleaning_clean_values_changes_nothing(
    values: list[str | None], numbers: list[float], typos: str, action: str
) -> None:
    """Applied twice, what was learned does what it does once, and the argument stays."""
    rows = len(values)
    frame = make_frame(
        n=(numbers * 3)[:rows], c=pd.Series(values, dtype="str"), y=(["p", "q"] * rows)[:rows]
    )
    assume(frame["c"].nunique() > 1 and frame["n"].nunique() > 1)
    knobs = {"spelling": {"typos": typos}, "outliers": {"action": action}}
    fitted = fit(frame, {"n": "numeric", "c": "categorical"}, **knobs)
    before = frame.copy(deep=True)
    once = clean_values(frame, fitted)
    pd.testing.assert_frame_equal(frame, before)
    again = clean_values(once.frame, fitted)
    pd.testing.assert_frame_equal(again.frame, once.frame)
    assert again.changes == []
    assert once.frame[ROW_ID].equals(frame[ROW_ID])


@given(counts=st.lists(st.integers(1, 3000), min_size=3, max_size=6), data=st.data())
def test_no_chain_of_typos(counts: list[int], data: st.DataObject) -> None:
    """A typo leads to a frequent category, never to another typo."""
    names = ["aaaaaaaa", "aaaaaaab", "aaaaaabb", "aaaaabbb", "aaaabbbb", "aaabbbbb"]
    names = data.draw(st.permutations(names))
    values = pd.Series(np.repeat(names[: len(counts)], counts), dtype="str")
    spelling = learn_spelling("c", values, SpellingConfig(typos="apply", rarity=0.05))
    for name in names:
        assert spelling.write(spelling.write(name)) == spelling.write(name)
    assert not {t.rare for t in spelling.typos} & {t.likely for t in spelling.typos}


def test_case_and_blanks_are_merged_into_the_commonest_form() -> None:
    """Variants are written as most training rows write them; a tie goes to the first by letter."""
    values = pd.Series(["New York"] * 5 + ["NEW  YORK"] * 2 + ["new york "] + ["bo", "BO"])
    spelling = learn_spelling("c", values, SpellingConfig())
    assert {spelling.write(v) for v in values} == {"New York", "BO"}
    assert spelling.write("nEw\u00a0yOrK") == "New York"  # as no training row writes it
    assert spelling.write("Paris") == "Paris"
    assert learn_spelling("c", values, SpellingConfig(case=False)).write("new york ") == "new york "


def test_what_differs_in_case_and_in_its_labels_stays_apart() -> None:
    """Alleles A and a are two values; so are words that go with other labels."""
    letters = pd.Series(["a", "A"] * 50)
    assert learn_spelling("c", letters, SpellingConfig()).write("a") == "a"
    values, labels = pd.Series(["It", "IT"] * 50), pd.Series(["x", "y"] * 50)
    apart = learn_spelling("c", values, SpellingConfig(), labels)
    assert (apart.write("IT"), apart.write("It")) == ("IT", "It")
    assert "they go with other labels" in apart.guesses[0].evidence
    alike = learn_spelling("c", values, SpellingConfig(), pd.Series(["x", "x", "y", "y"] * 25))
    assert alike.write("It") == "IT"


@given(st.text(max_size=20))
def test_folding_folded_text_changes_nothing(text: str) -> None:
    """Folding is idempotent, so that variants of variants meet."""
    assert fold_text(fold_text(text)) == fold_text(text)


@pytest.mark.parametrize(
    ("rare", "common", "is_typo"),
    [
        ("Substntial", "Substantial", True),
        ("Substnatial", "Substantial", True),  # two letters swapped count once
        ("LARGEE", "Large", True),
        ("Caliofrina", "California", True),
        ("NewYork", "New York", True),
        ("B-737-300", "B-737-400", False),
        ("Boeing X", "Boeing 7", False),
        ("Hepatitis A", "Hepatitis B", False),
        ("cat", "car", False),
        ("Medium", "Large", False),
    ],
)
def test_typos_are_told_by_rarity_and_distance(rare: str, common: str, is_typo: bool) -> None:
    """One or two letters off a frequent word is a typo; codes and short words are not."""
    values = pd.Series([common] * 500 + ["something else"] * 500 + [rare])
    found = learn_spelling("c", values, SpellingConfig()).typos
    assert [(typo.rare, typo.likely) for typo in found] == ([(rare, common)] if is_typo else [])
    often = pd.Series([common] * 500 + [rare] * 40)
    assert learn_spelling("c", often, SpellingConfig()).typos == []


def test_typos_are_shown_before_they_are_applied() -> None:
    """By default a typo is reported and stays; on request it is written as what it meant."""
    frame = make_frame(
        c=["Large"] * 300 + ["Small"] * 300 + ["Lareg"] * 2, y=["p", "q"] * 301, n=np.arange(602.0)
    )
    roles: dict[str, Role] = {"c": "categorical", "n": "numeric"}
    reported = run(frame, roles)
    assert reported.frame["c"].value_counts()["Lareg"] == 2
    (typo,) = fit(frame, roles).typos
    assert (typo.rare, typo.rare_rows, typo.likely, typo.applied) == ("Lareg", 2, "Large", False)
    applied = run(frame, roles, spelling={"typos": "apply"})
    assert "Lareg" not in set(applied.frame["c"])
    (change,) = applied.changes
    assert (change.action, change.rows, change.detail) == ("respelled", 2, "typo")
    assert change.examples == ["Lareg → Large"]


def test_other_splits_are_written_as_training_is() -> None:
    """A variant that only validation has takes the form of the training rows; a new one stays."""
    frame = make_frame(c=["Day", "Night"] * 20 + ["NIGHT ", "Dawn"], y=["p", "q"] * 21)
    frame[SPLIT] = ["train"] * 40 + ["validation"] * 2
    cleaned = run(frame, {"c": "categorical"}).frame
    assert cleaned["c"].tolist()[-2:] == ["Night", "Dawn"]


def test_useless_columns_are_dropped_with_a_word() -> None:
    """Columns that can't be learned from are named with the reason; others stay."""
    frame = make_frame(
        good=np.arange(20.0),
        ident=[f"i{i}" for i in range(20)],
        words=["a b c d"] * 20,
        empty=[np.nan] * 20,
        same=[3.0] * 20,
        holes=[1.0, 2.0] + [np.nan] * 18,
        named=np.arange(20.0),
        y=["p", "q"] * 10,
    )
    roles: dict[str, Role] = {
        "good": "numeric", "ident": "identifier", "words": "text", "empty": "numeric",
        "same": "numeric", "holes": "numeric", "named": "numeric",
    }  # fmt: skip
    fitted = fit(frame, roles, drop_columns=["named"])
    assert {column.name: column.reason for column in fitted.dropped} == {
        "ident": "identifier: not learned from",
        "words": "text: not learned from",
        "empty": "empty",
        "same": "constant",
        "holes": "90% missing in training",
        "named": "declared in cleaning.drop_columns",
    }
    assert list(clean_values(frame, fitted).frame.columns) == [ROW_ID, "good", "y"]


def test_a_frame_without_a_useful_column_is_refused() -> None:
    """Something must be left to learn from, and the target can't be dropped."""
    frame = make_frame(same=[3.0] * 20, y=["p", "q"] * 10)
    with pytest.raises(
        DataContractError, match=r"none of the 1 columns is left.*'same \(constant\)'.*`columns`"
    ):
        fit(frame, {"same": "numeric"})
    with pytest.raises(StageError, match=r"cleaning\.drop_columns names the target 'y'"):
        fit(frame, {"same": "numeric"}, drop_columns=["y"])


@pytest.mark.parametrize("rows", [200, 30_000])
def test_leaks_are_found_and_noise_is_not(rows: int) -> None:
    """A copy of the label, a code for it, and a number on one side of a line give it away."""
    draw = np.random.default_rng(0)
    label = draw.choice(["p", "q", "r"], rows, p=[0.6, 0.3, 0.1])
    numbers = np.select([label == "p", label == "q"], [1.0, 2.0], 3.0)
    frame = make_frame(
        copy=[f"is {text}" for text in label],
        code=numbers + draw.normal(0, 0.01, rows),
        holes=np.where(label == "p", np.nan, numbers),
        noise=draw.normal(0, 1, rows),
        many=[f"c{i}" for i in draw.integers(0, rows // 4, rows)],
        hint=np.where(draw.random(rows) < 0.9, numbers, 1.0),
        y=label,
    )
    roles: dict[str, Role] = {
        "copy": "categorical", "code": "numeric", "holes": "numeric", "noise": "numeric",
        "many": "categorical", "hint": "numeric",
    }  # fmt: skip
    schema = Schema("y", {**roles, "y": "target"})
    assert {leak.column for leak in find_leaks(frame, schema, 0.995)} == {"copy", "code", "holes"}


def test_leaks_are_warned_of_and_dropped_on_request() -> None:
    """A leak stays, with a warning, unless it is to be dropped."""
    frame = make_frame(leak=[0.0, 1.0] * 50, noise=np.arange(100.0) % 7, y=["p", "q"] * 50)
    roles: dict[str, Role] = {"leak": "numeric", "noise": "numeric"}
    kept = fit(frame, roles)
    assert [leak.column for leak in kept.leaks] == ["leak"]
    assert kept.dropped == []
    dropped = fit(frame, roles, leaks="drop")
    assert [(c.name, c.reason[:20]) for c in dropped.dropped] == [("leak", "gives the label away")]
    with pytest.raises(DataContractError, match="none of the 1 columns is left"):
        fit(frame, {"leak": "numeric"}, leaks="drop")


def make_flagged() -> pd.DataFrame:
    """Make rows of which the first three are equal, the third with another label."""
    frame = make_frame(n=[1.0, 1, 1, 4, 5, 6, 1], y=["p", "p", "q", "q", "p", "q", "q"])
    return frame.assign(
        duplicate=[False, True, False, False, False, False, True],
        conflict=[True, True, True, False, False, False, True],
        majority=pd.Series(["p", "p", "p", "q", "p", "q", "p"], dtype="str"),
        split=["train"] * 6 + ["test"],
    )


@pytest.mark.parametrize(
    ("duplicates", "labels", "kept", "first_labels"),
    [
        ("drop", "keep", [0, 2, 3, 4, 5], ["p", "q"]),
        ("keep", "keep", [0, 1, 2, 3, 4, 5, 6], ["p", "p", "q"]),
        ("drop", "drop", [3, 4, 5], []),
        ("keep", "drop", [3, 4, 5, 6], []),
        ("keep", "majority", [0, 1, 2, 3, 4, 5, 6], ["p", "p", "p"]),
    ],
)
def test_duplicates_and_conflicts_are_handled_as_configured(
    duplicates: str, labels: str, kept: list[int], first_labels: list[str]
) -> None:
    """Labels are only ever settled in training; what is left out is kept with its reason."""
    frame = make_flagged()
    result = run(frame, {"n": "numeric"}, duplicates=duplicates, conflicting_labels=labels)
    assert result.frame[ROW_ID].tolist() == [f"row-{i:04}" for i in kept]
    in_train = result.frame[SPLIT] == "train"
    assert result.frame[in_train & (result.frame["n"] == 1)]["y"].tolist() == first_labels
    assert set(result.quarantined[ROW_ID]) == set(frame[ROW_ID]) - set(result.frame[ROW_ID])
    assert set(result.quarantined[REASON]) <= {
        "duplicate of an earlier row", "same features, another label",
    }  # fmt: skip
    if 6 in kept:
        assert result.frame["y"].iloc[-1] == "q"


@given(st.integers(0, 7))
def test_partitions_add_up(cut: int) -> None:
    """Cleaning by partition gives the rows and changes that cleaning at once gives."""
    frame = make_flagged().assign(unit="u")
    frame["n"] *= [1, 1, 1, 1e6, 1, 1, 1]
    knobs = {"outliers": {"max_share": 0.0}}
    config = CleaningConfig.model_validate(knobs)
    declared = {"n": ColumnConfig(maximum=10)}
    fitted = fit(frame[frame[SPLIT] == "train"], {"n": "numeric"}, declared, **knobs)
    whole = clean(frame, fitted, config)
    parts = [clean(part, fitted, config) for part in (frame[:cut], frame[cut:])]
    joined = pd.concat([part.frame for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole.frame)
    assert merge([part.changes for part in parts]) == merge([whole.changes])
