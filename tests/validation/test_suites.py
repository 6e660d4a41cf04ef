"""Suites: Great Expectations' own JSON, which stock Great Expectations reads and judges alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.dataset_yaml import load_config, parse_config
from pipeline.config.settings import DatasetConfig
from pipeline.dataset import ROW_ID, Schema, TrainSet
from pipeline.errors import ConfigError
from pipeline.ingest.canonical import canonicalise
from pipeline.scaffold.initialise import initialise
from pipeline.sources.reading import read_source
from pipeline.splitting.assignment import split_rows
from pipeline.storage.store import Store
from pipeline.validation.distributions import take_profile
from pipeline.validation.gate import describe_rule
from pipeline.validation.opening import make_table
from pipeline.validation.running import build_suite, run_suites
from pipeline.validation.suggest import Past, suggest_suites
from pipeline.validation.suites import SUITES, read_suites, write_suites
from tests.conftest import SAMPLES

Suites = dict[str, dict[str, Any]]
ROWS = 1000
TARGETS = {
    "hypothyroid": "class",
    "birdstrikes": "Wildlife Size",
    "penguins_raw": "Species",
    "adult": "income",
}


class Sample:
    """The first rows of a sample with their suggested suites."""

    def __init__(self, home: Path, name: str, target: str) -> None:
        (path,) = (f for f in (SAMPLES / name).iterdir() if f.suffix != ".yaml")
        source = home / "data" / name / "source.csv"
        source.parent.mkdir(parents=True)
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        rows.sample(min(len(rows), ROWS), random_state=0).to_csv(source, index=False)
        store = Store(home, name)
        initialise(source, target, store)
        self.config = load_config(store.config_path)
        self.suites = read_suites(store.suites, name)
        canonical = canonicalise(read_source(source, self.config.ingest), self.config)
        self.schema = canonical.facts.schema
        kept = [n for n in self.schema.roles if n not in self.config.cleaning.drop_columns]
        frame = canonical.frame
        split = split_rows(frame, self.schema.keep(kept), self.config.split, seed=0).frame["split"]
        self.train = frame[(split == "train").to_numpy()].drop(columns=ROW_ID)

    def spoil(self) -> pd.DataFrame:
        """Give rows of which many break the rules."""
        frame = self.train.copy()
        for name in self.schema.select("numeric"):
            frame.loc[frame.index[:200], name] *= 1000
        for name in self.schema.select("categorical", "target"):
            frame.loc[frame.index[:100], name] = "spoilt"
        return frame


@pytest.fixture(scope="module", params=sorted(TARGETS))
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Initialise each sample once."""
    name: str = request.param
    return Sample(tmp_path_factory.mktemp(name), name, TARGETS[name])


def key_of(expectation: dict[str, Any]) -> str:
    """Name an expectation by what it asks; Great Expectations orders results by column."""
    kwargs = {
        k: v for k, v in expectation["kwargs"].items() if k not in ("batch_id", "exact_match")
    }
    return json.dumps([expectation["type"], expectation["severity"], kwargs], sort_keys=True)


