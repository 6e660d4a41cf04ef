"""Parts of a folder: what differs between them is joined by rule and told, or refused by name."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.settings import IngestConfig
from pipeline.errors import SourceError
from pipeline.sources.guesses import Guess
from pipeline.sources.reading import read_source

BIG = 9007199254740993  # the first whole number that no double holds
MOMENT = datetime.datetime(2020, 1, 2, 3, 4)
Texts = dict[str, list[str]]


def read(folder: Path) -> tuple[Texts, list[Guess]]:
    """Read a folder; give its texts and what is told."""
    table = read_source(folder, IngestConfig())
    texts = {name: list(column.take(column.values)) for name, column in table.columns.items()}
    return texts, [guess for guess in table.guesses if guess.certainty != "certain"]


def read_texts(folder: Path, files: Mapping[str, str]) -> tuple[Texts, list[Guess]]:
    """Write files of text into a folder and read it."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return read(folder)


def read_arrays(folder: Path, *arrays: Any, **columns: Any) -> tuple[Texts, list[Guess]]:
    """Write a Parquet file for each array, as its column x, and read them."""
    for number, array in enumerate(arrays):
        pq.write_table(pa.table({"x": array, "k": [str(number)] * len(array)} | columns),
                       folder / f"p{number}.parquet")  # fmt: skip
    return read(folder)


@pytest.mark.parametrize(
    ("first", "second", "texts"),
    [
        (pa.array(["u"]).dictionary_encode(), pa.array(["v"]), ["u", "v"]),
        (pa.array(["u"]), pa.array(["v"], pa.large_string()), ["u", "v"]),
        (pa.array(["1"]), pa.array([2]), ["1", "2"]),
        (pa.array([1], pa.int16()), pa.array([2], pa.int64()), ["1", "2"]),
        (pa.array([1]), pa.array([1.0, None]), ["1", "1", ""]),
        (pa.array([1]), pa.array([1.0, float("nan")]), ["1", "1", ""]),
        (pa.array([1]), pa.array([1.5]), ["1", "1.5"]),
        (pa.array([BIG]), pa.array([None, BIG]), [str(BIG), "", str(BIG)]),
        (pa.nulls(1), pa.array(["v"]), ["", "v"]),
        (pa.array([[1]]), pa.array([[2.5]]), None),
    ],
)
def test_types_that_stand_for_the_same_are_joined(
    tmp_path: Path, first: pa.Array, second: pa.Array, texts: list[str] | None
) -> None:
    """Nothing is told where every value stays what its file says."""
    got, told = read_arrays(tmp_path, first, second)
    assert not told
    assert got["x" if texts else "x_0"] == (texts or ["1", "2.5"])


def test_days_and_moments_are_moments(tmp_path: Path) -> None:
    """A day is its midnight, in the form of the moments; units do not matter."""
    got, told = read_arrays(
        tmp_path,
        pa.array([MOMENT.date()]),
        pa.array([MOMENT]),
        pa.array([MOMENT], pa.timestamp("s")),
    )
    assert not told
    assert [datetime.datetime.fromisoformat(text) for text in got["x"]] == [
        datetime.datetime(2020, 1, 2), MOMENT, MOMENT,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "texts", "says"),
    [
        (pa.array([MOMENT], pa.timestamp("us", "UTC")), pa.array([MOMENT]),
         ["2020-01-02 03:04:00.000000"] * 2, "UTC in p0.parquet, no zone in p1.parquet"),
        (pa.array([True, False]), pa.array([1]), ["1", "0", "1"], "true is read as 1"),
        (pa.array([1]), pa.array(["x"]), ["1", "x"], "numbers in p0.parquet, texts in p1"),
        (pa.array([BIG]), pa.array([float(BIG)]), [str(BIG), str(BIG - 1)], "beyond 2\\^53"),
        (pa.array([[1], [1, 2]]), pa.array([[1, 2], []]), None, "it is left out"),
    ],
)  # fmt: skip
def test_what_joining_changes_is_told(
    tmp_path: Path, first: pa.Array, second: pa.Array, texts: list[str] | None, says: str
) -> None:
    """The wall clock, numbers for true, texts for numbers, digits that may be lost."""
    got, told = read_arrays(tmp_path, first, second)
    assert got.get("x") == texts
    assert {guess.column for guess in told} == {"x"}
    assert re.search(says, "; ".join(guess.describe() for guess in told))


def test_types_without_a_rule_are_refused_with_both_files(tmp_path: Path) -> None:
    """The files are sound, so the message names the column, the types and the files."""
    days, numbers = pa.array([MOMENT]), pa.array([1])
    with pytest.raises(SourceError, match=r"'x' holds moments in p0\.parquet and numbers in p1"):
        read_arrays(tmp_path, days, numbers)


def test_a_column_that_some_parts_lack_is_told(tmp_path: Path) -> None:
    """It is empty in their rows, and the files are named."""
    got, told = read_texts(tmp_path, {"a.csv": "a,b\n1,2\n", "b.csv": "b\n3\n", "c.csv": "b\n4\n"})
    assert got == {"a": ["1", "", ""], "b": ["2", "3", "4"]}
    assert [g.describe() for g in told] == [
        "a: it is empty in 2 rows (2 of 3 files lack it: b.csv, c.csv)"
    ]


