"""Roles of columns and missing values in disguise, as a person would tell them."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.settings import ColumnConfig, IngestConfig, Role
from pipeline.errors import StageError
from pipeline.ingest.roles import (
    Inferred,
    Suspicion,
    find_suspicions,
    infer_role,
    is_missing,
    make_missing_rule,
)
from pipeline.ingest.written import Written, find_written
from pipeline.sources.number_forms import PLAINLY, NumberForm, parse_numbers
from pipeline.sources.reading import SourceTable, TextColumn, read_source
from pipeline.sources.time_forms import parse_times
from tests.conftest import SAMPLES


def make_column(texts: list[str], name: str = "x") -> TextColumn:
    """Encode texts as a source's column is."""
    codes, values = pd.factorize(np.array(texts, dtype=object))
    return TextColumn(name, codes.astype(np.int32), values, np.bincount(codes))


def infer(texts: list[str], name: str = "x", **declared: object) -> Inferred:
    """Infer the role of a column of texts."""
    column, known = make_column(texts, name), ColumnConfig.model_validate(declared)
    return infer_column(column, known, write(column, known, {"delimiter": ","}))


def write(column: TextColumn, known: ColumnConfig, dialect: dict[str, str]) -> Written:
    """Find how a column is written that is alone in its source."""
    table = SourceTable({column.name: column}, int(column.counts.sum()), [], dialect)
    missing = is_missing(column, make_missing_rule(known, IngestConfig()))
    return find_written(table, {column.name: missing}, {column.name: known}, IngestConfig())


def infer_column(column: TextColumn, known: ColumnConfig, written: Written) -> Inferred:
    """Infer the role of a column as ingest does."""
    missing = is_missing(column, make_missing_rule(known, IngestConfig()))
    form, dates = written.numbers[column.name], written.dates.get(column.name)
    return infer_role(column, missing, known, form and form.form, dates and dates.form)


def suspect(numbers: np.ndarray, **declared: object) -> list[Suspicion]:
    """Find suspicious numbers in a numeric column."""
    column = make_column([f"{number:.10g}" for number in numbers])
    known = ColumnConfig.model_validate(declared)
    missing = is_missing(column, make_missing_rule(known, IngestConfig()))
    return find_suspicions(column, missing, "numeric", PLAINLY, known)


@pytest.mark.parametrize(
    ("texts", "role"),
    [
        (["1.5", "2", "-3e4"] * 10, "numeric"),
        (["1", "2", "3"] * 10, "numeric"),
        (["0", "1"] * 10, "boolean"),
        (["Yes", "no", "?"] * 10, "boolean"),
        (["t", "f", ""] * 10, "boolean"),
        (["M", "F"] * 10, "categorical"),
        (["red", "green", "blue"] * 10, "categorical"),
        (["2020-01-02", "2021-03-04"] * 10, "datetime"),
        ([f"2020-01-{d:02}" for d in range(1, 29)], "datetime"),
        ([f"{i}" for i in range(100, 130)], "identifier"),
        ([f"N{i}A" for i in range(30)], "identifier"),
        ([f"the {i}th patient felt well again" for i in range(30)], "text"),
        (["same"] * 30, "constant"),
        (["?", ""] * 10, "constant"),
    ],
)
def test_each_role_is_inferred(texts: list[str], role: str) -> None:
    """The role follows from the distinct texts and their counts."""
    assert infer(texts).role == role


@given(
    texts=st.lists(st.text(max_size=5), min_size=1, max_size=30),
    role=st.sampled_from([r for r in get_args(Role) if r != "datetime"]),
)
def test_a_declared_role_wins(texts: list[str], role: str) -> None:
    """What is declared is not inferred, whatever the values."""
    assert infer(texts, role=role) == Inferred(role, "declared", None)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=40))
def test_any_texts_have_a_role(texts: list[str]) -> None:
    """No column of texts is without a role, and its role never is the target."""
    assert infer(texts).role in set(get_args(Role)) - {"target"}