def judge_with_stock(frame: pd.DataFrame, suites: Suites) -> dict[str, dict[str, bool]]:
    """Judge a frame by plain Great Expectations, as its own documentation does it."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("stock").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    verdicts = {}
    for name, suite in suites.items():
        loaded = gx.ExpectationSuite(**json.loads(json.dumps(suite)))
        assert len(loaded.expectations) == len(suite["expectations"])
        result = batch.validate(loaded)
        verdicts[name] = {
            key_of(item.expectation_config.to_json_dict()): bool(item.success)
            for item in result.results
        }
    return verdicts


def test_stock_gives_the_same_verdicts(sample: Sample) -> None:
    """Each suite loads whole in stock Great Expectations; each verdict there is ours."""
    frame = sample.spoil()
    ours, stock = run_suites(frame, sample.suites), judge_with_stock(frame, sample.suites)
    assert {verdict for own in stock.values() for verdict in own.values()} == {True, False}
    for name, suite in sample.suites.items():
        results = ours[name]["results"]
        assert {key_of(r["expectation_config"]): r["success"] for r in results} == stock[name]
        assert stock[name].keys() == {key_of(e) for e in suite["expectations"]}
        assert len(results) == len(suite["expectations"]) > 0
        assert not any(r["exception_info"].get("raised_exception") for r in results)
        json.dumps(ours[name], allow_nan=False)


def test_a_file_context_keeps_every_expectation(sample: Sample, tmp_path: Path) -> None:
    """The files may be put into a project of Great Expectations and are read from its store."""
    import great_expectations as gx

    context = gx.get_context(mode="file", project_root_dir=str(tmp_path))
    write_suites(tmp_path / "gx" / "expectations", {
        name: suite["expectations"] for name, suite in sample.suites.items()
    })  # fmt: skip
    for name, suite in sample.suites.items():
        assert len(context.suites.get(name).expectations) == len(suite["expectations"])


def test_the_four_suites_are_suggested_in_their_order(sample: Sample) -> None:
    """Each data set has the four suites; each expectation has a severity of its own."""
    assert list(sample.suites) == list(SUITES)
    for suite in sample.suites.values():
        assert {e["severity"] for e in suite["expectations"]} <= {"critical", "warning"}
        assert suite["meta"]["great_expectations_version"]


def test_tolerances_can_be_read(sample: Sample) -> None:
    """Bounds have three digits, shares are whole per cents or halves, weights four digits."""
    for suite in sample.suites.values():
        for expectation in suite["expectations"]:
            kwargs = expectation["kwargs"]
            for name in ("min_value", "max_value"):
                value = kwargs.get(name)
                assert value is None or value == float(f"{value:.3g}")
            mostly = kwargs.get("mostly")
            assert mostly is None or round(mostly * 1000) == pytest.approx(mostly * 1000)
            weights = kwargs.get("partition_object", {}).get("weights", [1.0])
            assert sum(weights) == pytest.approx(1, abs=1e-9)
            assert all(weight == round(weight, 4) > 0 for weight in weights)


def test_suggestions_hold_on_the_rows_they_come_from(sample: Sample) -> None:
    """Training rows pass, but for gaps and outliers beyond the caps, and imbalance."""
    for name, result in run_suites(sample.train, sample.suites).items():
        for item in result["results"]:
            config = item["expectation_config"]
            type_, kwargs = config["type"], config["kwargs"]
            if item["success"]:
                continue
            if type_ == "expect_column_values_to_not_be_null":
                assert sample.train[kwargs["column"]].isna().mean() > 0.2
            elif type_ == "expect_column_values_to_be_between":
                assert item["result"]["unexpected_percent"] > 0.5
            elif type_ == "expect_compound_columns_to_be_unique":
                assert sample.train[kwargs["column_list"]].duplicated().any()
            else:
                assert type_ == "expect_column_values_to_not_be_in_set", (name, item)


def test_each_suggested_rule_has_plain_words(sample: Sample) -> None:
    """No report shows the name of a function for a rule that Assay itself suggests."""
    for suite in sample.suites.values():
        for expectation in suite["expectations"]:
            rule = describe_rule(expectation["type"], expectation["kwargs"])
            assert rule != expectation["type"].removeprefix("expect_").replace("_", " ")
            assert "None" not in rule or "None" in expectation["kwargs"]["value_set"]
            assert "nan" not in rule


def test_a_rule_without_wording_keeps_its_name() -> None:
    """An expectation that a person added is shown by its own name."""
    rule = describe_rule("expect_column_pair_values_to_be_equal", {"column_A": "a"})
    assert rule == "column pair values to be equal"


def make_config(**keys: Any) -> DatasetConfig:
    """Make a declaration of the target ``y``."""
    return parse_config({"dataset": "d", "source": "s", "target": "y", **keys})


@given(
    seed=st.integers(0, 200),
    rows=st.integers(12, 200),
    scale=st.sampled_from([1e-9, 1e-3, 1.0, 1e6, 1e15]),
    gaps=st.sampled_from([0.0, 0.02, 0.15]),
)
def test_suggested_bounds_and_gaps_hold_for_any_numbers(
    seed: int, rows: int, scale: float, gaps: float
) -> None:
    """Whatever the unit, the training rows are within their own bounds and tolerances."""
    draw = np.random.default_rng(seed)
    numbers = np.where(draw.random(rows) < gaps, np.nan, draw.lognormal(0, 1, rows) * scale)
    frame = pd.DataFrame({"n": numbers, "y": pd.Series((["p", "q"] * rows)[:rows], dtype="str")})
    train = TrainSet(frame, Schema("y", {"n": "numeric", "y": "target"}))
    suites = suggest_suites(train, make_config())
    for expectation in suites["outliers"]:
        kwargs = expectation["kwargs"]
        if expectation["type"] == "expect_column_values_to_be_between":
            present = frame["n"].dropna()
            inside = present.between(kwargs["min_value"], kwargs["max_value"]).mean()
            assert inside >= kwargs["mostly"] - 0.006  # more than the cap is for the gate to say
        else:
            assert kwargs["min_value"] <= frame["n"].median() <= kwargs["max_value"]
    (gap,) = (e for e in suites["missing_values"] if e["kwargs"]["column"] == "n")
    share = frame["n"].isna().mean()
    assert 1 - share >= gap["kwargs"]["mostly"] or share > 0.2
    assert 0.8 <= gap["kwargs"]["mostly"] <= 0.99


def test_written_suites_are_read_back(tmp_path: Path) -> None:
    """What is written is read; further suites of a person's own come after the four."""
    plain = {"type": "expect_column_to_exist", "kwargs": {"column": "é"}, "severity": "warning"}
    names = ["zebra", "outliers", "class_distribution", "ant", "schema", "missing_values"]
    write_suites(tmp_path, {name: [plain | {"meta": {}}] for name in names})
    suites = read_suites(tmp_path, "d")
    assert list(suites) == [*SUITES, "ant", "zebra"]
    assert all(suite["expectations"] == [plain | {"meta": {}}] for suite in suites.values())


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '"text"',
        "{}",
        '{"expectations": 3}',
        '{"expectations": {"type": "x"}}',
        '{"expectations": ["text"]}',
        '{"expectations": [{"type": "x"}]}',
        '{"expectations": [{"type": 3, "kwargs": {}}]}',
        '{"expectations": [{"type": "x", "kwargs": []}]}',
        "\udcff",
    ],
)
def test_what_is_no_suite_is_named(tmp_path: Path, content: str) -> None:
    """A broken file stops a run, by its name; none is passed over."""
    (tmp_path / "mine.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(
        ConfigError, match=r"mine\.json of expectations/d is no suite: .*Correct the file"
    ):
        read_suites(tmp_path, "d")


