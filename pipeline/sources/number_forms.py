"""How the numbers of a column are written: decimal mark, thousands, units, signs, clock times.

The form is decided for a whole column by all its distinct texts. Each text narrows what the marks
in it can mean (a comma behind a leading zero divides no thousands), and one form has to fit all;
where several do, the other columns of the file decide, and the choice is told.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sources.guesses import CERTAINTIES, Certainty

Decimal = Literal[".", ","]
Clock = Literal["", "h:m:s", "h:m", "m:s", "words"]
CLOCKS: tuple[Clock, ...] = ("h:m:s", "h:m", "m:s", "words")

# Networks and trees take float32: beyond 3.4e38 a number is as infinite to them as ``inf``.
LARGEST = float(np.finfo(np.float32).max)
PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
MARKED = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"  # one thousand or one and some thousandths
SYMBOL = "€$£¥₹₽₩฿₺₴%‰°µ#"
CODES = (
    "EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|RUB|BRL|MXN|CAD|AUD|NZD|ZAR|SGD|"
    "HKD|KRW|Rs|kr|zł|US|R|CA|AU"
)
BEFORE = rf"(?:{CODES})?\s?[{SYMBOL}]|(?:{CODES})\.?\s"
BEHIND = rf"[{SYMBOL}]\s?[CFK]?|[^\W\d_]{{1,8}}[²³23]?(?:/[^\W\d_]{{1,5}}[²³23]?)?\.?"
DRESSED = re.compile(
    rf"(?P<open>\()?\s?(?P<bound>[<>≤≥~≈]=?)?\s?(?P<sign>[+-])?\s?(?P<before>{BEFORE})?\s?"
    rf"(?P<sign2>[+-])?(?P<body>\d+(?:[ ',.]\d+)*[.,]?|[.,]\d+)(?P<power>[eE][+-]?\d+)?\s?"
    rf"(?P<behind>{BEHIND})?(?P<trail>[+-])?\s?(?P<close>\))?\s?(?P<note>\*+|[†‡]|\([a-z]\))?"
)
# What other programs write: 1_000, '12, 1.5D+03, 1.5 × 10^3.
UNDERSCORE = re.compile(r"(?<=\d)_(?=\d{3})")
POWER = re.compile(r"(?<=\d)\s?(?:[dD](?=[+-]?\d)|[x×*·]\s?10(?:\^|\*\*)?(?=[+-]?\d))")
# 1:20:11, 20:11, 2 days 04:05:06.
CLOCK = re.compile(
    r"(?:(?P<days>\d+)\s*(?:days?|d),?\s+)?(?P<first>\d+):(?P<second>[0-5]\d)"
    r"(?::(?P<third>[0-5]\d(?:[.,]\d+)?))?(?:\s?(?P<half>[ap])\.?m\.?)?",
    re.I,
)
# 1h 20m, 2 hours, PT1H20M.
IN_WORDS = re.compile(
    r"P?(?:(?P<days>\d+)\s?d(?:ays?)?)?[T ]?\s?(?:(?P<hours>\d+)\s?h(?:rs?|ours?)?)?\s?"
    r"(?:(?P<minutes>\d+)\s?m(?:ins?|inutes?)?)?\s?(?:(?P<seconds>\d+(?:\.\d+)?)\s?s(?:ec|econds?)?)?",
    re.I,
)
# Blanks, minus signs and apostrophes that look like the plain ones.
ALIKE = str.maketrans(
    dict.fromkeys("\u00a0\u202f\u2009\u2007\u2002\u2003", " ")
    | dict.fromkeys("\u2212\u2013\ufe63\uff0d", "-")
    | dict.fromkeys("\u2019\u02bc\u00b4`", "'")
)
LIKE_A_CLOCK = (
    r"(?i)^([0-9]+\s*(days?|d),?\s+)?[0-9]+:[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?"
    r"(\s?[ap]\.?m\.?)?$"
)
LIKE_A_DURATION = (
    r"(?i)^(p(t?[0-9]+[dhms])+t?([0-9]+[hms])*|[0-9]+\s?(d|h)[a-z]*\s?[0-9]+\s?(h|m)[a-z]*.*)$"
)
LEAST = 0.9  # share of rows that have to look like times
MULTIPLIERS = {"k": 1e3, "K": 1e3, "M": 1e6, "Mio": 1e6, "Mio.": 1e6, "B": 1e9, "bn": 1e9}
ANY, OLD_UNITS = "*", "€$£¥%"  # what versions of before read beside any number
MOST_ODD = 0.02  # share of texts that may contradict a form and are then not read
FEW_MARKED = 3  # texts with a mark, from which all of them may speak for thousands
MANY_MARKED = 30  # and from which they do
FEW_VALUES = 10  # up to which a word beside some numbers makes categories of all
MOSTLY = 0.5  # share of values with a unit, from which those without are taken to have it too


@dataclass(frozen=True, slots=True)
class NumberForm:
    """How the numbers of one column are written.

    Attributes
    ----------
    decimal
        The mark before decimals.
    thousands
        The mark between groups of three digits: ``,``, ``.``, ``'``, a blank, or none.
    unit
        What stands before or behind the numbers, such as ``kg`` or ``€``.
    percent
        Whether numbers with a per cent sign stand beside fractions: ``12%`` is 0.12.
    multiples
        Whether k, M, bn behind a number multiply it.
    clock
        The parts of a duration or a time of day, read as seconds.
    """

    decimal: Decimal = "."
    thousands: str = ""
    unit: str = ""
    percent: bool = False
    multiples: bool = False
    clock: Clock = ""


PLAINLY = NumberForm()


@dataclass(frozen=True, slots=True)
class FormGuess:
    """The form of a column, how certain it is, and what else it may be.

    Attributes
    ----------
    other
        The second reading, where there is one.
    evidence
        What speaks for the form, as a sentence.
    """

    form: NumberForm
    certainty: Certainty = "certain"
    other: NumberForm | None = None
    evidence: str = ""


def parse_numbers(values: np.ndarray, form: NumberForm = PLAINLY) -> np.ndarray:
    """Parse texts as float64; what is no number of this form becomes NaN, -0 becomes 0.

    Parameters
    ----------
    values
        Shape ``(n,)``: texts.
    form
        How they are written.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, float64; what float32 can't hold is NaN too.
    """
    result = np.full(len(values), np.nan)
    plain = match_plain(values)
    if form.decimal == "," or form.thousands == ".":
        plain &= ~match(values, r"\.")
    if form.clock:
        plain[:] = False
    result[plain] = pd.to_numeric(pd.Series(values[plain], dtype=object), errors="coerce").to_numpy(
        np.float64
    )
    for index in np.flatnonzero(~plain):
        result[index] = _parse_one(values[index], form)
    return np.where(np.abs(result) <= LARGEST, result + 0.0, np.nan)


def match_bounds(values: np.ndarray) -> np.ndarray:
    """Tell which texts are bounds and no values, as ``<0.45``, ``>80``, ``6+``; ``(n,)``, bool."""
    marked = match(values, r"^\s*[<>≤≥]|\d\s*\+$")
    for index in np.flatnonzero(marked):
        marked[index] = DRESSED.fullmatch(tidy(values[index])) is not None
    return marked


def tidy(text: str) -> str:
    """Write a text with the plain blanks, minus signs and powers; what it says stays.

    >>> [tidy(text) for text in ("1\u202f000", "\u22123", "'12", "1.5D+03", "1.5 × 10^3", "1_000")]
    ['1 000', '-3', '12', '1.5e+03', '1.5e3', '1000']
    """
    plain = text.translate(ALIKE).strip()
    if plain.startswith("'") and plain[1:2].isdigit():
        plain = plain[1:]
    return POWER.sub("e", UNDERSCORE.sub("", plain))


def match(values: np.ndarray, pattern: str) -> np.ndarray:
    """Tell which texts hold a match of a pattern of RE2; shape ``(n,)``, bool."""
    return match_texts(pa.array(values, pa.string(), from_pandas=True), pattern)


def match_texts(texts: pa.StringArray, pattern: str) -> np.ndarray:
    """Do what ``match`` does, for texts of Arrow."""
    found = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    # A copy: what Arrow hands out can't be written to.
    return np.array(found.to_numpy(zero_copy_only=False), dtype=bool)


def match_plain(values: np.ndarray) -> np.ndarray:
    """Tell which texts are numbers as programs write them; shape ``(n,)``, bool."""
    return match(values, PLAIN)


def _parse_one(text: object, form: NumberForm) -> float:
    if not isinstance(text, str):
        return np.nan
    text = tidy(text)
    if form.clock:
        return _parse_clock(text, form.clock)
    found = DRESSED.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return np.nan
    whole = _plain_body(found["body"], form)
    unit = _name_unit(found)
    factor = 1.0
    if form.multiples and unit in MULTIPLIERS:
        factor = MULTIPLIERS[unit]
    elif form.percent and unit == "%":
        factor = 0.01
    elif form.unit == ANY and unit in OLD_UNITS:
        pass
    elif unit and unit.casefold() != form.unit.casefold():
        return np.nan
    if whole is None:
        return np.nan
    minus = "-" in (found["sign"], found["sign2"], found["trail"]) or bool(found["open"])
    return (-1.0 if minus else 1.0) * float(whole + (found["power"] or "")) * factor


def _plain_body(body: str, form: NumberForm) -> str | None:
    """Write digits with marks in the plain way; None where the marks are not those of the form."""
    front, _, decimals = body.partition(form.decimal)
    if decimals and not decimals.isdigit():
        return None
    if not front.isdigit() and front:
        mark = form.thousands
        head, *groups = front.split(mark) if mark else [front]
        grouped = (
            all(g.isdigit() for g in groups)
            and (
                all(len(g) == 3 for g in groups)
                # Lakhs and crores: 12,34,567.
                or (len(groups[-1]) == 3 and all(len(g) == 2 for g in groups[:-1]))
            )
        )
        if not (groups and grouped and head.isdigit() and len(head) <= 3):
            return None
        front = head + "".join(groups)
    return f"{front or '0'}.{decimals or '0'}"


def _name_unit(found: re.Match[str]) -> str:
    """Name what stands beside a number."""
    return f"{(found['before'] or '').strip()}{(found['behind'] or '').strip()}"


def _parse_clock(text: str, clock: Clock) -> float:
    if clock == "words":
        return _parse_duration(text)
    found = CLOCK.fullmatch(text)
    if found is None:
        return np.nan
    first, second = int(found["first"]), int(found["second"])
    third = float((found["third"] or "0").replace(",", "."))
    days = 86_400.0 * int(found["days"] or 0)
    if found["half"]:
        first = first % 12 + (12 if found["half"] in "pP" else 0)
    if clock == "m:s" and found["third"] is None:
        return days + 60.0 * first + second
    return days + 3600.0 * first + 60.0 * second + third


def _parse_duration(text: str) -> float:
    found = IN_WORDS.fullmatch(text)
    if found is None or not any(found.groups()):
        return np.nan
    parts = zip(("days", "hours", "minutes", "seconds"), (86_400.0, 3600.0, 60.0, 1.0), strict=True)
    return sum(float(found[name] or 0) * seconds for name, seconds in parts)


# Finding the form


@dataclass(frozen=True, slots=True)
class Marks:
    """What the marks in the numbers of a column can mean, in distinct texts.

    Attributes
    ----------
    point, comma
        Texts where the mark can only be that before decimals.
    points, commas
        Texts where it can only divide thousands.
    either_point, either_comma
        Texts where both are possible, such as 1.234.
    small, large
        Texts of digits alone, below 1,000 and from there on.
    other
        A mark that divides thousands and nothing else: a blank or an apostrophe.
    """

    point: int = 0
    comma: int = 0
    points: int = 0
    commas: int = 0
    either_point: int = 0
    either_comma: int = 0
    small: int = 0
    large: int = 0
    other: str = ""


def count_marks(values: np.ndarray) -> Marks:
    """Count what the marks in texts can mean; texts that are no numbers are passed over."""
    plain = match_plain(values)
    texts = values[plain]
    has_point = match(texts, r"\.")
    either = match(texts, MARKED)
    long = match(texts, r"^[+-]?\d{4,}$")
    counts: Counter[str] = Counter(
        point=int((has_point & ~either).sum()),
        either_point=int(either.sum()),
        large=int(long.sum()),
        small=int((~has_point & ~long).sum()),
    )
    other: Counter[str] = Counter()
    for text in values[~plain]:
        found = DRESSED.fullmatch(tidy(text))
        if found is None or bool(found["open"]) != bool(found["close"]):
            continue
        body = found["body"]
        for mark in " '":
            if mark in body:
                other[mark] += 1
        counts.update(_read_marks(body, bool(found["power"])))
    return Marks(**counts, other=other.most_common(1)[0][0] if other else "")


def _read_marks(body: str, power: bool) -> list[str]:
    """Tell what the marks in the digits of one text can mean."""
    grouped = re.sub(r"[ ']", "", body)
    names = {".": "point", ",": "comma"}
    marks = [c for c in grouped if c in names]
    if not marks:
        return ["large" if len(grouped) > 3 and grouped == body else "small"]
    last = marks[-1]
    if len(set(marks)) == 2:
        first = marks[0]
        if first == last or marks.count(last) > 1:
            return []  # 1.234,567.8 is no number in any form
        return [names[last], f"{names[first]}s"]
    if len(marks) > 1:
        return [f"{names[last]}s"]
    front, _, decimals = grouped.partition(last)
    must_be_decimal = (
        power
        or len(decimals) != 3
        or not front
        or front.startswith("0")
        or len(front) > 3
        or grouped != body
    )
    return [names[last] if must_be_decimal else f"either_{names[last]}"]


def find_file_decimal(marks: list[Marks]) -> Decimal | None:
    """Find the decimal mark that the columns of a file agree on; None where none shows it."""
    points = sum(m.point > 0 or m.commas > 0 for m in marks if not (m.comma or m.points))
    commas = sum(m.comma > 0 or m.points > 0 for m in marks if not (m.point or m.commas))
    if points == commas:
        return None
    return "." if points > commas else ","


def guess_form(
    values: np.ndarray,
    counts: np.ndarray,
    marks: Marks,
    file: Decimal | None,
    delimiter: str,
    declared: NumberForm | None = None,
) -> FormGuess | None:
    """Guess how the numbers of a column are written.

    Parameters
    ----------
    values
        Shape ``(distinct,)``: its distinct texts, missing ones left out.
    counts
        Shape ``(distinct,)``: the rows of each.
    marks
        What ``count_marks`` found in them.
    file
        The decimal mark that the file's columns agree on, if any shows it.
    delimiter
        Of the file.
    declared
        A form whose marks are given; units and clock times are guessed all the same.

    Returns
    -------
    FormGuess or None
        None where units contradict each other, so that no number can be compared with another.
    """
    clock = _guess_clock(values, counts)
    if clock is not None:
        return clock
    guess = FormGuess(declared) if declared else _guess_marks(marks, file, delimiter)
    dressed = values[~match_plain(values)]
    if len(dressed) == 0:
        return guess
    return _add_unit(guess, values, counts)


def _guess_clock(values: np.ndarray, counts: np.ndarray) -> FormGuess | None:
    if len(values) == 0:
        return None
    worded = match(values, LIKE_A_DURATION)
    if counts[worded].sum() >= LEAST * counts.sum():
        seconds = np.array([_parse_duration(text) for text in values[worded]])
        return FormGuess(NumberForm(clock="words")) if np.isfinite(seconds).all() else None
    like = match(values, LIKE_A_CLOCK)
    if counts[like].sum() < LEAST * counts.sum():
        return None
    found = [CLOCK.fullmatch(text) for text in values[like]]
    parts = [m for m in found if m is not None]
    if any(m["third"] for m in parts):
        return FormGuess(NumberForm(clock="h:m:s"))
    if any(m["half"] for m in parts):
        return FormGuess(NumberForm(clock="h:m"))
    hours = all(len(m["first"]) == 2 and int(m["first"]) <= 23 for m in parts)
    clock, other = ("h:m", "m:s") if hours else ("m:s", "h:m")
    evidence = f"{parts[0].group()} is read as " + (
        "hours and minutes" if hours else "minutes and seconds"
    )
    return FormGuess(
        NumberForm(clock=clock),  # type: ignore[arg-type]
        "likely",
        NumberForm(clock=other),  # type: ignore[arg-type]
        evidence,
    )


def _guess_marks(marks: Marks, file: Decimal | None, delimiter: str) -> FormGuess:
    """Guess which mark is before decimals and which divides thousands."""
    point = NumberForm(".", marks.other or ("," if marks.commas or marks.either_comma else ""))
    comma = NumberForm(",", marks.other or ("." if marks.points or marks.either_point else ""))
    against_point, against_comma = marks.comma + marks.points, marks.point + marks.commas
    if against_point or against_comma:
        known = sum((marks.point, marks.comma, marks.points, marks.commas))
        form, against = (
            (point, against_point) if against_point <= against_comma else (comma, against_comma)
        )
        if against == 0:
            return FormGuess(form)
        if against <= MOST_ODD * known:
            return FormGuess(form, "likely", None, f"{against} of {known} texts contradict it")
        return FormGuess(
            form, "open", comma if form is point else point,
            f"{against} of {known} texts contradict it: two ways of writing are mixed",
        )  # fmt: skip
    if marks.either_point and marks.either_comma:
        return FormGuess(point, "open", comma, "points and commas both stand before three digits")
    if marks.either_point or marks.either_comma:
        return _guess_either(marks, file, delimiter)
    return FormGuess(NumberForm(file or ".", marks.other))


def _guess_either(marks: Marks, file: Decimal | None, delimiter: str) -> FormGuess:
    """Decide between decimals and thousands where each text has three digits behind one mark."""
    mark: Decimal = "." if marks.either_point else ","
    other: Decimal = "," if mark == "." else "."
    many = marks.either_point + marks.either_comma
    decimals, groups = NumberForm(mark, marks.other), NumberForm(other, mark)
    whole = bool(marks.small) and many >= FEW_MARKED
    evidence = f"all {many} texts with '{mark}' have three digits behind it, and those without are "
    evidence += "below 1,000"
    # Decimals without their last zeros would have one or two digits now and then.
    if whole and many >= MANY_MARKED and not (marks.large or marks.other):
        sure = mark == "," and file != ","
        return FormGuess(groups, "certain" if sure else "likely", decimals, evidence)
    if file == mark:
        return FormGuess(decimals, "likely" if whole else "certain", groups, evidence)
    if file == other:
        evidence = f"the other columns of the file have '{file}' before decimals"
        return FormGuess(groups, "certain" if mark == "," else "likely", decimals, evidence)
    if marks.large or marks.other:  # thousands would have the mark
        return FormGuess(decimals, "certain" if mark == "." else "likely", groups)
    if whole:
        if mark == "," or delimiter == ";":
            return FormGuess(groups, "certain" if mark == "," else "likely", decimals, evidence)
        return FormGuess(decimals, "open", groups, evidence)
    evidence = "no column shows another mark"
    if mark == ".":
        return FormGuess(decimals, "likely" if delimiter == ";" else "certain", groups, evidence)
    if delimiter == ";":
        return FormGuess(decimals, "likely", groups, "the delimiter is ';', as where a comma is "
                         "before decimals")  # fmt: skip
    return FormGuess(groups, "likely", decimals, "each text has three digits behind its comma")


def _add_unit(guess: FormGuess, values: np.ndarray, counts: np.ndarray) -> FormGuess | None:
    """Find what stands beside the numbers; None where several units do."""
    form = guess.form
    rows: Counter[str] = Counter()
    spelling: dict[str, str] = {}
    bare: list[float] = []
    for text, count in zip(values, counts, strict=True):
        found = DRESSED.fullmatch(tidy(text))
        if found is None or _plain_body(found["body"], form) is None:
            continue
        unit = _name_unit(found)
        rows[unit.casefold()] += int(count)
        spelling.setdefault(unit.casefold(), unit)
        if not unit:
            bare.append(abs(float(_plain_body(found["body"], form) or 0)))
    total = sum(rows.values())
    without = rows.pop("", 0)
    if not rows or total < MOSTLY * counts.sum():
        return guess
    unit, most = rows.most_common(1)[0]
    named = [spelling[u] for u in rows]
    if all(name in MULTIPLIERS for name in named) and (without or len(named) > 1 or named == ["k"]):
        evidence = f"{sum(rows.values())} of {total} values have {' or '.join(named)} behind them"
        return _with(guess, "likely", evidence, multiples=True)
    if named == ["%"] and without and max(bare) <= 1:
        evidence = f"{without} values without a per cent sign lie between 0 and 1"
        return _with(guess, "likely", evidence, percent=True)
    if most < 0.98 * sum(rows.values()):
        return None
    if without > (1 - MOSTLY) * total and len(values) <= FEW_VALUES and most >= 0.1 * total:
        return None  # 2, 3, 4, 5more: categories
    if without > (1 - MOSTLY) * total:
        # A few marks beside plain numbers are odd cells.
        return guess if most < 0.1 * total else _with(
            guess, "likely", f"{most} of {total} values have '{spelling[unit]}' beside them",
            unit=spelling[unit],
        )  # fmt: skip
    certainty: Certainty = "likely" if without else guess.certainty
    evidence = (
        f"{without} of {total} values have no '{spelling[unit]}'" if without else guess.evidence
    )
    return _with(guess, certainty, evidence, unit=spelling[unit])


def _with(guess: FormGuess, certainty: Certainty, evidence: str, **changed: object) -> FormGuess:
    worse = max(certainty, guess.certainty, key=CERTAINTIES.index)
    other = replace(guess.other, **changed) if guess.other else None  # type: ignore[arg-type]
    return FormGuess(replace(guess.form, **changed), worse, other, evidence)  # type: ignore[arg-type]
