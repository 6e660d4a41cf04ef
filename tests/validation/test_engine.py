"""The engine on Polars: the results of Great Expectations' pandas engine, in two passes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import great_expectations as gx
import numpy as np
import pandas as pd
import polars as pl
import pytest
from great_expectations.checkpoint.actions import UpdateDataDocsAction
from great_expectations.datasource.fluent import PandasDatasource
from great_expectations.datasource.fluent.interfaces import Datasource
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError, SourceError
from pipeline.validation import PolarsExecutionEngine, column_metrics, scan, selection, validate
from pipeline.validation import table as tables
from pipeline.validation.cardinality import ERROR, estimate, make_registers
from pipeline.validation.opening import make_table
from pipeline.validation.running import build_suite, make_context
from pipeline.validation.validating import validate_all
from tests.validation.equality import compare, compare_random, differ, explain

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [0, 1], ids=["frame", "file"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_results_are_those_of_great_expectations(seed: int, kind: int) -> None:
    """Over all expectations that run on pandas, all kinds of columns, formats and conditions.

    What differs is explained; `python -m tests.validation.equality` counts more of it.
    """
    found = compare_random(seed, kind, per_frame=40)
    assert len(found) > 20
    different = [item for item in found if item.verdict not in ("exact", "close")]
    assert [item for item in different if explain(item) is None] == []


def expect(name: str, **kwargs: Any) -> dict[str, Any]:
    """Write an expectation."""
    return {"type": f"expect_{name}", "kwargs": kwargs}


def make_frame(rows: int) -> pd.DataFrame:
    """Make numbers with gaps, and a label."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"f{i}": rng.normal(size=rows) for i in range(4)})
    frame = frame.mask(rng.random(frame.shape) < 0.05)
    frame["label"] = rng.choice(["a", "b"], rows)
    return frame


MANY = [
    item
    for column in ("f0", "f1", "f2", "f3")
    for item in (
        expect("column_values_to_not_be_null", column=column),
        expect("column_values_to_be_between", column=column, min_value=-2, max_value=2),
        expect("column_median_to_be_between", column=column, min_value=-1, max_value=1),
        expect("column_value_z_scores_to_be_less_than", column=column, threshold=2.0,
               double_sided=True),
        expect("column_values_to_not_be_outliers", column=column, method="std"),
        expect("column_values_to_be_unique", column=column),
    )
]  # fmt: skip


def test_a_suite_costs_two_passes_however_large(tmp_path: Path, monkeypatch: Any) -> None:
    """Each chunk is read twice, for all suites together; the second pass reads what it needs."""
    monkeypatch.setattr(tables, "CHUNK_ROWS", 1000)
    path = tmp_path / "rows.parquet"
    make_frame(4000).to_parquet(path, row_group_size=500)
    table = make_table(path)
    assert len(table.bounds) == 4
    suites = [build_suite(name, {"expectations": MANY}) for name in ("one", "two")]
    found = validate_all(table, suites)
    assert [item.passes for item in found] == [2, 2]
    assert [chunk for chunk, _ in table.reads] == [0, 1, 2, 3] * 2
    assert table.reads[0][1] == ("f0", "f1", "f2", "f3")  # and not the label


def test_plain_aggregates_cost_one_pass() -> None:
    """What needs no value of the whole column needs no second pass."""
    suite = build_suite("s", {"expectations": [
        expect("column_values_to_not_be_null", column="f0"),
        expect("column_mean_to_be_between", column="f0", min_value=-1, max_value=1),
        expect("column_values_to_be_in_set", column="label", value_set=["a"]),
    ]})  # fmt: skip
    assert validate(make_frame(100), suite).passes == 1


def test_chunks_do_not_show(monkeypatch: Any) -> None:
    """The results of one chunk and of forty are the same, up to the last digits of sums."""
    frame = make_frame(2000)
    whole = list(compare(frame, MANY, "COMPLETE"))
    monkeypatch.setattr(tables, "CHUNK_ROWS", 50)
    parts = list(compare(frame, MANY, "COMPLETE"))
    assert {item.verdict for item in (*whole, *parts)} <= {"exact", "close"}


