"""Hostile and broken inputs: refused in four parts and quickly, or read as what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile_cases import CASES, Case, find_faults, run_case

# What is published takes a training of some seconds, what is large a process of its own.
PARAMETERS = [
    pytest.param(
        case,
        id=case.name[:60].encode("unicode_escape").decode(),
        marks=[pytest.mark.slow] if case.large or case.publishes else [],
    )
    for case in CASES
]


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_hostile_input_is_refused_or_read_as_it_is(home: Path, case: Case) -> None:
    """Each ends with its exit code; nothing refused is published, and nothing ends in a traceback.

    A message names the stage, what is wrong with which value, and what to do. What is large runs
    within 3 GB of address space and a minute of the processor.
    """
    outcome = run_case(case, home)
    assert find_faults(case, outcome, home) == []
    if case.check is not None:
        case.check(home)


def test_every_case_has_a_name_of_its_own() -> None:
    """The table of the cases tells them apart."""
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
