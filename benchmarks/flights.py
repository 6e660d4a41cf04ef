"""All flights out of New York in 2013: our refresh beside the usual stack, on the same rows.

Target: arrival more than 15 minutes late, without the arrival's own columns. Imputation by
neighbours, where the stack takes medians; SMOTE to balance, 3 epochs at batch size 32. Then how
ours grows with the rows.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measuring import Measured, run

ROOT = Path(__file__).parents[1]
ASSAY = [sys.executable, "-m", "flows.cli"]
SETTINGS = {
    "imputation.numeric": "knn",
    "imputation.categorical": "knn",
    "resampling.method": "smote",
    "resampling.ratio": "1.0",
    "training.epochs": "3",
    "training.batch_size": "32",
    "training.early_stopping": "0",
    # The usual stack trains one network and no peers.
    "training.compare_unrepaired": "false",
}


def measure(rounds: int) -> None:
    """Print seconds a stage, peak memory and balanced accuracy of both."""
    del rounds  # minutes long: once each
    flights = derive_label(pd.read_csv(ROOT / "data/flights_2013/flights_2013.csv.zip"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        flights.to_csv(home / "flights.csv", index=False)
        ours = _refresh(home)
        usual = run([sys.executable, str(Path(__file__).with_name("usual_stack.py"))], home)
    print(f"  usual stack {usual.seconds:7.1f} s   {usual.peak_mb:6.0f} MB")
    print("    " + usual.output.strip().replace("\n", "\n    "))
    print(f"  ratio       {usual.seconds / ours.seconds:7.1f} ×, peers and report included in ours")
    for rows in (20_000, 80_000):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            flights.sample(rows, random_state=0).to_csv(home / "flights.csv", index=False)
            print(f"  {rows:,} rows")
            _refresh(home)


def _refresh(home: Path) -> Measured:
    """Set up a project around flights.csv and refresh it once."""
    run([*ASSAY, "init", "flights.csv", "--target", "late"], home)
    settings = [part for k, v in SETTINGS.items() for part in ("--set", f"{k}={v}")]
    ours = run([*ASSAY, "run", "flights", *settings], home)
    record = json.loads(
        (home / "data/published/flights/current/record.json").read_text(encoding="utf-8")
    )
    _print_ours(ours, record)
    return ours


def _print_ours(ours: Measured, record: dict[str, Any]) -> None:
    for stage, taken in record["seconds"].items():
        print(f"    {stage:<20} {taken:7.1f} s")
    scores = {score["name"]: score for score in record["training"]["scores"]}
    print(f"      of it the network  {scores['network']['seconds']:7.1f} s, beside boosting")
    value = scores["network"]["metrics"]["balanced_accuracy"]
    print(
        f"  ours        {ours.seconds:7.1f} s   {ours.peak_mb:6.0f} MB   balanced accuracy "
        f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
    )


def derive_label(flights: pd.DataFrame) -> pd.DataFrame:
    """Put the label ``late`` in the place of the arrival's own columns."""
    known = flights["arr_delay"].notna()
    late = (flights["arr_delay"] > 15).map({True: "late", False: "on time"}).where(known)
    return flights.drop(columns=["arr_time", "arr_delay"]).assign(late=late)
