"""Where the rows went, and the classes on their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.diagnosis.class_findings import find_recall_interval
from pipeline.diagnosis.network_findings import find_score

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.targets.results import TrainingFacts


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """Rows that took one way; ``kind`` is 'sum', 'lost', 'gained' or 'split'."""

    name: str
    rows: int
    kind: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well the network finds one class on the test split; the bounds are Wilson's.

    ``predicted`` is how many rows it takes for that class.
    """

    name: str
    test_rows: int
    found: int
    low: float
    high: float
    taken_for: str
    taken_rows: int
    predicted: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """How a class is decided for.

    Attributes
    ----------
    prior, trained
        Its share of the training rows before resampling, and in what the network learned from.
    weight
        What its probability is multiplied by; 1 for the class with the smallest.
    threshold
        Of two classes: the probability from which it is decided for.
    """

    name: str
    prior: float
    trained: float
    weight: float
    threshold: float | None


def follow_rows(record: RunRecord) -> list[RowOutcome]:
    """Follow the rows from the source to the network; the losses add up."""
    read = record.ingest
    outcomes = [
        RowOutcome("read from the source", read.rows, "sum"),
        RowOutcome("malformed", read.malformed, "lost", "lines that could not be read"),
        RowOutcome("unreadable", read.unreadable, "lost", "pictures that could not be read"),
        RowOutcome("unlabelled", read.unlabelled, "lost", "rows without a label"),
        RowOutcome("labelled", read.labelled, "sum"),
    ]
    if record.cleaning is None:
        return _drop_empty(outcomes)
    told = 0
    for change in record.cleaning.changes:
        if change.column == "(rows)":
            told += change.rows
            outcomes.append(RowOutcome("left out", change.rows, "lost", change.detail))
    unused = sum(record.split.unused.values()) if record.split else 0
    outcomes.append(RowOutcome("unused", unused, "lost", "training rows beyond split.train_counts"))
    used = sum(record.cleaning.rows_after.values())
    outcomes.append(
        RowOutcome("left out", read.labelled - used - told - unused, "lost", "for another reason")
    )
    left = sum((record.leftover or {}).values())
    outcomes.append(
        RowOutcome("left over", left, "lost", "after repair equal to a row of another split")
    )
    outcomes.append(RowOutcome("used", used - left, "sum"))
    for split, rows in record.cleaning.rows_after.items():
        outcomes.append(RowOutcome(split, rows - (record.leftover or {}).get(split, 0), "split"))
    if record.resampling:
        changed = record.resampling
        outcomes.append(
            RowOutcome(
                "added",
                sum(changed.synthetic.values()),
                "gained",
                f"to training by {changed.method}",
            )
        )
        outcomes.append(
            RowOutcome(
                "removed",
                sum(changed.removed.values()),
                "lost",
                f"from training by {changed.method}",
            )
        )
    return _drop_empty(outcomes)


def count_used(record: RunRecord) -> int | None:
    """Count the rows that reached the three splits; None before cleaning."""
    if record.cleaning is None:
        return None
    return sum(record.cleaning.rows_after.values()) - sum((record.leftover or {}).values())


def count_columns(record: RunRecord) -> int:
    """Count the columns that features are made of: those with a role that cleaning kept."""
    gone = {column.name for column in record.cleaning.fitted.dropped} if record.cleaning else set()
    return sum(name not in gone for name in record.ingest.schema.features)


def _drop_empty(outcomes: list[RowOutcome]) -> list[RowOutcome]:
    return [outcome for outcome in outcomes if outcome.rows or outcome.kind in ("sum", "split")]


def count_classes(record: RunRecord) -> dict[str, dict[str, int]]:
    """Count the classes at each step that was taken, the commonest class first."""
    steps = {"all labelled rows": record.ingest.classes}
    if record.split:
        steps |= dict(record.split.counts)
    if record.resampling:
        if record.split and record.resampling.before != record.split.counts["train"]:
            steps["train, cleaned"] = record.resampling.before
        if record.resampling.after != record.resampling.before:
            steps["train, resampled"] = record.resampling.after
    order = sorted(record.ingest.classes, key=lambda name: (-record.ingest.classes[name], name))
    return {step: {name: counts.get(name, 0) for name in order} for step, counts in steps.items()}


def list_thresholds(training: TrainingFacts) -> list[Threshold]:
    """List how each class is decided for; nothing where it is the most probable one."""
    decision = training.decision
    if decision.offset is None and not decision.moves:
        return []
    smallest = min(decision.multipliers)
    pair = sum(decision.multipliers)
    return [
        Threshold(
            name,
            prior,
            trained,
            multiplier / smallest,
            # Of two classes, the one is decided for where p * m > (1 - p) * other m.
            1 - multiplier / pair if len(decision.classes) == 2 else None,
        )
        for name, prior, trained, multiplier in zip(
            decision.classes,
            decision.priors,
            decision.trained,
            decision.multipliers,
            strict=True,
        )
    ]


def score_classes(training: TrainingFacts) -> list[ClassScore]:
    """Score each class that has test rows, the one found least first."""
    score = find_score(training, "network")
    if score is None:
        return []
    scores = []
    for i, row in enumerate(score.confusion):
        if not sum(row):
            continue
        wrong = max((j for j in range(len(row)) if j != i), key=lambda j: row[j], default=i)
        low, high = find_recall_interval(row[i], sum(row))
        taken = training.classes[wrong] if row[wrong] and wrong != i else ""
        scores.append(
            ClassScore(
                training.classes[i],
                sum(row),
                row[i],
                low,
                high,
                taken,
                row[wrong],
                sum(other[i] for other in score.confusion),
            )
        )
    return sorted(scores, key=lambda score: score.found / score.test_rows)
