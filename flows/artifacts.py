"""What Prefect's pages show of a run: validations before the training, metrics and report after it.

Everything here does nothing outside of a flow run, and imports Prefect only inside of one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.progress import in_flow_run

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.steps.validation import When
    from pipeline.validation.validation_facts import ValidationFacts

REPORTS_URL = "ASSAY_REPORTS_URL"


def show_validation(dataset: str, when: When, facts: ValidationFacts) -> None:
    """Show a validation: its verdict, what failed, and all checks as a table."""
    if not in_flow_run():
        return
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    from pipeline.report.markdown import render_validation

    key = f"{slug(dataset)}-validation-{when}"
    create_markdown_artifact(
        render_validation(dataset, when, facts), key=key,
        description=f"Validation of the {when} data",
    )  # fmt: skip
    table = [
        {"suite": c.suite, "column": c.column or "", "severity": c.severity, "rule": c.rule,
         "status": c.status, "found": c.observed}
        for c in facts.checks
    ]  # fmt: skip
    create_table_artifact(
        table, key=f"{key}-checks", description=f"All expectations on the {when} data"
    )


def show_result(record: RunRecord, report: Path) -> None:
    """Show how a run ended: its findings, the metrics of each learner, a link to the report."""
    if not in_flow_run():
        return
    from prefect.artifacts import (
        create_link_artifact,
        create_markdown_artifact,
        create_table_artifact,
    )

    from pipeline.report.markdown import list_metrics, render_markdown

    key = slug(record.dataset)
    create_markdown_artifact(
        render_markdown(record), key=f"{key}-report", description="What the run found"
    )
    if record.training is not None:
        create_table_artifact(
            list_metrics(record), key=f"{key}-metrics",
            description="Scores on the test split, with 95 % intervals",
        )  # fmt: skip
    create_link_artifact(
        find_url(report), link_text="report.html", key=f"{key}-report-page",
        description=f"The whole report: {report}",
    )  # fmt: skip


def find_url(report: Path) -> str:
    """Find where a browser opens a report: at the server of ``assay serve``, or as a file."""
    base = os.environ.get(REPORTS_URL)
    parts = report.parts
    if base and "data" in parts:
        # The project's data folder is the last one of that name above the versions or runs.
        below = len(parts) - 1 - parts[::-1].index("data")
        return "/".join([base.rstrip("/"), *parts[below + 1 :]])
    return report.as_uri()


def follow_training(dataset: str) -> Callable[[str, int, int], None]:
    """Show how far the training has come, not more often than once a second."""
    from prefect.artifacts import create_progress_artifact, update_progress_artifact

    artifact: Any = create_progress_artifact(
        0.0, key=f"{slug(dataset)}-training", description="Epochs at most"
    )
    shown = [time.monotonic()]

    def advance(what: str, step: int, steps: int) -> None:
        if step == steps or time.monotonic() - shown[0] >= 1.0:
            shown[0] = time.monotonic()
            percent = 100.0 * step / steps
            update_progress_artifact(artifact, percent, description=f"{what}: epoch {step}")

    return advance


def slug(name: str) -> str:
    """Write a name as Prefect asks of an artifact's key."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