@pytest.mark.parametrize("kind", ["path", "folder", "list", "lazy", "polars", "pandas"])
def test_every_kind_of_source_gives_the_same(kind: str, tmp_path: Path) -> None:
    """A file, a folder of partitions, a list of them, frames of Polars and pandas."""
    frame = make_frame(300)
    folder = tmp_path / "parts"
    folder.mkdir()
    frame.iloc[:200].to_parquet(folder / "a.parquet")
    frame.iloc[200:].reset_index(drop=True).to_parquet(folder / "b.parquet")
    frame.to_parquet(tmp_path / "whole.parquet")
    source: Any = {
        "path": tmp_path / "whole.parquet",
        "folder": folder,
        "list": [folder / "a.parquet", folder / "b.parquet"],
        "lazy": pl.scan_parquet(tmp_path / "whole.parquet"),
        "polars": pl.read_parquet(tmp_path / "whole.parquet"),
        "pandas": frame,
    }[kind]
    found = list(compare(frame, MANY, "SUMMARY", source))
    assert {item.verdict for item in found} <= {"exact", "close"}


def test_integers_with_gaps_in_one_partition_are_floats_in_all(tmp_path: Path) -> None:
    """A column's dtype is that of the whole table, as pandas reads it."""
    first, second = pd.DataFrame({"n": [1, 2]}), pd.DataFrame({"n": [3, None]})
    first.astype("Int64").astype(object).astype("Int64").to_parquet(tmp_path / "a.parquet")
    second.astype("Int64").to_parquet(tmp_path / "b.parquet")
    for name in ("a", "b"):  # as other programs write it, without pandas' own notes
        table = pl.read_parquet(tmp_path / f"{name}.parquet")
        table.write_parquet(tmp_path / f"{name}.parquet")
    table = make_table(tmp_path)
    assert table.columns["n"].dtype == np.float64
    assert table.load_pandas(0, ["n"])["n"].dtype == np.float64


def test_one_that_fails_fails_alone() -> None:
    """An absent column, a wrong kind, arguments that are none: the others are judged."""
    frame = make_frame(50)
    suite = build_suite("s", {"expectations": [
        expect("column_values_to_not_be_null", column="gone"),
        expect("column_mean_to_be_between", column="label", min_value=0),
        expect("column_kl_divergence_to_be_less_than", column="label", threshold=0.1,
               partition_object={"values": ["a"], "weights": [3]}),
        expect("column_values_to_be_in_set", column="label", value_set=["a", "b"]),
    ]})  # fmt: skip
    results = validate(frame, suite).result.results
    told = {r.expectation_config.type: r for r in results}
    assert [bool(r.success) for r in results] == [False, False, False, True]
    gone = told["expect_column_values_to_not_be_null"].exception_info
    assert 'The column "gone" in BatchData does not exist' in str(gone)
    late = told["expect_column_kl_divergence_to_be_less_than"].exception_info
    assert "Invalid partition" in late["exception_message"]


@pytest.fixture
def switched() -> Any:
    """Put the engine in the place of the one for pandas, as its docstring says."""
    kept = PandasDatasource.__dict__.get("execution_engine_override")
    PandasDatasource.execution_engine_override = PolarsExecutionEngine
    yield
    PandasDatasource.execution_engine_override = kept
    assert Datasource.execution_engine_override is None


