"""Shared fixtures: real data, real disk; nothing is mocked."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from pipeline.training.client import Trainer

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
SAMPLES = Path(__file__).parents[1] / "data"

settings.register_profile("assay", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("assay")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty project directory, and make it the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_HOME", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return tmp_path


# Modules whose tests share what takes seconds to make run in one process each, those of one name
# in the same; any other test runs wherever there is room.
TOGETHER = {
    "tests/endurance/test_endurance.py": "endurance",
    "tests/targets/test_decisions.py": "trainer",
    "tests/experiments/test_race.py": "trainer",
    "tests/flows/test_deployments.py": "server",
    "tests/flows/test_history.py": "history",
    "tests/flows/test_images.py": "pictures",
    "tests/images/test_image_steps.py": "crowd",
    "tests/report/test_browser.py": "browser",
    "tests/report/test_sheets.py": "browser",
    "tests/steps/test_steps.py": "steps",
    "tests/test_reproducible.py": "reproducible",
    "tests/training/test_baseline.py": "trainer",
    "tests/training/test_worker.py": "trainer",
    "tests/validation/test_suites.py": "suites",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand the tests out to several processes by ``TOGETHER``.

    Marks of pytest-xdist would do, but the processes of 3.8 don't tell them under pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return TOGETHER.get(nodeid.partition("::")[0], nodeid)

    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the tests, begin with the slow ones: none is to wait last."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Leave what the libraries made at their import alone: to look through it takes seconds."""
    gc.collect()
    gc.freeze()


def copy_sample(home: Path, name: str) -> None:
    """Copy a sample data set with its suites into a project directory.

    A race between resamplings, which has tests of its own, gives way to the method SMOTENC.
    """
    shutil.copytree(SAMPLES / name, home / "data" / name)
    declaration = home / "data" / name / "dataset.yaml"
    if declaration.is_file():
        text = declaration.read_text(encoding="utf-8")
        declaration.write_text(text.replace("method: auto ", "method: smotenc "), encoding="utf-8")
    suites = SAMPLES.parent / "expectations" / name
    if suites.is_dir():
        shutil.copytree(suites, home / "expectations" / name)


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Make a project directory once for all processes that run tests; give this one its copy."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of the base directories of all processes
    made = shared / f"{name}-made"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            unfinished = factory.mktemp(name) / "unfinished"
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(made)
    return shutil.copytree(made, factory.mktemp(name) / "copy", symlinks=True)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the whole refresh of hypothyroid once, from nothing; return its project directory."""
    from flows.refresh import refresh

    def make(home: Path) -> None:
        copy_sample(home, "hypothyroid")
        assert refresh("hypothyroid", ["training.epochs=6"], home).state == "published"

    return make_once(tmp_path_factory, "published", make)


@pytest.fixture(scope="session")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    """One worker: starting one takes seconds."""
    with Trainer(tmp_path_factory.mktemp("worker") / "log.txt", threads=1) as started:
        yield started
