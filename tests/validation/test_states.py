"""States of partitions: small, kept by content, and the same result as one scan."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.storage.hashing import hash_file
from pipeline.validation import tails, validate
from pipeline.validation.opening import make_table
from pipeline.validation.running import build_suite
from pipeline.validation.sketches import POINTS, choose_ranks, merge_sketches
from pipeline.validation.states import States
from pipeline.validation.validating import validate_all
from tests.validation.equality import compare, differ, judge_by_ours
from tests.validation.test_engine import expect

ROWS = 50
PLAIN = [
    item
    for column in ("f0", "f1")
    for item in (
        expect("column_values_to_not_be_null", column=column),
        expect("column_values_to_be_between", column=column, min_value=-1, max_value=1),
        expect("column_median_to_be_between", column=column, min_value=-1, max_value=1),
        expect("column_mean_to_be_between", column=column, min_value=-1, max_value=1),
        expect("column_stdev_to_be_between", column=column, min_value=0, max_value=2),
        expect("column_max_to_be_between", column=column, min_value=0, max_value=2),
        expect("column_unique_value_count_to_be_between", column=column, min_value=0),
    )
] + [
    expect("column_values_to_be_in_set", column="label", value_set=["a"]),
    expect("column_values_to_match_regex", column="label", regex="^a"),
    expect("column_most_common_value_to_be_in_set", column="label", value_set=["a"]),
    expect("column_pair_values_a_to_be_greater_than_b", column_A="f0", column_B="f1"),
]  # fmt: skip
FAR_OUT = [
    expect("column_value_z_scores_to_be_less_than", column="f0", threshold=1.5, double_sided=True),
    expect("column_value_z_scores_to_be_less_than", column="f1", threshold=1, double_sided=False),
    expect("column_values_to_not_be_outliers", column="f1", method="iqr", multiplier=0.5),
    expect("column_values_to_not_be_outliers", column="f0", method="std", multiplier=1),
]
GLOBAL = [
    expect("column_value_z_scores_to_be_less_than", column="f0", threshold=1.5, double_sided=True),
    expect("column_values_to_not_be_outliers", column="f1", method="iqr"),
    expect("column_values_to_be_unique", column="f0"),
    expect("column_values_to_be_increasing", column="f1"),
]


def write_partition(folder: Path, number: int) -> None:
    """Write a partition of numbers with gaps, and a label."""
    rng = np.random.default_rng(number)
    frame = pd.DataFrame({"f0": rng.normal(size=ROWS), "f1": rng.normal(size=ROWS).round(1)})
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    frame["label"] = rng.choice(["a", "b"], ROWS)
    frame.to_parquet(folder / f"part-{number:03}.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of twelve partitions."""
    place = tmp_path / "parts"
    place.mkdir()
    for number in range(12):
        write_partition(place, number)
    return place


def make_suite(expectations: list[dict[str, Any]]) -> Any:
    """Make a suite."""
    return build_suite("s", {"expectations": expectations})


@pytest.mark.slow
def test_partitions_profiled_apart_give_the_result_of_one_scan(
    folder: Path, tmp_path: Path
) -> None:
    """On threads, in any order; then nothing is read, and the results are those without states."""
    kept = tmp_path / "states"
    for number in range(12, 100):
        write_partition(folder, number)
    files = sorted(folder.glob("*.parquet"))
    random.Random(0).shuffle(files)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda file: validate(file, make_suite(PLAIN), states=kept), files))
    table = make_table(folder, identify=hash_file)
    (found,) = validate_all(table, [make_suite(PLAIN)], "SUMMARY", States(kept))
    assert table.reads == []
    fresh = validate(folder, make_suite(PLAIN), states=tmp_path / "others")
    for ours, once in zip(found.result.results, fresh.result.results, strict=True):
        assert differ(ours.result, once.result) == "exact"
    whole = judge_by_ours(folder, make_suite(PLAIN), "SUMMARY")
    for ours, theirs in zip(found.result.results, whole, strict=True):
        assert differ(ours.result, theirs["result"]) in ("exact", "close")
    assert found.notes == {}  # a partition of 50 rows is kept whole
    assert States(kept).size() < 100 * 20_000


