"""What the columns of a source are, and which of their values are missing ones in disguise.

Everything here looks at distinct texts and their counts, so it is quick for any number of rows.
Findings about disguised missing values are reports; only declared tokens are taken as missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.settings import ColumnConfig, IngestConfig, Role
from pipeline.dataset import ROLES
from pipeline.errors import StageError, name_examples
from pipeline.sources.guesses import Guess
from pipeline.sources.number_forms import NumberForm, match, match_bounds, parse_numbers
from pipeline.sources.reading import TextColumn
from pipeline.sources.time_forms import IN_DIGITS, parse_times

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
IDENTIFIER_NAME = re.compile(r"(^|[\s_.-])(id|uuid|guid|key|index|idx|rownum|unnamed_\d+)$", re.I)
MOSTLY = 0.9  # of the rows, to call a column one of numbers or dates; the others are told
# Below MOSTLY, a column of numbers may still be one whose gaps are written with a few odd words.
MANY = 0.75
FEW_WORDS = 3
DISTINCT = 0.98  # distinct numbers over rows, of a column named as an identifier
FEWEST_NUMBERS = 3  # beside bounds such as <0.45 that still are a column of numbers
CLASS_SHARE = 0.2  # of the rows, from which a missing token may be a class
MANY_CLASSES, FEW_CLASS_ROWS = 20, 10
FEW_LED = 0.05  # share of rows with a leading zero that are odd cells rather than codes
MIN_ROWS = 20


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


def infer_role(
    column: TextColumn,
    missing: np.ndarray,
    declared: ColumnConfig,
    numbers: NumberForm | None,
    dates: str | None,
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
    numbers
        How its numbers are written; None where they can't be compared with one another.
    dates
        How its dates are written; None where it holds none.

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
        form = declared.format or dates
        name = name_examples([column.name])
        try:
            unread = form is None or (distinct and parse_times(values, form).isna().all())
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
        (dates in IN_DIGITS.values() and Inferred("datetime", "dates", dates))
        or (numbers and _infer_number(column, values, counts, numbers))
        or (dates and Inferred("datetime", "dates", dates))
        or _infer_words(column.name, values, rows, distinct)
    )


def _infer_number(
    column: TextColumn, values: np.ndarray, counts: np.ndarray, form: NumberForm
) -> Inferred | None:
    numbers = parse_numbers(values, form)
    is_word = np.fromiter((text.casefold() in WORDS_FOR_MISSING for text in values), bool)
    considered = counts[~is_word].sum()
    parsed = np.isfinite(numbers)
    share = counts[parsed].sum() / considered if considered else 0.0
    odd = values[~parsed & ~is_word]
    if share < (MANY if len(odd) <= FEW_WORDS < parsed.sum() else MOSTLY):
        return None
    bounds = match_bounds(values)
    if bounds.any() and (parsed & ~bounds).sum() < FEWEST_NUMBERS:
        return None  # '<=50K' beside '>50K': intervals, not numbers
    led = match(values, r"^0[0-9]+$")
    if counts[led].sum() > FEW_LED * counts.sum() or (led.any() and _are_alike(values)):
        return None  # leading zeros are part of a code, not of a number
    found = numbers[parsed]
    whole = bool((found == np.round(found)).all())
    rows = int(counts[parsed].sum())
    unique = len(found) == rows >= MIN_ROWS
    # Rows that were exported twice repeat their number.
    nearly = len(found) >= DISTINCT * rows >= MIN_ROWS and IDENTIFIER_NAME.search(column.name)
    counter = whole and unique and found.max() - found.min() == len(found) - 1
    if whole and (counter or nearly):
        return Inferred("identifier", "counts the rows" if counter else "a different number each")
    reason = f"numbers, but for {name_examples(odd)}" if len(odd) else "numbers"
    return Inferred("numeric", reason)


def _are_alike(values: np.ndarray) -> bool:
    """Tell whether all texts are digits of one length, as codes are."""
    return bool(match(values, r"^[0-9]+$").all()) and len({len(text) for text in values}) == 1


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
    column: TextColumn, missing: np.ndarray, role: Role, form: NumberForm, declared: ColumnConfig
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
    form
        How its numbers are written.
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
        numbers = parse_numbers(values, form)
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


def find_class_tokens(column: TextColumn, rule: MissingRule) -> dict[str, int]:
    """Find texts that stand for a missing value elsewhere and are a class here, by their rows.

    As many rows as the classes have: 'NA' is North America where 'EU' and 'AS' are as frequent.
    """
    tokens = {text for text in rule.tokens if text}
    is_token = np.fromiter((text in tokens for text in column.values), bool, len(column.values))
    others = column.counts[~is_token & (column.values != "")]
    if len(others) < 1 or not is_token.any():
        return {}
    least = max(MIN_ROWS / 2, CLASS_SHARE * column.counts.sum(), others.min() / 2)
    found = zip(column.values[is_token], column.counts[is_token], strict=True)
    return {str(text): int(count) for text, count in found if count >= least}


def tell_class_tokens(name: str, kept: Mapping[str, int]) -> list[Guess]:
    """Tell of classes that would be missing elsewhere."""
    return [
        Guess(
            "labels", name, f"{text!r} is a class", "it means that the label is missing",
            f"{count} rows have it, as many as other classes",
            change={f"columns.{name}.missing": [text]},
        )
        for text, count in kept.items()
    ]  # fmt: skip


def tell_codes(column: TextColumn, missing: np.ndarray, role: Role) -> list[Guess]:
    """Tell of 'NA' that was taken as missing among codes of two letters, such as countries'."""
    taken = [text for text in column.values[missing] if text == "NA"]
    rest = column.values[~missing]
    if not taken or role != "categorical" or len(rest) < FEW_WORDS:
        return []
    if match(rest, r"^[A-Z]{2}$").mean() < MOSTLY:
        return []
    rows = int(column.counts[column.values == "NA"].sum())
    return [
        Guess(
            "missing values", column.name, "'NA' is taken as missing", "it is one of the codes",
            f"{rows} rows have it, beside codes of two letters",
            change={f"columns.{column.name}.keep": ["NA"]},
        )
    ]  # fmt: skip


def tell_numeric_target(name: str, classes: pd.Series) -> list[Guess]:
    """Tell of labels that are rather numbers: many, whole, and few rows each."""
    texts = classes.index.to_numpy(dtype=object)
    if len(classes) < MANY_CLASSES or classes.median() >= FEW_CLASS_ROWS:
        return []
    if not match(texts, r"^[+-]?[0-9]+$").all():
        return []
    return [
        Guess(
            "target", name, "its numbers are taken as classes",
            "they are numbers to be predicted as such, which Assay does not do yet",
            f"{len(classes)} values, half of them in fewer than {FEW_CLASS_ROWS} rows each",
        )
    ]  # fmt: skip
