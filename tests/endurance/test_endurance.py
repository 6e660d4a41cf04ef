"""Short versions of what `python -m tests.endurance` does for as long as one likes."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.storage.store import Store
from tests.endurance import crowd, flips, kill
from tests.endurance.project import (
    ROOT,
    Log,
    Project,
    adopt,
    find_damage,
    find_unreadable,
    make_project,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project directory with a published version, to be copied."""
    project = make_project(tmp_path_factory.mktemp("template"), "hypothyroid")
    code, output = project.run(0)
    assert code == 0, output
    return project.home


def test_the_harness_sees_damage(template: Path, tmp_path: Path) -> None:
    """A changed, a lost and an added file are found; so are a cut file and a broken link."""
    project = adopt(tmp_path, "hypothyroid", template)
    version = project.published / str(project.current())
    assert find_damage(version) == []
    assert find_unreadable(version) == []
    assert project.find_unmet(project.plan(0)) == []
    (version / "report.md").write_text("other")
    (version / "report.html").unlink()
    (version / "more").touch()
    (version / "test.parquet").write_bytes((version / "test.parquet").read_bytes()[:-9])
    assert find_damage(version) == [
        "report.html is missing", "more is not in the manifest", "report.md differs",
        "test.parquet differs",
    ]  # fmt: skip
    assert [Path(bad.partition(":")[0]).name for bad in find_unreadable(version)] == [
        "test.parquet"
    ]
    assert project.find_unmet(project.plan(1))[0] == "0 versions of this run instead of one: []"
    Store(project.home, project.name).make_current("nowhere")
    assert project.find_current_damage() == ["nowhere is not there"]


def test_the_harness_sees_two_at_work() -> None:
    """Two whose stages overlapped by more than their rounding are named, neighbours are not."""
    first = crowd.Member(1, 11, first=1.0, last=4.0)
    assert crowd.find_overlaps([first, crowd.Member(2, 12, first=4.0, last=7.0)]) == []
    assert crowd.find_overlaps([first, crowd.Member(3, 13)]) == []
    assert crowd.find_overlaps([first, crowd.Member(2, 12, first=3.0, last=7.0)]) == [
        "two at a time: seeds 1 and 2, for 1.0 s"
    ]


def test_a_killed_refresh_goes_on_from_where_it_was(template: Path, tmp_path: Path) -> None:
    """Whenever kill -9 comes, current stays whole; a rerun succeeds, redoes and leaves nothing."""
    delays: dict[kill.Aim, float] = {"anywhere": 3.0, "publish": 0.05, "link": 0.0}

    def hurt(aim: kill.Aim) -> kill.Round:
        project = adopt(tmp_path / aim, "hypothyroid", template)
        done = kill.Round(project.name, 1, aim, delays[aim], new_source=False)
        kill.kill_once(project, done, at_once=aim == "publish")
        return done

    with ThreadPoolExecutor(2) as pool:
        rounds = list(pool.map(hurt, delays))
    assert [done for done in rounds if done.faults] == []


@pytest.fixture(scope="module")
def crowded(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Give a project in which refreshes meet each other."""
    return adopt(tmp_path_factory.mktemp("crowd"), "hypothyroid", template)


def test_of_two_refreshes_at_once_none_disturbs_the_other(crowded: Project) -> None:
    """One works at a time, the other one waits and then does its work; readers see no fault."""
    found = crowd.gather(crowded, [1, 2], "wait")
    assert found.faults == []
    assert found.done == 2
    assert found.reading.loads > 0
    assert found.reading.opened > 0


def test_current_is_opened_as_one_version(crowded: Project) -> None:
    """Opened while the link is replaced, `current` answers as one of the versions does."""
    if len(crowded.versions()) < 2:
        assert crowded.run(1)[0] == 0
    seen = crowd.swap(crowded, 8.0)
    assert seen.errors == []
    assert seen.opened > 0


def test_a_full_disk_harms_nothing_and_is_told(template: Path, tmp_path: Path) -> None:
    """Exit code 3 and a fix; the last version stays; with space again the run succeeds."""
    log = tmp_path / "log.jsonl"
    command = [sys.executable, "-m", "tests.endurance", "full", "--rounds", "1", "--seed", "1"]
    done = subprocess.run(
        [*command, "--template", str(template), "--log", str(log)],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if "no mount namespace" in done.stderr:
        pytest.skip("nothing can be mounted here")
    assert log.is_file(), done.stdout + done.stderr
    assert [json.loads(line)["faults"] for line in log.read_text().splitlines()] == [[]]
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_flipped_byte_is_found(template: Path, tmp_path: Path) -> None:
    """`assay verify` names the file in which one byte changed, also where it is the manifest."""
    done = flips.flip_all(tmp_path, Log(tmp_path / "log.jsonl"), 12, 0, 1.0, template)
    assert [flip for flip in done if not flip.found] == []
