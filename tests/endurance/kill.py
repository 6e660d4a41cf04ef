"""kill -9 at random instants of a refresh, and the same command again.

After the kill the current version is whole. The rerun succeeds, makes its version current, does no
finished stage again, and leaves nothing temporary behind.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.runs.run import Run
from tests.endurance.project import (
    DATASETS,
    STAGES,
    Log,
    Project,
    adopt,
    find_unreadable,
    list_session,
    remove,
)

Aim = Literal["anywhere", "publish", "link"]
PATIENCE = 3.0  # seconds that the training process has to notice that its parent is gone
TAIL = 0.3  # seconds after the training within which a kill aimed at the publishing falls
FIRST_SEED = 1000
EVERY_SOURCE = 4  # rounds between two changes of the source
EVERY_MEASURE = 12  # rounds between two measurements of a whole run


@dataclass(slots=True)
class Round:
    """What one kill and its rerun showed; empty lists are good."""

    dataset: str
    seed: int
    aim: Aim
    delay: float
    new_source: bool
    fell: str = ""
    orphans: list[int] = field(default_factory=list)
    orphan_seconds: float = 0.0
    damage: list[str] = field(default_factory=list)
    rerun_code: int = 0
    rerun_said: str = ""
    unmet: list[str] = field(default_factory=list)
    redone: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Name the rules that this round broke."""
        broken = {
            "orphan processes": self.orphans,
            "incomplete current versions": self.damage,
            "reruns that failed": self.rerun_code != 0,
            "reruns whose version is not current, whole and single": self.unmet,
            "finished stages redone": self.redone,
            "temporary things left": self.left,
            "unreadable files": self.unreadable,
        }
        return [rule for rule, found in broken.items() if found]


