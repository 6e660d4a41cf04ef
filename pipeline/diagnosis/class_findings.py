"""What the classes tell: those that are few, those that the network does not find."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import Finding
from pipeline.diagnosis.network_findings import FEW_CLASS_TEST_ROWS, find_score
from pipeline.diagnosis.wording import NBSP, join_words, quote, write_count, write_share
from pipeline.targets.metric_names import MAIN

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.diagnosis.terms import Terms

IMBALANCE = 10.0
FEW_TRAINING_ROWS = 20
RARELY_RIGHT = 0.25  # share of those taken for a class below which that is told
FOUND = 0.9  # share of a class from which it is found well
FULL_ROWS = 50  # of a class, from which a bootstrap of rows that were all found misleads little


def find_imbalance(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell how uneven the classes are in training, and whether something was done about it."""
    if record.split is None:
        return
    counts = {name: c for name, c in record.split.counts["train"].items() if c}
    small, large = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    ratio = counts[large] / counts[small]
    if ratio >= IMBALANCE:
        figures = {"ratio": ratio, "smallest": counts[small], "largest": counts[large]}
        planned = str(record.config.get("resampling", {}).get("method", "none"))
        method = record.resampling.method if record.resampling else planned
        detail = (
            f"{quote(large)} has {write_count(counts[large], 'training row')}, {quote(small)} has "
            f"{write_count(counts[small])}. Accuracy alone hides a class that is never found; read "
            "the balanced accuracy."
        )
        if method == "none":
            yield Finding(
                "class_imbalance",
                "warning",
                f"One class is {ratio:.0f} times as large as another",
                detail,
                "Set resampling.method: auto, which tries what there is and takes what helps."
                if record.race is None
                else "",
                cause="class_imbalance",
                label=small,
                figures=figures,
                change={"resampling.method": "auto"} if record.race is None else {},
            )
        else:
            title = f"One class was {ratio:.0f} times as large as another before resampling"
            yield Finding(
                "class_imbalance",
                "info",
                title,
                f"{detail} resampling.method is {method}.",
                "",
                cause="class_imbalance",
                label=small,
                figures=figures,
            )
    tiny = [name for name, count in counts.items() if count < FEW_TRAINING_ROWS]
    if tiny:
        yield Finding(
            "few_class_rows",
            "warning",
            f"{write_count(len(tiny), 'class has', 'classes have')} fewer than {FEW_TRAINING_ROWS} "
            "training rows",
            join_words([f"{quote(n, 24)} has {write_count(counts[n])}" for n in tiny]) + ".",
            "Collect more rows of them, or join them with a related class.",
            cause="too_little_data",
            label=tiny[0] if len(tiny) == 1 else None,
            figures={name: counts[name] for name in tiny},
        )


def judge_classes(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which class the network finds least of, if clearly less than it does on average."""
    score = record.training and find_score(record.training, "network")
    if not score or not record.training:
        return
    average = score.metrics[MAIN].value
    found = []
    for i, row in enumerate(score.confusion):
        rows = sum(row)
        high = find_recall_interval(row[i], rows)[1]
        missed = average is not None and (high < average or row[i] == 0)
        if rows >= FEW_CLASS_TEST_ROWS and missed and row[i] / rows < FOUND:
            found.append((row[i] / rows, i))
    for recall, i in sorted(found)[:2]:
        row = score.confusion[i]
        wrong = max((j for j in range(len(row)) if j != i), key=lambda j: row[j])
        low, high = find_recall_interval(row[i], sum(row))
        classes = record.training.classes
        yield Finding(
            "class_not_found",
            "critical" if recall == 0 else "warning",
            f"The network finds {write_count(row[i])} of the {write_count(sum(row), 'test row')} "
            f"of class {quote(classes[i])}",
            f"{write_share(recall)}, 95 % interval {write_share(low)} to {write_share(high)} "
            f"(Wilson). It takes most of the others for {quote(classes[wrong])} "
            f"({write_count(row[wrong])}).",
            _advise_on_classes(record, terms, classes[i], classes[wrong]),
            label=classes[i],
            figures={"found": row[i], "rows": sum(row), "recall": recall, "low": low, "high": high},
        )


def _advise_on_classes(record: RunRecord, terms: Terms, name: str, other: str) -> str:
    """Say what may part a class from the one it is taken for.

    Class weights are named only where they are not in use.
    """
    counts = record.split.counts["train"].values() if record.split else ()
    balanced = bool(counts) and max(counts) < 2 * max(1, min(counts))
    weighs = balanced or (record.resampling and record.resampling.method != "none")
    advice = (
        f"more rows of {quote(name)}" + ("" if weighs else ", or class weights,") + " may help."
    )
    return f"Compare the {terms.inputs} of {quote(name)} and {quote(other)}; {advice}"


def find_false_alarms(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell what it costs to decide for a rare class early."""
    training = record.training
    score = training and find_score(training, "network")
    if not score or not training or not training.decision.moves:
        return
    for i, name in enumerate(training.classes):
        taken = sum(row[i] for row in score.confusion)
        right = score.confusion[i][i]
        if taken >= FEW_CLASS_TEST_ROWS and right / taken < RARELY_RIGHT:
            yield Finding(
                "false_alarms",
                "warning",
                f"Of the {write_count(taken, 'test row')} taken for {quote(name)}, "
                f"{write_count(right)} {'is' if right == 1 else 'are'}",
                f"{write_share(right, taken)} right: the price of finding more of a rare class. "
                "Balanced accuracy does not count it.",
                "If false alarms cost more than misses, set resampling.method: none, or race for "
                "them with resampling.race.score: macro_f1.",
                label=name,
                figures={"taken": taken, "right": right, "precision": right / taken},
            )


def judge_full_recall(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell of a class of few test rows that were all found: its interval shows no spread."""
    score = record.training and find_score(record.training, "network")
    if not score or not record.training:
        return
    for position, (name, row) in enumerate(
        zip(record.training.classes, score.confusion, strict=True)
    ):
        rows = sum(row)
        if row[position] < rows or not FEW_CLASS_TEST_ROWS <= rows < FULL_ROWS:
            continue
        low, _ = find_recall_interval(rows, rows)
        yield Finding(
            "all_found",
            "info",
            f"All {rows} test rows of class {quote(name)} were found: the score is less sure than "
            "its interval says",
            f"Of other rows of the class, {write_share(low)} to 100{NBSP}% would be found (95 % "
            "Wilson interval); the score's interval, which draws these again, can't show that.",
            "Give more rows of the class, or use training.folds: 5 to judge changes.",
            label=name,
            figures={"rows": rows, "low": low},
        )


def find_recall_interval(hits: int, rows: int) -> tuple[float, float]:
    """Find the 95 % interval of a share (Wilson 1927), which holds for few rows too.

    >>> tuple(round(bound, 3) for bound in find_recall_interval(8, 10))
    (0.49, 0.943)
    """
    if rows == 0:
        return 0.0, 1.0
    z = 1.959964
    share = hits / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = (
        z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    )
    return max(0.0, middle - half), min(1.0, middle + half)
