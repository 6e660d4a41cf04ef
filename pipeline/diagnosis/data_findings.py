"""What the data shows: gates, leaks, contradicting labels, checks that fail.

Each rule takes the record and yields its findings; a stage that did not run yields none. The
thresholds are where a figure is worth a reader's minute, not laws: each finding gives its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import Finding, Severity
from pipeline.diagnosis.value_findings import expects_repeats
from pipeline.diagnosis.wording import cut, join_words, quote, write_count, write_share
from pipeline.targets.metric_names import MAIN, TITLES
from pipeline.validation.drift_results import UNIT_TYPE
from pipeline.validation.suites import DRIFT
from pipeline.validation.validation_facts import ABSENT

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.diagnosis.terms import Terms

MOST = 3  # findings of one kind that are told one by one
ROW_COUNT = "expect_table_row_count_to_be_between"
CONFLICTS_CRITICAL, CONFLICTS_WARNING = 0.05, 0.01


def find_gate_reasons(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell why a gate stopped the run."""
    for facts in (record.repaired, record.raw):
        if facts is None or facts.verdict.passed:
            continue
        when, cure = "on the raw data", "Correct the source."
        if facts.verdict.when == "repaired":
            when = "after repair"
            cure = "Correct the source, or repair more of it (cleaning, imputation)."
        drifted = {f"{c.column}: {c.rule}; ": c for c in facts.checks if c.suite == DRIFT}
        for reason in facts.verdict.reasons[:5]:
            otherwise = (
                f"If the data is right and the rule is wrong, edit the rule in "
                f"expectations/{cut(record.dataset)}/, or let assay suggest "
                f"{cut(record.dataset)} learn them again."
            )
            check = next((c for head, c in drifted.items() if reason.startswith(head)), None)
            if check is not None:
                setting = "label" if check.column == record.ingest.schema.target else "features"
                setting = "units" if check.type == UNIT_TYPE else setting
                otherwise = (
                    f"If the data is right, let assay suggest {cut(record.dataset)} learn the "
                    f"suites from it, and publish it with --set drift.{setting}=warning: the next "
                    "refresh is compared with this one."
                )
            yield Finding(
                "gate_stopped",
                "critical",
                cut(reason.rstrip("."), 200),
                f"This stopped the run: the check failed {when}.",
                f"{cure} {otherwise}",
                column=None if check is None else check.column,
            )
        more = len(facts.verdict.reasons) - 5
        if more > 0:
            title = f"{write_count(more, 'more reason', 'more reasons')} to stop"
            yield Finding(
                "gate_stopped",
                "critical",
                title,
                "All are listed under Validation.",
                "",
                figures={"more_reasons": more},
            )
        return


