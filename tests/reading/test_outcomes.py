"""No file of the corpus is misread silently, and nearly all are read right or named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reading.cases import Case
from tests.reading.corpus import make_corpus
from tests.reading.judging import judge

# What is not yet as it should be, though nothing of it is silent, and what comes of it.
NOT_YET = {
    "short_rows_lack_empty_cells": "refused by its lines",
    "two_unquoted_commas": "refused by its lines",
    "wide_header_only": "refused as a file without a header",
    "quoted_lines_whole": "refused: the target is not found",
    "unit_volume_before": "told, and not read as numbers",
    "opposites_male_m": "told, and united in part",
    "parts_large_ids_and_floats": "told, and read as the files have it",
}


@pytest.mark.parametrize("case", make_corpus(), ids=lambda case: case.name)
def test_a_file_is_read_right_or_named(tmp_path: Path, case: Case) -> None:
    """A case comes out as it should; a clean table leaves no word of doubt."""
    result = judge(case, tmp_path)
    assert result.outcome not in ("silently wrong", "crashed"), result.why
    assert result.as_it_should == (case.name not in NOT_YET), (result.outcome, result.why)
    if case.clean:
        assert result.cautions == []