def test_columns_are_aligned_by_name(tmp_path: Path) -> None:
    """Their order is nothing to tell, case and blanks in names are."""
    got, told = read_texts(
        tmp_path, {"a.csv": "a,b c\n1,2\n", "b.csv": "b c,a\n4,3\n", "c.csv": "A,B  c\n5,6\n"}
    )
    assert got == {"a": ["1", "3", "5"], "b c": ["2", "4", "6"]}
    assert [(g.about, g.column) for g in told] == [("parts", "a"), ("parts", "b c")]


def test_names_that_differ_only_in_case_within_a_part_are_two(tmp_path: Path) -> None:
    """A name that a part before has as it is is never another one."""
    got, told = read_texts(tmp_path, {"a.csv": "Ab,ab\n1,2\n", "b.csv": "c,ab\n3,4\n"})
    assert got == {"Ab": ["1", ""], "ab": ["2", "4"], "c": ["", "3"]}
    assert {g.column for g in told} == {"Ab", "c"}


ROWS = "town,price,day\nBern,1.5,2020-01-02\nGenf,2,2020-01-03\nBern,3,2020-01-09\n"


@pytest.mark.parametrize(
    "rows", ["Genf,7.5,2021-05-06\nBern,8,2021-05-07\n", "Bern,7,2021-05-06\n"]
)
def test_a_header_in_the_first_part_only_is_found(tmp_path: Path, rows: str) -> None:
    """A first line that is like the rows of the first part is one of them, and that is told."""
    got, told = read_texts(tmp_path, {"a.csv": ROWS, "b.csv": rows})
    assert got["town"][3:] == [line.split(",")[0] for line in rows.splitlines()]
    assert got["price"][3:] == [line.split(",")[1] for line in rows.splitlines()]
    assert [(g.about, g.column, g.lines) for g in told] == [("header", None, [1])]


def test_numbers_alone_are_rows_too(tmp_path: Path) -> None:
    """A part of numbers has no header, where the first part has one."""
    got, told = read_texts(tmp_path, {"a.csv": "a,b\n1,2\n3,4\n", "b.csv": "5,6\n7,8\n"})
    assert got == {"a": ["1", "3", "5", "7"], "b": ["2", "4", "6", "8"]}
    assert [g.about for g in told] == ["header"]


def test_parts_of_other_tables_are_refused(tmp_path: Path) -> None:
    """Parts that share few columns are no parts of one table."""
    with pytest.raises(SourceError, match=r"different headers.*each table by itself"):
        read_texts(tmp_path, {"a.csv": ROWS, "b.csv": "name,age,x\nAda,36,u\n"})


def test_each_part_writes_numbers_its_way(tmp_path: Path) -> None:
    """A part with a comma before decimals is read as such beside one with a point."""
    point = 't,n,note\na,1.5,"x, y"\nb,1234.25,\nc,7,\n'
    comma = "t;n;note\na;2,5;x, y\nb;1.234,25;\nc;7;\n"
    got, told = read_texts(tmp_path, {"a.csv": point, "b.csv": comma})
    assert got["n"] == ["1.5", "1234.25", "7", "2.5", "1234.25", "7"]
    assert got["note"] == ["x, y", "", ""] * 2
    assert not told
    guesses = read_source(tmp_path, IngestConfig()).guesses
    assert [(g.about, g.column) for g in guesses] == [("parts", "n")]


def test_thousands_beside_decimals_of_another_part_are_told(tmp_path: Path) -> None:
    """What three digits behind a comma are is a guess, where another part has decimals there."""
    files = {"a.csv": 't,n\na,"1,234"\nb,"2,345"\n', "b.csv": "t;n\na;3,5\nb;4,25\n"}
    got, told = read_texts(tmp_path, files)
    assert got["n"] == ["1,234", "2,345", "3.5", "4.25"]
    assert [(g.about, g.column, g.certainty) for g in told] == [("parts", "n", "likely")]


def test_parts_that_write_alike_are_left_as_they_are(tmp_path: Path) -> None:
    """What all parts write in one way is decided later, on all rows."""
    part = "t;n\na;2,5\nb;1.234,25\n"
    got, _ = read_texts(tmp_path, {"a.csv": part, "b.csv": part})
    assert got["n"] == ["2,5", "1.234,25"] * 2


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_names_of_folders_are_columns(tmp_path: Path, kind: str) -> None:
    """A value of a folder is a text: no leading zero is lost, blanks are decoded."""
    for zip_code, place in (("02134", "New%20York"), ("10001", "__HIVE_DEFAULT_PARTITION__")):
        folder = tmp_path / f"zip={zip_code}" / f"place={place}"
        folder.mkdir(parents=True)
        if kind == "csv":
            (folder / "p.csv").write_text("n,s\n1,u\n")
        else:
            pq.write_table(pa.table({"n": [1], "s": ["u"]}), folder / "p.parquet")
    got, told = read(tmp_path)
    assert got == {
        "n": ["1", "1"], "s": ["u", "u"], "zip": ["02134", "10001"], "place": ["New York", ""],
    }  # fmt: skip
    assert not told


