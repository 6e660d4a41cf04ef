"""Hostile and broken inputs, one case each: what is given, and what is to come of it.

``python -m tests.hostile_cases`` runs them all and prints what came of them as a Markdown table.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.sources.unseen import tidy_name

ROOT = Path(__file__).parents[1]
QUICK = "training: {epochs: 1, hidden: [4], bootstrap: 100, compare_unrepaired: false}\n"
SUITE = {"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "y"}}]}
GIGABYTE = 10**9
# Stage, what is wrong with which value, and what to do about it.
FOUR_PARTS = re.compile(r"[a-z]+: .+\. .+[.?]\Z", re.S)
# Of address space; a refusal needs far less, and a bomb far more.
MEMORY = 3 * GIGABYTE
# Of the processor, whatever else the machine does, and by the clock.
SECONDS = 60
PATIENCE = 600


@dataclass(frozen=True)
class Case:
    """One hostile input and what is to come of it.

    Attributes
    ----------
    make
        Writes the data set ``t`` into an empty project folder.
    code
        The exit code: 0 if the input is unusual but sound.
    says
        What the message matches, as a regular expression.
    check
        What holds of a project folder where a sound input was run.
    command
        What follows ``assay``.
    large
        Whether it runs in a process of its own, with its memory and time bounded.
    """

    name: str
    make: Callable[[Path], None]
    code: int
    says: str = ""
    check: Callable[[Path], None] | None = None
    command: tuple[str, ...] = ("run", "t")
    large: bool = False

    @property
    def publishes(self) -> bool:
        """Whether a version is to be published."""
        return self.code == 0 and self.command[0] == "run"


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    code: int
    message: str
    published: int
    seconds: float


def write(
    home: Path,
    content: bytes | str | None,
    name: str = "t.csv",
    more: str = "",
    suite: object = SUITE,
    declaration: str | bytes | None = None,
) -> Path:
    """Write a data set: its source, its dataset.yaml and a suite."""
    folder = home / "data/t"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    if declaration is None:
        declaration = f"dataset: t\nsource: {name}\ntarget: y\n{QUICK}{more}"
    raw = declaration if isinstance(declaration, bytes) else declaration.encode()
    (folder / "dataset.yaml").write_bytes(raw)
    (home / "expectations/t").mkdir(parents=True)
    text = suite if isinstance(suite, str) else json.dumps(suite)
    (home / "expectations/t/schema.json").write_text(text)
    return folder


def source(
    content: bytes | str | None, name: str = "t.csv", more: str = ""
) -> Callable[[Path], None]:
    """Make a data set of a file's content."""

    def make(home: Path) -> None:
        write(home, content, name, more)

    return make


def declared(declaration: str | bytes) -> Callable[[Path], None]:
    """Make a data set with sound rows and another dataset.yaml."""

    def make(home: Path) -> None:
        write(home, make_csv(), declaration=declaration)

    return make


def setting(more: str) -> Callable[[Path], None]:
    """Make a data set with sound rows and more lines in its dataset.yaml."""
    return source(make_csv(), more=more)


def judged(suite: object) -> Callable[[Path], None]:
    """Make a data set with sound rows and another suite."""

    def make(home: Path) -> None:
        write(home, make_csv(), suite=suite)

    return make


def make_rows(rows: int = 120, extra: dict[str, list[str]] | None = None) -> list[list[str]]:
    """Make rows that can be learned from: two numbers, a category, further columns, the label."""
    rng = random.Random(0)
    extra = extra or {}
    table = [["a", "b", "c", *extra, "y"]]
    for row in range(rows):
        a = rng.gauss(0, 1)
        more = [values[row % len(values)] for values in extra.values()]
        label = "x" if a + rng.gauss(0, 0.3) > 0 else "z"
        table.append([f"{a:.4f}", f"{rng.gauss(3, 2):.3f}", rng.choice("pqr"), *more, label])
    return table


def write_csv(table: list[list[str]], delimiter: str = ",", end: str = "\n") -> str:
    """Write rows as CSV."""
    import csv

    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    return out.getvalue()


def make_csv(rows: int = 120, extra: dict[str, list[str]] | None = None) -> str:
    """Make a sound CSV."""
    return write_csv(make_rows(rows, extra))


def with_labels(*labels: str) -> str:
    """Make a CSV with other labels, taken in turn."""
    table = make_rows()
    for number, row in enumerate(table[1:]):
        row[-1] = labels[number % len(labels)]
    return write_csv(table)


