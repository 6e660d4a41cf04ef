"""How the dates and times of a column are written.

Each text has a shape, such as ``1/2/2023 3:45 PM``; a shape leaves a few formats, and the texts of
the whole column decide between them. Where they don't, the other columns of the file do.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sources.guesses import Certainty

ISO = "ISO8601"
BETWEEN = " | "  # of several formats in one column
MOST_FORMATS = 4
LEAST_ROWS = 0.02  # of a shape; what is rarer is odd cells
SAMPLE = 20_000  # distinct texts whose shapes are looked at
YEARS = (1800, 2200)
FAR = 5.0  # times as many days apart: the wrong order
DIGITS = "%Y%m%d"
LEAST_DIGITS = 10  # distinct days in digits alone
MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
LONG_MONTHS = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
DAYS = r"(?:mon|tue|wed|thu|fri|sat|sun)"
# The shapes of dates, each with its formats; S stands for the mark between, which is kept.
DATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}S\d{1,2}S\d{1,2}", ("%YS%mS%d",)),
    (r"\d{1,2}S\d{1,2}S\d{4}", ("%dS%mS%Y", "%mS%dS%Y")),
    (r"\d{1,2}S\d{1,2}S\d{2}", ("%dS%mS%y", "%mS%dS%y", "%yS%mS%d")),
    (rf"\d{{1,2}}[-/ ]?{MONTHS}[-/ ]?\d{{4}}", ("%d?%b?%Y",)),
    (rf"\d{{1,2}}[-/ ]?{MONTHS}[-/ ]?\d{{2}}", ("%d?%b?%y",)),
    (rf"\d{{4}}[-/ ]{MONTHS}[-/ ]\d{{1,2}}", ("%Y?%b?%d",)),
    (rf"\d{{1,2}}\.? {LONG_MONTHS},? \d{{4}}", ("%d?%B?%Y",)),
    (rf"{MONTHS}\.? \d{{1,2}},? \d{{4}}", ("%b?%d?%Y",)),
    (rf"{LONG_MONTHS} \d{{1,2}},? \d{{4}}", ("%B?%d?%Y",)),
    (rf"{DAYS},? \d{{1,2}} {MONTHS} \d{{4}}", ("%a?%d?%b?%Y",)),
)
TIMES: tuple[tuple[str, str], ...] = (
    ("", ""),
    (r"\d{1,2}:\d{2}", "%H:%M"),
    (r"\d{1,2}:\d{2}:\d{2}", "%H:%M:%S"),
    (r"\d{1,2}:\d{2}:\d{2}\.\d{1,6}", "%H:%M:%S.%f"),
    (r"\d{1,2}:\d{2} ?[ap]m", "%I:%M?%p"),
    (r"\d{1,2}:\d{2}:\d{2} ?[ap]m", "%I:%M:%S?%p"),
)
# A zone behind a time: the source's wall clock is kept, since hours and days are what rows share.
ZONES = r"z|utc|gmt|[a-z]{2,3}t|[+-][0-9]{2}(?::?[0-9]{2})?"
ZONE = rf"(?i)([0-9])\s*({ZONES})$"
DAY_IN_DIGITS = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])")
LIKE = (
    rf"(?i)^\s*({DAYS}[a-z]*,?\s+)?"
    r"([0-9]{1,4}[-/. ]?([0-9]{1,2}|[a-z]{3,9})|[a-z]{3,9}\.?\s[0-9]{1,2})"
)


@dataclass(frozen=True, slots=True)
class TimeGuess:
    """How the dates of a column are written.

    Attributes
    ----------
    form
        A strptime format, ``ISO8601``, or several, joined by ``" | "``.
    share
        Of the rows, those that it reads.
    other
        Another form that reads as much; empty where there is none.
    shape
        What its texts look like, to be compared with those of other columns.
    """

    form: str
    share: float
    certainty: Certainty = "certain"
    other: str = ""
    evidence: str = ""
    shape: str = ""


def parse_times(values: np.ndarray, form: str) -> pd.Series:
    """Parse texts as timestamps by the wall clock; what is none becomes NaT.

    Parameters
    ----------
    values
        Shape ``(n,)``: texts; None is missing.
    form
        See ``TimeGuess``.

    Returns
    -------
    pandas.Series
        Shape ``(n,)``, ``datetime64[us]`` without a zone.

    Raises
    ------
    ValueError
        If the form is no strptime format.
    """
    texts = pd.Series(_drop_zones(values), dtype=object)
    result = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us]")
    for single in form.split(BETWEEN):
        left = result.isna() & texts.notna()
        if not left.any():
            break
        result[left] = _parse_single(texts[left], single)
    return result


def _parse_single(texts: pd.Series, form: str) -> pd.Series:
    if form != ISO and "?" in form:
        texts = texts.str.replace(r"[-/ .,]+", "?", regex=True)
        texts = texts.str.replace(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)", "?", regex=True)
        form = re.sub(r"[-/ .,?]+", "?", form)
    parsed = pd.to_datetime(texts, format=form, errors="coerce")
    return parsed.astype("datetime64[us]")


def _drop_zones(values: np.ndarray) -> np.ndarray:
    """Take the zone off texts that have one behind a time."""
    texts = pa.array(values, pa.string(), from_pandas=True)
    timed = pc.match_substring_regex(texts, r"[0-9]:[0-9]{2}.*$")
    zoned = pc.and_kleene(timed, pc.match_substring_regex(texts, ZONE))
    if not pc.any(zoned).as_py():
        return values
    plain = pc.replace_substring_regex(texts, ZONE, r"\1")
    return np.array(pc.if_else(pc.fill_null(zoned, False), plain, texts).to_pylist(), dtype=object)


def count_zones(values: np.ndarray) -> list[str]:
    """List the zones that stand behind times."""
    texts = pa.array(values, pa.string(), from_pandas=True)
    found = pc.extract_regex(texts, rf"(?i)[0-9]:[0-9]{{2}}.*?[0-9]\s*(?P<zone>{ZONES})$")
    zones = pc.unique(pc.struct_field(found, "zone")).to_pylist()
    return sorted(zone for zone in zones if zone)


def guess_times(values: np.ndarray, counts: np.ndarray, least: float) -> TimeGuess | None:
    """Guess how the dates of a column are written.

    Parameters
    ----------
    values, counts
        Shape ``(distinct,)``: texts, missing ones left out, and the rows of each.
    least
        Share of rows that a form has to read.

    Returns
    -------
    TimeGuess or None
        None where the column holds no dates, or dates in too many forms.
    """
    rows = int(counts.sum())
    if len(values) >= LEAST_DIGITS and all(DAY_IN_DIGITS.fullmatch(text) for text in values[:1000]):
        share = _reads(values, counts, DIGITS)
        return TimeGuess(DIGITS, share, shape="digits") if share > 1 - 1e-9 else None
    texts = pa.array(values, pa.string(), from_pandas=True)
    like = np.asarray(pc.match_substring_regex(texts, LIKE).to_numpy(zero_copy_only=False), bool)
    if rows == 0 or counts[like].sum() < least * rows:
        return None
    if _reads(values, counts, ISO) >= least:
        return TimeGuess(ISO, _reads(values, counts, ISO), shape="iso")
    groups = _group_by_shape(_drop_zones(values), counts)
    kept = {shape: own for shape, own in groups.items() if counts[own].sum() >= LEAST_ROWS * rows}
    if not kept or len(kept) > MOST_FORMATS:
        return None
    guesses = [_choose(shape, values[own], counts[own]) for shape, own in kept.items()]
    found = [guess for guess in guesses if guess is not None]
    found.sort(key=lambda guess: -guess.share)
    form = BETWEEN.join(dict.fromkeys(guess.form for guess in found))
    share = _reads(values, counts, form) if found else 0.0
    if share < least:
        return None
    unsure = next((guess for guess in found if guess.other), None)
    if unsure is not None:
        return replace(unsure, form=form, share=share,
                       other=form.replace(unsure.form, unsure.other))  # fmt: skip
    if len(found) > 1:
        named = ", ".join(guess.form.replace("?", " ") for guess in found)
        return TimeGuess(form, share, "likely", "", f"{len(found)} forms are mixed: {named}")
    return TimeGuess(form, share, shape=found[0].shape)


def settle_order(guess: TimeGuess, known: list[TimeGuess]) -> TimeGuess:
    """Decide between day and month first by the other columns of the file."""
    day_first = guess.form.startswith("%d")
    for other in known:
        if other.certainty == "certain" and other.shape == guess.shape and other.form[:2] in (
            "%d", "%m",
        ):  # fmt: skip
            same = other.form.startswith("%d") == day_first
            form = guess.form if same else guess.other
            return TimeGuess(form, guess.share, shape=guess.shape)
    return guess


def _reads(values: np.ndarray, counts: np.ndarray, form: str) -> float:
    """Find the share of rows that a form reads, as years of our time."""
    parsed = parse_times(values, form)
    years = parsed.dt.year
    good = (parsed.notna() & (years >= YEARS[0]) & (years <= YEARS[1])).to_numpy()
    return float(counts[good].sum() / counts.sum())


def _find_span(values: np.ndarray, form: str) -> float:
    """Find how many days lie between the first and the last date."""
    parsed = parse_times(values, form)
    return float((parsed.max() - parsed.min()).days) + 1.0


def _group_by_shape(values: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Group the positions of texts by what they look like: digits, marks, words."""
    positions = np.argsort(-counts, kind="stable")[:SAMPLE]
    found: defaultdict[str, list[int]] = defaultdict(list)
    for position in positions:
        shape = _find_shape(values[position])
        if shape is not None:
            found[shape].append(int(position))
    return {shape: np.array(own) for shape, own in found.items()}


