"""Five accepted refreshes of the flights of 2013, month by month; then June, whole and with faults.

Target: arrival more than 15 minutes late. The suites are suggested from January; they judge the
months to May, which are published, and are then suggested again from all five. June is validated as
it is, and with each fault: by the suites, and by its drift from May.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.flights import derive_label
from benchmarks.measuring import run

ROOT = Path(__file__).parents[1]
ASSAY = [sys.executable, "-m", "flows.cli"]
ACCEPTED = range(1, 6)
QUICK = [
    "--set", "training.epochs=1", "--set", "training.compare_unrepaired=false",
    "--set", "imputation.numeric=median", "--set", "resampling.method=none",
]  # fmt: skip


def measure(rounds: int) -> None:
    """Print tolerances before and after, and what fires on June."""
    del rounds
    flights = derive_label(pd.read_csv(ROOT / "data/flights_2013/flights_2013.csv.zip"))
    with tempfile.TemporaryDirectory() as folder:
        tell(flights, Path(folder))


def tell(flights: pd.DataFrame, home: Path) -> None:
    """Go through the months in a project of their own."""
    source = home / "flights.csv"
    months = {month: flights[flights["month"] == month] for month in (*ACCEPTED, 6)}
    months[1].to_csv(source, index=False)
    run([*ASSAY, "init", "flights.csv", "--target", "late"], home)
    before = _read_tolerances(home)
    for month in ACCEPTED:
        months[month].to_csv(source, index=False)
        seconds = run([*ASSAY, "run", "flights", *QUICK], home).seconds
        record = home / "data/published/flights/current/record.json"
        found = json.loads(record.read_text(encoding="utf-8"))
        print(f"  month {month}: published, {seconds:.0f} s; {_list_failures(found)}")
    run([*ASSAY, "suggest", "flights"], home)
    after = _read_tolerances(home)
    print("  tolerances suggested from January, and from five refreshes:")
    for name in before:
        if name in after and before[name] != after[name]:
            print(f"    {name}: {before[name]}  →  {after[name]}")
    for name, spoil in FAULTS.items():
        spoil(months[6].copy(), np.random.default_rng(6)).to_csv(source, index=False)
        shutil.rmtree(home / "data/runs/flights/validated", ignore_errors=True)
        shutil.rmtree(home / "data/runs/flights/stopped", ignore_errors=True)
        done = subprocess.run([*ASSAY, "validate", "flights"], cwd=home, capture_output=True)
        (record,) = home.glob("data/runs/flights/*/*/record.json")
        found = json.loads(record.read_text(encoding="utf-8"))
        print(f"  June, {name}: exit code {done.returncode}")
        for check in _find_failures(found):
            print(f"    {check}")


def _multiply(column: str, factor: float) -> Callable[[pd.DataFrame, Any], pd.DataFrame]:
    return lambda frame, rng: frame.assign(**{column: frame[column] * factor})


def _lose(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return frame.assign(air_time=frame["air_time"].mask(rng.random(len(frame)) < 0.2))


def _add_carrier(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    new = frame["carrier"].eq("B6") & (rng.random(len(frame)) < 0.2)
    return frame.assign(carrier=frame["carrier"].mask(new, "ZZ"))


def _double_label(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    share = float((frame["late"] == "late").sum() / frame["late"].notna().sum())
    flipped = frame["late"].eq("on time") & (rng.random(len(frame)) < share / (1 - share))
    return frame.assign(late=frame["late"].mask(flipped, "late"))


FAULTS: dict[str, Callable[[pd.DataFrame, Any], pd.DataFrame]] = {
    "as it is": lambda frame, rng: frame,
    "distance in kilometres": _multiply("distance", 1.609344),
    "distance times 10": _multiply("distance", 10.0),
    "20 % missing in air_time": _lose,
    "a new carrier": _add_carrier,
    "label rate doubled": _double_label,
    "air_time gone": lambda frame, rng: frame.drop(columns="air_time"),
}


def _read_tolerances(home: Path) -> dict[str, str]:
    """Read what each expectation tolerates."""
    found = {}
    for file in sorted((home / "expectations/flights").glob("*.json")):
        for item in json.loads(file.read_text(encoding="utf-8"))["expectations"]:
            kwargs = dict(item["kwargs"])
            name = f"{item['type'].removeprefix('expect_')} {kwargs.pop('column', '')}"
            kept = {k: v for k, v in kwargs.items() if isinstance(v, int | float)}
            if kept:
                found[name] = ", ".join(f"{k} {v}" for k, v in kept.items())
    return found


def _find_failures(record: dict[str, Any]) -> list[str]:
    return [
        f"{check['suite']}, {check['severity']}: {check['column'] or 'table'}: {check['rule'][:70]}"
        f"; found {check['observed']}"
        + (f" (repaired by {check['repaired_by']})" if check["repaired_by"] else "")
        for check in record["raw"]["checks"]
        if check["status"] in ("failed", "error")
    ]


def _list_failures(record: dict[str, Any]) -> str:
    failures = _find_failures(record)
    return f"{len(failures)} checks failed" + "".join(f"\n    {failure}" for failure in failures)
