"""Rows that are none: headers repeated among them, units below the header, totals, footnotes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sources.guesses import SetAside
from pipeline.sources.line_structure import SHOWN, Structure
from pipeline.sources.number_forms import match, match_plain, parse_numbers

SAMPLE = 500  # rows by which a column is told to be one of numbers
FEWEST_ROWS = 10  # by which a row may be told from the others
LEAST_NUMBERS = 0.9
TOTAL = (
    r"(?i)^\s*((grand|column|overall)[ -]?)?(sub-?)?(total|sum|summe|zwischensumme|gesamt|"
    r"insgesamt|average|mean|avg|mittelwert|durchschnitt|totale?s?|somme|moyenne|suma|totaal)\b.{0,30}$"
)
RULE = re.compile(r"-|[-=_:*+]{2,}")
CLOSE = 1e-6
MOST_TOTALS = 1_000  # rows named as totals; more of them are a category
MOST_LAST = 3  # rows that may be totals by any of their cells
MOST_BEHIND = 30  # padded rows behind the last one


def find_stray_rows(
    table: pa.Table, found: Structure, find_lines: Callable[[list[int]], list[int]]
) -> tuple[pa.Array | None, list[SetAside]]:
    """Find rows that hold no data.

    Parameters
    ----------
    table
        The rows, as text.
    found
        How their lines are to be read.
    find_lines
        Gives the lines of rows by their positions.

    Returns
    -------
    tuple
        Which rows to keep, None for all of them, and what was set aside.
    """
    if table.num_rows < 2 or table.num_columns < 2:
        return None, []
    reasons = dict.fromkeys(_find_blank(table), "blank")
    reasons |= dict.fromkeys(_find_repeated_headers(table, found), "header")
    if table.num_rows < FEWEST_ROWS:
        return _keep(table, found, reasons, find_lines)
    numeric = _find_numeric(table, reasons)
    first = [row for row in range(min(3, table.num_rows - 1)) if row not in reasons]
    for row in first[:2]:
        cells = _take(table, row)
        if all(RULE.fullmatch(cell) for cell in cells if cell) and (
            all(cells) or any(len(c) > 1 for c in cells)
        ):
            reasons[row] = "rule"
        elif _holds_units(table, row, numeric):
            reasons[row] = "units"
    reasons |= dict.fromkeys(_find_footnotes(table, reasons), "footer")
    reasons |= dict.fromkeys(_find_totals(table, numeric, reasons), "total")
    return _keep(table, found, reasons, find_lines)


def _keep(
    table: pa.Table,
    found: Structure,
    reasons: dict[int, str],
    find_lines: Callable[[list[int]], list[int]],
) -> tuple[pa.Array | None, list[SetAside]]:
    if not reasons or len(reasons) >= table.num_rows:
        return None, []
    keep = np.ones(table.num_rows, bool)
    keep[list(reasons)] = False
    rows = sorted(reasons)
    lines = find_lines(rows)
    lines += [0] * (len(rows) - len(lines))
    aside = [
        SetAside(line, found.delimiter.join(_take(table, row))[:SHOWN], reasons[row])
        for row, line in zip(rows, lines, strict=True)
    ]
    return pa.array(keep), aside


def _take(table: pa.Table, row: int) -> list[str]:
    return [(column[row].as_py() or "").strip() for column in table.columns]


def _find_repeated_headers(table: pa.Table, found: Structure) -> list[int]:
    """Find rows whose cells are the names of their columns."""
    names = found.header if len(found.header) == table.num_columns else table.column_names
    return _find_rows(table, [name.strip() for name in names])


def _find_blank(table: pa.Table) -> list[int]:
    """Find rows without a cell that holds anything."""
    return _find_rows(table, [""] * table.num_columns)


def _find_rows(table: pa.Table, cells: list[str]) -> list[int]:
    """Find the rows with these cells, blanks around them aside."""
    likely = pc.equal(pc.utf8_trim_whitespace(table.column(0)), cells[0])
    for column, cell in zip(table.columns[1:], cells[1:], strict=True):
        if not pc.any(likely).as_py():
            return []
        likely = pc.and_(likely, pc.equal(pc.utf8_trim_whitespace(column), cell))
    rows: list[int] = pc.indices_nonzero(likely).to_pylist()
    return rows


def _find_numeric(table: pa.Table, without: dict[int, str]) -> list[int]:
    """Find the columns of numbers, by rows behind the first few; codes and dates are none."""
    taken = [r for r in range(2, min(table.num_rows, SAMPLE + 2)) if r not in without]
    rows = table.take(pa.array(taken, pa.int64()))
    found = []
    for index, column in enumerate(rows.columns):
        cells = np.array([c.strip() for c in column.to_pylist() if c.strip()], dtype=object)
        if len(cells) == 0 or match(cells, r"^0[0-9]+$").any():
            continue
        like = match_plain(cells) | match(cells, r"^[-+(]?[€$£]?\s?[0-9][0-9.,' ]*[^0-9-/:]{0,6}$")
        if like.mean() >= LEAST_NUMBERS:
            found.append(index)
    return found


def _holds_units(table: pa.Table, row: int, numeric: list[int]) -> bool:
    """Tell whether a row has a word in every column of numbers, where no other row has one."""
    held = _take(table, row)
    cells = [held[index] for index in numeric]
    words = [cell for cell in cells if re.search(r"[^\W\d_]|[%°$€£]", cell)]
    if not words or any(re.fullmatch(r"[-+]?[\d.,]+", cell) for cell in cells):
        return False
    if len(words) < len(cells) - sum(not cell for cell in cells):
        return False
    below = range(row + 1, min(table.num_rows, row + 1 + SAMPLE))
    rest = table.take(pa.array(list(below), pa.int64()))
    return not any(
        pc.any(pc.equal(pc.utf8_trim_whitespace(rest.column(index)), cell)).as_py()
        for index, cell in zip(numeric, cells, strict=True)
        if cell
    )


def _find_footnotes(table: pa.Table, known: dict[int, str]) -> list[int]:
    """Find last rows that hold a text in the first cell and nothing else, as no other row does."""
    if table.num_columns < 3:
        return []
    found: list[int] = []
    for row in range(table.num_rows - 1, max(0, table.num_rows - 1 - MOST_BEHIND), -1):
        cells = _take(table, row)
        if known.get(row) == "blank":
            continue
        if not cells[0] or any(cells[1:]):
            break
        found.append(row)
    first = min(found, default=0)
    while first and known.get(first - 1) == "blank":
        first -= 1
    above = _take(table, first - 1) if first else []
    return found if sum(map(bool, above)) > 1 and len(found) < MOST_BEHIND else []


def _find_totals(table: pa.Table, numeric: list[int], known: dict[int, str]) -> list[int]:
    """Find rows that are named as totals and hold sums or means, or next to nothing else."""
    named = set()
    for column in table.columns[:2]:
        rows = pc.indices_nonzero(pc.match_substring_regex(column, TOTAL)).to_pylist()
        if len(rows) <= MOST_TOTALS:
            named |= {row for row in rows if row not in known}
    last = range(max(0, table.num_rows - MOST_LAST), table.num_rows)
    named |= {
        row
        for row in last
        if row not in known and any(re.match(TOTAL, cell) for cell in _take(table, row))
    }
    if not named or len(named) > table.num_rows / 4:
        return []
    data = np.ones(table.num_rows, bool)
    data[[*known, *named]] = False
    columns = [_Sums.of(table.column(index), data) for index in numeric]
    found: list[int] = []
    for row in sorted(named):
        filled = sum(bool(cell) for cell in _take(table, row))
        begin = found[-1] + 1 if found else 0
        sums = any(column.holds(row, start) for column in columns for start in {0, begin})
        if sums or (filled <= table.num_columns / 2 and row == table.num_rows - 1):
            found.append(row)
    return found


@dataclass(frozen=True, slots=True)
class _Sums:
    """The numbers of a column, with the sums of those above each row.

    Attributes
    ----------
    numbers
        Shape ``(n,)``.
    sums, sizes, extents
        Shape ``(n + 1,)``: of the rows of data before each, the sum, the number and the sum of the
        absolute values.
    """

    numbers: np.ndarray
    sums: np.ndarray
    sizes: np.ndarray
    extents: np.ndarray

    @classmethod
    def of(cls, column: pa.ChunkedArray, data: np.ndarray) -> _Sums:
        """Add up a column, over the rows that hold data."""
        texts = np.array([cell.strip() for cell in column.to_pylist()], dtype=object)
        numbers = parse_numbers(texts)
        usable = data & np.isfinite(numbers)
        values = np.where(usable, numbers, 0.0)
        parts = (values, usable.astype(np.int64), np.abs(values))
        return cls(numbers, *(np.append(0, np.cumsum(part)) for part in parts))

    def holds(self, row: int, start: int) -> bool:
        """Tell whether a row holds the sum or the mean of the rows from ``start`` up to it."""
        value, size = self.numbers[row], self.sizes[row] - self.sizes[start]
        if not np.isfinite(value) or size < 3:
            return False
        total = self.sums[row] - self.sums[start]
        close = CLOSE * max(1.0, float(self.extents[row] - self.extents[start])) + 0.006
        return bool(abs(total - value) <= close or abs(total / size - value) <= close)
