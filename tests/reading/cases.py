"""What a case of the corpus is: a file as people have it, and what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.reading.tables import Column, Table

# In `report`: what must be named is not a column but lines or their structure.
LINES = "(lines)"


@dataclass(frozen=True)
class Case:
    """One file or folder and what is true of it.

    Attributes
    ----------
    kind
        The kind of the fault, 1 to 13, as the issue of real files counts them.
    write
        Writes it into a folder and returns its path.
    columns
        What is true, by the name that a column should have.
    alternatives
        Other readings of a column that are also right.
    report
        Columns, or ``LINES``, that must be named even where all values are right: something was
        left out, or could be read otherwise.
    open
        Whether a careful person could not know: asked and reported are then the best outcomes.
    refusal
        What the text of a good refusal matches; none: no refusal is good.
    optional
        Whether a good refusal is as right as reading it.
    clean
        Whether the table is ordinary, so that nothing should be guessed or suspected.
    """

    name: str
    kind: int
    write: Callable[[Path], Path]
    target: str
    columns: Mapping[str, Column]
    alternatives: Mapping[str, Sequence[Column]] = field(default_factory=dict)
    report: tuple[str, ...] = ()
    open: bool = False
    refusal: str | None = None
    optional: bool = False
    clean: bool = False

    @property
    def rows(self) -> int:
        """Number of rows that are true."""
        return len(self.columns[self.target].values)

    def accept(self, name: str) -> list[Column]:
        """List all readings of a column that are right."""
        return [self.columns[name], *self.alternatives.get(name, ())]


def make_case(
    name: str,
    kind: int,
    content: str | bytes,
    table: Table,
    *,
    file: str = "table.csv",
    encoding: str = "utf-8",
    **facts: Any,
) -> Case:
    """Make a case of one file.

    Parameters
    ----------
    content
        A text is encoded.
    table
        What is true of it.
    file
        The file's name.
    facts
        Further fields of the case.
    """
    packed = content.encode(encoding) if isinstance(content, str) else content
    write = partial(_write_files, file, {file: packed})
    return Case(name, kind, write, table.target, table.columns, **facts)


def make_folder_case(
    name: str, kind: int, files: Mapping[str, bytes], table: Table, **facts: Any
) -> Case:
    """Make a case of a folder of files, by their paths in it."""
    inside = {f"parts/{path}": content for path, content in files.items()}
    write = partial(_write_files, "parts", inside)
    return Case(name, kind, write, table.target, table.columns, **facts)


def _write_files(place: str, files: Mapping[str, bytes], folder: Path) -> Path:
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder / place
