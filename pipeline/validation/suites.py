"""Suites of expectations in Great Expectations' own JSON: written, read, asked for bounds.

Nothing here imports Great Expectations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.disk import write_whole
from pipeline.errors import ConfigError
from pipeline.hashing import package_versions

SUITES = ("schema", "missing_values", "outliers", "class_distribution")
Expectation = dict[str, Any]


def write_suites(folder: Path, suites: dict[str, list[Expectation]]) -> None:
    """Write suites as Great Expectations stores them."""
    version = package_versions("great-expectations")["great-expectations"]
    for name, expectations in suites.items():
        suite = {
            "name": name,
            "expectations": expectations,
            "meta": {"great_expectations_version": version},
            "notes": "Suggested by assay init from training rows; edit as you know better.",
        }
        text = json.dumps(suite, indent=2, ensure_ascii=False)
        write_whole(folder / f"{name}.json", text + "\n")


def read_suites(folder: Path, dataset: str) -> dict[str, dict[str, Any]]:
    """Read the suites of a data set, by name.

    Raises
    ------
    ConfigError
        If there is none, or one is not a suite in Great Expectations' JSON.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise ConfigError(
            "validation", f"expectations/{dataset} holds 0 suites",
            f"Suggest them with `assay suggest {dataset}`",
        )  # fmt: skip
    suites = {}
    for file in files:
        try:
            suite = json.loads(file.read_text(encoding="utf-8"))
            for item in suite["expectations"]:
                if not (isinstance(item["type"], str) and isinstance(item["kwargs"], dict)):
                    raise ValueError(f"{str(item)[:80]} is no expectation")
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                "validation", f"{file.name} of expectations/{dataset} is no suite: {error}",
                "Correct the file: `expectations`, each with `type` and `kwargs`",
            ) from None  # fmt: skip
        suites[file.stem] = suite
    # The four named suites come first, in the order in which they are explained.
    order = {name: index for index, name in enumerate(SUITES)}
    return dict(sorted(suites.items(), key=lambda item: (order.get(item[0], 99), item[0])))


def find_expected_bounds(
    suites: Mapping[str, Mapping[str, Any]],
) -> dict[str, tuple[float | None, float | None]]:
    """Find between which bounds the suites expect the values of each column."""
    bounds: dict[str, tuple[float | None, float | None]] = {}
    for suite in suites.values():
        for expectation in suite["expectations"]:
            if expectation["type"] != "expect_column_values_to_be_between":
                continue
            kwargs = expectation["kwargs"]
            low, high = (_to_number(kwargs.get(name)) for name in ("min_value", "max_value"))
            column = str(kwargs.get("column"))
            lows = [x for x in (low, bounds.get(column, (None, None))[0]) if x is not None]
            highs = [x for x in (high, bounds.get(column, (None, None))[1]) if x is not None]
            bounds[column] = (max(lows, default=None), min(highs, default=None))
    return bounds


def find_named_columns(suites: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Find the columns that the suites are about."""
    return frozenset(
        str(expectation["kwargs"]["column"])
        for suite in suites.values()
        for expectation in suite["expectations"]
        if "column" in expectation["kwargs"]
    )


def _to_number(value: object) -> float | None:
    """Take a bound that is a number; dates and texts are no concern of outliers."""
    return float(value) if isinstance(value, int | float) else None
