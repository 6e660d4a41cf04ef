"""Delimited text as columns of text: what is a row, and which lines are none."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from pipeline.config.settings import IngestConfig
from pipeline.errors import SourceError, name_examples
from pipeline.sources.decoding import decode
from pipeline.sources.guesses import Guess, SetAside
from pipeline.sources.line_structure import (
    SHOWN,
    Structure,
    check_header,
    find_structure,
    is_number,
    read_cells,
    tidy_marks,
    walk_lines,
)
from pipeline.sources.stray_rows import find_stray_rows
from pipeline.sources.unseen import tell_names, tidy_name

BLOCK = 1 << 20
# Whole questions of a survey are shorter; a name beyond this is data, or an open quote's catch.
MAX_NAME = 1_000
MAX_COLUMNS = 20_000
SAMPLE = 1_000  # rows that the first line is compared with
MOST_QUOTES = 0.2  # quotes a line, up to which they may be parts of values
MOST_BEHIND = 30  # lines that may stand behind the rows
MOST_LINES = 5  # that are named
TRAILING = "unnamed_last"


@dataclass(frozen=True, slots=True)
class Delimited:
    """Delimited text, read.

    Attributes
    ----------
    table
        Its columns, all text.
    dialect
        How it was read: format, encoding, delimiter.
    malformed
        Lines with another number of cells than the header, as they stand.
    guesses
        What had to be guessed.
    set_aside
        Lines that are no rows.
    """

    table: pa.Table
    dialect: dict[str, str]
    malformed: list[str] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)


def read_csv(content: bytes, name: str, config: IngestConfig) -> Delimited:
    """Read delimited text as columns of text.

    Raises
    ------
    SourceError
        If it is not text, not in the codec, empty, without a header, a quote is never closed or
        swallows rows, or a name is longer, or columns are more, than a table's are.
    """
    text, encoding, guesses = decode(content, name, config.encoding)
    if "\n" not in text:  # the ends of lines of old Macs
        text = text.replace("\r", "\n")
    if not text or text.isspace():
        raise SourceError("ingest", f"{name} is empty", "Give a file with a header and rows")
    text = tidy_marks(text)
    found = find_structure(text, config, name)
    read = _read_body(text, found, config, name)
    lines = _find_swallowed(text, found, read)
    if lines and config.quote == "auto" and _are_rare(text[found.begin :], found.quote):
        plain = find_structure(text, config.model_copy(update={"quote": "none"}), name)
        again = _read_body(text, plain, config, name)
        if len(again.malformed) > config.max_malformed * (again.table.num_rows + 1):
            raise _refuse_open_quotes(lines, name)
        named = ", ".join(map(str, lines[:MOST_LINES]))
        guess = Guess(
            "quotes", None, "quotes are parts of values",
            "they enclose cells of many lines",
            f"line {named}: a quote opens a cell that is closed many rows later",
            change={"ingest.quote": '"'}, lines=lines[:MOST_LINES],
        )  # fmt: skip
        read = replace(again, guesses=[*again.guesses, guess])
    elif lines:
        raise _refuse_open_quotes(lines, name)
    return replace(
        read,
        dialect={"format": "csv", "encoding": encoding, "delimiter": found.delimiter},
        guesses=[*guesses, *tell_names(found.header), *read.guesses],
    )


def _are_rare(text: str, quote: str) -> bool:
    """Tell whether few lines hold a quote, so that quotes may be parts of values."""
    lines = text.count("\n") + 1
    return quote not in next(walk_lines(text)) and text.count(quote) <= MOST_QUOTES * lines


def _refuse_open_quotes(lines: list[int], name: str) -> SourceError:
    one = len(lines) == 1
    named = ", ".join(map(str, lines[:MOST_LINES]))
    return SourceError(
        "ingest",
        f"{'a quote that opens' if one else f'{len(lines)} quotes that open'} in line {named} of "
        f"{name} {'is' if one else 'are'} never closed",
        "Close it, double quotes that belong to a value, or set ingest.quote: none",
    )


def _read_body(text: str, found: Structure, config: IngestConfig, name: str) -> Delimited:
    """Read what is behind the header."""
    check_header(found.header, name)
    names = name_columns(found.header, name)
    if found.width > len(names):
        names = [*names, TRAILING]
    end, behind = _find_end(text, found, config)
    body = text[found.start : end]
    content = (body if body.endswith("\n") or not body else body + "\n").encode()
    # A line longer than a block needs one block for all: slower, but it can be read.
    for block in (BLOCK, max(BLOCK + 1, min(len(content), 2**31 - 1))):
        try:
            table, aside = _parse_csv(content, found, names, block)
            break
        except pa.ArrowInvalid as error:
            if block != BLOCK or "straddl" not in str(error):
                raise describe_damage(name, "CSV", error) from None
    _refuse_row_as_header(table, found, name)
    comment = found.comment
    commented = [row for row in aside if comment and row.lstrip().startswith(comment)]
    malformed = [row for row in aside if not (comment and row.lstrip().startswith(comment))]
    table = _name_rows(table, found)
    keep, stray = find_stray_rows(table, found, lambda rows: _find_lines(text, found, rows))
    if keep is not None:
        table = table.filter(keep)
    set_aside = [
        *found.set_aside, *(SetAside(0, row[:SHOWN], "comment") for row in commented), *stray,
        *behind,
    ]  # fmt: skip
    return Delimited(table, {}, malformed, list(found.guesses), set_aside)


def _refuse_row_as_header(table: pa.Table, found: Structure, name: str) -> None:
    """Refuse a first line that holds numbers, and words that its columns hold below."""
    cells = [cell.strip() for cell in found.header]
    if not any(is_number(cell) for cell in cells):
        return
    rows = table.slice(0, SAMPLE)
    for cell, column in zip(cells, rows.columns, strict=False):
        if cell and not is_number(cell) and pc.any(pc.equal(column, cell)).as_py():
            raise SourceError(
                "ingest",
                f"the first line of {name} is a row and no header: {name_examples([cell])} is a "
                "value of its column",
                "Put a header with the columns' names before the data",
            )


def _name_rows(table: pa.Table, found: Structure) -> pa.Table:
    """Settle a cell more than there are names: nothing behind a last delimiter, or rows' names."""
    names = table.column_names
    last = table.column(len(names) - 1)
    unnamed = names[-1] == TRAILING or not found.header[-1].strip()
    if unnamed and len(names) > 1 and not pc.any(pc.not_equal(last, "")).as_py():
        return table.drop_columns([names[-1]])
    if names[-1] == TRAILING:
        return table.rename_columns(["unnamed_1", *names[:-1]])
    return table


