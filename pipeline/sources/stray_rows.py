"""Rows that are none: headers repeated among them, units below the header, totals, blank rows."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sources.guesses import SetAside
from pipeline.sources.line_structure import SHOWN, Structure
from pipeline.sources.number_forms import match, parse_numbers

SAMPLE = 500  # rows by which a column is told to be one of numbers
LEAST_NUMBERS = 0.9
MOST_TOTALS = 3  # last rows that may be totals
TOTAL = re.compile(
    r"(grand |sub-?|sum |column )?(total|sum|summe|gesamt|insgesamt|average|mean|avg|mittelwert|"
    r"totale?s?|somme|suma|totaal|count|anzahl)s?\b.*",
    re.I,
)
CLOSE = 1e-6
MANY = 50  # rows that repeat the header, beyond which nobody reads them by line


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
        Which rows to keep, None for all of them, and what was set aside. Blank rows are left out
        and not told.
    """
    if table.num_rows == 0 or table.num_columns < 2:
        return None, []
    reasons: dict[int, str] = {}
    for row in _find_repeated_headers(table, found):
        reasons[row] = "header"
    numeric = _find_numeric(table, set(reasons))
    for row in (0, 1):
        if row < table.num_rows - 1 and row not in reasons and _holds_units(table, row, numeric):
            reasons[row] = "units"
            break
    for row in _find_totals(table, numeric, reasons):
        reasons[row] = "total"
    blank = _find_blank(table)
    if not reasons and not len(blank):
        return None, []
    keep = np.ones(table.num_rows, bool)
    keep[[*reasons, *blank]] = False
    if not keep.any():
        return None, []
    rows = sorted(set(reasons) - set(blank))
    lines = find_lines(rows) or [0] * len(rows)
    aside = [
        SetAside(line, _join(table, row, found.delimiter), reasons[row])
        for row, line in zip(rows, lines, strict=False)
    ]
    return pa.array(keep), aside


def _join(table: pa.Table, row: int, delimiter: str) -> str:
    return delimiter.join(column[row].as_py() for column in table.columns)[:SHOWN]


def _find_repeated_headers(table: pa.Table, found: Structure) -> list[int]:
    """Find rows whose cells are the names of their columns."""
    names = found.header if len(found.header) == table.num_columns else table.column_names
    likely = pc.equal(pc.utf8_trim_whitespace(table.column(0)), names[0].strip())
    for index in range(1, table.num_columns):
        if not pc.any(likely).as_py():
            return []
        same = pc.equal(pc.utf8_trim_whitespace(table.column(index)), names[index].strip())
        likely = pc.and_(likely, same)
    rows: list[int] = pc.indices_nonzero(likely).to_pylist()
    return rows


def _find_blank(table: pa.Table) -> list[int]:
    """Find rows without a cell that holds anything."""
    empty = pc.equal(pc.utf8_trim_whitespace(table.column(0)), "")
    for index in range(1, table.num_columns):
        if not pc.any(empty).as_py():
            return []
        empty = pc.and_(empty, pc.equal(pc.utf8_trim_whitespace(table.column(index)), ""))
    rows: list[int] = pc.indices_nonzero(empty).to_pylist()
    return rows


def _find_numeric(table: pa.Table, without: set[int]) -> list[int]:
    """Find the columns of numbers, by rows behind the first two."""
    taken = [r for r in range(2, min(table.num_rows, SAMPLE + 2)) if r not in without]
    found = []
    rows = table.take(taken)
    for index, column in enumerate(rows.columns):
        cells = np.array([c for c in column.to_pylist() if c.strip()], dtype=object)
        if len(cells) and match(cells, r"^\s*[^A-Za-z]*[0-9]").mean() >= LEAST_NUMBERS:
            found.append(index)
    return found


def _holds_units(table: pa.Table, row: int, numeric: list[int]) -> bool:
    """Tell whether a row has a word in every column of numbers, where no other row has one."""
    cells = [table.column(index)[row].as_py().strip() for index in numeric]
    if not numeric or any(not cell or re.search(r"\d", cell.strip("0²³")) for cell in cells):
        return False
    words = [cell for cell in cells if re.search(r"[^\W\d_]|[%°$€£]", cell)]
    if len(words) < len(cells):
        return False
    below = range(row + 1, min(table.num_rows, row + 1 + SAMPLE))
    rest = table.take(list(below))
    repeats = [
        pc.sum(pc.equal(rest.column(index), table.column(index)[row])).as_py() or 0
        for index in numeric
    ]
    return max(repeats) == 0


def _find_totals(table: pa.Table, numeric: list[int], known: dict[int, str]) -> list[int]:
    """Find last rows that are named as totals and hold sums, or next to nothing else."""
    found = []
    for row in range(table.num_rows - 1, max(0, table.num_rows - 1 - MOST_TOTALS), -1):
        cells = [column[row].as_py().strip() for column in table.columns]
        named = next((cell for cell in cells if cell), "")
        filled = sum(bool(cell) for cell in cells)
        if not named:
            continue  # a blank row may stand between rows and totals
        if not TOTAL.fullmatch(named):
            break
        rest = [i for i in range(row) if known.get(i) is None]
        sums = any(_is_sum(table, index, row, rest) for index in numeric)
        if sums or filled <= max(2, table.num_columns / 2):
            found.append(row)
        else:
            break
    return found


def _is_sum(table: pa.Table, index: int, row: int, rest: list[int]) -> bool:
    """Tell whether a cell is the sum or the mean of those above it."""
    texts = np.array(table.column(index).to_pylist(), dtype=object)
    numbers = parse_numbers(texts)
    value, above = numbers[row], numbers[rest]
    above = above[np.isfinite(above)]
    if not np.isfinite(value) or len(above) < 3:
        return False
    scale = max(1.0, float(np.abs(above).sum()))
    near = max(CLOSE * scale, 0.51)
    return bool(abs(above.sum() - value) <= near or abs(above.mean() - value) <= CLOSE * scale)
