"""Schedules that were missed: of several runs that are due together, the last one does the work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.context import FlowRunContext

ALIVE = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.COMPLETED]


def find_later_run() -> str | None:
    """Say why the scheduled run at work is not needed: a later one of its deployment is due too.

    After a downtime all runs that were missed start together. Each of them would read the same
    source, so all but the last one skip themselves. Runs that a person started never do.
    """
    context = FlowRunContext.get()
    own = context.flow_run if context else None
    if own is None or not own.auto_scheduled or own.deployment_id is None:
        return None
    due = own.expected_start_time
    if due is None:
        return None
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[own.deployment_id]),
        expected_start_time=FlowRunFilterExpectedStartTime(after_=due, before_=datetime.now(UTC)),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=ALIVE)),
    )
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=wanted)
    return explain_later(own, runs)


def explain_later(own: FlowRun, runs: Sequence[FlowRun]) -> str | None:
    """Say which of the runs that are due takes the place of this one, if one does."""
    due = own.expected_start_time
    times = [
        run.expected_start_time for run in runs
        if run.auto_scheduled and run.id != own.id and run.expected_start_time
    ]  # fmt: skip
    if due is None or not times or max(times) <= due:
        return None
    last = max(times)
    return (
        f"missed: the run of {due:%Y-%m-%d %H:%M} UTC is left to that of "
        f"{last:%Y-%m-%d %H:%M} UTC, which is due as well"
    )