@given(st.permutations(["1", "2", "x", "", "2020-01-01", "3.5"] * 4))
def test_the_order_of_rows_does_not_matter(texts: list[str]) -> None:
    """A role depends on values and counts, not on where they are."""
    assert infer(texts) == infer(sorted(texts))


@pytest.mark.parametrize("name", ["zip", "id"])
def test_leading_zeros_make_codes(name: str) -> None:
    """01234 is not the number 1234."""
    assert infer(["01234", "90210", "55555"] * 10, name).role == "categorical"
    assert infer([f"{i:05}" for i in range(40)], name).role == "identifier"


def test_numbers_by_name_and_uniqueness() -> None:
    """Unique whole numbers are an identifier if they count the rows, or are called one."""
    scattered = [str(i * 7 % 1000 + 3) for i in range(40)]
    assert infer(scattered, "price").role == "numeric"
    assert infer(scattered, "customer_id").role == "identifier"
    assert infer([f"{i}.5" for i in range(40)], "customer_id").role == "numeric"
    assert infer(["1", "2", "3"], "id").role == "numeric"  # too few to tell


def test_a_word_among_numbers_is_missing_and_among_words_a_class() -> None:
    """'None' can't be a number, but it may well be a class, as in birdstrikes."""
    assert infer(["1.5", "2.5", "None"] * 10).role == "numeric"
    words = ["None", "Minor", "Substantial"] * 10
    assert infer(words).role == "categorical"
    column = make_column(words)
    missing = is_missing(column, make_missing_rule(ColumnConfig(), IngestConfig()))
    assert not missing.any()
    found = find_suspicions(column, missing, "categorical", PLAINLY, ColumnConfig())
    assert [(item.value, item.count, item.kind, item.taken) for item in found] == [
        ("None", 10, "word", False)
    ]
    kept = ColumnConfig(keep=("None",))
    assert find_suspicions(column, missing, "categorical", PLAINLY, kept) == []


def test_declared_tokens_are_missing_however_they_are_written() -> None:
    """A declared text, and a declared number in any writing, stands for a missing value."""
    column = make_column(["-999", "-999.0", "-9.99e2", "unknown", "5", "?", ""])
    rule = make_missing_rule(ColumnConfig(missing=("-999", "unknown")), IngestConfig())
    assert is_missing(column, rule).tolist() == [True, True, True, True, False, True, True]
    kept = make_missing_rule(ColumnConfig(keep=("?",)), IngestConfig())
    assert is_missing(column, kept).tolist() == [False] * 6 + [True]


@pytest.mark.parametrize("value", [-1, -9, -99, -999, 99999])
@pytest.mark.parametrize("shape", ["normal", "lognormal", "uniform"])
def test_sentinels_are_found(value: float, shape: str) -> None:
    """A few repeated -999-likes beyond positive measurements are reported with their count."""
    draw = np.random.default_rng(0)
    numbers = {
        "normal": draw.normal(50, 5, 400).round(1),
        "lognormal": draw.lognormal(3, 0.5, 400).round(2),
        "uniform": draw.integers(18, 90, 400).astype(float),
    }[shape]
    (found,) = suspect(np.append(numbers, [value] * 6))
    assert (found.value, found.count, found.kind) == (f"{value:g}", 6, "sentinel")
    assert found.advice == "if it means missing, add it to columns.x.missing"


def test_sentinels_at_both_ends_and_on_short_scales() -> None:
    """Nines beyond a scale of 1 to 7 are found, and so is -1 below counts."""
    scale = np.tile(np.arange(1.0, 8.0), 20)
    assert [s.value for s in suspect(np.append(scale, [99, 99, -9, -9]))] == ["-9", "99"]
    counts = np.random.default_rng(0).geometric(0.6, 500) - 1.0
    assert [s.value for s in suspect(np.append(counts, [-1.0] * 20))] == ["-1"]


