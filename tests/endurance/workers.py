"""kill -9 of a Prefect worker and all that it started, and the same deployment again.

A server stays up; each round starts a worker, lets it begin a deployment's run, kills the worker's
whole session, looks at the disk, and has a new worker do the same run. At the end the server itself
has found out which runs died.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.endurance.project import FAST, LIMIT, STAGES, Log, Project, make_project, remove

FIRST_SEED = 5000
POLL = 0.3  # seconds; more often would keep the server busy
MARKED_WITHIN = 240.0  # seconds until the server has marked the last dead run


@dataclass(slots=True)
class WorkerRound:
    """What one kill of a worker and the next run showed; empty lists are good."""

    seed: int
    delay: float
    fell: str = ""
    killed: list[int] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    rerun: str = ""
    unmet: list[str] = field(default_factory=list)
    redone: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Name the rules that this round broke."""
        broken = {
            "incomplete current versions": self.damage,
            "runs that did not complete": self.rerun != "Completed",
            "runs whose version is not current, whole and single": self.unmet,
            "finished stages redone": self.redone,
            "temporary things left": self.left,
        }
        return [rule for rule, found in broken.items() if found]


@contextlib.contextmanager
def serving(project: Project) -> Iterator[dict[str, str]]:
    """Run a Prefect server with a database of its own; give the environment that leads to it."""
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        port = probing.getsockname()[1]
    env = project.environment() | {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(project.home / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    server = subprocess.Popen(
        [*command, "--port", str(port)], env=env, cwd=project.home, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        from flows.prefect_server import probe

        until = time.monotonic() + LIMIT
        while probe(env["PREFECT_API_URL"]) is not None:
            if time.monotonic() > until or server.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.2)
        code, output = call(project, env, "deploy", project.name)
        if code != 0:
            raise RuntimeError(output)
        yield env
    finally:
        kill_session(server.pid)
        server.wait()


def call(project: Project, env: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Run the command at this server."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env=env, cwd=project.home, capture_output=True, text=True, check=False, timeout=LIMIT,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def start_worker(project: Project, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a worker in a session of its own."""
    command = [sys.executable, "-m", "prefect", "worker", "start"]
    return subprocess.Popen(
        [*command, "--pool", "assay", "--type", "process"], env=env, cwd=project.home,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def start_deployed(env: dict[str, str], project: Project, seed: int) -> subprocess.Popen[str]:
    """Start a refresh as a run of its deployment, and watch it to its end."""
    settings = json.dumps(list(FAST))
    command = [sys.executable, "-m", "prefect", "deployment", "run", f"refresh/{project.name}"]
    return subprocess.Popen(
        [*command, "--watch", "-p", f"seed={seed}", "-p", f"settings={settings}"],
        env=env, cwd=project.home, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def kill_session(leader: int) -> list[int]:
    """Kill a process and all its descendants, whatever session they made for themselves."""
    family = list_family(leader)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return family


def list_family(leader: int) -> list[int]:
    """List a process and its living descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    family = [leader]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return family


class Server:
    """What is asked of a server: to run a deployment, and how its runs are."""

    def __init__(self, env: dict[str, str]) -> None:
        import httpx

        self.http = httpx.Client(base_url=env["PREFECT_API_URL"] + "/", timeout=90)

    def start(self, name: str, seed: int) -> str:
        """Ask for a run of a data set's deployment."""
        found = self._ask("GET", f"deployments/name/refresh/{name}")
        parameters = {"dataset": name, "seed": seed, "settings": list(FAST)}
        body = {"state": {"type": "SCHEDULED"}, "parameters": parameters}
        return str(self._ask("POST", f"deployments/{found['id']}/create_flow_run", body)["id"])

    def state(self, run: str) -> dict[str, Any]:
        """Ask for the state of a run."""
        found: dict[str, Any] = self._ask("GET", f"flow_runs/{run}")["state"]
        return found

    def _ask(self, how: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask again while its database is locked, as Prefect's own clients do."""
        for _ in range(60):
            answer = self.http.request(how, path, json=body)
            if answer.status_code != 503:
                break
            time.sleep(1)
        told: dict[str, Any] = answer.raise_for_status().json()
        return told

    def wait(self, run: str, kinds: set[str], seconds: float) -> dict[str, Any]:
        """Wait until a run is in a state of one of these kinds."""
        until = time.monotonic() + seconds
        while (state := self.state(run))["type"] not in kinds and time.monotonic() < until:
            time.sleep(POLL)
        return state


def kill_workers(
    folder: Path, log: Log, rounds: int, seed: int, minutes: float
) -> tuple[list[WorkerRound], list[str]]:
    """Kill `rounds` workers; also say of which dead runs the server has not found out."""
    draw = random.Random(f"workers {seed}")
    deadline = time.monotonic() + 60 * minutes
    project = make_project(folder / "workers", "hypothyroid")
    done: list[WorkerRound] = []
    dead: list[str] = []
    with serving(project) as env:
        server = Server(env)
        whole = _measure(project, env, server)
        for number in range(rounds):
            if time.monotonic() > deadline:
                break
            found = WorkerRound(FIRST_SEED + number, draw.uniform(0, whole))
            if number % 4 == 3:
                project.append_row(draw)
            dead += _kill_once(project, env, server, found)
            log.write(**asdict(found), faults=found.faults)
            print(
                f"seed {found.seed}  {found.delay:5.2f} s  fell in {found.fell:<20} killed "
                f"{len(found.killed)} processes  {'; '.join(found.faults) or 'ok'}",
                flush=True,
            )
            done.append(found)
        return done, _find_unmarked(server, dead)


def _measure(project: Project, env: dict[str, str], server: Server) -> float:
    """Measure a whole run, from its start to its end."""
    worker = start_worker(project, env)
    run = server.start(project.name, FIRST_SEED - 1)
    server.wait(run, {"RUNNING"}, LIMIT)
    started = time.monotonic()
    state = server.wait(run, {"COMPLETED", "FAILED", "CRASHED"}, LIMIT)
    if state["type"] != "COMPLETED":
        raise RuntimeError(state["message"])
    kill_session(worker.pid)
    worker.wait()
    return time.monotonic() - started


def _kill_once(
    project: Project, env: dict[str, str], server: Server, found: WorkerRound
) -> list[str]:
    plan = project.plan(found.seed)
    before = project.list_leftovers()
    worker = start_worker(project, env)
    run = server.start(project.name, found.seed)
    server.wait(run, {"RUNNING"}, LIMIT)
    time.sleep(found.delay)
    found.killed = kill_session(worker.pid)
    worker.wait()
    state = server.state(run)["type"]
    finished = project.list_stages()
    version = plan.published()
    if version is not None:
        found.fell = "after the end" if state == "COMPLETED" else "closing"
    else:
        found.fell = next((stage for stage in STAGES if not plan.is_done(stage)), "publish")
    found.damage = project.find_current_damage()

    worker = start_worker(project, env)
    again = server.start(project.name, found.seed)
    end = server.wait(again, {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}, LIMIT)
    kinds = {"Completed", "Unchanged"}
    found.rerun = "Completed" if end["name"] in kinds else f"{end['name']}: {end['message']}"
    kill_session(worker.pid)
    worker.wait()
    found.unmet = project.find_unmet(plan)
    mine = {f"{stage}-{plan.keys[stage][:16]}" for stage in STAGES}
    now = project.list_stages()
    found.redone = sorted(n for n in mine & finished.keys() if now.get(n) != finished[n])
    found.left = sorted(
        path for path in project.list_leftovers() - before if str(project.home) in path
    )
    for path in found.left:
        remove(Path(path))
    return [] if state == "COMPLETED" else [run]


def _find_unmarked(server: Server, dead: list[str]) -> list[str]:
    """Wait until the server has marked the runs that died as crashed; name those it has not."""
    until = time.monotonic() + MARKED_WITHIN
    while time.monotonic() < until:
        states = {run: server.state(run) for run in dead}
        left = [run for run, state in states.items() if state["type"] != "CRASHED"]
        if not left:
            return []
        time.sleep(2)
    return [f"{run}: {server.state(run)['name']}" for run in left]


def summarise(done: list[WorkerRound], unmarked: list[str]) -> str:
    """Say in a few lines what all rounds showed."""
    phases = Counter(found.fell for found in done)
    faults = Counter(fault for found in done for fault in found.faults)
    rules = [
        "incomplete current versions", "runs that did not complete",
        "runs whose version is not current, whole and single", "finished stages redone",
        "temporary things left",
    ]  # fmt: skip
    return "\n".join(
        [
            f"{len(done)} rounds; where the kill fell:",
            *(f"  {phase:<26} {count}" for phase, count in phases.most_common()),
            "rounds with:",
            *(f"  {rule:<56} {faults[rule]}" for rule in rules),
            f"dead runs that the server did not mark as crashed: {len(unmarked)} {unmarked[:3]}",
        ]
    )
