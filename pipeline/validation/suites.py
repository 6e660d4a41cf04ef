"""Suites of expectations in Great Expectations' own JSON: written, read, asked for bounds.

Nothing here imports Great Expectations.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.storage.disk import write_whole
from pipeline.storage.hashing import hash_key, package_versions

MAX_SUITE_BYTES = 50_000_000
MAX_DIGITS = 300
MARK = "assay"  # the key of our notes in what Great Expectations calls meta
SUITES = ("schema", "missing_values", "outliers", "class_distribution")
DRIFT = "drift"  # the suite that each refresh makes again; no file may have its name
Expectation = dict[str, Any]


def make_expectation(type_: str, severity: str, why: str, /, **kwargs: Any) -> Expectation:
    """Make an expectation that says why it is there.

    Parameters
    ----------
    type_
        Its name in Great Expectations, without ``expect_``.
    severity
        info, warning or critical.
    why
        Stands in its notes.
    kwargs
        Its arguments.
    """
    return {
        "type": f"expect_{type_}", "kwargs": kwargs, "severity": severity,
        "meta": {MARK: {"why": why}},
    }  # fmt: skip


def sign(expectation: Expectation, learned_from: Mapping[str, Any]) -> None:
    """Note in a suggested expectation what it was learned from, and what it says as suggested."""
    note = expectation["meta"][MARK]
    note |= {"from": dict(learned_from), "suggested": _fingerprint(expectation)}


def _fingerprint(expectation: Mapping[str, Any]) -> str:
    said = (expectation["type"], expectation["kwargs"], expectation.get("severity"))
    return hash_key(*said)[:16]


def _is_untouched(expectation: Mapping[str, Any]) -> bool:
    """Tell whether an expectation is as it was suggested: nobody edited or wrote it."""
    note = (expectation.get("meta") or {}).get(MARK)
    return isinstance(note, dict) and note.get("suggested") == _fingerprint(expectation)


def _name(expectation: Mapping[str, Any]) -> str:
    """Name what an expectation covers: there is one of a type for each column."""
    kwargs = expectation["kwargs"]
    about = [kwargs.get(key) for key in ("column", "column_A", "column_B")]
    return " ".join([expectation["type"], *(str(name) for name in about if name is not None)])


def merge_suite(
    old: Mapping[str, Any], suggested: Sequence[Expectation]
) -> tuple[list[Expectation], int]:
    """Suggest again and keep what a person did: what they edited or wrote, and what they deleted.

    Parameters
    ----------
    old
        The suite as it is in its file.
    suggested
        What is suggested now.

    Returns
    -------
    tuple
        The expectations, and how many of them are the person's own.
    """
    own = {_name(item): dict(item) for item in old["expectations"] if not _is_untouched(item)}
    once = ((old.get("meta") or {}).get(MARK) or {}).get("suggested") or []
    deleted = set(once) - {_name(item) for item in old["expectations"]}
    merged = [own.pop(_name(item), item) for item in suggested if _name(item) not in deleted]
    count = len(merged) + len(own) - sum(_is_untouched(item) for item in merged)
    return [*merged, *own.values()], count


def write_suites(folder: Path, suites: dict[str, list[Expectation]]) -> dict[str, int]:
    """Write suites as Great Expectations stores them; keep what a person did to those there.

    Returns
    -------
    dict
        By suite, how many of its expectations are a person's own.
    """
    version = package_versions("great-expectations")["great-expectations"]
    own = {}
    for name, expectations in suites.items():
        file = folder / f"{name}.json"
        merged, own[name] = expectations, 0
        if file.is_file():
            with contextlib.suppress(ValueError, RecursionError):  # no suite any more
                merged, own[name] = merge_suite(read_suite(file), expectations)
        suite = {
            "name": name,
            "expectations": merged,
            "meta": {
                "great_expectations_version": version,
                MARK: {"suggested": [_name(item) for item in expectations]},
            },
            "notes": "Suggested by assay from training rows; edit as you know better: `assay "
            "suggest` keeps what you edit, add or delete.",
        }
        text = json.dumps(suite, indent=2, ensure_ascii=False)
        write_whole(file, text + "\n")
    return own


def read_suites(folder: Path, dataset: str) -> dict[str, dict[str, Any]]:
    """Read the suites of a data set, by name.

    Raises
    ------
    ConfigError
        If there is none, or one is not a suite in Great Expectations' JSON.
    """
    files = sorted(file for file in folder.glob("*.json") if file.is_file())
    if not files:
        raise ConfigError(
            "validation", f"expectations/{dataset} holds 0 suites",
            f"Suggest them with `assay suggest {dataset}`",
        )  # fmt: skip
    suites = {}
    for file in files:
        if file.stem == DRIFT:
            raise ConfigError(
                "validation",
                f"expectations/{dataset} holds a suite {file.name}, which is the name of the one "
                "that compares a refresh with the last accepted one",
                "Give the file another name",
            )
        try:
            suites[file.stem] = read_suite(file)
        except (ValueError, RecursionError) as error:
            detail = " ".join(str(error).split())[:200]
            raise ConfigError(
                "validation", f"{file.name} of expectations/{dataset} is no suite: {detail}",
                "Correct the file: `expectations`, each with `type` and `kwargs`",
            ) from None  # fmt: skip
    # The four named suites come first, in the order in which they are explained.
    order = {name: index for index, name in enumerate(SUITES)}
    return dict(sorted(suites.items(), key=lambda item: (order.get(item[0], 99), item[0])))


def read_suite(file: Path) -> dict[str, Any]:
    """Read one suite.

    Raises
    ------
    ValueError, RecursionError
        If it is none; the message says why.
    """
    if file.stat().st_size > MAX_SUITE_BYTES:
        raise ValueError(f"it is larger than {MAX_SUITE_BYTES:,} bytes")
    return check_suite(json.loads(file.read_text(encoding="utf-8"), parse_int=_parse_whole))


def check_suite(suite: Any) -> dict[str, Any]:
    """Check that a value has the form of a suite, and return it.

    Raises
    ------
    ValueError
        If it has not; the message says why.
    """
    if not isinstance(suite, dict) or not isinstance(suite.get("expectations"), list):
        raise ValueError("it holds no list `expectations`")
    if not isinstance(suite.get("meta", {}), dict | None):
        raise ValueError("`meta` should hold keys and their values")
    for number, item in enumerate(suite["expectations"], start=1):
        if not isinstance(item, dict):
            raise ValueError(f"expectation {number}, {str(item)[:40]!r}, is none")
        type_, kwargs = item.get("type"), item.get("kwargs")
        if not isinstance(type_, str) or not isinstance(kwargs, dict):
            raise ValueError(f"expectation {number}, {str(item)[:80]!r}, is none")
        for name in ("column", "column_A", "column_B"):
            if name in kwargs and not isinstance(kwargs[name], str):
                raise ValueError(f"expectation {number}, {type_[:80]!r}: `{name}` is no text")
        for name in ("column_list", "column_set"):
            if name in kwargs and not _holds_texts(kwargs[name]):
                raise ValueError(f"expectation {number}, {type_[:80]!r}: `{name}` holds no names")
    return suite


def _parse_whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is beyond all values")
    return int(digits)


def _holds_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


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
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:  # a whole number beyond all floats
        return None
    return number if math.isfinite(number) else None