def make_parquet(columns: dict[str, object] | None = None) -> bytes:
    """Make a Parquet file of sound rows with further columns."""
    header, *rows = make_rows()
    plain = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    return write_parquet(pa.table(plain | (columns or {})))


def write_parquet(table: pa.Table) -> bytes:
    """Write a table as Parquet."""
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def zip_files(files: dict[str, bytes | str]) -> bytes:
    """Zip files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def spoil_zip() -> bytes:
    """Zip a sound table and damage the list of the zip's files."""
    content = zip_files({"t.csv": make_csv()})
    place = content.rindex(b"PK\x01\x02")
    return content[:place] + b"XX" + content[place + 2 :]


# --- sources that take more than a line to make -------------------------------------------------


def make_fifo(home: Path) -> None:
    """Make a pipe that nobody writes to."""
    os.mkfifo(write(home, None) / "t.csv")


def make_folder(home: Path) -> None:
    """Make a folder where a file is expected."""
    (write(home, None) / "t.csv").mkdir()


def make_long_line(home: Path) -> None:
    """Write 200 MB without an end of line."""
    with (write(home, None) / "t.csv").open("wb") as file:
        for _ in range(200):
            file.write(b"x" * 10**6)


def make_long_cell(home: Path) -> None:
    """Write a line of 200 MB behind sound rows."""
    with (write(home, make_csv()) / "t.csv").open("ab") as file:
        for _ in range(200):
            file.write(b"x" * 10**6)


def make_gz_bomb(home: Path) -> None:
    """Pack 10 GB of zeros into 10 MB of gz, in members of 64 MB."""
    member = gzip.compress(b"0" * 2**26, 6)
    with (write(home, None, "t.csv.gz") / "t.csv.gz").open("wb") as file:
        for _ in range(150):
            file.write(member)


def make_zip_bomb(home: Path) -> None:
    """Make a zip whose only table unpacks to 320 MB."""
    path = write(home, None, "t.zip") / "t.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("t.csv", "w") as member,
    ):
        for _ in range(5):
            member.write(b"0" * 2**26)


def make_parquet_bomb(home: Path) -> None:
    """Write 300 million rows of one value, which Parquet packs as a run."""
    folder = write(home, None, "t.parquet")
    rows = pa.table({"y": pa.DictionaryArray.from_arrays(np.zeros(10**7, np.int8), ["x"])})
    with pq.ParquetWriter(folder / "t.parquet", rows.schema) as writer:
        for _ in range(30):
            writer.write_table(rows, row_group_size=10**7)


def make_pictures(files: dict[str, bytes | str]) -> Callable[[Path], None]:
    """Make a data set of pictures in a zip."""

    def make(home: Path) -> None:
        declaration = f"dataset: t\nsource: t.zip\ntarget: label\nmodality: image\n{QUICK}"
        write(home, zip_files(files), "t.zip", declaration=declaration)

    return make


def make_picture_fifo(home: Path) -> None:
    """Make a pipe that has the name of a zip of pictures."""
    declaration = f"dataset: t\nsource: t.zip\ntarget: label\nmodality: image\n{QUICK}"
    os.mkfifo(write(home, None, declaration=declaration) / "t.zip")


def make_wide(columns: int, rows: int) -> Callable[[Path], None]:
    """Make a data set of many columns of numbers."""

    def make(home: Path) -> None:
        rng = np.random.default_rng(0)
        values = rng.normal(size=(rows, columns)).round(3)
        lines = [",".join(f"c{i}" for i in range(columns)) + ",y"]
        lines += [",".join(map(str, row)) + f",{'xz'[int(row[0] > 0)]}" for row in values]
        write(home, "\n".join(lines) + "\n")

    return make


