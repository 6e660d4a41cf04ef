"""The judge: what is right passes, and no fault that a file may have does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from tests.reading.cases import LINES, Case, make_case
from tests.reading.comparing import count_differences
from tests.reading.judging import judge, judge_all
from tests.reading.tables import Column, make_shop, write_text

SHOP = make_shop("judging")
PLAIN = make_case("plain", 1, write_text(SHOP), SHOP)


def tell(case: Case, name: str, column: Column) -> Case:
    """Say something else of a column of a case."""
    return replace(case, columns={**case.columns, name: column})


def test_a_plain_table_is_right(tmp_path: Path) -> None:
    """Nothing is asked of a reading that is as the truth is."""
    result = judge(PLAIN, tmp_path)
    assert (result.outcome, result.exact, result.as_it_should) == ("right", True, True)


def test_one_other_value_is_silently_wrong() -> None:
    """A single cell, a type or a row that differs is enough, unless it is named."""
    prices = [*SHOP.columns["price"].values]
    names = [str(value) for value in prices]
    cases = [
        tell(PLAIN, "price", Column("number", [1e6, *prices[1:]])),
        tell(PLAIN, "price", Column("category", names)),
        tell(PLAIN, "town", Column("category", ["Hull", *SHOP.columns["town"].values[1:]])),
        tell(PLAIN, "lost", Column("number", prices)),
        replace(PLAIN, columns={n: Column(c.kind, c.values[1:]) for n, c in PLAIN.columns.items()}),
        replace(PLAIN, report=("price",)),
        replace(PLAIN, report=(LINES,), open=True),
    ]
    assert {result.outcome for result in judge_all(cases)} == {"silently wrong"}


def test_another_reading_and_an_unknown_cell_are_right() -> None:
    """What a case accepts besides, and cells that nobody can know, count as right."""
    prices = SHOP.columns["price"]
    cases = [
        replace(
            tell(PLAIN, "price", Column("category", [*map(str, prices.values)])),
            alternatives={"price": [prices]},
        ),
        tell(PLAIN, "price", Column("number", [..., *prices.values[1:]])),
    ]
    assert {result.outcome for result in judge_all(cases)} == {"right"}


def test_a_refusal_names_its_cause_or_misleads(tmp_path: Path) -> None:
    """The name of the file in a message is no cause."""
    content = b"%PDF-1.7\n"
    case = make_case("pdf", 13, content, SHOP, file="pdf.csv", refusal="pdf", optional=True)
    assert judge(case, tmp_path).outcome == "misleading"
    empty = make_case("empty", 13, b"", SHOP, refusal="is empty", optional=True)
    result = judge(empty, tmp_path)
    assert (result.outcome, result.as_it_should) == ("refused", True)


def test_cells_are_compared_by_what_they_are() -> None:
    """Numbers as texts are no numbers; texts of dates are dates if pandas finds so by itself."""
    moment = pd.Timestamp("2021-01-30")
    assert count_differences(pd.Series(["1.5"]), "number", [1.5]) == 1
    assert count_differences(pd.Series([1.5, None]), "number", [1.5, None]) == 0
    assert count_differences(pd.Series(["30/01/2021"]), "time", [moment]) == 0
    assert count_differences(pd.Series(["30th of x"]), "time", [moment]) == 1
    assert count_differences(pd.Series([1, 1]), "label", ["01", "1"]) == 1
    assert count_differences(pd.Series([True, False]), "category", ["yes", "no"]) == 0
    assert count_differences(pd.Series([True, True]), "category", ["yes", "no"]) == 2
