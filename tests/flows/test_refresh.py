"""The recipe, run directly: what it publishes, keeps, refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.refresh import refresh, validate
from flows.watching import GateStopped
from pipeline.errors import StageError
from pipeline.runs.run import prepare
from pipeline.storage.hashing import hash_file
from pipeline.storage.store import Store, read_manifest
from tests.conftest import copy_sample

SPEED = ["training.epochs=2", "training.compare_unrepaired=false"]


def test_a_version_lies_on_disk_as_designed(published: Path) -> None:
    """A published version holds the splits, repaired rows, preprocessor, model, results, report."""
    store = Store(published, "hypothyroid")
    version = store.version()
    for name in (
        "train.parquet", "validation.parquet", "test.parquet", "manifest.json", "report.html",
        "repaired/train.parquet", "preprocessor/encoding.json", "model/baseline.keras",
        "model/history.json", "model/metrics.json", "validation/raw/missing_values.json",
        "validation/repaired/missing_values.json", "quarantine.parquet",
    ):  # fmt: skip
        assert (version / name).is_file(), name
    assert (store.published / "current").resolve() == version.resolve()


def test_the_manifest_accounts_for_every_file_and_row(published: Path) -> None:
    """Hashes in the manifest are those of the files, and rows left out add up to those read."""
    version = Store(published, "hypothyroid").version()
    manifest = read_manifest(version)
    for name, digest in manifest["files"].items():
        assert hash_file(version / name) == digest, name
    rows, split = manifest["rows"], manifest["classes"]["split"]
    assert rows["source"] == 3163 == rows["labelled"] + rows["unlabelled"] + rows["malformed"]
    assert sum(sum(own.values()) for own in split.values()) == rows["labelled"]
    assert manifest["verdicts"]["repaired"]["passed"]
    assert not manifest["verdicts"]["repaired"]["reasons"]


def test_nothing_changed_means_nothing_is_done(published: Path) -> None:
    """The same inputs again give the same version, quickly, without a stage being run."""
    before = sorted(p.name for p in (published / "data/runs/hypothyroid/stages").iterdir())
    started = time.perf_counter()
    outcome = refresh("hypothyroid", ["training.epochs=6"], published)
    assert outcome.state == "unchanged"
    assert time.perf_counter() - started < 3
    assert sorted(p.name for p in (published / "data/runs/hypothyroid/stages").iterdir()) == before


def test_a_gate_stops_a_run_that_lost_a_column(home: Path) -> None:
    """A critical failure that nothing repairs stops the run before learning, with a report."""
    copy_sample(home, "hypothyroid")
    source = home / "data/hypothyroid/hypothyroid.csv"
    lines = source.read_text().splitlines()
    position = lines[0].split(",").index("TSH")
    cut = [",".join(c for i, c in enumerate(x.split(",")) if i != position) for x in lines]
    source.write_text("\n".join(cut) + "\n")
    with pytest.raises(GateStopped, match="TSH: the column is there; found absent") as caught:
        refresh("hypothyroid", SPEED, home)
    assert caught.value.exit_code == 1
    assert "TSH" in caught.value.report.read_text(encoding="utf-8")
    store = Store(home, "hypothyroid")
    assert store.versions() == []
    stages = {p.name.split("-")[0] for p in (store.runs / "stages").iterdir()}
    assert stages == {"ingest", "validate_raw"}


def test_a_gate_stops_a_run_whose_repair_failed(home: Path) -> None:
    """A critical failure that is to be repaired stops the run if it is there after the repair."""
    copy_sample(home, "hypothyroid")
    suite = home / "expectations/hypothyroid/outliers.json"
    plain = json.loads(suite.read_text())
    for expectation in plain["expectations"]:
        if expectation["kwargs"]["column"] == "TSH" and "mostly" in expectation["kwargs"]:
            expectation["kwargs"] |= {"max_value": 5.0}
    suite.write_text(json.dumps(plain))
    with pytest.raises(GateStopped, match="repaired data: TSH: values from 0 to 5"):
        refresh("hypothyroid", SPEED, home)
    assert Store(home, "hypothyroid").versions() == []


def test_validate_alone_learns_nothing(home: Path) -> None:
    """`assay validate` writes a report and runs no stage that learns."""
    copy_sample(home, "hypothyroid")
    report = validate("hypothyroid", home=home)
    assert report.is_file()
    stages = {p.name.split("-")[0] for p in (home / "data/runs/hypothyroid/stages").iterdir()}
    assert stages == {"ingest", "validate_raw"}


def test_two_runs_of_a_data_set_do_not_mix(home: Path) -> None:
    """While one run holds the data set another one waits or is refused, as is declared."""
    copy_sample(home, "hypothyroid")
    store = Store(home, "hypothyroid")
    for how, said in (
        ("runs.when_busy=refuse", "another run of hypothyroid is at work \\("),
        ("runs.wait_minutes=0.01", "another run of hypothyroid is at work after 1 s of waiting"),
    ):
        with store.lock(), pytest.raises(StageError, match=said):
            refresh("hypothyroid", [*SPEED, how], home)
    with store.lock():
        pass


@pytest.mark.slow
def test_a_killed_run_leaves_the_last_version_and_is_taken_up_again(
    published: Path, home: Path
) -> None:
    """After kill -9 the good version is current, nothing half-written shows, stages stay."""
    shutil.copytree(published, home, dirs_exist_ok=True, symlinks=True)
    store = Store(home, "hypothyroid")
    good = store.current()
    command = [sys.executable, "-m", "flows.cli", "run", "hypothyroid", "--set", "split.test=0.2"]
    process = subprocess.Popen(
        [*command, "--set", "training.epochs=2"], cwd=home, stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    run = prepare(home, "hypothyroid", ["split.test=0.2", "training.epochs=2"])
    deadline = time.monotonic() + 120
    while not run.is_done("impute") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run.is_done("impute")
    assert store.current() == good
    assert store.versions() == [good]
    finished = run.address("impute").path.stat().st_mtime_ns
    assert (
        refresh("hypothyroid", ["split.test=0.2", "training.epochs=2"], home).state == "published"
    )
    assert run.address("impute").path.stat().st_mtime_ns == finished
    assert not list((store.runs / "stages").glob(".tmp-*"))
    assert len(store.versions()) == 2
    store.make_current(str(good))
    assert store.current() == good
