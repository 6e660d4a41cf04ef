"""The corpus itself: files are written, names differ, and what is true is of one length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reading.cases import LINES, Case
from tests.reading.corpus import make_corpus

CASES = make_corpus()
# A column that no table can hold, such as one of maps, is not among what is true.
LEFT_OUT = ("x",)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_a_file_and_one_truth(tmp_path: Path, case: Case) -> None:
    """Each case writes what it says, and all readings of its columns have one value a row."""
    assert case.write(tmp_path).exists()
    assert case.columns[case.target].kind == "label"
    assert 60 <= case.rows <= 400
    for name in case.columns:
        assert {len(column.values) for column in case.accept(name)} == {case.rows}
    assert {*case.alternatives} <= {*case.columns}
    assert {*case.report} <= {*case.columns, LINES, *LEFT_OUT}
    assert not case.open or case.report
    assert not (case.clean and (case.report or case.open or case.refusal))


def test_names_tell_cases_apart() -> None:
    """No two cases have one name."""
    names = [case.name for case in CASES]
    assert len(names) == len({*names})


def test_there_are_enough_cases() -> None:
    """At least 150 files with a fault, of eight kinds, and 20 clean tables."""
    faulty = [case for case in CASES if not case.clean]
    assert len(faulty) >= 150
    assert {case.kind for case in faulty} == {1, 2, 3, 4, 5, 6, 9, 13}
    assert len(CASES) - len(faulty) >= 20


def test_the_corpus_is_the_same_each_time(tmp_path: Path) -> None:
    """Two calls write the same bytes: a case that fails today can be looked at tomorrow."""
    for number, cases in enumerate((CASES, make_corpus())):
        for case in cases:
            case.write(tmp_path / str(number) / case.name)
    first, second = (read_files(tmp_path / number) for number in ("0", "1"))
    assert [path for path, content in first.items() if content != second.get(path)] == []


def read_files(folder: Path) -> dict[Path, bytes]:
    """Read all files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}
