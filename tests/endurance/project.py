"""A project to be ill-treated: making it, running the command in it, and looking at what it left.

What is looked at is the disk, as any reader of it would; the store's own functions are used only to
work out which stages a run has.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.runs.run import Run, prepare

ROOT = Path(__file__).resolve().parents[2]
FAST = (
    "training.epochs=2",
    "resampling.method=random_over",
    "training.compare_unrepaired=false",
    "training.bootstrap=100",
)
TARGETS = {"hypothyroid": "class", "penguins_raw": "Species"}
NUMBERS = {"hypothyroid": "age", "penguins_raw": "Body Mass (g)"}
DATASETS = tuple(TARGETS)
STAGES = (
    "ingest", "validate_raw", "split", "clean", "impute", "validate_repaired", "encode",
    "resample", "train",
)  # fmt: skip
# In a version, but not among the files that the manifest lists.
ABOUT = re.compile(r"manifest\.[a-z0-9.]+")
LIMIT = 180.0  # seconds; a run takes 7


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells a directory from another one of the same name."""

    inode: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Project:
    """One data set in a project directory, with a system temporary directory of its own."""

    home: Path
    name: str
    temporary: Path

    @property
    def published(self) -> Path:
        """Directory of the versions."""
        return self.home / "data" / "published" / self.name

    @property
    def runs(self) -> Path:
        """Work in progress."""
        return self.home / "data" / "runs" / self.name

    @property
    def source(self) -> Path:
        """The CSV file."""
        return self.home / "data" / self.name / f"{self.name}.csv"

    def environment(self) -> dict[str, str]:
        """Make the environment of the command."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        return kept | {
            "PYTHONPATH": str(ROOT),
            "ASSAY_HOME": str(self.home),
            "TMPDIR": str(self.temporary),
        }

    def plan(self, seed: int) -> Run:
        """Work out which stages a run with this seed has, as it would itself."""
        return prepare(self.home, self.name, [*FAST, f"seed={seed}"])

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command in a session of its own, so that all its processes can be found."""
        return subprocess.Popen(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=self.home,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start_run(self, seed: int) -> subprocess.Popen[str]:
        """Start a refresh with a seed."""
        return self.start("run", self.name, *overrides(seed))

    def call(self, *arguments: str) -> tuple[int, str]:
        """Run the command to its end; return its exit code and all that it said."""
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            return -1, f"{output}\nnot done after {LIMIT:.0f} s"
        return process.returncode, output

    def run(self, seed: int) -> tuple[int, str]:
        """Refresh the data set with a seed."""
        return self.call("run", self.name, *overrides(seed))

    def versions(self) -> list[str]:
        """Name the versions that there are."""
        if not self.published.is_dir():
            return []
        return sorted(p.name for p in self.published.glob("[!.]*") if not p.is_symlink())

    def current(self) -> str | None:
        """Name the current version, whether or not it is there."""
        link = self.published / "current"
        return os.readlink(link) if link.is_symlink() else None

    def find_current_damage(self) -> list[str]:
        """Say what is wrong with the version that `current` leads to; no link is no damage."""
        current = self.current()
        return [] if current is None else find_damage(self.published / current)

    def find_unmet(self, run: Run) -> list[str]:
        """Say what is missing for the outcome of a run to be there: one version, whole, current."""
        mine = [name for name in self.versions() if name.endswith(f"-{run.key[:8]}")]
        current = self.current()
        faults = []
        if len(mine) != 1:
            faults.append(f"{len(mine)} versions of this run instead of one: {mine}")
        if current not in mine:
            faults.append(f"current is {current}, this run's version is {mine}")
        for name in mine:
            version = self.published / name
            faults += [f"{name}: {damage}" for damage in find_damage(version)]
            with contextlib.suppress(OSError, ValueError):
                seed = read_manifest(version)["seed"]
                if seed != run.config.seed:
                    faults.append(f"{name}: seed {seed} instead of {run.config.seed}")
        return faults

    def list_stages(self) -> dict[str, Stamp]:
        """List the finished stage directories."""
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.runs / "stages"):
                if not entry.name.startswith("."):
                    stat = entry.stat()
                    found[entry.name] = Stamp(stat.st_ino, stat.st_mtime_ns)
        return found

    def list_leftovers(self) -> set[str]:
        """List temporary things: of the store, and in the system's temporary directory."""
        ours = {str(path) for path in (self.home / "data").rglob(".tmp*")}
        return ours | {str(path) for path in self.temporary.iterdir()}

    def append_row(self, draw: random.Random) -> None:
        """Append a row of the source with another number in it, so that every stage is new."""
        with self.source.open(newline="", encoding="utf-8") as handle:
            header, *rows = list(csv.reader(handle))
        row = list(draw.choice(rows))
        row[header.index(NUMBERS[self.name])] = str(draw.randint(20, 90) * scale(self.name))
        whole = self.source.read_bytes().endswith(b"\n")
        with self.source.open("a", newline="", encoding="utf-8") as handle:
            handle.write("" if whole else "\n")
            csv.writer(handle, lineterminator="\n").writerow(row)