def make_many_categories(home: Path) -> None:
    """Write a million rows with a million categories."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=10**6).round(2)
    lines = [f"{x},cat-{i}-{i % 7},{'xz'[int(x > 0)]}" for i, x in enumerate(a)]
    write(home, "a,b,y\n" + "\n".join(lines) + "\n", more="columns: {b: {role: categorical}}\n")


def make_deep_json(home: Path) -> None:
    """Make a suite that is nested 100,000 levels deep."""
    write(home, make_csv(), suite='{"expectations": ' + "[" * 10**5 + "]" * 10**5 + "}")


def spoil_suite(kind: str) -> Callable[[Path], None]:
    """Put a pipe, a folder or bytes where a suite is expected."""

    def make(home: Path) -> None:
        write(home, make_csv())
        place = home / "expectations/t/schema.json"
        if kind == "bytes":
            place.write_bytes(bytes(range(256)))
            return
        place.unlink()
        os.mkfifo(place) if kind == "pipe" else place.mkdir()

    return make


def init(content: bytes | str | None, name: str = "mine.csv") -> Callable[[Path], None]:
    """Make a file for ``assay init`` to read."""

    def make(home: Path) -> None:
        if content is None:
            os.mkfifo(home / name)
        else:
            (home / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return make


STRANGE_NAMES = {
    "<script>alert(1)</script>": ["<b>bold</b>", "</script><script>alert(2)</script>", "&amp;"],
    'it\'s "quoted"': ["'", '"', "`"],
    "two\nlines": ["a\nb", "c", "d\r\ne"],
    "🙂 smile": ["🙃", "é", "漢"],
    "{{ 7 * 7 }} {% raw %}": ["${jndi:ldap://x}", "{{ config }}", "%s%n"],
    "\x1b[31mred\x1b[0m": ["\x1b[2J", "\x07", "\x7f"],
    "\u202eright to left": ["\u2028", "\u200b", "\x85x"],
    "../../etc/passwd": ["a/b", "..", "\\"],
    "=cmd()": ["=cmd|' /C calc'!A0", "@SUM(1)", "+1+1"],
    "": ["n", "o", "p"],
}
CONTROL_NAMES = {
    "c1\x85\x9f": ["1", "2"],
    "del\x7f": ["unknown", "r"],
    "line\u2028break": ["q", "r"],
    "para\u2029: {role: target}": ["unknown", "- a\x85b: 1", "na\u2028key: 2"],
    "mark\ufeff": ["k", "l"],
    "return\rx": ["NA", "unknown", "l"],
    "none\ufffe": ["k", "l"],
    "yes": ["p", "q"],
    "1": ["p", "q"],
}
STRANGE_NUMBERS = {
    "infinite": ["inf", "-inf", "1.5", "2.5", "Infinity"],
    "huge": ["1e308", "-1e308", "1", "2", "3"],
    "tiny": ["5e-324", "2e-310", "-5e-324", "0", "1e-320"],
    "too huge": ["1e309", "9" * 400, "1.5", "2.5", "7"],
    "mixed": ["1", "two", "3.0", "2020-01-01", "True"],
    "thousands": ["1,234.5", "12,345", "1,234,567.89", "3", "4.5"],
    "decimal comma": ["1,5", "2,75", "3,125", "4,5", "0,5"],
    "three dates": ["2020-01-31", "31.01.2020", "1/31/2020"],
    "far dates": ["0001-01-01", "9999-12-31", "1969-12-31", "2020-02-29"],
    "nothing": ["", "NA", "?"],
    "digits": ["١٢", "३", "５", "²", "1_000"],
}


def holds_strange_names(home: Path) -> None:
    """Check that names and values came through and are no markup in the report."""
    version = home / "data/published/t/current"
    report = (version / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)" in report
    for markup in ("<script>alert", "<b>bold"):
        assert markup not in report
    (facts,) = (home / "data/runs/t/stages").glob("ingest-*/facts.json")
    names = {column["name"] for column in json.loads(facts.read_text())["columns"]}
    assert {tidy_name(name) or "unnamed_13" for name in STRANGE_NAMES} < names


def holds_rows(home: Path, rows: int = 120) -> None:
    """Check that the version covers all rows."""
    manifest = json.loads((home / "data/published/t/current/manifest.json").read_text())
    assert manifest["rows"]["labelled"] == rows


def holds_classes(home: Path, classes: set[str]) -> None:
    """Check that these are the classes, none merged with another."""
    (facts,) = (home / "data/runs/t/stages").glob("ingest-*/facts.json")
    assert set(json.loads(facts.read_text())["classes"]) == classes


def declares_all(home: Path) -> None:
    """Check that the declaration which was written can be read, and names each column."""
    from pipeline.config.dataset_yaml import load_config

    config = load_config(home / "data/mine/dataset.yaml")
    named = {tidy_name(name) or "unnamed_13" for name in STRANGE_NAMES | CONTROL_NAMES}
    assert {*config.columns} == {*named, "a", "b", "c", "y"}


def read_accents(home: Path) -> None:
    """Check that the accented category came through unharmed."""
    (facts,) = (home / "data/runs/t/stages").glob("ingest-*/part-00000.parquet")
    assert "Zoë" in set(pq.read_table(facts)["d"].to_pylist())


ACCENTED = make_csv(extra={"d": ["Zoë", "Åsa", "Jürgen"]})
LAUGHS = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
MERGES = "m0: &m0 {a: 1}\n" + "".join(
    f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 10)}]}}\n" for i in range(1, 12)
)
HEAD = f"dataset: t\nsource: t.csv\ntarget: y\n{QUICK}"


def expect(type_: str, **kwargs: object) -> object:
    """Make a suite of one expectation."""
    return {"expectations": [{"type": type_, "kwargs": kwargs}]}


SOURCES = [
    Case("no such file", source(None), 2, r"was not found\. Correct `source`"),
    Case("an empty file", source(""), 2, "t.csv is empty"),
    Case("nothing but ends of lines", source("\n\r\n\n" * 50), 2, "t.csv is empty"),
    Case("a header only", source("a,b,c,y\n"), 2, "t.csv has 0 rows"),
    Case("one row", source("a,b,y\n1,2,x\n"), 1, "'y' has a single class, 'x', in 1 row"),
    Case("a lone quote", source('"'), 2, "a quote that opens in line 1 .* never closed"),
    Case("unbalanced quotes", source(make_csv() + '"1,2,p,x\n' + "1,2,p,x\n" * 9), 2,
         "a quote that opens in line 122 .* never closed"),
    Case("ragged rows", source("a,b,y\n" + "1,2,x\n" * 50 + "1\n1,2,3,4,5\n" * 20), 2,
         "40 of 90 lines .* another number of fields"),
    Case("two columns of one name", source("a,a,y\n" + "1,2,x\n3,4,z\n" * 20), 2,
         "1 column names .* more than once: 'a'"),
    Case("a column name of 10,000 characters", source(make_csv(extra={"n" * 10_000: ["1"]})), 2,
         "1 of 5 column names .* longer than 1,000 characters, up to 10,000"),
    Case("100,000 columns", make_wide(100_000, 5), 2, "100,001 columns.* may have 20,000"),
    Case("no header", source("1,2,3\n4,5,6\n"), 2, "holds only numbers"),
    Case("only the target", source("y\n" + "x\nz\n" * 30), 1, "none of the 0 columns"),
    Case("NUL bytes at the start", source(b"a,\0b,y\n1,2,x\n"), 2, "holds NUL bytes"),
    Case("a NUL byte further on", source(make_csv(1000).encode() + b"1,2,p\0,x\n"), 2,
         "1 NUL characters, the first in line 1002"),
    Case("random bytes", source(random.Random(0).randbytes(100_000)), 2, "is not text"),
    Case("UTF-16 without a mark", source(make_csv().encode("utf-16-le")), 2, "ingest.encoding"),
    Case("half of UTF-16", source(make_csv().encode("utf-16")[:-1]), 2, "is not utf-16"),
    Case("a wrong declared encoding",
         source(ACCENTED.encode("latin-1"), more="ingest: {encoding: utf-8}\n"), 2,
         "byte .* is not utf-8"),
    Case("an encoding that is none", source(make_csv(), more="ingest: {encoding: utf-9}\n"), 2,
         "no encoding 'utf-9'"),
    Case("an encoding of bytes", source(make_csv(), more="ingest: {encoding: hex}\n"), 2,
         "no encoding 'hex'"),
    Case("an encoding that makes halves of characters",
         source("a,y\n\\ud800,x\n" * 9, more="ingest: {encoding: unicode_escape}\n"), 2,
         "can't be read as 'unicode_escape'"),
    Case("200 MB in a single line", make_long_line, 2, "a name in it is longer than 131,072",
         large=True),
    Case("a gz bomb", make_gz_bomb, 2, "over 200 times the .* bytes", large=True),
    Case("a truncated gz", source(gzip.compress(make_csv(5000).encode())[:-200], "t.csv.gz"), 2,
         "is not a readable file"),
    Case("a gz that is none", source(b"no gz at all", "t.csv.gz"), 2, "is not a readable file"),
    Case("a zip with ../", source(zip_files({"../t.csv": make_csv()}), "t.zip"), 2,
         r"1 names in t.zip lead out of it: '\.\./t\.csv'"),
    Case("a zip with an absolute name", source(zip_files({"/etc/t.csv": make_csv()}), "t.zip"), 2,
         "lead out of it"),
    Case("a zip with backslashes that lead out",
         source(zip_files({"a\\..\\..\\t.csv": make_csv()}), "t.zip"), 2, "lead out of it"),
    Case("a zip bomb", make_zip_bomb, 2, "over 200 times the .* bytes", large=True),
    Case("a zip in a zip", source(zip_files({"t.zip": zip_files({"t.csv": "a"})}), "t.zip"), 2,
         "holds 0 tables"),
    Case("two tables in a zip", source(zip_files({"a.csv": "a", "b.csv": "b"}), "t.zip"), 2,
         "holds 2 tables"),
    Case("a truncated zip", source(zip_files({"t.csv": make_csv()})[:-30], "t.zip"), 2,
         "is not a readable file"),
    Case("a truncated Parquet", source(make_parquet()[:-50], "t.parquet"), 2, "is not Parquet"),
    Case("a Parquet without a head", source(make_parquet()[500:], "t.parquet"), 2,
         "is not Parquet"),
    Case("a Parquet that looks encrypted",
         source(b"PARE" + make_parquet()[4:-4] + b"PARE", "t.parquet"), 2, "is not Parquet"),
    Case("a Parquet whose footer lies about its length",
         source(make_parquet()[:-8] + struct.pack("<I", 2**31) + b"PAR1", "t.parquet"), 2,
         "is not Parquet"),
    Case("a Parquet of nested columns",
         source(make_parquet({"d": pa.array([[{"e": 1}]] * 120)}), "t.parquet"), 0,
         check=holds_rows),
    Case("a Parquet with two columns of one name",
         source(write_parquet(pa.table([["1", "2"]] * 3, names=["a", "a", "y"])), "t.parquet"), 2,
         "column names .* more than once: 'a'"),
    Case("a Parquet with text that is not UTF-8",
         source(make_parquet({"d": pa.array([b"\xff\xfe"] * 120).view(pa.string())}),
                "t.parquet"), 2, "is not Parquet.*UTF"),
    Case("a Parquet bomb", make_parquet_bomb, 2, "over 200 times the .* bytes", large=True),
    Case("a spreadsheet", source(zip_files({"xl/workbook.xml": "<x/>"}), "t.xlsx"), 2,
         "t.xlsx is an Excel file"),
    Case("a folder for a file", make_folder, 2, "holds 0 files"),
    Case("a pipe for a file", make_fifo, 2, "is a pipe, a socket or a device"),
    Case("a device for a file", declared("dataset: t\nsource: /dev/zero\ntarget: y\n"), 2,
         "outside of the project"),
    Case("the project for a source", declared("dataset: t\nsource: ../..\ntarget: y\n"), 2,
         "holds .* files, of the kinds"),
    Case("pictures with a zip's damage", make_pictures({"a/1.png": "no", "b/2.png": ""}), 1,
         "none of 2 pictures"),
    Case("pictures that lead out of their zip",
         make_pictures({"../a/1.png": "no", "/b/2.png": "no"}), 1, "unsafe name"),
    Case("a pipe for a zip of pictures", make_picture_fifo, 2, "is a pipe, a socket or a device"),
    Case("a picture bomb in a zip", make_pictures({"a/1.png": b"0" * 210_000_000}), 1,
         "over 200 MB"),
]  # fmt: skip

LABELS = [
    Case("the target is no column", declared(HEAD.replace("target: y", "target: yy")), 2,
         "target names the column 'yy'.*did you mean 'y'"),
    Case("a constant target", source(with_labels("x")), 1, "single class, 'x', in 120 rows"),
    Case("a target without values", source(with_labels("", "NA", "?")), 1, "missing in every row"),
    Case("a target of numbers", source(with_labels(*map(str, np.arange(120) / 7))), 1,
         "these are no classes"),
    Case("a class with one row", source(with_labels(*["x"] * 60, "rare", *["z"] * 59)), 0),
    Case("labels with thousands separators", source(with_labels("1,000", "2,000")), 0,
         check=partial(holds_classes, classes={"1,000", "2,000"}), command=("validate", "t")),
    Case("labels beyond 2^53", source(with_labels(str(2**53 + 1), str(2**53))), 0,
         check=partial(holds_classes, classes={str(2**53 + 1), str(2**53)}),
         command=("validate", "t")),
]  # fmt: skip

DECLARATIONS = [
    Case("an unknown key", declared(HEAD + "cleaning: {duplicate: drop}\n"), 2,
         "cleaning.duplicate .* no such key.*did you mean 'duplicates'"),
    Case("a key in the wrong place", declared(HEAD + "duplicates: drop\n"), 2,
         "Did you mean cleaning.duplicates"),
    Case("an empty declaration", declared(""), 2, "holds no keys"),
    Case("a declaration of comments", declared("# nothing\n"), 2, "holds no keys"),
    Case("a declaration of bytes", declared(bytes(range(256))), 2, "is not YAML"),
    Case("a declaration in UTF-16", declared(HEAD.encode("utf-16")), 2, "is not YAML"),
    Case("a list for a declaration", declared("- dataset\n- source\n"), 2, "holds no keys"),
    Case("two declarations in one", declared(HEAD + "---\n" + HEAD), 2, "is not YAML"),
    Case("a declaration with tabs", declared(HEAD + "cleaning:\n\tduplicates: drop\n"), 2,
         "is not YAML"),
    Case("a declaration of 5 MB", declared(HEAD + "columns: {a: [" + "x, " * 1_700_000 + "]}"), 2,
         "more than 200,000 values"),
    Case("a declaration of 12 MB", declared(HEAD + "#" * 12_000_000), 2, "12,0.* bytes"),
    Case("a billion laughs", declared(LAUGHS + HEAD + "key: *a11\n"), 2, "aliases written out"),
    Case("a billion merges", declared(MERGES + HEAD + "columns: *m11\n"), 2,
         "aliases written out"),
    Case("ten thousand laughs", declared(LAUGHS + HEAD + "key: *a3\n"), 2, "aliases written out"),
    Case("an alias of what holds it", declared(HEAD + "columns: &c {a: *c}\n"), 2,
         "stands for what holds it"),
    Case("YAML that is nested 100,000 levels deep", declared(HEAD + "key: " + "[" * 100_000), 2,
         "nested more than 50 levels"),
    Case("a Python object in YAML",
         declared(HEAD + "key: !!python/object/apply:os.system [echo]\n"), 2, "is not YAML"),
    Case("a date that is none", declared(HEAD + "key: 2020-13-45\n"), 2, "is not YAML"),
    Case("a number of 5,000 digits", declared(HEAD + f"seed: {'9' * 5000}\n"), 2, "is not YAML"),
    Case("a seed beyond 32 bits", declared(HEAD + "seed: 4294967296\n"), 2, "seed .* 4294967296"),
    Case("a seed below zero", declared(HEAD + "seed: -1\n"), 2, "seed .* '-1' was given"),
    Case("NaN for a number", declared(HEAD + "cleaning: {max_missing: .nan}\n"), 2,
         "cleaning.max_missing .* finite.* 'nan'"),
    Case("infinity for a number", declared(HEAD + "cleaning: {outliers: {factor: .inf}}\n"), 2,
         "cleaning.outliers.factor .* finite.* 'inf'"),
    Case("a number for the source", declared(HEAD.replace("t.csv", "12")), 2,
         "source .* valid string, but '12'"),
    Case("NUL in the source's name", declared(HEAD.replace("t.csv", '"t\\0.csv"')), 2,
         "name no file"),
    Case("10,000 characters for the source", declared(HEAD.replace("t.csv", "t" * 10_000)), 2,
         "10,000 characters that name no file"),
    Case("half a character for the target", declared(HEAD.replace("y\n", '"\\ud800"\n', 1)),
         2, "target .* wrong|is not YAML"),
    Case("a list for a section", declared(HEAD + "cleaning: [1, 2]\n"), 2,
         "cleaning .* should hold keys"),
    Case("100,000 characters for a choice",
         declared(HEAD + f"validation: {{stop_on: {'x' * 100_000}}}\n"), 2, "validation.stop_on"),
    Case("a date format that is none",
         declared(HEAD + 'columns: {c: {role: datetime, format: "%Q"}}\n'), 2,
         "format '%Q', which is none"),
    Case("another name than the folder's", declared(HEAD.replace("dataset: t", "dataset: u")), 2,
         "dataset is 'u'"),
    Case("an override that is none", setting(""), 2, "section.key=value",
         command=("run", "t", "--set", "=")),
    Case("an override nested 10,000 levels deep", setting(""), 2, "seed .* wrong",
         command=("run", "t", "--set", "seed=" + "[" * 10_000)),
    Case("an override below a value", setting(""), 2, "dataset is no section",
         command=("run", "t", "--set", "dataset.a=1")),
]  # fmt: skip

SUITES = [
    Case("a suite about a column that is not there",
         judged(expect("expect_column_values_to_not_be_null", column="nope")), 1,
         "gate stopped|nope"),
    Case("an unknown expectation", judged(expect("expect_column_values_to_be_nice", column="a")), 2,
         "suite schema: .*knows no .*expect_column_values_to_be_nice"),
    Case("an expectation with wrong arguments",
         judged(expect("expect_column_values_to_not_be_null", column="a", mostly="most")), 2,
         "suite schema: "),
    Case("an expectation about a list of columns",
         judged(expect("expect_column_values_to_not_be_null", column=["a"])), 2,
         "`column` is no text"),
    Case("an expectation without arguments", judged({"expectations": [{"type": "x"}]}), 2,
         "expectation 1, .* is none"),
    Case("a suite without expectations", judged({"name": "schema"}), 2, "no list `expectations`"),
    Case("a suite whose expectations are no list", judged({"expectations": {}}), 2,
         "no list `expectations`"),
    Case("a suite that is a list", judged([1, 2]), 2, "no list `expectations`"),
    Case("a suite that is no JSON", judged("{not JSON"), 2, "schema.json .* is no suite"),
    Case("an empty suite file", judged(""), 2, "schema.json .* is no suite"),
    Case("a suite that is nested 100,000 levels deep", make_deep_json, 2, "is no suite.*recursion"),
    Case("a suite of bytes", spoil_suite("bytes"), 2, "schema.json .* is no suite"),
    Case("a pipe for a suite", spoil_suite("pipe"), 2, "holds 0 suites"),
    Case("a folder for a suite", spoil_suite("folder"), 2, "holds 0 suites"),
    Case("a bound of 400 digits",
         judged(expect("expect_column_values_to_be_between", column="a", max_value=10**400)), 2,
         "401 digits"),
    Case("a bound that is infinite",
         judged(expect("expect_column_values_to_be_between", column="a", max_value=float("inf"))),
         0, command=("validate", "t")),
]  # fmt: skip

NAMES = [
    Case(f"the name {name!r}", setting(""), 2, "a data set can't be named",
         command=("run", name))
    for name in ("../t", "data/../t", "..", ".", "t/", "/t", "", "runs", "published", "t\n", "t\0",
                 "é", "x" * 81)
]  # fmt: skip

INITS = [
    Case("init: a pipe", init(None), 2, "is a pipe, a socket or a device",
         command=("init", "mine.csv", "--target", "y")),
    Case("init: a pipe named as a zip", init(None, "mine.zip"), 2, "is a pipe, a socket",
         command=("init", "mine.zip", "--target", "y")),
    Case("init: a damaged zip", init(spoil_zip(), "mine.zip"), 2, "is not a readable file",
         command=("init", "mine.zip", "--target", "y")),
    Case("init: a reserved name", init(make_csv(), "runs.csv"), 2, "can't be named 'runs'.*--name",
         command=("init", "runs.csv", "--target", "y")),
    Case("init: names that are markup, formulas, control characters",
         init(make_csv(extra=STRANGE_NAMES | CONTROL_NAMES)), 0, check=declares_all,
         command=("init", "mine.csv", "--target", "y")),
    Case("init: a name that leads out", init(make_csv()), 2, "can't be named '../x'",
         command=("init", "mine.csv", "--target", "y", "--name", "../x")),
    Case("init: an empty file", init(""), 2, "mine.csv is empty",
         command=("init", "mine.csv", "--target", "y")),
]  # fmt: skip


SOUND = [
    Case("UTF-8 with a byte order mark", source(ACCENTED.encode("utf-8-sig")), 0,
         check=read_accents, command=("validate", "t")),
    Case("UTF-8 declared, with a byte order mark",
         source(("\ufeff" + ACCENTED).encode(), more="ingest: {encoding: utf-8}\n"), 0,
         check=read_accents, command=("validate", "t")),
    Case("UTF-16", source(ACCENTED.encode("utf-16")), 0, check=read_accents),
    Case("Latin-1", source(ACCENTED.encode("latin-1")), 0, check=read_accents,
         command=("validate", "t")),
    Case("bytes of halves of characters",
         source(make_csv().encode() + b"1,2,\xed\xa0\x80,x\n"), 0, command=("validate", "t")),
    Case("small anchors in YAML",
         declared(HEAD + "columns: {a: &n {role: numeric}, b: *n}\n"), 0,
         command=("validate", "t")),
    Case("names and values that are markup, formulas, control characters",
         source(make_csv(extra=STRANGE_NAMES)), 0, check=holds_strange_names),
    Case("numbers that are infinite, huge, tiny, mixed, written; a column without any",
         source(make_csv(extra=STRANGE_NUMBERS)), 0, check=holds_rows),
    Case("5,000 columns × 50 rows", make_wide(5_000, 50), 0, large=True,
         command=("validate", "t")),
    Case("1,000,000 categories", make_many_categories, 0, large=True, command=("validate", "t")),
    Case("a line of 200 MB", make_long_cell, 0, large=True, command=("validate", "t")),
]  # fmt: skip
CASES = [*SOURCES, *LABELS, *DECLARATIONS, *SUITES, *NAMES, *INITS, *SOUND]


def run_case(case: Case, home: Path) -> Outcome:
    """Write a case's input into an empty folder, run the command on it, tell what came of it."""
    case.make(home)
    start = time.perf_counter()
    code, out, error = (_run_apart if case.large else _run_here)(case, home)
    seconds = time.perf_counter() - start
    versions = [p for p in (home / "data/published").glob("*/*") if not p.is_symlink()]
    stopped = re.search(r"^.*✗.*$|The gate stopped.*", out, re.M)
    text = error.strip()
    if stopped and text.startswith("Nothing was published"):
        text = f"{stopped.group().strip()}\n{text}"
    return Outcome(code, text, len(versions), seconds)


