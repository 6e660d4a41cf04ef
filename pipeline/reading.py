"""Sources as they come: CSV in any common dress, Parquet, compressed or not, to columns of text.

Every column is read as text and dictionary-encoded: what follows (missing values, roles, hashes,
numbers) looks at each distinct text once, however many rows there are.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import IngestConfig
from pipeline.errors import SourceError, name_examples

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_CHARACTERS = 256_000
BLOCK = 1 << 20
# What today's programs write; among old Macs' and DOS codecs the guess would often be wrong.
OTHER_CODECS = (
    "cp1251", "cp1253", "cp1255", "cp1256", "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949",
)  # fmt: skip
TABLES = (".csv", ".tsv", ".txt", ".data", ".parquet", ".pq")
UNREADABLE = (".xls", ".xlsx", ".ods", ".json", ".jsonl", ".feather", ".sav", ".dta", ".pkl")


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of trimmed texts, dictionary-encoded.

    Attributes
    ----------
    codes
        Shape ``(n,)``, int32: the position of each row's text in ``values``.
    values
        Shape ``(distinct,)``, object: the distinct texts; a null of the source is ``""``.
    counts
        Shape ``(distinct,)``, int64: rows with each text.
    """

    name: str
    codes: np.ndarray
    values: np.ndarray
    counts: np.ndarray

    def take(self, per_value: np.ndarray) -> np.ndarray:
        """Spread a result for each distinct text over the rows."""
        spread: np.ndarray = per_value[self.codes]
        return spread


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A source, read whole.

    Attributes
    ----------
    columns
        By name, in the source's order.
    rows
        Number of rows.
    malformed
        Lines with another number of fields than the header, as they stand.
    dress
        How the source was read: format, encoding, delimiter.
    """

    columns: dict[str, TextColumn]
    rows: int
    malformed: list[str]
    dress: dict[str, str]


def read_source(path: Path, config: IngestConfig) -> SourceTable:
    """Read a CSV or Parquet source.

    Parameters
    ----------
    path
        A file (``.csv``, ``.tsv``, ``.parquet``, each also as ``.gz`` or alone in a ``.zip``), or a
        folder of Parquet or CSV partitions.

    Raises
    ------
    SourceError
        If the source can't be found, opened, decoded or parsed, has no header, repeats a column
        name, or has more malformed lines than ``ingest.max_malformed`` allows.
    """
    if not path.exists():
        raise SourceError("ingest", f"the source {path} was not found", "Correct its path")
    malformed: list[str] = []
    if path.is_dir():
        table, dress = _read_folder(path, config, malformed)
    else:
        content, name = _unpack(path)
        table, dress = _read_table(content, name, config, malformed)
    total = table.num_rows + len(malformed)
    if table.num_rows == 0:
        raise SourceError("ingest", f"{path.name} has 0 rows", "Give a source with rows")
    if len(malformed) > config.max_malformed * total:
        raise SourceError(
            "ingest",
            f"{len(malformed)} of {total} lines of {path.name} have another number of fields than "
            f"the header ({table.num_columns}): {name_examples(malformed)}",
            "Set ingest.delimiter, correct the lines, or raise ingest.max_malformed",
        )
    columns = {
        name: _encode_column(name, column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return SourceTable(columns, table.num_rows, malformed, dress)


def _read_folder(
    path: Path, config: IngestConfig, malformed: list[str]
) -> tuple[pa.Table, dict[str, str]]:
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
    kinds = sorted({file.suffix.lower() for file in files})
    if kinds and {*kinds} <= {".parquet", ".pq"}:
        table = _read_partitions(path)
        return _as_text(table, path.name), {"format": "parquet", "files": str(len(files))}
    if kinds and {*kinds} <= {".csv", ".tsv", ".gz"}:
        parts = [_read_table(*_unpack(file), config, malformed) for file in files]
        names = {tuple(table.column_names) for table, _ in parts}
        if len(names) > 1:
            raise SourceError(
                "ingest", f"the files in {path.name} have {len(names)} different headers",
                "Give files with one header",
            )  # fmt: skip
        return pa.concat_tables([t for t, _ in parts]), parts[0][1] | {"files": str(len(files))}
    raise SourceError(
        "ingest",
        f"the folder {path.name} holds {len(files)} files, of the kinds {name_examples(kinds)}",
        "Give a folder of CSV files or of Parquet partitions, nothing else in it",
    )


def _read_partitions(path: Path) -> pa.Table:
    """Read Parquet partitions; a type or column that only some of them have is made to fit."""
    import pyarrow.dataset as ds

    try:
        found = ds.dataset(path, format="parquet", partitioning="hive")
        # A partition without a gap holds integers where the next one holds floats.
        parts = [part.physical_schema for part in found.get_fragments()]
        schema = pa.unify_schemas([*parts, found.schema], promote_options="permissive")
        whole = ds.dataset(path, schema=schema, format="parquet", partitioning="hive")
        return whole.to_table()
    except (pa.ArrowException, OSError) as error:
        raise _unparsable(path.name, "Parquet", error) from None


def _unpack(path: Path) -> tuple[bytes, str]:
    """Return the content of a file and the name that tells its kind, unpacked if need be."""
    name = path.name
    try:
        if path.suffix.lower() == ".gz":
            return gzip.decompress(path.read_bytes()), path.stem
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [
                    item for item in archive.namelist()
                    if item.lower().endswith(TABLES) and not item.startswith("__MACOSX")
                ]  # fmt: skip
                if len(members) != 1:
                    raise SourceError(
                        "ingest", f"{name} holds {len(members)} tables: {name_examples(members)}",
                        "Give a zip with exactly one CSV or Parquet file",
                    )  # fmt: skip
                return archive.read(members[0]), members[0]
        return path.read_bytes(), name
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise _unparsable(name, "a readable file", error) from None


def _read_table(
    content: bytes, name: str, config: IngestConfig, malformed: list[str]
) -> tuple[pa.Table, dict[str, str]]:
    if content[:4] == b"PAR1" or name.lower().endswith((".parquet", ".pq")):
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(pa.BufferReader(content))
        except (pa.ArrowException, OSError) as error:
            raise _unparsable(name, "Parquet", error) from None
        return _as_text(table, name), {"format": "parquet"}
    return _read_csv(content, name, config, malformed)


def _read_csv(
    content: bytes, name: str, config: IngestConfig, malformed: list[str]
) -> tuple[pa.Table, dict[str, str]]:
    if name.lower().endswith(UNREADABLE):
        raise SourceError("ingest", f"{name} is not CSV or Parquet", "Save it as CSV or Parquet")
    text, encoding = _decode(content, name, config.encoding)
    text = text.lstrip("\r\n")
    if "\n" not in text:  # the ends of lines of old Macs
        text = text.replace("\r", "\n")
    if not text.strip():
        raise SourceError("ingest", f"{name} is empty", "Give a file with a header and rows")
    sample = text[:SNIFFED_CHARACTERS]
    delimiter = _find_delimiter(sample) if config.delimiter == "auto" else config.delimiter
    _check_quotes(text, delimiter, name)
    header = next(csv.reader(io.StringIO(sample), delimiter=delimiter))
    if all(_is_number(cell) for cell in header):
        raise SourceError(
            "ingest", f"the first line of {name} holds only numbers ({name_examples(header)})",
            "Put a header with the columns' names before the data",
        )  # fmt: skip
    names = _name_columns(header, name)
    content = (text if text.endswith("\n") else text + "\n").encode()
    try:
        table, aside = _parse_csv(content, delimiter, names, BLOCK)
    except pa.ArrowInvalid as error:
        if "straddl" not in str(error):
            raise _unparsable(name, "CSV", error) from None
        # A line longer than a block: as slow as one thread, but it can be read.
        table, aside = _parse_csv(content, delimiter, names, min(len(content), 2**31 - 1))
    malformed += aside
    return table, {"format": "csv", "encoding": encoding, "delimiter": delimiter}


def _parse_csv(
    content: bytes, delimiter: str, names: list[str], block: int
) -> tuple[pa.Table, list[str]]:
    """Parse UTF-8 text by pyarrow; also return the lines with another number of fields."""
    import pyarrow.csv as pacsv

    malformed: list[str] = []

    def set_aside(row: pacsv.InvalidRow) -> str:
        # A stray quote may join many lines into one row: each of them counts.
        malformed.extend((row.text or f"{row.actual_columns} fields").splitlines())
        return "skip"

    # A header that is quoted over several lines is read as one row, so rows are skipped by names.
    table = pacsv.read_csv(
        pa.BufferReader(content),
        read_options=pacsv.ReadOptions(
            column_names=names, skip_rows_after_names=1, block_size=block
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=b'"' in content,
            invalid_row_handler=set_aside,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={column: pa.string() for column in names}, strings_can_be_null=False
        ),
    )
    return table, malformed


def _check_quotes(text: str, delimiter: str, name: str) -> None:
    """Refuse a quote that is never closed: all lines behind it would be one value."""
    if text.count('"') % 2 == 0:
        return
    lines, start = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True), 1
    try:
        for _ in lines:
            start = lines.line_num + 1
    except csv.Error as error:
        if "end of data" in str(error) or "field larger" in str(error):
            raise SourceError(
                "ingest", f"a quote that opens in line {start} of {name} is never closed",
                "Close it, or double quotes that belong to a value",
            ) from None  # fmt: skip


def _decode(content: bytes, name: str, encoding: str) -> tuple[str, str]:
    """Decode by the declared codec, a byte order mark, UTF-8, or the likeliest 8-bit codec."""
    if encoding == "auto":
        marked = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        if b"\0" in content[:4096] and not marked:
            raise SourceError("ingest", f"{name} is not text", "Give a CSV or Parquet file")
        encoding = "utf-16" if marked else "utf-8-sig"
        try:
            return content.decode(encoding), encoding.removesuffix("-sig")
        except UnicodeDecodeError:
            encoding = _guess_codec(content)
    try:
        return content.decode(encoding), encoding
    except LookupError:
        raise SourceError(
            "ingest", f"there is no encoding {encoding!r}", "Correct ingest.encoding"
        ) from None
    except UnicodeDecodeError as error:
        raise SourceError(
            "ingest", f"byte {error.start} of {name} is not {encoding}",
            "Set ingest.encoding to the file's codec, say 'latin-1'",
        ) from None  # fmt: skip


def _guess_codec(content: bytes) -> str:
    """Guess the codec of a text that is not UTF-8."""
    runs = re.findall(rb"[\x80-\xff]+", content[:SNIFFED_CHARACTERS])
    # Western texts have single accented letters among plain ones; other scripts have whole words,
    # which are what a guess by frequencies needs.
    if sum(map(len, runs)) < 1.5 * len(runs):
        undefined = re.search(rb"[\x81\x8d\x8f\x90\x9d]", content)
        return "latin-1" if undefined else "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(content[:SNIFFED_CHARACTERS], cp_isolation=list(OTHER_CODECS)).best()
    return best.encoding if best is not None else "latin-1"


def _find_delimiter(sample: str) -> str:
    """Choose the delimiter that cuts most lines into the same number of fields, at least two."""
    best, best_score = ",", 0.0
    lines = sample.splitlines()
    lines = lines[:-1] if len(lines) > 2 else lines
    for delimiter in DELIMITERS:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        except csv.Error:
            continue
        width, rows = widths.most_common(1)[0] if widths else (1, 0)
        score = rows / max(1, sum(widths.values())) + min(width, 100) / 1000
        if width > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _name_columns(header: list[str], source: str) -> list[str]:
    """Give a name to a column without one, and refuse repeated ones."""
    names = [cell.strip() or f"unnamed_{i}" for i, cell in enumerate(header, start=1)]
    repeated = [column for column, count in Counter(names).items() if count > 1]
    if repeated:
        raise SourceError(
            "ingest", f"{len(repeated)} column names of {source} occur more than once: "
            f"{name_examples(repeated)}", "Give each column its own name",
        )  # fmt: skip
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_text(table: pa.Table, source: str) -> pa.Table:
    """Turn the typed columns of a Parquet table into text that parses back to the same values."""
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
            column = column.cast(kind)
        if pa.types.is_nested(kind) or "binary" in str(kind):
            raise SourceError(
                "ingest", f"column '{name}' holds values of the type {kind}",
                "Flatten the column, or leave it out of the file",
            )  # fmt: skip
        columns.append(column.cast(pa.string()))
    return pa.table(columns, names=_name_columns(list(map(str, table.column_names)), source))


def _encode_column(name: str, column: pa.ChunkedArray) -> TextColumn:
    trimmed = pc.utf8_trim_whitespace(pc.fill_null(column, ""))
    encoded = trimmed.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    values = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return TextColumn(name, codes, values, np.bincount(codes, minlength=len(values)))


def _unparsable(name: str, kind: str, error: Exception) -> SourceError:
    detail = " ".join(str(error).split())[:200]
    return SourceError("ingest", f"{name} is not {kind}: {detail}", "Give an undamaged file")
