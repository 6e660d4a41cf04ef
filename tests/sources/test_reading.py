"""Reading: a table in any common dialect comes back as the same texts, or a message says why."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.settings import IngestConfig
from pipeline.errors import SourceError
from pipeline.sources.line_structure import DELIMITERS
from pipeline.sources.reading import SourceTable, read_source

Texts = dict[str, list[str]]
PLAIN = "name,note,n\nÅsa,tea,1\nZoë,café,2\n"
PLAIN_TEXTS = {"name": ["Åsa", "Zoë"], "note": ["tea", "café"], "n": ["1", "2"]}


def list_texts(table: SourceTable) -> Texts:
    """Spread the distinct texts over the rows."""
    return {name: list(column.take(column.values)) for name, column in table.columns.items()}


def read_file(folder: Path, content: bytes | str, name: str = "x.csv", **knobs: object) -> Texts:
    """Write a file and read it."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list_texts(read_source(path, IngestConfig.model_validate(knobs)))


def write_parquet(path: Path, columns: Mapping[str, object]) -> Path:
    """Write one Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


# The letters hold every delimiter, quotes, ends of lines and characters outside of ASCII.
texts = st.text(alphabet='ab1,;\t|" \n\r.é漢', max_size=6)


@st.composite
def text_tables(draw: st.DrawFn) -> list[list[str]]:
    """Draw rows of equal width, at least two columns and one row wide."""
    width = draw(st.integers(2, 4))
    return draw(st.lists(st.lists(texts, min_size=width, max_size=width), min_size=1, max_size=8))


def write_csv(rows: list[list[str]], delimiter: str, **options: object) -> str:
    """Write rows below a header of plain names by Python's own writer."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, **options)  # type: ignore[arg-type]
    writer.writerow([f"column {i}" for i in range(len(rows[0]))])
    writer.writerows(rows)
    return out.getvalue()


def trim(rows: list[list[str]]) -> Texts:
    """Give what is to be read: trimmed texts by column, without blank rows beside others."""
    told = [row for row in rows if any(cell.strip() for cell in row)] or rows
    return {f"column {i}": [row[i].strip() for row in told] for i in range(len(rows[0]))}


@given(rows=text_tables(), delimiter=st.sampled_from(DELIMITERS))
def test_any_text_written_by_csv_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str
) -> None:
    """Quotes, delimiters and ends of lines inside values change nothing; blanks are trimmed."""
    content = write_csv(rows, delimiter)
    got = read_file(tmp_path_factory.mktemp("t"), content, delimiter=delimiter)
    assert got == trim(rows)


@given(rows=text_tables(), delimiter=st.sampled_from(DELIMITERS))
def test_the_delimiter_is_found(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str
) -> None:
    """Where every value is quoted, no text inside can mislead about the delimiter."""
    content = write_csv(rows, delimiter, quoting=csv.QUOTE_ALL)
    assert read_file(tmp_path_factory.mktemp("t"), content) == trim(rows)


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_numbers_with_a_comma_do_not_mislead(tmp_path: Path, delimiter: str) -> None:
    """The delimiter is what cuts all lines alike, not the first or commonest sign."""
    rows = [["1,5" if delimiter != "," else "1.5", "a b", "2"]] * 3
    assert read_file(tmp_path, write_csv(rows, delimiter)) == trim(rows)


@pytest.mark.parametrize(
    ("codec", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("cp1252", "cp1252"),
        ("latin-1", "cp1252"),
    ],
)
def test_the_encoding_is_found(tmp_path: Path, codec: str, named: str) -> None:
    """Byte order marks, UTF-8 and Western 8-bit texts are told apart; the facts name the codec."""
    path = tmp_path / "x.csv"
    path.write_bytes(PLAIN.encode(codec))
    table = read_source(path, IngestConfig())
    assert list_texts(table) == PLAIN_TEXTS
    assert table.dialect["encoding"] == named


