"""Great Expectations' pandas engine beside ours: random frames, suites, and where results differ.

Run it for a number of frames: ``python -m tests.validation.equality --frames 200 --seed 0``.
"""

from __future__ import annotations

import argparse
import collections
import decimal
import json
import logging
import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from great_expectations.expectations.registry import get_expectation_impl

from pipeline.validation import selection, table, validate
from pipeline.validation.running import build_suite, make_context

Expectation = dict[str, Any]
MORE: tuple[dict[str, Any], ...] = (
    {},
    {"include_unexpected_rows": True},
    {"unexpected_index_column_names": ["label"]},
    {"return_unexpected_index_query": True},
)
FORMATS: tuple[Any, ...] = ("BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE")
CLOSE = 1e-12
GAVE_UP = "Great Expectations gave up the suite"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One expectation, judged by both."""

    expectation: Expectation
    form: Any
    verdict: str  # 'exact', 'close', or where they differ
    stock: Any
    ours: Any


def judge_by_stock(frame: pd.DataFrame, suite: Any, form: Any) -> list[dict[str, Any]]:
    """Judge a frame by Great Expectations as it is."""
    context = make_context()
    asset = context.data_sources.add_pandas("stock").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    try:
        return [_plain(result) for result in batch.validate(suite, result_format=form).results]
    except Exception:  # one expectation made it give up them all
        return [_judge_alone(batch, expectation, form) for expectation in suite.expectations]


def _judge_alone(batch: Any, expectation: Any, form: Any) -> dict[str, Any]:
    try:
        return _plain(batch.validate(expectation, result_format=form))
    except Exception:
        config = expectation.configuration
        kwargs = {k: v for k, v in config.kwargs.items() if k != "batch_id"}
        told = {"success": False, "result": {}, "exceptions": [GAVE_UP]}
        return {"expectation": {"type": config.type, "kwargs": kwargs}} | told


def judge_by_ours(
    source: Any, suite: Any, form: Any, states: Path | None = None
) -> list[dict[str, Any]]:
    """Judge a frame, or a file, by the engine on Polars; from kept states if a place is given."""
    if states is not None:
        validate(source, suite, result_format=form, states=states)
    found = validate(source, suite, result_format=form, states=states)
    return [_plain(result) for result in found.result.results]


def compare(
    frame: pd.DataFrame,
    expectations: list[Expectation],
    form: Any,
    source: Any = None,
    states: Path | None = None,
) -> Iterator[Comparison]:
    """Compare both, expectation by expectation.

    Parameters
    ----------
    source
        What ours reads; left out: the frame.
    """
    suite = build_suite("compared", {"expectations": expectations})
    stock = {_identify(r): r for r in judge_by_stock(frame.copy(), suite, form)}
    suite = build_suite("compared", {"expectations": expectations})
    given = frame.copy() if source is None else source
    ours = {_identify(r): r for r in judge_by_ours(given, suite, form, states)}
    assert stock.keys() == ours.keys()
    for key, theirs in stock.items():
        mine = ours[key]
        expectation = theirs["expectation"]
        theirs, mine = _compared(theirs), _compared(mine)
        _share_message(theirs, mine)
        yield Comparison(expectation, form, differ(theirs, mine, ""), theirs, mine)


def _plain(result: Any) -> dict[str, Any]:
    config = result.expectation_config
    kwargs = {k: v for k, v in config.kwargs.items() if k != "batch_id"}
    told = result.exception_info or {}
    if "exception_message" not in told:  # by metric
        messages = sorted({info["exception_message"] for info in told.values()})
    else:
        messages = [told["exception_message"]] if told["raised_exception"] else []
    return {
        "expectation": {"type": config.type, "kwargs": kwargs},
        "success": bool(result.success),
        "result": result.result,
        "exceptions": messages,
    }


def _identify(result: Mapping[str, Any]) -> str:
    return json.dumps(result["expectation"], sort_keys=True, default=str)


def _compared(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in ("success", "exceptions", "result")}


def _share_message(theirs: dict[str, Any], mine: dict[str, Any]) -> None:
    """Take one message for equal where stock tells of several metrics that fail."""
    shared = set(theirs["exceptions"]) & set(mine["exceptions"])
    if GAVE_UP in theirs["exceptions"] and mine["exceptions"]:
        theirs["exceptions"] = mine["exceptions"]
    elif shared:
        theirs["exceptions"] = mine["exceptions"] = sorted(shared)


def differ(a: Any, b: Any, place: str = "") -> str:
    """Say where two results differ; 'exact' or 'close' if they don't."""
    a, b = _scalar(a), _scalar(b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if list(map(str, a)) != list(map(str, b)):
            return f"{place}: keys"
        return _worst(differ(a[key], b[key], f"{place}.{key}") for key in a)
    if isinstance(a, pd.DataFrame) and isinstance(b, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(a, b)
        except AssertionError:
            return f"{place}: frames"
        return "exact"
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            return f"{place}: length"
        return _worst(differ(x, y, f"{place}[]") for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        if a == b or (math.isnan(a) and math.isnan(b)):
            return "exact"
        if math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE):
            return "close"
        return f"{place}: value"
    if a is b or (a is pd.NaT and b is pd.NaT):
        return "exact"
    if a is pd.NA or b is pd.NA:
        return f"{place}: value"
    if type(a) is not type(b) and not (
        isinstance(a, int | float) and isinstance(b, int | float) and a == b
    ):
        return f"{place}: type {type(a).__name__} {type(b).__name__}"
    return "exact" if a == b else f"{place}: value"


def _scalar(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _worst(verdicts: Iterator[str]) -> str:
    worst = "exact"
    for verdict in verdicts:
        if verdict not in ("exact", "close"):
            return verdict
        if verdict == "close":
            worst = "close"
    return worst


# Random frames ----------------------------------------------------------------------------------


def make_frame(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """Make a frame with a column of each kind that pandas users meet, missing values among them."""
    share = float(rng.choice([0.0, 0.05, 0.5]))

    def holes(values: Any) -> Any:
        series = pd.Series(values)
        return series.mask(rng.random(rows) < share) if share else series

    floats = rng.normal(size=rows).round(int(rng.integers(0, 16)))
    wild = floats.copy()
    wild[rng.random(rows) < 0.1] = np.inf
    wild[rng.random(rows) < 0.1] = -np.inf
    words = np.array(["a", "b", "ab\n", "Ä", "", " a", "0.5", "12", "2020-01-02", "{}", "x" * 30])
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 50, rows), unit="D")
    ints = rng.integers(-5, 6, rows)
    objects = np.array(["a", 1, 2.5, None, True], dtype=object)
    columns = {
        "float": holes(floats),
        "float2": holes(rng.normal(size=rows).round(1)),
        "wild": holes(wild),
        "int": pd.Series(ints),
        "int2": pd.Series(np.arange(rows) // 2),
        "gaps": holes(ints.astype(float)),
        "bool": pd.Series(rng.random(rows) < 0.5),
        "text": holes(rng.choice(words, rows)).astype("str"),
        "text2": holes(rng.choice(words[:4], rows)).astype("str"),
        "label": pd.Series(rng.choice(["p", "q", "r"], rows, p=[0.7, 0.2, 0.1])).astype("str"),
        "day": holes(pd.Series(days)),
        "date": holes(pd.Series(pd.Series(days).dt.date, dtype=object)),
        "money": pd.Series([decimal.Decimal(int(v)) / 10 for v in ints], dtype=object),
        "kind": pd.Series(rng.choice(["u", "v"], rows)).astype("category"),
        "nullable": pd.Series(ints).astype("Int64").mask(rng.random(rows) < share),
        "mixed": pd.Series(rng.choice(objects, rows), dtype=object),
        "none": pd.Series([np.nan] * rows, dtype=float),
        "constant": pd.Series([3.0] * rows),
        "narrow": pd.Series(ints.astype(np.int32)),
        "single": holes(floats.astype(np.float32)),
    }
    return pd.DataFrame(columns)


NUMBERS = ("float", "float2", "wild", "int", "int2", "gaps", "none", "constant", "narrow", "single")
TEXTS = ("text", "text2", "label")
OTHERS = ("bool", "day", "date", "money", "kind", "nullable", "mixed", "absent")


def make_expectations(rng: np.random.Generator, count: int) -> list[Expectation]:
    """Make expectations of all types that run on pandas, on all kinds of columns."""
    makers = list(_MAKERS)
    made = []
    for _ in range(count):
        type_ = makers[rng.integers(len(makers))]
        kwargs = _MAKERS[type_](rng)
        fields = get_expectation_impl(type_).__fields__
        if "row_condition" in fields and rng.random() < 0.2:
            kwargs |= _pick(rng, _CONDITIONS)
        if rng.random() < 0.2 and "mostly" in kwargs:
            kwargs["mostly"] = float(rng.choice([0.5, 0.9, 1.0]))
        made.append({"type": type_, "kwargs": kwargs})
    made = [
        item | {"kwargs": {k: v for k, v in item["kwargs"].items() if v is not None}}
        for item in made
    ]
    unique = {json.dumps(item, sort_keys=True, default=str): item for item in made}
    return list(unique.values())


def _pick(rng: np.random.Generator, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def _column(rng: np.random.Generator, likely: tuple[str, ...]) -> str:
    others = (*NUMBERS, *TEXTS, *OTHERS)
    return str(_pick(rng, likely if rng.random() < 0.8 else others))


def _bounds(rng: np.random.Generator) -> dict[str, Any]:
    low, high = sorted(float(x) for x in rng.normal(size=2).round(1))
    if rng.random() < 0.3:
        low, high = int(low) - 1, int(high) + 1
    bounds: dict[str, Any] = {"min_value": low, "max_value": high}
    if rng.random() < 0.3:
        bounds.pop(_pick(rng, ("min_value", "max_value")))
    if rng.random() < 0.3:
        bounds[_pick(rng, ("strict_min", "strict_max"))] = True
    return bounds


_CONDITIONS: tuple[dict[str, Any], ...] = (
    {"row_condition": "int > 0", "condition_parser": "pandas"},
    {"row_condition": "float < 0.3 and label == 'p'", "condition_parser": "pandas"},
    {"row_condition": "text.isnull() or int in [1, 2]", "condition_parser": "pandas"},
    {"row_condition": "float > float.mean()", "condition_parser": "pandas"},
    {"row_condition": "not label == 'p'", "condition_parser": "pandas"},
    {"row_condition": "float != 0.5", "condition_parser": "pandas"},
    {"row_condition": 'col("int") > 0', "condition_parser": "great_expectations"},
    {
        "row_condition": 'col("text").notnull()',
        "condition_parser": "great_expectations__experimental__",
    },
    {"row_condition": 'col("label") != "p"', "condition_parser": "great_expectations"},
    {
        "row_condition": {
            "type": "comparison",
            "column": {"name": "label"},
            "operator": "IN",
            "parameter": ["p", "q"],
        }
    },
    {
        "row_condition": {
            "type": "comparison",
            "column": {"name": "gaps"},
            "operator": "NOT_IN",
            "parameter": [1, 2],
        }
    },
    {"row_condition": {"type": "nullity", "column": {"name": "day"}, "is_null": True}},
    {
        "row_condition": {
            "type": "and",
            "conditions": [
                {"type": "comparison", "column": {"name": "int"}, "operator": ">=", "parameter": 0},
                {"type": "nullity", "column": {"name": "text"}, "is_null": False},
            ],
        }
    },
    {
        "row_condition": {
            "type": "or",
            "conditions": [
                {
                    "type": "comparison",
                    "column": {"name": "float"},
                    "operator": "<",
                    "parameter": 0,
                },
                {
                    "type": "comparison",
                    "column": {"name": "kind"},
                    "operator": "==",
                    "parameter": "u",
                },
            ],
        }
    },
)
_REGEXES = (
    "^a",
    "a$",
    "^$",
    r"\d+",
    "(?i)A",
    "[[:alpha:]]",
    r"(.)\1",
    "^(?!a)",
    "Ä",
    "a|b",
    r"\s",
    "x{5}",
)
_TYPES = ("int64", "float64", "str", "int", "float", "object", "datetime64", "bool", "Timestamp")
_SETS: tuple[list[Any], ...] = (
    ["a", "b"],
    [1, 2, 3],
    [0.5, 1],
    ["p", "q", "r"],
    ["p"],
    [1, "a"],
    [True],
    [3.0],
    [],
    ["2020-01-02"],
    [-1, 0, 1.5],
)
_FULL = tuple(values for values in _SETS if values)


def _choose(rng: np.random.Generator, extra: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {key: _pick(rng, options) for key, options in extra.items()}
    return {key: value for key, value in chosen.items() if value is not None}


def _value(likely: tuple[str, ...], **extra: Any) -> Any:
    def make(rng: np.random.Generator) -> dict[str, Any]:
        return {"column": _column(rng, likely), "mostly": 1.0} | _choose(rng, extra)

    return make


def _measure(likely: tuple[str, ...]) -> Any:
    return lambda rng: {"column": _column(rng, likely), **_bounds(rng)}


_ALL = (*NUMBERS, *TEXTS, *OTHERS)
_PAIR = lambda rng: (  # noqa: E731
    _pick(
        rng,
        (
            ("float", "float2"),
            ("int", "int2"),
            ("text", "text2"),
            ("float", "int"),
            ("gaps", "none"),
            ("day", "date"),
            ("mixed", "text"),
            ("label", "absent"),
        ),
    )
)
_IGNORE2 = ("both_values_are_missing", "either_value_is_missing", "neither")
_IGNORE3 = ("all_values_are_missing", "any_value_is_missing", "never")


def _pair(**extra: Any) -> Any:
    def make(rng: np.random.Generator) -> dict[str, Any]:
        first, second = _PAIR(rng)
        ignore = _pick(rng, _IGNORE2)
        return {"column_A": first, "column_B": second, "ignore_row_if": ignore} | _choose(
            rng, extra
        )

    return make


def _many(lists: Any, **extra: Any) -> Any:
    def make(rng: np.random.Generator) -> dict[str, Any]:
        ignore = _pick(rng, _IGNORE3)
        return {"column_list": _pick(rng, lists), "ignore_row_if": ignore} | _choose(rng, extra)

    return make


_LISTS = (
    ["text", "label"],
    ["int", "int2"],
    ["float", "gaps", "constant"],
    ["bool", "label"],
    ["kind", "text"],
)
_PARTITIONS: tuple[Any, ...] = (
    {"values": ["p", "q", "r"], "weights": [0.7, 0.2, 0.1]},
    None,
    {"bins": [-1.0, 0.0, 1.0], "weights": [0.5, 0.5]},
    {"bins": [-9.0, 0.0, 9.0], "weights": [0.4, 0.4], "tail_weights": [0.1, 0.1]},
)
_RANGES = (
    {"quantiles": [0.25, 0.5, 0.9], "value_ranges": [[-1, 1], [None, 0.5], [0, None]]},
    {"quantiles": [0.0, 1.0], "value_ranges": [[-9, 9], [-9, 9]]},
)
_MAKERS: dict[str, Any] = {
    "expect_column_values_to_not_be_null": _value(_ALL),
    "expect_column_values_to_be_null": _value(_ALL),
    "expect_column_values_to_be_between": lambda rng: {
        "column": _column(rng, NUMBERS),
        "mostly": 1.0,
        **_bounds(rng),
    },
    "expect_column_values_to_be_in_set": _value(_ALL, value_set=_SETS),
    "expect_column_values_to_not_be_in_set": _value(_ALL, value_set=_SETS),
    "expect_column_values_to_be_unique": _value(_ALL),
    "expect_column_values_to_be_increasing": _value(NUMBERS, strictly=(None, True)),
    "expect_column_values_to_be_decreasing": _value(NUMBERS, strictly=(None, True)),
    "expect_column_values_to_match_regex": _value(TEXTS, regex=_REGEXES),
    "expect_column_values_to_not_match_regex": _value(TEXTS, regex=_REGEXES),
    "expect_column_values_to_match_regex_list": _value(
        TEXTS, regex_list=(["^a", "b"], [r"\d"]), match_on=("any", "all")
    ),
    "expect_column_values_to_not_match_regex_list": _value(TEXTS, regex_list=(["^a", "b"], ["q"])),
    "expect_column_values_to_be_of_type": _value(_ALL, type_=_TYPES),
    "expect_column_values_to_be_in_type_list": _value(
        _ALL, type_list=(["int64", "float64"], ["str"])
    ),
    "expect_column_values_to_be_dateutil_parseable": _value(TEXTS),
    "expect_column_values_to_be_json_parseable": _value(TEXTS),
    "expect_column_values_to_match_json_schema": _value(TEXTS, json_schema=({"type": "object"},)),
    "expect_column_values_to_match_strftime_format": _value(TEXTS, strftime_format=("%Y-%m-%d",)),
    "expect_column_value_lengths_to_be_between": _value(
        TEXTS, min_value=(0, 1), max_value=(2, None), strict_min=(None, True)
    ),
    "expect_column_value_lengths_to_equal": _value(TEXTS, value=(1, 2)),
    "expect_column_value_z_scores_to_be_less_than": _value(
        NUMBERS, threshold=(1, 2.5), double_sided=(True, False)
    ),
    "expect_column_values_to_not_be_outliers": _value(
        NUMBERS, method=("iqr", "std"), multiplier=(1.5, 1)
    ),
    "expect_column_max_to_be_between": _measure(NUMBERS),
    "expect_column_min_to_be_between": _measure(NUMBERS),
    "expect_column_mean_to_be_between": _measure(NUMBERS),
    "expect_column_median_to_be_between": _measure(NUMBERS),
    "expect_column_stdev_to_be_between": _measure(NUMBERS),
    "expect_column_sum_to_be_between": _measure(NUMBERS),
    "expect_column_proportion_of_unique_values_to_be_between": _measure(_ALL),
    "expect_column_proportion_of_non_null_values_to_be_between": _measure(_ALL),
    "expect_column_unique_value_count_to_be_between": _measure(_ALL),
    "expect_column_quantile_values_to_be_between": lambda rng: {
        "column": _column(rng, NUMBERS),
        "quantile_ranges": _pick(rng, _RANGES),
        "allow_relative_error": _pick(rng, (False, "linear", "lower", "midpoint")),
    },
    "expect_column_distinct_values_to_be_in_set": lambda rng: {
        "column": _column(rng, _ALL),
        "value_set": _pick(rng, _FULL),
    },
    "expect_column_distinct_values_to_contain_set": lambda rng: {
        "column": _column(rng, _ALL),
        "value_set": _pick(rng, _FULL),
    },
    "expect_column_distinct_values_to_equal_set": lambda rng: {
        "column": _column(rng, _ALL),
        "value_set": _pick(rng, _FULL),
    },
    "expect_column_most_common_value_to_be_in_set": lambda rng: {
        "column": _column(rng, _ALL),
        "value_set": _pick(rng, _FULL),
        "ties_okay": bool(rng.random() < 0.5),
    },
    "expect_column_kl_divergence_to_be_less_than": lambda rng: {
        "column": _column(rng, ("float", "label", "wild", "int")),
        "threshold": 0.1,
        "partition_object": _pick(rng, _PARTITIONS),
        "tail_weight_holdout": 0.01,
        "internal_weight_holdout": 0.01,
    },
    "expect_column_pair_values_to_be_equal": _pair(),
    "expect_column_pair_values_a_to_be_greater_than_b": _pair(or_equal=(None, True)),
    "expect_column_pair_values_to_be_in_set": _pair(
        value_pairs_set=([["a", "b"], ["a", "a"]], [[1, 0], [None, None]])
    ),
    "expect_compound_columns_to_be_unique": _many(_LISTS),
    "expect_multicolumn_sum_to_equal": _many(_LISTS[1:3], sum_total=(0, 1, 3.0)),
    "expect_multicolumn_values_to_be_equal": _many(_LISTS),
    "expect_select_column_values_to_be_unique_within_record": _many(_LISTS),
    "expect_column_to_exist": lambda rng: {
        "column": _column(rng, _ALL),
        "column_index": _pick(rng, (None, 1)),
    },
    "expect_table_column_count_to_equal": lambda rng: {"value": _pick(rng, (20, 3))},
    "expect_table_column_count_to_be_between": lambda rng: {
        "min_value": 1,
        "max_value": _pick(rng, (3, 50)),
    },
    "expect_table_row_count_to_equal": lambda rng: {"value": _pick(rng, (20, 3))},
    "expect_table_row_count_to_be_between": lambda rng: {
        "min_value": 1,
        "max_value": _pick(rng, (3, 500)),
    },
    "expect_table_columns_to_match_set": lambda rng: {
        "column_set": _pick(rng, (["int", "float"], ["nope"])),
        "exact_match": _pick(rng, (True, False)),
    },
    "expect_table_columns_to_match_ordered_list": lambda rng: {"column_list": ["int", "float"]},
}


def compare_random(seed: int, number: int, per_frame: int = 60) -> list[Comparison]:
    """Compare on a random frame; every second one is read from Parquet, or from kept states."""
    rng = np.random.default_rng([seed, number])
    rows = int(_pick(rng, (0, 1, 2, 7, 50, 400)))
    frame = make_frame(rng, rows)
    form = _pick(rng, FORMATS)
    if rng.random() < 0.3 and form != "BOOLEAN_ONLY":
        form = {"result_format": form, "partial_unexpected_count": _pick(rng, (0, 3, 300))}
        form |= _pick(rng, MORE)
    expectations = make_expectations(rng, per_frame)
    kept = table.CHUNK_ROWS, selection.SAMPLE
    # Many chunks, and quantiles that need both passes, on frames that are small.
    table.CHUNK_ROWS, selection.SAMPLE = _pick(rng, (kept, (16, 4), (60, 8)))
    try:
        if number % 2 == 0:
            return list(compare(frame, expectations, form))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            frame = frame.drop(columns="mixed")
            frame.to_parquet(path, row_group_size=max(1, rows // 3))
            read = pd.read_parquet(path)
            if rows < 2 or rng.random() < 0.5:
                return list(compare(read, expectations, form, path))
            parts = Path(folder) / "parts"
            parts.mkdir()
            frame[: rows // 2].to_parquet(parts / "a.parquet")
            frame[rows // 2 :].reset_index(drop=True).to_parquet(parts / "b.parquet")
            return list(compare(read, expectations, form, parts, Path(folder) / "states"))
    finally:
        table.CHUNK_ROWS, selection.SAMPLE = kept


def explain(found: Comparison) -> str | None:
    """Say why results differ, where it is known: Great Expectations is at fault there."""
    type_ = found.expectation["type"]
    if type_ == "expect_column_quantile_values_to_be_between":
        given = found.expectation["kwargs"]["quantile_ranges"]["quantiles"]
        stock = found.stock["result"].get("observed_value", {}).get("values", [])
        if len(stock) != len(given):
            return "two lists of quantiles of one column: it judges both by one of them"
        ours = found.ours["result"].get("observed_value", {}).get("values", [])
        if any(math.isnan(a) and not math.isnan(b) for a, b in zip(stock, ours, strict=True)):
            return "quantiles beside infinite values: it gives NaN"
    if found.verdict.endswith("unexpected_rows: frames"):
        rows = found.stock["result"]["unexpected_rows"]
        if len(rows) == 0 and len(rows.columns) == 0:
            return "no row is in question: its frame of no unexpected rows has no columns"
    return None


def main() -> None:
    """Compare as many frames as are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    verdicts: collections.Counter[str] = collections.Counter()
    for number in range(options.frames):
        for found in compare_random(options.seed, number):
            verdict = found.verdict
            if verdict not in ("exact", "close"):
                verdict = explain(found) or "different"
            verdicts[verdict] += 1
            if verdict == "different":
                print(f"frame {number}, {found.form}: {found.verdict}")
                print(f"  {found.expectation}")
                print(f"  stock {str(found.stock)[:700]}")
                print(f"  ours  {str(found.ours)[:700]}")
    print(f"{sum(verdicts.values()):,} comparisons")
    for verdict, count in verdicts.most_common():
        print(f"{count:8,} {verdict}")


if __name__ == "__main__":
    main()
