"""Suites judged by Great Expectations on pandas and by the engine on Polars, from the same Parquet.

The suite of 82: 20 float columns with 5 % missing × {not null, between, median between, z-score},
and two expectations about a label. Each measurement is a process of its own; its seconds are those
of reading the file and judging it, after the imports and a small suite for a warm-up.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measuring import run

ROOT = Path(__file__).parents[1]
PARTITION = 1_000_000
PARTITIONED = 50_000
COLUMNS = [f"f{i:02}" for i in range(20)]
SIZES = {"1M": 1_000_000, "5M": 5_000_000}
LARGE = 50_000_000


def measure(rounds: int) -> None:
    """Print seconds and peak memory of both, and of Polars alone."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _write(place / "100.parquet", 100)
        for name, rows in SIZES.items():
            _write(place / f"{name}.parquet", rows)
        _compare(place / "100.parquet", "SUMMARY", ("stock", "ours"), rounds)
        for name in SIZES:
            for form in ("BASIC", "SUMMARY"):
                few = 1 if name == "5M" else rounds
                _compare(place / f"{name}.parquet", form, ("stock", "ours", "polars"), few)
        _write_wide(place / "wide.parquet", 100_000)
        _compare(place / "wide.parquet", "SUMMARY", ("stock", "ours"), 1)
        _write(place / "100 partitions", SIZES["5M"], PARTITIONED)
        _write(place / "one.parquet", PARTITIONED, seed=1000)
        command = [sys.executable, "-m", "benchmarks.validation", "states", str(place), "SUMMARY"]
        print("  " + run(command, ROOT).output.strip().replace("\n", "\n  "), flush=True)
        for name in SIZES:
            (place / f"{name}.parquet").unlink()
        _write(place / "50M", LARGE, PARTITION)
        _compare(place / "50M", "SUMMARY", ("ours",), 1)


def _compare(path: Path, form: str, kinds: tuple[str, ...], rounds: int) -> None:
    best: dict[str, dict[str, float]] = {}
    for kind in [kind for _ in range(rounds) for kind in kinds]:
        command = [sys.executable, "-m", "benchmarks.validation", kind, str(path), form]
        found = json.loads(run(command, ROOT).output.splitlines()[-1])
        if kind not in best or found["seconds"] < best[kind]["seconds"]:
            best[kind] = found
    for kind, found in best.items():
        ratio = best["stock"]["seconds"] / found["seconds"] if "stock" in best else None
        print(
            f"  {path.stem:<5} {form:<8} {kind:<7} {found['seconds']:8.2f} s  "
            f"{found['peak']:7.0f} MB  passes {found['passes']:.0f}"
            + (f"  {ratio:6.1f} ×" if ratio and kind != "stock" else ""),
            flush=True,
        )


def _write(path: Path, rows: int, partition: int | None = None, seed: int = 0) -> None:
    """Write rows to a file, or to a folder of partitions of so many rows each."""
    import numpy as np
    import pandas as pd

    if partition is not None:
        path.mkdir()
    for number, start in enumerate(range(0, rows, partition or rows)):
        count = min(partition or rows, rows - start)
        rng = np.random.default_rng(seed + number)
        columns: dict[str, Any] = {}
        for name in COLUMNS:
            values = rng.normal(size=count)
            values[rng.random(count) < 0.05] = np.nan
            columns[name] = values
        columns["label"] = rng.choice(["a", "b", "c"], count, p=[0.7, 0.25, 0.05])
        frame = pd.DataFrame(columns)
        frame.to_parquet(path / f"part-{number:03}.parquet" if partition else path)


def _write_wide(path: Path, rows: int) -> None:
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    pd.DataFrame({f"w{i:03}": rng.normal(size=rows) for i in range(200)}).to_parquet(path)


def _make_suite(path: Path) -> Any:
    import great_expectations as gx
    import great_expectations.expectations as gxe

    wide = path.stem == "wide"
    names = [f"w{i:03}" for i in range(200)] if wide else COLUMNS
    made: list[Any] = []
    for name in names:
        made += [
            gxe.ExpectColumnValuesToNotBeNull(column=name),
            gxe.ExpectColumnValuesToBeBetween(column=name, min_value=-4, max_value=4),
            gxe.ExpectColumnMedianToBeBetween(column=name, min_value=-1, max_value=1),
            gxe.ExpectColumnValueZScoresToBeLessThan(column=name, threshold=3, double_sided=True),
        ]
        if wide:
            made.append(gxe.ExpectColumnMeanToBeBetween(column=name, min_value=-1, max_value=1))
    if not wide:
        partition = {"values": ["a", "b", "c"], "weights": [0.7, 0.25, 0.05]}
        made += [
            gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(
                column="label", min_value=0, max_value=1
            ),
            gxe.ExpectColumnKLDivergenceToBeLessThan(
                column="label", partition_object=partition, threshold=0.1
            ),
        ]
    return gx.ExpectationSuite("benchmark", expectations=made)