@pytest.mark.slow
def test_a_checkpoint_runs_on_it_and_again_in_another_process(
    switched: None, tmp_path: Path
) -> None:
    """Results are stored, Data Docs written, and a second process runs the same on our engine."""
    make_frame(400).to_parquet(tmp_path / "rows.parquet")
    context = gx.get_context(mode="file", project_root_dir=str(tmp_path / "project"))
    source = context.data_sources.add_pandas("files")
    asset = source.add_parquet_asset("rows", path=str(tmp_path / "rows.parquet"))
    suite = context.suites.add(build_suite("suite", {"expectations": MANY}))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name="v", data=asset.add_batch_definition("all"), suite=suite)
    )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name="c", validation_definitions=[definition],
            actions=[UpdateDataDocsAction(name="docs")],
        )
    )  # fmt: skip
    head = definition.data.get_batch().head(3, fetch_all=False)
    assert head.data.equals(pd.read_parquet(tmp_path / "rows.parquet").head(3))
    result = checkpoint.run()
    counts = (
        [run["statistics"] for run in result.to_json_dict()["run_results"].values()]
        if (hasattr(result, "to_json_dict"))
        else [run.statistics for run in result.run_results.values()]
    )
    site = tmp_path / "project/gx/uncommitted/data_docs/local_site"
    assert "Great Expectations" in (site / "index.html").read_text()
    assert list((tmp_path / "project/gx/uncommitted/validations").rglob("*.json"))

    script = (
        "import sys, great_expectations as gx\n"
        "from great_expectations.datasource.fluent import PandasDatasource\n"
        "from pipeline.validation import PolarsExecutionEngine\n"
        "PandasDatasource.execution_engine_override = PolarsExecutionEngine\n"
        "context = gx.get_context(mode='file', project_root_dir=sys.argv[1])\n"
        "run = context.checkpoints.get('c').run()\n"
        "engine = context.data_sources.get('files').get_execution_engine()\n"
        "print(type(engine).__name__)\n"
        "print([r.statistics['successful_expectations'] for r in run.run_results.values()])\n"
    )
    again = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "project")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "PolarsExecutionEngine" in again.stdout
    assert str([item["successful_expectations"] for item in counts]) in again.stdout

    stock = make_context()
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    batch = (
        stock.data_sources.add_or_update_pandas("stock")
        .add_dataframe_asset("rows")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": frame})
    )
    stored = json.loads((tmp_path / "project/gx/expectations/suite.json").read_text())
    judged = batch.validate(build_suite("suite", stored))
    assert judged.statistics["successful_expectations"] == counts[0]["successful_expectations"]


def index_by_id(rows: int) -> pd.DataFrame:
    """Make a frame whose index has a name."""
    return pd.DataFrame({"a": range(rows)}, index=pd.Index(range(1000, 1000 + rows), name="id"))


