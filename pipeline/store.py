"""Where everything lies on disk; the only module that knows the layout.

Stages write into content-addressed directories: the key of a stage is a hash of its name, its code,
its section of the configuration and the keys of its inputs. A stage directory appears by one rename
after everything in it is flushed to the disk, so one that exists is complete and is never made
again. A published version appears in the same way; ``current`` is a link that is replaced as one.

    data/<dataset>/                      dataset.yaml and the source
    expectations/<dataset>/              suites
    data/runs/<dataset>/stages/          stage directories, <stage>-<key>
    data/runs/<dataset>/stopped/         reports of runs that a gate stopped
    data/runs/<dataset>/runs.jsonl       one line for each run
    data/published/<dataset>/<version>/  versions; current -> <version>
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import ConfigError, SourceError, StageError, name_examples, name_near_misses

T = TypeVar("T")
FACTS = "facts.json"
KEPT_RUNS = 5
CHUNK = 1 << 20
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

    def source(self, name: str) -> Path:
        """Resolve the source that dataset.yaml names.

        Raises
        ------
        SourceError
            If there is nothing at that place.
        """
        path = (self.config_path.parent / name).resolve()
        if not path.exists():
            near = [item.name for item in path.parent.glob("*")] if path.parent.is_dir() else []
            raise SourceError(
                "ingest", f"the source {path} was not found",
                f"Correct `source` in {self.config_path}: {name_near_misses(path.name, near)}",
            )  # fmt: skip
        return path

    def find(self, stage: str, key: str) -> Address | None:
        """Find the finished output of a stage."""
        path = self.runs / "stages" / f"{stage}-{key[:16]}"
        return Address(stage, key, path) if path.is_dir() else None

    def build(self, stage: str, key: str, make: Callable[[Path], None]) -> Address:
        """Make the output of a stage, unless it is there already.

        ``make`` fills a temporary directory; if it raises, or the process dies, nothing appears.
        """
        found = self.find(stage, key)
        if found is not None:
            return found
        final = self.runs / "stages" / f"{stage}-{key[:16]}"
        temporary = final.with_name(f".tmp-{final.name}-{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            make(temporary)
            _appear(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return Address(stage, key, final)

    def publish(self, version: str, fill: Callable[[Path], None]) -> Path:
        """Publish a version whole, and make it current.

        Raises
        ------
        StageError
            If a version of that name is there already.
        """
        final = self.published / version
        if final.exists():
            raise StageError("publish", f"version {version} exists already", "Run again")
        temporary = self.published / f".tmp-{version}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            fill(temporary)
            _appear(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self.make_current(version)
        return final

    def make_current(self, version: str) -> None:
        """Let ``current`` name a published version, by one atomic replacement."""
        link = self.published / f".tmp-current-{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(version)
        os.replace(link, self.published / "current")
        _fsync_directory(self.published)

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
        """Find a published version; without a name, the current one.

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
        if wanted not in self.versions():
            raise ConfigError(
                "store", f"{self.dataset} has no version {wanted!r}",
                f"See `assay versions {self.dataset}`: {name_near_misses(wanted, self.versions())}",
            )  # fmt: skip
        return self.published / wanted

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the data set for one run; the lock dies with the process.

        Raises
        ------
        StageError
            If another process holds it.
        """
        self.runs.mkdir(parents=True, exist_ok=True)
        with (self.runs / "lock").open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                raise StageError(
                    "store", f"another run of {self.dataset} is at work ({handle.read().strip()})",
                    "Wait for it to end, or stop it",
                ) from None  # fmt: skip
            handle.truncate(0)
            handle.write(f"process {os.getpid()}")
            handle.flush()
            for leftover in (self.runs / "stages").glob(".tmp-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield

    def record_run(self, record: Mapping[str, Any]) -> None:
        """Append a run to the log and delete stage directories that no recent run used."""
        log = self.runs / "runs.jsonl"
        before = log.read_text(encoding="utf-8") if log.exists() else ""
        # A process that was killed while it wrote leaves half a line.
        start = "\n" if before and not before.endswith("\n") else ""
        with log.open("a", encoding="utf-8") as handle:
            handle.write(start + json.dumps(record) + "\n")
        recent = log.read_text(encoding="utf-8").splitlines()[-KEPT_RUNS:]
        used = set()
        for line in recent:
            with contextlib.suppress(ValueError):
                used.update(json.loads(line).get("stages", []))
        for entry in (self.runs / "stages").glob("*"):
            if entry.name not in used:
                shutil.rmtree(entry, ignore_errors=True)


def find_home() -> Path:
    """Find the project directory: ``ASSAY_HOME``, or the current directory."""
    return Path(os.environ.get("ASSAY_HOME") or Path.cwd()).resolve()


def hash_key(*parts: object) -> str:
    """Hash JSON-ready parts into a key.

    >>> hash_key("clean", {"a": 1}) == hash_key("clean", {"a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """Hash the content of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_tree(path: Path) -> dict[str, str]:
    """Hash a file, or each file below a folder, by its relative name."""
    if path.is_file():
        return {path.name: hash_file(path)}
    return {
        item.relative_to(path).as_posix(): hash_file(item)
        for item in sorted(path.rglob("*"))
        if item.is_file() and not item.name.startswith(".")
    }


@cache
def hash_code(*modules: str) -> str:
    """Hash the sources of modules below this package, so that changed code makes stages again."""
    root = Path(__file__).parent
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for module in modules:
        place = root / module
        files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def package_versions(*names: str) -> dict[str, str]:
    """Name the installed versions of packages without importing them."""
    return {name: metadata.version(name) for name in names}


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
    """Turn numpy's scalars and arrays into plain Python."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _appear(temporary: Path, final: Path) -> None:
    """Flush everything in a directory to the disk, then give it its final name."""
    for item in temporary.rglob("*"):
        if item.is_dir():
            _fsync_directory(item)
        else:
            with item.open("rb") as handle:
                os.fsync(handle.fileno())
    _fsync_directory(temporary)
    os.rename(temporary, final)
    _fsync_directory(final.parent)


def _fsync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
