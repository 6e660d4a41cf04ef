"""The recipe as a Prefect flow and its deployments, at a real server on the loopback interface."""

from __future__ import annotations

import base64
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flows.artifacts import find_url
from flows.cli import main
from pipeline.storage.store import Store
from tests.conftest import SAMPLES, copy_sample

FULL = ["training.epochs=2", "training.compare_unrepaired=false"]
SPEED = ["training.epochs=1", "training.compare_unrepaired=false", "training.bootstrap=100"]
ROOT = Path(__file__).parents[2]
TOKEN = "tok3n-of-the-export"
SCHEDULE = "\nschedule: {cron: '0 3 * * *', timezone: Europe/Berlin}\ntags: [nightly]\n"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a Prefect server with a database of its own for the tests of this module."""
    from prefect.settings import get_current_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        url = get_current_settings().api.url
        assert url is not None
        yield url


def deploy(home: Path, server: str, *names: str) -> tuple[int, str]:
    """Run `assay deploy` as people do; return its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "deploy", *names],
        env=os.environ | {"PREFECT_API_URL": server, "ASSAY_HOME": str(home)},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def read_deployments() -> dict[str, Any]:
    """Read what is registered, by flow and name."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        flows = {flow.id: flow.name for flow in client.read_flows()}
        return {f"{flows[d.flow_id]}/{d.name}": d for d in client.read_deployments()}


@pytest.mark.slow
def test_deployments_follow_the_declaration(home: Path, server: str) -> None:
    """Schedule, tags, a form with help for each parameter; deployed again, what changed changes."""
    copy_sample(home, "hypothyroid")
    copy_sample(home, "emoji")
    declaration = home / "data/hypothyroid/dataset.yaml"
    text = declaration.read_text()
    declaration.write_text(text + SCHEDULE)
    code, said = deploy(home, server)
    assert code == 0, said
    assert "refresh/hypothyroid: 0 3 * * * (Europe/Berlin)" in (said)
    found = read_deployments()
    assert {"refresh/hypothyroid", "train/hypothyroid", "refresh/emoji"} <= set(found)
    refresh = found["refresh/hypothyroid"]
    assert set(refresh.tags) == {"assay", "nightly"}
    (schedule,) = refresh.schedules
    assert (schedule.schedule.cron, schedule.schedule.timezone) == ("0 3 * * *", "Europe/Berlin")
    assert schedule.active
    assert not found["refresh/emoji"].schedules
    assert refresh.entrypoint == "flows.prefect_flows.refresh"
    assert refresh.enforce_parameter_schema
    assert refresh.job_variables["env"]["ASSAY_HOME"] == str(home)
    form = refresh.parameter_openapi_schema["properties"]
    assert len(form) > 8
    assert all(field["description"] for field in form.values())
    assert {"seed", "imputation", "resampling", "epochs"} <= set(form)

    declaration.write_text(text + SCHEDULE.replace("0 3", "30 4").replace("}", ", paused: true}"))
    code, said = deploy(home, server, "hypothyroid")
    assert code == 0, said
    (schedule,) = read_deployments()["refresh/hypothyroid"].schedules
    assert (schedule.schedule.cron, schedule.active) == ("30 4 * * *", False)
    declaration.write_text(text)
    code, said = deploy(home, server, "hypothyroid")
    assert code == 0, said
    assert read_deployments()["refresh/hypothyroid"].schedules == []

    declaration.write_text(text + "schedule: {cron: 99 99 * * *}\n")
    code, said = deploy(home, server, "hypothyroid")
    assert code == 2, said
    assert "99 is beyond 59, the highest in '99'" in said
    declaration.write_text(text + "nonsense: 1\n")
    code, said = deploy(home, server)
    assert code == 2, said  # one is at fault, the other one is registered
    assert "not deployed: config: nonsense" in said
    assert "refresh/emoji" in said


@pytest.mark.slow
def test_crashed_runs_are_told_by_the_server(home: Path, server: str) -> None:
    """A process that is killed tells nobody: an automation marks its run, another one notifies."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock
    from prefect.client.orchestration import get_client

    copy_sample(home, "hypothyroid")
    declaration = home / "data/hypothyroid/dataset.yaml"
    text = declaration.read_text()
    declaration.write_text(text + "\nnotifications: {block: custom-webhook/alerts}\n")
    code, said = deploy(home, server)
    assert code == 2, said
    assert "'custom-webhook/alerts', which is not there" in said
    hook = CustomWebhookNotificationBlock(name="alerts", url="http://127.0.0.1:9/")
    hook.save("alerts")
    for _ in range(2):  # a second time renews, and adds none
        code, said = deploy(home, server)
        assert code == 0, said
    with get_client(sync_client=True) as client:
        assert len(client.read_automations_by_name("assay: runs that died")) == 1
        assert len(client.read_automations_by_name("assay: hypothyroid crashed")) == 1
        declaration.write_text(text)
        code, said = deploy(home, server)
        assert code == 0, said
        assert client.read_automations_by_name("assay: hypothyroid crashed") == []


