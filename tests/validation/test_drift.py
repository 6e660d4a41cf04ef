"""Drift: effect sizes as their definitions give them, few false alarms, faults called by name."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from pipeline.config.settings import DriftConfig
from pipeline.validation import validate
from pipeline.validation.distributions import (
    MOST_CATEGORIES,
    POINTS,
    Distribution,
    Profile,
    of_series,
    read_profile,
    take_profile,
    write_profile,
)
from pipeline.validation.drift import UNITS, Drift, find_unit, measure
from pipeline.validation.drift_results import describe_drift, read_drift
from pipeline.validation.drift_suite import make_drift_suite
from pipeline.validation.opening import make_table
from pipeline.validation.running import build_suite, make_context, run_suites
from pipeline.validation.tolerances import CONFIDENCE, find_reach
from tests.validation.equality import differ

SHAPES = {
    "normal": lambda rng, n: rng.normal(50, 10, n),
    "lognormal": lambda rng, n: rng.lognormal(3, 1, n),
    "whole": lambda rng, n: rng.poisson(20, n).astype(float),
    "distances": lambda rng, n: rng.choice([94.0, 187.0, 733.0, 1089.0, 2475.0], n),
}


def numbers(values: Any) -> Distribution:
    """Give the distribution of numbers."""
    return of_series(pd.Series(values, dtype="float64"))


def categories(**counts: int) -> Distribution:
    """Give the distribution of categories."""
    return of_series(pd.Series([name for name, n in counts.items() for _ in range(n)], dtype="str"))


@pytest.mark.parametrize("shape", [s for s in SHAPES if s != "distances"])
@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
def test_measures_of_numbers_are_what_their_definitions_say(shape: str, shift: float) -> None:
    """Within the half per cent that the order statistics leave open."""
    rng = np.random.default_rng(0)
    before, now = SHAPES[shape](rng, 5000), SHAPES[shape](rng, 4000)
    now = now + shift * before.std()
    found = measure(numbers(before), numbers(now)).measures
    exact = wasserstein_distance(before, now) / before.std(ddof=1)
    assert found["wasserstein"] == pytest.approx(exact, abs=0.03)
    assert found["kolmogorov_smirnov"] == pytest.approx(ks_2samp(before, now).statistic, abs=0.011)


def test_few_numbers_are_measured_exactly() -> None:
    """As many as there are order statistics: all are kept."""
    rng = np.random.default_rng(1)
    before, now = rng.normal(size=POINTS), rng.normal(0.5, 1, POINTS - 50)
    found = measure(numbers(before), numbers(now))
    exact = ks_2samp(before, now, method="asymp")
    assert found.measures["kolmogorov_smirnov"] == pytest.approx(exact.statistic, abs=1e-12)
    scaled = wasserstein_distance(before, now) / before.std(ddof=1)
    assert found.measures["wasserstein"] == pytest.approx(scaled, rel=1e-9)
    p_value = found.p_values["kolmogorov_smirnov"]
    assert p_value == pytest.approx(exact.pvalue, rel=0.2)


def test_measures_of_categories_are_what_their_definitions_say() -> None:
    """Jensen-Shannon in base 2, L∞, the population stability index, Pearson's chi-squared."""
    found = measure(categories(a=600, b=300, c=100), categories(a=400, b=450, c=150))
    old, new = np.array([0.6, 0.3, 0.1]), np.array([0.4, 0.45, 0.15])
    assert found.measures["jensen_shannon"] == pytest.approx(jensenshannon(old, new, 2))
    assert found.measures["l_infinity"] == pytest.approx(0.2)
    assert found.measures["psi"] == pytest.approx(((new - old) * np.log(new / old)).sum())
    exact = chi2_contingency([[600, 300, 100], [400, 450, 150]], correction=False).pvalue
    assert found.p_values["psi"] == pytest.approx(exact)


