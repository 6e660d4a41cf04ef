"""Sources: in the project, whole when they are read, and the same to the end of the reading."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.settings import DatasetConfig
from pipeline.config.upkeep import RunsConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.scaffold.initialised import bring_in
from pipeline.sources.locating import SourceChanged, locate, settle, take_stock, unchanging
from pipeline.storage.store import Store

QUICK = RunsConfig(settle_seconds=0.3, settle_minutes=0.02)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Give a store in a project with an empty folder of a data set."""
    monkeypatch.delenv("ASSAY_ALLOW_OUTSIDE", raising=False)
    made = Store(tmp_path / "project", "d")
    made.config_path.parent.mkdir(parents=True)
    return made


def write_old(path: Path, text: str = "a,b\n1,2\n") -> Path:
    """Write a file that was changed long ago."""
    path.write_text(text)
    os.utime(path, (1e9, 1e9))
    return path


def test_a_source_that_is_not_there_is_named(store: Store) -> None:
    """The message names the declaration to correct, and a near miss beside the wrong place."""
    write_old(store.config_path.parent / "birds.csv")
    assert settle(store, locate(store, "birds.csv"), QUICK).partial is None
    with pytest.raises(SourceError, match=r"bird.csv was not found.*did you mean 'birds.csv'"):
        settle(store, locate(store, "bird.csv"), QUICK)
    with pytest.raises(SourceError, match=r"nowhere/x.csv was not found.*none are known"):
        settle(store, locate(store, "nowhere/x.csv"), QUICK)


