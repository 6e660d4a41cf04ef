"""Run a command and measure its wall time and the peak memory of it and its children."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a command.

    Attributes
    ----------
    seconds
        Wall time.
    first_line
        Seconds until the first line appeared.
    peak_mb
        Largest resident memory of the process and its children together, sampled 20 times a second.
    output
        What it printed.
    """

    seconds: float
    first_line: float
    peak_mb: float
    output: str


def run(command: list[str], folder: Path) -> Measured:
    """Run a command in a folder; raise if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"},
    )  # fmt: skip
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
    watcher.start()
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    first_line = time.perf_counter() - started
    lines += process.stdout.readlines()
    process.wait()
    seconds = time.perf_counter() - started
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{''.join(lines)}")
    return Measured(seconds, first_line, peak[0], "".join(lines))


def _watch(process: subprocess.Popen[str], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(map(_resident_mb, _family(process.pid))))
        time.sleep(0.05)


def _family(pid: int) -> list[int]:
    """Name a process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(item for child in children for item in _family(int(child)))]


def _resident_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return float(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0
