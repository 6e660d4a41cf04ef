"""Where everything lies on disk; the only module that knows the layout.

Stages write into content-addressed directories: the key of a stage is a hash of its name, its code,
its section of the configuration and the keys of its inputs. A stage directory appears by one rename
after everything in it is flushed to the disk, so one that exists is complete and is never made
again. A published version appears in the same way; ``current`` is a link that is replaced as one.

    data/<dataset>/                      dataset.yaml and the source
    expectations/<dataset>/              suites
    data/runs/<dataset>/stages/          stage directories, <stage>-<key>
    data/runs/<dataset>/stopped/         reports of runs that a gate stopped
    data/runs/<dataset>/runs.jsonl       a line for each run; ``running.json`` while one is at work
    data/runs/<dataset>/fetched/         the source, where it comes from a database or a server
    data/published/<dataset>/<version>/  versions; current -> <version>
    data/published/<dataset>/.pins/      an empty file for each version that is kept for good
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import ConfigError, StageError, name_examples, name_near_misses
from pipeline.storage.disk import (
    TEMPORARY,
    appear,
    disappear,
    explaining,
    fsync_directory,
    make_directory,
    sweep,
)
from pipeline.storage.locking import OnWait, hold

T = TypeVar("T")
FACTS = "facts.json"
STAMP = "%Y%m%d-%H%M%S"
MAX_NAME = 80
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{MAX_NAME - 1}}}")
RESERVED_NAMES = ("runs", "published")  # folders of Assay's own beside the data sets


@dataclass(frozen=True, slots=True)
class Address:
    """Where the output of a stage lies: small enough to be passed between tasks."""

    stage: str
    key: str
    path: Path

    def facts(self, kind: type[T]) -> T:
        """Read the stage's facts back as the dataclass that they were written from."""
        return load_facts(self.path / FACTS, kind)


