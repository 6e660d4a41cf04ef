"""Refreshes one after the other: tolerances that learn from them, and drift that is noticed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.flights import derive_label
from flows.cli import main
from flows.refresh import refresh, validate
from flows.watching import GateStopped
from pipeline.scaffold.initialise import initialise, suggest_again
from pipeline.storage.store import Store
from tests.conftest import SAMPLES

pytestmark = pytest.mark.slow
QUICK = [
    "training.epochs=1", "training.compare_unrepaired=false", "imputation.numeric=median",
    "resampling.method=none", "runs.settle_seconds=0",
]  # fmt: skip
ROWS = 2500
NAME = "flights"


@pytest.fixture(scope="module")
def flights() -> dict[int, pd.DataFrame]:
    """Give rows of six months of flights."""
    (archive,) = (SAMPLES / "flights_2013").glob("*.zip")
    with zipfile.ZipFile(archive) as opened, opened.open(opened.namelist()[0]) as handle:
        rows = derive_label(pd.read_csv(handle)).drop(columns=["tailnum", "time_hour", "dest"])
    return {
        int(month): group.sample(ROWS, random_state=0).sort_index()
        for month, group in rows[rows["month"] <= 6].groupby("month")
    }


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory, flights: dict[int, pd.DataFrame]) -> Store:
    """Give a project that published four months, one after the other."""
    store = Store(tmp_path_factory.mktemp("history"), NAME)
    put(store, flights[1])
    initialise(source_of(store), "late", store)
    for month in range(1, 5):
        put(store, flights[month])
        assert refresh(NAME, QUICK, store.home).state == "published"
    return store


def source_of(store: Store) -> Path:
    """Name the source's file."""
    return store.config_path.parent / "flights.csv"


def put(store: Store, rows: pd.DataFrame) -> None:
    """Write the source."""
    source_of(store).parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(source_of(store), index=False)


