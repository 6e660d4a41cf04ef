"""Files that were rebuilt from public reports: each comes out right, or what is unsure is told."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.settings import DatasetConfig
from pipeline.errors import ConfigError
from pipeline.ingest.canonical import Canonical, canonicalise
from pipeline.ingest.columns import read_rows
from pipeline.scaffold.initialise import initialise
from pipeline.sources.reading import read_source
from pipeline.storage.store import Store

INPUTS = Path(__file__).parent / "inputs"


def find(number: int, file: str = "") -> Path:
    """Find a file by the number of its folder."""
    (folder,) = INPUTS.glob(f"{number:02}-*")
    return folder / file


def read(number: int, file: str, target: str) -> Canonical:
    """Read a file as a run does."""
    config = DatasetConfig.model_validate({"dataset": "d", "source": file, "target": target})
    return canonicalise(read_source(find(number, file), config.ingest), config)


def tell(canonical: Canonical) -> set[tuple[str, str | None]]:
    """Name what was told: what it is about, and of which column."""
    return {(g.about, g.column) for g in canonical.facts.guesses if g.certainty != "certain"}


@pytest.mark.parametrize("file", ["notes.tsv", "notes_middle.tsv"])
def test_stray_quotes_swallow_no_rows(file: str) -> None:
    """200 rows, and the lines with an open quote are named."""
    canonical = read(1, file, "label")
    assert len(canonical.frame) == 200
    (guess,) = canonical.facts.guesses
    assert (guess.about, guess.lines) == ("quotes", [32])


@pytest.mark.parametrize(
    ("file", "target", "classes", "reason", "lines"),
    [
        ("concat.csv", "species", {"alba": 158, "nigra": 142}, "header", [77, 153, 229]),
        ("units_row.csv", "y", {"yes": 127, "no": 113}, "units", [2]),
        ("merged_header.csv", "y", {"yes": 127, "no": 113}, "before", [1]),
        ("totals.csv", "y", {"yes": 127, "no": 113}, "total", [242]),
    ],
)
def test_headers_units_and_totals_are_no_rows(
    file: str, target: str, classes: dict[str, int], reason: str, lines: list[int]
) -> None:
    """They are set aside, and told by line."""
    facts = read(5, file, target).facts
    assert facts.classes == classes
    assert {item.reason for item in facts.set_aside} == {reason}
    assert [item.line for item in facts.set_aside] == lines


@pytest.mark.parametrize(
    ("file", "target", "classes"),
    [
        ("codes.csv", "code", {"01": 144, "1": 143, "02": 171, "10": 142}),
        ("offers.csv", "offer", {"$5": 166, "5": 155, "5%": 137, "10%": 142}),
        ("stars.csv", "stars", ["0.5", "1", "1.5", "2", "2.5", "3"]),
    ],
)
def test_labels_are_names(file: str, target: str, classes: dict[str, int] | Sequence[str]) -> None:
    """01 and 1 are two classes, 5 % and $5 too; 1 and 1.0 are one."""
    found = read(8, file, target).facts.classes
    assert found == classes if isinstance(classes, dict) else list(found) == list(classes)


def test_decimal_marks_are_decided_by_column_and_file() -> None:
    """2.993 beside 343 is 2993; a comma behind a leading zero is before decimals."""
    towns = read(9, "german_pop2.csv", "Ziel")
    assert {343.0, 2993.0} <= {*towns.frame["Einwohner"]}
    assert 5.7 in {*towns.frame["Quote"]}
    assert tell(towns) == {("numbers", "Einwohner")}
    quoted = read(9, "quoted_comma.csv", "y")
    assert {0.232} <= {*quoted.frame["conc"]}
    assert {24.9} <= {*quoted.frame["temp"]}
    assert read(9, "branches", "y").frame["dose"].between(1.4, 6.9).all()


def test_a_few_odd_cells_leave_a_column_of_numbers() -> None:
    """They are missing and counted, or read and told."""
    typed = read(11, "typed_errors.csv", "y")
    (hours,) = (c for c in typed.facts.columns if c.name == "hours")
    bounds = next(g for g in typed.facts.guesses if g.about == "bounds")
    assert hours.role == "numeric"
    assert hours.unparsable == 13
    assert bounds.evidence.startswith("3 of 400 values")
    one = read(11, "one00.csv", "y")
    assert one.frame["qty"].notna().all()
    assert tell(one) == {("zeros", "qty")}


@pytest.mark.parametrize(
    ("file", "column", "number"),
    [
        ("accounting.csv", "balance", -1978.79), ("sap_minus.csv", "amount", -2.19),
        ("unicode_minus.csv", "amount", -0.72), ("swiss.csv", "preis", 24468.0),
        ("units.csv", "weight", 64.5), ("units.csv", "height", 167.0),
        ("eurcode.csv", "price", 2317.99), ("eurcode.csv", "revenue", 2300.0),
        ("french_nbsp.csv", "prix", 20770.23), ("french_nbsp.csv", "surface", 53866.0),
    ],
)  # fmt: skip
def test_numbers_in_other_dress_are_numbers(file: str, column: str, number: float) -> None:
    """Parentheses, minus signs, apostrophes, blanks, units and currencies."""
    values = read(12, file, "y").frame[column]
    assert values.notna().all()
    assert np.isclose(values, number).any()


@pytest.mark.parametrize("file", ["mixed_enc.csv", "mixed_enc2.csv"])
def test_one_bad_byte_garbles_one_word(file: str) -> None:
    """The rest is UTF-8, and the line is named."""
    canonical = read(16, file, "y")
    assert canonical.facts.dialect["encoding"] == "utf-8"
    (guess,) = canonical.facts.guesses
    assert (guess.about, guess.lines) == ("encoding", [102])
    if file == "mixed_enc.csv":
        assert {"Zürich", "Genève", "Köln", "Århus", "Malmö"} <= {*canonical.frame["town"]}


@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        ("date_german_ts.csv", "when", "2021-01-03 08:00"),
        ("date_ampm.csv", "when", "2021-01-03 08:00"),
        ("date_month_name.csv", "when", "2021-01-03"),
        ("date_two_digit.csv", "when", "2021-01-03"),
        ("date_mixed.csv", "when", "2021-01-03"),
    ],
)
def test_times_are_recognised(file: str, column: str, value: str) -> None:
    """Each form is read to the right day and minute; three forms in one column are told."""
    canonical = read(19, file, "y")
    assert canonical.facts.schema.roles[column] == "datetime"
    assert pd.Timestamp(value) in {*canonical.frame[column]}
    told = {about for about, _ in tell(canonical)}
    assert told == ({"dates"} if file == "date_mixed.csv" else set())


def test_durations_and_times_of_day_are_seconds() -> None:
    """1:20:11 is 4811."""
    assert 4811.0 in {*read(19, "duration.csv", "y").frame["finish_time"]}
    assert read(19, "t_time.parquet", "y").facts.schema.roles["at"] == "numeric"


def test_other_quotes_and_escapes_are_found() -> None:
    """Single quotes are no part of names and values; a backslash before a quote is none either."""
    single = read(21, "single_quote.csv", "y")
    assert single.facts.classes == {"yes": 127, "no": 113}
    assert {single.facts.schema.roles[name] for name in ("a", "b")} == {"numeric"}
    escaped = read(21, "backslash2.csv", "y").frame
    assert {'7" disc', '12" disc', "tape"} <= {*escaped.stack().astype(str)}


@pytest.mark.parametrize("file", ["preamble.csv", "preamble_plain.csv", "sep_line.csv"])
def test_lines_before_the_header_are_passed_over(file: str) -> None:
    """240 rows below the line that is the header."""
    canonical = read(22, file, "y")
    assert list(canonical.facts.schema.roles) == ["a", "b", "colour", "y"]
    assert canonical.facts.classes == {"yes": 127, "no": 113}


@pytest.mark.parametrize("folder", ["hive_both", "pp_dict", "pp_ids", "pp_strint", "pp_ts"])
def test_parts_of_other_types_are_joined(folder: str) -> None:
    """Sound files are read, whatever their types."""
    names = read_source(find(27, folder), DatasetConfig.model_validate(
        {"dataset": "d", "source": "x", "target": "y"}).ingest).columns  # fmt: skip
    assert "y" in names
    canonical = read(27, folder, "y")
    assert len(canonical.frame) == (120 if folder == "hive_both" else 240)


@pytest.mark.parametrize(
    ("number", "file", "target", "classes"),
    [
        (4, "case_target.csv", "churned", {"Yes": 176, "No": 124}),
        (36, "mixbool_target.csv", "churn", None),
    ],
)
def test_init_writes_suites_for_labels_as_the_run_will_have_them(
    home: Path, number: int, file: str, target: str, classes: dict[str, int] | None
) -> None:
    """What init wrote never stops the first run; what was merged is told."""
    done = initialise(find(number, file), target, Store(home, "d"))
    assert classes is None or done.facts.classes == classes
    assert ("spelling", target) in {(g.about, g.column) for g in done.guesses}
    from flows.refresh import validate

    validate("d", [], home)  # a gate that stops would raise


def test_repeats_that_chance_explains_are_kept(home: Path) -> None:
    """2,000 people in 12 kinds are 2,000 rows."""
    done = initialise(find(2, "passengers.csv"), "rescued", Store(home, "d"))
    assert done.config.cleaning.duplicates == "keep"
    assert done.config.split.repeats == "apart"
    assert ("repeats", None) in {(g.about, g.column) for g in done.guesses}


def test_rows_of_one_patient_stay_together(home: Path) -> None:
    """A repeated id with one label each is what the split is by, and is not learned from."""
    done = initialise(find(14, "patients.csv"), "outcome", Store(home, "d"))
    assert (done.config.split.by, done.config.split.column) == ("group", "patient_id")
    assert done.config.columns["patient_id"].role == "identifier"


def test_what_the_source_leaves_open_is_asked(home: Path) -> None:
    """Both readings are shown with the way to take each; --yes takes the first."""
    rows = "".join(f"0{i % 9 + 1}/0{i % 7 + 1}/2021,{i % 2}\n" for i in range(60))
    (home / "t.csv").write_text("when,y\n" + rows)
    with pytest.raises(ConfigError, match=r"1 thing t\.csv does not tell: when: .*--yes.*--set"):
        initialise(home / "t.csv", "y", Store(home, "t"))
    assert not (home / "data/t").exists()
    done = initialise(home / "t.csv", "y", Store(home, "t"), yes=True)
    assert done.config.columns["when"].role == "datetime"
    known = ["columns.when.format=%d/%m/%Y"]
    again = initialise(home / "t.csv", "y", Store(home, "t"), overrides=known, force=True)
    assert again.guesses == []
    assert again.config.columns["when"].format == "%d/%m/%Y"


@pytest.mark.parametrize("file", ["split_col.csv", "reason_col.csv"])
def test_a_users_column_may_have_a_name_that_is_needed(file: str) -> None:
    """It gets another one here; new rows name it as the source does."""
    canonical = read(25, file, "y")
    name = file.removesuffix("_col.csv")
    assert f"{name}_" in canonical.facts.schema.roles
    rows = pd.read_csv(find(25, file)).drop(columns="y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = read_rows(rows, canonical.rules)
    pd.testing.assert_frame_equal(got, canonical.frame[list(got.columns)])
