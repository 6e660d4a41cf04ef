"""`assay serve` as people use it: a server and a worker, a run by deployment, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import copy_sample

ROOT = Path(__file__).parents[2]
LIMIT = 120.0  # seconds; the machine may be busy


def find_ports() -> int:
    """Find a free port whose successor is free too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def ignore_ctrl_c() -> None:
    """Be deaf to Ctrl-C, and have all that this process starts be so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def find_processes(home: Path) -> dict[int, str]:
    """Find what runs for a project: its processes have it in their environment."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"ASSAY_HOME={home}\0".encode() in (place / "environ").read_bytes() + b"\0":
                found[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ")
        except OSError:  # ended, or another user's
            continue
    return found


@pytest.mark.slow
def test_ctrl_c_ends_everything_in_the_middle_of_a_run(home: Path, tmp_path: Path) -> None:
    """Server, worker, the run at work and its training end; the run says that it was cut off."""
    copy_sample(home, "hypothyroid")
    port = find_ports()
    env = os.environ | {"ASSAY_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-u", "-m", "flows.cli", "serve", "--port", str(port)]
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        # As a shell without job control starts it in the background: deaf to Ctrl-C.
        serve = subprocess.Popen(
            command, env=env, cwd=home, stdout=out, stderr=out, preexec_fn=ignore_ctrl_c
        )
    try:
        wait_for(lambda: "worker   of the pool" in log.read_text() or serve.poll() is not None)
        assert serve.poll() is None, log.read_text()
        subprocess.run(
            [sys.executable, "-m", "prefect", "deployment", "run", "refresh/hypothyroid",
             "-p", "epochs=400", "-p", "settings=[\"training.early_stopping=400\"]"],
            env=env | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}, cwd=home,
            check=True, capture_output=True,
        )  # fmt: skip
        stages = home / "data" / "runs" / "hypothyroid" / "stages"
        wait_for(lambda: any(stages.glob("resample-*")))  # now it trains
        time.sleep(2)
        assert any("training.worker" in name for name in find_processes(home).values())
        serve.send_signal(signal.SIGINT)
        assert serve.wait(LIMIT) == 0
    finally:
        serve.kill()
        serve.wait()
        left = find_processes(home)
        for process in left:
            os.kill(process, signal.SIGKILL)
    assert left == {}
    runs = (home / "data" / "runs" / "hypothyroid" / "runs.jsonl").read_text()
    assert '"interrupted"' in runs
    assert not (home / "data" / "published" / "hypothyroid" / "current").exists()


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    until = time.monotonic() + LIMIT
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.2)