def read_suite(store: Store, name: str) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Read a suite by expectation and column."""
    suite = json.loads((store.suites / f"{name}.json").read_text(encoding="utf-8"))
    return {(e["type"], e["kwargs"].get("column")): e for e in suite["expectations"]}


def judge(store: Store, *settings: str) -> dict[str, Any]:
    """Validate the source as it is; give the record, also of a run that a gate stops."""
    try:
        report = validate(NAME, [*QUICK, *settings], store.home)
    except GateStopped as stopped:
        report = stopped.report
    record: dict[str, Any] = json.loads(report.with_name("record.json").read_text("utf-8"))
    return record


def find_failed(record: dict[str, Any]) -> set[tuple[str, str | None]]:
    """Name what failed: the suite and the column."""
    failed = ("failed", "error")
    return {(c["suite"], c["column"]) for c in record["raw"]["checks"] if c["status"] in failed}


def test_the_first_refresh_is_compared_with_nothing(accepted: Store) -> None:
    """Each later one is compared with the one before it, and says so."""
    against = []
    for version in accepted.versions():
        record = json.loads((accepted.published / version / "record.json").read_text("utf-8"))
        against.append(record["drift"] and record["drift"]["compared_with"])
    assert against == [None, *accepted.versions()[:-1]]


def test_the_same_source_again_is_unchanged(accepted: Store, flights: dict[int, Any]) -> None:
    """What was accepted since does not make it another refresh."""
    put(accepted, flights[4])
    assert refresh(NAME, QUICK, accepted.home).state == "unchanged"


def test_suites_learn_from_the_spread_between_refreshes(
    accepted: Store, flights: dict[int, pd.DataFrame]
) -> None:
    """Tolerances hold all that was accepted, are tighter where it was alike, and name it."""
    put(accepted, flights[4])
    before = {name: read_suite(accepted, name) for name in ("outliers", "schema", "missing_values")}
    edited = accepted.suites / "missing_values.json"
    suite = json.loads(edited.read_text(encoding="utf-8"))
    (own,) = (e for e in suite["expectations"] if e["kwargs"]["column"] == "hour")
    own["kwargs"]["mostly"] = 0.5
    edited.write_text(json.dumps(suite), encoding="utf-8")
    done = suggest_again(accepted)
    assert done.refreshes == accepted.versions()
    after = {name: read_suite(accepted, name) for name in before}
    median = ("expect_column_median_to_be_between", "distance")
    old, new = (suites["outliers"][median]["kwargs"] for suites in (before, after))
    assert new["max_value"] - new["min_value"] < 0.75 * (old["max_value"] - old["min_value"])
    rows = after["schema"]["expect_table_row_count_to_be_between", None]
    assert rows["kwargs"]["min_value"] <= 0.9 * ROWS < 1.1 * ROWS <= rows["kwargs"]["max_value"]
    assert rows["kwargs"]["max_value"] < 1.2 * ROWS
    assert rows["meta"]["assay"]["from"]["refreshes"] == accepted.versions()
    assert "in 4 accepted refreshes" in rows["meta"]["assay"]["why"]
    gap = ("expect_column_values_to_not_be_null", "air_time")
    worst = max(flights[month]["air_time"].isna().mean() for month in range(1, 5))
    assert 1 - after["missing_values"][gap]["kwargs"]["mostly"] >= worst
    kept = after["missing_values"]["expect_column_values_to_not_be_null", "hour"]
    assert kept["kwargs"]["mostly"] == 0.5  # a person's own
    put(accepted, flights[5])
    assert judge(accepted)["raw"]["verdict"]["passed"]


@pytest.mark.parametrize(
    ("fault", "fired"),
    [
        (lambda f: f.assign(distance=f["distance"] * 1.609344), ("drift", "distance")),
        (lambda f: f.assign(air_time=f["air_time"].mask(f.index % 5 == 0)), ("drift", "air_time")),
        (
            lambda f: f.assign(
                carrier=f["carrier"].mask(f["carrier"].eq("B6") & (f.index % 3 == 0), "ZZ")
            ),
            ("drift", "carrier"),
        ),
        (
            lambda f: f.assign(
                late=f["late"].mask(f["late"].eq("on time") & (f.index % 3 == 0), "late")
            ),
            ("drift", "late"),
        ),
        (lambda f: f.drop(columns="air_time"), ("drift", None)),
        (lambda f: f.assign(gate=7), ("drift", None)),
    ],
    ids=["unit", "missing", "new category", "label rate", "column gone", "column new"],
)
def test_faults_of_a_refresh_fire(
    accepted: Store, flights: dict[int, pd.DataFrame], fault: Any, fired: tuple[str, str | None]
) -> None:
    """Each in its own column; the month as it is fires nowhere there, and passes."""
    put(accepted, flights[5])
    clean = judge(accepted)
    assert clean["raw"]["verdict"]["passed"]
    assert fired not in find_failed(clean)
    put(accepted, fault(flights[5]))
    assert fired in find_failed(judge(accepted))


def test_a_change_of_unit_stops_a_refresh_unless_it_is_let_through(
    accepted: Store, flights: dict[int, pd.DataFrame]
) -> None:
    """The reason names the factor; the configuration decides how grave it is."""
    put(accepted, flights[5].assign(distance=flights[5]["distance"] * 10))
    with pytest.raises(GateStopped, match=r"distance: .* 10 times what they were"):
        validate(NAME, QUICK, accepted.home)
    record = judge(accepted, "drift.units=warning")
    assert record["raw"]["verdict"]["passed"]
    assert ("drift", "distance") in find_failed(record)
    record = judge(accepted, "drift.ignore=[distance]")
    assert ("drift", "distance") not in find_failed(record)


def test_a_suite_may_not_take_the_name_of_drift(accepted: Store) -> None:
    """The comparison with the last accepted refresh is made again each time."""
    own = accepted.suites / "drift.json"
    own.write_text('{"name": "drift", "expectations": []}', encoding="utf-8")
    try:
        with pytest.raises(Exception, match="Give the file another name"):
            validate(NAME, QUICK, accepted.home)
    finally:
        own.unlink()


def test_what_is_not_learned_from_is_told(
    accepted: Store, flights: dict[int, pd.DataFrame], capsys: Any, monkeypatch: Any
) -> None:
    """Versions that were rolled back from, and a source that was not published."""
    monkeypatch.setenv("ASSAY_HOME", str(accepted.home))
    last, earlier = accepted.versions()[-1], accepted.versions()[1]
    accepted.make_current(earlier)
    try:
        assert main(["versions", NAME]) == 0
        told = capsys.readouterr().out.splitlines()
        assert ["rolled back from" in line for line in told] == [False, False, True, True]
    finally:
        accepted.make_current(last)
    put(accepted, flights[5])
    assert main(["suggest", NAME]) == 0
    assert "! the source is not the one" in capsys.readouterr().out
    put(accepted, flights[4])
    assert main(["suggest", NAME]) == 0
    assert "! the source is not the one" not in capsys.readouterr().out
