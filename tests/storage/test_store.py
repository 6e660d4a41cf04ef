"""The store: whole or not at all, once, one at a time, and read back as it was written."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cleaning.repairs import CleaningFacts, FittedCleaning
from pipeline.config.dataset_yaml import load_config
from pipeline.dataset import Schema
from pipeline.encoding.features import FittedEncoding
from pipeline.errors import ConfigError, MachineError, StageError
from pipeline.imputation import ImputationFacts
from pipeline.ingest.canonical import IngestFacts
from pipeline.ingest.columns import ColumnRules
from pipeline.preprocessing.assembly import AssemblyFacts
from pipeline.resampling import ResamplingFacts
from pipeline.splitting.split_facts import SplitFacts
from pipeline.storage.hashing import hash_key, hash_tree
from pipeline.storage.locking import StillBusy
from pipeline.storage.store import FACTS, Store, dump_json, find_home, load_facts
from pipeline.targets.results import TrainingFacts
from pipeline.upkeep.history import KEPT_RUNS, begin, end, note, read_runs

ROOT = Path(__file__).parents[1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Give a store in an empty project directory."""
    return Store(tmp_path, "d")


def fill(folder: Path) -> None:
    """Write something, also below a folder."""
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("content")


def fill_deep(folder: Path) -> None:
    """Write something into a folder with all its parents."""
    folder.mkdir(parents=True)
    fill(folder)


def list_stages(store: Store) -> list[str]:
    """Name everything among the stages."""
    folder = store.runs / "stages"
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def test_a_stage_is_made_once(store: Store) -> None:
    """The second build with the same key does nothing; another key makes another directory."""
    calls: list[Path] = []

    def make(folder: Path) -> None:
        calls.append(folder)
        fill(folder)

    first = store.build("clean", "a" * 64, make)
    again = store.build("clean", "a" * 64, make)
    assert first == again == store.find("clean", "a" * 64)
    assert len(calls) == 1
    assert (first.path / "inner" / "file").read_text() == "content"
    assert first.path != calls[0]
    store.build("clean", "b" * 64, make)
    assert len(calls) == 2
    assert list_stages(store) == ["clean-" + "a" * 16, "clean-" + "b" * 16]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt("broken")])
def test_a_make_that_raises_leaves_nothing(store: Store, error: BaseException) -> None:
    """Neither a half-made stage nor its temporary directory stays, and it can be made again."""

    def make(folder: Path) -> None:
        fill(folder)
        raise error

    with pytest.raises(type(error), match="broken"):
        store.build("clean", "k" * 64, make)
    assert list_stages(store) == []
    assert store.find("clean", "k" * 64) is None
    with pytest.raises(type(error), match="broken"):
        store.publish("v1", make)
    assert list(store.published.iterdir()) == []
    assert store.build("clean", "k" * 64, fill).path.is_dir()


KILLED = """
import os, signal, sys
from pathlib import Path
import pipeline.storage.store as store_module
from pipeline.storage.store import Store

store, place = Store(Path(sys.argv[1]), "d"), sys.argv[2]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def make(folder):
    (folder / "half").write_text("x" * 100_000)
    if place.endswith("in make"):
        die()

if place.endswith("before it appears"):
    os.rename = die
if place.endswith("before it is current"):
    os.replace = die
if place.startswith("build"):
    store.build("clean", "k" * 64, make)
else:
    store.publish("v2", make)
"""


@pytest.mark.parametrize(
    "place",
    [
        "build: in make",
        "build: before it appears",
        "publish: in make",
        "publish: before it appears",
        "publish: before it is current",
    ],
)
def test_a_killed_process_leaves_the_last_version_current(store: Store, place: str) -> None:
    """Whenever kill -9 comes, what shows is whole, `current` is intact, and a new try succeeds."""
    store.publish("v1", fill)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(store.home), place], check=False, cwd=ROOT
    )
    assert done.returncode == -signal.SIGKILL
    assert store.current() == "v1"
    assert store.find("clean", "k" * 64) is None
    whole = place.endswith("before it is current")
    assert store.versions() == (["v1", "v2"] if whole else ["v1"])
    with store.lock():
        assert list_stages(store) == []
        store.build("clean", "k" * 64, fill)
        if whole:
            store.make_current("v2")
        else:
            store.publish("v2", fill)
    assert store.current() == "v2"
    assert (store.version() / ("half" if whole else "inner")).exists()


