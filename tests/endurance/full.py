"""A disk that fills up at a random point of a refresh, on a small file system of its own.

The run ends with exit code 3 and says that the disk is full, in what stage, and what to do. The
last version stays current and whole. With space again, the same run succeeds and leaves nothing.

The file systems are mounted in a mount namespace of this process, so they vanish with it.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from tests.endurance.project import Log, Project, adopt, find_unreadable, remove

Where = Literal["project", "temporary"]
INSIDE = "ENDURANCE_NAMESPACE"
SIZE = 64 << 20  # bytes of each file system; a project needs 5 MB
FIRST_SEED = 3000
MESSAGE = re.compile(r"^(?P<stage>[a-z_ ]+): (?P<problem>.+)", re.MULTILINE)
SAYS_FULL = re.compile(r"disk.*full|full.*disk|no space left", re.IGNORECASE)
SAYS_FIX = re.compile(r"\b(free|delete|make room|remove|space|larger)\b", re.IGNORECASE)


@dataclass(slots=True)
class Filling:
    """What one run on a filling disk showed; an empty list of faults is good."""

    where: Where
    seed: int
    free: int
    needed: int
    code: int = 0
    fell: str = ""
    said: str = ""
    rerun_code: int = 0
    left_by_failure: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def enter_namespace(arguments: list[str]) -> int | None:
    """Run this very command again where it may mount; None if that is where we are.

    Raises
    ------
    OSError
        If the machine allows no mount.
    """
    if os.environ.get(INSIDE):
        return None
    share = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    if subprocess.run([*share, "true"], check=False, capture_output=True).returncode != 0:
        raise OSError("no mount namespace can be made here: `unshare -Urm true` fails")
    command = [*share, sys.executable, "-m", "tests.endurance", *arguments]
    return subprocess.run(command, check=False, env=os.environ | {INSIDE: "1"}).returncode


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Mount an empty file system on a folder for a while."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def count_free(folder: Path) -> int:
    """Count the bytes that can still be written."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def fill(
    folder: Path, log: Log, rounds: int, seed: int, minutes: float, template: Path | None = None
) -> list[Filling]:
    """Fill the disk of `rounds` runs; each fourth time, that of the temporary directory."""
    with mounted(folder / "disk") as disk, mounted(folder / "disk-temporary") as temporary:
        return _fill_many(disk, temporary, log, rounds, seed, minutes, template)


def _fill_many(
    disk: Path,
    temporary: Path,
    log: Log,
    rounds: int,
    seed: int,
    minutes: float,
    template: Path | None,
) -> list[Filling]:
    deadline = time.monotonic() + 60 * minutes
    draw = random.Random(f"full {seed}")
    place = adopt(disk / "made", "hypothyroid", template)
    project = Project(place.home, place.name, temporary)
    if project.current() is None:
        _succeed(project, FIRST_SEED)
    done = []
    needed = _measure(project, FIRST_SEED + 1, draw)
    print(f"a run needs {needed['project']:,} bytes, and {needed['temporary']:,} temporary ones")
    for number in range(rounds):
        if time.monotonic() > deadline:
            break
        where: Where = "temporary" if number % 4 == 3 else "project"
        free = (
            0 if number % 5 == 4 else draw.randrange(1 + needed[where])
        )  # each fifth is full at once
        found = Filling(where, FIRST_SEED + 2 + number, free, needed[where])
        project.append_row(draw)
        fill_once(project, disk if where == "project" else temporary, found)
        for name in project.versions():
            if name != project.current():
                shutil.rmtree(project.published / name)
        log.write(**asdict(found))
        print(
            f"{where:<9} {free:>9,} bytes free  exit {found.code}  in {found.fell:<18} "
            f"{'; '.join(found.faults) or 'ok'}\n    {_shorten(found.said)}",
            flush=True,
        )
        done.append(found)
    return done


def _succeed(project: Project, seed: int) -> None:
    code, output = project.run(seed)
    if code != 0:
        raise RuntimeError(output)


