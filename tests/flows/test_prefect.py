"""The recipe as a Prefect flow, under a real server on the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pipeline.storage.store import Store
from tests.conftest import copy_sample

SPEED = ["training.epochs=2", "training.compare_unrepaired=false"]


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """Start a Prefect server with a database of its own for the tests of this module."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


def _read_artifacts(flow_run: UUID) -> list[Any]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run]))
        return client.read_artifacts(artifact_filter=wanted)


def _read_tasks(flow_run: UUID) -> dict[str, str]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run]))
        )
    return {run.name: run.state_name or "" for run in runs}


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_a_flow_run_completes_with_tasks_and_artifacts(home: Path) -> None:
    """Each stage is a task that completes; report and checks are artifacts."""
    from flows.prefect_flows import refresh

    copy_sample(home, "hypothyroid")
    state = refresh("hypothyroid", settings=SPEED, home=str(home), return_state=True)
    assert state.is_completed(), state.message
    assert Store(home, "hypothyroid").current() in str(state.message)
    flow_run = state.state_details.flow_run_id
    assert flow_run is not None
    tasks = _read_tasks(flow_run)
    assert set(tasks.values()) == {"Completed"}
    assert {
        "Read the source into canonical partitions", "Validate the raw data by the suites",
        "Fill missing values by what the training split shows", "Train the baseline and measure it",
        "Publish the version whole",
    } <= set(tasks)  # fmt: skip
    artifacts = {artifact.key: artifact for artifact in _read_artifacts(flow_run)}
    assert "balanced accuracy" in artifacts["hypothyroid-report"].data.lower()
    for when in ("raw", "repaired"):
        validation = artifacts[f"hypothyroid-validation-{when}"]
        assert f"validation of the {when} data" in validation.data
        assert validation.created < artifacts["hypothyroid-training"].created
        assert artifacts[f"hypothyroid-validation-{when}-checks"].type == "table"
    assert artifacts["hypothyroid-training"].type == "progress"
    assert artifacts["hypothyroid-training"].created < artifacts["hypothyroid-metrics"].created
    assert "report.html" in artifacts["hypothyroid-report-page"].data


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_a_failing_gate_ends_in_failed_with_its_reason(home: Path) -> None:
    """A gate that stops makes the flow run Failed; its message says which column and why."""
    from flows.prefect_flows import refresh

    copy_sample(home, "hypothyroid")
    source = home / "data/hypothyroid/hypothyroid.csv"
    source.write_text(source.read_text().replace("TSH,T3_measured", "TSHH,T3_measured", 1))
    state = refresh("hypothyroid", settings=SPEED, home=str(home), return_state=True)
    assert state.is_failed()
    assert "TSH: the column is there; found absent" in str(state.message)
    assert Store(home, "hypothyroid").versions() == []
