"""One run of a data set at a time, in whatever way and on whatever machine it was started.

The lock is the kernel's (``flock``): it dies with the process that holds it, also by kill -9, and
holds between machines that share the folder by NFS.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from pipeline.errors import MachineError, StageError
from pipeline.storage.disk import make_directory

POLL_SECONDS = 0.2

OnWait = Callable[[str], None]


class Busy(StageError):
    """Another run of the data set is at work, and is not waited for."""


class StillBusy(StageError):
    """Another run of the data set was waited for, and did not end."""


@contextlib.contextmanager
def hold(path: Path, what: str, wait: float = 0.0, on_wait: OnWait | None = None) -> Iterator[None]:
    """Hold a lock file while the body runs.

    Parameters
    ----------
    path
        The lock file; it stays, and says who holds it.
    what
        What is locked, for messages.
    wait
        Seconds to wait for another holder to end; 0: not at all.
    on_wait
        Told once who is waited for.

    Raises
    ------
    Busy, StillBusy
        If another process holds it, and goes on doing so while this one waits.
    MachineError
        If the file system has no locks.
    """
    make_directory(path.parent)
    with path.open("a+", encoding="utf-8") as handle:
        _acquire(handle, what, wait, on_wait)
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {socket.gethostname()}")
        handle.flush()
        yield


def _acquire(handle: IO[str], what: str, wait: float, on_wait: OnWait | None) -> None:
    start, told = time.monotonic(), False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                raise MachineError(
                    "store", f"the file system of {handle.name} can't lock files",
                    "Mount it with locks (NFS 4, or 3 with lockd), or move the project",
                ) from None  # fmt: skip
            raise
        waited = time.monotonic() - start
        if waited >= wait:
            handle.seek(0)
            after = f" after {waited:.0f} s of waiting" if wait else ""
            kind = StillBusy if wait else Busy
            raise kind(
                "store", f"another run of {what} is at work{after} ({handle.read().strip()})",
                "Wait for it to end or stop it; runs.when_busy: wait lets the next one wait",
            ) from None  # fmt: skip
        if not told and on_wait is not None:
            handle.seek(0)
            on_wait(handle.read().strip())
            told = True
        time.sleep(POLL_SECONDS)
