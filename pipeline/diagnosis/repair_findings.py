"""What repair did for the network: for its decisions, and for its probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.config.image import AugmentationConfig
from pipeline.diagnosis.finding import Finding
from pipeline.diagnosis.network_findings import (
    SMALL,
    describe_difference,
    find_difference,
    find_score,
)
from pipeline.diagnosis.wording import join_words, read_difference

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.diagnosis.terms import Terms
    from pipeline.targets.results import Difference, TrainingFacts

UNREPAIRED = "network_unrepaired"


def conclude(training: TrainingFacts, preparation: str) -> str:
    """End the headline with what repair did, where that was measured."""
    decisions = find_difference(training, UNREPAIRED)
    effects = {
        "better": f"{preparation} helped it",
        "worse": f"{preparation} hurt it",
        "not distinguishable": f"no effect of {preparation} can be seen on these rows",
    }
    reading = read_difference(decisions) if decisions else "not defined"
    if decisions is None or reading not in effects:
        return ""
    effect = effects[reading]
    if _changes_nothing(decisions):
        effect = f"{preparation} changed none of its decisions"
    loss = find_difference(training, UNREPAIRED, "log_loss")
    change = read_difference(loss) if loss else "not defined"
    if change in ("better", "worse") and change != reading:
        effect += f", and its probabilities are {change} for it"
    return f"; {effect}"


def name_preparation(record: RunRecord) -> str:
    """Name what the network before repair went without: resampling too, where there was any."""
    # Thresholds are moved for both networks.
    resampled = record.resampling is not None and record.resampling.method not in (
        "none",
        "threshold",
    )
    changes = record.config.get("augmentation") or {}
    augmented = bool(changes) and changes != AugmentationConfig().model_dump(mode="json")
    parts = ["resampling"] * resampled + ["augmentation"] * augmented
    return "repair with " + " and ".join(parts) if parts else "repair"


def explain_unrepaired(record: RunRecord) -> str:
    """Say what the network without repair was, if there was one."""
    if record.training is None or find_score(record.training, UNREPAIRED) is None:
        return ""
    method = record.resampling.method if record.resampling else "none"
    also = {
        "none": "",
        "threshold": " Its decisions were moved by weights of its own, too.",
    }.get(method, " Its rows were not resampled either.")
    return (
        "Without repair: the same network on the same rows as they were read, gaps at the mean."
        + also
    )


def _changes_nothing(difference: Difference) -> bool:
    """Say whether two learners are equal on every draw of the test rows."""
    return difference.interval.low == difference.interval.high == 0


def compare_repair(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell whether repair helped the network."""
    difference = record.training and find_difference(record.training, UNREPAIRED)
    if not difference:
        return
    reading = read_difference(difference)
    what = name_preparation(record)
    size = abs(difference.interval.value or 0.0)
    if _changes_nothing(difference):
        title = f"{what.capitalize()} changes none of the network's decisions"
        yield Finding(
            "repair_changes_nothing",
            "info",
            title,
            describe_difference(difference),
            "",
            effect=difference,
        )
    elif reading == "worse":
        changes = {"cleaning.outliers.action": "keep"}
        if "resampling" in what and not record.race:
            changes["resampling.method"] = "none"
        if "augmentation" in what:
            changes["augmentation.preset"] = "none"
        parts = [f"{name}: {value}" for name, value in changes.items()]
        yield Finding(
            "repair_hurts",
            "critical" if size >= SMALL else "info",
            f"{what.capitalize()} hurts: the same network is better without it"
            if size >= SMALL
            else f"{what.capitalize()} costs the network a little",
            describe_difference(difference),
            f"Turn repairs off one by one, starting with {join_words(parts)}.",
            cause="broken_preprocessing",
            effect=difference,
            change=changes,
        )
    elif reading == "better":
        yield Finding(
            "repair_helps",
            "info",
            f"{what.capitalize()} helps the network",
            describe_difference(difference),
            "",
            effect=difference,
        )
    elif reading == "not distinguishable":
        yield Finding(
            "repair_unclear",
            "info",
            f"What {what} does for the network can't be seen on this test split",
            describe_difference(difference),
            "More test rows would narrow the interval.",
            effect=difference,
        )
    loss = record.training and find_difference(record.training, UNREPAIRED, "log_loss")
    if loss and reading != "worse" and read_difference(loss) == "worse":
        size = abs(loss.interval.value or 0.0)
        yield Finding(
            "probabilities_worse",
            "warning" if size >= SMALL else "info",
            f"{what.capitalize()} makes the network's probabilities worse",
            describe_difference(loss),
            "Where you use probabilities, and not only the decided class, turn repairs off one by "
            "one; training.calibration: temperature may repair it too.",
            cause="broken_preprocessing",
            effect=loss,
            change={"training.calibration": "temperature"},
        )
