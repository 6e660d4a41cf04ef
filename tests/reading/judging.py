"""Read a case as ``assay init`` does, and judge what came of it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pipeline.cleaning.repairs import fit_cleaning
from pipeline.config.dataset_yaml import parse_config
from pipeline.config.settings import DatasetConfig
from pipeline.dataset import ROLES, ROW_ID, TrainSet
from pipeline.errors import AssayError, ConfigError, name_near_misses
from pipeline.ingest.canonical import Canonical, ColumnFacts, canonicalise
from pipeline.sources.reading import read_source
from tests.reading.cases import LINES, Case
from tests.reading.comparing import count_differences

Outcome = Literal[
    "right", "reported", "asked", "refused", "misleading", "silently wrong", "crashed"
]
OUTCOMES: tuple[Outcome, ...] = (
    "right", "reported", "asked", "refused", "misleading", "silently wrong", "crashed",
)  # fmt: skip
# What a column may be read as, by what it truly is. A number that is an identifier is lost.
ROLES_OF_KIND = {
    "number": {"numeric"},
    "time": {"datetime"},
    "category": {"categorical", "boolean"},
    "text": {"text", "categorical", "identifier"},
    "label": {"target"},
    "any": {"numeric", "identifier", "categorical", "text", "constant"},
}


@dataclass(frozen=True)
class Result:
    """What came of a case.

    Attributes
    ----------
    why
        What differs from the truth and was not named, or the error's text.
    exact
        Whether all rows and values were read as they truly are.
    cautions
        What was guessed without being certain, and suspected.
    """

    case: Case
    outcome: Outcome
    why: str = ""
    exact: bool = False
    cautions: list[str] = field(default_factory=list)

    @property
    def as_it_should(self) -> bool:
        """Whether nothing better could come of it."""
        if self.outcome == "refused":
            return self.case.optional
        if self.outcome in ("reported", "asked"):
            return self.case.open or (self.exact and bool(self.case.report))
        return self.outcome == "right"


@dataclass(frozen=True)
class Reading:
    """What was read: rows by column, and all that was said of it.

    Attributes
    ----------
    unlabelled
        Rows without a label.
    blank
        Those of them without any value: they are told as unlabelled, and do no harm.
    """

    frame: pd.DataFrame
    unlabelled: int
    blank: int
    facts: Any
    cleaning: Any

    @property
    def guesses(self) -> list[Any]:
        """What was guessed; today's code knows no guesses."""
        return [*getattr(self.facts, "guesses", ()), *getattr(self.cleaning, "guesses", ())]

    def find_column(self, name: str) -> ColumnFacts:
        """Find what ingest saw in a column."""
        found: ColumnFacts = next(c for c in self.facts.columns if c.name == name)
        return found


def judge_all(cases: Iterable[Case]) -> list[Result]:
    """Judge all cases, each in a folder of its own."""
    results = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            results.append(judge(case, Path(folder)))
    return results


def judge(case: Case, folder: Path) -> Result:
    """Write a case into an empty folder, read it, and judge what came of it."""
    path = case.write(folder)
    try:
        reading = read_as_init(path, case.target)
    except AssayError as error:
        # That the file's name or first line is cited names no cause.
        inner = path.stem if "." in path.stem else path.name
        text = str(error).replace(path.name, "the source").replace(inner, "the source")
        text = re.sub(r"known are .*", "", text)
        named = case.refusal is not None and re.search(case.refusal, text)
        return Result(case, "refused" if named else "misleading", str(error))
    except Exception as error:  # whatever it is, a user would see a traceback
        return Result(case, "crashed", f"{type(error).__name__}: {error}")
    cautions = list_cautions(reading)
    differences = find_differences(case, reading)
    names = [*differences, *(name for name in case.report if name not in differences)]
    said = {name: _find_evidence(case, name, differences.get(name, 0), reading) for name in names}
    exact = not differences
    unsaid = [_describe(name, differences.get(name)) for name in names if said[name] is None]
    if unsaid:
        return Result(case, "silently wrong", "; ".join(unsaid), exact, cautions)
    if "open" in said.values():
        return Result(case, "asked", ", ".join(names), exact, cautions)
    return Result(case, "reported" if names else "right", ", ".join(names), exact, cautions)


