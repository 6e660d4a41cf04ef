"""The end of ``assay run`` on a terminal: at most 25 lines."""

from __future__ import annotations

import textwrap
from statistics import mean, stdev
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import Summary
from pipeline.diagnosis.summary import count_failures
from pipeline.diagnosis.wording import MODELS, cut, reveal, write_count, write_interval
from pipeline.report.row_counts import count_used
from pipeline.targets.metric_names import MAIN, TITLES

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord

WIDTH = 96
MOST_LINES = 25
MARKS = {"critical": "✕", "warning": "!", "info": "·"}


def render_text(record: RunRecord) -> str:
    """Write a run's verdict for a terminal.

    Returns
    -------
    str
        At most 25 lines of at most 96 characters, with control characters escaped.
    """
    summary = record.verdict
    lines = [*_wrap(summary.headline), ""]
    lines += _write_figures(record)
    room = MOST_LINES - len(lines) - 2
    lines += ["", *_write_findings(summary, room)]
    return "\n".join(reveal(line) for line in lines[:MOST_LINES])


def _write_figures(record: RunRecord) -> list[str]:
    checks = (
        f"{count_failures(record.raw)} of {len(record.raw.checks)} checks failed on the raw data"
    )
    if record.repaired:
        checks += f", {count_failures(record.repaired)} after repair"
    lines = [f"  rows     {write_count(record.ingest.rows)} read", f"  checks   {checks}"]
    used = count_used(record)
    if used is not None:
        lines[0] += f", {write_count(used)} used"
    metric = TITLES[MAIN].lower()
    for score in record.training.scores if record.training else []:
        interval = score.metrics.get(MAIN)
        if interval:
            name = MODELS.get(score.name, score.title).lower()
            lines.append(f"  {metric}   {write_interval(interval):<20} {cut(name, 40)}")
    folds = record.training.folds if record.training else []
    values = [fold.metrics[MAIN] for fold in folds if fold.metrics]
    if len(values) > 1:
        spread = f"{mean(values):.3f} ± {stdev(values):.3f}"
        lines.append(f"  {metric}   {spread:<20} {len(values)} folds, mean and deviation")
    return lines


def _write_findings(summary: Summary, room: int) -> list[str]:
    lines: list[str] = []
    for told, finding in enumerate(summary.findings):
        new = _wrap(finding.title, f"{MARKS[finding.severity]} ")
        repeated = told and finding.action == summary.findings[told - 1].action
        if finding.action and finding.severity != "info" and not repeated:
            new += _wrap(finding.action, "    ")
        if len(lines) + len(new) >= room:
            left = len(summary.findings) - told
            return [*lines, f"  … {left} more in the report"]
        lines += new
    return lines


def _wrap(text: str, first: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=" " * max(len(first), 0)
    )
