"""Containers: a file is what its first bytes say, whatever its name says."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from pipeline.config.settings import IngestConfig
from pipeline.errors import SourceError
from pipeline.sources import unpacking
from pipeline.sources.reading import SourceTable, read_source
from tests.reading.containers import pack_tar, pack_zip

PLAIN = "name,note,n\nÅsa,tea,1\nZoë,café,2\n"
TEXTS = {"name": ["Åsa", "Zoë"], "note": ["tea", "café"], "n": ["1", "2"]}
RECORDS = [{"name": "Åsa", "note": "tea", "n": 1}, {"name": "Zoë", "note": "café", "n": 2}]


def list_texts(table: SourceTable) -> dict[str, list[str]]:
    """Spread the distinct texts over the rows."""
    return {name: list(column.take(column.values)) for name, column in table.columns.items()}


def read(folder: Path, content: bytes | str, name: str) -> dict[str, list[str]]:
    """Write a file and read it."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list_texts(read_source(path, IngestConfig()))


def write_arrow(version: Callable[..., object]) -> bytes:
    """Write the table by a writer of Arrow."""
    sink = io.BytesIO()
    table = pa.table(TEXTS | {"n": [1, 2]})
    with version(sink, table.schema) as writer:  # type: ignore[attr-defined]
        writer.write_table(table)
    return sink.getvalue()


def write_parquet() -> bytes:
    """Write the table as Parquet."""
    sink = io.BytesIO()
    pq.write_table(pa.table(TEXTS), sink)
    return sink.getvalue()