@pytest.mark.parametrize("source", ["../../../secret.csv", "/etc/passwd", "link.csv", "folder"])
def test_a_source_stays_in_the_project(
    store: Store, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a path nor a link leads out, unless whoever runs it allows it."""
    outside = write_old(store.home.parent / "secret.csv")
    (store.config_path.parent / "link.csv").symlink_to(outside)
    folder = store.config_path.parent / "folder"
    folder.mkdir()
    write_old(folder / "a.csv")
    (folder / "b.csv").symlink_to(outside)
    with pytest.raises(ConfigError, match=r"outside of the project.*--allow-outside"):
        settle(store, locate(store, source), QUICK)
    monkeypatch.setenv("ASSAY_ALLOW_OUTSIDE", "1")
    if source != "/etc/passwd":
        settle(store, locate(store, source), QUICK)


def test_links_within_the_project_are_followed(store: Store) -> None:
    """A link to another file of the project is a source like any other."""
    shared = store.home / "data" / "shared"
    shared.mkdir()
    (store.config_path.parent / "x.csv").symlink_to(write_old(shared / "x.csv"))
    assert locate(store, "x.csv") == (shared / "x.csv").resolve()


@pytest.mark.parametrize("source", ["a\0b.csv", "x" * 5000])
def test_a_path_that_can_not_be_is_refused(store: Store, source: str) -> None:
    """A NUL or an endless name is a fault of the declaration, not of ours."""
    with pytest.raises((ConfigError, SourceError)):
        settle(store, locate(store, source), QUICK)


def test_a_growing_file_is_waited_for(store: Store) -> None:
    """A file that is still being written is read when its writer is done."""
    path = store.config_path.parent / "x.csv"
    path.write_text("a,b\n")

    def write() -> None:
        for i in range(6):
            time.sleep(0.15)
            with path.open("a") as file:
                file.write(f"{i},{i}\n")

    writer = threading.Thread(target=write)
    writer.start()
    told: list[str] = []
    settle(store, path, QUICK.model_copy(update={"settle_minutes": 1}), told.append)
    writer.join()
    assert path.read_text().count("\n") == 7
    assert told == ["x.csv changed just now"]


def test_a_source_that_never_rests_is_given_up(store: Store) -> None:
    """After runs.settle_minutes the run fails, and says what it saw."""
    path = write_old(store.config_path.parent / "x.csv")
    write_old(path.with_name("x.csv.part")).touch()
    with pytest.raises(SourceError, match=r"still being written after 0.02 minutes: x.csv.part"):
        settle(store, path, QUICK)
    os.utime(path.with_name("x.csv.part"), (1e9, 1e9))  # forgotten years ago
    settle(store, path, QUICK)
    first = path.with_name("y.csv")  # copied for the first time
    first.with_name("y.csv.part").touch()
    with pytest.raises(SourceError, match=r"y.csv.part lies beside it"):
        settle(store, first, QUICK)


def test_a_part_within_a_folder_is_seen(store: Store) -> None:
    """A folder of partitions is complete when no file in it is partial."""
    folder = store.config_path.parent / "parts"
    folder.mkdir()
    write_old(folder / "1.csv")
    (folder / "2.csv.part").touch()
    with pytest.raises(SourceError, match=r"2.csv.part"):
        settle(store, folder, QUICK)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system lists no open files")
def test_a_file_that_is_open_for_writing_is_seen(store: Store) -> None:
    """A writer that pauses for long does not look like one that ended."""
    path = store.config_path.parent / "x.csv"
    path.write_text("a,b\n")
    os.utime(path, (time.time() - 60,) * 2)
    with path.open("a"), pytest.raises(SourceError, match=f"process {os.getpid()} has x.csv open"):
        settle(store, path, QUICK)
    settle(store, path, QUICK)


def test_a_time_in_the_future_is_no_obstacle(store: Store) -> None:
    """A file from a clock that was ahead is watched for a while, then read."""
    path = write_old(store.config_path.parent / "x.csv")
    os.utime(path, (time.time() + 1e7,) * 2)
    started = time.monotonic()
    settle(store, path, QUICK)
    assert time.monotonic() - started >= QUICK.settle_seconds


def test_a_change_while_reading_is_noticed(store: Store) -> None:
    """Whatever the reader made of it: the error is that the source changed or vanished."""
    path = write_old(store.config_path.parent / "x.csv")
    stamp = take_stock(store, path).stamp
    with unchanging(store, path, stamp):
        path.read_text()
    with pytest.raises(ValueError, match="ours"), unchanging(store, path, stamp):
        raise ValueError("ours")

    def read_while(change: Callable[[], object]) -> None:
        with unchanging(store, path, take_stock(store, path).stamp):
            change()
            raise ValueError("half a line")

    with pytest.raises(SourceChanged, match=r"x\.csv changed while it was read"):
        read_while(lambda: path.write_text("a,b\n1,2\n3,4\n"))
    with pytest.raises(SourceChanged, match=r"x\.csv vanished"):
        read_while(path.unlink)


def test_a_source_from_outside_is_copied_in(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """`assay init` copies a file of elsewhere; never over another one unless it is forced to."""
    outside = write_old(store.home.parent / "x.csv")
    inside = store.config_path.parent / "x.csv"
    assert bring_in(outside, store, force=False) == (inside, inside)
    assert inside.read_text() == outside.read_text()
    assert bring_in(outside, store, force=False) == (inside, None)
    assert bring_in(inside, store, force=False) == (inside, None)
    write_old(outside, "other")
    with pytest.raises(ConfigError, match="is there already and differs"):
        bring_in(outside, store, force=False)
    bring_in(outside, store, force=True)
    assert inside.read_text() == "other"
    folder = store.home.parent / "folder"
    (folder / "cat").mkdir(parents=True)
    write_old(folder / "cat" / "1.txt")
    assert (bring_in(folder, store, force=False)[0] / "cat" / "1.txt").is_file()
    monkeypatch.setenv("ASSAY_ALLOW_OUTSIDE", "1")
    assert bring_in(outside, store, force=False) == (outside, None)


READER = """
import sys
from pathlib import Path
from pipeline.runs.run import prepare
from pipeline.steps.ingest import ingest

ingest(prepare(Path(sys.argv[1]), "d"))
"""


def test_ingest_does_not_keep_what_changed_under_it(store: Store) -> None:
    """The hash that names a stage is the hash of what was read; else the stage does not appear."""
    from pipeline.runs.run import prepare
    from pipeline.steps.ingest import ingest

    path = write_old(store.config_path.parent / "x.csv", "a,y\n" + "1,p\n2,q\n" * 50)
    config = DatasetConfig(dataset="d", source="x.csv", target="y")
    store.config_path.write_text(f"dataset: d\nsource: x.csv\ntarget: {config.target}\n")
    run = prepare(store.home, "d")
    write_old(path, "a,y\n" + "1,p\n2,q\n" * 60)
    with pytest.raises(SourceChanged, match=r"x\.csv changed while it was read"):
        ingest(run)
    assert not list((store.runs / "stages").glob("ingest-*"))
    again = subprocess.run(
        [sys.executable, "-c", READER, str(store.home)],
        check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert again.returncode == 0
    assert len(list((store.runs / "stages").glob("ingest-*"))) == 1
