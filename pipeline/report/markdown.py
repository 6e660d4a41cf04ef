"""The report in short, as Markdown for a Prefect artifact."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import Summary
from pipeline.diagnosis.summary import count_failures
from pipeline.diagnosis.wording import MODELS, cut, reveal, write_count, write_interval
from pipeline.report.checks import Suite, pair_suites
from pipeline.report.row_counts import count_used
from pipeline.targets.metric_names import MAIN, TITLES

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.validation.validation_facts import ValidationFacts

MOST_FINDINGS = 8
MOST_CHECKS = 30
ORDER = {"critical": 0, "warning": 1, "info": 2}
SPECIAL = re.compile(r"([\\`*_{}\[\]#|~<>&])")
STATES = {
    "published": "✓ published",
    "stopped": "✕ stopped by the gate, nothing published",
    "validated": "raw validation only, nothing published",
}
MARKS = {"critical": "✕ **Critical**", "warning": "! **Warning**", "info": "· Note"}


def render_markdown(record: RunRecord) -> str:
    """Write a run's verdict, key figures, suites and first findings as Markdown.

    All text of the data is escaped, so that it is neither markup nor a table's border.
    """
    summary = record.verdict
    version = f" {escape(record.version, 80)}" if record.version else ""
    lines = [
        f"# {escape(record.dataset, 80)}",
        "",
        f"{STATES[summary.state]}{version}",
        "",
        f"**{escape(summary.headline, 400)}**",
        "",
        *_write_figures(record),
        "",
        *_write_suites(pair_suites(record), again=record.repaired is not None),
        "",
        *_write_findings(summary),
    ]
    return reveal("\n".join(lines)) + "\n"


def render_validation(dataset: str, when: str, facts: ValidationFacts) -> str:
    """Write a validation as Markdown: its verdict, and what failed, the worst first.

    Parameters
    ----------
    dataset
        Its name.
    when
        ``raw`` or ``repaired``.
    facts
        The checks and the verdict.
    """
    failed = [check for check in facts.checks if check.status in ("failed", "error")]
    failed.sort(key=lambda check: (check.repaired_by is not None, ORDER.get(check.severity, 9)))
    judged = sum(check.status != "not applicable" for check in facts.checks)
    verdict = "✓ passed the gate" if facts.verdict.passed else "✕ stopped by the gate"
    lines = [
        f"# {escape(dataset, 80)}: validation of the {when} data",
        "",
        f"{verdict}: {len(failed)} of {judged} expectations fail on {write_count(facts.rows)} rows",
        "",
        *(f"- {escape(reason, 300)}" for reason in facts.verdict.reasons[:MOST_FINDINGS]),
    ]
    if failed:
        repair = "Repaired by" if when == "repaired" else "To be repaired by"
        lines += ["", f"| Column | Expectation | Found | Severity | {repair} |"]
        lines += ["|---|---|---|---|---|"]
    for check in failed[:MOST_CHECKS]:
        lines.append(
            f"| {escape(check.column or '(table)', 40)} | {escape(check.rule, 120)} | "
            f"{escape(check.observed, 120)} | {check.severity} | {check.repaired_by or ''} |"
        )
    more = len(failed) - MOST_CHECKS
    if more > 0:
        lines += ["", f"{more} more in the table of all expectations."]
    return reveal("\n".join(lines)) + "\n"


def list_metrics(record: RunRecord) -> list[dict[str, str]]:
    """List each learner's scores on the test split, as the rows of a table."""
    return [
        {"learner": MODELS.get(score.name, score.title)}
        | {
            title: write_interval(score.metrics[name]) if name in score.metrics else ""
            for name, title in TITLES.items()
        }
        for score in (record.training.scores if record.training else [])
    ]


def escape(text: object, length: int = 200) -> str:
    r"""Escape what Markdown or HTML would read as markup, on one line.

    >>> escape("a|b <b>*x*</b>")
    'a\\|b \\<b\\>\\*x\\*\\</b\\>'
    """
    return SPECIAL.sub(r"\\\1", cut(text, length))


def _write_figures(record: RunRecord) -> list[str]:
    rows = f"{write_count(record.ingest.rows)} read, {write_count(record.ingest.labelled)} labelled"
    used = count_used(record)
    if used is not None:
        rows += f", {write_count(used)} used"
    checks = f"{count_failures(record.raw)} of {len(record.raw.checks)} failed on the raw data"
    if record.repaired:
        checks += f", {count_failures(record.repaired)} after repair"
    lines = ["| | |", "|---|---|", f"| Rows | {rows} |", f"| Checks | {checks} |"]
    if record.features:
        lines.append(f"| Features | {len(record.features)} |")
    for score in record.training.scores if record.training else []:
        interval = score.metrics.get(MAIN)
        if interval:
            name = MODELS.get(score.name, score.title)
            lines.append(f"| {TITLES[MAIN]}, {escape(name, 40)} | {write_interval(interval)} |")
    return lines


def _write_suites(suites: list[Suite], *, again: bool) -> list[str]:
    lines = ["| Suite | Checks | Failed raw |", "|---|--:|--:|"]
    if again:
        lines = ["| Suite | Checks | Failed raw | Failed repaired |", "|---|--:|--:|--:|"]
    for suite in suites:
        line = f"| {escape(suite.name, 40)} | {suite.size} | {sum(suite.raw.values())} |"
        if suite.repaired is not None:
            line += f" {sum(suite.repaired.values())} |"
        lines.append(line)
    return lines


def _write_findings(summary: Summary) -> list[str]:
    if not summary.findings:
        return ["Nothing was found that clearly costs accuracy."]
    lines = ["## What to look at first", ""]
    for i, finding in enumerate(summary.findings[:MOST_FINDINGS], 1):
        action = f" → {escape(finding.action, 300)}" if finding.action else ""
        lines.append(
            f"{i}. {MARKS[finding.severity]}: {escape(finding.title, 240)}. "
            f"{escape(finding.detail, 400)}{action}"
        )
    more = len(summary.findings) - MOST_FINDINGS
    return [*lines, "", f"{more} more in report.html."] if more > 0 else lines