@pytest.mark.parametrize("codec", ["cp1251", "cp932", "gb18030"])
def test_other_scripts_are_guessed_by_their_letters(tmp_path: Path, codec: str) -> None:
    """A text of whole words in another script is not taken for a Western one."""
    words = {
        "cp1251": ["Москва", "Санкт-Петербург", "Казань"],
        "cp932": ["東京", "大阪", "京都"],
        "gb18030": ["北京", "上海", "广州"],
    }[codec]
    lines = "".join(f"{word},{i}\n" for i, word in enumerate(words * 20))
    assert read_file(tmp_path, ("city,n\n" + lines).encode(codec))["city"] == words * 20


@pytest.mark.parametrize("codec", ["utf-16-le", "cp1250", "utf-32"])
def test_a_declared_encoding_wins(tmp_path: Path, codec: str) -> None:
    """What is declared is not guessed at."""
    assert read_file(tmp_path, "a,b\nŁódź,2\n".encode(codec), encoding=codec)["a"] == ["Łódź"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines_of_any_system(tmp_path: Path, end: str) -> None:
    """Lines may end as on Unix, Windows or old Macs, with or without an end after the last."""
    lines = ["a,b", "1,2", "3,4"]
    for content in (end.join(lines), end.join(lines) + end, end * 2 + end.join(lines)):
        assert read_file(tmp_path, content) == {"a": ["1", "3"], "b": ["2", "4"]}


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    """CSV and Parquet are read from gz and zip as they are without."""
    assert read_file(tmp_path, gzip.compress(PLAIN.encode()), "x.csv.gz") == PLAIN_TEXTS
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/x.csv", PLAIN)
        archive.writestr("__MACOSX/x.csv", "junk")
        archive.writestr("README.md", "junk")
    assert list_texts(read_source(path, IngestConfig())) == PLAIN_TEXTS
    inner = write_parquet(tmp_path / "y.parquet", PLAIN_TEXTS)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "y.parquet")
    assert list_texts(read_source(path, IngestConfig())) == PLAIN_TEXTS


@pytest.mark.parametrize("names", [[], ["a.csv", "b.csv"]])
def test_a_zip_holds_exactly_one_table(tmp_path: Path, names: list[str]) -> None:
    """Which of several tables is meant can't be guessed."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in [*names, "notes.md"]:
            archive.writestr(name, PLAIN)
    with pytest.raises(SourceError, match=f"x.zip holds {len(names)} tables.*exactly one"):
        read_source(path, IngestConfig())


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("x.csv.gz", lambda: gzip.compress(PLAIN.encode() * 50)[:-20]),
        ("x.csv.gz", lambda: b"no gzip at all"),
        ("x.zip", lambda: b"no zip at all"),
        ("x.parquet", lambda: b"no parquet at all"),
        ("x.parquet", lambda: b"PAR1" + bytes(50)),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, spoil: Callable[[], bytes]) -> None:
    """Neither a library's own error nor half a table comes out of a damaged file."""
    with pytest.raises(SourceError, match=r"is not .*Give an undamaged file"):
        read_file(tmp_path, spoil(), name)


def test_typed_columns_parse_back_to_the_same_values(tmp_path: Path) -> None:
    """The texts of Parquet's types are what a CSV of the same values would hold."""
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 6)
    columns = {
        "whole": pa.array([1, None, -3]),
        "float": pa.array([0.1, None, 1e20]),
        "single": pa.array([0.1, None, 2.5], pa.float32()),
        "flag": pa.array([True, None, False]),
        "moment": pa.array([moment, None, moment]),
        "day": pa.array([datetime.date(2020, 1, 2), None, None]),
        "class": pa.array(["x", None, "y"]).dictionary_encode(),
        "view": pa.array(["x", None, "y"], pa.large_string()),
        "decimal": pa.array([Decimal("1.50"), None, None]),
        "nothing": pa.nulls(3),
    }
    got = list_texts(read_source(write_parquet(tmp_path / "x.parquet", columns), IngestConfig()))
    assert got["whole"] == ["1", "", "-3"]
    assert [float(text or "nan") for text in got["float"]][::2] == [0.1, 1e20]
    assert [text for text in got["single"] if text] == ["0.1", "2.5"]
    assert got["flag"] == ["true", "", "false"]
    assert datetime.datetime.fromisoformat(got["moment"][0]) == moment
    assert got["day"] == ["2020-01-02", "", ""]
    assert got["class"] == got["view"] == ["x", "", "y"]
    assert float(got["decimal"][0]) == 1.5
    assert got["nothing"] == ["", "", ""]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1], [2, 3]]),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.array([b"\xff"]),
        pa.array([b"\xff"], pa.large_binary()),
        pa.array([b"\xff"]).dictionary_encode(),
    ],
    ids=lambda values: str(values.type),
)
def test_a_column_that_is_no_column_of_values_is_named(tmp_path: Path, values: pa.Array) -> None:
    """Lists of any length, maps and bytes have no text; the only column is named."""
    path = write_parquet(tmp_path / "x.parquet", {"odd": values})
    with pytest.raises(SourceError, match="column 'odd' holds values of the type"):
        read_source(path, IngestConfig())


