"""The code of a stage is what its step reaches: no more, no less, and nobody keeps a list of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

import grimp
import numpy as np
import pandas as pd
import pytest

from flows.refresh import refresh
from pipeline.modality import MODALITIES
from pipeline.runs.code import MODALITY, find_code, find_modules, is_ground
from pipeline.scaffold.initialise import initialise, suggest_again
from pipeline.storage.store import Store
from tests.shapes import declare, make_shapes

ROOT = Path(__file__).parents[2]
# The inputs of each stage: what is behind a stage is made again with it.
INPUTS = {
    "ingest": (),
    "validate_raw": ("ingest",),
    "split": ("ingest",),
    "profile": ("ingest", "split"),
    "clean": ("ingest", "split"),
    "impute": ("clean",),
    "validate_repaired": ("impute",),
    "encode": ("impute",),
    "race": ("split", "encode"),
    "resample": ("encode", "race"),
    "trial": ("resample",),
    "cross_validate": ("split", "resample"),
    "unrepaired": ("ingest", "split", "encode"),
    "train": ("split", "resample", "unrepaired", "cross_validate"),
    # Of the raw validation the code alone: what it was compared with is no part of a version.
    "publish": ("validate_repaired", "profile", "train", "code of validate_raw"),
}
# Plans the keys of a race with folds after each module, in turn, has got another line.
TOUCH = """
import json, sys
from pathlib import Path
from pipeline.runs import code, keys
from pipeline.config.dataset_yaml import parse_config
config = parse_config({
    "dataset": "d", "source": "d", "target": "y", "modality": sys.argv[1],
    "resampling": {"method": "auto"}, "training": {"folds": 2},
})
def plan():
    for known in (code.hash_code, code.find_code, code._read_mentions, code._find_field,
                  code._read_functions):
        getattr(known, "cache_clear", lambda: None)()
    return keys.plan_keys(config, {}, {}, {})
before = plan()
changed = {}
for name, path in code.find_modules().items():
    source = path.read_bytes()
    path.write_bytes(source + b"\\n# touched\\n")
    after = plan()
    path.write_bytes(source)
    changed[name] = [stage for stage in before if before[stage] != after[stage]]
assert plan() == before
print(json.dumps(changed))
"""


def add_behind(stages: set[str]) -> set[str]:
    """Add to some stages those that are behind them."""
    found = set(stages)
    for stage, inputs in INPUTS.items():
        if found & set(inputs) or ("code of validate_raw" in inputs and "validate_raw" in stages):
            found.add(stage)
    return found


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_touched_module_redoes_what_reaches_it_and_what_is_behind(
    tmp_path: Path, modality: str
) -> None:
    """Over all modules: exactly the stages whose closure holds the module, and those behind."""
    for room in ("pipeline",):
        subprocess.run(["cp", "-r", ROOT / room, tmp_path / room], check=True)
    done = subprocess.run(
        [sys.executable, "-B", "-c", TOUCH, modality],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    changed = json.loads(done.stdout)
    assert changed.keys() == find_modules().keys()
    for name, stages in changed.items():
        direct = {s for s in INPUTS if name in find_code(f"pipeline.steps.{s}", modality)}
        assert set(stages) == add_behind(direct), name
    # None of this would be worth much if nothing were reached, or everything.
    counts = [len(stages) for stages in changed.values()]
    assert sum(count > 0 for count in counts) > 100
    assert sum(count == 0 for count in counts) > 20


@pytest.mark.parametrize(
    ("module", "first"),
    [
        ("pipeline.cleaning.leaks", "clean"),  # decides what is dropped as a leak
        ("pipeline.steps.clean", "clean"),
        ("pipeline.preprocessing.assembly", "encode"),  # decides which rows are a leak of others
        ("pipeline.steps.validation", "validate_raw"),
        ("pipeline.training.worker", "train"),  # runs in a process of its own
        ("pipeline.training.row_networks", "train"),  # is loaded there by its name
        ("pipeline.report.page", "publish"),
    ],
)
def test_measured_cases_redo_what_they_must(module: str, first: str) -> None:
    """Modules that once changed no key change that of the stage that they decide about."""
    stages = [s for s in INPUTS if module in find_code(f"pipeline.steps.{s}", "table")]
    assert first in stages
    if first == "publish":  # a change in the report trains nothing
        assert stages == ["publish"]


@cache
def read_graph() -> grimp.ImportGraph:
    """Read who imports whom, by import-linter's own library."""
    return grimp.build_graph("pipeline", exclude_type_checking_imports=True, cache_dir=None)