def test_what_is_declared_is_no_suspicion() -> None:
    """A sentinel that is declared missing, or to be kept, is not reported."""
    numbers = np.append(np.arange(20.0, 80.0), [-999.0] * 5)
    assert len(suspect(numbers)) == 1
    assert suspect(numbers, missing=["-999"]) == []
    assert suspect(numbers, keep=["-999"]) == []


@given(
    shape=st.sampled_from(["normal", "lognormal", "uniform", "exponential", "poisson"]),
    location=st.floats(-200, 200),
    scale=st.floats(0.01, 50),
    digits=st.integers(0, 3),
    rows=st.integers(5, 600),
    seed=st.integers(0, 2**32 - 1),
)
def test_ordinary_numbers_raise_no_alarm(
    shape: str, location: float, scale: float, digits: int, rows: int, seed: int
) -> None:
    """Samples of the usual distributions, rounded as people round, hold no suspicious value."""
    draw = np.random.default_rng(seed)
    numbers = {
        "normal": lambda: draw.normal(location, scale, rows),
        "lognormal": lambda: draw.lognormal(location / 50, min(scale / 10, 1.5), rows),
        "uniform": lambda: draw.uniform(location, location + scale, rows),
        "exponential": lambda: draw.exponential(scale, rows),
        "poisson": lambda: draw.poisson(scale, rows).astype(float),
    }[shape]()
    assert suspect(numbers.round(digits) + 0.0) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_tail_that_ends_at_minus_one_raises_no_alarm(seed: int) -> None:
    """Whole degrees around 4 end at -1 by chance; that is no sentinel."""
    numbers = np.random.default_rng(seed).normal(4, 2, 200).round()
    assert suspect(numbers[numbers >= -1.0]) == []


def test_impossible_zeros_are_found_but_not_counts() -> None:
    """A blood sugar of 0 far below all others is reported; 0 children, 0 rain, 0 cost are not."""
    draw = np.random.default_rng(0)
    glucose = np.append(draw.normal(120, 30, 700).round().clip(44), [0.0] * 5)
    (found,) = suspect(glucose)
    assert (found.value, found.count, found.kind) == ("0", 5, "zero")
    assert suspect(glucose, missing=["0"]) == []
    assert suspect(draw.poisson(4, 700).astype(float)) == []
    assert suspect(np.append(draw.exponential(5, 300).round(1), [0.0] * 300)) == []


@pytest.mark.parametrize(
    ("texts", "delimiter", "decimal"),
    [
        (["1,5", "2,25"], ";", ","),
        (["1.234,5", "2,0"], ";", ","),
        (["1.5", "2.25"], ";", "."),
        (["1,5", "2,25"], ",", ","),
        (["2.993", "343", "1.204", "7.100"], ";", ","),
        (["2.993", "0.343", "1.204"], ";", "."),
        (["2,993", "343", "1,204", "7,100"], ",", "."),
        (["a", "b"], ";", "."),
    ],
)
def test_the_decimal_comma_is_found(texts: list[str], delimiter: str, decimal: str) -> None:
    """The mark before decimals follows from what the marks of all texts can mean."""
    column = make_column(texts)
    written = write(column, ColumnConfig(), {"delimiter": delimiter})
    form = written.numbers["x"]
    assert form is not None
    assert form.form.decimal == decimal


@given(st.floats(-1e9, 1e9).map(lambda x: round(x, 3)))
def test_numbers_with_a_comma_parse_as_with_a_point(number: float) -> None:
    """Both writings give the same number, with and without separators of thousands."""
    plain = f"{number:.3f}"
    thousands = f"{number:,.3f}".translate(str.maketrans(",.", ".,"))
    texts = np.array([plain.replace(".", ","), thousands], dtype=object)
    got = parse_numbers(texts, NumberForm(",", "."))
    assert got.tolist() == [float(plain)] * 2


