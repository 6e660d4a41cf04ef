"""How the source was read: what had to be guessed, and which lines are no rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import Finding
from pipeline.diagnosis.wording import cut, join_words, quote, write_count
from pipeline.sources.guesses import list_uncertain

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.diagnosis.terms import Terms
    from pipeline.sources.guesses import Guess, SetAside

MOST = 5  # guesses that are told one by one
MOST_LINES = 5  # that are named of each kind
REASONS = {
    "before": ("line before the header", "lines before the header"),
    "comment": ("comment", "comments"),
    "header": ("repeated header", "repeated headers"),
    "rule": ("line of dashes", "lines of dashes"),
    "units": ("row of units or types", "rows of units or types"),
    "total": ("row of totals", "rows of totals"),
    "footer": ("line behind the rows", "lines behind the rows"),
    "blank": ("blank row", "blank rows"),
}


def find_guesses(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell what of the source was guessed: it is the first suspect where a score is low."""
    told = list_guesses(record)
    for guess in told[:MOST]:
        title = f"{quote(guess.column)}: {guess.reading}" if guess.column else guess.reading
        settings = join_words([f"{name}: {value}" for name, value in guess.change.items()])
        otherwise = f"Otherwise {guess.alternative}." if guess.alternative else ""
        yield Finding(
            "guessed_reading",
            "warning" if guess.certainty == "open" else "info",
            cut(title[:1].upper() + title[1:], 200),
            f"The source does not say it for certain: {cut(guess.evidence, 200)}. {otherwise}"
            if guess.evidence
            else f"The source does not say it for certain. {otherwise}",
            f"If it is wrong, set {cut(settings, 200)}." if settings else "",
            cause="inconsistent_values",
            column=guess.column,
            figures={"about": guess.about, "certainty": guess.certainty},
            change=dict(guess.change),
        )
    if len(told) > MOST:
        yield Finding(
            "guessed_reading",
            "info",
            f"{len(told) - MOST} more readings are not certain",
            "They are listed under Data, How the source was read.",
            "",
            cause="inconsistent_values",
            figures={"more": len(told) - MOST},
        )


def list_guesses(record: RunRecord) -> list[Guess]:
    """List the guesses of a run that are not certain, the open ones first."""
    cleaning = record.cleaning.fitted.guesses if record.cleaning else []
    return list_uncertain([*record.ingest.guesses, *cleaning])


def find_set_aside(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which lines of the source were taken for no rows."""
    aside = record.ingest.set_aside
    if aside:
        yield Finding(
            "lines_set_aside",
            "info",
            f"{write_count(len(aside), 'line')} of the source {'is' if len(aside) == 1 else 'are'} "
            "no data",
            join_words(describe_lines(aside)) + ".",
            "If one of them is a row, correct it in the source, or set ingest.skip_lines, "
            "ingest.comment or ingest.footer.",
            cause="inconsistent_values",
            figures={reason: len(own) for reason, own in _group(aside).items()},
        )


def describe_lines(aside: Sequence[SetAside]) -> list[str]:
    """Describe the lines that are no rows, by reason.

    >>> from pipeline.sources.guesses import SetAside
    >>> describe_lines([SetAside(2, "mg,kg", "units"), SetAside(9, "a,b", "header")])
    ['1 row of units or types left out (line 2)', '1 repeated header left out (line 9)']
    """
    told = []
    for reason, own in _group(aside).items():
        lines = [str(item.line) for item in own if item.line][:MOST_LINES]
        more = " …" if len(own) > MOST_LINES else ""
        where = f" (line {', '.join(lines)}{more})" if lines else ""
        told.append(f"{write_count(len(own), *REASONS[reason])} left out{where}")
    return told


def _group(aside: Sequence[SetAside]) -> dict[str, list[SetAside]]:
    grouped: defaultdict[str, list[SetAside]] = defaultdict(list)
    for item in aside:
        grouped[item.reason].append(item)
    return dict(grouped)
