"""How the numbers and dates of each column are written, and what of it had to be guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.settings import ColumnConfig, IngestConfig, Role
from pipeline.ingest.roles import MOSTLY
from pipeline.sources.counted_times import guess_counted, names_a_time
from pipeline.sources.guesses import Guess
from pipeline.sources.number_forms import (
    CLOCKS,
    FEW_VALUES,
    PLAINLY,
    Decimal,
    FormGuess,
    NumberForm,
    count_marks,
    find_file_decimal,
    guess_form,
    match,
    match_plain,
    parse_numbers,
)
from pipeline.sources.reading import SourceTable
from pipeline.sources.time_forms import (
    TimeGuess,
    describe_zones,
    guess_times,
    parse_times,
    settle_order,
)

FIRST = 100  # texts that are looked at before all of them are
DAY_DIGITS = (8, 12, 14)  # of a day, with minutes, with seconds
HALF = 0.5  # of the rows: those that a declared role has to fit


@dataclass(frozen=True, slots=True)
class Seen:
    """The texts of a column that stand for no missing value, with the rows of each."""

    values: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, slots=True)
class Written:
    """How the columns of a source are written.

    Attributes
    ----------
    seen
        By column, its texts.
    numbers
        By column; None where units contradict each other.
    dates
        By column, where it holds dates.
    decimal
        The mark before decimals that the columns agree on, else a point.
    """

    seen: dict[str, Seen]
    numbers: dict[str, FormGuess | None]
    dates: dict[str, TimeGuess]
    decimal: Decimal

    def tell(self, name: str, role: Role) -> Iterator[Guess]:
        """Tell what was guessed of a column that got a role."""
        numbers = self.numbers[name]
        if role in ("numeric", "identifier") and numbers is not None:
            yield from _tell_counted(name, self.seen[name], numbers.form)
        if role == "numeric" and numbers is not None:
            yield from _tell_form(name, self.seen[name], numbers)
            yield from _tell_odd_cells(name, self.seen[name])
        elif role == "datetime" and name in self.dates:
            yield from _tell_dates(name, self.seen[name], self.dates[name])
        elif role in ("text", "identifier", "categorical") and numbers is None:
            if len(self.seen[name].values) <= FEW_VALUES:
                return
            yield from _tell_mixed_units(name, self.seen[name])
        elif role in ("text", "identifier"):
            yield from _tell_hidden_numbers(name, self.seen[name])


def find_written(
    table: SourceTable,
    gaps: Mapping[str, np.ndarray],
    declared: Mapping[str, ColumnConfig],
    config: IngestConfig,
) -> Written:
    """Find how the columns of a source are written, each by its own texts and its neighbours'.

    Parameters
    ----------
    gaps
        By column, which of its distinct texts stand for a missing value.
    declared
        What dataset.yaml says of the columns.
    """
    seen = {
        name: Seen(column.values[~gaps[name]], column.counts[~gaps[name]])
        for name, column in table.columns.items()
    }
    delimiter = table.dialect.get("delimiter", ",")
    asked = [n for n in seen if declared[n].role in (None, "numeric")]
    forms, decimal = _find_forms({n: seen[n] for n in asked}, declared, config, delimiter)
    dates: dict[str, TimeGuess] = {}
    for name in seen:
        form, role = declared[name].format, declared[name].role
        if form and form not in CLOCKS and role in (None, "datetime"):
            dates[name] = TimeGuess(form, 1.0)
        elif role == "datetime" or (role is None and _may_be_dates(seen[name].values)):
            least = MOSTLY if role is None else HALF
            guess = guess_times(seen[name].values, seen[name].counts, least)
            if guess is not None:
                dates[name] = guess
    known = list(dates.values())
    settled = {n: settle_order(g, known) if g.other else g for n, g in dates.items()}
    plain: dict[str, FormGuess | None] = dict.fromkeys(seen, FormGuess(PLAINLY))
    return Written(seen, plain | forms, settled, decimal)


def _may_be_dates(values: np.ndarray) -> bool:
    """Tell whether texts may be dates: plain numbers are none, unless of as many digits."""
    if len(values) == 0:
        return False
    first = str(values[0])
    digits = first.isdigit() and len(first) in DAY_DIGITS
    return digits or not bool(match_plain(values[:FIRST]).all() and match_plain(values).all())


def _find_forms(
    columns: Mapping[str, Seen],
    declared: Mapping[str, ColumnConfig],
    config: IngestConfig,
    delimiter: str,
) -> tuple[dict[str, FormGuess | None], Decimal]:
    """Find how the numbers of columns are written, each by its own texts and its neighbours'.

    Parameters
    ----------
    columns
        By name, those that may hold numbers.
    declared
        What dataset.yaml says of them.
    delimiter
        Of the file.

    Returns
    -------
    tuple
        By name, the form; None where units contradict each other. Then the file's decimal mark.
    """
    marks = {name: count_marks(seen.values) for name, seen in columns.items()}
    file: Decimal | None
    file = find_file_decimal(list(marks.values())) if config.decimal == "auto" else config.decimal
    forms: dict[str, FormGuess | None] = {}
    for name, seen in columns.items():
        said = declared.get(name, ColumnConfig())
        given = None
        if said.format in CLOCKS:
            forms[name] = FormGuess(NumberForm(clock=said.format))
            continue
        if said.decimal or said.thousands is not None or config.decimal != "auto":
            decimal = said.decimal or file or "."
            opposite: Decimal = "," if decimal == "." else "."
            mark = said.thousands if said.thousands is not None else marks[name].other or opposite
            given = NumberForm(decimal, mark)
        forms[name] = guess_form(seen.values, seen.counts, marks[name], file, delimiter, given)
    return forms, file or "."


def _tell_form(name: str, seen: Seen, guess: FormGuess) -> Iterator[Guess]:
    """Tell how the numbers of a column were read, where programs would write them otherwise."""
    form = guess.form
    dressed = seen.values[~match_plain(seen.values)]
    if len(dressed) == 0 and guess.certainty == "certain":
        return
    pool = dressed if len(dressed) else seen.values
    example = _find_example(pool if guess.other is None else seen.values, guess)
    if example is None:
        return
    number = parse_numbers(np.array([example], dtype=object), form)[0]
    other = "" if guess.other is None else _tell_other(example, guess.other)
    yield Guess(
        "numbers",
        name,
        f"{example!r} is read as {number:.10g}" + (f" {form.unit}" if form.unit else ""),
        other,
        guess.evidence,
        guess.certainty,
        {} if guess.other is None else _change(name, guess.other),
    )


def _tell_odd_cells(name: str, seen: Seen) -> Iterator[Guess]:
    """Tell of cells that say more than their number: bounds, notes, zeros before it."""
    for about, pattern, what, otherwise in (
        ("bounds", r"^\s*[<>≤≥~≈]|[0-9]\s*\+$", "bounds or rough figures", "it is missing"),
        ("notes", r"[0-9)]\s*(\*+|[†‡]|\([a-z]\))$", "numbers with a note behind them",
         "it is missing"),
        ("zeros", r"^0[0-9]+$", "numbers with zeros before them", "the column holds codes"),
    ):  # fmt: skip
        odd = match(seen.values, pattern)
        if not odd.any():
            continue
        rows, texts = int(seen.counts[odd].sum()), seen.values[odd]
        change = {f"columns.{name}.role": "categorical"} if about == "zeros" else {
            f"columns.{name}.missing": list(texts[:5])
        }  # fmt: skip
        yield Guess(
            about, name, f"{texts[0]!r} is read as its number", otherwise,
            f"{rows} of {int(seen.counts.sum())} values are {what}", change=change,
        )  # fmt: skip


def _tell_hidden_numbers(name: str, seen: Seen) -> Iterator[Guess]:
    """Tell of numbers in cells that are not read: two in each, or behind one word."""
    rows = seen.counts.sum()
    for pattern, what in (
        (r"^[0-9][0-9.,]*\s*[/x×]\s*[0-9][0-9.,]*$", "hold two numbers each"),
        (r"^[^\W\d_]{2,10}[.:]?\s[0-9]+([.,][0-9]+)?$", "are numbers behind a word"),
    ):
        like = match(seen.values, pattern)
        words = {re.sub(r"[\d.,]+$", "", text) for text in seen.values[like][:1000]}
        if seen.counts[like].sum() < MOSTLY * rows or ("word" in what and len(words) > 1):
            continue
        yield Guess(
            "numbers", name, "its cells are not read as numbers", "",
            f"{int(seen.counts[like].sum())} of {int(rows)} {what}, such as "
            f"{seen.values[like][0]!r}; write each number in a column of its own",
        )  # fmt: skip


def _tell_mixed_units(name: str, seen: Seen) -> Iterator[Guess]:
    """Tell that a column has several units beside its numbers, so that none is compared."""
    shown = ", ".join(repr(text) for text in seen.values[:3])
    yield Guess(
        "units",
        name,
        "its numbers have several units, so it is not read as numbers",
        "",
        f"such as {shown}",
        "likely",
    )


def _tell_dates(name: str, seen: Seen, guess: TimeGuess) -> Iterator[Guess]:
    """Tell how dates were read where that was not certain, and of zones that were passed over."""
    if guess.certainty != "certain":
        forms = [form for form in (guess.form, guess.other) if form]
        parsed = [parse_times(seen.values, form) for form in forms]
        apart = np.flatnonzero((parsed[0] != parsed[-1]).to_numpy())
        place = int(apart[0]) if len(apart) else 0
        example = seen.values[[place]]
        readings = [_show_date(own[place]) for own in parsed]
        yield Guess(
            "dates", name, f"{example[0]!r} is read as {readings[0]}",
            f"it is {readings[1]}" if guess.other else "", guess.evidence, guess.certainty,
            {f"columns.{name}.format": guess.other} if guess.other else {},
        )  # fmt: skip
    zones = describe_zones(seen.values, seen.counts)
    if zones:
        yield Guess("zones", name, "times are taken by the clock of their own zone", "", zones)
    if guess.odd_rows:
        yield Guess(
            "dates", name, f"{guess.odd!r} is read as a day", "it stands for none, or for no end",
            f"{guess.odd_rows} dates are far from our time",
            change={f"columns.{name}.missing": [guess.odd]},
        )  # fmt: skip


def _tell_counted(name: str, seen: Seen, form: NumberForm) -> Iterator[Guess]:
    """Tell of numbers that count days or seconds up to a date; they stay numbers."""
    if not names_a_time(name):
        return
    numbers = parse_numbers(seen.values, form)
    usable = np.isfinite(numbers)
    counted = guess_counted(name, numbers[usable], seen.counts[usable])
    if counted is None:
        return
    example = seen.values[usable][0]
    day = _show_date(parse_times(np.array([f"{numbers[usable][0]}"], dtype=object), counted)[0])
    yield Guess(
        "dates", name, f"{example!r} is read as a number", f"it is {day}",
        f"its name and range are those of {counted}",
        change={f"columns.{name}.role": "datetime", f"columns.{name}.format": counted},
    )  # fmt: skip


def _show_date(moment: pd.Timestamp) -> str:
    return moment.strftime("%-d %B %Y") if pd.notna(moment) else "no date"


def _find_example(values: np.ndarray, guess: FormGuess) -> str | None:
    """Find a text that both readings read, and differently where there are two."""
    first = parse_numbers(values, guess.form)
    usable = np.isfinite(first)
    if guess.other is not None:
        differ = usable & (parse_numbers(values, guess.other) != first)
        usable = differ if differ.any() else usable
    found = np.flatnonzero(usable)
    return str(values[found[0]]) if len(found) else None


def _tell_other(example: str, form: NumberForm) -> str:
    number = parse_numbers(np.array([example], dtype=object), form)[0]
    return "it can't be read" if np.isnan(number) else f"it is {number:.10g}"


def _change(name: str, form: NumberForm) -> dict[str, str]:
    if form.clock:
        return {f"columns.{name}.format": form.clock}
    change = {f"columns.{name}.decimal": form.decimal}
    return change | ({f"columns.{name}.thousands": form.thousands} if form.thousands else {})