@pytest.mark.slow
def test_states_say_what_happened(home: Path, server: str) -> None:
    """Published, unchanged, refused: each flow run's state says it; settings reach the run."""
    from flows.prefect_flows import refresh, train

    copy_sample(home, "hypothyroid")
    arguments = {"dataset": "hypothyroid", "settings": SPEED, "seed": 7, "home": str(home)}
    published = refresh(**arguments, return_state=True)
    version = Store(home, "hypothyroid").version()
    assert published.message == f"published: {version.name}, report {version}/report.html"
    assert '"seed": 7' in (version / "manifest.json").read_text()
    unchanged = refresh(**arguments, return_state=True)
    assert (unchanged.name, unchanged.is_completed()) == ("Unchanged", True)
    assert f"nothing changed since version {version.name}" in str(unchanged.message)
    with Store(home, "hypothyroid").lock():
        refused = refresh(
            **arguments | {"settings": [*SPEED, "runs.when_busy=refuse"]}, return_state=True
        )
    assert refused.is_cancelled()
    assert "another run of hypothyroid is at work" in str(refused.message)
    trained = train("hypothyroid", epochs=1, home=str(home), return_state=True)
    assert trained.is_completed(), trained.message
    assert len(list((home / "data/runs/hypothyroid/trainings").iterdir())) == 1


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
    state = refresh("hypothyroid", settings=FULL, home=str(home), return_state=True)
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
    state = refresh("hypothyroid", settings=FULL, home=str(home), return_state=True)
    assert state.is_failed()
    assert "TSH: the column is there; found absent" in str(state.message)
    assert Store(home, "hypothyroid").versions() == []


class Export(http.server.BaseHTTPRequestHandler):
    """Serves the sample to those who know the token."""

    def do_GET(self) -> None:
        """Give the file, or refuse."""
        known = base64.b64encode(f"export:{TOKEN}".encode()).decode()
        allowed = self.headers["Authorization"] == f"Basic {known}" and self.path == "/data.csv"
        body = (SAMPLES / "hypothyroid" / "hypothyroid.csv").read_bytes() if allowed else b""
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.slow
def test_a_secret_is_in_no_file_no_log_no_artifact(home: Path, server: str) -> None:
    """Kept as a Prefect block, used in the source's URL; searched for in all that was written."""
    from prefect.blocks.system import Secret
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    from flows.prefect_flows import refresh

    copy_sample(home, "hypothyroid")
    declaration = home / "data/hypothyroid/dataset.yaml"
    text = declaration.read_text()
    (home / "data/hypothyroid/hypothyroid.csv").unlink()
    Secret(value=TOKEN).save("export-token")
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Export)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{web.server_port}"
    states = []
    for path in ("data.csv", "other.csv"):
        url = f"http://export:${{EXPORT_TOKEN}}@{place}/{path}"
        declaration.write_text(text.replace("source: hypothyroid.csv", f"source: {url}"))
        states.append(refresh("hypothyroid", settings=SPEED, home=str(home), return_state=True))
    web.shutdown()
    web.server_close()
    published, refused = states
    assert published.is_completed(), published.message
    assert refused.is_failed()
    assert "the server of the source answered 403" in str(refused.message)
    time.sleep(3)  # logs are sent in batches
    with get_client(sync_client=True) as client:
        runs = [state.state_details.flow_run_id for state in states]
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=runs)))
        said = "\n".join(log.message for log in logs)
        artifacts = [str(artifact.data) for artifact in client.read_artifacts()]
    assert "published" in said
    assert len(artifacts) > 5
    forms = (TOKEN, base64.b64encode(f"export:{TOKEN}".encode()).decode())
    everything = [said, *artifacts, *(str(state.message) for state in states)]
    assert not [text for text in everything if any(form in text for form in forms)]
    files = [p for p in home.rglob("*") if p.is_file()]
    assert len(files) > 50
    assert not [p for p in files if any(form.encode() in p.read_bytes() for form in forms)]


def test_of_the_runs_that_were_missed_the_last_one_works() -> None:
    """Runs that are due together give way to the last; those that a person started never count."""
    from prefect.client.schemas.objects import FlowRun

    from flows.prefect_schedule import explain_later

    now = datetime.now(UTC)
    nights = [
        FlowRun(
            flow_id=uuid.uuid4(),
            auto_scheduled=True,
            expected_start_time=now - timedelta(days=days),
        )
        for days in (3, 2, 1)
    ]
    reasons = [explain_later(run, nights) for run in nights]
    assert [reason is None for reason in reasons] == [False, False, True]
    assert f"{nights[0].expected_start_time:%Y-%m-%d %H:%M} UTC is left to that" in str(reasons[0])
    person = FlowRun(flow_id=uuid.uuid4(), auto_scheduled=False, expected_start_time=now)
    assert explain_later(nights[2], [*nights, person]) is None


def test_a_server_that_is_down_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A named server that does not answer is the machine's fault; none at all is the user's."""
    copy_sample(home, "hypothyroid")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    for call in (["run", "hypothyroid"], ["deploy"]):
        assert main(call) == 3
        said = capsys.readouterr().err
        assert "prefect: the server at http://127.0.0.1:9/api can't be reached" in said
        assert "Traceback" not in said
    assert not (home / "data/published").exists()


def test_a_port_in_use_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`assay serve` names the port and the way out, and starts nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert f"serve: port {port} of 127.0.0.1 can't be used" in capsys.readouterr().err
    assert main(["serve", "--port", "70000"]) == 2


def test_reports_are_found_where_they_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file, or at the address that `assay serve` gives its workers."""
    report = tmp_path / "data/published/d/v1/report.html"
    assert find_url(report) == report.as_uri()
    monkeypatch.setenv("ASSAY_REPORTS_URL", "http://127.0.0.1:4201")
    assert find_url(report) == "http://127.0.0.1:4201/published/d/v1/report.html"
