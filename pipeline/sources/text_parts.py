"""Parts of delimited text: a header in the first one only, and numbers that each writes its way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import SourceError
from pipeline.sources.delimited import Delimited
from pipeline.sources.guesses import CERTAINTIES, Guess
from pipeline.sources.joining import Part
from pipeline.sources.line_structure import is_number
from pipeline.sources.number_forms import (
    Decimal,
    FormGuess,
    Marks,
    count_marks,
    find_file_decimal,
    guess_form,
    parse_numbers,
)
from pipeline.sources.typed_columns import encode_distinct

SAMPLE = 2_000  # first rows of a column that is only evidence
LEAST_FITTING = 0.5  # share of the cells of a first line that have to be like those of their column
MOSTLY = 0.9
COMMA = r"^[^,]{0,24}\d,\d+[^,\d]{0,10}$"
HEADLESS = re.compile(r"holds only numbers|occur more than once|is a row and no header")
Read = Callable[[Path], Delimited]
ReadBelow = Callable[[Path, Sequence[str], str], Delimited]


# A header in the first part only


def read_parts(
    folder: Path, files: Sequence[Path], read: Read, read_below: ReadBelow, told: list[Guess]
) -> list[Part]:
    """Read parts; one whose first line is a row is read below the names of the first part.

    Parameters
    ----------
    folder, files
        The folder and its parts.
    read
        Reads one file.
    read_below
        Reads one below names that are given, by a delimiter.
    told
        What was guessed is added.

    Raises
    ------
    SourceError
        If a part can't be read.
    """
    first = Part(str(files[0].relative_to(folder)), read(files[0]))
    parts = [first]
    for file in files[1:]:
        name = str(file.relative_to(folder))
        try:
            part, fault = Part(name, read(file)), None
        except SourceError as error:
            if not HEADLESS.search(error.problem):
                raise
            part, fault = None, error
        if part is None or _may_lack_header(part, first):
            below = _read_headless(file, first, read_below)
            if below is not None:
                part = Part(name, below)
                told.append(
                    Guess(
                        "header", None, f"the first line of {name} is read as a row",
                        "it is a header", f"it holds none of the names of {first.name}, and its "
                        "cells are like those of the rows there", lines=[1],
                    )
                )  # fmt: skip
        if part is None:
            raise fault or SourceError("ingest", f"{name} can't be read", "Give it a header")
        parts.append(part)
    return parts


def _may_lack_header(part: Part, first: Part) -> bool:
    known = {name.casefold() for name in first.names}
    strange = not any(name.casefold() in known for name in part.names)
    return strange and len(part.names) == len(first.names)


def _read_headless(file: Path, first: Part, read_below: ReadBelow) -> Delimited | None:
    """Read a part as rows alone; None where its first line is unlike the rows of the first part."""
    delimiter = first.read.dialect.get("delimiter")
    if delimiter is None:
        return None
    below = read_below(file, first.names, delimiter)
    names = first.names
    if below.table.column_names != names or below.table.num_rows == 0:
        return None
    fitting = [
        _fits((below.table[name][0].as_py() or "").strip(), first.read.table[name][:SAMPLE])
        for name in names
    ]
    if None in fitting or sum(map(bool, fitting)) < LEAST_FITTING * len(names):
        return None
    return below


def _fits(cell: str, column: pa.ChunkedArray) -> bool | None:
    """Tell whether a cell is like those of a column; None where it is certainly unlike them."""
    values = [value.strip() for value in column.to_pylist() if value and value.strip()]
    if not cell or cell in values:
        return True
    if values and sum(map(is_number, values)) > MOSTLY * len(values):
        return True if is_number(cell) else None
    shape = re.sub(r"\d", "9", cell)
    return shape != cell and any(re.sub(r"\d", "9", value) == shape for value in values)


# Numbers


def align_numbers(parts: Sequence[Part], told: list[Guess]) -> list[Part]:
    """Write numbers in one way where parts have other marks before decimals.

    Parameters
    ----------
    parts
        With columns of text; where they all write alike, they are returned as they are.
    told
        What was guessed is added.
    """
    names = dict.fromkeys(name for part in parts for name in part.names)
    # Without a comma before decimals in any part there is one way at most.
    asked = [n for n in names if any(_has_comma(p.read.table, n) for p in parts)]
    if len(parts) < 2 or not asked:
        return list(parts)
    seen = [_list_texts(part.read.table, asked) for part in parts]
    marks = [{n: count_marks(v) for n, (v, _) in own.items()} for own in seen]
    files = [find_file_decimal(list(own.values())) for own in marks]
    aligned = list(parts)
    for name in asked:
        forms: dict[int, FormGuess] = {}
        for i, part in enumerate(parts):
            if name not in seen[i]:
                continue
            values, counts = seen[i][name]
            form = guess_form(
                values, counts, marks[i][name], files[i],
                part.read.dialect.get("delimiter", ","),
            )  # fmt: skip
            if form is not None and not form.form.clock and _is_numeric(values, form):
                forms[i] = form
        shown = {i: _find_shown(marks[i][name], files[i], form) for i, form in forms.items()}
        points = [i for i, mark in shown.items() if mark == "."]
        for i in [i for i, mark in shown.items() if mark == "," and points]:
            ways = [forms[i], *(forms[j] for j in points)]
            worst = max((way.certainty for way in ways), key=CERTAINTIES.index)
            guess = replace(forms[i], certainty=worst)
            aligned[i] = _write_plain(aligned[i], name, guess, parts[points[0]].name, told)
    return aligned


def _has_comma(table: pa.Table, name: str) -> bool:
    if name not in table.column_names:
        return False
    found = table[name].filter(pc.match_substring(table[name], ","))
    return bool(len(found)) and bool(pc.any(pc.match_substring_regex(found, COMMA)).as_py())


def _list_texts(table: pa.Table, asked: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """List the distinct texts of each column that are not blank, with the rows of each.

    Of columns that are not asked about, a sample tells what the file has before decimals.
    """
    texts = {}
    for name in table.column_names:
        column = table[name] if name in asked else table[name][:SAMPLE]
        counted = pc.value_counts(pc.utf8_trim_whitespace(pc.fill_null(column, "")))
        values = np.array(counted.field("values").to_pylist(), dtype=object)
        counts = counted.field("counts").to_numpy(zero_copy_only=False)
        filled = values != ""
        texts[name] = values[filled], counts[filled]
    return texts


def _is_numeric(values: np.ndarray, guess: FormGuess) -> bool:
    """Tell whether most texts of a column are numbers of a form."""
    if len(values) == 0:
        return False
    return bool(np.isfinite(parse_numbers(values, guess.form)).mean() > MOSTLY)


def _find_shown(marks: Marks, file: Decimal | None, guess: FormGuess) -> Decimal | None:
    """Find the mark before decimals that a column of a part shows, by itself or by the others."""
    if guess.certainty == "open":
        return None
    either = marks.either_point or marks.either_comma
    if marks.point or marks.commas or marks.comma or marks.points or (either and file is None):
        return guess.form.decimal
    return file


def _write_plain(part: Part, name: str, guess: FormGuess, other: str, told: list[Guess]) -> Part:
    """Write the numbers of one column with a point before decimals and no mark of thousands."""
    table = part.read.table
    encoded = encode_distinct(table[name])
    old = np.array(encoded.dictionary.to_pylist(), dtype=object)
    read = np.isfinite(parse_numbers(old, guess.form))
    mark = re.escape(guess.form.thousands)
    new = old.copy()
    for i in np.flatnonzero(read):
        text = re.sub(rf"(?<=\d){mark}(?=\d)", "", old[i]) if mark else old[i]
        new[i] = re.sub(r",(?=\d)", ".", text)
    changed = np.flatnonzero(new != old)
    if len(changed) == 0:
        return part
    told.append(
        Guess("parts", name, f"{old[changed[0]]!r} in {part.name} is read as {new[changed[0]]}",
              "", f"{part.name} has a comma before decimals, {other} a point", guess.certainty)
    )  # fmt: skip
    column = pa.chunked_array([pa.array(new, pa.string()).take(encoded.indices)])
    return part.put(table.set_column(table.column_names.index(name), name, column))


def shift_lines(read: Delimited, by: int) -> Delimited:
    """Count the lines that guesses and lines set aside name from another start."""
    return replace(
        read,
        guesses=[replace(g, lines=[line + by for line in g.lines]) for g in read.guesses],
        set_aside=[replace(s, line=s.line + by if s.line else 0) for s in read.set_aside],
    )