@dataclass(frozen=True, slots=True)
class Store:
    """The disk layout of one data set in a project directory."""

    home: Path
    dataset: str

    def __post_init__(self) -> None:
        """Refuse a name that would lead to another place than a folder of its own."""
        if not NAME.fullmatch(self.dataset) or self.dataset in RESERVED_NAMES:
            raise ConfigError(
                "store", f"a data set can't be named {name_examples([self.dataset])}",
                f"Name it by at most {MAX_NAME} letters, digits, '_', '-' and '.', beginning with "
                f"a letter or digit, and not {' or '.join(RESERVED_NAMES)}; `assay init` takes "
                "--name",
            )  # fmt: skip

    @property
    def config_path(self) -> Path:
        """The user's declaration."""
        return self.home / "data" / self.dataset / "dataset.yaml"

    @property
    def suites(self) -> Path:
        """Directory of the data set's suites."""
        return self.home / "expectations" / self.dataset

    @property
    def runs(self) -> Path:
        """Work in progress."""
        return self.home / "data" / "runs" / self.dataset

    @property
    def published(self) -> Path:
        """Directory of the versions."""
        return self.home / "data" / "published" / self.dataset

    def find(self, stage: str, key: str) -> Address | None:
        """Find the finished output of a stage."""
        path = self.runs / "stages" / f"{stage}-{key[:16]}"
        return Address(stage, key, path) if path.is_dir() else None

    def build(self, stage: str, key: str, make: Callable[[Path], None]) -> Address:
        """Make the output of a stage, unless it is there already.

        ``make`` fills a temporary directory; if it raises, or the process dies, nothing appears.

        Parameters
        ----------
        stage
            Its name.
        key
            The hash of all that its output depends on.
        make
            Fills the folder that it is given.
        """
        found = self.find(stage, key)
        if found is not None:
            return found
        final = self.runs / "stages" / f"{stage}-{key[:16]}"
        self._make_whole(stage, final, make)
        return Address(stage, key, final)

    def publish(self, version: str, fill: Callable[[Path], None]) -> Path:
        """Publish a version whole, and make it current.

        Raises
        ------
        StageError
            If a version of that name is there already.
        MachineError
            If the disk is full or can't be written.
        """
        final = self.published / version
        if final.exists():
            raise StageError("publish", f"version {version} exists already", "Run again")
        self._make_whole("publish", final, fill)
        self.make_current(version)
        return final

    def write_aside(self, kind: str, name: str, fill: Callable[[Path], None]) -> Path:
        """Write a folder of reports below the runs, whole, in place of an earlier one.

        Parameters
        ----------
        kind
            The folder below the runs, such as ``stopped``.
        name
            Of the folder that is written.
        fill
            Fills the folder that it is given.
        """
        final = self.runs / kind / name
        if final.exists():
            disappear(final)
        self._make_whole("report", final, fill)
        return final

    def _make_whole(self, stage: str, final: Path, make: Callable[[Path], None]) -> None:
        temporary = final.with_name(f"{TEMPORARY}{final.name}-{os.getpid()}")
        try:
            with explaining(stage, final.parent):
                shutil.rmtree(temporary, ignore_errors=True)
                make_directory(temporary)
                make(temporary)
                appear(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def make_current(self, version: str) -> None:
        """Let ``current`` name a published version, by one atomic replacement."""
        link = self.published / f"{TEMPORARY}current-{os.getpid()}"
        with explaining("publish", self.published):
            link.unlink(missing_ok=True)
            link.symlink_to(version)
            os.replace(link, self.published / "current")
            fsync_directory(self.published)

    def name_version(self, key: str) -> str:
        """Name a version to be published now; names sort by the order of publication.

        They begin with the time in UTC, and never with an earlier one than the last version's, so
        that a clock that was set back does not make a new version look old.
        """
        now = datetime.now(UTC).replace(tzinfo=None)
        last = max(self.versions(), default="")
        with contextlib.suppress(ValueError):
            now = max(now, datetime.strptime(last[:15], STAMP) + timedelta(seconds=1))
        return f"{now:{STAMP}}-{key[:8]}"

    def versions(self) -> list[str]:
        """Name the published versions, oldest first."""
        if not self.published.is_dir():
            return []
        return sorted(
            entry.name
            for entry in self.published.iterdir()
            if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".")
        )

    def current(self) -> str | None:
        """Name the current version."""
        link = self.published / "current"
        return os.readlink(link) if link.is_symlink() and link.exists() else None

    def version(self, name: str | None = None) -> Path:
        """Find a published version by its name, or the part that it alone begins or ends with.

        Without a name, it is the current one.

        Raises
        ------
        ConfigError
            If there is no such version.
        """
        wanted = name or self.current()
        if wanted is None:
            raise ConfigError(
                "store", f"{self.dataset} has no published version",
                f"Publish one with `assay run {self.dataset}`",
            )  # fmt: skip
        alike = [v for v in self.versions() if v.startswith(wanted) or v.endswith(f"-{wanted}")]
        if wanted and len(alike) == 1:
            return self.published / alike[0]
        if wanted not in self.versions():
            raise ConfigError(
                "store", f"{self.dataset} has no version {wanted!r}",
                f"See `assay versions {self.dataset}`: {name_near_misses(wanted, self.versions())}",
            )  # fmt: skip
        return self.published / wanted

    def pins(self) -> list[str]:
        """Name the versions that are kept for good."""
        folder = self.published / ".pins"
        pinned = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        return [name for name in self.versions() if name in pinned]

    def pin(self, version: str, *, keep: bool) -> None:
        """Keep a version for good, or leave it to the retention rule again.

        Raises
        ------
        ConfigError
            If there is no such version.
        """
        mark = self.published / ".pins" / self.version(version).name
        with explaining("store", mark.parent):
            make_directory(mark.parent)
            if keep:
                mark.touch()
            else:
                mark.unlink(missing_ok=True)
            fsync_directory(mark.parent)

    def retire(self, keep: int, before: str | None) -> list[str]:
        """Delete the oldest versions until ``keep`` are left beside pinned ones; name them.

        Never the current one, nor ``before``, the one that was current until now: somebody may be
        reading it.
        """
        pins = self.pins()
        safe = {self.current(), before, *pins}
        loose = [name for name in self.versions() if name not in pins]
        gone = [name for name in loose[: max(0, len(loose) - keep)] if name not in safe]
        for name in gone:
            disappear(self.published / name)
        return gone

    @contextlib.contextmanager
    def lock(self, wait: float = 0.0, on_wait: OnWait | None = None) -> Iterator[None]:
        """Hold the data set for one run; the lock dies with the process.

        What crashed runs left half-written is deleted.

        Parameters
        ----------
        wait
            Seconds to wait for another run to end.
        on_wait
            Told once who is waited for.

        Raises
        ------
        locking.Busy, locking.StillBusy
            If another process holds it, to the end of the waiting.
        MachineError
            If the folder can't be written.
        """
        with contextlib.ExitStack() as stack:
            with explaining("store", self.runs):
                stack.enter_context(hold(self.runs / "lock", self.dataset, wait, on_wait))
                kinds = ("", "stages", "stopped", "validated", "fetched", "trainings")
                sweep(self.published, *(self.runs / kind for kind in kinds))
            yield

    def sweep_stages(self, used: set[str]) -> None:
        """Delete the stage directories that are not named."""
        for entry in (self.runs / "stages").glob("*"):
            if entry.name not in used:
                disappear(entry)


def find_home() -> Path:
    """Find the project directory: ``ASSAY_HOME``, or the current directory."""
    return Path(os.environ.get("ASSAY_HOME") or Path.cwd()).resolve()


def dump_json(path: Path, value: object) -> None:
    """Write a dataclass or JSON-ready value, readable and stable."""
    ready = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    text = json.dumps(ready, indent=1, ensure_ascii=False, default=_plain, allow_nan=True)
    path.write_text(text + "\n", encoding="utf-8")


def read_manifest(version: Path) -> dict[str, Any]:
    """Read the manifest of a version."""
    manifest: dict[str, Any] = json.loads((version / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def load_facts(path: Path, kind: type[T]) -> T:
    """Read a dataclass back from the JSON that ``dump_json`` wrote."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_python(json.loads(path.read_text(encoding="utf-8")))


def _plain(value: object) -> object:
    """Turn dataclasses, numpy's scalars and arrays into plain Python."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)
