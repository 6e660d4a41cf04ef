"""Shared fixtures: real data, real disk; nothing is mocked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the whole refresh of hypothyroid once, from nothing; return its project directory."""
    from flows.refresh import refresh

    home = tmp_path_factory.mktemp("published")
    copy_sample(home, "hypothyroid")
    assert refresh("hypothyroid", ["training.epochs=6"], home).state == "published"
    return home


@pytest.fixture(scope="session")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    """One worker: starting one takes seconds."""
    with Trainer(tmp_path_factory.mktemp("worker") / "log.txt", threads=1) as started:
        yield started