@pytest.mark.parametrize("text", ["inf", "-Infinity", "1e999", "nan", "", "x", "1 2", "0x1f"])
def test_what_is_no_finite_number_is_none(text: str) -> None:
    """Infinity can't be averaged, and words are not numbers."""
    assert np.isnan(parse_numbers(np.array([text], dtype=object))).all()
    assert np.isnan(parse_numbers(np.array([text], dtype=object), NumberForm(",", "."))).all()


def test_minus_zero_is_zero() -> None:
    """Equal numbers have equal bits, so that hashes of rows find them equal."""
    for form in (PLAINLY, NumberForm(",", ".")):
        assert not np.signbit(parse_numbers(np.array(["-0", "-0e5"], dtype=object), form)).any()


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y",
        "%Y/%m/%d", "%d-%m-%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M",
    ],
)  # fmt: skip
def test_the_format_of_dates_is_found(form: str) -> None:
    """Days beyond the twelfth tell days from months; the format parses to the right days."""
    moments = pd.date_range("2020-01-03", periods=60, freq="25h").floor("min")
    texts = [moment.strftime(form) for moment in moments]
    inferred = infer(texts, "when")
    assert inferred.role == "datetime"
    parsed = parse_times(np.array(texts, dtype=object), str(inferred.format))
    assert (parsed.dt.date.to_numpy() == moments.date).all()


def test_a_declared_format_is_used_and_a_wrong_one_is_explained() -> None:
    """Dates in a format of their own are read by declaration; one that fits none is refused."""
    texts = ["02~Jan~2020", "13~Feb~2021"] * 10
    assert infer(texts).role == "categorical"
    form = "%d~%b~%Y"
    assert infer(texts, role="datetime", format=form).format == form
    with pytest.raises(StageError, match=r"column 'x' is declared datetime.*columns\.x\.format"):
        infer(texts, role="datetime", format="%Y")
    with pytest.raises(StageError, match="column 'x' is declared datetime, but none of its 2"):
        infer(texts, role="datetime")


def test_dates_keep_the_clock_of_their_zone() -> None:
    """Nine in the morning is nine in the morning, in Berlin and in Boston."""
    texts = ["2020-01-01T09:00:00+01:00", None, "2020-01-01 09:00:00 EST"]
    parsed = parse_times(np.array(texts, dtype=object), "ISO8601")
    assert parsed[0] == parsed[2] == pd.Timestamp("2020-01-01 09:00")
    assert pd.isna(parsed[1])


@pytest.mark.parametrize(
    ("sample", "roles", "numbers"),
    [
        (
            "birdstrikes/birdstrikes.csv",
            {"Flight Date": "datetime"},
            {"Cost Other", "Cost Repair", "Cost Total $", "Speed IAS in knots"},
        ),
        (
            "penguins_raw/penguins_raw.csv",
            {
                "Individual ID": "identifier", "Region": "constant", "Stage": "constant",
                "Date Egg": "datetime", "Clutch Completion": "boolean",
            },
            {
                "Sample Number", "Culmen Length (mm)", "Culmen Depth (mm)", "Flipper Length (mm)",
                "Body Mass (g)", "Delta 15 N (o/oo)", "Delta 13 C (o/oo)",
            },
        ),
        (
            "adult/adult.csv.gz",
            {"unnamed_1": "identifier"},
            {"age", "education-num", "capital-gain", "capital-loss", "hours-per-week"},
        ),
    ],
)  # fmt: skip
def test_real_columns_have_the_roles_that_a_person_would_give(
    sample: str, roles: dict[str, str], numbers: set[str]
) -> None:
    """All other columns of the samples are categorical."""
    table = read_source(SAMPLES / sample, IngestConfig())
    expected = dict.fromkeys(table.columns, "categorical")
    expected |= dict.fromkeys(numbers, "numeric") | roles
    got = {}
    for column in table.columns.values():
        known = ColumnConfig()
        got[column.name] = infer_column(column, known, write(column, known, table.dialect)).role
    assert got == expected