@pytest.mark.parametrize(("inside", "passes"), [([1, 1], True), ([1, 2], False)])
def test_a_column_in_the_path_and_in_the_file(
    tmp_path: Path, inside: list[int], passes: bool
) -> None:
    """It is taken once where both say the same, else refused with the file."""
    (tmp_path / "k=1").mkdir()
    pq.write_table(pa.table({"n": [5, 6], "k": inside}), tmp_path / "k=1/p.parquet")
    if passes:
        assert read(tmp_path)[0] == {"n": ["5", "6"], "k": ["1", "1"]}
        return
    with pytest.raises(SourceError, match=r"k=1/p.parquet is in a folder of k=1.*'k' holds '2'"):
        read(tmp_path)


@pytest.mark.parametrize("names", [("train.csv", "test.csv"), ("x/train/a.csv", "x/val/a.csv"),
                                   ("data_Train_1.csv", "data_validation_1.csv")])  # fmt: skip
def test_a_split_of_the_users_own_is_told(tmp_path: Path, names: tuple[str, str]) -> None:
    """The files are pooled, and that is said."""
    _, told = read_texts(tmp_path, dict.fromkeys(names, "a,b\nu,1\n"))
    assert [guess.about for guess in told] == ["split"]
    assert all(name in told[0].evidence for name in names)


@pytest.mark.parametrize("names", [("train.csv",), ("trained.csv", "tested.csv"), ("a", "b")])
def test_other_names_are_no_split(tmp_path: Path, names: tuple[str, ...]) -> None:
    """One file alone is no split, nor are other words."""
    files = {name if "." in name else f"{name}.csv": "a,b\nu,1\n" for name in names}
    assert not read_texts(tmp_path, files)[1]


def test_documents_and_marks_are_no_parts(tmp_path: Path) -> None:
    """A README is no part; a Delta table's log counts, so its files are not simply joined."""
    files = {"a.csv": "a,b\nu,1\n", "README.md": "# About", "LICENSE": "MIT", "_SUCCESS": ""}
    assert read_texts(tmp_path, files)[0] == {"a": ["u"], "b": ["1"]}
    (tmp_path / "_delta_log").mkdir()
    with pytest.raises(SourceError, match="is a Delta table"):
        read(tmp_path)


def test_an_empty_part_is_told(tmp_path: Path) -> None:
    """It may be a download that failed."""
    got, told = read_texts(tmp_path, {"a.csv": "a,b\nu,1\n", "b.csv": ""})
    assert got == {"a": ["u"], "b": ["1"]}
    assert "b.csv" in told[0].evidence


def test_a_pointer_among_parquet_is_named(tmp_path: Path) -> None:
    """The one file that was not pulled is named by what it is."""
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid x\n")
    with pytest.raises(SourceError, match=r"b\.parquet is a Git LFS pointer"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("values", "columns"),
    [
        (pa.array([[1, 2], None, [3, 4]]), {"x_0": ["1", "", "3"], "x_1": ["2", "", "4"]}),
        (pa.array([[0.5]] * 3, pa.list_(pa.float32(), 1)), {"x_0": ["0.5"] * 3}),
        (pa.array([{"a": 1, "b": "u"}] * 3), {"x.a": ["1"] * 3, "x.b": ["u"] * 3}),
        (pa.array([b"u", None, b"v"]), {"x": ["u", "", "v"]}),
        (pa.array([90061, 1500, None], pa.duration("ms")),
         {"x": ["0 days 00:01:30.061", "0 days 00:00:01.500", ""]}),
        (pa.array([-1500, 2000, None], pa.duration("ms")), {"x": ["-1.500", "2", ""]}),
        (pa.array([datetime.time(8, 30)] * 3), {"x": ["08:30:00.000000"] * 3}),
    ],
)  # fmt: skip
def test_typed_columns_become_texts_that_parse_back(
    tmp_path: Path, values: pa.Array, columns: Texts
) -> None:
    """Lists of one length and objects are columns of their own; durations are as in pandas."""
    got, told = read_arrays(tmp_path, values)
    assert got == {"k": ["0"] * 3} | columns
    assert not told


@pytest.mark.parametrize(
    "values",
    [pa.array([[1], [1, 2]]), pa.array([b"\xff\0", b"k"]), pa.array([[("k", 1)]] * 2,
     pa.map_(pa.string(), pa.int64()))],
)  # fmt: skip
def test_a_column_without_a_text_is_left_out_and_told(tmp_path: Path, values: pa.Array) -> None:
    """The other columns are read all the same."""
    got, told = read_arrays(tmp_path, values)
    assert list(got) == ["k"]
    assert [(g.about, g.column, g.certainty) for g in told] == [("column", "x", "likely")]