def test_a_data_set_without_suites_is_refused(tmp_path: Path) -> None:
    """Nothing would be judged; the message says how to get suggestions."""
    with pytest.raises(ConfigError, match=r"expectations/d holds 0 suites\..*assay suggest d"):
        read_suites(tmp_path, "d")


@pytest.mark.parametrize(
    ("expectation", "says"),
    [
        (
            {"type": "expect_column_values_to_be_betwen", "kwargs": {"column": "a"}},
            "expect_column_values_to_be_betwen.*did you mean 'expect_column_values_to_be_between'",
        ),
        (
            {"type": "expect_column_values_to_be_between", "kwargs": {"column": "a", "mostly": 7}},
            "suite mine: .*Correct its arguments",
        ),
        (
            {"type": "expect_column_values_to_be_between", "kwargs": {"colunm": "a"}},
            "suite mine: .*Correct its arguments",
        ),
        (
            {"type": "expect_column_to_exist", "kwargs": {"column": "a"}, "severity": "grave"},
            "suite mine: .*",
        ),
    ],
)
def test_an_expectation_that_is_unknown_or_wrong_is_refused(
    expectation: dict[str, Any], says: str
) -> None:
    """Great Expectations may drop what it does not know; Assay never does."""
    good = {"type": "expect_column_to_exist", "kwargs": {"column": "a"}}
    with pytest.raises(ConfigError, match=says):
        build_suite("mine", {"expectations": [good, expectation]})