def hunt(
    folder: Path,
    log: Log,
    rounds: int,
    seed: int,
    minutes: float = 60.0,
    template: Path | None = None,
) -> list[Round]:
    """Kill `rounds` refreshes, half of each data set, two at a time."""
    deadline = time.monotonic() + 60 * minutes
    shares = [rounds - rounds // 2, rounds // 2]

    def work(index: int) -> list[Round]:
        place = folder / DATASETS[index]
        project = adopt(place, DATASETS[index], template)
        draw = random.Random(f"{seed} {index}")
        return list(_kill_many(project, draw, shares[index], deadline, log))

    with ThreadPoolExecutor(2) as pool:
        return [done for part in pool.map(work, (0, 1)) for done in part]


def _kill_many(
    project: Project, draw: random.Random, rounds: int, deadline: float, log: Log
) -> Iterator[Round]:
    whole = {}
    for number in range(rounds):
        if time.monotonic() > deadline:
            return
        if number % EVERY_MEASURE == 0:
            whole = {new: _measure(project, draw, number, new) for new in (True, False)}
            log.write(dataset=project.name, seconds=whole)
        aim: Aim = ("anywhere", "anywhere", "anywhere", "publish", "link")[number % 5]
        new_source = number % EVERY_SOURCE == EVERY_SOURCE - 1
        delay = draw.uniform(0, TAIL) if aim == "publish" else draw.uniform(0, whole[new_source])
        if aim == "link":
            delay = draw.uniform(0, 0.001)
        done = Round(project.name, FIRST_SEED + number, aim, delay, new_source)
        if new_source:
            project.append_row(draw)
        kill_once(project, done, at_once=draw.random() < 0.5)
        _forget_old_versions(project)
        log.write(**asdict(done), faults=done.faults)
        print(
            f"{project.name:<13} seed {done.seed}  {aim:<9} {delay:5.2f} s  fell in {done.fell:<20}"
            f" {'; '.join(done.faults) or 'ok'}",
            flush=True,
        )
        yield done


def _measure(project: Project, draw: random.Random, number: int, new_source: bool) -> float:
    """Measure how long a whole run takes."""
    if new_source:
        project.append_row(draw)
    started = time.monotonic()
    code, output = project.run(FIRST_SEED * 2 + 2 * number + new_source)
    if code != 0:
        raise RuntimeError(output)
    return time.monotonic() - started


def kill_once(project: Project, done: Round, at_once: bool) -> None:
    """Start a refresh, kill it, look, run it again, look; fill in what was found.

    `at_once` starts the second run while processes of the first may still be dying.
    """
    run = project.plan(done.seed)
    before = project.list_leftovers()
    process = project.start_run(done.seed)
    # Its output must not fill the pipe.
    reader = threading.Thread(target=_drain, args=(process,), daemon=True)
    reader.start()
    _wait_for(project, run, process, done)
    ended = process.poll() is not None
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    killed_at = time.monotonic()
    process.wait()
    finished = project.list_stages()
    done.fell = _find_phase(project, run, process.pid, ended)
    done.damage = project.find_current_damage()
    watch = threading.Thread(target=_watch_orphans, args=(process.pid, killed_at, done))
    watch.start()
    if not at_once:
        watch.join()

    done.rerun_code, output = project.run(done.seed)
    watch.join()
    reader.join()
    done.rerun_said = "" if done.rerun_code == 0 else output[-800:]
    done.unmet = project.find_unmet(run)
    mine = {f"{stage}-{run.keys[stage][:16]}" for stage in STAGES}
    now = project.list_stages()
    done.redone = sorted(n for n in mine & finished.keys() if now.get(n) != finished[n])
    done.left = sorted(project.list_leftovers() - before)
    for path in done.left:  # so that each round counts its own
        remove(Path(path))
    done.unreadable = find_unreadable(project.runs / "stages")


def _drain(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for _ in process.stdout:
        pass


def _wait_for(project: Project, run: Run, process: subprocess.Popen[str], done: Round) -> None:
    """Wait until it is time to kill."""
    trained = run.address("train").path
    while done.aim != "anywhere" and process.poll() is None and not trained.is_dir():
        time.sleep(0.0005)
    # What comes between the version and its link takes a millisecond: no sleep here.
    mark = f"-{run.key[:8]}"
    while done.aim == "link" and process.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            names = os.listdir(project.published)
            if any(name.endswith(mark) and not name.startswith(".") for name in names):
                break
    if done.delay == 0.0:
        return
    until = time.monotonic() + done.delay
    while process.poll() is None and time.monotonic() < until:
        time.sleep(min(0.005, max(0.0, until - time.monotonic())))


def _find_phase(project: Project, run: Run, pid: int, ended: bool) -> str:
    """Say how far the killed run had come, from what it left on the disk."""
    if ended:
        return "after the end"
    version = run.published()
    if version is not None:
        return "closing" if project.current() == version else "between rename and link"
    lock = project.runs / "lock"
    if not lock.is_file() or str(pid) not in lock.read_text():
        return "start"
    return next((stage for stage in STAGES if not run.is_done(stage)), "publish")


def _watch_orphans(leader: int, killed_at: float, done: Round) -> None:
    """Wait for the processes of a killed run to end; note those that outlive the patience."""
    while (alive := list_session(leader)) and time.monotonic() < killed_at + PATIENCE:
        time.sleep(0.05)
    done.orphan_seconds = round(time.monotonic() - killed_at, 2)
    done.orphans = alive
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _forget_old_versions(project: Project) -> None:
    """Keep the disk small; the current version stays."""
    for name in project.versions()[:-3]:
        if name != project.current():
            shutil.rmtree(project.published / name)


def summarise(rounds: list[Round]) -> str:
    """Say in a few lines what all rounds showed."""
    phases = Counter(done.fell for done in rounds)
    order = ["start", *STAGES, "publish", "between rename and link", "closing", "after the end"]
    faults = Counter(fault for done in rounds for fault in done.faults)
    rules = [
        "incomplete current versions", "reruns that failed",
        "reruns whose version is not current, whole and single", "finished stages redone",
        "temporary things left", "orphan processes", "unreadable files",
    ]  # fmt: skip
    slowest = max((done.orphan_seconds for done in rounds), default=0.0)
    return "\n".join(
        [
            f"{len(rounds)} rounds; where the kill fell:",
            *(f"  {phase:<26} {phases[phase]}" for phase in order if phases[phase]),
            "rounds with:",
            *(f"  {rule:<56} {faults[rule]}" for rule in rules),
            f"the last process was gone at most {slowest:.1f} s after the kill",
        ]
    )