def test_rare_categories_are_compared_as_one() -> None:
    """Three thousand aircraft that change from month to month are no drift."""
    rng = np.random.default_rng(2)
    names = np.array([f"N{i}" for i in range(3000)])
    before, now = (of_series(pd.Series(rng.choice(names, 25_000))) for _ in range(2))
    found = measure(before, now)
    assert before.distinct > MOST_CATEGORIES == len(before.counts)
    assert found.measures["jensen_shannon"] < 0.02
    assert "new" not in found.measures  # not all are known


def test_what_is_equal_has_not_drifted() -> None:
    """All measures are 0, and nothing is new or gone."""
    for one in (numbers([1.0, 2.0, np.nan]), categories(a=5, b=2), numbers([7.0] * 9)):
        found = measure(one, one)
        assert set(found.measures.values()) == {0.0}
        assert not found.new
        assert not found.gone
        assert not found.retyped


def test_new_gone_and_retyped_are_named() -> None:
    """The most frequent first."""
    found = measure(categories(a=50, b=30, c=20), categories(a=40, d=9, e=51))
    assert found.new == [("e", 51), ("d", 9)]
    assert found.gone == [("b", 30), ("c", 20)]
    assert found.measures["new"] == pytest.approx(0.6)
    found = measure(numbers([1.0, 2.0]), categories(a=2))
    assert found == Drift(retyped="numbers before, categories now")


@settings(max_examples=80, deadline=None)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    factor=st.sampled_from([10.0, 100.0, 1000.0, 2.54, *UNITS]),
    inverse=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    rows=st.sampled_from([300, 5000]),
)
def test_a_change_of_unit_is_called_by_its_factor(
    shape: str, factor: float, inverse: bool, seed: int, rows: int
) -> None:
    """Whatever is measured, in both directions, on other rows than those before."""
    rng = np.random.default_rng(seed)
    scale = 1 / factor if inverse else factor
    before, now = numbers(SHAPES[shape](rng, rows)), numbers(SHAPES[shape](rng, rows) * scale)
    found = find_unit(before, now, 1e-3)
    if found is None:  # 300 rows of a wide distribution don't tell a small factor from chance
        assert (rows, shape) == (300, "lognormal")
        return
    assert found[0] == pytest.approx(scale, rel=0.06 if rows == 5000 else 0.25)
    if rows == 5000 or shape != "lognormal":  # else too few to tell pounds from inches
        assert f"({scale:.4g})" in found[1]
        assert ("other way round" in found[1]) == inverse


@settings(max_examples=80, deadline=None)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    seed=st.integers(0, 2**32 - 1),
    stretch=st.sampled_from([1.0, 1.1, 1.3, 4.5, 7.0]),
)
def test_other_changes_are_no_change_of_unit(shape: str, seed: int, stretch: float) -> None:
    """Neither another sample nor a factor that no unit has."""
    rng = np.random.default_rng(seed)
    before, now = SHAPES[shape](rng, 3000), SHAPES[shape](rng, 3000) * stretch
    assert find_unit(numbers(before), numbers(now), 1e-3) is None
    assert find_unit(numbers(before), numbers(before + 100 * before.std()), 1e-3) is None


def test_growth_is_no_change_of_unit() -> None:
    """Numbers that have doubled were not weighed in pounds, once there are enough of them."""
    rng = np.random.default_rng(14)
    for growth in (1.55, 1.7, 2.0, 2.35, 3.0, 9.0):
        before, now = rng.lognormal(3, 1, 100_000), growth * rng.lognormal(3, 1, 100_000)
        assert find_unit(numbers(before), numbers(now), 1e-3) is None


def test_a_unit_is_seen_beside_zeros_and_not_by_chance() -> None:
    """Rain is 0 on most days; and few rows of a wide distribution differ by anything."""
    rng = np.random.default_rng(10)
    rain = np.where(rng.random(3000) < 0.6, 0.0, rng.lognormal(2, 0.5, 3000))
    found = find_unit(numbers(rain), numbers(10 * rng.permutation(rain)), 1e-3)
    assert found is not None
    assert found[0] == pytest.approx(10)
    alarms = sum(
        find_unit(numbers(rng.lognormal(0, 2, 100)), numbers(rng.lognormal(0, 2, 100)), 1e-3)
        is not None
        for _ in range(400)
    )
    assert alarms <= 2