def test_what_a_person_did_to_a_suite_is_kept(tmp_path: Path) -> None:
    """Edited, added and deleted expectations stay so; the rest is suggested again."""
    frame = pd.DataFrame({"n": range(60), "m": range(60), "y": ["p", "q"] * 30})
    config = parse_config({"dataset": "d", "source": "d.csv", "target": "y"})
    schema = Schema("y", {"n": "numeric", "m": "numeric", "y": "target"})
    train = TrainSet(frame.astype({"n": float, "m": float}), schema)
    assert set(write_suites(tmp_path, suggest_suites(train, config)).values()) == {0}
    file = tmp_path / "outliers.json"
    suite = json.loads(file.read_text())
    untouched = [item for item in suite["expectations"] if item["kwargs"]["column"] == "m"]
    edited = suite["expectations"][0]
    assert edited["kwargs"]["column"] == "n"
    edited["kwargs"]["max_value"] = 1000
    added = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "n", "max_value": 99}}
    suite["expectations"] = [edited, *untouched, added]  # and the median of n is gone
    file.write_text(json.dumps(suite))

    wider = TrainSet(train.frame.assign(m=train.frame["m"] * 100), schema)
    own = write_suites(tmp_path, suggest_suites(wider, config))
    assert own == {"schema": 0, "missing_values": 0, "outliers": 2, "class_distribution": 0}
    again = json.loads(file.read_text())["expectations"]
    assert edited in again
    assert added in again
    about_n = [item for item in again if item["kwargs"]["column"] == "n"]
    assert "expect_column_median_to_be_between" not in {item["type"] for item in about_n}
    (bounds,) = [i for i in again if i["type"] == edited["type"] and i not in about_n]
    assert bounds["kwargs"]["max_value"] > 1000
    note = bounds["meta"]["assay"]
    assert "bounds of cleaning" in note["why"]
    assert note["from"]["training_rows"] == 60
    assert write_suites(tmp_path, suggest_suites(wider, config)) == own  # and once more
    assert json.loads(file.read_text())["expectations"] == again
    run_suites(train.frame, read_suites(tmp_path, "d"))


def test_a_class_that_is_gone_is_not_asked_for_again() -> None:
    """What several refreshes had is known; what the last one lacks is not required of the next."""
    labels = ["no"] * 60 + ["yes"] * 40
    frame = pd.DataFrame({"n": np.arange(100.0), "y": pd.Series(labels, dtype="str")})
    train = TrainSet(frame, Schema("y", {"n": "numeric", "y": "target"}))
    before = frame.assign(y=["no"] * 50 + ["yes"] * 30 + ["gone"] * 20)
    roles = {"n": "numeric", "y": "target"}
    profiles = {f"v{i}": take_profile(make_table(before), roles) for i in range(3)}
    past = Past(profiles | {"v3": take_profile(make_table(frame), roles)}, [100] * 4)
    suggested = suggest_suites(train, make_config(), frame, past)["class_distribution"]
    suite = {expectation["type"]: expectation for expectation in suggested}
    required = suite["expect_column_distinct_values_to_contain_set"]["kwargs"]["value_set"]
    assert set(required) == {"no", "yes"}
    assert set(suite["expect_column_values_to_be_in_set"]["kwargs"]["value_set"]) == {
        "gone", "no", "yes",
    }  # fmt: skip
    results = run_suites(frame, {"c": {"expectations": list(suite.values())}})["c"]["results"]
    failed = [r["expectation_config"]["type"] for r in results if not r["success"]]
    assert set(failed) <= {"expect_column_kl_divergence_to_be_less_than"}
