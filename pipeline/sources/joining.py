"""Parts of one table, each read by itself, joined by the names of their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from pipeline.errors import SourceError, name_examples, write_count
from pipeline.sources.delimited import Delimited
from pipeline.sources.guesses import Guess

LEAST_SHARED = 0.5  # of the narrowest part's columns, those that other parts have too


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a folder, read.

    Attributes
    ----------
    name
        Its path in the folder.
    """

    name: str
    read: Delimited

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return list(map(str, self.read.table.column_names))

    def put(self, table: pa.Table) -> Part:
        """Put another table in place of its own."""
        return Part(self.name, replace(self.read, table=table))


def join_parts(parts: Sequence[Part], folder: str, guesses: Sequence[Guess] = ()) -> Delimited:
    """Join parts; a column that some lack is empty in them and told.

    Parameters
    ----------
    parts
        With columns of text; the first names the columns.
    folder
        For messages.
    guesses
        What was guessed of the parts together.

    Raises
    ------
    SourceError
        If a part shares less than half as many columns with the others as the narrowest has.
    """
    told: list[Guess] = list(guesses)
    parts = _align_names(parts, told)
    rows = Counter[str]()
    holders = Counter[str]()
    for part in parts:
        rows.update(dict.fromkeys(part.names, part.read.table.num_rows))
        holders.update(part.names)
    _refuse_strangers(parts, holders, folder)
    total = sum(part.read.table.num_rows for part in parts)
    for name in rows:
        if holders[name] < len(parts) and rows[name] < total:
            lacking = [part.name for part in parts if name not in part.names]
            told.append(_tell_gap(name, lacking, len(parts), total - rows[name]))
    filled = [_fill(part.read.table, list(rows)) for part in parts]
    return Delimited(
        pa.concat_tables(filled),
        parts[0].read.dialect | {"files": str(len(parts))},
        [line for part in parts for line in part.read.malformed],
        [*told, *_gather_guesses(parts)],
        [line for part in parts for line in part.read.set_aside],
    )


def _fold(name: str) -> str:
    """Give a name without case and blanks."""
    return "".join(name.casefold().split())


def _align_names(parts: Sequence[Part], told: list[Guess]) -> list[Part]:
    """Rename columns whose names differ from those of a part before only in case or blanks."""
    known: dict[str, str] = {}
    exact: set[str] = set()
    aligned = []
    for part in parts:
        names = part.names
        folded = list(map(_fold, names))
        new = list(names)
        for place, (name, own) in enumerate(zip(names, folded, strict=True)):
            other = known.get(own, name)
            if name not in exact and other != name and folded.count(own) == 1:
                new[place] = other
                told.append(
                    Guess("parts", other, f"{name!r} in {part.name} is read as {other}",
                          "it is another column", "the names differ only in case or blanks")
                )  # fmt: skip
        exact.update(new)
        for name, own in zip(new, folded, strict=True):
            known.setdefault(own, name)
        aligned.append(part if new == names else part.put(part.read.table.rename_columns(new)))
    return aligned


def _refuse_strangers(parts: Sequence[Part], holders: Counter[str], folder: str) -> None:
    """Refuse parts of another table: most of their columns are in no other part."""
    if len(parts) == 1:
        return
    narrowest = min(len(part.names) for part in parts)
    for part in parts:
        own = part.names
        shared = sum(holders[name] > 1 for name in own)
        if shared < LEAST_SHARED * narrowest:
            other = parts[0] if part is not parts[0] else parts[1]
            raise SourceError(
                "ingest",
                f"the files in {folder} have different headers: {part.name} has "
                f"{name_examples(own)}, {other.name} has {name_examples(other.names)}",
                "Give files with one header, or each table by itself",
            )


def _tell_gap(name: str, lacking: list[str], parts: int, rows: int) -> Guess:
    shown = ", ".join(lacking[:3]) + (" …" if len(lacking) > 3 else "")
    return Guess(
        "parts", name, f"it is empty in {write_count(rows, 'row')}", "",
        f"{len(lacking)} of {parts} files lack it: {shown}",
    )  # fmt: skip


def _fill(table: pa.Table, names: list[str]) -> pa.Table:
    if table.column_names == names:
        return table
    there = set(table.column_names)
    gap = pa.nulls(table.num_rows, pa.string())
    return pa.table([table[name] if name in there else gap for name in names], names=names)


def _gather_guesses(parts: Sequence[Part]) -> list[Guess]:
    """Gather what was guessed of each part; the same guess of many parts is told once."""
    gathered: dict[tuple[str, str | None, str], Guess] = {}
    count = Counter[tuple[str, str | None, str]]()
    for part in parts:
        for guess in part.read.guesses:
            key = (guess.about, guess.column, guess.reading)
            place = f"in {part.name}"
            evidence = f"{guess.evidence}, {place}" if guess.evidence else place
            gathered.setdefault(key, replace(guess, evidence=evidence))
            count[key] += 1
    return [
        replace(guess, evidence=f"{guess.evidence} and {write_count(count[key] - 1, 'other file')}")
        if count[key] > 1 else guess
        for key, guess in gathered.items()
    ]  # fmt: skip
