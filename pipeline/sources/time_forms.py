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

from pipeline.sources.counted_times import COUNTED, parse_counts, write_count_to
from pipeline.sources.guesses import Certainty
from pipeline.sources.time_words import find_skeletons, loosen, spell_plainly

ISO = "ISO8601"
BETWEEN = " | "  # of several formats in one column
MOST_FORMATS = 4
LEAST_ROWS = 0.02  # of a shape; what is rarer is odd cells
HALF = 0.5  # of the rows that have to be dates: so many, and all texts are looked at
MOST_SKELETONS = 2_000
SAMPLE = 1_000  # distinct texts that show whether a column may hold dates at all
YEARS = (1800, 2200)
OPEN_ENDS = (2999, 3000, 9999)  # years that stand for no end
FAR = 5.0  # times as many days apart: the wrong order
FEW = 20  # distinct days; fewer of them may lie close together by chance
LEAST_IN_ORDER = 8  # distinct days that by chance are in order once in 40,000 columns
DIGITS = "%Y%m%d"
IN_DIGITS = {8: DIGITS, 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
LEAST_DIGITS = 10  # distinct days in digits alone
# The shapes of dates, each with its formats; S stands for the mark between, which is kept, and -
# for any.
DATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"0{4}S00?S00?", ("%YS%mS%d",)),
    (r"00?S00?S0{4}", ("%dS%mS%Y", "%mS%dS%Y")),
    (r"00?S00?S00", ("%dS%mS%y", "%mS%dS%y", "%yS%mS%d")),
    (r"00?-jan-0{4}", ("%d?%b?%Y",)),
    (r"00?-jan-00", ("%d?%b?%y",)),
    (r"0{4}-jan-00?", ("%Y?%b?%d",)),
    (r"jan-00?[-/ .,]+0{4}", ("%b?%d?%Y",)),
    (r"jan[-/ .,]+0{4}", ("%b?%Y",)),
)
ANY_MARK = r"[-/ .,]*"
TIMES: tuple[tuple[str, str], ...] = (
    ("", ""),
    (r"00?:00", "%H:%M"),
    (r"00?:00:00", "%H:%M:%S"),
    (r"00?:00:00\.0{1,9}", "%H:%M:%S.%f"),
    (r"00?:00 ?pm", "%I:%M?%p"),
    (r"00?:00:00 ?pm", "%I:%M:%S?%p"),
)
# A zone behind a time: the source's wall clock is kept, since hours and days are what rows share.
ZONES = r"z|utc|gmt|[a-z]{2,3}t|(?:gmt|utc)?[+-][0-9]{2}(?::?[0-9]{2})?(?: ?\([a-z ]+\))?"
ZONE = rf"(?i)([0-9])\s*({ZONES})$"
DAY_IN_DIGITS = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])")
TIMED = r"[0-9]:[0-9]{2}|[0-9]t[0-9]{2}"
HAS_DIGITS = r"[0-9][^0-9]*[0-9][^0-9]*[0-9]"


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
    odd, odd_rows
        A date far from our time, such as an open end of 9999-12-31, and the rows with such dates.
    """

    form: str
    share: float
    certainty: Certainty = "certain"
    other: str = ""
    evidence: str = ""
    shape: str = ""
    odd: str = ""
    odd_rows: int = 0


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
    if form in COUNTED:
        return parse_counts(texts, form)
    if "?" not in form:
        parsed = pd.to_datetime(texts, format=form, errors="coerce").astype("datetime64[us]")
        left = parsed.isna()
        if form == ISO or not left.any():
            return parsed
        # What is written in words or in another order of date and time.
        parsed[left] = _parse_loosely(texts[left], form)
        return parsed
    return _parse_loosely(texts, form)


def _parse_loosely(texts: pd.Series, form: str) -> pd.Series:
    """Parse texts in their plain spelling, whatever marks stand between their parts."""
    form = re.sub(r"%[aA][-/ .,?]*", "", form.replace("%B", "%b"))
    found = pa.array(texts.to_numpy(), pa.string(), from_pandas=True)
    plain = spell_plainly(found)
    if "?" in form or "%b" in form:
        form = re.sub(r"[-/ .,?]+", "?", form)
        plain = loosen(plain)
    elif plain is found:
        return pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us]")
    spelled = pd.Series(plain.to_numpy(zero_copy_only=False), index=texts.index, dtype=object)
    parsed = pd.to_datetime(spelled, format=form, errors="coerce")
    return parsed.astype("datetime64[us]")


def write_time(moment: pd.Timestamp, form: str | None) -> str:
    """Write a moment in the first of a column's forms, so that it is read as the source's are."""
    single = (form or ISO).split(BETWEEN)[0]
    if single in COUNTED:
        return write_count_to(moment, single)
    return moment.isoformat() if single == ISO else moment.strftime(single)


def _drop_zones(values: np.ndarray) -> np.ndarray:
    """Take the zone off texts that have one behind a time."""
    texts = pa.array(values, pa.string(), from_pandas=True)
    timed = pc.match_substring_regex(texts, TIMED, ignore_case=True)
    zoned = pc.and_kleene(timed, pc.match_substring_regex(texts, ZONE))
    if not pc.any(zoned).as_py():
        return values
    plain = pc.replace_substring_regex(texts, ZONE, r"\1")
    return np.array(pc.if_else(pc.fill_null(zoned, False), plain, texts).to_pylist(), dtype=object)


def describe_zones(values: np.ndarray, counts: np.ndarray) -> str:
    """Describe the zones that stand behind times; empty where all times have the same or none."""
    texts = pa.array(values, pa.string(), from_pandas=True)
    timed = pc.match_substring_regex(texts, TIMED, ignore_case=True)
    pattern = rf"(?i)(?:{TIMED}).*?[0-9]\s*(?P<zone>{ZONES})$"
    zones = pc.struct_field(pc.extract_regex(texts, pattern), "zone")
    named = sorted(zone for zone in pc.unique(zones).to_pylist() if zone)
    bare = pc.fill_null(pc.and_(timed, pc.is_null(zones)), False).to_numpy(zero_copy_only=False)
    rows = int(counts[np.asarray(bare, bool)].sum())
    if not named or (len(named) == 1 and rows == 0):
        return ""
    shown = f"{len(named)} zones, such as {', '.join(named[:3])}" if len(named) > 1 else named[0]
    return shown + (f", and {rows} of {int(counts.sum())} times have no zone" if rows else "")


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
    iso, worded = _look_for_dates(values, counts)
    if iso + worded < HALF * least:
        return None
    form = IN_DIGITS.get(len(values[0]), "") if len(values) >= LEAST_DIGITS else ""
    if form and values[0].isdigit():
        read = _read(values, counts, form)
        if read.share > 1 - 1e-9 and all(DAY_IN_DIGITS.match(text) for text in values[:1000]):
            return read.guess(form, shape="digits")
    if iso >= HALF * least:
        read = _read(values, counts, ISO)
        if read.share >= least:
            return read.guess(ISO, shape="iso")
    plain = np.array(_spell(_drop_zones(values)).to_pylist(), dtype=object)
    groups, shaped = _group_by_shape(plain), 0
    shaped = sum(int(counts[own].sum()) for own in groups.values())
    kept = {s: own for s, own in groups.items() if counts[own].sum() >= LEAST_ROWS * shaped}
    if not kept or len(kept) > MOST_FORMATS or shaped < least * counts.sum():
        return None
    found = [guess for s, own in kept.items() if (guess := _choose(s, plain[own], counts[own]))]
    if not found:
        return None
    found = _agree(sorted(found, key=lambda guess: -guess.share))
    form = BETWEEN.join(dict.fromkeys(f for guess in found for f in guess.form.split(BETWEEN)))
    read = _read(values, counts, form)
    if read.share < least:
        return None
    unsure = next((guess for guess in found if guess.certainty != "certain"), None)
    if unsure is not None:
        other = form.replace(unsure.form, unsure.other) if unsure.other else ""
        return read.guess(form, unsure.certainty, other, unsure.evidence, unsure.shape)
    if len(found) > 1:
        named = ", ".join(guess.form.replace("?", " ") for guess in found)
        return read.guess(form, "likely", "", f"{len(found)} forms are mixed: {named}")
    return read.guess(form, shape=found[0].shape)


def settle_order(guess: TimeGuess, known: list[TimeGuess]) -> TimeGuess:
    """Decide between day and month first by the other columns of the file."""
    for other in known:
        if other.certainty == "certain" and other.shape == guess.shape and other.form[:2] in (
            "%d", "%m",
        ):  # fmt: skip
            same = other.form[:2] == guess.form[:2]
            form = guess.form if same else guess.other
            return replace(guess, form=form, certainty="certain", other="", evidence="")
    return guess


@dataclass(frozen=True, slots=True)
class _Read:
    """What a form reads of a column."""

    share: float
    odd: str
    odd_rows: int

    def guess(
        self,
        form: str,
        certainty: Certainty = "certain",
        other: str = "",
        evidence: str = "",
        shape: str = "",
    ) -> TimeGuess:
        """Make a guess of it."""
        return TimeGuess(
            form, self.share, certainty, other, evidence, shape, self.odd, self.odd_rows
        )


def _read(values: np.ndarray, counts: np.ndarray, form: str) -> _Read:
    """Find the share of rows that a form reads, as years of our time or open ends."""
    parsed = parse_times(values, form)
    years = parsed.dt.year.to_numpy()
    near = (years >= YEARS[0]) & (years <= YEARS[1])
    good = near if near.all() else near | np.isin(years, OPEN_ENDS)
    odd = np.flatnonzero(~near & parsed.notna().to_numpy())
    share = float(counts[good].sum() / counts.sum())
    return _Read(share, str(values[odd[0]]) if len(odd) else "", int(counts[odd].sum()))


def _look_for_dates(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Find by some texts of a column the shares of rows with ISO dates and with other ones.

    Most columns hold none, and are not looked at further.
    """
    if len(values) == 0:
        return 0.0, 0.0
    positions = np.arange(len(values))
    if len(values) > SAMPLE:
        spread = np.linspace(0, len(values) - 1, SAMPLE // 2).astype(int)
        positions = np.union1d(np.argsort(-counts, kind="stable")[: SAMPLE // 2], spread)
    texts, rows = values[positions], counts[positions]
    has_digits = pc.match_substring_regex(pa.array(texts, pa.string()), HAS_DIGITS)
    usable = np.asarray(has_digits.to_numpy(zero_copy_only=False), bool)
    iso = parse_times(texts, ISO).notna().to_numpy() & usable
    other = np.array([len(text) in IN_DIGITS and text.isdigit() for text in texts])
    plain = np.array(_spell(_drop_zones(texts)).to_pylist(), dtype=object)
    for own in _group_by_shape(plain).values():
        other[own] = True
    other &= usable & ~iso
    return float(rows[iso].sum() / rows.sum()), float(rows[other].sum() / rows.sum())


def _spell(values: np.ndarray) -> pa.StringArray:
    return spell_plainly(pa.array(values, pa.string(), from_pandas=True))


def _find_days(values: np.ndarray, form: str) -> np.ndarray:
    """Find the days that a form reads, counted from 1970; those of texts that are none fall out."""
    parsed = parse_times(values, form).dropna()
    days: np.ndarray = parsed.to_numpy().astype("datetime64[D]").astype(np.int64)
    return days


def _group_by_shape(plain: np.ndarray) -> dict[str, np.ndarray]:
    """Group the positions of plainly spelled texts by what they look like."""
    texts = pa.array(plain, pa.string(), from_pandas=True)
    skeletons = find_skeletons(texts).dictionary_encode()
    codes = skeletons.indices.to_numpy(zero_copy_only=False)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for code, skeleton in enumerate(skeletons.dictionary.to_pylist()[:MOST_SKELETONS]):
        shape = _find_shape(skeleton)
        if shape is not None:
            found[shape].append(code)
    return {shape: np.flatnonzero(np.isin(codes, own)) for shape, own in found.items()}


def _compile() -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    compiled = []
    for (date, formats), (time, clock) in itertools.product(DATES, TIMES):
        for mark in ("-", "/", ".", " ") if "S" in date else ("",):
            pattern = (
                date.replace("S", re.escape(mark)) if mark else re.sub("(?<!\\[)-", ANY_MARK, date)
            )
            forms = tuple(form.replace("S", mark) for form in formats)
            joint = "?" if "?" in forms[0] or "?" in clock else " "
            full = tuple(f"{form}{joint}{clock}" if clock else form for form in forms)
            compiled.append((re.compile(pattern + (" " + time if time else "")), full))
    return compiled


SHAPES = _compile()


def _find_shape(skeleton: str) -> str | None:
    for index, (pattern, _) in enumerate(SHAPES):
        if pattern.fullmatch(skeleton):
            return str(index)
    return None


def _choose(shape: str, values: np.ndarray, counts: np.ndarray) -> TimeGuess | None:
    """Choose among the formats of a shape the one that reads its texts."""
    forms = SHAPES[int(shape)][1]
    if len(forms) == 1:
        return TimeGuess(forms[0], 1.0, shape=shape)
    if len(values) > SAMPLE:
        some = np.linspace(0, len(values) - 1, SAMPLE).astype(int)
        clear = {form: _read(values[some], counts[some], form).share for form in forms}
        first, second, *_ = sorted(clear.values(), reverse=True)
        if first > 1 - LEAST_ROWS and second < 1 - FAR * LEAST_ROWS:
            form = max(clear, key=clear.__getitem__)
            return TimeGuess(form, first, shape=shape)
    shares = {form: _read(values, counts, form).share for form in forms}
    best = max(shares.values())
    fit = [form for form in forms if shares[form] >= best - 1e-9]
    if best == 0:
        return None
    if best < 1 - LEAST_ROWS and len(forms) > 1:
        mixed = _choose_mixed(values, counts, forms[:2], best)
        if mixed is not None:
            return mixed
    if len(fit) == 1 or len(values) == 1:
        return TimeGuess(fit[0], best, shape=shape)
    days = {form: _find_days(values, form) for form in fit}
    guess = _choose_by_days(days, values)
    if guess is not None:
        return replace(guess, share=best, shape=shape)
    spans = {form: float(np.ptp(own)) + 1.0 for form, own in days.items()}
    fit = [form for form in fit if spans[form] <= min(spans.values()) * FAR]
    # Points are written day first wherever they are written at all.
    if "." in fit[0][:3] or len(fit) == 1:
        return TimeGuess(fit[0], best, shape=shape)
    evidence = f"all {len(values)} texts can be read either way, such as {values[0]}"
    return TimeGuess(fit[1], best, "open", fit[0], evidence, shape)


def _choose_mixed(
    values: np.ndarray, counts: np.ndarray, forms: tuple[str, ...], best: float
) -> TimeGuess | None:
    """Take both orders where some texts can only be read in the one, and others in the other."""
    first, second = sorted(forms, key=lambda form: -_read(values, counts, form).share)
    both = BETWEEN.join((first, second))
    share = _read(values, counts, both).share
    if share < best + LEAST_ROWS:
        return None
    only = parse_times(values, first).isna().to_numpy()
    evidence = (
        f"{int(counts[only].sum())} of {int(counts.sum())} dates, such as {values[only][0]}, can't "
        f"be read as {first}: two orders of day and month are mixed"
    )
    return TimeGuess(both, share, "open", BETWEEN.join((second, first)), evidence)


def _choose_by_days(days: dict[str, np.ndarray], values: np.ndarray) -> TimeGuess | None:
    """Choose the order of day and month by what the days of one data set are like."""
    many = len(values)
    for form, own in days.items():
        first_of_month = own == own.astype("datetime64[D]").astype("datetime64[M]").astype(
            "datetime64[D]"
        ).astype(np.int64)
        if first_of_month.all() and many >= LEAST_IN_ORDER:
            # Read otherwise, there are dates in Januaries alone, none of them behind the 12th.
            other = next(f for f in days if f != form)
            sure = many >= 2 * 12
            evidence = "" if sure else f"each of the {many} days is the first of a month"
            return TimeGuess(form, 0, "certain" if sure else "likely", "" if sure else other,
                             evidence)  # fmt: skip
    in_order = [
        f for f, own in days.items() if (np.diff(own) > 0).all() or (np.diff(own) < 0).all()
    ]
    if len(in_order) == 1 and many >= LEAST_IN_ORDER:
        # Rows that were sorted as texts are in the order of their first part, whatever it is.
        texts = list(values)
        if texts not in (sorted(texts), sorted(texts, reverse=True)):
            return TimeGuess(in_order[0], 0)
        other = next(f for f in days if f != in_order[0])
        return TimeGuess(in_order[0], 0, "likely", other, "read so, the rows are in order")
    # Days of one data set lie close together; read in the wrong order they spread over decades.
    spans = {form: float(np.ptp(own)) + 1.0 for form, own in days.items()}
    near, *far = sorted(days, key=spans.__getitem__)
    if spans[near] * FAR < spans[far[0]]:
        if many >= FEW:
            return TimeGuess(near, 0)
        evidence = f"read so, the days lie within {spans[near]:.0f} days"
        return TimeGuess(near, 0, "likely", far[0], evidence)
    return None


def _agree(guesses: list[TimeGuess]) -> list[TimeGuess]:
    """Let the shapes of one column agree on what stands first, where some of them show it."""
    sure = [g.form[:2] for g in guesses if g.certainty == "certain" and g.form[:2] in ("%d", "%m")]
    if len({*sure}) != 1:
        return guesses
    agreed = []
    for guess in guesses:
        if guess.other and BETWEEN not in guess.form:
            form = guess.form if guess.form[:2] == sure[0] else guess.other
            guess = replace(guess, form=form, certainty="certain", other="", evidence="")
        agreed.append(guess)
    return agreed