def _parse_csv(
    content: bytes, found: Structure, names: list[str], block: int
) -> tuple[pa.Table, list[str]]:
    """Parse UTF-8 text by pyarrow; also return the lines with another number of fields."""
    malformed: list[str] = []
    if not content:
        return pa.table({column: pa.array([], pa.string()) for column in names}), malformed

    def set_aside(row: pacsv.InvalidRow) -> str:
        # A stray quote may join many lines into one row: each of them counts.
        malformed.extend((row.text or f"{row.actual_columns} fields").splitlines())
        return "skip"

    table = pacsv.read_csv(
        pa.BufferReader(content),
        read_options=pacsv.ReadOptions(column_names=names, block_size=block),
        parse_options=pacsv.ParseOptions(
            delimiter=found.delimiter,
            quote_char=found.quote or False,
            double_quote=not found.escape,
            escape_char=found.escape or False,
            newlines_in_values=bool(found.quote) and found.quote.encode() in content,
            invalid_row_handler=set_aside,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={column: pa.string() for column in names}, strings_can_be_null=False
        ),
    )
    return table, malformed


def _find_end(text: str, found: Structure, config: IngestConfig) -> tuple[int, list[SetAside]]:
    """Find where the rows end: lines behind them have another number of cells, or are declared."""
    if config.footer == 0 or found.width < 2:
        return len(text), []
    end = len(text.rstrip("\r\n"))
    behind: list[str] = []
    most = config.footer or MOST_BEHIND
    while len(behind) < most and end > found.start:
        begin = max(text.rfind("\n", found.start, end) + 1, found.start)
        line = text[begin:end].rstrip("\r")
        if config.footer is None and line.strip():
            if found.quote and line.count(found.quote) % 2:
                break
            cells = next(read_cells([line], found.dialect), [])
            if len(cells) >= found.width:
                break
        if line.strip():
            behind.append(line)
        end = max(begin - 1, found.start)
    if len(behind) >= MOST_BEHIND and config.footer is None:
        return len(text), []  # the rows themselves are not what the header says
    if not behind:
        return len(text), []
    first = text.count("\n", 0, end) + 2
    lines = [SetAside(first + i, t[:SHOWN], "footer") for i, t in enumerate(reversed(behind))]
    return end, lines


def _find_lines(text: str, found: Structure, rows: list[int]) -> list[int]:
    """Find the lines that rows stand in, by their positions among the rows read; both ascend."""
    lines: list[int] = []
    wanted = iter(rows)
    row = next(wanted, None)
    line, position = found.line, 0
    reader = csv.reader(walk_lines(text, found.start), **found.dialect)
    before = 0
    while row is not None:
        try:
            cells = next(reader)
        except (StopIteration, csv.Error):
            break
        if len(cells) == found.width:
            if position == row:
                lines.append(line + before)
                row = next(wanted, None)
            position += 1
        before = reader.line_num
    return lines


def _find_swallowed(text: str, found: Structure, read: Delimited) -> list[int]:
    """Find the lines whose quote encloses rows: cells of lines that have a row's delimiters each.

    A quote that is never closed is such a one too.
    """
    quote = found.quote
    if not quote or quote not in text:
        return []  # no cell holds the end of a line
    if read.table.num_columns < 2:
        return _find_open_quote(text, found)
    rows: set[int] = set()
    for column in read.table.columns:
        many = pc.match_substring(column, "\n")
        if not pc.any(many).as_py():
            continue
        for row in pc.indices_nonzero(many).to_pylist():
            inner = column[row].as_py().splitlines()[1:-1]
            like = sum(line.count(found.delimiter) == found.width - 1 for line in inner)
            if like and like >= len(inner) / 2:
                rows.add(row)
    lines = _find_lines(text, found, sorted(rows)) if rows else []
    return lines or _find_open_quote(text, found)


def _find_open_quote(text: str, found: Structure) -> list[int]:
    """Find the line of a quote that is never closed, or by the quote of another value."""
    quote = found.quote
    if not quote or text.count(quote, found.begin) % 2 == 0:
        return []
    dialect = found.dialect | {"strict": True}
    lines, start = csv.reader(walk_lines(text, found.begin), **dialect), 0
    try:
        for _ in lines:
            start = lines.line_num
    except csv.Error:  # it is open at the end, too long, or closed within a value
        return [found.header_line + start]
    return []


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
    names = [tidy_name(cell) or f"unnamed_{i}" for i, cell in enumerate(header, start=1)]
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
