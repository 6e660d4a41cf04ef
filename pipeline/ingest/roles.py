"""What the columns of a source are, and which of their values are missing ones in disguise.

Everything here looks at distinct texts and their counts, so it is quick for any number of rows.
Findings about disguised missing values are reports; only declared tokens are taken as missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.settings import ColumnConfig, IngestConfig, Role
from pipeline.dataset import ROLES
from pipeline.errors import StageError, name_examples
from pipeline.sources.reading import TextColumn

BOOLEAN_PAIRS = (
    {"t", "f"},
    {"true", "false"},
    {"y", "n"},
    {"yes", "no"},
    {"0", "1"},
    {"on", "off"},
)
# A word in a column of numbers can't be a value; in a column of words it may well be a class.
WORDS_FOR_MISSING = frozenset(
    {"none", "-", "--", "---", ".", "..", "unknown", "missing", "nil", "undefined", "n.a.", "na",
     "n/a", "nan", "null", "not available", "not measured", "not applicable", "*", "#ref!",
     "#div/0!"}
)  # fmt: skip
SENTINELS = frozenset(
    sign * float(digits) for sign in (1, -1) for digits in ("99", "999", "9999", "99999", "999999")
) | {-1.0, -9.0}
DATE_FORMATS = (
    "ISO8601", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y",
    "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S",
)  # fmt: skip
DATE_LIKE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d|$)")
IDENTIFIER_NAME = re.compile(r"(^|[\s_.-])(id|uuid|guid|key|index|idx|rownum|unnamed_\d+)$", re.I)
MOSTLY = 0.98
# Below MOSTLY, a column of numbers may still be one whose gaps are written with a few odd words.
MANY = 0.75
FEW_WORDS = 3
# Sign, whole part in groups of three or plain, decimals, exponent; a currency or per cent sign.
DRESSED = {
    decimal: re.compile(
        rf"[€$£¥]?\s?([+-]?)[€$£¥]?(\d{{1,3}}(?:[{group}]\d{{3}})+|\d+)"
        rf"(?:[{decimal}](\d*))?([eE][+-]?\d+)?\s?[€$£¥%]?"
    )
    for decimal, group in ((".", ","), (",", ". "))
}
MIN_ROWS = 20
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Inferred:
    """The role of a column and why it has it."""

    role: Role
    reason: str
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A value that may be a missing one in disguise.

    Attributes
    ----------
    taken
        Whether it was taken as missing, by a declaration; otherwise it was left as it is.
    """

    column: str
    value: str
    count: int
    kind: str
    advice: str
    taken: bool = False


@dataclass(frozen=True, slots=True)
class MissingRule:
    """What stands for a missing value in a column: texts, and numbers however written."""

    tokens: list[str]
    numbers: list[float]


def make_missing_rule(declared: ColumnConfig, config: IngestConfig) -> MissingRule:
    """Join what is declared for all columns and for one."""
    tokens = ({*config.missing_tokens} | {*declared.missing}) - {*declared.keep}
    numbers = parse_numbers(np.array(declared.missing, dtype=object))
    return MissingRule(sorted(tokens), sorted(numbers[np.isfinite(numbers)].tolist()))


def is_missing(column: TextColumn, rule: MissingRule) -> np.ndarray:
    """Tell for each distinct text whether it stands for a missing value.

    Returns
    -------
    numpy.ndarray
        Shape ``(distinct,)``, bool.
    """
    tokens = {*rule.tokens, ""}
    result = np.fromiter((text in tokens for text in column.values), bool, len(column.values))
    if rule.numbers:
        result |= np.isin(parse_numbers(column.values), rule.numbers)
    return result


def parse_numbers(values: np.ndarray, decimal: str = ".") -> np.ndarray:
    """Parse texts as float64; what is no number that a network can hold becomes NaN, -0 becomes 0.

    Networks and trees take float32: beyond 3.4e38 a number is as infinite to them as ``inf``.
    """
    texts = pd.Series(values, dtype=object)
    written = [_undress_number(text, decimal) for text in texts]
    parsed = pd.to_numeric(pd.Series(written, dtype=object), errors="coerce")
    numbers = parsed.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.abs(numbers) <= LARGEST, numbers + 0.0, np.nan)


def _undress_number(text: object, decimal: str) -> object:
    """Write a number with groups of three digits, a currency or a per cent sign in the plain way.

    >>> [_undress_number(text, ",") for text in ("1.234,5", "12,5 %", "17.10.2021")]
    ['1234.5', '12.5', '17.10.2021']
    """
    if not isinstance(text, str) or (decimal == "." and text.isdecimal()):
        return text
    found = DRESSED[decimal].fullmatch(text)
    if found is None:
        return text
    sign, whole, part, power = found.groups()
    return f"{sign or ''}{re.sub(r'[., ]', '', whole)}.{part or '0'}{power or ''}"


