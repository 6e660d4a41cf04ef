"""Somebody who reads `current` all the time, in a process of its own, until standard input ends.

    python -m tests.endurance.reader HOME NAME

Each load resolves the link once and compares every file with the manifest. Now and then, and
whenever the version changed, the version is opened by its public function and asked about one row;
the answer must be that of one version, not of two that were mixed while the link was replaced.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.endurance.project import Project, find_damage

EVERY = 2.0  # seconds between two openings of an unchanged version


@dataclass(slots=True)
class Reading:
    """What a reader saw."""

    loads: int = 0
    opened: int = 0
    opened_during_a_change: int = 0
    versions: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def read_on(project: Project, stop: threading.Event, open_always: bool) -> Reading:
    """Read until told to stop."""
    seen = Reading()
    row = _first_row(project.source)
    answers: dict[str, Any] = {}
    opened_at, last = 0.0, ""
    while not stop.is_set():
        name = project.current()
        if name is None:
            time.sleep(0.01)
            continue
        if name not in seen.versions:
            seen.versions.append(name)
        seen.loads += 1
        damage = find_damage(project.published / name)
        if damage:
            seen.errors.append(f"{name}: {'; '.join(damage[:3])}")
        if open_always or name != last or time.monotonic() > opened_at + EVERY:
            last = name
            _open(project, row, answers, seen)
            opened_at = time.monotonic()
    return seen


def _first_row(source: Path) -> dict[str, str]:
    with source.open(newline="", encoding="utf-8") as handle:
        return next(csv.DictReader(handle))


def _open(project: Project, row: dict[str, str], answers: dict[str, Any], seen: Reading) -> None:
    """Open `current` as the README says, and compare its answer with that of each candidate."""
    from pipeline.published import open_version

    def ask(place: Path) -> Any:
        return open_version(place).predict_proba([row]).iloc[0].to_dict()

    before = project.current()
    try:
        answer = ask(project.published / "current")
    except Exception as error:  # whatever it is, a reader met it
        seen.errors.append(f"open {before}→{project.current()}: {type(error).__name__}: {error}")
        return
    seen.opened += 1
    after = project.current()
    seen.opened_during_a_change += before != after
    # The link may have been replaced more than once meanwhile, so that each version may answer.
    names = [before, after, *project.versions()]
    for name in dict.fromkeys(str(name) for name in names if name is not None):
        if name not in answers:
            answers[name] = ask(project.published / name)
        if answers[name] == answer:
            return
    seen.errors.append(f"mixed: current answers {answer}, but {answers}")


def main() -> None:
    """Read until standard input ends, then print what was seen."""
    project = Project(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[1]))
    os.nice(5)
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    print(json.dumps(asdict(read_on(project, stop, "--open-always" in sys.argv))))


if __name__ == "__main__":
    main()