def _run_here(case: Case, home: Path) -> tuple[int, str, str]:
    from contextlib import redirect_stderr, redirect_stdout

    from flows.cli import main

    before = Path.cwd()
    os.chdir(home)
    try:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as error:
            code = main(case.command)
    finally:
        os.chdir(before)
    return code, out.getvalue(), error.getvalue()


def _run_apart(case: Case, home: Path) -> tuple[int, str, str]:
    import resource

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))

    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *case.command], cwd=home, capture_output=True,
        text=True, errors="replace", preexec_fn=bound, timeout=PATIENCE, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def find_faults(case: Case, outcome: Outcome, home: Path) -> list[str]:
    """Say what is wrong with what came of a case; nothing, if all is as it is to be."""
    faults = []
    if outcome.code != case.code:
        faults.append(f"exit code {outcome.code}, not {case.code}")
    if "Traceback" in outcome.message or "an error of ours" in outcome.message:
        faults.append("a traceback")
    if outcome.published != case.publishes:
        faults.append("published" if outcome.published else "not published")
    if case.code != 0:
        if not re.match(FOUR_PARTS, outcome.message) and "Report:" not in outcome.message:
            faults.append("a message that has not four parts")
        if not re.search(case.says, outcome.message, re.S):
            faults.append(f"the message lacks {case.says!r}")
        if len(outcome.message) > 2000:
            faults.append(f"a message of {len(outcome.message)} characters")
    return faults


def main(pattern: str = "") -> int:
    """Run all cases whose name holds a text; print the table and the sums."""
    print("| case | exit code | message, first line | seconds |")
    print("|---|--:|---|--:|")
    wrong, tracebacks, published = 0, 0, 0
    chosen = [case for case in CASES if re.search(pattern, case.name)]
    for case in chosen:
        with tempfile.TemporaryDirectory() as folder:
            outcome = run_case(case, Path(folder))
            faults = find_faults(case, outcome, Path(folder))
            if case.code == 0 and not faults and case.check is not None:
                case.check(Path(folder))
            line = (outcome.message.splitlines() or ["published" if outcome.published else "read"])[
                0
            ]
            line = line.replace(folder, "").replace("|", r"\|")
        wrong += bool(faults)
        tracebacks += "a traceback" in faults
        published += case.code != 0 and outcome.published > 0
        note = f" **{'; '.join(faults)}**" if faults else ""
        print(f"| {case.name} | {outcome.code} | {line[:300]}{note} | {outcome.seconds:.1f} |",
              flush=True)  # fmt: skip
    print(f"\n{len(chosen)} cases, {wrong} not as they are to be, {tracebacks} tracebacks, "
          f"{published} published among the refused")  # fmt: skip
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