def _measure(project: Project, seed: int, draw: random.Random) -> dict[Where, int]:
    """Measure how much more of each file system a run takes at its most."""
    project.append_row(draw)
    places: dict[Where, Path] = {"project": project.home, "temporary": project.temporary}
    before = {where: count_free(path) for where, path in places.items()}
    lowest, stop = dict(before), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for where, path in places.items():
                lowest[where] = min(lowest[where], count_free(path))
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _succeed(project, seed)
    stop.set()
    watcher.join()
    return {where: before[where] - lowest[where] for where in places}


def fill_once(project: Project, disk: Path, found: Filling) -> None:
    """Let a run come to the end of the disk, look, make room, run again, look."""
    run = project.plan(found.seed)
    before, current = project.list_leftovers(), project.current()
    ballast = disk / "ballast"
    with ballast.open("wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, max(1, count_free(disk) - found.free))
    before.add(str(ballast))
    found.code, output = project.run(found.seed)
    told = re.findall(r"^  [✓·] (\w+)", output, re.MULTILINE)
    found.fell = f"after {told[-1]}" if told else "the beginning"
    found.left_by_failure = sorted(project.list_leftovers() - before)
    if found.code == 0:
        found.fell = "none"
        found.faults += project.find_unmet(run)
    else:
        body = [line for line in output.splitlines() if not re.match(r"  [✓·]|assay run", line)]
        found.said = "\n".join(body).strip()
        found.faults += judge_message(found.code, found.said)
        if project.current() != current:
            found.faults.append(f"current is {project.current()}, was {current}")
        found.faults += [f"current: {damage}" for damage in project.find_current_damage()]
        if found.left_by_failure:
            found.faults.append(f"the failed run left {len(found.left_by_failure)} things")
    found.faults += [f"unreadable {bad}" for bad in find_unreadable(project.runs / "stages")]
    ballast.unlink()

    found.rerun_code, output = project.run(found.seed)
    if found.rerun_code != 0:
        found.faults.append(f"the rerun ended with {found.rerun_code}: {output[-400:]}")
    found.faults += [f"after the rerun: {unmet}" for unmet in project.find_unmet(run)]
    left = sorted(project.list_leftovers() - before)
    if left:
        found.faults.append(f"{len(left)} temporary things left: {left[:3]}")
    for path in left:
        remove(Path(path))
    for name in project.versions():
        found.faults += [f"unreadable {bad}" for bad in find_unreadable(project.published / name)]


def judge_message(code: int, said: str) -> list[str]:
    """Say what a message lacks: exit code 3, a full disk, the stage, a fix, and no traceback."""
    faults = [] if code == 3 else [f"exit code {code} instead of 3"]
    if "Traceback" in said:
        faults.append("a traceback")
    message = MESSAGE.search(said)
    if message is None or said.startswith("an error of ours"):
        faults.append("no stage")
    if "an error of ours" in said:
        faults.append("called an error of ours")
    if not SAYS_FULL.search(said):
        faults.append("does not say that the disk is full")
    if not SAYS_FIX.search(re.sub("no space left", "", said, flags=re.IGNORECASE)):
        faults.append("no fix")
    return faults


def _shorten(said: str) -> str:
    lines = said.splitlines()
    return " | ".join(line.strip() for line in [*lines[:1], *lines[-2:]])[:300]


def summarise(done: list[Filling]) -> str:
    """Say in a few lines what all rounds showed."""
    codes = Counter((found.where, found.code) for found in done)
    faults = Counter(re.sub(r"[\d/:].*", "…", fault) for found in done for fault in found.faults)
    return "\n".join(
        [
            f"{len(done)} rounds:",
            *(f"  {where:<9} exit code {code}: {n}" for (where, code), n in sorted(codes.items())),
            "faults:" if faults else "no faults",
            *(f"  {n:>4}  {fault}" for fault, n in faults.most_common()),
        ]
    )