@pytest.mark.parametrize("stage", INPUTS)
@pytest.mark.parametrize("modality", MODALITIES)
def test_another_librarys_graph_finds_no_more(stage: str, modality: str) -> None:
    """What grimp reaches from a step is in its code; beyond that is only what it can't see."""
    graph = read_graph()
    reached: set[str] = set()
    waiting = [f"pipeline.steps.{stage}"]
    while waiting:
        name = waiting.pop()
        if name not in reached and not is_ground(name) and name != MODALITY:
            reached.add(name)
            # Python runs a package before a module in it.
            waiting += [name.rpartition(".")[0], *graph.find_modules_directly_imported_by(name)]
    code = find_code(f"pipeline.steps.{stage}", modality)
    assert reached <= code
    if stage in ("validate_raw", "validate_repaired", "impute", "profile"):
        assert reached == code  # it is reached by imports alone


@contextmanager
def watching(seen: set[str]) -> Iterator[None]:
    """Note the modules of this package in which a function runs."""
    places = {str(path): name for name, path in find_modules().items()}

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename in places:
            seen.add(places[frame.f_code.co_filename])

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]  # typeshed forgets None


def write_small_table(path: Path) -> None:
    """Write a table with numbers, categories, dates, gaps and an uneven class."""
    draw = np.random.default_rng(0)
    rows = 400
    number = draw.normal(size=rows)
    frame = pd.DataFrame(
        {
            "number": np.where(draw.random(rows) < 0.1, np.nan, number),
            "other": number + draw.normal(size=rows),
            "word": draw.choice(["red", "green", "blue"], rows),
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(draw.integers(0, 300, rows), "D"),
            "y": np.where(number + draw.normal(size=rows) / 4 > 1, "yes", "no"),
        }
    )
    frame.to_csv(path, index=False)


@pytest.mark.parametrize("modality", MODALITIES)
def test_what_runs_in_a_stage_is_in_its_code(
    home: Path, monkeypatch: pytest.MonkeyPatch, modality: str
) -> None:
    """In a real refresh, no function runs in the making of a stage that its key does not name."""
    ran: defaultdict[str, set[str]] = defaultdict(set)
    build = Store.build

    def watch(self: Store, stage: str, key: str, make):  # type: ignore[no-untyped-def]
        def make_watched(out: Path) -> None:
            with watching(ran[stage]):
                make(out)

        return build(self, stage, key, make_watched)

    monkeypatch.setattr(Store, "build", watch)
    settings = ["training.epochs=1", "training.folds=2", "training.compare_unrepaired=true"]
    if modality == "table":
        name = "small"
        write_small_table(home / "small.csv")
        initialise(home / "small.csv", "y", Store(home, name))
        race = "resampling={method: auto, race: {folds: 4, methods: [none, threshold, smotenc]}}"
        settings += ["imputation.numeric=knn", race]
    else:
        declare(home, make_shapes(bar=24, disc=24, ring=10))
        name = "shapes"
        suggest_again(Store(home, name))
        settings += ["resampling={method: auto, race: {folds: 4, methods: [none, augment]}}"]
    assert refresh(name, settings, home).state == "published"
    made = set(INPUTS) - {"publish"}
    assert set(ran) == made
    for stage in made:
        # A fold's split is made by a trial. While networks train, a trial calls its caller back,
        # who tells of epochs and prepares the next fold.
        others = {"split": ["trial"], "trial": ["race", "cross_validate"]}.get(stage, [])
        code = set().union(*(find_code(f"pipeline.steps.{s}", modality) for s in [stage, *others]))
        foreign = {m for m in ran[stage] if m not in code and not is_ground(m) and m != MODALITY}
        assert not foreign, stage


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_training_process_loads_nothing_that_its_stage_does_not_name(modality: str) -> None:
    """Its modules are loaded by another process, so no import in this one shows them."""
    load = (
        "import sys, json\nfrom importlib import import_module\n"
        "import pipeline.training.worker as worker\nworker._load_tensorflow(1)\n"
        "import_module(sys.argv[1])\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('pipeline.')]))"
    )
    learning = MODALITIES[modality].learning.module
    done = subprocess.run(
        [sys.executable, "-c", load, learning],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {name for name in json.loads(done.stdout.splitlines()[-1]) if not is_ground(name)}
    assert learning in loaded
    for stage in ("train", "trial", "race", "cross_validate"):
        assert loaded <= find_code(f"pipeline.steps.{stage}", modality), stage
