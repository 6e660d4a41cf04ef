"""Thin wrappers of the stages: addresses in, addresses out.

Each is a Prefect task inside a flow run, with artifacts, and a plain function outside of one.
Prefect is never imported here unless a flow run is under way: ``assay run`` does not pay for it.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from flows.progress import current_progress
from flows.telling import describe_stage
from pipeline import steps, validation_steps
from pipeline.errors import DataContractError
from pipeline.plan import Run
from pipeline.store import Address
from pipeline.validation_steps import When

if TYPE_CHECKING:
    from pipeline.report.record import RunRecord
    from pipeline.training.client import Trainer

P = ParamSpec("P")
R = TypeVar("R")


class GateStopped(DataContractError):
    """A gate stopped the run; nothing was published.

    Attributes
    ----------
    report
        Where the report of the stopped run lies.
    """

    def __init__(self, stage: str, problem: str, fix: str, report: Path) -> None:
        super().__init__(stage, problem, fix)
        self.report = report

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return type(self), (self.stage, self.problem, self.fix, self.report)


def in_flow_run() -> bool:
    """Tell whether a Prefect flow run is under way in this context."""
    if "prefect.context" not in sys.modules:
        return False
    from prefect.context import FlowRunContext

    return FlowRunContext.get() is not None


def stage(
    name: str,
) -> Callable[[Callable[Concatenate[Run, P], R]], Callable[Concatenate[Run, P], R]]:
    """Make a stage a Prefect task inside a flow run; time it and tell it everywhere."""

    def decorate(function: Callable[Concatenate[Run, P], R]) -> Callable[Concatenate[Run, P], R]:
        @functools.wraps(function)
        def tell(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> R:
            kept = name in run.keys and run.is_done(name)
            with current_progress().stage(name) as told:
                result = function(run, *args, **kwargs)
                told.append("kept" if kept else describe_stage(run, name))
            return result

        @functools.wraps(function)
        def call(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not in_flow_run():
                return tell(run, *args, **kwargs)
            from prefect import task
            from prefect.cache_policies import NO_CACHE

            # Prefect's cache stores pointers to files that may be gone; the store does it better.
            options: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
            wrapped: Any = task(name=name.replace("_", "-"), **options)(tell)
            result: R = wrapped(run, *args, **kwargs)
            return result

        return call

    return decorate


@contextmanager
def warm_trainer(run: Run) -> Iterator[Trainer | None]:
    """Start the training process early, so that TensorFlow is imported while data is prepared."""
    if run.is_done("train"):
        yield None
        return
    from pipeline.training.client import Trainer

    config = run.config
    with Trainer(run.store.runs / "training.log", config.training, config.modality) as trainer:
        _trainers.append(trainer)
        try:
            yield trainer
        finally:
            _trainers.remove(trainer)


@contextmanager
def recorded(run: Run, started: datetime) -> Iterator[None]:
    """Log the run when it ends, however it ends, and let go of stages that no recent run used."""
    try:
        yield
    finally:
        run.store.record_run(
            {
                "started": started.isoformat(timespec="seconds"),
                "key": run.key,
                "seconds": current_progress().seconds,
                "stages": [f"{name}-{key[:16]}" for name, key in run.keys.items()],
            }
        )


# The process of the run at work; it can't travel through a task's arguments.
_trainers: list[Trainer] = []


@stage("ingest")
def ingest(run: Run) -> Address:
    """Read the source into canonical partitions."""
    return steps.ingest(run, current_progress().advance_pictures)


@stage("validate_raw")
def validate_raw(run: Run, rows: Address) -> Address:
    """Judge the raw rows."""
    return validation_steps.validate(run, "raw", rows)


@stage("split")
def split(run: Run, rows: Address) -> Address:
    """Assign rows to train, validation and test."""
    return steps.split(run, rows)


@stage("clean")
def clean(run: Run, rows: Address, assignment: Address) -> Address:
    """Clean the rows by what the training split shows."""
    return steps.clean(run, rows, assignment)


@stage("impute")
def impute(run: Run, rows: Address) -> Address:
    """Fill missing values by what the training split shows."""
    return steps.impute(run, rows)


@stage("validate_repaired")
def validate_repaired(run: Run, rows: Address) -> Address:
    """Judge the repaired rows by the same suites."""
    return validation_steps.validate(run, "repaired", rows)


@stage("encode")
def encode(run: Run, rows: Address) -> Address:
    """Make model-ready features."""
    return steps.encode(run, rows)


@stage("resample")
def resample(run: Run, features: Address) -> Address:
    """Change the class balance of the training split."""
    return steps.resample(run, features)


@stage("unrepaired")
def assemble_raw(run: Run, rows: Address, assignment: Address, features: Address) -> Address:
    """Make features of the data before repair, to compare with."""
    return steps.assemble_raw(run, rows, assignment, features)


@stage("folds")
def make_folds(run: Run, rows: Address, assignment: Address) -> list[Address]:
    """Make the folds of a cross-validation, every stage fitted inside its fold."""
    return steps.make_folds(run, rows, assignment)


@stage("train")
def train(run: Run, features: Address, unrepaired: Address | None, folds: list[Address]) -> Address:
    """Train the baseline and measure it."""
    trainer = _trainers[-1] if _trainers else None
    advance = _show_progress(run) if in_flow_run() else current_progress().advance
    return steps.train(run, features, unrepaired, folds, trainer, advance)


def _show_progress(run: Run) -> Callable[[str, int, int], None]:
    """Show in Prefect's UI how far the training has come, not more often than once a second."""
    from prefect.artifacts import create_progress_artifact, update_progress_artifact

    key = f"{_slug(run.store.dataset)}-training"
    artifact: Any = create_progress_artifact(0.0, key=key, description="Epochs at most")
    shown = [time.monotonic()]

    def advance(what: str, step: int, steps: int) -> None:
        if step == steps or time.monotonic() - shown[0] >= 1.0:
            shown[0] = time.monotonic()
            percent = 100.0 * step / steps
            update_progress_artifact(artifact, percent, description=f"{what}: epoch {step}")

    return advance