def test_a_version_is_never_written_over(store: Store) -> None:
    """A name that is taken is refused before anything is done; what is there stays."""
    store.publish("v1", fill)
    with pytest.raises(StageError, match="version v1 exists already"):
        store.publish("v1", lambda folder: (folder / "other").touch())
    assert not (store.published / "v1" / "other").exists()
    assert store.versions() == ["v1"]


def test_current_is_never_absent(store: Store) -> None:
    """Whoever follows `current` while it is replaced finds one version or the other."""
    store.publish("v1", fill)
    store.publish("v2", fill)
    stop, seen, failures = threading.Event(), set(), []

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add(store.current())
                (store.published / "current" / "inner" / "file").read_text()
            except OSError as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(150):
        store.make_current(f"v{i % 2 + 1}")
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert seen <= {"v1", "v2"}
    assert store.versions() == ["v1", "v2"]


def test_current_can_be_moved_with_the_project(store: Store, tmp_path: Path) -> None:
    """The link is relative, so a copied project leads to its own version."""
    store.publish("v1", fill)
    shutil.move(tmp_path / "data", tmp_path / "elsewhere" / "data")
    moved = Store(tmp_path / "elsewhere", "d")
    assert moved.current() == "v1"
    assert (moved.published / "current" / "inner" / "file").read_text() == "content"


def test_versions_are_found_by_name(store: Store) -> None:
    """Without a name the current one; a wrong name is answered with near misses."""
    with pytest.raises(ConfigError, match=r"d has no published version.*assay run d"):
        store.version()
    store.publish("20260101-aaaa", fill)
    store.publish("20260102-bbbb", fill)
    assert store.version().name == "20260102-bbbb"
    assert store.version("20260101-aaaa").name == "20260101-aaaa"
    for name in ("20260101-aaab", "current", "../d", ".tmp-x"):
        with pytest.raises(ConfigError, match=r"d has no version '.*assay versions d"):
            store.version(name)
    with pytest.raises(ConfigError, match="did you mean '20260101-aaaa'"):
        store.version("20260101-aaab")


