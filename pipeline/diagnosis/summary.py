"""The verdict: one sentence, and what most probably costs accuracy, most probable first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.diagnosis import class_findings as classes
from pipeline.diagnosis import data_findings as data
from pipeline.diagnosis import drift_findings as drift
from pipeline.diagnosis import network_findings as network
from pipeline.diagnosis import race_findings as race
from pipeline.diagnosis import reading_findings as reading
from pipeline.diagnosis import repair_findings as repair
from pipeline.diagnosis import value_findings as values
from pipeline.diagnosis.finding import ORDER, State, Summary
from pipeline.diagnosis.wording import cut, quote, read_difference, write_count, write_interval
from pipeline.targets.metric_names import MAIN, TITLES

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.diagnosis.terms import Rule, Terms
    from pipeline.targets.results import TrainingFacts
    from pipeline.validation.validation_facts import ValidationFacts


# In each severity the earlier rule goes first: what makes every score untrue, then what limits the
# scores most, then what only blurs them.
def list_rules(terms: Terms) -> tuple[Rule, ...]:
    """List the rules for a modality."""
    return (
        data.find_gate_reasons,
        data.find_row_count,
        reading.find_guesses,
        reading.find_set_aside,
        data.find_leaks,
        drift.find_drift,
        network.judge_perfection,
        network.compare_majority,
        repair.compare_repair,
        network.compare_peer,
        data.find_conflicts,
        *terms.likely,
        classes.judge_classes,
        classes.find_false_alarms,
        network.judge_history,
        classes.find_imbalance,
        race.find_race,
        values.find_disguises,
        values.find_gaps,
        values.find_left_out,
        network.judge_certainty,
        classes.judge_full_recall,
        data.find_notes,
        data.find_code_alone,
        data.find_lost_suites,
        data.find_failures,
        values.find_repairs,
        values.find_lost_rows,
        *terms.unlikely,
        network.judge_confidence,
        network.pass_on_notes,
    )


def summarise(record: RunRecord, terms: Terms) -> Summary:
    """Judge a run by its record alone; the same record gives the same summary.

    A difference is called better or worse only where its interval leaves out zero.

    Parameters
    ----------
    terms
        The words and rules of the modality.
    """
    findings = [finding for rule in list_rules(terms) for finding in rule(record, terms)]
    findings.sort(key=lambda finding: ORDER[finding.severity])
    return Summary(_write_headline(record), find_state(record), findings)


def find_state(record: RunRecord) -> State:
    """Find how a run ended."""
    if record.version is not None:
        return "published"
    stopped = any(facts and not facts.verdict.passed for facts in (record.raw, record.repaired))
    return "stopped" if stopped else "validated"


def count_failures(facts: ValidationFacts) -> int:
    """Count the checks that failed or could not be judged, as the gate does."""
    return sum(check.status in ("failed", "error") for check in facts.checks)


def _write_headline(record: RunRecord) -> str:
    state = find_state(record)
    raw = count_failures(record.raw)
    if state == "stopped":
        return _explain_stop(record)
    if record.training is not None:
        return _describe_network(record.training, repair.name_preparation(record)) + _warn_of_leak(
            record
        )
    if record.repaired is not None:
        left = count_failures(record.repaired)
        return (
            f"Repair took the failed checks from {raw} to {left}; the version is published, and no "
            "network was trained on it yet."
        )
    to_repair = record.raw.planned_repairs
    if raw == 0:
        return f"The raw data passed all {write_count(len(record.raw.checks), 'check')}."
    return (
        f"The raw data passed the gate: {write_count(raw, 'check')} failed, and repair is set up "
        f"for {write_count(to_repair)} of them."
    )


def _explain_stop(record: RunRecord) -> str:
    facts = record.raw if record.repaired is None else record.repaired
    count = write_count(len(facts.verdict.reasons), "reason")
    if facts.verdict.when == "raw":
        return f"The gate stopped this run before anything was learned, for {count}."
    return (
        f"The gate stopped this run after repair, for {count}; nothing was published, and the last "
        "good version stays current."
    )


def _describe_network(training: TrainingFacts, preparation: str) -> str:
    score = network.find_score(training, "network")
    interval = score.metrics.get(MAIN) if score else None
    metric = TITLES[MAIN].lower()
    if interval is None or interval.value is None:
        return f"The network's {metric} is not defined on {training.test_rows} test rows."
    text = (
        f"The network reaches a {metric} of {write_interval(interval)} on "
        f"{write_count(training.test_rows, 'test row')}"
    )
    difference = network.find_peer(training)
    peer = network.PEERS[difference.against] if difference else ""
    words = {
        "better": f"better than {peer}",
        "worse": f"worse than {peer}",
        "not distinguishable": f"not distinguishable from {peer}",
    }
    parts = []
    majority = network.find_difference(training, "majority")
    if majority and read_difference(majority) != "better":
        reading = read_difference(majority)
        links = {"worse": "worse than", "not distinguishable": "not distinguishable from"}
        if reading in links:
            parts.append(f"{links[reading]} always answering the largest class")
    if difference and read_difference(difference) in words:
        parts.append(words[read_difference(difference)])
    return cut(", ".join([text, *parts]) + repair.conclude(training, preparation) + ".", 400)


def _warn_of_leak(record: RunRecord) -> str:
    """Say that a score may be too good to be true."""
    if record.cleaning is None:
        return ""
    gone = {column.name for column in record.cleaning.fitted.dropped}
    leaks = [leak.column for leak in record.cleaning.fitted.leaks if leak.column not in gone]
    if not leaks:
        return ""
    return f" Don't trust the score yet: {quote(leaks[0])} alone gives the label away."