BETWEEN = expect("column_values_to_be_between", column="a", min_value=1, max_value=20)
A40 = pd.DataFrame({"a": range(40)})
ODD: dict[str, tuple[pd.DataFrame, list[dict[str, Any]]]] = {
    "a condition on a column that is not there": (
        A40,
        [expect("column_max_to_be_between", column="a", max_value=99),
         BETWEEN | {"kwargs": BETWEEN["kwargs"] | {
             "row_condition": "nope > 3", "condition_parser": "pandas"}}],
    ),
    "epoch seconds": (
        pd.DataFrame({"a": 1.7e9 + np.arange(5000) * 0.001}),
        [expect("column_stdev_to_be_between", column="a", max_value=9),
         expect("column_mean_to_be_between", column="a", max_value=9)],
    ),
    "huge values": (
        pd.DataFrame({"a": np.random.default_rng(0).normal(size=5000) * 1e200}),
        [expect("column_stdev_to_be_between", column="a", max_value=9)],
    ),
    "a named index": (
        index_by_id(300),
        [expect("column_values_to_be_between", column="a", min_value=999)],
    ),
    "a named range": (A40.set_axis(pd.RangeIndex(40, name="id")), [BETWEEN]),
    "names that are patterns": (
        pd.DataFrame(
            {"^a$": [1.0, 2, 3], "a": [10.0, 20, 30], "*": [1, 2, 3], " inside": [1, 1, 2]}
        ),
        [expect("column_mean_to_be_between", column="^a$", max_value=9),
         expect("column_max_to_be_between", column="a", max_value=9),
         expect("column_values_to_be_unique", column=" inside"),
         expect("column_sum_to_be_between", column="*", max_value=9)],
    ),
    "names that occur twice": (
        pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "a", "b"]),
        [expect("table_column_count_to_equal", value=3),
         expect("column_values_to_be_between", column="b", min_value=4),
         expect("table_columns_to_match_ordered_list", column_list=["a", "a", "b"])],
    ),
    "one column twice": (
        A40, [expect("compound_columns_to_be_unique", column_list=["a", "a"])],
    ),
    "values beyond all whole numbers": (
        A40,
        [expect("column_values_to_be_in_set", column="a", value_set=[1, float("inf")]),
         expect("column_values_to_be_in_set", column="a", value_set=[1, 1e300])],
    ),
    "sums beyond 64 bits": (
        pd.DataFrame({"a": [2**62] * 40}),
        [expect("column_sum_to_be_between", column="a", min_value=0)],
    ),
    "numbers without a sign": (
        pd.DataFrame({"a": np.array([5, 3, 9] * 13, dtype="uint8")}),
        [expect("column_values_to_be_increasing", column="a")],
    ),
    "an index column in other case": (
        pd.DataFrame({"a": range(40), "t": list("xy") * 20}).astype({"t": "str"}), [BETWEEN],
    ),
}  # fmt: skip
ODD |= {
    f"a constant {value} of {rows} rows": (
        pd.DataFrame({"a": [value] * rows}),
        [expect("column_values_to_not_be_outliers", column="a", method="std", multiplier=m)
         for m in (1.5, 3)]
        + [expect("column_stdev_to_be_between", column="a", max_value=0),
           expect("column_value_z_scores_to_be_less_than", column="a", threshold=0.5,
                  double_sided=True)],
    )
    for value, rows in ((0.1, 100), (0.3, 7), (1.1, 33), (123456.789, 33), (19.99, 1000))
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("form", ["SUMMARY", "COMPLETE"])
def test_odd_tables_are_judged_as_by_great_expectations(name: str, form: str) -> None:
    """What random tables do not hold."""
    frame, expectations = ODD[name]
    asked: Any = form
    if "other case" in name:
        asked = {"result_format": form, "unexpected_index_column_names": ["T"]}
    assert {item.verdict for item in compare(frame, expectations, asked)} <= {"exact", "close"}


@pytest.mark.parametrize(
    "condition",
    ["a == a.iloc[0]", "a > a[3]", "a < a.size - 30", "a.isin(a[:2])", "a == 3 or a.size == 40",
     "ilevel_0 > 20", "a > a.mean()", "a.isin([3, 5, 39]) and not a == 5", "`a` > 7", "a % 2 == 0"],
)  # fmt: skip
def test_conditions_on_more_than_a_row_see_the_whole_column(
    condition: str, monkeypatch: Any
) -> None:
    """A condition is decided by chunk only if nothing in it looks beyond the row."""
    monkeypatch.setattr(tables, "CHUNK_ROWS", 16)
    kwargs = BETWEEN["kwargs"] | {"row_condition": condition, "condition_parser": "pandas"}
    found = list(compare(A40, [BETWEEN | {"kwargs": kwargs}], "SUMMARY"))
    assert {item.verdict for item in found} == {"exact"}


def test_more_can_be_asked_of_a_batch_later(switched: None) -> None:
    """A richer format after a poorer one gets all that it names."""
    context = make_context()
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    frame = pd.DataFrame({"a": range(300)})
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    validator = context.get_validator(batch_list=[batch])
    asked = {"column": "a", "min_value": 1, "max_value": 2}
    validator.expect_column_values_to_be_between(**asked, result_format="BASIC")
    found = validator.expect_column_values_to_be_between(**asked, result_format="COMPLETE").result
    assert len(found["unexpected_list"]) == 200
    assert len(found["unexpected_index_list"]) == 298


def test_folders_are_read_as_pandas_reads_them(tmp_path: Path) -> None:
    """Hidden files are none; Hive's folders are columns; a file's own labels are kept."""
    for name in ("a.parquet", "b.parquet", "b/z.parquet", "_temporary/x.parquet", ".y.parquet"):
        (tmp_path / "plain" / name).parent.mkdir(exist_ok=True, parents=True)
        pd.DataFrame({"a": [len(name)] * 3}).to_parquet(tmp_path / "plain" / name)
    for kind in ("u", "v"):
        (tmp_path / "hive" / f"kind={kind}").mkdir(parents=True)
        pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "hive" / f"kind={kind}" / "a.parquet")
    A40[5::2].to_parquet(tmp_path / "labelled.parquet")
    expectations = [
        BETWEEN,
        expect("column_values_to_be_increasing", column="a"),
        expect("table_column_count_to_equal", value=2),
    ]
    for name in ("plain", "hive", "labelled.parquet"):
        frame = pd.read_parquet(tmp_path / name)
        found = list(compare(frame, expectations, "COMPLETE", tmp_path / name))
        assert {item.verdict for item in found} == {"exact"}, name