HOLDER = """
import sys, time
from pathlib import Path
from pipeline.storage.store import Store

with Store(Path(sys.argv[1]), "d").lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_holds_across_processes_and_dies_with_its_own(store: Store) -> None:
    """One run at a time for a data set; another data set is free; a killed run holds nothing."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.home)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    said = f"another run of d is at work \\(process {holder.pid} on "
    with pytest.raises(StageError, match=said), store.lock():
        pass
    with Store(store.home, "other").lock():
        pass
    holder.kill()
    holder.communicate()
    with store.lock():
        text = (store.runs / "lock").read_text()
        assert text == f"process {os.getpid()} on {socket.gethostname()}"


def test_the_lock_is_freed_by_an_error(store: Store) -> None:
    """A run that fails does not keep the next one out."""
    with pytest.raises(ValueError, match="broken"), store.lock():
        raise ValueError("broken")
    with store.lock():
        pass


def test_stages_of_recent_runs_are_kept(store: Store) -> None:
    """The log keeps every run; only directories that no recent run used are deleted."""
    for i in range(KEPT_RUNS + 3):
        shared = store.build("ingest", "s" * 64, fill).path.name
        own = store.build("clean", f"{i:064d}"[::-1], fill).path.name
        end(store, {"state": "published", "stages": [shared, own], "number": i})
    log = (store.runs / "runs.jsonl").read_text().splitlines()
    assert len(log) == KEPT_RUNS + 3
    kept = {f"clean-{f'{i:064d}'[::-1][:16]}" for i in range(3, KEPT_RUNS + 3)}
    assert set(list_stages(store)) == kept | {"ingest-" + "s" * 16}


def test_a_torn_line_in_the_log_does_no_harm(store: Store) -> None:
    """A process that died while it wrote its line does not stop all later runs."""
    name = store.build("ingest", "s" * 64, fill).path.name
    end(store, {"state": "published", "stages": [name]})
    with (store.runs / "runs.jsonl").open("a") as log:
        log.write('{"stages": ["ing')
    end(store, {"state": "failed", "stages": [name]})
    end(store, {"state": "unchanged", "stages": [name]})
    assert [run["state"] for run in read_runs(store)] == ["published", "failed", "unchanged"]
    assert list_stages(store) == [name]


def test_a_run_that_died_is_known_to_the_next_one(store: Store) -> None:
    """Kill -9 leaves no last line; the next run writes it, and knows that the last one failed."""
    first = begin(store, "monday")
    assert (first.died, first.failing) == (None, False)
    # Nothing ends it.
    second = begin(store, "tuesday")
    assert (second.died, second.failing) == ("monday", True)
    end(store, {"started": "tuesday", "state": "published"})
    third = begin(store, "wednesday")
    assert (third.died, third.failing) == (None, False)
    (store.runs / "running.json").write_text("{torn")
    assert begin(store, "thursday").died == "an unknown time"
    states = [run["state"] for run in read_runs(store)]
    assert states == ["died", "published", "died"]


def test_runs_that_failed_before_they_began_count_as_failures(store: Store) -> None:
    """A wrong declaration is logged for a data set that is there, so that its mending is told."""
    note(store, "monday", "broken")
    assert not store.runs.exists()
    store.config_path.parent.mkdir(parents=True)
    store.config_path.touch()
    note(store, "tuesday", "broken")
    end(store, {"state": "interrupted"})
    end(store, {"state": "skipped"})
    assert begin(store, "wednesday").failing


def test_a_waiting_run_gets_its_turn(store: Store) -> None:
    """A run that may wait is told for whom, and goes on when the other one ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.home)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(StillBusy, match=r"at work after \d s of waiting"), store.lock(wait=0.5):
        pass
    told: list[str] = []
    threading.Timer(0.5, holder.kill).start()
    with store.lock(wait=60, on_wait=told.append):
        assert holder.wait() == -signal.SIGKILL
    assert told == [f"process {holder.pid} on {socket.gethostname()}"]
    holder.communicate()


def test_old_versions_go_but_never_those_in_use(store: Store) -> None:
    """Beyond `keep` the oldest go; the current, the one before it and pinned ones stay."""
    for day in range(6):
        store.publish(f"v{day}", fill)
    store.pin("v0", keep=True)
    assert store.retire(10, None) == []
    assert store.retire(2, "v1") == ["v2", "v3"]
    assert store.versions() == ["v0", "v1", "v4", "v5"]
    store.make_current("v1")
    store.pin("v0", keep=False)
    assert store.pins() == []
    assert store.retire(2, None) == ["v0"]
    assert store.current() == "v1"
    with pytest.raises(ConfigError, match="no version 'v9'"):
        store.pin("v9", keep=True)
    assert sorted(p.name for p in store.published.iterdir()) == [
        ".pins", "current", "v1", "v4", "v5"
    ]  # fmt: skip


def test_versions_sort_by_publication_whatever_the_clock_says(store: Store) -> None:
    """After a clock that was far ahead is set back, a new version still counts as the newest."""
    store.publish("20990101-000000-aaaaaaaa", fill)
    name = store.name_version("b" * 64)
    assert name == "20990101-000001-bbbbbbbb"
    store.publish(name, fill)
    assert store.versions()[-1] == name
    assert Store(store.home, "other").name_version("c" * 64) < "2098"


def test_a_run_sweeps_what_crashes_left(store: Store) -> None:
    """Half-made stages, versions, links and reports are gone once the next run holds the lock."""
    store.publish("v1", fill)
    leftovers = [
        store.runs / "stages/.tmp-clean-1-77", store.published / ".tmp-v2-77",
        store.runs / "stopped/.tmp-x-77", store.runs / "trainings/.tmp-y-77",
    ]  # fmt: skip
    for folder in leftovers:
        fill_deep(folder)
    link = store.published / ".tmp-current-77"
    link.symlink_to("v1")
    (store.runs / ".tmp-running.json-77").write_text("{")
    with store.lock():
        assert not any(folder.exists() for folder in leftovers)
        assert not link.is_symlink()
        assert not list(store.runs.glob(".tmp*"))
    assert store.versions() == ["v1"]
    assert (store.version() / "inner" / "file").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_fault_of_the_disk_is_told_as_one(store: Store, number: int) -> None:
    """Stage, place, what is free, and the way out; never a bare OSError."""

    def make(folder: Path) -> None:
        raise OSError(number, os.strerror(number), str(folder / "part-00000.parquet"))

    with pytest.raises(MachineError) as caught:
        store.build("clean", "k" * 64, make)
    text = str(caught.value)
    full = number in (errno.ENOSPC, errno.EDQUOT)
    assert text.startswith("clean: " + ("the disk is full" if full else str(store.runs)))
    assert (str(store.runs / "stages") if full else "part-00000.parquet") in text
    assert caught.value.exit_code == 3
    assert list_stages(store) == []


def test_other_errors_stay_what_they_are(store: Store) -> None:
    """An error of ours is not blamed on the disk."""

    def make(folder: Path) -> None:
        raise OSError(errno.EINVAL, "strange")

    with pytest.raises(OSError, match="strange"):
        store.build("clean", "k" * 64, make)


def test_a_tree_is_hashed_by_content_and_names(tmp_path: Path) -> None:
    """A changed byte, a new name or a new file changes the hash; a time stamp does not."""
    folder = tmp_path / "t"
    (folder / "b").mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    (folder / "b" / "c.csv").write_text("2")
    plain = hash_tree(folder)
    assert list(plain) == ["a.csv", "b/c.csv"]
    os.utime(folder / "a.csv", (0, 0))
    (folder / ".hidden").touch()
    assert hash_tree(folder) == plain
    (folder / "a.csv").write_text("3")
    assert hash_tree(folder)["a.csv"] != plain["a.csv"]
    assert hash_tree(folder)["b/c.csv"] == plain["b/c.csv"]
    assert hash_tree(folder / "b" / "c.csv") == {"c.csv": plain["b/c.csv"]}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(json_values, min_size=1, max_size=4))
def test_a_key_hangs_on_each_part_and_on_nothing_else(parts: list[Any]) -> None:
    """Equal parts have equal keys, in whatever order a mapping was filled; others have others."""
    assert hash_key(*parts) == hash_key(*parts)
    assert hash_key(*parts) != hash_key(*parts, "more")
    assert hash_key({"a": parts, "b": 1}) == hash_key({"b": 1, "a": parts})
    assert hash_key([parts], []) != hash_key([], [parts])


@dataclass(frozen=True)
class Facts:
    """Something like the facts of a stage."""

    number: float
    count: int
    names: dict[str, list[str]]
    maybe: float | None


@given(
    number=st.floats(),
    count=st.integers(),
    names=st.dictionaries(st.text(), st.lists(st.text(), max_size=3), max_size=3),
    maybe=st.none() | st.floats(allow_nan=False),
)
def test_facts_are_read_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory,
    number: float,
    count: int,
    names: dict[str, list[str]],
    maybe: float | None,
) -> None:
    """Every bit of a number and every letter of a text survives the file, infinity included."""
    names = {
        k.encode("utf-8", "replace").decode(): [t.encode("utf-8", "replace").decode() for t in v]
        for k, v in names.items()
    }
    path = tmp_path_factory.mktemp("t") / "facts.json"
    facts = Facts(number, count, names, maybe)
    dump_json(path, facts)
    assert repr(load_facts(path, Facts)) == repr(facts)


def test_numpy_values_become_plain_ones(tmp_path: Path) -> None:
    """Scalars and arrays of numpy, paths and schemas are written as JSON can hold them."""
    values = {
        "i": np.int64(3), "f": np.float32(0.5), "b": np.bool_(True), "a": np.arange(3),
        "p": Path("x"), "s": Schema("y", {"y": "target"}).target,
    }  # fmt: skip
    dump_json(tmp_path / "x.json", values)
    assert load_facts(tmp_path / "x.json", dict[str, Any]) == {
        "i": 3, "f": 0.5, "b": True, "a": [0, 1, 2], "p": "x", "s": "y",
    }  # fmt: skip


KINDS = {
    "ingest": {FACTS: IngestFacts, "columns.json": ColumnRules},
    "split": {FACTS: SplitFacts},
    "clean": {FACTS: CleaningFacts, "cleaning.json": FittedCleaning},
    "impute": {FACTS: ImputationFacts},
    "encode": {FACTS: AssemblyFacts, "preprocessor/encoding.json": FittedEncoding},
    "resample": {FACTS: ResamplingFacts},
    "train": {FACTS: TrainingFacts},
}


@pytest.mark.parametrize("stage", sorted(KINDS))
def test_the_facts_of_a_real_run_survive_the_disk(
    published: Path, stage: str, tmp_path: Path
) -> None:
    """Read as its dataclass and written again, each file of facts has the same bytes."""
    (folder,) = (published / "data/runs/hypothyroid/stages").glob(f"{stage}-*")
    for name, kind in KINDS[stage].items():
        facts = load_facts(folder / name, kind)
        dump_json(tmp_path / "again.json", facts)
        assert (tmp_path / "again.json").read_bytes() == (folder / name).read_bytes()


def test_the_project_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ASSAY_HOME goes before the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_HOME", raising=False)
    assert find_home() == tmp_path.resolve()
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "x"))
    assert find_home() == tmp_path.resolve() / "x"
    with pytest.raises(ConfigError, match=r"dataset\.yaml was not found.*assay init"):
        load_config(Store(find_home(), "d").config_path)
