"""Where a data set's source lies, and whether it is whole: in the project, not being written."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.upkeep import RunsConfig
from pipeline.errors import ConfigError, SourceError, name_near_misses
from pipeline.storage.hashing import hash_key
from pipeline.storage.store import Store

OUTSIDE = "ASSAY_ALLOW_OUTSIDE"
PARTIAL = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp")
RECENT_SECONDS = 3600.0
POLL_SECONDS = 0.25


class SourceChanged(SourceError):
    """The source changed while it was read; reading it again can help."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What lies at a source, without reading it.

    Attributes
    ----------
    stamp
        Hash of the names, sizes, times of change and inodes of all files.
    changed
        When the newest of them was changed, in seconds since the epoch.
    newest
        That file.
    partial
        A file whose name says that it is being written, if there is one.
    """

    stamp: str
    changed: float
    newest: Path | None
    partial: Path | None


def locate(store: Store, source: str) -> Path:
    """Resolve the source that dataset.yaml names; it may be missing yet.

    Raises
    ------
    ConfigError
        If it lies outside of the project, and ASSAY_ALLOW_OUTSIDE is not set.
    """
    given = store.config_path.parent / source
    try:
        path = given.resolve()
        path.exists()
    except (OSError, ValueError, RuntimeError):  # a name too long, a NUL in it, a ring of links
        raise ConfigError(
            "config", f"source {source[:60]!r} is no path that could exist", "Correct `source`"
        ) from None
    _keep_inside(path, store, f"source {source!r} in {store.config_path}")
    return path


def _keep_inside(path: Path, store: Store, what: str) -> None:
    roots = (store.home.resolve(), (store.home / "data").resolve())
    if os.environ.get(OUTSIDE) or any(path.is_relative_to(root) for root in roots):
        return
    raise ConfigError(
        "config", f"{what} leads to {path}, outside of the project {store.home}",
        f"Move it into data/{store.dataset}, or allow it: --allow-outside, or {OUTSIDE}=1",
    )  # fmt: skip


def settle(
    store: Store, path: Path, config: RunsConfig, on_wait: Callable[[str], None] | None = None
) -> Stock:
    """Wait until a source is there and nobody writes it any more.

    It counts as settled if its newest change is ``runs.settle_seconds`` old, or if it was seen
    unchanged for as long (the clock may have been set), and no process of this machine that can be
    looked at has it open for writing, and no ``.part`` lies beside it.

    Parameters
    ----------
    on_wait
        Told once what is waited for.

    Raises
    ------
    SourceError
        If it is not there, or still being written after ``runs.settle_minutes``.
    ConfigError
        If a link in it leads out of the project.
    """
    deadline = time.monotonic() + 60 * config.settle_minutes
    seen: Stock | None = None
    since = time.monotonic()
    while True:
        stock = take_stock(store, path)
        if seen is None or stock.stamp != seen.stamp:
            seen, since = stock, time.monotonic()
        reason = _find_writing(path, stock, config.settle_seconds, time.monotonic() - since)
        if reason is None:
            if stock.newest is None:
                _refuse_missing(store, path)
            return stock
        if time.monotonic() >= deadline:
            raise SourceError(
                "ingest",
                f"the source {path.name} is still being written after "
                f"{config.settle_minutes:g} minutes: {reason}",
                "Wait for the copy to end, copy under another name and rename it, or raise "
                "runs.settle_minutes",
            )
        if on_wait is not None:
            on_wait(reason)
            on_wait = None
        time.sleep(POLL_SECONDS)


def _find_writing(path: Path, stock: Stock, seconds: float, watched: float) -> str | None:
    """Say what shows that a source is being written, if anything does."""
    now = time.time()
    if stock.partial is not None and now - stock.partial.stat().st_mtime < RECENT_SECONDS:
        return f"{stock.partial.name} lies beside it"
    if stock.newest is None:
        return None
    age = now - stock.changed
    if not (age >= seconds or watched >= seconds):
        return f"{stock.newest.name} changed just now"
    if age < RECENT_SECONDS:
        writer = _find_writer(stock.newest)
        if writer is not None:
            return f"process {writer} has {stock.newest.name} open for writing"
    return None


def _find_writer(path: Path) -> int | None:
    """Find a process that has a file open for writing, where the system tells."""
    with contextlib.suppress(OSError):
        wanted = os.stat(path)
        for process in Path("/proc").glob("[0-9]*"):
            # Processes of others can't be looked at, and some end meanwhile.
            with contextlib.suppress(OSError, ValueError):
                for handle in os.scandir(process / "fd"):
                    with contextlib.suppress(OSError):
                        if os.path.samestat(os.stat(handle.path), wanted):
                            info = (process / "fdinfo" / handle.name).read_text()
                            flags = int(info.split("flags:")[1].split()[0], 8)
                            if flags & (os.O_WRONLY | os.O_RDWR):
                                return int(process.name)
    return None


def take_stock(store: Store, path: Path) -> Stock:
    """Look at names, sizes and times of a file, or of all files below a folder.

    Raises
    ------
    ConfigError
        If a link among them leads out of the project.
    """
    partial = next(
        (p for p in (path.with_name(path.name + s) for s in PARTIAL) if p.exists()), None
    )
    files = _walk(store, path) if path.is_dir() else [path]
    seen: list[tuple[str, int, int, int]] = []
    changed, newest = 0.0, None
    for file in files:
        try:
            found = file.stat()
        except OSError:  # gone, or a link to nothing
            continue
        if file.name.casefold().endswith(PARTIAL):
            partial = partial or file
        seen.append((str(file), found.st_size, found.st_mtime_ns, found.st_ino))
        # A file that is moved here keeps its old time of change; its inode's is new.
        if newest is None or found.st_mtime > changed:
            changed, newest = found.st_mtime, file
    if path.is_dir() and newest is None:
        newest = path
    return Stock(hash_key(sorted(seen)), changed, newest, partial)


def _walk(store: Store, folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        names = [name for name in names if not name.startswith(".")]  # as hash_tree does
        for name in (*folders, *names):
            item = Path(place, name)
            if item.is_symlink():
                _keep_inside(item.resolve(), store, f"the link {item.relative_to(folder)}")
        yield from (Path(place, name) for name in names)


@contextlib.contextmanager
def unchanging(store: Store, path: Path, stamp: str) -> Iterator[None]:
    """Read a source in the body; fail if it is not the same any more at the end.

    Parameters
    ----------
    store
        Of the data set.
    path
        The source.
    stamp
        What it was when it was found, see ``take_stock``.

    Raises
    ------
    SourceChanged
        If it changed or vanished meanwhile, whatever the body made of that.
    """
    problem: Exception | None = None
    try:
        yield
    except Exception as error:
        problem = error
    if take_stock(store, path).stamp != stamp:
        what = "changed" if path.exists() else "vanished"
        raise SourceChanged(
            "ingest", f"the source {path.name} {what} while it was read",
            "Let its writer write another name and rename it at the end, and run it again",
        ) from None  # fmt: skip
    if problem is not None:
        raise problem


def _refuse_missing(store: Store, path: Path) -> None:
    there = path.parent.glob("*") if path.parent.is_dir() else ()
    near = [item.name for item in there if item.name != store.config_path.name]
    raise SourceError(
        "ingest", f"the source {path} was not found",
        f"Correct `source` in {store.config_path}: {name_near_misses(path.name, near)}",
    )  # fmt: skip