def _run_stock(path: Path, form: str) -> Callable[[], int]:
    import pandas as pd

    from pipeline.validation.running import make_context

    suite = _make_suite(path)
    context = make_context()

    def judge() -> int:
        frame = pd.read_parquet(path)
        source = context.data_sources.add_or_update_pandas("stock")
        asset = source.add_dataframe_asset("rows")
        definition = asset.add_batch_definition_whole_dataframe("all")
        batch = definition.get_batch({"dataframe": frame})
        result = batch.validate(suite, result_format=form)
        assert result.statistics["evaluated_expectations"] == len(suite.expectations)
        return 0

    return judge


def _run_ours(path: Path, form: str) -> Callable[[], int]:
    from pipeline.validation import validate

    suite = _make_suite(path)

    def judge() -> int:
        found = validate(path, suite, result_format=form)
        assert found.result.statistics["evaluated_expectations"] == len(suite.expectations)
        return found.passes

    return judge


def _run_polars(path: Path, form: str) -> Callable[[], int]:
    """Compute the same metrics by Polars alone: what the hardware allows it."""
    import polars as pl

    def judge() -> int:
        first: list[pl.Expr] = [pl.len(), pl.col("label").value_counts().implode()]
        for name in COLUMNS:
            value = pl.col(name).fill_nan(None)
            first += [
                value.null_count().alias(f"{name} nulls"), value.mean().alias(f"{name} mean"),
                value.std().alias(f"{name} std"), value.median().alias(f"{name} median"),
                (~value.is_between(-4, 4)).sum().alias(f"{name} outside"),
            ]  # fmt: skip
        scan = pl.scan_parquet(path)
        found = scan.select(first).collect().row(0, named=True)
        second = []
        for name in COLUMNS:
            score = (pl.col(name).fill_nan(None) - found[f"{name} mean"]) / found[f"{name} std"]
            second.append((score.abs() >= 3).sum().alias(name))
        scan.select(second).collect()
        return 2

    del form
    return judge


def _run_states(place: Path, form: str) -> None:
    """Profile partitions apart, then judge all of them, then one more."""
    import random
    import shutil
    from concurrent.futures import ThreadPoolExecutor

    from pipeline.validation import validate
    from pipeline.validation.opening import make_table
    from pipeline.validation.states import States
    from pipeline.validation.validating import validate_all

    folder, states = place / "100 partitions", place / "states"
    suite = _make_suite(folder)
    validate(place / "100.parquet", suite, result_format=form)

    def judge(source: Path, kept: Path) -> tuple[Any, float, int]:
        started = time.perf_counter()
        known = States(kept)
        table = make_table(source, identify=known.identify)
        (found,) = validate_all(table, [suite], form, known)
        known.tidy()
        read = len({chunk for chunk, _ in table.reads})
        return found, time.perf_counter() - started, read

    files = sorted(folder.glob("*.parquet"))
    random.Random(0).shuffle(files)
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda file: validate(file, suite, result_format=form, states=states), files))
    apart = time.perf_counter() - started
    merged, seconds, read = judge(folder, states)
    print(f"{len(files)} partitions of {PARTITIONED:,}, apart on 2 threads {apart:.2f} s")
    print(f"merged                    {seconds:6.2f} s, {read} partitions read")
    fresh, seconds, read = judge(folder, place / "fresh")
    print(f"in one scan               {seconds:6.2f} s, {read} partitions read")
    same = str([r.result for r in fresh.result.results]) == str(
        [r.result for r in merged.result.results]
    )
    print(
        f"the same results: {same}; {len(merged.notes)} notes, {next(iter(merged.notes.items()))}"
    )
    print(f"states: {States(states).size() / len(files) / 1000:,.0f} kB a partition")
    shutil.copy(place / "one.parquet", folder / "part-100.parquet")
    _, seconds, read = judge(folder, states)
    print(f"one appended              {seconds:6.2f} s, {read} partitions read")
    _, seconds, read = judge(place / "one.parquet", place / "alone")
    print(f"that one alone            {seconds:6.2f} s, {read} partitions read")


def _main() -> None:
    """Judge once, in this process, and print what it took."""
    kind, path, form = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if kind == "states":
        return _run_states(path, form)
    make = {"stock": _run_stock, "ours": _run_ours, "polars": _run_polars}[kind]
    small = path.parent / "100.parquet"
    make(small, form)()
    judge = make(path, form)
    started = time.perf_counter()
    passes = judge()
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text()  # getrusage would tell of the parent's peak too
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "passes": passes}))
    return None


if __name__ == "__main__":
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    _main()
