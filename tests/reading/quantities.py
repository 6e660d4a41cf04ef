"""Kind 3, numbers with something beside them: units, currencies, per cent, bounds, durations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.reading.cases import Case, make_case
from tests.reading.tables import Column, make_pair, make_rng, write_text

NAMES_X = r"'x'"


def list_cases() -> list[Case]:
    """List the cases of quantities."""
    return [*_list_units(), *_list_mixtures(), *_list_bounds(), *_list_durations()]


def _draw(name: str, low: float, high: float, decimals: int, rows: int = 120) -> list[float]:
    return [round(float(v), decimals) for v in make_rng(name).uniform(low, high, rows)]


def _list_units() -> list[Case]:
    cases = []
    forms: tuple[tuple[str, float, float, int, str, str], ...] = (
        ("kg", 45, 99, 1, "{} kg", ","),
        ("cm_glued", 150, 199, 0, "{}cm", ","),
        ("degrees", -9, 35, 1, "{} °C", ","),
        ("square_metres", 20, 190, 0, "{} m²", ","),
        ("miles_per_hour", 20, 190, 0, "{} mph", ","),
        ("litres_with_comma", 1, 60, 1, "{comma} l", ";"),
        ("volume_before", 1, 90, 0, "Vol. {}", ","),
        ("dollar_before", 5, 900, 2, "${}", ","),
        ("us_dollar_before", 5, 900, 2, "US$ {}", ","),
        ("euro_code_before", 5, 900, 2, "EUR {}", ","),
        ("euro_behind", 5, 900, 2, "{comma} €", ";"),
        ("pound_before", 5, 900, 2, "£{}", ","),
        ("zloty_behind", 5, 900, 2, "{comma} zł", ";"),
        ("franc_before", 1000, 9000, 2, "CHF {apostrophe}", ";"),
        ("rupee_before", 5, 900, 2, "₹{}", ","),
        ("real_before", 5, 900, 2, "R$ {comma}", ";"),
        ("yen_whole", 1000, 90000, 0, "¥{grouped}", ","),
        ("per_cent", 1, 99, 1, "{}%", ","),
        ("per_cent_apart", 1, 99, 1, "{comma} %", ";"),
    )
    for name, low, high, decimals, form, mark in forms:
        values = _draw(name, low, high, decimals)
        cells = [_fill(form, v, decimals) for v in values]
        table = make_pair(name, Column("number", values), cells)
        others = [Column("number", [v / 100 for v in values])] if "%" in form else []
        cases.append(
            make_case(f"unit_{name}", 3, write_text(table, mark), table, refusal=NAMES_X,
                      alternatives={"x": others})
        )  # fmt: skip
    for name, powers in (("k", {"k": 1e3}), ("k_and_m", {"k": 1e3, "M": 1e6}),
                         ("mio", {" Mio.": 1e6})):  # fmt: skip
        cells, values = [], []
        for i, v in enumerate(_draw(name, 0.3, 9.9, 1)):
            suffix, power = list(powers.items())[i % len(powers)]
            cells.append(f"{v}{suffix}")
            values.append(round(v * power, 3))
        table = make_pair(name, Column("number", values), cells)
        same = Column("number", [v / 1e6 for v in values])
        thousands = Column("number", [v / 1e3 for v in values])
        others = [same, thousands] if len(powers) == 1 else []
        cases.append(
            make_case(f"suffix_{name}", 3, write_text(table), table, refusal=NAMES_X,
                      alternatives={"x": others})
        )  # fmt: skip
    return cases


def _fill(form: str, value: float, decimals: int) -> str:
    plain = f"{value:.{decimals}f}"
    return form.format(
        plain,
        comma=plain.replace(".", ","),
        apostrophe=f"{value:,.{decimals}f}".replace(",", "'"),
        grouped=f"{value:,.{decimals}f}",
    )


def _list_mixtures() -> list[Case]:
    """Two units in one column, which are never to be mixed without a word."""
    cases = []
    forms: tuple[tuple[str, float, float, tuple[str, str], tuple[float, float]], ...] = (
        ("kg_and_lb", 50, 90, ("{} kg", "{} lb"), (1, 0.45359237)),
        ("kg_and_g", 1, 9, ("{} kg", "{} g"), (1, 0.001)),
        ("cm_and_m", 1, 9, ("{} cm", "{} m"), (1, 100)),
        ("euro_and_dollar", 5, 90, ("€{}", "${}"), (1, 1)),
        ("celsius_and_fahrenheit", 5, 90, ("{} °C", "{} °F"), (1, 1)),
        ("per_cent_and_fractions", 0.1, 0.9, ("{}", "{:.0%}"), (1, 1)),
        ("unit_and_none", 50, 90, ("{} kg", "{}"), (1, 1)),
    )
    for name, low, high, (first, second), factors in forms:
        raw = _draw(name, low, high, 2)
        picks = [int(p) for p in make_rng(name + " picks").integers(0, 2, len(raw))]
        cells = [(first, second)[p].format(v) for p, v in zip(picks, raw, strict=True)]
        values = [v * factors[p] for p, v in zip(picks, raw, strict=True)]
        table = make_pair(name, Column("number", values), cells)
        as_text = Column("text", cells)
        first_only = [v if p == 0 else None for p, v in zip(picks, raw, strict=True)]
        gaps = Column("number", first_only)
        cases.append(
            make_case(f"mixed_{name}", 3, write_text(table), table, report=("x",), open=True,
                      refusal=NAMES_X,
                      alternatives={"x": [as_text, gaps, Column("number", raw)]})
        )  # fmt: skip
    return cases


def _list_bounds() -> list[Case]:
    """Censored and top-coded values: a value with a flag, never a gap."""
    cases = []
    doses = _draw("doses", 0.45, 9, 2)
    censored: tuple[tuple[str, Callable[[float], tuple[float, str]]], ...] = (
        ("below_detection", lambda v: (0.45, "<0.45") if v < 1.5 else (v, f"{v}")),
        ("below_detection_apart", lambda v: (0.45, "< 0.45") if v < 1.5 else (v, f"{v}")),
        ("above_the_scale", lambda v: (8.0, ">8.0") if v > 8 else (v, f"{v}")),
        ("at_most", lambda v: (1.5, "≤1.5") if v < 1.5 else (v, f"{v}")),
        ("both_ends", lambda v: (0.5, "<0.5") if v < 1 else (8.0, ">8") if v > 8 else (v, f"{v}")),
        ("top_coded", lambda v: (6.0, "6+") if v >= 6 else (float(int(v)), f"{int(v)}")),
        ("about", lambda v: (v, f"~{v}") if v < 2 else (v, f"{v}")),
        ("footnote_mark", lambda v: (v, f"{v}*") if v < 2 else (v, f"{v}")),
        ("provisional_mark", lambda v: (v, f"{v} (p)") if v < 2 else (v, f"{v}")),
    )
    for name, write in censored:
        pairs = [write(v) for v in doses]
        table = make_pair(name, Column("number", [v for v, _ in pairs]), [t for _, t in pairs])
        cases.append(
            make_case(f"bound_{name}", 3, write_text(table), table, report=("x",), refusal=NAMES_X)
        )
    ages = make_rng("ages").choice(["18-24", "25-34", "35-49", "50-64", "65+"], 120).tolist()
    groups = make_pair("age groups", Column("category", ages), ages)
    pressure = [f"{int(v)}/{int(v * 0.65)}" for v in make_rng("pressure").uniform(95, 180, 120)]
    two = make_pair("pressure", Column("text", pressure), pressure)
    return [
        *cases,
        make_case("age_groups_are_categories", 3, write_text(groups), groups),
        make_case("two_numbers_in_a_cell", 3, write_text(two), two, report=("x",)),
    ]


def _list_durations() -> list[Case]:
    seconds = [float(int(v)) for v in make_rng("durations").uniform(2000, 9900, 120)]
    cases = []
    forms: tuple[tuple[str, Callable[[int], str], int], ...] = (
        ("clock", lambda s: f"{s // 3600}:{s // 60 % 60:02}:{s % 60:02}", 1),
        ("clock_of_pandas", lambda s: f"0 days {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}", 1),
        ("hours_and_minutes", lambda s: f"{s // 3600}h {s // 60 % 60:02}m", 60),
        ("minutes", lambda s: f"{s // 60} min", 60),
        ("iso", lambda s: f"PT{s // 3600}H{s // 60 % 60}M", 60),
    )
    for name, write, step in forms:
        whole = [v // step * step for v in seconds]
        table = make_pair(name, Column("number", whole), [write(int(v)) for v in seconds])
        cases.append(
            make_case(f"duration_{name}", 3, write_text(table), table, refusal=NAMES_X,
                      alternatives={"x": scale(whole)})
        )  # fmt: skip
    # 75:12 is minutes and seconds, or hours and minutes.
    table = make_pair("75:12", Column("number", seconds),
                      [f"{s // 60:.0f}:{s % 60:02.0f}" for s in seconds])  # fmt: skip
    hours = [s * 60 for s in seconds]
    cases.append(
        make_case("duration_minutes_and_seconds", 3, write_text(table), table, refusal=NAMES_X,
                  open=True, report=("x",),
                  alternatives={"x": [*scale(seconds), Column("number", hours), *scale(hours)]})
    )  # fmt: skip
    return cases


def scale(seconds: Sequence[float]) -> list[Column]:
    """Write seconds as milliseconds, minutes, hours and days: each is right."""
    return [Column("number", [v / unit for v in seconds]) for unit in (0.001, 60, 3600, 86400)]
