"""What the lines of delimited text are: its dialect, what stands before the header, the header.

Each part is found by what the other lines hold to: the delimiter and the quote by the number of
cells that most lines have, the header by being the first line of that number.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import Any

from pipeline.config.settings import IngestConfig
from pipeline.errors import SourceError, name_examples
from pipeline.sources.guesses import Guess, SetAside

DELIMITERS = (",", ";", "\t", "|")
RARE_DELIMITERS = ("^", "~", "\x01", " ", ":")  # only where none of the usual ones divides lines
SNIFFED_CHARACTERS = 256_000
SNIFFED_LINES = 2_000
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.I)
COMMENTS = ("#", "%", "//")
TYPOGRAPHIC = str.maketrans("\u201c\u201d", '""')
APART = re.compile(r'([,;|\t]) +"')
BLANKS = re.compile(r"(?<=\S) +(?=\S)")
ALL_BUT = 0.98  # share of lines with one number of words, from which blanks divide columns
MOST_BEFORE = 200  # lines that may stand before the header
LEAST_ALIKE = 0.8  # share of lines with one number of cells, from which it is that of the rows
SHOWN = 120  # characters of a line that is set aside


@dataclass(frozen=True, slots=True)
class Structure:
    """How the lines of a file are to be read.

    Attributes
    ----------
    quote, escape
        Empty where there is none.
    header
        The names, as they stand; one fewer than ``width`` where rows begin with their names.
    width
        Cells of a row.
    start
        Position in the text behind the header.
    line
        The line that the first row is in, counted from 1.
    comment
        How lines begin that are no rows; empty where there are none.
    begin, header_line
        Position in the text at the header, and its line.
    """

    delimiter: str
    quote: str
    escape: str
    header: list[str]
    width: int
    start: int
    line: int
    comment: str = ""
    guesses: list[Guess] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    begin: int = 0
    header_line: int = 1

    @property
    def dialect(self) -> dict[str, Any]:
        """The arguments of ``csv.reader``."""
        return make_dialect(self.delimiter, self.quote, self.escape)


def find_structure(text: str, config: IngestConfig, name: str) -> Structure:
    """Find the dialect of a text and its header.

    Parameters
    ----------
    text
        The whole file.
    config
        What is declared about it is not guessed.
    name
        Of the file, for messages.

    Raises
    ------
    SourceError
        If the header can't be read.
    """
    aside: list[SetAside] = []
    start, line = 0, 1
    delimiter = config.delimiter
    first = _take_line(text, 0)
    told = SEPARATOR.fullmatch(first.rstrip("\r\n"))
    if told:
        delimiter = told[1] if delimiter == "auto" else delimiter
        start, line = len(first), 2
    for _ in range(config.skip_lines or 0):
        skipped = _take_line(text, start)
        aside.append(SetAside(line, skipped.rstrip("\r\n")[:SHOWN], "before"))
        start, line = start + len(skipped), line + 1
    sample = text[start : start + SNIFFED_CHARACTERS]
    lines = [own for own in islice(walk_lines(sample), SNIFFED_LINES) if own]
    if len(lines) > 2 and len(sample) == SNIFFED_CHARACTERS:
        lines = lines[:-1]
    quote = {"auto": "", "none": ""}.get(config.quote, config.quote)
    if delimiter == "auto":
        delimiter = _find_delimiter(lines, quote or '"')
    escape = "" if config.escape == "none" else config.escape
    guesses: list[Guess] = []
    if config.quote == "auto":
        quote = _find_quote(lines, delimiter)
    if config.escape == "auto":
        escape = "\\" if _is_escaped(lines, delimiter, quote) else ""
    found = Structure(delimiter, quote, escape, [], 0, start, line, "", guesses, aside)
    return _find_header(text, found, lines, config, name)


def tidy_marks(text: str) -> str:
    """Write quotes as programs do: no typographic ones, and no blanks before them.

    Only where most lines have them so; what is within cells stays.
    """
    lines = [line for line in islice(walk_lines(text[:SNIFFED_CHARACTERS]), SNIFFED_LINES) if line]
    if sum(line.count("\u201c") > 1 for line in lines) > len(lines) / 2 and '"' not in text:
        text = text.translate(TYPOGRAPHIC)
    if sum(bool(APART.search(line)) for line in lines) > len(lines) / 2:
        text = APART.sub(r'\1"', text)
    blanks = [BLANKS.sub("\t", line.strip()) for line in lines if line.strip()]
    widths = Counter(line.count("\t") for line in blanks)
    if widths and not any(mark in lines[0] for mark in DELIMITERS):
        width, rows = widths.most_common(1)[0]
        if width and rows >= ALL_BUT * len(blanks) and any("  " in line for line in lines):
            text = re.sub(r"(?m)^[ ]+|[ ]+$", "", text)
            text = BLANKS.sub("\t", text)
    return text


def walk_lines(text: str, start: int = 0) -> Iterator[str]:
    """Give line after line with its end, without a second copy of the text."""
    return (found.group() for found in LINE.finditer(text, start))


def read_cells(lines: Iterable[str], dialect: dict[str, Any]) -> Iterator[list[str]]:
    """Read records until one breaks the rules of a dialect."""
    reader = csv.reader(lines, **dialect)
    while True:
        try:
            yield next(reader)
        except (StopIteration, csv.Error):
            return


def make_dialect(delimiter: str, quote: str, escape: str) -> dict[str, Any]:
    """Make the arguments of ``csv.reader``."""
    return {
        "delimiter": delimiter,
        "quotechar": quote or None,
        "quoting": csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        "escapechar": escape or None,
        "doublequote": not escape,
    }


def _take_line(text: str, start: int) -> str:
    found = LINE.match(text, start)
    return found.group() if found else ""


def _count_widths(lines: list[str], delimiter: str, quote: str, escape: str = "") -> Counter[int]:
    dialect = make_dialect(delimiter, quote, escape)
    return Counter(len(row) for row in read_cells(lines, dialect) if row)


def _find_delimiter(lines: list[str], quote: str) -> str:
    """Choose the delimiter that cuts most lines into the same number of cells, at least two."""
    best, best_score = ",", 0.0
    for delimiters, least in ((DELIMITERS, 0.0), (RARE_DELIMITERS, LEAST_ALIKE)):
        for delimiter, mark in product(delimiters, (quote, "")):
            widths = _count_widths(lines, delimiter, mark)
            width, rows = widths.most_common(1)[0] if widths else (1, 0)
            score = rows / max(1, sum(widths.values())) + min(width, 100) / 1000
            if width > 1 and score > max(best_score, least):
                best, best_score = delimiter, score
        if best_score:
            break
    return best


def _find_quote(lines: list[str], delimiter: str) -> str:
    """Find whether cells stand in double or in single quotes."""
    rows = [row for row in read_cells(lines, make_dialect(delimiter, "", "")) if row]
    cells = [cell.strip() for row in rows[1:] for cell in row if cell.strip()]
    single = sum(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in cells)
    double = sum(cell[0] == '"' for cell in cells)
    header = [cell.strip() for cell in rows[0]] if rows else []
    named = sum(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in header)
    if single > double and (named > len(header) / 2 or single > len(cells) / 2):
        return "'"
    return '"'


def _is_escaped(lines: list[str], delimiter: str, quote: str) -> bool:
    """Tell whether quotes or delimiters within cells have a backslash before them."""
    if any(f"\\{delimiter}" in line for line in lines):
        alike = []
        for escape in ("", "\\"):
            widths = _count_widths(lines, delimiter, quote, escape)
            alike.append(max(widths.values(), default=0))
        if alike[1] > alike[0]:
            return True
    if not quote or not any(f"\\{quote}" in line for line in lines):
        return False
    faults = [_count_faults(lines, delimiter, quote, escape) for escape in ("", "\\")]
    return faults[1] < faults[0]


def _count_faults(lines: list[str], delimiter: str, quote: str, escape: str) -> int:
    """Count lines that break the rules of a dialect."""
    dialect = make_dialect(delimiter, quote, escape) | {"strict": True}
    faults = 0
    for line in lines:
        try:
            for _ in csv.reader([line], **dialect):
                pass
        except csv.Error:
            faults += 1
    return faults


# The header


def _find_header(
    text: str, found: Structure, lines: list[str], config: IngestConfig, name: str
) -> Structure:
    """Find the header: the first record of as many cells as the rows have."""
    widths = _count_widths(lines, found.delimiter, found.quote, found.escape)
    wide, rows = widths.most_common(1)[0] if widths else (1, 0)
    total = sum(widths.values())
    records = _walk_records(text, found, name)
    first = next(records)
    if config.skip_lines is None and wide > 1 and rows >= LEAST_ALIKE * (total - MOST_BEFORE):
        head = [first, *islice(records, MOST_BEFORE + 3)]
        place = _find_place(head, wide)
    else:
        head = [first, *islice(records, 3)]
        place = next((i for i, record in enumerate(head) if record.cells), 0)
    header = head[place]
    cells = header.cells
    comment = config.comment or ""
    if not config.comment:
        starts = [r.cells[0].strip() for r in head[:place] if r.cells]
        comment = next((c for c in COMMENTS if any(s.startswith(c) for s in starts)), "")
    if cells and cells[0].startswith("#") and len(cells) == wide and wide > 1:
        cells = [cells[0].lstrip("# "), *cells[1:]]
    aside = [
        SetAside(record.line, record.text[:SHOWN], "comment" if comment and record.text.startswith(
            comment) else "before")
        for record in head[:place]
        if record.text.strip(f"{found.delimiter} \t")
    ]  # fmt: skip
    below = [record.cells for record in head[place + 1 :] if record.cells]
    guesses = list(found.guesses)
    if any(len([c for c in record.cells if c.strip()]) > 1 for record in head[:place]):
        guesses.append(
            Guess(
                "header", None, f"line {header.line} is read as the header",
                f"it is line {head[0].line}", f"{place} lines stand before it",
                change={"ingest.skip_lines": 0}, lines=[r.line for r in head[:place]][:5],
            )
        )  # fmt: skip
    width = len(cells)
    if wide == width + 1 and below and sum(len(row) == wide for row in below) > len(below) / 2:
        width = wide
    return replace(
        found, header=cells, width=width, start=header.end, line=header.after, comment=comment,
        guesses=guesses, set_aside=[*found.set_aside, *aside], begin=header.end - header.size,
        header_line=header.line,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Record:
    """A record with where it stands.

    Attributes
    ----------
    line, after
        The line that it begins in, and the one behind it.
    end, size
        Position in the text behind it, and its characters.
    """

    cells: list[str]
    text: str
    line: int
    after: int
    end: int
    size: int


def _walk_records(text: str, found: Structure, name: str) -> Iterator[_Record]:
    taken: list[str] = []

    def take() -> Iterator[str]:
        for line in walk_lines(text, found.start):
            taken.append(line)
            yield line

    line, end = found.line, found.start
    reader = csv.reader(take(), **found.dialect)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if end > found.start:
                return  # a row, which pyarrow may read
            limit = f"a name in it is longer than {csv.field_size_limit():,} characters"
            detail = limit if "field larger" in str(error) else str(error)
            raise SourceError(
                "ingest", f"the header of {name} can't be read: {detail}",
                "Put a header with the columns' names, in one line, before the data",
            ) from None  # fmt: skip
        size = sum(map(len, taken))
        end += size
        yield _Record(cells, "".join(taken).rstrip("\r\n"), line, line + len(taken), end, size)
        line += len(taken)
        taken.clear()


def _find_place(head: list[_Record], wide: int) -> int:
    """Find the place of the header among the first records."""
    for place, record in enumerate(head):
        filled = sum(bool(cell.strip()) for cell in record.cells)
        if filled == 0:
            continue
        fits = len(record.cells) in (wide, wide - 1) and (filled > 1 or wide <= 2)
        commented = record.text.lstrip().startswith(COMMENTS) and len(record.cells) != wide
        if not fits or commented:
            continue
        if all(is_number(cell) for cell in record.cells if cell.strip()):
            break  # a row: what is before it has to be the header
        if len(record.cells) == wide - 1 and not _has_row_names(head, place, wide):
            continue
        after = next((r for r in head[place + 1 :] if r.cells), None)
        if after is not None and _is_merged(record.cells, after.cells, head[place + 2 :]):
            continue
        return place
    return next((i for i, record in enumerate(head) if record.cells), 0)


def _has_row_names(head: list[_Record], place: int, wide: int) -> bool:
    """Tell whether all that follows has one cell more, as where rows begin with their names."""
    below = [record.cells for record in head[place + 1 :] if record.cells]
    return bool(below) and all(len(cells) == wide for cells in below[:3])


def _is_merged(cells: list[str], after: list[str], rest: list[_Record]) -> bool:
    """Tell whether a line of titles stands above the header: gaps in it, none below."""
    gaps = sum(not cell.strip() for cell in cells[1:])
    names = [cell.strip() for cell in after]
    if not gaps or len(after) != len(cells) or not all(names) or len(set(names)) < len(names):
        return False
    numbers = [sum(is_number(c) for c in record.cells) for record in rest[:5] if record.cells]
    return not any(is_number(cell) for cell in names) and bool(numbers) and min(numbers) > 0


def is_number(text: str) -> bool:
    """Tell whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_header(header: list[str], name: str) -> None:
    """Refuse a header that is a row.

    Raises
    ------
    SourceError
        If it holds only numbers.
    """
    if all(is_number(cell) for cell in header):
        raise SourceError(
            "ingest", f"the first line of {name} holds only numbers ({name_examples(header)})",
            "Put a header with the columns' names before the data",
        )  # fmt: skip