@stage("publish")
def publish(run: Run, started: datetime) -> Path:
    """Publish the version whole."""
    from pipeline.publishing import publish as publish_version
    from pipeline.report.text import render_text

    path, record = publish_version(run, started, current_progress().seconds)
    _create_artifacts(record)
    current_progress().closing = render_text(record)
    return path


@stage("report")
def report_validation(run: Run, started: datetime) -> Path:
    """Write the report of a validation that passed."""
    from pipeline.publishing import write_validation
    from pipeline.report.text import render_text

    path, record = write_validation(run, started, current_progress().seconds)
    current_progress().closing = render_text(record)
    return path


@stage("docs")
def build_docs(run: Run, rows: Address) -> Path:
    """Build Great Expectations' Data Docs of the raw rows."""
    return validation_steps.build_docs(run, rows)


def gate(run: Run, when: When, started: datetime) -> None:
    """Let the run go on, or stop it with a report.

    Raises
    ------
    GateStopped
        If a critical expectation fails that no later stage is to repair.
    """
    facts = validation_steps.judge_results(run, when)
    if facts.verdict.passed:
        return
    from pipeline.publishing import write_stopped
    from pipeline.report.text import render_text

    report, record = write_stopped(run, when, started, current_progress().seconds)
    _create_artifacts(record)
    current_progress().say("\n" + render_text(record))
    reasons = facts.verdict.reasons
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    raise GateStopped(
        "validation",
        f"the gate stopped the run on the {when} data: {reasons[0]}{more}",
        f"Correct the data, or the expectation in expectations/{run.store.dataset}",
        report,
    )


def _create_artifacts(record: RunRecord) -> None:
    """Show the result in Prefect's UI: a summary, and the checks that failed."""
    if not in_flow_run():
        return
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    from pipeline.report.markdown import render_markdown

    slug = _slug(record.dataset)
    create_markdown_artifact(
        render_markdown(record), key=f"{slug}-report", description="What the run found"
    )
    for when, facts in (("raw", record.raw), ("repaired", record.repaired)):
        if facts is None:
            continue
        table = [
            {"suite": c.suite, "column": c.column or "", "severity": c.severity, "rule": c.rule,
             "status": c.status, "found": c.observed}
            for c in facts.checks
        ]  # fmt: skip
        create_table_artifact(
            table, key=f"{slug}-validation-{when}", description=f"Expectations on the {when} data"
        )


def _slug(name: str) -> str:
    """Write a name as Prefect asks of an artifact's key."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