def test_parquet_partitions_are_joined(tmp_path: Path) -> None:
    """A partition may hold integers where another holds floats or nothing, or lack a column."""
    write_parquet(tmp_path / "t/p1.parquet", {"n": [1, 2], "gap": [None, None]})
    write_parquet(tmp_path / "t/p2.parquet", {"gap": [7], "n": [3.5], "new": ["x"]})
    (tmp_path / "t/_SUCCESS").touch()
    table = read_source(tmp_path / "t", IngestConfig())
    assert table.dialect == {"format": "parquet", "files": "2"}
    got = list_texts(table)
    assert [float(text) for text in got["n"]] == [1, 2, 3.5]
    assert got["gap"] == ["", "", "7"]
    assert got["new"] == ["", "", "x"]


def test_hive_partitions_give_a_column(tmp_path: Path) -> None:
    """The value in a folder's name is a column of its rows."""
    write_parquet(tmp_path / "t/year=2020/p.parquet", {"n": [1, 2]})
    write_parquet(tmp_path / "t/year=2021/p.parquet", {"n": [3]})
    got = list_texts(read_source(tmp_path / "t", IngestConfig()))
    assert got == {"n": ["1", "2", "3"], "year": ["2020", "2020", "2021"]}


def test_a_folder_of_csv_is_one_table(tmp_path: Path) -> None:
    """Files of one header are joined in the order of their names, packed or not."""
    (tmp_path / "b.csv").write_text("a,b\n3,4\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    (tmp_path / ".hidden").write_text("junk")
    table = read_source(tmp_path, IngestConfig())
    assert list_texts(table) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert table.dialect["files"] == "2"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "holds 0 files"),
        (
            {"a.csv": "a,b\n1,2\n", "b.csv": "c,d,e\nx,y,z\n"},
            "different headers: a.csv has 'a', 'b'",
        ),
        ({"a.csv": "a,b\n1,2\n", "b.docx": ""}, r"of the kinds '\.csv', '\.docx'"),
        ({"a.parquet": "junk"}, "is not Parquet"),
    ],
)
def test_a_folder_of_anything_else_is_refused(
    tmp_path: Path, files: dict[str, str], says: str
) -> None:
    """A folder holds partitions of one table, nothing else."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=says):
        read_source(tmp_path, IngestConfig())


def test_malformed_lines_are_set_aside_and_kept(tmp_path: Path) -> None:
    """A few lines of another width do not stop a read; they are kept as they stand."""
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "1,2\n" * 300 + "1,2,3\n4\n" + "5,6\n")
    table = read_source(path, IngestConfig())
    assert table.rows == 301
    assert sorted(table.malformed) == ["1,2,3", "4"]


@pytest.mark.parametrize(("allowed", "passes"), [(0.0, False), (0.09, False), (0.1, True)])
def test_too_many_malformed_lines_stop_a_read(tmp_path: Path, allowed: float, passes: bool) -> None:
    """The share of malformed lines is bounded by ingest.max_malformed."""
    content = "a,b\n" + "1,2\n" * 9 + "1,2,3\n"
    if passes:
        assert len(read_file(tmp_path, content, max_malformed=allowed)["a"]) == 9
        return
    with pytest.raises(SourceError, match=r"1 of 10 lines .* header \(2\): '1,2,3'.*max_malformed"):
        read_file(tmp_path, content, max_malformed=allowed)


@pytest.mark.parametrize("lines", [20, 300_000])
@pytest.mark.parametrize("stray", ['"x,3\n', '3,"x\n'])
def test_a_quote_that_is_never_closed_swallows_nothing(
    tmp_path: Path, stray: str, lines: int
) -> None:
    """A lone open quote is a part of its value, told by its line; among many it is refused."""
    content = "a,b\n1,2\n3,4\n" + stray + "5,6\n" * lines
    (tmp_path / "x.csv").write_text(content)
    table = read_source(tmp_path / "x.csv", IngestConfig())
    assert table.rows == lines + 3
    assert [(guess.about, guess.lines) for guess in table.guesses] == [("quotes", [4])]
    with pytest.raises(SourceError, match=r"a quote that opens in line 4 of x\.csv is never"):
        read_file(tmp_path, content, quote='"')
    quoted = "a,b\n1,2\n3,4\n" + stray + '"5","6"\n' * lines
    with pytest.raises(SourceError, match=r"a quote that opens in line 4 of x\.csv is never"):
        read_file(tmp_path, quoted)


def test_lines_between_two_stray_quotes_count_as_malformed(tmp_path: Path) -> None:
    """What a pair of stray quotes joins into one row of another width counts line by line."""
    content = "a,b\n" + "1,2\n" * 300 + '"x,3\n' + "5,6\n" * 20 + 'y",4,5\n'
    with pytest.raises(SourceError, match="22 of 322 lines"):
        read_file(tmp_path, content)


def test_a_quote_inside_a_plain_value_is_a_letter(tmp_path: Path) -> None:
    """Inches are no quotes."""
    assert read_file(tmp_path, 'a,b\n5" pipe,2\n3,4\n')["a"] == ['5" pipe', "3"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "x.csv is empty"),
        (" \n\n", "x.csv is empty"),
        ("a,b", "x.csv has 0 rows"),
        ("a,b\n", "x.csv has 0 rows"),
        ("1,2\n3,4\n", r"first line of x.csv holds only numbers \('1', '2'\).*header"),
        ("a,b,a\n1,2,3\n", "1 column names of x.csv occur more than once: 'a'"),
        ("a, a\n1,2\n", "occur more than once: 'a'"),
        (",unnamed_1\n1,2\n", "occur more than once: 'unnamed_1'"),
        (bytes(range(256)), "x.csv is not text"),
        ("ü,b\n1,2\n".encode("utf-32-le"), "x.csv is not text"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str | bytes, says: str) -> None:
    """Each message names the file and what it lacks."""
    with pytest.raises(SourceError, match=says):
        read_file(tmp_path, content)


def test_a_column_without_a_name_gets_one(tmp_path: Path) -> None:
    """A blank name, as pandas writes for an index, becomes the column's place."""
    assert list(read_file(tmp_path, ",b, \n1,2,3\n")) == ["unnamed_1", "b", "unnamed_3"]