def test_a_lazy_frame_is_read_by_chunks_in_one_run_of_its_query_a_pass(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """Also one that filters; the results are those of the frame that it collects to."""
    monkeypatch.setattr(tables, "CHUNK_ROWS", 300)
    make_frame(4000).to_parquet(tmp_path / "rows.parquet", row_group_size=250)
    lazy = pl.scan_parquet(tmp_path / "rows.parquet").filter(pl.col("f0") < 1.5)
    table = make_table(lazy)
    assert len(table.bounds) > 5
    (found,) = validate_all(table, [build_suite("s", {"expectations": MANY})])
    assert found.passes == 2
    assert [chunk for chunk, _ in table.reads] == 2 * list(range(len(table.bounds)))
    frame = lazy.collect().to_pandas()
    for item in compare(frame, MANY, "SUMMARY"):
        assert item.verdict in ("exact", "close")
    (whole,) = validate_all(make_table(frame), [build_suite("s", {"expectations": MANY})])
    for ours, other in zip(found.result.results, whole.result.results, strict=True):
        assert differ(ours.result, other.result) in ("exact", "close")
    later = table.load(3, ["f1"])  # and not only from the first to the last
    assert later["f1"].to_list() == frame["f1"].iloc[900:1200].replace({np.nan: None}).tolist()


def test_very_many_rows_are_judged_by_estimates_that_say_so(monkeypatch: Any) -> None:
    """Quartiles and distinct values beyond the budget: within their error, and in the notes."""
    frame = make_frame(20_000)
    suite = [
        expect("column_values_to_not_be_outliers", column="f0", method="iqr"),
        expect("column_unique_value_count_to_be_between", column="f1", min_value=1),
        expect("column_proportion_of_unique_values_to_be_between", column="f1", min_value=0.9),
        expect("column_unique_value_count_to_be_between", column="label", min_value=2, max_value=2),
        expect("column_median_to_be_between", column="f2", min_value=-1, max_value=1),
        expect("column_kl_divergence_to_be_less_than", column="f3", threshold=1),
    ]
    exact = validate(frame, build_suite("s", {"expectations": suite}))
    assert exact.notes == {}
    monkeypatch.setattr(scan, "EXACT_ROWS", 1000)
    monkeypatch.setattr(column_metrics, "EXACT_ROWS", 1000)
    monkeypatch.setattr(tables, "CHUNK_ROWS", 2000)
    monkeypatch.setattr(selection, "FINE", 500)
    rough = validate(frame, build_suite("s", {"expectations": suite}))
    assert rough.passes <= 3  # a divergence without a partition looks for its bins first
    assert set(rough.notes) == {"quantiles of f0", "quantiles of f3", "distinct values of f1"}
    ours, theirs = ([r.result for r in found.result.results] for found in (rough, exact))
    assert ours[0]["unexpected_percent"] == pytest.approx(theirs[0]["unexpected_percent"], abs=0.05)
    assert ours[1]["observed_value"] == pytest.approx(theirs[1]["observed_value"], rel=0.04)
    assert ours[2]["observed_value"] == pytest.approx(theirs[2]["observed_value"], rel=0.04)
    assert ours[3]["observed_value"] == theirs[3]["observed_value"] == 2
    assert ours[4] == theirs[4]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60_000), st.integers(1, 5), st.integers(0, 2**32))
