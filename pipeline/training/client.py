"""The parent's side of the training process.

TensorFlow takes seconds to import. A worker that is started early imports it while the parent
prepares the data, and later trains while the parent fits the other learners.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pipeline import errors
from pipeline.config.settings import TrainingConfig
from pipeline.errors import MachineError, StageError
from pipeline.storage.disk import TEMPORARY, explaining
from pipeline.targets.results import FitSummary
from pipeline.training.jobs import Job

STAGE = "training"
# Products of a batch and a layer below this size are slower when two threads share them.
SMALL_PRODUCT = 64 * 1024
LOG_BYTES = 1 << 20  # a longer log is started again

OnEpoch = Callable[[int, int], None]


@dataclass(slots=True)
class Handle:
    """A job under way."""

    job: Job
    on_epoch: OnEpoch | None
    trainer: Trainer
    outcome: dict[str, Any] | None = field(default=None)

    def result(self) -> FitSummary:
        """Wait for the job; ``on_epoch`` is called meanwhile, in this thread.

        Raises
        ------
        AssayError
            What the worker found wrong with the data or the configuration.
        MachineError
            If the worker died.
        RuntimeError
            If the worker met an error of ours, with its traceback.
        """
        while self.outcome is None:
            self.trainer.receive()
        outcome = dict(self.outcome)
        event = outcome.pop("event")
        if event == "error":
            kind: type[errors.AssayError] = getattr(errors, outcome["kind"])
            raise kind(outcome["stage"], outcome["problem"], outcome["fix"])
        if event == "crash":
            message = f"the training process failed:\n{outcome['text']}"
            raise RuntimeError(message)
        return FitSummary(**outcome)


class Trainer:
    """A training process that serves one fit after another.

    Use it as a context manager, or call ``start`` and ``close``. Not to be shared by threads.

    Parameters
    ----------
    log
        File that takes what TensorFlow says; appended to.
    threads
        Threads of an operation, 0: all cores. A small network is trained faster by one, and that
        can be chosen at the start only.
    """

    def __init__(self, log: Path, threads: int = 0) -> None:
        self.log = log
        self._threads = threads
        self._scratch = log
        self._process: subprocess.Popen[str] | None = None
        self._pending: list[Handle] = []

    def __enter__(self) -> Trainer:
        """Start the process."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()

    @property
    def pid(self) -> int | None:
        """The process, if it was started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process and return immediately; a second call does nothing."""
        if self._process is not None:
            return
        # Keras makes temporary folders without a name of ours; what a crash leaves is swept here.
        self._scratch = self.log.with_name(f"{TEMPORARY}{self.log.stem}-{os.getpid()}")
        with explaining(STAGE, self.log.parent):
            self._scratch.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pipeline.training.worker"]
        command += ["--parent", str(os.getpid()), "--threads", str(self._threads)]
        root = str(Path(__file__).resolve().parents[2])
        # The package may be on this process's path only (a notebook, pytest).
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        long = self.log.exists() and self.log.stat().st_size > LOG_BYTES
        with self.log.open("w" if long else "a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(self._scratch)},
            )

    def submit(self, job: Job, on_epoch: OnEpoch | None = None) -> Handle:
        """Queue a job; fits run one after another, in this order.

        Raises
        ------
        MachineError
            If the process died.
        """
        self.start()
        handle = Handle(job, on_epoch, self)
        stream = self._stream("stdin")
        try:
            stream.write(json.dumps(job.dump()) + "\n")
            stream.flush()
        except BrokenPipeError:
            raise self._explain_death() from None
        self._pending.append(handle)
        return handle

    def receive(self) -> None:
        """Wait for one event of the worker and hand it to the oldest job.

        Raises
        ------
        MachineError
            If the process died.
        """
        line = self._stream("stdout").readline()
        if not line or not self._pending:
            raise self._explain_death()
        event = json.loads(line)
        handle = self._pending[0]
        if event["event"] != "epoch":
            handle.outcome = event
            self._pending.pop(0)
        elif handle.on_epoch is not None:
            handle.on_epoch(event["epoch"], event["epochs"])

    def close(self) -> None:
        """End the process: what it was asked for is on the disk, or not wanted any more."""
        process = self._process
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._process = None
        self._pending = []

    def _stream(self, name: str) -> IO[str]:
        stream: IO[str] | None = getattr(self._process, name, None)
        if stream is None:
            raise StageError(STAGE, "the training process was closed", "Start a new Trainer")
        return stream

    def _explain_death(self) -> MachineError:
        code = self._process.wait() if self._process else None
        self._pending = []
        killed = " (killed, perhaps for lack of memory)" if code == -9 else ""
        return MachineError(
            STAGE,
            f"the training process ended with code {code}{killed}; its log is {self.log}",
            "Read the log; if memory ran out, train on fewer rows or close other programs",
        )


def choose_threads(config: TrainingConfig) -> int:
    """Choose the threads of an operation for a network of features: one where it is small."""
    widest = max(config.hidden, default=1)
    return 1 if config.batch_size * widest <= SMALL_PRODUCT else 0
