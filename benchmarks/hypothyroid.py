"""The demo's data set: cold and unchanged runs, memory, and where the time goes."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Measured, run

ROOT = Path(__file__).parents[1]
ASSAY = [sys.executable, "-m", "flows.cli"]
IMPORTS = {
    "great_expectations": "validation",
    "imblearn.over_sampling": "resampling, with scikit-learn",
    "tensorflow": "training, in its own process beside the stages",
}


def measure(rounds: int) -> None:
    """Print the best cold run and the best unchanged run of several."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(ROOT / "data/hypothyroid", home / "data/hypothyroid")
        shutil.copytree(ROOT / "expectations/hypothyroid", home / "expectations/hypothyroid")
        cold = [_run_cold(home) for _ in range(rounds + 1)][1:]  # the first warms the disk cache
        best, seconds = min(cold, key=lambda pair: pair[0].seconds)
        same = [run([*ASSAY, "run", "hypothyroid"], home) for _ in range(rounds)]
        unchanged = min(same, key=lambda one: one.seconds)
    print(f"  cold run             {best.seconds:6.2f} s   (goal 15 s), best of {rounds}")
    print(f"  nothing changed      {unchanged.seconds:6.2f} s   (goal 3 s)")
    print(f"  first line           {best.first_line:6.2f} s   (goal 1 s)")
    print(f"  peak memory          {best.peak_mb:6.0f} MB, training process included")
    print("  stages, imports included:")
    for stage, taken in seconds.items():
        print(f"    {stage:<20} {taken:6.2f} s   {taken / best.seconds:5.0%}")
    rest = best.seconds - sum(seconds.values())
    print(f"    {'start and end':<20} {rest:6.2f} s   {rest / best.seconds:5.0%}")
    print("  imports alone, each in a new process:")
    for module, purpose in IMPORTS.items():
        alone = min(_time_import(module) for _ in range(rounds))
        print(f"    {module:<24} {alone:5.2f} s   {alone / best.seconds:5.0%}  {purpose}")


def _run_cold(home: Path) -> tuple[Measured, dict[str, float]]:
    for name in ("runs", "published"):
        shutil.rmtree(home / "data" / name, ignore_errors=True)
    measured = run([*ASSAY, "run", "hypothyroid"], home)
    log = (home / "data/runs/hypothyroid/runs.jsonl").read_text(encoding="utf-8")
    seconds: dict[str, float] = json.loads(log.splitlines()[-1])["seconds"]
    return measured, seconds


def _time_import(module: str) -> float:
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return float(run([sys.executable, "-c", code], ROOT).output.splitlines()[-1])