def _compile() -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    compiled = []
    for (date, formats), (time, clock) in itertools.product(DATES, TIMES):
        for mark in ("-", "/", ".", " ") if "S" in date else ("",):
            pattern = date.replace("S", re.escape(mark))
            between = r"(?:[ T]|, ?)" if time else ""
            forms = tuple(
                form.replace("S", mark) if "%H:%M:S" not in form else form for form in formats
            )
            joint = "?" if "?" in forms[0] or "?" in clock else " "
            full = tuple(f"{form}{joint}{clock}" if clock else form for form in forms)
            compiled.append((re.compile(pattern + between + time, re.I), full))
    return compiled


SHAPES = _compile()


def _find_shape(text: str) -> str | None:
    for index, (pattern, _) in enumerate(SHAPES):
        if pattern.fullmatch(text):
            return str(index)
    return None


def _choose(shape: str, values: np.ndarray, counts: np.ndarray) -> TimeGuess | None:
    """Choose among the formats of a shape the one that reads its texts."""
    forms = SHAPES[int(shape)][1]
    shares = {form: _reads(values, counts, form) for form in forms}
    best = max(shares.values())
    fit = [form for form in forms if shares[form] >= best - 1e-9]
    if best == 0:
        return None
    form = fit[0]
    if len(fit) == 1 or len(values) == 1:
        return TimeGuess(form, best, shape=shape)
    # Days of one data set lie close together; read in the wrong order they spread over decades.
    spans = {form: _find_span(values, form) for form in fit}
    near, *far = sorted(fit, key=spans.__getitem__)
    if spans[near] * FAR < spans[far[0]]:
        return TimeGuess(near, best, shape=shape)
    fit = [form for form in fit if spans[form] <= spans[near] * FAR]
    form = fit[0]
    # Points are written day first wherever they are written at all.
    if "." in form[:3]:
        return TimeGuess(form, best, shape=shape)
    evidence = f"all {len(values)} texts can be read either way, such as {values[0]}"
    return TimeGuess(fit[1], best, "open", form, evidence, shape)
