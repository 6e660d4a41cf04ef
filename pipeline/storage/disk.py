"""What outlives a crash: files and folders that appear whole, and the machine's faults in words.

A file or folder is written under a temporary name, flushed to the disk, and renamed: whoever looks
sees all of it or nothing, also after a kill -9 or a power loss. Temporary names begin with `.tmp-`;
the next run of the data set deletes what a crash left of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import AssayError, MachineError

TEMPORARY = ".tmp-"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
BLOCKED = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
BROKEN = {errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO}
# Libraries that write through their own layers may hide the number of an error.
NO_SPACE_WORDS = ("no space left on device", "disk quota exceeded", "errno 28", "errno = 28")
NO_SPACE = 1 << 16


def make_directory(path: Path) -> None:
    """Make a directory with its parents so that a power loss does not take it away."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for made in missing:
        fsync_directory(made.parent)


def appear(temporary: Path, final: Path) -> None:
    """Flush everything in a directory to the disk, then give it its final name."""
    for item in temporary.rglob("*"):
        if item.is_dir():
            fsync_directory(item)
        else:
            _fsync_file(item)
    fsync_directory(temporary)
    os.rename(temporary, final)
    fsync_directory(final.parent)


def disappear(path: Path) -> None:
    """Delete a file or a directory so that nobody sees a part of it."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    going = path.with_name(f"{TEMPORARY}gone-{path.name}")
    shutil.rmtree(going, ignore_errors=True)
    os.rename(path, going)
    shutil.rmtree(going, ignore_errors=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a small file in one piece, in place of an earlier one if there is one."""
    make_directory(path.parent)
    writer = f"{os.getpid()}-{threading.get_ident()}"
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{writer}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        _fsync_file(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    fsync_directory(path.parent)


def sweep(*folders: Path) -> None:
    """Delete what crashed runs left half-written; only while their lock is held."""
    for folder in folders:
        for leftover in folder.glob(f"{TEMPORARY}*"):
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def explaining(stage: str, place: Path) -> Iterator[None]:
    """Turn a fault of the disk that comes up inside into a ``MachineError``.

    Parameters
    ----------
    stage
        What is being done, for the message.
    place
        Where it is written; names the disk.
    """
    try:
        yield
    except AssayError:
        raise
    except Exception as error:
        explained = explain(error, stage, place)
        if explained is None:
            raise
        raise explained from None


def explain(error: Exception, stage: str, place: Path) -> MachineError | None:
    """Say in the four-part form what the disk did wrong, if it was the disk.

    Parameters
    ----------
    error
        What was raised.
    stage
        Where.
    place
        What was written: for the space that is free, and for an error that names no file.

    Returns
    -------
    MachineError or None
        None if it was something else.
    """
    number = error.errno if isinstance(error, OSError) else None
    culprit = getattr(error, "filename", None)
    shown = str(culprit) if culprit else str(place)
    said = str(error).casefold()
    if isinstance(error, MemoryError):
        return MachineError(
            stage,
            "memory ran out",
            "Close other programs, or give fewer rows: split.train_counts, a smaller source",
        )
    if number in FULL or any(words in said for words in NO_SPACE_WORDS):
        return MachineError(
            stage,
            f"the disk is full: {_free(place):,} bytes are free where {place} is written",
            "Free space, or keep fewer versions by retention.keep, and run it again: finished "
            "stages are kept",
        )
    if number in REFUSED:
        return MachineError(
            stage,
            f"{shown} can't be written or read: {os.strerror(number or 0)}",
            "Give this user the right to it, or set ASSAY_HOME to a folder of yours",
        )
    if number in BLOCKED:
        return MachineError(
            stage,
            f"{shown} can't be made: {os.strerror(number or 0)}",
            "Move away what has its place, or the place of a folder above it",
        )
    if number in BROKEN:
        return MachineError(
            stage,
            f"the disk failed at {shown}: {os.strerror(number or 0)}",
            "See to the disk or the network share, and run it again",
        )
    if _free(place) < NO_SPACE:
        return MachineError(
            stage,
            f"the disk is full: {_free(place):,} bytes are free where {place} is written",
            "Free space, and run it again: finished stages are kept",
        )
    return None


def _free(place: Path) -> int:
    """Bytes free on the disk of a place, or of its nearest parent that is there."""
    for folder in (place, *place.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
    return NO_SPACE


def _fsync_file(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def fsync_directory(path: Path) -> None:
    """Flush the names in a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_file(source: Path, target: Path) -> None:
    """Show a finished file at a second place, without a copy where the disk allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