@pytest.mark.parametrize(("classes", "rows"), [(100, 300), (400, 2000), (900, 5000), (60, 200)])
def test_rare_categories_that_come_by_chance_are_not_called_new(classes: int, rows: int) -> None:
    """Each sample of a long tail has some that the one before it lacks."""
    rng = np.random.default_rng(11)
    law = 1 / np.arange(1, classes + 1)
    names = np.array([f"c{i}" for i in range(classes)])

    def sample() -> Distribution:
        return of_series(pd.Series(rng.choice(names, rows, p=law / law.sum())))

    fired = 0
    for _ in range(60):
        found = measure(sample(), sample())
        assert found.measures["new"] > 0
        fired += found.p_values["new"] < 0.01 / 3
    assert fired <= 2
    before, now = sample(), of_series(pd.Series(["other"] * 40 + rng.choice(names, rows).tolist()))
    assert measure(before, now).p_values["new"] < 1e-6


@pytest.mark.parametrize(("rows", "share"), [(100_000, 0.005), (20_000, 0.02), (2000, 0.05)])
def test_a_few_gross_values_are_drift(rows: int, share: float) -> None:
    """They move the mean and the Wasserstein distance, though not the middle."""
    rng = np.random.default_rng(12)
    before, now = rng.normal(10, 2, rows), rng.normal(10, 2, rows)
    now[: int(share * rows)] = 999_999
    found = measure(numbers(before), numbers(now))
    assert found.measures["wasserstein"] > 100
    assert found.p_values["wasserstein"] < 1e-4


def test_the_share_within_bounds_is_that_of_the_numbers() -> None:
    """The bounds are included; of many numbers within half a per cent."""
    assert numbers(np.arange(20.0)).share_within(0, 19) == 1
    assert numbers([5.0] * 100).share_within(5, 5) == 1
    assert numbers(np.arange(20.0)).share_within(5, 9) == pytest.approx(0.25)
    many = np.random.default_rng(13).normal(size=20_000)
    inside = np.mean((many >= -1) & (many <= 2))
    assert numbers(many).share_within(-1, 2) == pytest.approx(inside, abs=0.005)


def make_profile(frame: pd.DataFrame) -> Profile:
    """Profile a frame whose last column is the label."""
    roles = {n: "numeric" if d.kind == "f" else "categorical" for n, d in frame.dtypes.items()}
    return take_profile(
        make_table(frame), {str(n): role for n, role in roles.items()} | {"y": "target"}
    )


def draw(rng: np.random.Generator, rows: int, rate: float = 0.3) -> pd.DataFrame:
    """Draw a refresh of ten columns of numbers, three of categories, and a label."""
    frame = pd.DataFrame(rng.normal(size=(rows, 10)), columns=[f"n{i}" for i in range(10)])
    for i in range(3):
        frame[f"c{i}"] = rng.choice(list("abcd"), rows, p=[0.6, 0.25, 0.1, 0.05])
    return frame.assign(y=rng.choice(["no", "yes"], rows, p=[1 - rate, rate]))


def count_fired(before: Profile, now: Profile) -> int:
    """Count the columns that drifted, as the suite would judge them."""
    suite = make_drift_suite({"v1": before}, now.columns, "y", DriftConfig())
    fired = 0
    for item in suite["expectations"]:
        if item["type"] == "expect_column_drift_to_be_less_than":
            kwargs = item["kwargs"]
            found = measure(before.columns[kwargs["column"]], now.columns[kwargs["column"]])
            fired += bool(found.find_fired(kwargs["thresholds"], kwargs["significance"]))
    return fired


def test_samples_of_one_population_seldom_alarm() -> None:
    """In 200 refreshes of few rows, in which effect sizes alone would alarm all the time."""
    rng = np.random.default_rng(3)
    alarms = by_size = 0
    for _ in range(200):
        before, now = make_profile(draw(rng, 150)), make_profile(draw(rng, 150))
        alarms += count_fired(before, now) > 0
        found = [measure(before.columns[n], now.columns[n]).measures for n in before.columns]
        by_size += any(item.get("wasserstein", 0) > 0.1 for item in found)
    assert alarms <= 6  # 1 % of 200, and chance
    assert by_size > 150