def test_repeated_names_in_parquet_are_refused(tmp_path: Path) -> None:
    """Names are compared without the blanks around them, in any format."""
    path = write_parquet(tmp_path / "x.parquet", {"a": [1], " a": [2]})
    with pytest.raises(
        SourceError, match=r"1 column names of x\.parquet occur more than once: 'a'"
    ):
        read_source(path, IngestConfig())


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    """The path that was not found is in the message."""
    with pytest.raises(SourceError, match=r"nowhere\.csv was not found"):
        read_source(tmp_path / "nowhere.csv", IngestConfig())


@pytest.mark.parametrize("length", [300_000, 3_000_000])
def test_very_long_lines_are_read(tmp_path: Path, length: int) -> None:
    """A line may be longer than the parser's block."""
    got = read_file(tmp_path, "a,b\n1,2\n" + "x" * length + ",3\n4,5\n")
    assert [len(text) for text in got["a"]] == [1, length, 1]
    assert got["b"] == ["2", "3", "5"]


def test_one_column_is_a_table(tmp_path: Path) -> None:
    """A file without any delimiter is a table of one column."""
    assert read_file(tmp_path, 'y\na b\n"c,d"\n') == {"y": ["a b", "c,d"]}


@pytest.mark.parametrize(
    ("codec", "says"),
    [("ascii", r"byte \d+ of x.csv is not ascii"), ("nonsense", "no encoding 'nonsense'")],
)
def test_a_wrong_encoding_is_explained(tmp_path: Path, codec: str, says: str) -> None:
    """A declared codec that is unknown, or does not fit, is named."""
    with pytest.raises(SourceError, match=f"{says}.*ingest.encoding"):
        read_file(tmp_path, PLAIN, encoding=codec)


