"""A Prefect server, its worker and the reports on this machine, in the foreground."""

from __future__ import annotations

import ctypes
import http.server
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from flows.artifacts import REPORTS_URL
from flows.deploying import POOL, deploy, list_datasets, tell_deployed
from flows.prefect_server import find_prefect, probe
from flows.watching import tell_death
from pipeline.errors import ConfigError, MachineError, name_examples
from pipeline.storage.disk import explaining, make_directory
from pipeline.storage.store import Store
from pipeline.upkeep.history import find_death

HOST = "127.0.0.1"
START_SECONDS = 120.0
STOP_SECONDS = 10.0
REPORT = re.compile(r"(published|runs)/[^/]+/([^/]+/)*report\.html")
LINES = 15
PR_SET_PDEATHSIG = 1


def serve(home: Path, port: int) -> int:
    """Start a server and a worker, deploy each data set, and go on until Ctrl-C.

    Parameters
    ----------
    home
        The project directory.
    port
        Of the Prefect server; the reports are at the next one.

    Returns
    -------
    int
        The command's exit code: 0 after Ctrl-C.

    Raises
    ------
    ConfigError
        If a port is in use.
    MachineError
        If the server or the worker does not start, or ends by itself.
    """
    # A shell that starts it in the background has it ignore Ctrl-C, and so would all it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for used in (port, port + 1):
        _refuse_used(used)
    logs = home / "data" / "runs" / ".prefect"
    with explaining("serve", logs):
        make_directory(logs)
    api = f"http://{HOST}:{port}/api"
    reports_url = f"http://{HOST}:{port + 1}"
    env = {
        **os.environ,
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(logs),
        "PREFECT_UI_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "ASSAY_HOME": str(home),
        REPORTS_URL: reports_url,
    }
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(_serve_reports(home / "data", port + 1))
        command = ["server", "start", "--host", HOST, "--port", str(port)]
        server = stack.enter_context(_child(command, env, logs / "server.log"))
        _wait_until_up(api, server, logs / "server.log")
        print(
            f"  ✓ server   http://{HOST}:{port}  ({time.monotonic() - started:.0f} s)", flush=True
        )
        os.environ.update(
            {name: env[name] for name in env if name.startswith(("PREFECT_", "ASSAY_"))}
        )
        datasets = list_datasets(home)
        tell_deployed(*deploy(home, datasets, reports_url=reports_url))
        command = ["worker", "start", "--pool", POOL, "--type", "process", "--name", "assay"]
        worker = stack.enter_context(_child(command, env, logs / "worker.log"))
        print(
            f"  ✓ worker   of the pool {POOL}  ({time.monotonic() - started:.0f} s)\n\n"
            "In another terminal:\n"
            f"  export PREFECT_API_URL={api}\n"
            f"  {find_prefect()} deployment run "
            f"'refresh/{datasets[0] if datasets else 'DATASET'}' --watch\n"
            f"\nLogs are in {logs}. Ctrl-C ends server and worker.",
            flush=True,
        )
        return _wait({"server": server, "worker": worker}, logs, home, reports_url)


def _find_stamps(home: Path) -> dict[str, int]:
    """Find when each declaration was changed."""
    stamps = {}
    for name in list_datasets(home):
        with suppress(OSError):
            stamps[name] = (home / "data" / name / "dataset.yaml").stat().st_mtime_ns
    return stamps


def _refuse_used(port: int) -> None:
    with socket.socket() as probing:
        probing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probing.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise ConfigError(
                "serve", f"port {port} of {HOST} can't be used: {error}",
                "Name another one with --port (the reports are at the port after it), or stop the "
                "program that has it",
            ) from None  # fmt: skip


@contextmanager
def _child(
    arguments: list[str], env: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of Prefect in a group of its own; end it, and what it started, at the end."""
    command = [sys.executable, "-m", "prefect", *arguments]
    with log.open("ab") as stream:
        # A group of its own: Ctrl-C is for us, who end them in order.
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=_end_with_parent,
        )  # fmt: skip
    try:
        yield process
    finally:
        _end(process)


def _end_with_parent() -> None:
    """Have the kernel end this process when the one that started it is killed, where it can."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process after all that it started: runs at work say so while the server still hears."""
    started = _find_descendants(process.pid)
    _send(started, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _send(started, 0) and time.monotonic() < deadline:
        time.sleep(0.1)
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    _send(started, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what it started since
    process.wait()


def _find_descendants(process: int) -> list[int]:
    """Find what a process started, whatever session that is in."""
    if Path("/proc/self/stat").exists():
        lines = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                after_name = stat.read_text().rpartition(")")[2].split()
                lines.append((int(stat.parent.name), int(after_name[1])))
    else:
        said = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False
        )
        lines = [(int(a), int(b)) for a, b in map(str.split, said.stdout.splitlines())]
    found = [process]
    for parent in found:  # it grows
        found += [child for child, its_parent in lines if its_parent == parent]
    return found[1:]


def _send(processes: list[int], number: int) -> bool:
    """Send a signal (0: none); tell whether any of the processes still lives."""
    alive = False
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)
            alive = True
    return alive


def _wait_until_up(api: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while probe(api) is not None:
        if server.poll() is not None or time.monotonic() > deadline:
            raise _explain_end("server", log)
        time.sleep(0.3)


def _wait(
    children: dict[str, subprocess.Popen[bytes]], logs: Path, home: Path, reports_url: str
) -> int:
    """Wait for Ctrl-C; deploy again what is declared otherwise by then."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stamps = _find_stamps(home)
    while not stopped.wait(0.5):
        for name, process in children.items():
            if process.poll() is not None:
                raise _explain_end(name, logs / f"{name}.log")
        for name in stamps:
            store = Store(home, name)
            died = find_death(store)
            if died is not None:
                print(f"  ! {name}: the run of {died} was killed", flush=True)
                tell_death(store, died)
        found = _find_stamps(home)
        changed = [name for name, stamp in found.items() if stamps.get(name) != stamp]
        if changed:
            stamps = found
            tell_deployed(*deploy(home, changed, reports_url=reports_url))
    print("\nStopping: a run at work is ended; the next one goes on from its finished stages.")
    return 0


def _explain_end(name: str, log: Path) -> MachineError:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES:]
    said = [line.strip() for line in lines if "Error" in line or "error" in line][-1:]
    return MachineError(
        "serve", f"the {name} ended by itself" + (f": {name_examples(said)}" if said else ""),
        f"Read its log {log}",
    )  # fmt: skip


@contextmanager
def _serve_reports(data: Path, port: int) -> Iterator[None]:
    """Serve the reports, and nothing else of the data, to browsers of this machine."""

    class Reports(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(data), **kwargs)

        def send_head(self) -> Any:
            """Answer a request for a report alone."""
            place = unquote(self.path.split("?")[0]).lstrip("/")
            if ".." in place or not REPORT.fullmatch(place):
                self.send_error(404, "Only reports are served")
                return None
            return super().send_head()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer((HOST, port), Reports)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