def find_leaks(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which features give the label away."""
    if record.cleaning is None:
        return
    fitted = record.cleaning.fitted
    dropped = {column.name for column in fitted.dropped}
    open_ = [leak for leak in fitted.leaks if leak.column not in dropped]
    danger, action = terms.leak
    for leak in open_[:MOST]:
        yield Finding(
            "leak",
            "critical",
            f"{quote(leak.column)} alone gives the label away",
            f"A small tree on this one feature reaches a {TITLES[MAIN].lower()} of "
            f"{leak.score:.3f} on {write_count(leak.rows, 'training row')} that it was not "
            f"fitted on. {danger}",
            action,
            cause="leakage",
            column=leak.column,
            figures={MAIN: leak.score, "rows": leak.rows},
            change=_drop(record, leak.column) if terms.drops_columns else {},
        )
    if len(open_) > MOST:
        names = join_words([quote(leak.column, 24) for leak in open_[MOST:]])
        title = f"{len(open_) - MOST} more features give the label away"
        yield Finding(
            "leak",
            "critical",
            title,
            f"They are {names}.",
            "Check them in the same way.",
            cause="leakage",
            figures={"columns": [leak.column for leak in open_[MOST:]]},
        )
    gone = [quote(leak.column, 24) for leak in fitted.leaks if leak.column in dropped]
    if gone:
        title = f"{write_count(len(gone), 'feature')} that gave the label away left out"
        yield Finding(
            "leak_left_out",
            "info",
            title,
            f"{join_words(gone)}; no score rests on them.",
            "",
            cause="leakage",
            figures={"columns": sorted(dropped & {leak.column for leak in fitted.leaks})},
        )


def find_conflicts(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell how many rows contradict each other."""
    if record.split is None or not record.split.conflicts:
        return
    if record.split.near and record.split.near.across_labels:
        return  # told with the near-duplicates
    rows, whole = record.split.conflicts, record.ingest.labelled
    share = rows / whole
    severity: Severity = "info"
    if share >= CONFLICTS_WARNING:
        severity = "critical" if share >= CONFLICTS_CRITICAL else "warning"
    if expects_repeats(record):
        severity = "info"  # few combinations of features: each has rows of several labels
    yield Finding(
        "conflicting_labels",
        severity,
        write_count(rows, *terms.conflict),
        f"That is {write_share(rows, whole)} of the labelled rows. No model can get all of them "
        "right.",
        "Look at how these rows were labelled; a feature that tells them apart may be missing."
        + advise_on_labels(record),
        cause="label_noise",
        figures={"rows": rows, "share": share},
        change=change_labels(record),
    )


def _drop(record: RunRecord, column: str) -> dict[str, list[str]]:
    """Leave a column out, beside those that are left out already."""
    dropped = record.config.get("cleaning", {}).get("drop_columns", [])
    return {"cleaning.drop_columns": [*dropped, column]}


def change_labels(record: RunRecord) -> dict[str, str]:
    """Settle contradicting labels, where nothing is done about them yet."""
    done = record.config.get("cleaning", {}).get("conflicting_labels", "keep")
    return {"cleaning.conflicting_labels": "majority"} if done == "keep" else {}


def advise_on_labels(record: RunRecord) -> str:
    """Say what cleaning can do about contradicting labels, if it does nothing yet."""
    done = record.config.get("cleaning", {}).get("conflicting_labels", "keep")
    if done == "keep":
        return " cleaning.conflicting_labels can drop them or settle them by majority."
    what = "were left out of training" if done == "drop" else "were settled by majority"
    return f" In training they {what}."


def find_lost_suites(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell of suites that are gone: what they guarded is guarded no more."""
    if record.lost_suites:
        named = join_words([quote(name, 40) for name in record.lost_suites])
        count = write_count(len(record.lost_suites), "suite is", "suites are")
        yield Finding(
            "lost_suites",
            "warning",
            f"{count} gone that judged the current version: {named}",
            "What was expected there is not judged any more.",
            f"Put the file back into expectations/{cut(record.dataset)}/, or suggest it again: "
            f"assay suggest {cut(record.dataset)}.",
            figures={"suites": record.lost_suites},
        )


def find_row_count(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell of far fewer or more rows than the suites expect: cut off, or joined twice."""
    for check in record.raw.checks:
        if check.type != ROW_COUNT or check.status != "failed" or not record.raw.verdict.passed:
            continue
        yield Finding(
            "row_count",
            "warning",
            f"The source has {write_count(record.raw.rows, 'row')}, and the suite "
            f"{quote(check.suite, 40)} expects {cut(check.rule, 60)}",
            "The bounds were learned from the rows that were there before.",
            "See whether the export was cut off or joined twice. If the data is right, let assay "
            f"suggest {cut(record.dataset)} learn the suites again.",
            cause="too_little_data",
            figures={"rows": record.raw.rows},
        )


def find_failures(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which checks still fail after repair, and which could not be judged."""
    facts = record.repaired or record.raw
    failed = [c for c in facts.checks if c.status == "failed" and c.suite != DRIFT]
    left = failed if record.repaired else [c for c in failed if not c.repaired_by]
    left = [check for check in left if check.type != ROW_COUNT]  # told by itself
    # A gate's own reasons are told by themselves.
    if left and facts.verdict.passed:
        serious = any(check.severity == "critical" for check in left)
        severity: Severity = "warning" if serious else "info"
        when = "still {} after repair" if record.repaired else "{} that no stage is set to repair"
        named = [
            f"{quote(c.column or 'the table', 24)}: {cut(c.rule, 60)}, found {cut(c.observed, 60)}"
            for c in left
        ]
        first = f": {named[0]}" if len(named) == 1 else ""
        checks = write_count(len(left), "check", "checks")
        yield Finding(
            "failed_checks",
            severity,
            f"{checks} {when.format('fails' if len(left) == 1 else 'fail')}{first}",
            "; ".join(named[:MOST])
            + (f"; {len(named) - MOST} more." if len(named) > MOST else "."),
            "See Validation for what each of them found.",
            column=left[0].column if len(left) == 1 else None,
            figures={"checks": len(left)},
        )
    # A column that is gone is told by itself: the rules about it are no worse for that.
    errors = [
        check
        for check in facts.checks
        if check.status == "error" and not check.observed.startswith(ABSENT)
    ]
    if errors:
        named = [quote(check.column or check.type, 24) for check in errors]
        title = f"{write_count(len(errors), 'check')} could not be judged"
        yield Finding(
            "unjudged_checks",
            "warning",
            title,
            f"Columns: {join_words(named)}. {cut(errors[0].observed, 120)}",
            "Correct the rule in the suite; until then it guards nothing.",
            figures={"checks": len(errors)},
        )


def find_notes(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Pass on what the split and resampling noted."""
    for note in record.split.notes[:MOST] if record.split else []:
        yield Finding(
            "class_missing_from_split",
            "warning",
            _as_title(note),
            "A class that is absent from a split is not learned, or not measured, there.",
            "Give more rows of it, or join it with a related class.",
            cause="bad_split",
        )
    if record.split and len(record.split.notes) > MOST:
        title = f"{len(record.split.notes) - MOST} more classes are missing from a split"
        yield Finding(
            "class_missing_from_split",
            "warning",
            title,
            "They are listed under Changes.",
            "",
            cause="bad_split",
            figures={"more_classes": len(record.split.notes) - MOST},
        )
    for note in record.resampling.notes[:MOST] if record.resampling else []:
        yield Finding(
            "resampling_note",
            "info",
            _as_title(note),
            "Resampling noted this.",
            "",
        )


def _as_title(note: str) -> str:
    return cut(note[:1].upper() + note[1:].rstrip("."), 200)


def find_code_alone(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell if nothing but Assay itself differs from the version before."""
    if record.code_alone:
        yield Finding(
            "code_alone",
            "info",
            f"Only Assay's code of {', '.join(record.code_alone)} differs from the version before",
            "Data, suites, settings and packages are the same; these stages, and those behind "
            "them, were made again.",
            "",
        )
