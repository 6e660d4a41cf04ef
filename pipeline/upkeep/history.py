"""What became of each run: ``runs.jsonl``, and ``running.json`` while one is at work.

A process that is killed can't write its last line. It leaves ``running.json`` behind, from which
the next run learns of its death.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.secrets import hide
from pipeline.storage.disk import explaining, make_directory, write_whole
from pipeline.storage.locking import Busy
from pipeline.storage.store import Store

State = Literal["published", "unchanged", "skipped", "stopped", "failed", "interrupted", "died"]
GOOD = ("published", "unchanged")
BAD = ("stopped", "failed", "died")
KEPT_RUNS = 5
RUNNING = "running.json"
TAIL_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was before a run.

    Attributes
    ----------
    died
        When the last run started, if it did not finish.
    failing
        Whether the runs before this one failed, died or were stopped since the last good one.
    """

    died: str | None
    failing: bool


def begin(store: Store, started: str) -> Beginning:
    """Note that a run is at work; learn of one that died. Only while the lock is held."""
    with explaining("store", store.runs):
        died = _note_death(store)
        write_whole(
            store.runs / RUNNING, json.dumps({"started": started, "process": os.getpid()}) + "\n"
        )
    states = [record["state"] for record in read_runs(store) if record["state"] in (*GOOD, *BAD)]
    return Beginning(died, bool(states) and states[-1] in BAD)


def find_death(store: Store) -> str | None:
    """Find out that the process of a run is gone that did not say how it ended, and note it.

    Returns
    -------
    str or None
        When that run started.
    """
    try:
        process = int(json.loads((store.runs / RUNNING).read_text(encoding="utf-8"))["process"])
        os.kill(process, 0)
    except ProcessLookupError:
        with contextlib.suppress(Busy), store.lock():
            return _note_death(store)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        pass  # none at work, or one of another user
    return None


def _note_death(store: Store) -> str | None:
    """Log the death of the run that left its mark, if there is one; only while the lock is held."""
    mark = store.runs / RUNNING
    if not mark.exists():
        return None
    died = "an unknown time"
    with contextlib.suppress(ValueError, KeyError, TypeError):
        died = str(json.loads(mark.read_text(encoding="utf-8"))["started"])
    _append(store, {"started": died, "state": "died"})
    mark.unlink()
    return died


def end(store: Store, record: Mapping[str, Any]) -> None:
    """Log how a run ended, and let go of stages that no recent run used.

    Parameters
    ----------
    record
        ``started``, ``state``, and, if it came so far, ``stages``: the names of the stage
        directories that it used.
    """
    with explaining("store", store.runs):
        _append(store, record)
        (store.runs / RUNNING).unlink(missing_ok=True)
        recent = [run["stages"] for run in read_runs(store) if run.get("stages")][-KEPT_RUNS:]
        if recent:
            store.sweep_stages({name for stages in recent for name in stages})


def note(store: Store, started: str, message: str) -> None:
    """Log a run that failed before it could hold the data set.

    Parameters
    ----------
    store
        Of the data set; nothing is logged of one that is not declared.
    started
        When the run began, ISO 8601.
    message
        What was wrong; secrets in it are hidden.
    """
    if store.config_path.is_file():
        with explaining("store", store.runs):
            make_directory(store.runs)
            _append(store, {"started": started, "state": "failed", "message": hide(message)})


def read_runs(store: Store) -> list[dict[str, Any]]:
    """Read what is logged of the last runs, oldest first."""
    log = store.runs / "runs.jsonl"
    if not log.exists():
        return []
    with log.open("rb") as handle:
        handle.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = handle.read().decode("utf-8", errors="replace").splitlines()
    runs = []
    for line in lines:
        with contextlib.suppress(ValueError):  # half a line
            record = json.loads(line)
            if isinstance(record, dict):
                runs.append({"state": "published"} | record)  # early logs held no state
    return runs


def _append(store: Store, record: Mapping[str, Any]) -> None:
    log = store.runs / "runs.jsonl"
    with log.open("ab+") as handle:
        # A process that was killed while it wrote leaves half a line.
        size = handle.seek(0, os.SEEK_END)
        torn = False
        if size:
            handle.seek(size - 1)
            torn = handle.read(1) != b"\n"
        line = json.dumps(record, ensure_ascii=False) + "\n"
        handle.write((b"\n" if torn else b"") + line.encode())
        handle.flush()
        os.fsync(handle.fileno())
