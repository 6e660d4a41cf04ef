"""Delimited text: encoding, delimiter, quotes and lines of another width than the header's."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv as pacsv

from pipeline.config.settings import IngestConfig
from pipeline.errors import SourceError, name_examples

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_CHARACTERS = 256_000
BLOCK = 1 << 20
# Whole questions of a survey are shorter; a name beyond this is data, or an open quote's catch.
MAX_NAME = 1_000
MAX_COLUMNS = 20_000
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
# What today's programs write; among old Macs' and DOS codecs the guess would often be wrong.
OTHER_CODECS = (
    "cp1251", "cp1253", "cp1255", "cp1256", "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949",
)  # fmt: skip
UNREADABLE = (".xls", ".xlsx", ".ods", ".json", ".jsonl", ".feather", ".sav", ".dta", ".pkl")


def read_csv(
    content: bytes, name: str, config: IngestConfig, malformed: list[str]
) -> tuple[pa.Table, dict[str, str]]:
    """Read delimited text as columns of text.

    Parameters
    ----------
    malformed
        Lines with another number of fields than the header are added to it.

    Returns
    -------
    tuple
        The table, and how it was read: format, encoding, delimiter.

    Raises
    ------
    SourceError
        If it is not text, not in the codec, empty, without a header, a quote is never closed, or a
        name is longer, or columns are more, than a table's are.
    """
    if name.lower().endswith(UNREADABLE):
        raise SourceError("ingest", f"{name} is not CSV or Parquet", "Save it as CSV or Parquet")
    text, encoding = _decode(content, name, config.encoding)
    text = text.lstrip("\r\n")
    if "\n" not in text:  # the ends of lines of old Macs
        text = text.replace("\r", "\n")
    if not text or text.isspace():
        raise SourceError("ingest", f"{name} is empty", "Give a file with a header and rows")
    sample = text[:SNIFFED_CHARACTERS]
    delimiter = _find_delimiter(sample) if config.delimiter == "auto" else config.delimiter
    _check_quotes(text, delimiter, name)
    header = _read_header(text, delimiter, name)
    if all(_is_number(cell) for cell in header):
        raise SourceError(
            "ingest", f"the first line of {name} holds only numbers ({name_examples(header)})",
            "Put a header with the columns' names before the data",
        )  # fmt: skip
    names = name_columns(header, name)
    content = (text if text.endswith("\n") else text + "\n").encode()
    # A line longer than a block needs one block for all: slower, but it can be read.
    for block in (BLOCK, min(len(content), 2**31 - 1)):
        try:
            table, aside = _parse_csv(content, delimiter, names, block)
            break
        except pa.ArrowInvalid as error:
            if block != BLOCK or "straddl" not in str(error):
                raise describe_damage(name, "CSV", error) from None
    malformed += aside
    return table, {"format": "csv", "encoding": encoding, "delimiter": delimiter}


def _parse_csv(
    content: bytes, delimiter: str, names: list[str], block: int
) -> tuple[pa.Table, list[str]]:
    """Parse UTF-8 text by pyarrow; also return the lines with another number of fields."""
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


def _walk_lines(text: str) -> Iterator[str]:
    """Give line after line with its end, without a second copy of the text."""
    return (line.group() for line in LINE.finditer(text))


def _read_header(text: str, delimiter: str, name: str) -> list[str]:
    """Read the first row, which may be quoted over several lines."""
    try:
        return next(csv.reader(_walk_lines(text), delimiter=delimiter))
    except csv.Error as error:
        limit = f"a name in it is longer than {csv.field_size_limit():,} characters"
        detail = limit if "field larger" in str(error) else str(error)
        raise SourceError(
            "ingest", f"the header of {name} can't be read: {detail}",
            "Put a header with the columns' names, in one line, before the data",
        ) from None  # fmt: skip


def _check_quotes(text: str, delimiter: str, name: str) -> None:
    """Refuse a quote that is never closed: all lines behind it would be one value."""
    if text.count('"') % 2 == 0:
        return
    lines, start = csv.reader(_walk_lines(text), delimiter=delimiter, strict=True), 1
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
            raise SourceError(
                "ingest", f"{name} is not text: it holds NUL bytes",
                "Give a CSV or Parquet file, or name its codec in ingest.encoding",
            )  # fmt: skip
        encoding = "utf-16" if marked else "utf-8-sig"
        try:
            return _check_text(content.decode(encoding), name), encoding.removesuffix("-sig")
        except UnicodeDecodeError:
            encoding = "utf-16" if marked else _guess_codec(content)
    try:
        text = content.decode(encoding)
        text.encode()  # some codecs make halves of characters
    except UnicodeDecodeError as error:
        raise SourceError(
            "ingest", f"byte {error.start} of {name} is not {encoding}",
            "Set ingest.encoding to the file's codec, say 'latin-1'",
        ) from None  # fmt: skip
    except UnicodeError as error:
        raise SourceError(
            "ingest", f"{name} can't be read as {name_examples([encoding])}: {str(error)[:80]}",
            "Set ingest.encoding to the file's codec, say 'latin-1'",
        ) from None  # fmt: skip
    except (LookupError, ValueError):
        raise SourceError(
            "ingest", f"there is no encoding {name_examples([encoding])}",
            "Correct ingest.encoding",
        ) from None  # fmt: skip
    # A byte order mark is no part of the first column's name, whatever codec was declared.
    return _check_text(text.removeprefix("\ufeff"), name), encoding


def _check_text(text: str, name: str) -> str:
    """Refuse NUL characters, which no program writes into a table."""
    found = text.find("\0")
    if found >= 0:
        line = text.count("\n", 0, found) + 1
        raise SourceError(
            "ingest",
            f"{name} holds {text.count(chr(0))} NUL characters, the first in line {line}",
            "Remove them, or set ingest.encoding: UTF-16 and UTF-32 have NUL bytes",
        )
    return text


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


def name_columns(header: list[str], source: str) -> list[str]:
    """Give a name to a column without one; refuse repeated and endless ones, and too many.

    Raises
    ------
    SourceError
        With the number of columns that are at fault, and the first few of their names.
    """
    if len(header) > MAX_COLUMNS:
        raise SourceError(
            "ingest",
            f"{source} has {len(header):,} columns, and a table may have {MAX_COLUMNS:,}: "
            f"{name_examples(header[:3])} …",
            "Set ingest.delimiter if they are none, or give fewer columns",
        )
    names = [cell.strip() or f"unnamed_{i}" for i, cell in enumerate(header, start=1)]
    endless = [column for column in names if len(column) > MAX_NAME]
    if endless:
        raise SourceError(
            "ingest",
            f"{len(endless)} of {len(names)} column names of {source} are longer than "
            f"{MAX_NAME:,} characters, up to {max(map(len, endless)):,}: {name_examples(endless)}",
            "Put a header with the columns' names before the data, or set ingest.delimiter",
        )
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


def describe_damage(name: str, kind: str, error: Exception) -> SourceError:
    """Make the error of a file that its reader refuses, in the reader's words.

    Parameters
    ----------
    name
        The file.
    kind
        What it was read as, such as CSV or gzip.
    error
        What the reader raised.

    Raises
    ------
    MemoryError
        If it was not the file that the reader failed for.
    """
    if isinstance(error, MemoryError) and kind != "Parquet":
        raise error
    detail = " ".join(str(error).split())[:200]
    return SourceError("ingest", f"{name} is not {kind}: {detail}", "Give an undamaged file")