def parse_dates(values: np.ndarray, form: str) -> pd.Series:
    """Parse texts as timestamps in UTC without a zone; what is none becomes NaT."""
    parsed = pd.to_datetime(pd.Series(values, dtype=object), format=form, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None).astype("datetime64[us]")


def find_decimal(columns: list[TextColumn], delimiter: str) -> str:
    """Tell whether numbers are written with a comma: only where the comma is no delimiter."""
    if delimiter == ",":
        return "."
    pattern = re.compile(r"[+-]?\d+(\.\d{3})*,\d+")
    commas = sum(bool(pattern.fullmatch(t)) for column in columns for t in column.values[:200])
    points = sum(bool(re.fullmatch(r"[+-]?\d+\.\d+", t)) for c in columns for t in c.values[:200])
    return "," if commas > points else "."


def infer_role(
    column: TextColumn, missing: np.ndarray, declared: ColumnConfig, decimal: str
) -> Inferred:
    """Infer the role of a column that is not the target.

    Parameters
    ----------
    column
        A column of texts.
    missing
        Shape ``(distinct,)``, bool: which of its distinct texts count as missing.
    declared
        What dataset.yaml says about it; a declared role is taken.
    decimal
        The mark before decimals, ``.`` or ``,``.

    Raises
    ------
    StageError
        If a declared datetime format parses none of the values.
    """
    if declared.role is not None and declared.role != "datetime":
        return Inferred(declared.role, "declared", declared.format)
    values, counts = column.values[~missing], column.counts[~missing]
    rows, distinct = int(counts.sum()), len(values)
    if declared.role == "datetime":
        form = declared.format or _find_date_format(values, counts, 0.5)
        name = name_examples([column.name])
        try:
            unread = form is None or (distinct and parse_dates(values, form).isna().all())
        except ValueError as error:
            raise StageError(
                "ingest", f"column {name} is declared datetime with the format "
                f"{name_examples([form])}, which is none: {str(error)[:80]}",
                "Correct its format in dataset.yaml, say to '%d.%m.%Y'",
            ) from None  # fmt: skip
        if unread:
            raise StageError(
                "ingest", f"column {name} is declared datetime, but none of its "
                f"{distinct} values is a date, such as {name_examples(values[:1])}",
                f"Set columns.{column.name[:40]}.format to its strptime format, or another role",
            )  # fmt: skip
        return Inferred("datetime", "declared", form)
    if distinct <= 1:
        return Inferred("constant", "empty" if distinct == 0 else f"always {values[0][:40]!r}")
    folded = {text.casefold() for text in values}
    if distinct == 2 and folded in BOOLEAN_PAIRS:
        return Inferred("boolean", "two opposite values")
    return (
        _infer_number(column, values, counts, decimal)
        or _infer_date(values, counts)
        or _infer_words(column.name, values, rows, distinct)
    )


def _infer_number(
    column: TextColumn, values: np.ndarray, counts: np.ndarray, decimal: str
) -> Inferred | None:
    numbers = parse_numbers(values, decimal)
    is_word = np.fromiter((text.casefold() in WORDS_FOR_MISSING for text in values), bool)
    considered = counts[~is_word].sum()
    parsed = np.isfinite(numbers)
    share = counts[parsed].sum() / considered if considered else 0.0
    odd = values[~parsed & ~is_word]
    if share < (MANY if len(odd) <= FEW_WORDS < parsed.sum() else MOSTLY):
        return None
    if any(re.fullmatch(r"0\d+", text) for text in values):
        return None  # leading zeros are part of a code, not of a number
    found = numbers[parsed]
    whole = bool((found == np.round(found)).all())
    rows = int(counts[parsed].sum())
    unique = len(found) == rows >= MIN_ROWS
    # Rows that were exported twice repeat their number.
    nearly = len(found) >= MOSTLY * rows >= MIN_ROWS and IDENTIFIER_NAME.search(column.name)
    counter = whole and unique and found.max() - found.min() == len(found) - 1
    if whole and (counter or nearly):
        return Inferred("identifier", "counts the rows" if counter else "a different number each")
    reason = f"numbers, but for {name_examples(odd)}" if len(odd) else "numbers"
    return Inferred("numeric", reason)


def _infer_date(values: np.ndarray, counts: np.ndarray) -> Inferred | None:
    form = _find_date_format(values, counts, MOSTLY)
    return Inferred("datetime", "dates", form) if form else None


def _find_date_format(values: np.ndarray, counts: np.ndarray, share: float) -> str | None:
    """Find the first format that parses the wanted share of rows."""
    like = np.fromiter((bool(DATE_LIKE.match(text)) for text in values), bool)
    if len(values) == 0 or counts[like].sum() < share * counts.sum():
        return None
    for form in DATE_FORMATS:
        if counts[parse_dates(values, form).notna().to_numpy()].sum() >= share * counts.sum():
            return form
    return None