BYTES = PLAIN.encode()
READ: dict[str, tuple[str, bytes]] = {
    "gzip": ("x.csv.gz", gzip.compress(BYTES)),
    "gzip named csv": ("x.csv", gzip.compress(BYTES)),
    "text named gzip": ("x.csv.gz", BYTES),
    "bzip2": ("x.csv.bz2", bz2.compress(BYTES)),
    "xz": ("x.csv.xz", lzma.compress(BYTES)),
    "zstd": ("x.csv.zst", pa.compress(BYTES, codec="zstd", asbytes=True)),
    "zip named csv": ("x.csv", pack_zip({"x.csv": PLAIN})),
    "zip of gzip": ("x.zip", pack_zip({"x.csv.gz": gzip.compress(BYTES)})),
    "zip with metadata": ("x.zip", pack_zip({"x.csv": PLAIN, "about.json": "{}"})),
    "tar": ("x.tar", pack_tar({"data/x.csv": BYTES, "data/._x.csv": b"\0mac"})),
    "tar.gz": ("x.tar.gz", gzip.compress(pack_tar({"x.csv": BYTES}))),
    "tgz": ("x.tgz", gzip.compress(pack_tar({"x.csv": BYTES}))),
    "parquet named csv": ("x.csv", write_parquet()),
    "text named parquet": ("x.parquet", BYTES),
    "text named xls": ("x.xls", BYTES.replace(b",", b"\t")),
    "feather": ("x.feather", write_arrow(pa.ipc.new_file)),
    "stream": ("x.arrow", write_arrow(pa.ipc.new_stream)),
    "json lines": ("x.jsonl", "\n".join(map(json.dumps, RECORDS)).encode()),
    "json lines named csv": ("x.csv", "\r\n".join(map(json.dumps, RECORDS)).encode()),
    "json records": ("x.json", json.dumps(RECORDS, indent=2).encode()),
    "json in UTF-16": ("x.json", json.dumps(RECORDS, ensure_ascii=False).encode("utf-16")),
    "json columns": ("x.json", json.dumps(TEXTS).encode()),
    "json of pandas": (
        "x.json", json.dumps({k: dict(enumerate(v)) for k, v in TEXTS.items()}).encode()
    ),
    "json split": (
        "x.json",
        json.dumps({"columns": ["name", "note", "n"], "index": [0, 1],
                    "data": [["Åsa", "tea", 1], ["Zoë", "café", 2]]}).encode(),
    ),
    "arff": (
        "x.arff",
        "% about\n\n@RELATION x\n@ATTRIBUTE name string\n@attribute 'note' {tea,café}\n"
        "@attribute \"n\" NUMERIC\n@DATA\n% first\n'Åsa',tea,1\n\"Zoë\", café ,2\n".encode(),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content"), READ.values(), ids=list(READ))
def test_the_same_table_is_read_from_any_container(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """What packs a table, and what its file is named, changes nothing in it."""
    assert read(tmp_path, content, name) == TEXTS


def write_sqlite(path: Path) -> bytes:
    """Write a database."""
    connection = sqlite3.connect(path / "made.db")
    connection.execute("create table t (a)")
    connection.commit()
    connection.close()
    return (path / "made.db").read_bytes()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
REFUSED: dict[str, tuple[bytes, str]] = {
    "xlsx": (pack_zip({"xl/workbook.xml": "", "_rels/.rels": ""}), "is an Excel file.*sheet as"),
    "docx": (pack_zip({"word/document.xml": ""}), "is a document of an office program"),
    "ods": (
        pack_zip({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "OpenDocument",
    ),
    "xls": (OLE, "is an old Excel file"),
    "pdf": (b"%PDF-1.7\n", "is a PDF document"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(64), "is a picture"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), r"is an HDF5 file.*read_hdf\('x.csv'\)"),
    "pickle": (pickle.dumps([1]), "is a pickle"),
    "lfs": (LFS, "x.csv is a Git LFS pointer, not the data. Run git lfs pull"),
    "page": (b"<!DOCTYPE html>\n<title>Log in</title>", "HTML page with the title 'Log in'.*sign"),
    "table in a page": (b"<html><table><tr><td>1</td></tr></table>", "HTML page that holds a tab"),
    "xml": (b'<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code></Error>', "XML.*NoSuchKey"),
    "server": (b"404: Not Found", "holds only what a server said: '404: Not Found'"),
    "error": (b'{"error": "rate limit", "code": 429}', 'one JSON object.*"code": 429'),
    "pages of rows": (b'{"count": 9, "results": [{"a": 1}]}', "rows may be in 'results'"),
    "nested": (b'[{"a": 1, "b": {"c": 2}}]', "column 'b' of x.csv holds objects"),
    "lists": (b'{"a": [1]}\n{"a": [2]}\n', "column 'a' of x.csv holds lists"),
    "cut json": (b'[{"a": 1}, {"a', "x.csv is not JSON.*undamaged"),
    "cut line": (b'{"a": 1}\n{"a', "line 2 of x.csv is not JSON"),
    "twice": (b'[{"a": 1, "a": 2}]', "repeats 'a'"),
    "sparse arff": (b"@relation x\n@attribute a numeric\n@data\n{0 1}\n", "sparse rows"),
    "two in a tar": (pack_tar({"a.csv": BYTES, "b.csv": BYTES}), "2 tables.*'a.csv', 'b.csv'"),
    "out of a tar": (pack_tar({"../a.csv": BYTES}), "lead out of it"),
    "cut xz": (lzma.compress(BYTES * 50)[:-20], "is not a readable file.*undamaged"),
    "cut arrow": (write_arrow(pa.ipc.new_file)[:-40], "is not Arrow.*undamaged"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "says"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_table_is_refused_by_what_it_is(
    tmp_path: Path, content: bytes, says: str
) -> None:
    """The name says CSV; the message says what the file is, and what to do."""
    with pytest.raises(SourceError, match=says):
        read(tmp_path, content, "x.csv")


def test_a_database_is_refused_with_the_call_that_exports_it(tmp_path: Path) -> None:
    """The call writes to another file than the source."""
    with pytest.raises(SourceError, match=r"x\.csv is an SQLite database.*sqlite3 .* > exported"):
        read(tmp_path, write_sqlite(tmp_path), "x.csv")


@pytest.mark.parametrize("name", ["PAR1", "ORCID", "BZh", '{"a"}', "[x]"])
def test_a_header_that_begins_like_a_container_is_a_header(tmp_path: Path, name: str) -> None:
    """Text is no container, whatever its first letters are."""
    content = f"{name},b\nu,1\nv,2\n"
    assert [*read(tmp_path, content, "x.csv").values()] == [["u", "v"], ["1", "2"]]


def test_numbers_of_json_keep_their_digits(tmp_path: Path) -> None:
    """A number is the text that it is; a key that a record lacks is a gap, as null is."""
    content = '{"id": 9007199254740993, "x": 1.10, "y": true}\n{"id": 2, "x": null}\n'
    assert read(tmp_path, content, "x.jsonl") == {
        "id": ["9007199254740993", "2"], "x": ["1.10", ""], "y": ["true", ""],
    }  # fmt: skip


def test_cells_of_arff_are_unquoted(tmp_path: Path) -> None:
    """A bare question mark is a gap; quotes and backslashes are no part of a value."""
    content = "@relation x\n@attribute 'a b' string\n@attribute c numeric\n@data\n"
    content += "'it\\'s, so',?\n'?',2\n?, 3\nO'Neil,4\n"
    assert read(tmp_path, content, "x.arff") == {
        "a b": ["it's, so", "?", "", "O'Neil"], "c": ["", "2", "3", "4"],
    }  # fmt: skip


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_bombs_are_refused_in_any_packing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    """What unpacks to far more than data do is refused before it is held whole."""
    monkeypatch.setattr(unpacking, "UNPACKED_FREELY", 1_000_000)
    with pytest.raises(SourceError, match="a bomb, or nearly empty"):
        read(tmp_path, pack(bytes(8_000_000)), "x.csv")