def test_only_an_appended_partition_is_read(folder: Path, tmp_path: Path) -> None:
    """And the result is that of Great Expectations on all rows."""
    kept = tmp_path / "states"
    validate(folder, make_suite(PLAIN), states=kept)
    write_partition(folder, 100)
    table = make_table(folder, identify=hash_file)
    validate_all(table, [make_suite(PLAIN)], "SUMMARY", States(kept))
    assert {chunk for chunk, _ in table.reads} == {12}
    frame = pd.concat([pd.read_parquet(f) for f in sorted(folder.glob("*"))], ignore_index=True)
    found = list(compare(frame, PLAIN, "SUMMARY", folder))
    assert {item.verdict for item in found} <= {"exact", "close"}


@pytest.mark.parametrize("form", ["BASIC", "SUMMARY", "COMPLETE"])
@pytest.mark.parametrize("least", [4, 256])
def test_far_out_rows_are_found_in_the_ends_of_partitions(
    folder: Path, tmp_path: Path, form: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an appended partition is read; with too few values kept, all are, to the same result."""
    monkeypatch.setattr(tails, "LEAST", least)
    kept = tmp_path / "states"
    validate(folder, make_suite(FAR_OUT), states=kept)
    write_partition(folder, 100)
    table = make_table(folder, identify=hash_file)
    (found,) = validate_all(table, [make_suite(FAR_OUT)], form, States(kept))
    chunks = {chunk for chunk, _ in table.reads}
    assert chunks == ({12} if least == 256 and form != "COMPLETE" else set(range(13)))
    theirs = judge_by_ours(folder, make_suite(FAR_OUT), form)
    for ours, other in zip(found.result.results, theirs, strict=True):
        assert differ(ours.result, other["result"]) in ("exact", "close")


def test_what_depends_on_the_whole_is_computed_anew(folder: Path, tmp_path: Path) -> None:
    """A new mean, a value that repeats elsewhere: old contributions are not taken for new ones."""
    kept = tmp_path / "states"
    suite = make_suite(GLOBAL)
    validate(folder, suite, states=kept)
    write_partition(folder, 100)
    with_states = validate(folder, suite, states=kept).result.results
    without = validate(folder, suite).result.results
    for ours, theirs in zip(with_states, without, strict=True):
        assert differ(ours.result, theirs.result) in ("exact", "close")


def test_a_changed_partition_and_a_changed_threshold_are_seen(folder: Path, tmp_path: Path) -> None:
    """States are found by content and by what was asked."""
    kept = tmp_path / "states"
    validate(folder, make_suite(PLAIN), states=kept)
    write_partition(folder, 999)
    (folder / "part-999.parquet").replace(folder / "part-007.parquet")
    table = make_table(folder, identify=hash_file)
    validate_all(table, [make_suite(PLAIN)], "SUMMARY", States(kept))
    assert {chunk for chunk, _ in table.reads} == {7}
    other = [expect("column_values_to_be_between", column="f0", min_value=-2, max_value=2)]
    table = make_table(folder, identify=hash_file)
    validate_all(table, [make_suite(other)], "SUMMARY", States(kept))
    assert {names for _, names in table.reads} == {("f0",)}


def test_a_damaged_state_is_computed_again(folder: Path, tmp_path: Path) -> None:
    """Half a file, one with a changed bit, another program's: of no use, and no harm."""
    kept = tmp_path / "states"
    first = validate(folder, make_suite(PLAIN), states=kept).result.results
    files = sorted(kept.glob("*.arrow"))
    content = bytearray(files[0].read_bytes())
    files[0].write_bytes(content[: len(content) // 2])
    content = bytearray(files[1].read_bytes())
    content[len(content) // 2] ^= 1
    files[1].write_bytes(content)
    files[2].write_text("{}")
    table = make_table(folder, identify=hash_file)
    validate_all(table, [make_suite(PLAIN)], "SUMMARY", States(kept))
    assert {chunk for chunk, _ in table.reads} == {
        index
        for index, file in enumerate(sorted(folder.glob("*.parquet")))
        if hash_file(file) in {damaged.stem for damaged in files[:3]}
    }
    again = validate(folder, make_suite(PLAIN), states=kept).result.results
    for ours, theirs in zip(again, first, strict=True):
        assert differ(ours.result, theirs.result) == "exact"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5 * POINTS), min_size=1, max_size=6), st.integers(0, 2**32))
def test_a_sketch_keeps_its_word(counts: list[int], seed: int) -> None:
    """An estimated quantile's rank is off by no more than the error that is told."""
    rng = np.random.default_rng(seed)
    parts = [np.sort(rng.normal(rng.normal(), 1, count).round(2)) for count in counts]
    made = merge_sketches([(len(p), p[choose_ranks(len(p))]) for p in parts])
    whole = np.sort(np.concatenate(parts))
    for rank in {0, len(whole) // 4, len(whole) // 2, len(whole) - 1}:
        found = made.find(rank)
        first, last = np.searchsorted(whole, found, "left"), np.searchsorted(whole, found, "right")
        slack = made.error * len(whole)
        assert first - slack <= rank <= last - 1 + slack
        if made.error == 0:
            assert found == whole[rank]
    for value in (-1.0, 0.0, 2.0):
        share = made.share_up_to(np.array([value]))[0]
        assert abs(share - np.searchsorted(whole, value, "right") / len(whole)) <= made.error + 1e-9


def test_an_unchanged_file_is_not_hashed_again(folder: Path, tmp_path: Path) -> None:
    """It is known by its size, time and place; a changed one is not."""
    for file in folder.glob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    states = States(tmp_path / "states")
    file = folder / "part-003.parquet"
    name = states.identify(file)
    assert name == hash_file(file)
    states.tidy()
    stamp = file.stat()
    file.write_bytes(b"x" * stamp.st_size)  # which nobody sees who asks for size and time alone
    os.utime(file, ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))
    assert States(tmp_path / "states").identify(file) == name
    os.utime(file, ns=(stamp.st_mtime_ns, stamp.st_mtime_ns + 1))
    assert States(tmp_path / "states").identify(file) == hash_file(file)


def test_states_that_nobody_asks_for_go(folder: Path, tmp_path: Path) -> None:
    """After ninety days; one that is used stays."""
    kept = tmp_path / "states"
    suite = make_suite(PLAIN)
    validate(folder, suite, states=kept)
    gone = hash_file(folder / "part-000.parquet")
    (folder / "part-000.parquet").unlink()
    for file in kept.glob("*.arrow"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    validate(folder, suite, states=kept)
    left = {file.stem for file in kept.glob("*.arrow")}
    assert left == {hash_file(file) for file in folder.glob("*.parquet")}
    assert gone not in left


def test_many_distinct_values_are_kept_as_an_estimate(tmp_path: Path) -> None:
    """A partition with more of them than a state holds is not read again to count them."""
    kept, parts = tmp_path / "states", tmp_path / "parts"
    parts.mkdir()
    rng = np.random.default_rng(0)
    values = rng.normal(size=45_000)
    for number in range(3):
        part = values[number * 15_000 : (number + 1) * 15_000]
        pd.DataFrame({"f0": part}).to_parquet(parts / f"{number}.parquet")
    suite = make_suite([expect("column_unique_value_count_to_be_between", column="f0")])
    validate(parts, suite, states=kept)
    table = make_table(parts, identify=hash_file)
    (found,) = validate_all(table, [suite], "SUMMARY", States(kept))
    assert table.reads == []
    assert list(found.notes) == ["distinct values of f0"]
    count = found.result.results[0].result["observed_value"]
    assert count == pytest.approx(45_000, rel=0.04)


def test_what_another_process_found_meanwhile_is_kept(tmp_path: Path) -> None:
    """Two that knew nothing of a partition each add what they found."""
    one, other = States(tmp_path), States(tmp_path)
    assert "a" not in one.load("p")
    assert "b" not in other.load("p")
    one.save("p", {"a": (1, [2.5])})
    other.save("p", {"b": 0})
    known = States(tmp_path).load("p")
    assert known["a"] == (1, (2.5,))
    assert known["b"] == 0
