"""Thin wrappers of the stages: addresses in, addresses out.

Each is a Prefect task inside a flow run, with artifacts, and a plain function outside of one.
Prefect is never imported here unless a flow run is under way: ``assay run`` does not pay for it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from flows.artifacts import follow_training, show_result, show_validation
from flows.progress import current_progress, in_flow_run
from flows.telling import describe_stage
from flows.watching import GateStopped
from pipeline.config.settings import DatasetConfig
from pipeline.errors import AssayError
from pipeline.runs.run import Run
from pipeline.secrets import hide
from pipeline.sources import fetching
from pipeline.sources.fetching import SourceUnavailable
from pipeline.storage.store import Address, Store

if TYPE_CHECKING:
    from pipeline.steps.validation import When
    from pipeline.training.client import Trainer

P = ParamSpec("P")
R = TypeVar("R")
RETRY_SECONDS = (2.0, 10.0, 30.0)


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
            from prefect.client.schemas.objects import State
            from prefect.states import Failed

            # Prefect's cache stores pointers to files that may be gone; the store does it better.
            # Nothing is tried again: a stage that failed fails again on the same data.
            options: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
            title = (function.__doc__ or name).splitlines()[0].rstrip(".")
            faults: list[AssayError] = []

            def attempt() -> R | State[Any]:
                # A fault of the data is a failed task with its reason, and not a traceback.
                try:
                    return tell(run, *args, **kwargs)
                except AssayError as error:
                    faults.append(error)
                    return Failed(message=hide(str(error)))

            wrapped: Any = task(name=name.replace("_", "-"), task_run_name=title, **options)(
                attempt
            )
            state = wrapped(return_state=True)
            if faults:
                raise faults[0]
            result: R = state.result()
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

    threads = run.modality.learning.choose_threads(run.config.training)
    with Trainer(run.store.runs / "training.log", threads) as trainer:
        _trainers.append(trainer)
        try:
            yield trainer
        finally:
            _trainers.remove(trainer)


# The process of the run at work; it can't travel through a task's arguments.
_trainers: list[Trainer] = []


def fetch(store: Store, config: DatasetConfig) -> Path:
    """Fetch the source from another machine; try again where that can help."""
    unavailable: list[bool] = []

    def attempt() -> Path:
        try:
            return fetching.fetch(store, config)
        except Exception as error:
            unavailable.append(isinstance(error, SourceUnavailable))
            raise

    if in_flow_run():
        from prefect import task
        from prefect.cache_policies import NO_CACHE

        wrapped: Any = task(
            name="fetch",
            task_run_name="Fetch the source",
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=len(RETRY_SECONDS),
            retry_delay_seconds=list(RETRY_SECONDS),
            retry_condition_fn=lambda *_: unavailable[-1],
        )
        path: Path = wrapped(attempt)()
        return path
    for pause in RETRY_SECONDS:
        try:
            return attempt()
        except SourceUnavailable as error:
            current_progress().say(f"  … trying again in {pause:g} s. {error}")
            time.sleep(pause)
    return attempt()


@stage("ingest")
def ingest(run: Run) -> Address:
    """Read the source into canonical partitions."""
    from pipeline.steps.ingest import ingest as step

    return step(run, current_progress().advance_pictures)


@stage("validate_raw")
def validate_raw(run: Run, rows: Address) -> Address:
    """Validate the raw data by the suites."""
    from pipeline.steps.validate_raw import validate_raw as step

    return step(run, rows)


@stage("split")
def split(run: Run, rows: Address) -> Address:
    """Assign rows to train, validation and test."""
    from pipeline.steps.split import split as step

    return step(run, rows)


@stage("clean")
def clean(run: Run, rows: Address, assignment: Address) -> Address:
    """Clean the rows by what the training split shows."""
    from pipeline.steps.clean import clean as step

    return step(run, rows, assignment)


@stage("impute")
def impute(run: Run, rows: Address) -> Address:
    """Fill missing values by what the training split shows."""
    from pipeline.steps.impute import impute as step

    return step(run, rows)


@stage("validate_repaired")
def validate_repaired(run: Run, rows: Address) -> Address:
    """Validate the repaired data by the same suites."""
    from pipeline.steps.validate_repaired import validate_repaired as step

    return step(run, rows)


@stage("encode")
def encode(run: Run, rows: Address) -> Address:
    """Make model-ready features."""
    from pipeline.steps.encode import encode as step

    return step(run, rows)


@stage("race")
def race(run: Run, rows: Address, assignment: Address, features: Address) -> Address:
    """Choose a resampling by cross-validation on the training split."""
    from pipeline.steps.race import race as step

    return step(run, rows, assignment, features, *_follow_networks(run))


@stage("resample")
def resample(run: Run, features: Address, race: Address | None) -> Address:
    """Change the class balance of the training split."""
    from pipeline.steps.resample import resample as step

    return step(run, features, race)


@stage("unrepaired")
def assemble_raw(run: Run, rows: Address, assignment: Address, features: Address) -> Address:
    """Make features of the data before repair, to compare with."""
    from pipeline.steps.unrepaired import assemble_raw as step

    return step(run, rows, assignment, features)


@stage("cross_validate")
def cross_validate(
    run: Run, rows: Address, assignment: Address, features: Address, race: Address | None
) -> Address:
    """Cross-validate the network on the training split."""
    from pipeline.steps.cross_validate import cross_validate as step

    return step(run, rows, assignment, features, race, *_follow_networks(run))


@stage("train")
def train(
    run: Run, features: Address, unrepaired: Address | None, folds: Address | None
) -> Address:
    """Train the baseline and measure it."""
    from pipeline.steps.train import train as step

    return step(run, features, unrepaired, folds, *_follow_networks(run))


def _follow_networks(run: Run) -> tuple[Trainer | None, Callable[[str, int, int], None]]:
    """Give the training process that is at work, and what tells of its epochs."""
    trainer = _trainers[-1] if _trainers else None
    advance = follow_training(run.store.dataset) if in_flow_run() else current_progress().advance
    return trainer, advance


@stage("publish")
def publish(run: Run, started: datetime) -> Path:
    """Publish the version whole."""
    from pipeline.report.text import render_text
    from pipeline.steps.publish import publish as publish_version

    path, record = publish_version(run, started, current_progress().seconds)
    show_result(record, path / "report.html")
    current_progress().closing = render_text(record)
    return path


@stage("report")
def report_validation(run: Run, started: datetime) -> Path:
    """Write the report of a validation that passed."""
    from pipeline.report.text import render_text
    from pipeline.steps.publish import write_validation

    path, record = write_validation(run, started, current_progress().seconds)
    current_progress().closing = render_text(record)
    return path


@stage("docs")
def build_docs(run: Run, rows: Address) -> Path:
    """Build Great Expectations' Data Docs of the raw rows."""
    from pipeline.steps.docs import build_docs as step

    return step(run, rows)


def gate(run: Run, when: When, started: datetime) -> None:
    """Let the run go on, or stop it with a report.

    Raises
    ------
    GateStopped
        If a critical expectation fails that no later stage is to repair.
    """
    from pipeline.steps.judge import judge_results

    facts = judge_results(run, when)
    show_validation(run.store.dataset, when, facts)
    if facts.verdict.passed:
        return
    from pipeline.report.text import render_text
    from pipeline.steps.publish import write_stopped

    report, record = write_stopped(run, when, started, current_progress().seconds)
    show_result(record, report)
    current_progress().say("\n" + render_text(record))
    reasons = facts.verdict.reasons
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    raise GateStopped(
        "validation",
        f"the gate stopped the run on the {when} data: {reasons[0]}{more}",
        f"Correct the data, or the expectation in expectations/{run.store.dataset}",
        report,
    )
