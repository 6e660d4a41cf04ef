"""Many refreshes of one data set together, while somebody reads its current version.

Never two at a time, none lost, no reader error. A refresh that finds the data set busy waits, or is
refused and says so, as its declaration asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path
from typing import Literal

from pipeline.storage.store import Store
from pipeline.upkeep.history import read_runs
from tests.endurance.project import LIMIT, ROOT, Log, Project, adopt
from tests.endurance.reader import Reading

Busy = Literal["wait", "refuse"]
# How a refresh is started: a process whose output tells its stages and whose exit code its outcome.
Start = Callable[[Project, int], "subprocess.Popen[str]"]

STAGE = re.compile(r"^  [✓·] (\w+) +(?:([\d.]+) s|nothing changed)")
REFUSED = re.compile(r"another run of \S+ is at work")
ROUNDING = 0.1  # seconds: stages are told with one decimal
SIZES = (2, 5)


@dataclass(slots=True)
class Member:
    """One refresh of the crowd."""

    seed: int
    pid: int
    code: int | None = None
    first: float | None = None  # when its first stage began, seconds
    last: float | None = None  # when its last stage ended
    output: str = ""


@dataclass(slots=True)
class Gathering:
    """What a crowd showed; an empty list of faults is good."""

    seeds: list[int]
    busy: Busy
    done: int = 0
    refused: int = 0
    reading: Reading = field(default_factory=Reading)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def start_command(project: Project, seed: int) -> subprocess.Popen[str]:
    """Start `assay run`."""
    return project.start_run(seed)


def let_wait(project: Project) -> None:
    """Let refreshes of a data set wait for each other."""
    declaration = project.home / "data" / project.name / "dataset.yaml"
    text = declaration.read_text(encoding="utf-8")
    if "when_busy" not in text:
        declaration.write_text(f"{text}\nruns: {{when_busy: wait}}\n", encoding="utf-8")


def gather(
    project: Project,
    seeds: Sequence[int],
    busy: Busy,
    start: Start | Sequence[Start] = start_command,
) -> Gathering:
    """Start a refresh for each seed, together, and watch.

    Parameters
    ----------
    start
        How each refresh is started; a sequence is gone through in turn, to mix kinds.
    """
    found = Gathering(list(seeds), busy)
    starts = [start] if callable(start) else list(start)
    began = time.monotonic()
    with reading(project) as reader:
        processes = [starts[i % len(starts)](project, seed) for i, seed in enumerate(seeds)]
        members = [Member(seed, p.pid) for seed, p in zip(seeds, processes, strict=True)]
        stop, at_work = threading.Event(), set[frozenset[str]]()
        watch = threading.Thread(target=_watch_stages, args=(project, stop, at_work))
        watch.start()
        _listen(processes, members)
        stop.set()
        watch.join()
    found.reading = finish(reader)
    found.seconds = round(time.monotonic() - began, 1)
    found.faults += [f"two at a time, by their temporary stages: {set(p)}" for p in at_work]
    found.faults += find_overlaps(members)
    found.faults += find_overlaps_in_log(project, len(members))
    found.faults += _judge_outcomes(project, members, found)
    found.faults += [f"reader: {error}" for error in found.reading.errors]
    return found


@contextlib.contextmanager
def reading(project: Project, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Let a reader read; on leaving, tell it to stop."""
    reader = subprocess.Popen(
        [sys.executable, "-m", "tests.endurance.reader", str(project.home), project.name, *options],
        cwd=ROOT, env=project.environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert reader.stdin is not None
    try:
        yield reader
    finally:
        reader.stdin.close()


def finish(reader: subprocess.Popen[str]) -> Reading:
    """Wait for a reader that was told to stop."""
    reader.stdin = None  # closed already
    output, errors = reader.communicate(timeout=LIMIT)
    if reader.returncode != 0:
        return Reading(errors=[f"the reader died with {reader.returncode}: {errors[-600:]}"])
    return Reading(**json.loads(output))


def _listen(processes: list[subprocess.Popen[str]], members: list[Member]) -> None:
    """Read all outputs in one loop, so that the order of events is kept, until all ended."""
    selector = selectors.DefaultSelector()
    for process, member in zip(processes, members, strict=True):
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        selector.register(process.stdout, selectors.EVENT_READ, member)
    deadline = time.monotonic() + LIMIT * len(members)
    pending: dict[int, str] = {}
    while selector.get_map() and time.monotonic() < deadline:
        for key, _ in selector.select(timeout=1.0):
            data = os.read(key.fd, 1 << 16)
            if not data:
                selector.unregister(key.fileobj)
                continue
            heard: Member = key.data
            text = data.decode("utf-8", errors="replace")
            heard.output += text
            *lines, pending[key.fd] = (pending.get(key.fd, "") + text).split("\n")
            for line in lines:
                if match := STAGE.match(line):
                    heard.last = time.monotonic()
                    if heard.first is None:
                        heard.first = heard.last - float(match[2] or 0)
    for process, member in zip(processes, members, strict=True):
        with contextlib.suppress(subprocess.TimeoutExpired):
            member.code = process.wait(timeout=10)
        if member.code is None:
            process.kill()


def _watch_stages(project: Project, stop: threading.Event, at_work: set[frozenset[str]]) -> None:
    """Note where stages of two processes are in the making at one instant."""
    while not stop.is_set():
        with contextlib.suppress(FileNotFoundError):
            names = os.listdir(project.runs / "stages")
            pids = {m[1] for name in names if (m := re.match(r"\.tmp-.*-(\d+)$", name))}
            if len(pids) > 1:
                at_work.add(frozenset(pids))
        time.sleep(0.002)


def find_overlaps(members: Sequence[Member]) -> list[str]:
    """Name the pairs whose stages ran at the same time, as they told them."""
    worked = [m for m in members if m.first is not None and m.last is not None]
    faults = []
    for a, b in combinations(worked, 2):
        shared = min(a.last or 0, b.last or 0) - max(a.first or 0, b.first or 0)
        if shared > ROUNDING:
            faults.append(f"two at a time: seeds {a.seed} and {b.seed}, for {shared:.1f} s")
    return faults


def find_overlaps_in_log(project: Project, runs: int) -> list[str]:
    """Name the runs that held the data set at the same time, by the log of runs."""
    held = [run["held"] for run in read_runs(Store(project.home, project.name))[-runs:]]
    held.sort()
    return [
        f"two at a time: one held {first}, another {second}"
        for first, second in pairwise(held)
        if second[0] < first[1]
    ]


def _judge_outcomes(project: Project, members: list[Member], found: Gathering) -> list[str]:
    """Each refresh is done and its version is there, or was refused and said so."""
    faults = []
    for member in members:
        tail = member.output[-400:]
        if member.code == 0:
            found.done += 1
            key = project.plan(member.seed).key[:8]
            count = sum(name.endswith(key) for name in project.versions())
            if count != 1:
                faults.append(f"seed {member.seed}: {count} versions instead of one")
        elif found.busy == "refuse" and member.code in (1, 2) and REFUSED.search(member.output):
            found.refused += 1
        else:
            faults.append(f"seed {member.seed}: exit code {member.code}: {tail}")
        if "Traceback" in member.output:
            faults.append(f"seed {member.seed}: a traceback: {tail}")
    if found.done == 0:
        faults.append("no refresh succeeded")
    return faults + project.find_current_damage()


def swap(project: Project, seconds: float) -> Reading:
    """Let `current` alternate between two versions while a reader opens it again and again."""
    store, names = Store(project.home, project.name), project.versions()[-2:]
    if len(names) < 2:
        raise ValueError("two versions are needed")
    with reading(project, "--open-always") as reader:
        until, turn = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            store.make_current(names[turn % 2])
            turn += 1
            time.sleep(0.05 + 0.013 * (turn % 7))
    return finish(reader)


def throng(
    folder: Path, log: Log, rounds: int, seed: int, busy: Busy, minutes: float,
    template: Path | None = None, mixed: bool = False,
) -> list[Gathering]:  # fmt: skip
    """Gather crowds of two and of five in turn, and twins, which want the same version.

    `mixed` starts every second refresh as a run of a Prefect deployment, at a server of its own.
    """
    deadline = time.monotonic() + 60 * minutes
    project = adopt(folder / "crowd", "hypothyroid", template)
    if busy == "wait":
        let_wait(project)
    if not mixed:
        return _throng(project, log, rounds, seed, busy, deadline, [start_command])
    from tests.endurance.workers import kill_session, serving, start_deployed, start_worker

    with serving(project) as env:
        worker = start_worker(project, env)
        starts = [partial(start_deployed, env), start_command]
        try:
            return _throng(project, log, rounds, seed, busy, deadline, starts)
        finally:
            kill_session(worker.pid)
            worker.wait()


def _throng(
    project: Project,
    log: Log,
    rounds: int,
    seed: int,
    busy: Busy,
    deadline: float,
    starts: Sequence[Start],
) -> list[Gathering]:
    all_found, next_seed = [], 2000 + 100 * seed
    for number in range(rounds):
        if time.monotonic() > deadline:
            break
        size = SIZES[number % 2] if number % 3 != 2 else 2
        seeds = [next_seed + (0 if number % 3 == 2 else i) for i in range(size)]
        next_seed += size
        found = gather(project, seeds, busy, starts)
        log.write(**asdict(found))
        print(
            f"{size} at once, seeds {seeds}: {found.done} done, {found.refused} refused, "
            f"{found.reading.loads} loads, {found.reading.opened} opened "
            f"({found.reading.opened_during_a_change} during a change), {found.seconds} s  "
            f"{'; '.join(found.faults) or 'ok'}",
            flush=True,
        )
        all_found.append(found)
    if len(project.versions()) >= 2:
        found = Gathering([], busy, reading=swap(project, 20.0))
        found.faults += [f"reader: {error}" for error in found.reading.errors]
        log.write(swap=asdict(found))
        print(
            f"current replaced again and again: {found.reading.opened} opened, "
            f"{found.reading.opened_during_a_change} during a change, "
            f"{len(found.faults)} faults{': ' + found.faults[0] if found.faults else ''}"
        )
        all_found.append(found)
    return all_found


def summarise(gatherings: list[Gathering]) -> str:
    """Say in a few lines what all crowds showed."""
    errors = sum(len(g.reading.errors) for g in gatherings)
    return "\n".join(
        [
            f"{len(gatherings)} gatherings, {sum(g.done for g in gatherings)} refreshes done, "
            f"{sum(g.refused for g in gatherings)} refused",
            f"{sum(g.reading.loads for g in gatherings)} loads of current, "
            f"{sum(g.reading.opened for g in gatherings)} openings, {errors} reader errors",
            f"{sum(len(g.faults) for g in gatherings)} faults",
        ]
    )
