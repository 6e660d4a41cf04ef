"""What a run tells while it is at work: on the terminal, or in a Prefect run's log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.status import Status

WIDTH = 20


@dataclass(slots=True)
class Progress:
    """Tells each stage as it ends, and what is under way where there is a terminal.

    Attributes
    ----------
    seconds
        Wall time of each stage of this run; 0 for one whose result was there already.
    closing
        What there is to say of the result, when all stages are through.
    """

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    seconds: dict[str, float] = field(default_factory=dict)
    closing: str = ""
    _status: Status | None = None
    _label: str = ""

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=self.stream, flush=True)

    def wait(self, holder: str) -> None:
        """Tell that another run of the data set is waited for."""
        self.say(f"  … waiting for another run of this data set ({holder})")

    def wait_source(self, reason: str) -> None:
        """Tell that the source is being written."""
        self.say(f"  … waiting for the source to be complete: {reason}")

    @contextmanager
    def stage(self, name: str) -> Iterator[list[str]]:
        """Time a stage; what is put into the list is told when it ends."""
        told: list[str] = []
        started = time.perf_counter()
        self._label = name
        with self._spin(name):
            yield told
        self.seconds[name] = round(time.perf_counter() - started, 3)
        summary = told[0] if told else ""
        if summary == "kept":
            self.seconds[name] = 0.0
            self.say(f"  · {name:<{WIDTH}} nothing changed")
        else:
            self.say(f"  ✓ {name:<{WIDTH}} {self.seconds[name]:5.1f} s  {summary}")

    @contextmanager
    def working(self, label: str) -> Iterator[None]:
        """Show that something is under way; nothing stays of it."""
        self._label = label
        with self._spin(label):
            yield

    def advance(self, what: str, step: int, steps: int) -> None:
        """Tell how far a long stage has come."""
        if self._status is not None:
            self._status.update(f"{self._label}: {what}, epoch {step} of at most {steps}")

    def advance_pictures(self, done: int, total: int) -> None:
        """Tell how many pictures are read."""
        if self._status is not None:
            self._status.update(f"{self._label}: {done:,} of {total:,} pictures")

    @contextmanager
    def _spin(self, name: str) -> Iterator[None]:
        """Show that work is under way, on a terminal only."""
        if not self.stream.isatty():
            yield
            return
        from rich.console import Console

        with Console(file=self.stream).status(f"{name} …") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None


def in_flow_run() -> bool:
    """Tell whether a Prefect flow run is under way in this context."""
    if "prefect.context" not in sys.modules:
        return False
    from prefect.context import FlowRunContext

    return FlowRunContext.get() is not None


CURRENT: ContextVar[Progress | None] = ContextVar("progress", default=None)


def current_progress() -> Progress:
    """Return the progress of the run at work; outside of one, a new one."""
    return CURRENT.get() or Progress()


@contextmanager
def telling(progress: Progress | None = None) -> Iterator[Progress]:
    """Tell one run's progress; inside of a run that tells already, go on telling there."""
    current = CURRENT.get() or progress or Progress()
    token = CURRENT.set(current)
    try:
        yield current
    finally:
        CURRENT.reset(token)