def test_accepted_differences_raise_the_thresholds() -> None:
    """A label whose rate swings from refresh to refresh is compared with its own swing."""
    rng = np.random.default_rng(4)
    rates = [0.2, 0.35, 0.2, 0.35, 0.2]
    accepted = {f"v{i}": make_profile(draw(rng, 4000, rate)) for i, rate in enumerate(rates)}
    one = dict(list(accepted.items())[-1:])
    now = make_profile(draw(rng, 4000, 0.35))

    def judge(profiles: dict[str, Profile]) -> list[str]:
        suite = make_drift_suite(profiles, now.columns, "y", DriftConfig())
        (item,) = (
            e for e in suite["expectations"]
            if e["kwargs"].get("column") == "y" and "drift" in e["type"]
        )  # fmt: skip
        assert item["meta"]["assay"]["from"]["refreshes"] == list(profiles)
        found = measure(profiles["v4"].columns["y"], now.columns["y"])
        return found.find_fired(item["kwargs"]["thresholds"], item["kwargs"]["significance"])

    assert "l_infinity" in judge(one)
    assert judge(accepted) == []


def test_a_refresh_that_had_drifted_does_not_blind_the_next() -> None:
    """One jump among the accepted steps, there and back, raises no threshold; none exceeds 1."""
    rng = np.random.default_rng(15)
    rates = [0.2, 0.2, 0.6, 0.2, 0.2, 0.2]
    accepted = {f"v{i}": make_profile(draw(rng, 4000, rate)) for i, rate in enumerate(rates)}
    suite = make_drift_suite(accepted, list(accepted["v0"].columns), "y", DriftConfig())
    for item in suite["expectations"]:
        for kind, threshold in item["kwargs"].get("thresholds", {}).items():
            assert threshold == getattr(DriftConfig(), kind)
    labels = ["a", "b", "c", "d", "e"]
    frames = [draw(rng, 300).assign(c0=label) for label in labels]  # a month's name, say
    accepted = {label: make_profile(frame) for label, frame in zip(labels, frames, strict=True)}
    suite = make_drift_suite(accepted, list(accepted["a"].columns), "y", DriftConfig())
    (item,) = (
        e for e in suite["expectations"]
        if e["kwargs"].get("column") == "c0" and "thresholds" in e["kwargs"]
    )  # fmt: skip
    thresholds = item["kwargs"]["thresholds"]
    assert (thresholds["new"], thresholds["jensen_shannon"]) == (1, 1)
    now = make_profile(draw(rng, 300).assign(c0="f")).columns["c0"]
    found = measure(accepted["e"].columns["c0"], now)
    assert found.find_fired(thresholds, item["kwargs"]["significance"]) == []


def test_severities_may_be_written_as_yaml_reads_them() -> None:
    """A bare off is false to YAML."""
    assert DriftConfig.model_validate({"label": False}).label == "off"


def test_the_next_value_lies_within_reach() -> None:
    """As often as promised, for values of a normal distribution."""
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(2000):
        *seen, new = rng.normal(10, 3, 6)
        reach = find_reach(seen)
        assert reach is not None
        assert reach[0] <= min(seen)
        assert max(seen) <= reach[1]
        inside += reach[0] <= new <= reach[1]
    assert inside / 2000 == pytest.approx(CONFIDENCE, abs=0.008)


