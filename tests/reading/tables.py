"""Tables whose truth is known, and how they are written as delimited text."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import Any, Literal

import numpy as np
import pandas as pd

# Ellipsis: nobody can know this cell, so any value is right.
Value = float | str | pd.Timestamp | EllipsisType | None
Kind = Literal["number", "time", "category", "text", "label", "any"]
Quoting = Literal["needed", "texts", "all", "never"]
TOWNS = ("Zürich", "Genève", "Köln", "Århus", "Málaga")
# Codes with leading zeros have cases of their own: who loses the zeros would fail everywhere.
CODES = ("K17", "K420", "M1203", "M99", "R5310")


@dataclass(frozen=True)
class Column:
    """What is true of one column.

    Attributes
    ----------
    kind
        number and time: typed values; category: a few names to learn from; text: texts, learned
        from or not; label: the target's names; any: texts or numbers, as an identifier may be.
    values
        By row; None is missing.
    """

    kind: Kind
    values: Sequence[Value]


@dataclass(frozen=True)
class Table:
    """A table: what is true, and how each cell is written."""

    target: str
    columns: Mapping[str, Column]
    cells: Mapping[str, Sequence[str]]

    @property
    def header(self) -> list[str]:
        """The names of the columns."""
        return list(self.cells)

    @property
    def records(self) -> list[list[str]]:
        """The cells of each row."""
        return [list(row) for row in zip(*self.cells.values(), strict=True)]

    def rewrite(self, name: str, cells: Sequence[str]) -> Table:
        """Write a column otherwise; what is true stays."""
        return replace(self, cells={**self.cells, name: list(cells)})

    def spell(self, name: str, spell: Callable[[Any], str]) -> Table:
        """Write each value of a column by a function; a missing one stays as it was written."""
        pairs = zip(self.columns[name].values, self.cells[name], strict=True)
        return self.rewrite(name, [text if v is None else spell(v) for v, text in pairs])

    def put(self, name: str, column: Column, cells: Sequence[str] | None = None) -> Table:
        """Put a column in place of one, or add it; cells left out: its texts as they are."""
        written = [str(v) if v is not None else "" for v in column.values]
        target = name if column.kind == "label" else self.target
        return replace(
            self,
            target=target,
            columns={**self.columns, name: column},
            cells={**self.cells, name: list(written if cells is None else cells)},
        )

    def drop(self, *names: str) -> Table:
        """Leave columns out."""
        return replace(
            self,
            columns={n: c for n, c in self.columns.items() if n not in names},
            cells={n: c for n, c in self.cells.items() if n not in names},
        )

    def order(self, names: Sequence[str]) -> Table:
        """Put the columns into another order."""
        return replace(
            self,
            columns={n: self.columns[n] for n in names},
            cells={n: self.cells[n] for n in names},
        )

    def take(self, start: int, stop: int) -> Table:
        """Take some rows."""
        return replace(
            self,
            columns={
                n: Column(c.kind, list(c.values)[start:stop]) for n, c in self.columns.items()
            },
            cells={n: list(c)[start:stop] for n, c in self.cells.items()},
        )

    def rename(self, names: Mapping[str, str]) -> Table:
        """Give columns other names."""
        return replace(
            self,
            target=names.get(self.target, self.target),
            columns={names.get(n, n): c for n, c in self.columns.items()},
            cells={names.get(n, n): c for n, c in self.cells.items()},
        )


def make_rng(name: str) -> np.random.Generator:
    """Make the stream of random numbers that belongs to a name."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def draw_labels(
    signal: np.ndarray, rng: np.random.Generator, names: tuple[str, str] = ("good", "poor")
) -> Column:
    """Draw labels that depend on a signal, but not wholly."""
    noisy = signal + rng.normal(0, 0.5 * float(signal.std()), len(signal))
    return Column("label", [names[int(v < np.median(signal))] for v in noisy])


def make_shop(seed: str, rows: int = 120) -> Table:
    """Make a table of all usual kinds: a town, a price, a count, a day, a yes or no, a code."""
    rng = make_rng(seed)
    price = np.round(rng.gamma(4, 9, rows) + 1, 2)
    days = pd.to_datetime("2021-01-03") + pd.to_timedelta(np.sort(rng.integers(0, 500, rows)), "D")
    columns = {
        "town": Column("category", rng.choice(TOWNS, rows).tolist()),
        "price": Column("number", price.tolist()),
        "count": Column("number", rng.integers(0, 40, rows).astype(float).tolist()),
        "day": Column("time", list(days)),
        "member": Column("category", rng.choice(["yes", "no"], rows).tolist()),
        "code": Column("category", rng.choice(CODES, rows).tolist()),
        "grade": draw_labels(price, rng),
    }
    return Table("grade", columns, {name: write_plainly(c) for name, c in columns.items()})


def make_notes(seed: str, rows: int = 120) -> Table:
    """Make a table with a free text in the middle."""
    rng = make_rng(seed)
    score = np.round(rng.normal(0, 1, rows), 3)
    places = rng.choice(["depot", "harbour", "airport", "shop"], rows)
    columns = {
        "score": Column("number", score.tolist()),
        "note": Column("text", [f"parcel {i} left the {p}" for i, p in enumerate(places)]),
        "delay": Column("number", np.round(rng.gamma(4, 1.5, rows), 2).tolist()),
        "label": draw_labels(score, rng, ("pos", "neg")),
    }
    return Table("label", columns, {name: write_plainly(c) for name, c in columns.items()})


def make_pair(seed: str, column: Column, cells: Sequence[str], name: str = "x") -> Table:
    """Make a table around one column: a plain number beside it, and a label."""
    rng = make_rng(seed)
    rows = len(column.values)
    level = np.round(rng.normal(5, 2, rows), 1)
    columns = {
        name: column,
        "level": Column("number", level.tolist()),
        "y": draw_labels(level, rng, ("yes", "no")),
    }
    written = {n: write_plainly(c) for n, c in columns.items()} | {name: list(cells)}
    return Table("y", columns, written)


def write_plainly(column: Column) -> list[str]:
    """Write values as most programs do."""
    return [_write_value(value) for value in column.values]


def _write_value(value: Value) -> str:
    if value is None or isinstance(value, EllipsisType):
        return ""
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if value == value.normalize() else value.isoformat(" ")
    return value if isinstance(value, str) else f"{value:.12g}"


def write_lines(
    table: Table,
    delimiter: str = ",",
    *,
    quote: str = '"',
    quoting: Quoting = "needed",
    escape: str | None = None,
) -> list[str]:
    """Write a table as delimited lines, the header first.

    Parameters
    ----------
    escape
        What stands before a quote inside of a cell; left out: the quote is doubled.
    """
    is_text = [table.columns[n].kind not in ("number",) if n in table.columns else True
               for n in table.cells]  # fmt: skip

    def write(cell: str, text: bool) -> str:
        special = delimiter in cell or quote in cell or "\n" in cell or "\r" in cell
        wanted = quoting == "all" or (quoting == "texts" and text) or special
        if quoting == "never" or not wanted:
            return cell
        if escape is not None:
            return quote + cell.replace(escape, escape * 2).replace(quote, escape + quote) + quote
        return quote + cell.replace(quote, quote * 2) + quote

    rows = [delimiter.join(write(name, True) for name in table.cells)]
    return rows + [
        delimiter.join(write(cell, text) for cell, text in zip(record, is_text, strict=True))
        for record in table.records
    ]


def write_text(table: Table, delimiter: str = ",", **options: Any) -> str:
    """Write a table as delimited text."""
    return "\n".join(write_lines(table, delimiter, **options)) + "\n"