def scale(name: str) -> int:
    """Bring a draw of 20 to 90 into what is usual for the changed column."""
    return 70 if name == "penguins_raw" else 1


def overrides(seed: int) -> list[str]:
    """Write the overrides of a fast run as arguments."""
    return [part for text in (*FAST, f"seed={seed}") for part in ("--set", text)]


def make_project(folder: Path, name: str) -> Project:
    """Make a project directory with one of the samples."""
    project = Project(folder / "project", name, folder / "temporary")
    project.temporary.mkdir(parents=True)
    shutil.copytree(ROOT / "data" / name, project.home / "data" / name)
    suites = ROOT / "expectations" / name
    if suites.is_dir():
        shutil.copytree(suites, project.home / "expectations" / name)
    if not (project.home / "data" / name / "dataset.yaml").is_file():
        code, output = project.call("init", str(project.source), "--target", TARGETS[name])
        if code != 0:
            raise RuntimeError(output)
    return project


def adopt(folder: Path, name: str, template: Path | None) -> Project:
    """Copy a project with its versions, or make a new one where there is no template."""
    if template is None:
        return make_project(folder, name)
    project = Project(folder / "project", name, folder / "temporary")
    project.temporary.mkdir(parents=True)
    shutil.copytree(template, project.home, symlinks=True)
    return project


def find_damage(version: Path) -> list[str]:
    """Say what a version's files differ in from its manifest."""
    if not version.is_dir():
        return [f"{version.name} is not there"]
    try:
        files: dict[str, str] = read_manifest(version)["files"]
    except (OSError, ValueError, KeyError) as error:
        return [f"manifest.json can't be read: {error}"]
    there = {p.relative_to(version).as_posix() for p in version.rglob("*") if p.is_file()}
    damage = [f"{name} is missing" for name in sorted(files.keys() - there)]
    damage += [
        f"{name} is not in the manifest"
        for name in sorted(there - files.keys())
        if not ABOUT.fullmatch(name)
    ]
    damage += [
        f"{name} differs"
        for name in sorted(files.keys() & there)
        if hashlib.sha256((version / name).read_bytes()).hexdigest() != files[name]
    ]
    return damage


def read_manifest(version: Path) -> dict[str, Any]:
    """Read the manifest of a version."""
    manifest: dict[str, Any] = json.loads((version / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def find_unreadable(folder: Path) -> list[str]:
    """Name the files below a folder that their own format refuses, such as truncated ones."""
    import numpy as np
    import pyarrow.parquet as pq

    bad = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            if path.suffix == ".parquet":
                pq.read_table(path)
            elif path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".npz":
                with np.load(path) as arrays:
                    for name in arrays.files:
                        arrays[name]
            elif path.suffix == ".keras":
                with zipfile.ZipFile(path) as archive:
                    broken = archive.testzip()
                if broken:
                    bad.append(f"{path}: {broken}")
            elif path.suffix == ".html" and "</html>" not in path.read_text(encoding="utf-8"):
                bad.append(f"{path}: cut off")
        except Exception as error:  # whatever a format's reader raises is the finding
            bad.append(f"{path}: {type(error).__name__}: {error}")
    return bad


def list_session(leader: int) -> list[int]:
    """List the living processes of a session, zombies left out."""
    alive = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                alive.append(int(entry.name))
    return alive


def remove(path: Path) -> None:
    """Remove whatever a path names."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


class Log:
    """A line of JSON for each round, written as it ends, so that a killed harness loses nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, **fields: Any) -> None:
        """Append a line."""
        line = json.dumps({"at": time.strftime("%H:%M:%S"), **fields}, default=str)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(line + "\n")
