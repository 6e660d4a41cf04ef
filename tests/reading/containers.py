"""Kind 13, what holds a table, or only looks as if it did."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.feather

from tests.reading.cases import Case, make_case
from tests.reading.parts import ROWS, make_plain, to_arrow, to_parquet
from tests.reading.tables import Table, make_shop, write_text

# Enough where the name of the file tells what it is.
SAVE = "Save it as CSV"


def list_cases() -> list[Case]:
    """List the cases of containers."""
    return [*_list_packed(), *_list_archives(), *_list_formats(), *_list_no_tables()]


def _list_packed() -> list[Case]:
    table = make_shop("packed")
    text = write_text(table).encode()
    zstd = pa.compress(text, codec="zstd", asbytes=True)
    forms: tuple[tuple[str, str, bytes, str], ...] = (
        ("gzip", "table.csv.gz", gzip.compress(text, mtime=0), "gzip"),
        ("bzip2", "table.csv.bz2", bz2.compress(text), "bzip2|bz2"),
        ("xz", "table.csv.xz", lzma.compress(text), "xz|lzma"),
        ("zstd", "table.csv.zst", zstd, "zstd|zst"),
        ("gzip_named_csv", "table.csv", gzip.compress(text, mtime=0), "gzip"),
        ("bzip2_named_csv", "table.csv", bz2.compress(text), "bzip2"),
        ("csv_named_gzip", "table.csv.gz", text, "gzip"),
        ("parquet_named_csv", "table.csv", to_parquet(to_arrow(table)), "parquet"),
        ("csv_named_parquet", "table.parquet", text, "parquet"),
        ("no_suffix", "table", text, ""),
        ("upper_suffix", "TABLE.CSV", text, ""),
    )
    return [
        make_case(f"packed_{name}", 13, content, table, file=file,
                  refusal=f"(?i){word}" if word else None, optional=bool(word))
        for name, file, content, word in forms
    ]  # fmt: skip


def _list_archives() -> list[Case]:
    table = make_shop("archives")
    text = write_text(table).encode()
    half = write_text(table.take(0, 60)).encode()
    one = {"table.csv": text}
    forms: tuple[tuple[str, str, bytes, str], ...] = (
        ("zip", "table.zip", pack_zip(one), ""),
        ("zip_with_readme", "table.zip", pack_zip({**one, "readme.md": b"About"}), ""),
        ("zip_in_a_folder", "table.zip", pack_zip({"data/table.csv": text}), ""),
        ("zip_of_mac", "table.zip", pack_zip({**one, "__MACOSX/._table.csv": b"\0mac"}), ""),
        ("zip_of_two_tables", "t.zip", pack_zip({"a.csv": text, "b.csv": half}), "a.csv.*b.csv"),
        ("tar", "table.tar", pack_tar(one), "tar"),
        ("tar_gz", "table.tar.gz", gzip.compress(pack_tar(one), mtime=0), "tar"),
        ("tar_bz2", "table.tar.bz2", bz2.compress(pack_tar(one)), "tar|bz2|bzip2"),
        ("zip_named_csv", "table.csv", pack_zip(one), "zip"),
    )
    return [
        make_case(f"archive_{name}", 13, content, table, file=file,
                  refusal=f"(?i){word}" if word else None, optional=bool(word))
        for name, file, content, word in forms
    ]  # fmt: skip


def pack_zip(files: Mapping[str, bytes | str]) -> bytes:
    """Make a zip."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # A fixed date, so that the same case has the same bytes.
            archive.writestr(zipfile.ZipInfo(name), content)
    return sink.getvalue()