def test_distinct_values_are_estimated_within_their_error(
    count: int, parts: int, seed: int
) -> None:
    """Whatever is repeated, in whatever parts; registers of parts merge to those of the whole."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=count)
    rows = pl.Series(
        np.concatenate([values, rng.choice(values, count // 2)] if count else [values])
    )
    registers = [make_registers(rows.gather_every(parts, at)) for at in range(parts)]
    merged = np.maximum.reduce(registers)
    assert (merged == make_registers(rows)).all()
    assert estimate(merged) == pytest.approx(count, rel=6 * ERROR, abs=2)


def test_a_query_whose_rows_come_in_any_order_keeps_them_together() -> None:
    """Columns that pandas judges are read apart; they must not belong to other rows."""
    keys = pl.DataFrame({"k": np.random.default_rng(0).integers(0, 50_000, 100_000)})
    lazy = (
        keys.lazy().group_by("k").agg(pl.len())
        .with_columns(pl.col("k").cast(pl.Decimal(20, 0)).alias("d"))
    )  # fmt: skip
    suite = build_suite("s", {"expectations": [
        expect("column_pair_values_to_be_equal", column_A="k", column_B="d")
    ]})  # fmt: skip
    assert validate(lazy, suite).result.results[0].success


def test_a_lazy_frame_may_name_a_column_like_a_pattern() -> None:
    """To Polars such a name stands for several columns."""
    lazy = pl.LazyFrame({"^a.*$": [1, 2, None], "ab": [1.5, 2.5, None]})
    suite = build_suite("s", {"expectations": [
        expect("column_values_to_not_be_null", column="^a.*$")
    ]})  # fmt: skip
    assert validate(lazy, suite).result.results[0].result["unexpected_count"] == 1


def test_what_needs_a_database_fails_alone() -> None:
    """An expectation without a provider for pandas, beside one that has one."""
    suite = build_suite("s", {"expectations": [
        {"type": "unexpected_rows_expectation",
         "kwargs": {"unexpected_rows_query": "SELECT * FROM {batch} WHERE f0 > 1"}},
        expect("column_values_to_be_between", column="f0", min_value=-9, max_value=9),
    ]})  # fmt: skip
    first, second = validate(make_frame(100), suite).result.results
    assert not first.success
    assert "No provider found" in str(first.exception_info)
    assert second.success


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """Among many partitions one must know which."""
    make_frame(10).to_parquet(tmp_path / "good.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"no such thing")
    suite = build_suite("s", {"expectations": [expect("column_to_exist", column="f0")]})
    with pytest.raises(SourceError, match=r"bad\.parquet is no Parquet file"):
        validate(tmp_path, suite)


def test_a_table_that_is_none_is_refused_with_a_fix(tmp_path: Path) -> None:
    """A wrong path, a CSV file and a list of rows: each message names it and what to do."""
    suite = {"expectations": [expect("column_to_exist", column="f0")]}
    missing = tmp_path / "none.parquet"
    with pytest.raises(SourceError, match=r"none\.parquet was not found\. Correct the path"):
        validate(missing, suite)
    with pytest.raises(SourceError, match=r"none\.parquet was not found"):
        validate([missing], suite)
    (tmp_path / "x.csv").write_text("f0\n1\n")
    with pytest.raises(SourceError, match=r"x\.csv is no Parquet file: .*polars\.read_csv\(path\)"):
        validate(tmp_path / "x.csv", suite)
    with pytest.raises(
        SourceError, match=r"an object of type dict is no table\. Give Parquet files, or a frame"
    ):
        validate({"f0": [1]}, suite)  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"empty holds 0 Parquet files\. Give"):
        validate(tmp_path / "empty", suite)


def test_a_suite_may_be_a_mapping_or_a_file(tmp_path: Path) -> None:
    """Each form of a suite gives the same result, under its own name."""
    plain = {"expectations": [expect("column_values_to_not_be_null", column="f0")]}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(plain))
    frame = make_frame(100)
    forms = [build_suite("own", plain), plain, plain | {"name": "n"}, file, str(file)]
    found = [validate(frame, form).result for form in forms]  # type: ignore[arg-type]
    assert [one.suite_name for one in found] == ["own", "suite", "n", "mine", "mine"]
    counts = [one.results[0].result["unexpected_count"] for one in found]
    assert counts == [int(frame["f0"].isna().sum())] * 5
    exported = build_suite("own", plain).to_json_dict()  # type: ignore[no-untyped-call]
    assert validate(frame, exported).result.suite_name == "own"


@pytest.mark.parametrize(
    ("suite", "says"),
    [
        (7, r"'7', of type int, is no suite\. Give a great_expectations\.ExpectationSuite, a dict"),
        ({"f0": 1}, r"the mapping given is no suite: it holds no list `expectations`\. Correct"),
        ({"expectations": [3]}, r"expectation 1, '3', is none\. Correct it"),
        ("gone.json", r"the suite gone\.json was not found\. Name a suite's JSON file"),
        (
            {"expectations": [{"type": "expect_column_to_exst", "kwargs": {}}]},
            "knows no expectation 'expect_column_to_exst'.*did you mean 'expect_column_to_exist'",
        ),
    ],
)
def test_what_is_no_suite_is_refused_with_a_fix(suite: Any, says: str) -> None:
    """It is said before the table is read, and never by a library's error."""
    with pytest.raises(ConfigError, match=f"^validation: .*{says}"):
        validate(make_frame(10), suite)