@given(rows=text_tables())
def test_counts_are_those_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    """The dictionary of a column holds each text once, with the number of rows that have it."""
    path = tmp_path_factory.mktemp("t") / "x.csv"
    path.write_text(write_csv(rows, ","), encoding="utf-8", newline="")
    table = read_source(path, IngestConfig(delimiter=","))
    for column in table.columns.values():
        assert len(set(column.values)) == len(column.values) == len(column.counts)
        assert column.counts.sum() == len(column.codes) == table.rows == len(rows)
        spread = list(column.take(column.values))
        assert [spread.count(text) for text in column.values] == column.counts.tolist()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_header_of_any_width_is_read_whole(tmp_path: Path, end: str) -> None:
    """The header may be wider than the sample by which the delimiter is found."""
    names = [f"a column with a rather long name, number {i}".replace(",", "") for i in range(9000)]
    content = end.join([",".join(names), ",".join(["1"] * 9000), ",".join(["2"] * 9000)])
    got = read_file(tmp_path, content)
    assert list(got) == names
    assert got[names[-1]] == ["1", "2"]


def test_mixed_ends_of_lines_are_no_error_of_ours(tmp_path: Path) -> None:
    """A lone return ends the header too, where Python's csv alone would refuse it."""
    with pytest.raises(SourceError, match="another number of fields than the header"):
        read_file(tmp_path, "a,b\rc,d\n" + "1,2,3,4\n" * 9)


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-32-be"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path, codec: str) -> None:
    """Whatever codec is declared, the mark is left out."""
    got = read_file(tmp_path, ("\ufeff" + PLAIN).encode(codec), encoding=codec)
    assert got == PLAIN_TEXTS


@pytest.mark.parametrize("encoding", ["hex", "idna", "undefined", "\0", "unicode_escape"])
def test_a_codec_that_gives_no_text_is_refused(tmp_path: Path, encoding: str) -> None:
    """Codecs of bytes, of host names and of nothing end in a message, as an unknown one does."""
    with pytest.raises(SourceError, match=r"no encoding|can't be read as|is not"):
        read_file(tmp_path, "a,b\n\\ud800,\xff\n" * 3, encoding=encoding)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (pa.array([0], pa.timestamp("us", "Mars/Olympus")), "holds values of the type timestamp"),
        (pa.array([b"\xff"]).view(pa.string()), "is not Parquet.*UTF8"),
    ],
    ids=["a zone that is none", "text that is not UTF-8"],
)
def test_values_that_can_not_be_written_are_refused(
    tmp_path: Path, values: pa.Array, says: str
) -> None:
    """What Arrow reads, and then can't write as text, is a fault of the source."""
    path = write_parquet(tmp_path / "x.parquet", {"odd": values, "even": ["x"]})
    with pytest.raises(SourceError, match=says):
        read_source(path, IngestConfig())


def test_what_unpacks_well_is_no_bomb(tmp_path: Path) -> None:
    """The ratio counts only beyond what any machine holds: a small file may pack a thousandfold."""
    content = "a,b\n" + "1,2\n" * 200_000
    packed = gzip.compress(content.encode())
    assert len(packed) * 200 < len(content)
    assert len(read_file(tmp_path, packed, "x.csv.gz")["a"]) == 200_000