def read_as_init(path: Path, target: str) -> Reading:
    """Read a source as ``assay init`` reads it, and spell its categories as cleaning will."""
    plain = {"dataset": "case", "source": str(path), "target": target}
    draft: DatasetConfig = parse_config(plain)
    table = read_source(path, draft.ingest)
    if draft.target not in table.columns:
        raise ConfigError(
            "init", f"the source has no column {target!r} among its {len(table.columns)}",
            f"Correct --target: {name_near_misses(draft.target, table.columns)}",
        )  # fmt: skip
    canonical: Canonical = canonicalise(table, draft)
    train = TrainSet(canonical.frame, canonical.facts.schema)
    fitted = fit_cleaning(train, draft.cleaning, draft.columns)
    frame = canonical.frame.drop(columns=[ROW_ID])
    for name, spelling in fitted.spelling.items():
        frame[name] = frame[name].map(spelling.write, na_action="ignore")
    unlabelled = canonical.unlabelled.drop(columns=[ROW_ID])
    blank = int(unlabelled.isna().all(axis=1).sum())
    return Reading(frame, len(unlabelled), blank, canonical.facts, fitted)


def find_differences(case: Case, reading: Reading) -> dict[str, int]:
    """Find in how many cells each column, or the number of rows, differs from what is true."""
    labels = case.columns[case.target].values
    # A label that nobody can know is a row with or without one.
    kept = [i for i, label in enumerate(labels) if label is not None]
    total = len(reading.frame) + reading.unlabelled - reading.blank
    if total != case.rows:
        return {LINES: abs(total - case.rows)}
    if len(reading.frame) != len(kept):
        return {case.target: abs(len(reading.frame) - len(kept))}
    found: dict[str, int] = {}
    for name in case.columns:
        count = _count_in_column(case, name, kept, reading)
        if count:
            found[name] = count
    for name in reading.frame.columns:
        if name not in case.columns and _is_invented(name, case, reading):
            found[name] = len(kept)
    return found


def _count_in_column(case: Case, name: str, kept: list[int], reading: Reading) -> int:
    if name not in reading.frame.columns:
        return len(kept)
    role = reading.find_column(name).role
    counts = []
    for column in case.accept(name):
        values = [column.values[i] for i in kept]
        fits = role in ROLES_OF_KIND[column.kind]
        counts.append(
            count_differences(reading.frame[name], column.kind, values) if fits else len(kept)
        )
    return min(counts)


def _is_invented(name: str, case: Case, reading: Reading) -> bool:
    """Tell whether a column that is not true is learned from; flags of true ones are welcome."""
    learned = ROLES[reading.find_column(name).role].learned
    return learned and not any(name.startswith(known) for known in case.columns)


def _find_evidence(case: Case, name: str, cells: int, reading: Reading) -> str | None:
    """Find what names a column or the lines: the certainty of a guess, or that it was counted.

    Cells that differ are named only if as many were counted as unreadable, suspected or mistyped. A
    guess names its column whatever it says: whether it was right, ``Result.exact`` tells.
    """
    about = [g for g in reading.guesses if _concerns(g, name, case)]
    if any(g.certainty == "open" for g in about):
        return "open"
    if any(g.certainty == "likely" for g in about):
        return "likely"
    facts = reading.facts
    if name == LINES:
        aside = len(getattr(facts, "set_aside", ())) + facts.malformed + reading.blank
        return "counted" if aside and aside >= cells else None
    column = next((c for c in facts.columns if c.name == name), None)
    if column is None:
        return None
    suspected = sum(item.count for item in facts.suspicions if item.column == name)
    typos = sum(t.rare_rows for t in reading.cleaning.typos if t.column == name)
    counted = max(column.unparsable, suspected) + typos
    return "counted" if counted and counted >= cells else None


def _concerns(guess: Any, name: str, case: Case) -> bool:
    """Tell whether a guess is about a column, or about the lines and their structure.

    An encoding (kind 2) concerns lines and the columns in them alike.
    """
    if name == LINES or (case.kind == 2 and guess.column is None):
        return guess.column is None or bool(guess.lines)
    return bool(guess.column == name)


def _describe(name: str, cells: int | None) -> str:
    return f"{name}: not named" if cells is None else f"{name}: {cells} differ"


def list_cautions(reading: Reading) -> list[str]:
    """List what a person is told of that may be false caution."""
    guesses = [
        f"{g.column or LINES}: {g.about}, {g.certainty}"
        for g in reading.guesses
        if g.certainty != "certain"
    ]
    items = [f"{s.column}: {s.kind} {s.value!r}" for s in reading.facts.suspicions]
    aside: Sequence[Any] = getattr(reading.facts, "set_aside", ())
    return guesses + items + [f"line {item.line}: {item.reason}" for item in aside]