def _infer_words(name: str, values: np.ndarray, rows: int, distinct: int) -> Inferred:
    words = float(np.mean([text.count(" ") + 1 for text in values[:2000]]))
    if distinct == rows >= MIN_ROWS and words < 3:
        return Inferred("identifier", "a different text in each row")
    if distinct > 0.3 * rows and rows >= MIN_ROWS and IDENTIFIER_NAME.search(name):
        return Inferred("identifier", f"{distinct} texts in {rows} rows, named as an identifier")
    if rows >= MIN_ROWS and words >= 4 and distinct > max(10, 0.1 * rows):
        return Inferred("text", f"{distinct} texts of about {words:.0f} words")
    if distinct > 0.5 * rows and rows >= MIN_ROWS:
        return Inferred("text" if words >= 3 else "identifier", f"{distinct} texts in {rows} rows")
    return Inferred("categorical", f"{distinct} values")


def find_suspicions(
    column: TextColumn, missing: np.ndarray, role: Role, decimal: str, declared: ColumnConfig
) -> list[Suspicion]:
    """Find values that may stand for missing ones: words, -999-likes, impossible zeros.

    Parameters
    ----------
    column
        A column of texts.
    missing
        Shape ``(distinct,)``, bool: which of its distinct texts count as missing already.
    role
        Its role: words are suspicious among categories, codes among numbers.
    decimal
        The mark before decimals, ``.`` or ``,``.
    declared
        What dataset.yaml says about it; texts in ``keep`` are no suspicion.
    """
    values, counts = column.values[~missing], column.counts[~missing]
    found: list[Suspicion] = []
    kind = ROLES[role].values
    if kind in ("categories", "labels"):
        for text, count in zip(values, counts, strict=True):
            if text.casefold() in WORDS_FOR_MISSING and text not in declared.keep:
                place = f"columns.{column.name}.missing"
                advice = f"kept as a category; if it means missing, add it to {place}"
                found.append(Suspicion(column.name, text, int(count), "word", advice))
    if kind == "numbers":
        numbers = parse_numbers(values, decimal)
        found += [
            Suspicion(
                column.name,
                text,
                int(count),
                "word among numbers",
                "taken as missing, since it is no number",
                taken=True,
            )
            for text, count, number in zip(values, counts, numbers, strict=True)
            if np.isnan(number)
        ][:FEW_WORDS]
        order = np.argsort(numbers[np.isfinite(numbers)], kind="stable")
        sorted_counts = counts[np.isfinite(numbers)][order]
        found += _find_sentinels(column.name, numbers[np.isfinite(numbers)][order], sorted_counts)
        found += _find_zeros(column.name, numbers[np.isfinite(numbers)][order], sorted_counts)
    return [item for item in found if item.value not in declared.keep]


def _find_sentinels(name: str, numbers: np.ndarray, counts: np.ndarray) -> list[Suspicion]:
    """Find repeated 9s or -1 at an end of the scale, far from all other values."""
    found = []
    for end in (0, -1):
        if len(numbers) < 5 or numbers[end] not in SENTINELS or counts[end] < 2:
            continue
        # The others from this end inwards.
        rest = np.abs(numbers - numbers[end])[1:] if end == 0 else numbers[-1] - numbers[-2::-1]
        rows = counts[1:] if end == 0 else counts[-2::-1]
        gap, spread = rest[0], rest[-1] - rest[0]
        apart = gap > 0.5 * abs(numbers[end]) and gap > 5 * float(np.median(np.diff(rest)))
        # A tail that reaches -1 by chance thins out towards it; a floor at zero does not.
        piled = counts[end] > 2 * rows[0] or rows[0] > 1.5 * rows[1]
        below_floor = numbers[end] < 0 <= numbers[1] and counts[end] >= 5 and piled
        if gap > max(spread, 1e-12) or apart or below_floor:
            value = f"{numbers[end]:g}"
            advice = f"if it means missing, add it to columns.{name}.missing"
            found.append(Suspicion(name, value, int(counts[end]), "sentinel", advice))
    return found


def _find_zeros(name: str, numbers: np.ndarray, counts: np.ndarray) -> list[Suspicion]:
    """Find zeros below a clear gap, where all other values are positive measurements."""
    if len(numbers) < 20 or numbers[0] != 0.0:
        return []
    rest, rest_counts = numbers[1:], counts[1:]
    share = counts[0] / counts.sum()
    median = rest[np.searchsorted(np.cumsum(rest_counts), rest_counts.sum() / 2)]
    # A gap of a quarter of the median and of many steps: a body mass of 0, not 0 children.
    step = float(np.median(np.diff(rest))) or 1.0
    if share < 0.5 and rest[0] > 0.25 * median and rest[0] > 5 * step:
        advice = f"if zero is impossible, add '0' to columns.{name}.missing"
        return [Suspicion(name, "0", int(counts[0]), "zero", advice)]
    return []
