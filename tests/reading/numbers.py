"""Kind 3, numbers as they are written: marks, groups, signs and exponents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.reading import quantities
from tests.reading.cases import Case, make_case, make_folder_case
from tests.reading.tables import Column, Table, make_pair, make_rng, write_text

Spell = Callable[[float], str]
NAMES_X = r"'x'"


def list_cases() -> list[Case]:
    """List the cases of numbers."""
    return [*_list_decimals(), *_list_groups(), *_list_signs(), *_list_plain(), *_list_mixed(),
            *quantities.list_cases()]  # fmt: skip


def draw(name: str, low: float, high: float, decimals: int, rows: int = 120) -> list[float]:
    """Draw numbers over some powers of ten, in any order."""
    rng = make_rng(name)
    values = np.exp(rng.uniform(np.log(low), np.log(high), rows))
    return [float(v) for v in np.round(values, decimals)]


def make_numbers(name: str, values: Sequence[float | None], spell: Spell) -> Table:
    """Make a table around one column of numbers."""
    cells = ["" if v is None else spell(v) for v in values]
    return make_pair(name, Column("number", values), cells)


def group(value: float, mark: str, decimals: int, decimal: str = ".") -> str:
    """Write a number with groups of three digits.

    >>> group(1234567.5, ".", 2, ",")
    '1.234.567,50'
    """
    whole, _, part = f"{abs(value):,.{decimals}f}".partition(".")
    sign = "-" if value < 0 else ""
    return sign + whole.replace(",", mark) + (decimal + part if part else "")


def group_indian(value: float) -> str:
    """Write a number in lakhs and crores.

    >>> group_indian(1234567.5)
    '12,34,567.50'
    """
    whole, _, part = f"{value:.2f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(0, i - 2) : i] for i in range(len(head), 0, -2)][::-1]
    return ",".join([*pairs, tail]) + "." + part


def _list_decimals() -> list[Case]:
    cases = []
    for name, mark, low, high, decimals, spelled in (
        ("semicolon", ";", 1, 900, 1, None),
        ("tabs", "\t", 1, 900, 2, None),
        ("quoted_in_commas", ",", 1, 90, 1, None),
        ("three_decimals_below_one", ",", 0.1, 0.99, 3, None),
        ("three_decimals_some_below_one", ";", 0.1, 9.9, 3, None),
        ("with_points_elsewhere", ";", 1, 900, 2, "points"),
    ):
        full = f"decimal_comma_{name}"
        values = draw(full, low, high, decimals)

        def spell(v: float, decimals: int = decimals) -> str:
            return f"{v:.{decimals}f}".replace(".", ",")

        table = make_numbers(full, values, spell)
        if spelled is None and mark != ",":
            table = table.spell("level", lambda v: f"{v:.1f}".replace(".", ","))
        file = "table.tsv" if mark == "\t" else "table.csv"
        cases.append(make_case(full, 3, write_text(table, mark), table, file=file))
    values = draw("ambiguous", 1.001, 9.9, 3)
    # All have exactly three digits behind the comma and one before it: nobody can know.
    values = [v + 0.001 if f"{v:.3f}".endswith("000") else v for v in values]
    unsure = make_numbers("ambiguous", values, lambda v: f"{v:.3f}".replace(".", ","))
    unsure = unsure.drop("level").put(
        "k", Column("number", [float(i % 7) for i in range(120)]), [str(i % 7) for i in range(120)]
    )
    thousands = Column("number", [round(v * 1000) for v in values])
    unsure_points = unsure.spell("x", lambda v: f"{v:.3f}")
    return [
        *cases,
        make_case("one_or_thousand_by_comma", 3, write_text(unsure, ";"), unsure, open=True,
                  report=("x",), refusal=NAMES_X, alternatives={"x": [thousands]}),
        make_case("three_decimals_by_point", 3, write_text(unsure_points), unsure_points),
    ]  # fmt: skip


def _list_groups() -> list[Case]:
    cases = []
    for name, mark, decimal, decimals, delimiter, low, high in (
        ("commas", ",", ".", 2, ",", 50, 90_000),
        ("commas_whole", ",", ".", 0, ",", 200, 900_000),
        ("commas_millions", ",", ".", 0, ",", 1e6, 9e8),
        ("points", ".", ",", 2, ";", 50, 90_000),
        ("points_whole", ".", ",", 0, ";", 200, 900_000),
        ("points_millions", ".", ",", 0, ";", 1e6, 9e8),
        ("points_whole_in_commas", ".", ",", 0, ",", 200, 900_000),
        ("apostrophes", "'", ".", 2, ";", 50, 90_000),
        ("curly_apostrophes", "’", ".", 2, ",", 50, 90_000),
        ("blanks", " ", ".", 0, ",", 200, 900_000),
        ("blanks_and_comma", " ", ",", 2, ";", 50, 90_000),
        ("no_break_blanks", "\u00a0", ",", 2, ";", 50, 90_000),
        ("narrow_no_break_blanks", "\u202f", ",", 2, ";", 50, 90_000),
        ("thin_blanks", "\u2009", ".", 2, ",", 50, 90_000),
        ("underscores", "_", ".", 0, ",", 200, 900_000),
    ):
        full = f"thousands_by_{name}"
        values = draw(full, low, high, decimals)
        table = make_numbers(
            full,
            values,
            lambda v, m=mark, n=decimals, d=decimal: group(v, m, n, d),  # type: ignore[misc]
        )
        cases.append(make_case(full, 3, write_text(table, delimiter), table))
    values = draw("indian", 500, 9_000_000, 2)
    indian = make_numbers("indian", values, group_indian)
    german = _make_german()
    return [
        *cases,
        make_case("thousands_in_lakhs", 3, write_text(indian), indian),
        make_case("points_as_groups_and_comma_elsewhere", 3, write_text(german, ";"), german),
        _make_branches(),
    ]


def _make_german() -> Table:
    values = [float(round(v)) for v in draw("inhabitants", 150, 9_000, 0)]
    table = make_numbers("inhabitants", values, lambda v: group(v, ".", 0))
    return table.spell("level", lambda v: f"{v:.1f}".replace(".", ","))


def _make_branches() -> Case:
    """Make a folder of a German and an American export of the same columns."""
    values = draw("branches", 1.1, 6.9, 3, 160)
    table = make_numbers("branches", values, lambda v: f"{v:.3f}")
    english = write_text(table.take(80, 160))
    german = table.spell("x", lambda v: f"{v:.3f}".replace(".", ","))
    german = german.spell("level", lambda v: f"{v:.1f}".replace(".", ",")).take(0, 80)
    files = {"berlin.csv": write_text(german, ";").encode(), "boston.csv": english.encode()}
    return make_folder_case("parts_with_comma_and_with_point", 3, files, table)


def _list_signs() -> list[Case]:
    values = [v * (-1) ** (i % 3) for i, v in enumerate(draw("signs", 2, 4_000, 2))]
    cases = []
    for name, spell in (
        ("parentheses", lambda v: f"({-v:,.2f})" if v < 0 else f"{v:,.2f}"),
        ("parentheses_and_dollar", lambda v: f"(${-v:,.2f})" if v < 0 else f"${v:,.2f}"),
        ("minus_behind", lambda v: f"{-v:.2f}-" if v < 0 else f"{v:.2f}"),
        ("unicode_minus", lambda v: f"{v:.2f}".replace("-", "−")),
        ("en_dash", lambda v: f"{v:.2f}".replace("-", "–")),
        ("minus_and_blank", lambda v: f"{v:.2f}".replace("-", "- ")),
        ("plus", lambda v: f"{v:+.2f}"),
        ("minus_before_the_currency", lambda v: f"-${-v:,.2f}" if v < 0 else f"${v:,.2f}"),
        ("debit_and_credit", lambda v: f"{abs(v):.2f} {'DR' if v < 0 else 'CR'}"),
    ):
        table = make_numbers(f"sign_{name}", values, spell)
        # Which of debit and credit is negative, only the bank knows.
        unsure = name == "debit_and_credit"
        others = {"x": [Column("number", [-v for v in values]), Column("text", table.cells["x"])]}
        cases.append(
            make_case(f"sign_{name}", 3, write_text(table), table, refusal=NAMES_X, open=unsure,
                      report=("x",) if unsure else (), alternatives=others if unsure else {})
        )  # fmt: skip
    return cases


def _list_plain() -> list[Case]:
    """Forms of programs, each certain to a person."""
    small = draw("scientific", 1e-6, 1e6, 9)
    small = [float(f"{v:.3e}") for v in small]
    counts = [float(round(v)) for v in draw("counts", 1, 500, 0)]
    cases = []
    forms: tuple[tuple[str, list[float], Spell, str], ...] = (
        ("scientific", small, lambda v: f"{v:.3e}", ","),
        ("scientific_upper", small, lambda v: f"{v:.3E}", ","),
        ("scientific_with_comma", small, lambda v: f"{v:.3E}".replace(".", ","), ";"),
        ("scientific_fortran", small, lambda v: f"{v:.3E}".replace("E", "D"), ","),
        ("scientific_in_words", small, _write_power, ","),
        ("no_zero_before_the_point", draw("bare", 0.1, 0.9, 2), lambda v: f"{v:.2f}"[1:], ","),
        ("point_without_decimals", counts, lambda v: f"{v:.0f}.", ","),
        ("whole_and_with_point", counts, lambda v: f"{v:.0f}" if v % 2 else f"{v:.1f}", ","),
        ("full_width_digits", counts, _widen, ","),
        ("blanks_around", counts, lambda v: f"{v:>8.0f} ", ","),
        ("apostrophe_of_excel", counts, lambda v: f"'{v:.0f}", ","),
        ("padded_with_zeros", draw("padded", 1, 900, 2), lambda v: f"{v:07.2f}", ","),
    )
    for name, values, spell, mark in forms:
        table = make_numbers(name, values, spell)
        cases.append(make_case(f"form_{name}", 3, write_text(table, mark), table))
    quoted = make_numbers("quoted", draw("quoted", 1, 900, 2), lambda v: f"{v:.2f}")
    codes = make_rng("codes").choice(["02134", "08540", "10001", "94103", "60601"], 120).tolist()
    zips = make_pair("zips", Column("category", codes), codes, "zip")
    formula = zips.rewrite("zip", [f'="{code}"' for code in codes])
    return [
        *cases,
        make_case("form_quoted", 3, write_text(quoted, quoting="all"), quoted),
        make_case("codes_with_leading_zeros", 3, write_text(zips), zips),
        make_case(
            "codes_with_leading_zeros_quoted", 3, write_text(zips, ";", quoting="texts"), zips
        ),
        make_case("codes_as_formulas_of_excel", 3, write_text(formula), zips),
    ]


def _write_power(value: float) -> str:
    mantissa, power = f"{value:.3e}".split("e")
    return f"{mantissa}×10^{int(power)}"


def _widen(value: float) -> str:
    return "".join(chr(ord(c) + 0xFEE0) for c in f"{value:.0f}")


def _list_mixed() -> list[Case]:
    """Columns of numbers with cells that are none, or whose form can't be known from one cell."""
    hours = draw("hours", 12, 60, 1, 300)
    odd = ["12o", "seven", "~40", ">80", "45.6.1", "3O", "n/k", "see note", "#REF!", "40?", "1/2",
           "4 1"]  # fmt: skip
    spoiled = {25 * i + 3: text for i, text in enumerate(odd)}
    values = [... if i in spoiled else v for i, v in enumerate(hours)]
    typed = make_pair("typed", Column("number", values),
                      [spoiled.get(i, f"{v:.1f}") for i, v in enumerate(hours)])  # fmt: skip
    counts = [float(round(v)) for v in draw("one00", 1, 900, 0, 300)]
    counts[7] = 0.0
    cells = [f"{v:.0f}" for v in counts]
    cells[7] = "00"
    one = make_pair("one00", Column("number", counts), cells)
    cells_zero = [f"{v:.0f}" if i % 60 else f"0{v:.0f}" for i, v in enumerate(counts)]
    cells_zero[7] = "0"
    few_zeros = make_pair("few zeros", Column("number", counts), cells_zero)
    cases = []
    for name, word in (("dash", "-"), ("colon", ":"), ("two_points", ".."), ("word", "unknown"),
                       ("error", "#DIV/0!"), ("blank", " "), ("none", "None"), ("star", "*"),
                       ("dot_of_sas", ".")):  # fmt: skip
        gaps = [None if i % 11 == 4 else v for i, v in enumerate(hours)]
        table = make_pair(name, Column("number", gaps),
                          [word if v is None else f"{v:.1f}" for v in gaps])  # fmt: skip
        certain = word in (" ", "None", "-", "..", ".")
        report = () if certain else ("x",)
        cases.append(make_case(f"missing_as_{name}", 3, write_text(table), table, report=report))
    return [
        *cases,
        make_case("numbers_with_12_odd_cells", 3, write_text(typed), typed, report=("x",)),
        make_case("numbers_with_one_00", 3, write_text(one), one),
        make_case("numbers_with_few_leading_zeros", 3, write_text(few_zeros), few_zeros,
                  report=("x",)),
    ]  # fmt: skip
