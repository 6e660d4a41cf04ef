"""Whatever is read, a valid result or an AssayError comes of it: a few hundred cases of each.

``python -m tests.fuzz`` tries as many as are asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz import TARGETS, run_apart

CASES = 200
IN_PROCESS = [name for name in TARGETS if name != "damaged parquet"]


@pytest.mark.parametrize("name", IN_PROCESS)
def test_any_input_is_valid_or_refused(tmp_path: Path, name: str) -> None:
    """No other exception than an AssayError in four parts, and none that takes seconds."""
    strategy, attempt = TARGETS[name]

    @settings(max_examples=CASES, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def try_all(case: Any) -> None:
        attempt(tmp_path, case)

    try_all()


def test_damaged_parquet_is_valid_or_refused() -> None:
    """As any input, and in a process of its own, where a crash of the library is seen."""
    done = run_apart("damaged parquet", CASES, 0)
    assert done.returncode == 0, done.stderr[-2000:]