def test_profiles_are_alike_from_partitions_and_from_a_frame(tmp_path: Path) -> None:
    """Counts exactly, order statistics within their error; and they are read back as written."""
    rng = np.random.default_rng(6)
    frame = draw(rng, 9000)
    frame["n0"] = frame["n0"].mask(rng.random(9000) < 0.2)
    frame.loc[5, "n1"] = np.inf
    frame["when"] = pd.Timestamp("2026-01-01")
    parts = tmp_path / "parts"
    parts.mkdir()
    for number in range(3):
        part = frame.iloc[number * 3000 : (number + 1) * 3000]
        part.to_parquet(parts / f"{number}.parquet", index=False)
    roles = dict.fromkeys(frame.columns, "numeric") | {"c0": "text"}
    found = take_profile(make_table(parts), roles)
    assert "c0" not in found.columns  # free text is not compared
    for name, ours in found.columns.items():
        plain = of_series(frame[name])
        assert (ours.kind, ours.rows, ours.missing) == (plain.kind, plain.rows, plain.missing)
        assert ours.counts == plain.counts
        assert ours.mean == pytest.approx(plain.mean)
        assert ours.deviation == pytest.approx(plain.deviation)
        if ours.points:
            assert measure(plain, ours).measures["kolmogorov_smirnov"] <= 0.011
    assert found.columns["n1"].missing == 1  # what is infinite can't be compared
    write_profile(tmp_path / "profile.json", found)
    assert read_profile(tmp_path / "profile.json") == found


def test_drift_runs_on_the_engine_for_pandas_too() -> None:
    """Great Expectations judges the suite alike on its own engine, and can store the results."""
    rng = np.random.default_rng(7)
    before = draw(rng, 180)
    now = draw(rng, 150, 0.8).assign(n0=lambda f: f["n0"] + 2, n1=lambda f: 10 * f["n1"] + 40)
    profile = make_profile(before.assign(n1=before["n1"] + 4))
    raw = make_drift_suite({"v1": profile}, list(now.columns), "y", DriftConfig())
    ours = run_suites(now, {"drift": raw})["drift"]
    source = make_context().data_sources.add_pandas("stock")
    definition = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
    batch = definition.get_batch({"dataframe": now})
    with contextlib.redirect_stderr(io.StringIO()):
        theirs = batch.validate(build_suite("drift", raw), result_format="SUMMARY")
    stored = json.loads(json.dumps(theirs.to_json_dict()))
    assert len(stored["results"]) == len(ours["results"]) == len(raw["expectations"])
    for one, other in zip(ours["results"], stored["results"], strict=True):
        assert one["success"] == other["success"]
        assert differ(one["result"], other["result"]) in ("exact", "close")
    facts = read_drift(ours)
    assert facts is not None
    assert facts.compared_with == "v1"
    assert {c.column for c in facts.columns if c.fired} >= {"n0", "n1", "y"}
    (unit,) = (column for column in facts.columns if column.unit)
    assert (unit.column, unit.unit_severity) == ("n1", "critical")
    assert unit.factor == pytest.approx(10, rel=0.06)
    assert "(10)" in unit.unit
    again = validate(now, build_suite("drift", raw))
    assert again.passes <= 2


def test_a_column_that_changed_its_kind_is_called_retyped() -> None:
    """Numbers that are texts now: told in words, and not as a failed computation."""
    before = draw(np.random.default_rng(8), 100)
    suite = make_drift_suite({"v1": make_profile(before)}, list(before), "y", DriftConfig())
    (result,) = (
        r for r in run_suites(before.assign(n0="x"), {"d": suite})["d"]["results"]
        if r["expectation_config"]["kwargs"].get("column") == "n0" and not r["success"]
    )  # fmt: skip
    words = describe_drift(result["expectation_config"]["kwargs"], result["result"])
    assert words == "retyped: numbers before, categories now"


def test_severities_and_ignored_columns() -> None:
    """They are what the configuration says; 'off' and ignored columns are not judged."""
    frame = draw(np.random.default_rng(9), 100)
    config = DriftConfig(features="off", label="critical", units="info", ignore=("n3",))
    suite = make_drift_suite({"v1": make_profile(frame)}, list(frame), "y", config)
    said = {
        (e["type"], e["kwargs"].get("column")): e["severity"]
        for e in suite["expectations"] if "column" in e["kwargs"]
    }  # fmt: skip
    assert said.pop(("expect_column_drift_to_be_less_than", "y")) == "critical"
    assert set(said.values()) == {"info"}
    assert {column for _, column in said} == {f"n{i}" for i in range(10) if i != 3}
    reference = suite["expectations"][-1]["kwargs"]["reference"]
    assert asdict(Distribution(**reference)) == reference
