"""Kinds 5 and 6, labels are names, and categories of which one is written in several ways."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from tests.reading.cases import Case, make_case
from tests.reading.tables import Column, Table, make_rng, write_plainly, write_text

ROWS = 240
# Of two names, each written in three ways, the first of them mostly.
TWO_MIXTURES = (0.3, 0.1, 0.1, 0.3, 0.1, 0.1)


def list_cases() -> list[Case]:
    """List the cases of labels and of categories."""
    return [*_list_kept(), *_list_united(), *_list_no_classes(), *_list_categories(),
            *_list_opposites()]  # fmt: skip


def make_classes(
    name: str,
    cells: Sequence[str],
    values: Sequence[str | None] | None = None,
    weights: Sequence[float] | None = None,
) -> Table:
    """Make a table of two numbers and a label that depends on one of them."""
    rng = make_rng(name)
    picks = rng.choice(len(cells), ROWS, p=weights)
    a = np.round(picks + rng.normal(0, 0.6, ROWS), 3)
    names = list(cells if values is None else values)
    columns = {
        "a": Column("number", a.tolist()),
        "b": Column("number", np.round(rng.normal(10, 3, ROWS), 2).tolist()),
        "y": Column("label", [names[i] for i in picks]),
    }
    written = {n: write_plainly(c) for n, c in columns.items()}
    return Table("y", columns, written | {"y": [cells[i] for i in picks]})


def _list_kept() -> list[Case]:
    """Labels that differ and stay apart."""
    cases = []
    for name, classes, report in (
        ("codes_with_zeros", ["01", "1", "02", "10"], False),
        ("codes_all_with_zeros", ["01", "02", "10"], False),
        ("offers", ["5%", "$5", "5", "10%"], False),
        ("whole_numbers", ["0", "1", "2"], False),
        ("minus_one_and_one", ["-1", "1"], False),
        ("plus_and_minus", ["+", "-"], False),
        ("true_and_false", ["True", "False"], False),
        ("plus_sign", ["+1", "1", "0"], False),
        ("floats", ["0.0", "1.0", "2.0"], False),
        ("half_steps", ["0.5", "1", "1.5", "2"], False),
        ("exponents", ["1E5", "100000", "2E3"], False),
        ("thousands", ["1,000", "1000", "250"], False),
        ("na_is_north_america", ["NA", "EU", "AS"], True),
        ("none_is_a_class", ["None", "mild", "severe"], True),
        ("null_is_a_class", ["null", "left", "right"], True),
        ("question_mark_is_a_class", ["?", "!", "."], True),
        ("income", ["<=50K", ">50K"], False),
        ("dates", ["2021-01", "2021-02", "2021-03"], False),
        ("long_names", ["the parcel was lost at sea", "the parcel came, at last"], False),
        ("infinity", ["inf", "nan", "zero"], True),
        ("one_letter", ["t", "f"], False),
        ("hexadecimal", ["0x1F", "31", "0x20"], False),
        ("ranges", ["1-2", "3-4", "5+"], False),
        ("beyond_2_53", ["9007199254740993", "9007199254740992"], False),
        ("times", ["8:00", "08:00", "9:30"], False),
    ):
        table = make_classes(name, classes)
        # A class 1.0 that is called 1 is no other class.
        whole = Column("label", [str(v).removesuffix(".0") for v in table.cells["y"]])
        cases.append(
            make_case(f"labels_{name}", 5, write_text(table), table,
                      report=("y",) if report else (),
                      alternatives={"y": [whole]} if name == "floats" else {})
        )  # fmt: skip
    return cases


def _list_united() -> list[Case]:
    """One label in several writings: united, or kept apart, and named."""
    cases = []
    for name, classes, united, weights in (
        ("case", ["Yes", "yes", "YES", "Yes ", "No", "no", "NO"],
         ["Yes"] * 4 + ["No"] * 3, [0.25, 0.1, 0.05, 0.1, 0.3, 0.1, 0.1]),
        ("yes_y_1", ["Yes", "Y", "1", "No", "N", "0"], ["Yes"] * 3 + ["No"] * 3, TWO_MIXTURES),
        ("blanks_within", ["New York", "New  York", "Boston"], ["New York"] * 2 + ["Boston"],
         [0.4, 0.1, 0.5]),
        ("accents_two_ways", ["Café", unicodedata.normalize("NFD", "Café"), "Bar"],
         ["Café"] * 2 + ["Bar"], [0.4, 0.1, 0.5]),
        ("trailing_point", ["<=50K", ">50K", "<=50K.", ">50K."], ["<=50K", ">50K"] * 2,
         [0.4, 0.3, 0.2, 0.1]),
    ):  # fmt: skip
        table = make_classes(name, classes, united, weights)
        as_is = Column("label", [c.strip() for c in table.cells["y"]])
        cases.append(
            make_case(f"labels_{name}", 5, write_text(table), table, report=("y",),
                      alternatives={"y": [as_is]}, refusal=r"'y'")
        )  # fmt: skip
    nbsp = make_classes("nbsp", ["Yes", "Yes\u00a0", "No"], ["Yes", "Yes", "No"])
    cases.append(make_case("labels_no_break_blank_behind", 5, write_text(nbsp), nbsp))
    stars = make_classes("stars", ["1", "2", "3", "1.0", "2.0", "3.0", "0.5"],
                         ["1", "2", "3", "1", "2", "3", "0.5"])  # fmt: skip
    points = Column("label", [f"{float(str(v)):.1f}" for v in stars.columns["y"].values])
    typo = make_classes("typo", ["setosa", "virginica", "virgnica"],
                        ["setosa", "virginica", "virginica"], [0.5, 0.49, 0.01])  # fmt: skip
    rare = make_classes("rare case", ["setosa", "virginica", "Virginica"],
                        ["setosa", "virginica", "virginica"], [0.5, 0.48, 0.02])  # fmt: skip
    return [
        *cases,
        make_case("labels_one_and_one_point_zero", 5, write_text(stars), stars,
                  alternatives={"y": [points]}),
        make_case("labels_rare_typo", 5, write_text(typo), typo, report=("y",),
                  alternatives={"y": [Column("label", typo.cells["y"])]}),
        make_case("labels_rare_case", 5, write_text(rare), rare, report=("y",),
                  alternatives={"y": [Column("label", rare.cells["y"])]}),
    ]  # fmt: skip


def _list_no_classes() -> list[Case]:
    rng = make_rng("no classes")
    base = make_classes("no classes", ["low", "high"])
    whole = [str(v) for v in rng.permutation(ROWS) + 1000]
    dose = [f"{v:.4g}" for v in rng.normal(5, 2, ROWS)]
    gaps = [None if i % 9 == 4 else v for i, v in enumerate(base.columns["y"].values)]
    missing = base.put("y", Column("label", gaps))
    question = base.put("y", Column("label", gaps), ["?" if v is None else str(v) for v in gaps])
    refusal = r"(?i)'y'.*(no classes|regression|single class)"
    cases = [
        make_case(f"target_{name}", 5, write_text(base.put("y", Column("label", v))),
                  base.put("y", Column("label", v)), refusal=refusal, optional=True)
        for name, v in (("whole_numbers_all_different", whole), ("measurements", dose),
                        ("one_class", ["low"] * ROWS))
    ]  # fmt: skip
    counts = [str(v) for v in rng.poisson(60, ROWS)]
    many = base.put("y", Column("label", counts))
    return [
        *cases,
        make_case("target_counts_of_few_rows_each", 5, write_text(many), many, refusal=refusal,
                  report=("y",), open=True, optional=True),
        make_case("target_with_gaps", 5, write_text(missing), missing),
        make_case("target_with_question_marks", 5, write_text(question), question),
    ]  # fmt: skip


def _list_categories() -> list[Case]:
    """One category in several writings, as a feature; and writings that mean something."""
    cases = []
    for name, cells, united, weights in (
        ("rare_case", ["USA", "usa", "Canada"], ["USA", "USA", "Canada"], [0.5, 0.02, 0.48]),
        ("rare_upper", ["red", "RED", "blue"], ["red", "red", "blue"], [0.5, 0.02, 0.48]),
        ("blanks_within", ["New York", "New  York", "Boston"], ["New York"] * 2 + ["Boston"],
         [0.4, 0.1, 0.5]),
        ("typo", ["diesel", "petrol", "petrl"], ["diesel", "petrol", "petrol"], [0.5, 0.49, 0.01]),
        ("accents", ["Málaga", "Malaga", "Hull"], ["Málaga", "Málaga", "Hull"], [0.5, 0.02, 0.48]),
    ):  # fmt: skip
        table = _add_category(name, cells, united, weights)
        as_is = Column("category", list(table.cells["kind"]))
        cases.append(
            make_case(f"category_{name}", 6, write_text(table), table, report=("kind",),
                      alternatives={"kind": [as_is]})
        )  # fmt: skip
    # Upper and lower case are two alleles, which go with two labels.
    base = make_classes("alleles", ["ill", "well"])
    labels = list(base.columns["y"].values)
    alleles = ["A" if (v == "ill") == (i % 10 > 0) else "a" for i, v in enumerate(labels)]
    apart = base.put("allele", Column("category", alleles))
    plain = (
        ("codes_with_zeros", ["01", "1", "10"]),
        ("country_na_is_namibia", ["NA", "ZA", "BW", "LS", "AO", "ZM"]),
        ("letters", ["x", "s", "n", "y"]),
        ("grades", ["A+", "A", "A-", "B+"]),
        ("none_is_a_value", ["None", "Basic", "Full"]),
        ("numbers_as_texts", ["1st", "2nd", "3rd"]),
    )
    for name, cells in plain:
        table = _add_category(name, cells, cells, None)
        missing = Column("category", [None if c in ("NA", "None") else c
                                      for c in table.cells["kind"]])  # fmt: skip
        named = name in ("country_na_is_namibia", "none_is_a_value")
        cases.append(
            make_case(f"category_{name}", 6, write_text(table), table,
                      report=("kind",) if named else (),
                      alternatives={"kind": [missing]} if named else {})
        )  # fmt: skip
    return [*cases, make_case("category_case_means_something", 6, write_text(apart), apart)]


def _add_category(
    name: str, cells: Sequence[str], united: Sequence[str], weights: Sequence[float] | None
) -> Table:
    base = make_classes(name, ["low", "high"])
    picks = make_rng(name + " kind").choice(len(cells), ROWS, p=weights)
    values = Column("category", [united[i] for i in picks])
    table = base.put("kind", values, [cells[i] for i in picks])
    return table.order(["kind", "a", "b", "y"])


def _list_opposites() -> list[Case]:
    """Yes and no in one or several writings."""
    cases = []
    for name, cells in (
        ("yes_no", ["yes", "no"]),
        ("true_false_upper", ["TRUE", "FALSE"]),
        ("y_n", ["Y", "N"]),
        ("ja_nein", ["ja", "nein"]),
        ("check_marks", ["✓", "✗"]),
        ("x_or_dash", ["x", "o"]),
    ):
        table = _add_category(name, cells, cells, None)
        cases.append(make_case(f"opposites_{name}", 6, write_text(table), table))
    for name, cells in (
        ("yes_y_1", ["Yes", "Y", "1", "No", "N", "0"]),
        ("true_in_three_cases", ["TRUE", "True", "true", "FALSE", "False", "false"]),
        ("male_m", ["Male", "M", "male", "Female", "F", "female"]),
    ):
        united = [cells[0]] * 3 + [cells[3]] * 3
        table = _add_category(name, cells, united, TWO_MIXTURES)
        as_is = Column("category", list(table.cells["kind"]))
        cases.append(
            make_case(f"opposites_{name}", 6, write_text(table), table, report=("kind",),
                      alternatives={"kind": [as_is]})
        )  # fmt: skip
    zero_one = _add_category("zero one", ["0", "1"], ["0", "1"], None)
    numbers = Column("number", [float(c) for c in zero_one.cells["kind"]])
    return [
        *cases,
        make_case("opposites_0_1", 6, write_text(zero_one), zero_one,
                  alternatives={"kind": [numbers]}),
    ]  # fmt: skip