def pack_tar(files: Mapping[str, bytes]) -> bytes:
    """Make a tar."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def _list_formats() -> list[Case]:
    """List formats of tables that are neither CSV nor Parquet."""
    table = make_plain("formats")
    rows = [dict(zip(table.header, _type_cells(table, i), strict=True)) for i in range(ROWS)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    feather = io.BytesIO()
    pyarrow.feather.write_feather(to_arrow(table), feather)
    columns = {n: [row[n] for row in rows] for n in table.header}
    forms: tuple[tuple[str, str, bytes, str], ...] = (
        ("xlsx", "table.xlsx", _write_xlsx(table), "xlsx|excel"),
        ("xlsx_named_csv", "table.csv", _write_xlsx(table), "xlsx|excel"),
        ("json_lines", "table.jsonl", lines.encode(), "json"),
        ("json_lines_named_ndjson", "table.ndjson", lines.encode(), "json"),
        ("json_records", "table.json", json.dumps(rows).encode(), "json"),
        ("json_columns", "table.json", json.dumps(columns).encode(), "json"),
        ("json_records_named_csv", "table.csv", json.dumps(rows, indent=1).encode(), "json"),
        ("feather", "table.feather", feather.getvalue(), "feather|arrow"),
        ("arff", "table.arff", _write_arff(table).encode(), "arff"),
        ("html_table", "table.html", _write_html(table).encode(), "html"),
        ("html_named_xls", "table.xls", _write_html(table).encode(), "xls|html|excel"),
        ("sqlite", "table.db", _write_sqlite(table), "sqlite"),
        ("sqlite_named_csv", "table.csv", _write_sqlite(table), "sqlite"),
    )
    return [
        make_case(f"format_{name}", 13, content, table, file=file, refusal=f"(?i){word}|{SAVE}",
                  optional=True)
        for name, file, content, word in forms
    ]  # fmt: skip


def _type_cells(table: Table, row: int) -> list[float | str]:
    """Give a row with numbers as numbers."""
    return [
        float(table.cells[name][row]) if column.kind == "number" else table.cells[name][row]
        for name, column in table.columns.items()
    ]


def _write_arff(table: Table) -> str:
    lines = ["% a comment", "@relation table", ""]
    for name, column in table.columns.items():
        names = sorted({str(v) for v in column.values})
        kind = {"number": "numeric", "time": '"date yyyy-MM-dd"'}.get(
            column.kind, "{" + ",".join(names) + "}"
        )
        lines.append(f"@attribute {name} {kind.strip(chr(34))}")
    return "\n".join([*lines, "", "@data", *write_text(table).split("\n")[1:]])


def _write_html(table: Table) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in record) + "</tr>\n"
        for record in table.records
    )
    head = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    return (
        "<!DOCTYPE html>\n<html><head><title>Export</title></head><body>\n<table>\n"
        f"<tr>{head}</tr>\n{rows}</table>\n</body></html>\n"
    )


def _write_sqlite(table: Table) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.db"
        connection = sqlite3.connect(path)
        marks = ", ".join("?" for _ in table.header)
        connection.execute(f"create table items ({', '.join(f'[{n}]' for n in table.header)})")
        connection.executemany(
            f"insert into items values ({marks})",
            [_type_cells(table, i) for i in range(ROWS)],
        )
        connection.commit()
        connection.close()
        return path.read_bytes()


def _write_xlsx(table: Table) -> bytes:
    """Write the least that a spreadsheet needs, with texts in their cells."""

    def write(cell: float | str) -> str:
        if isinstance(cell, float):
            return f"<c><v>{cell:.12g}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>'

    rows: list[list[float | str]] = [[*table.header]]
    rows += [_type_cells(table, i) for i in range(ROWS)]
    data = "".join("<row>" + "".join(write(c) for c in row) + "</row>" for row in rows)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
        'relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData>'
        "</worksheet>",
    }
    return pack_zip({name: (head + text).encode() for name, text in files.items()})


def _list_no_tables() -> list[Case]:
    """List files without a table: any reading is wrong, a refusal must say what they are."""
    table = make_shop("no tables")
    pointer = (
        "version https://git-lfs.github.com/spec/v1\n"
        "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
        "size 12345\n"
    )
    page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>Sign in</body></html>"
    denied = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>'
        "<Message>Access Denied</Message></Error>\n"
    )
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
    forms: tuple[tuple[str, str, bytes, str], ...] = (
        ("git_lfs_pointer", "table.csv", pointer.encode(), "lfs"),
        ("git_lfs_pointer_parquet", "table.parquet", pointer.encode(), "lfs"),
        ("page_to_sign_in", "table.csv", page.encode(), "html"),
        ("denied_by_a_bucket", "table.csv", denied.encode(), "xml|denied"),
        ("empty", "table.csv", b"", "empty"),
        ("header_only", "table.csv", b"a,b,grade\n", "0 rows|no rows"),
        ("old_excel", "table.xls", ole, "xls|excel"),
        ("old_excel_named_csv", "table.csv", ole, "excel|xls|ole"),
        ("pdf", "table.csv", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< >>\nendobj\n", "pdf"),
        ("pickle", "table.pkl", b"\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94.", "pkl|pickle"),
        ("picture", "table.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "png|picture"),
        ("hdf5", "table.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "hdf"),
        ("error_in_json", "table.csv", b'{"error": "rate limit", "code": 429}\n', "json"),
    )
    return [
        make_case(f"no_table_{name}", 13, content, table, file=file, refusal=f"(?i){word}|{SAVE}",
                  optional=True)
        for name, file, content, word in forms
    ]  # fmt: skip
