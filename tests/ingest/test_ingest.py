"""Ingest: lasting ids, labels, keys, and new rows read as the source was."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.dataset_yaml import parse_config
from pipeline.config.settings import DatasetConfig, IngestConfig
from pipeline.dataset import FLAGS, REASON, ROW_ID
from pipeline.errors import ConfigError, DataContractError
from pipeline.ingest.canonical import Canonical, canonicalise
from pipeline.ingest.columns import read_rows
from pipeline.sources.reading import SourceTable, TextColumn, read_source

Columns = dict[str, list[str]]


def make_table(columns: Columns, delimiter: str = ",") -> SourceTable:
    """Make a source of texts, as it is read."""
    encoded = {}
    for name, texts in columns.items():
        codes, values = pd.factorize(np.array([t.strip() for t in texts], dtype=object))
        encoded[name] = TextColumn(name, codes.astype(np.int32), values, np.bincount(codes))
    rows = len(next(iter(columns.values())))
    return SourceTable(encoded, rows, [], {"format": "csv", "delimiter": delimiter})


def make_config(**keys: object) -> DatasetConfig:
    """Make a declaration of the target ``y``."""
    return parse_config({"dataset": "d", "source": "s.csv", "target": "y", **keys})


def ingest(columns: Columns, /, **keys: object) -> Canonical:
    """Canonicalise columns of texts."""
    return canonicalise(make_table(columns), make_config(**keys))


def name_rows(columns: Columns, /, **keys: object) -> list[str]:
    """Give the ids of the rows in their order."""
    return list(ingest(columns, **keys).frame[ROW_ID])


cells = st.sampled_from(["", "?", "0.5", "0.50", "1", "-0", "a", "A", "été", "b c"])


@st.composite
def sources(draw: st.DrawFn) -> Columns:
    """Draw a small table with two classes, some rows of which may be equal."""
    rows = draw(st.integers(4, 14))
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True))
    columns = {n: draw(st.lists(cells, min_size=rows, max_size=rows)) for n in names}
    labels = ["p", "q"] * (rows // 2) + ["p"] * (rows % 2)
    # Something to learn from, whatever the cells hold.
    return columns | {"y": labels, "z": ["t" if label == "p" else "f" for label in labels]}


def permute(columns: Columns, order: list[int]) -> Columns:
    """Bring the rows into another order."""
    return {name: [texts[i] for i in order] for name, texts in columns.items()}


@given(columns=sources(), data=st.data())
def test_ids_do_not_hang_on_the_order_of_rows_or_columns(
    columns: Columns, data: st.DataObject
) -> None:
    """The same rows have the same ids in any order; ids are unique, 32 hexadecimal digits."""
    plain = name_rows(columns)
    order = data.draw(st.permutations(range(len(plain))))
    names = data.draw(st.permutations(list(columns)))
    other = permute({name: columns[name] for name in names}, order)
    assert sorted(name_rows(other)) == sorted(plain)
    assert len(set(plain)) == len(plain)
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in plain)
    # A row that has no equal keeps its very own id.
    lines = list(zip(*columns.values(), strict=True))
    moved = name_rows(other)
    for new, old in enumerate(order):
        if lines.count(lines[old]) == 1 and not {"0.5", "0.50", "-0"} & set(lines[old]):
            assert moved[new] == plain[old]


@given(columns=sources(), data=st.data())
def test_one_changed_cell_changes_one_id(columns: Columns, data: st.DataObject) -> None:
    """A row's id depends on all of its own values and on no other row's."""
    columns["z"] = [f"row {i}" for i in range(len(columns["y"]))]
    name = data.draw(st.sampled_from([n for n in columns if n != "y"]))
    row = data.draw(st.integers(0, len(columns["y"]) - 1))
    changed = columns | {name: list(columns[name])}
    changed[name][row] = "something else"
    keys = {"columns": {n: {"role": "categorical"} for n in columns if n != "y"}}
    plain, other = name_rows(columns, **keys), name_rows(changed, **keys)
    assert [i for i, pair in enumerate(zip(plain, other, strict=True)) if len({*pair}) > 1] == [row]


@given(st.integers(2, 6))
def test_equal_rows_are_told_apart_by_counting(times: int) -> None:
    """One more copy of a row gets a new id; those that were there keep theirs."""
    columns = {"a": ["1", "2", "3"] + ["5"] * times, "y": ["p", "q", "p"] + ["q"] * times}
    more = {name: [*texts, texts[-1]] for name, texts in columns.items()}
    assert name_rows(more)[:-1] == name_rows(columns)
    assert ingest(columns).facts.repeated_rows == times - 1


def test_ids_are_the_same_from_csv_and_parquet(tmp_path: Path) -> None:
    """0.60 in a CSV file is 0.6 in Parquet; -0, 1.0 and 1 are one number too."""
    (tmp_path / "x.csv").write_text(
        "n,m,word,when,y\n0.60,1,a,2020-01-02,p\n-0,2,b,,q\n1e3,,a,2020-01-03,p\n"
    )
    frame = pd.DataFrame(
        {
            "y": ["p", "q", "p"],
            "when": pd.to_datetime(["2020-01-02", None, "2020-01-03"]).date,
            "word": pd.Categorical(["a", "b", "a"]),
            "m": [1.0, 2.0, None],
            "n": [0.6, 0.0, 1000.0],
        }
    )
    frame.to_parquet(tmp_path / "x.parquet")
    ids = [
        list(
            canonicalise(read_source(tmp_path / name, IngestConfig()), make_config()).frame[ROW_ID]
        )
        for name in ("x.csv", "x.parquet")
    ]
    assert ids[0] == ids[1]


def test_a_key_names_the_rows() -> None:
    """With a key a row keeps its id when its values change."""
    columns = {"k": ["r1", "r2", "r3"], "a": ["1", "2", "3"], "y": ["p", "q", "p"]}
    canonical = ingest(columns, key="k")
    assert list(canonical.frame[ROW_ID]) == ["r1", "r2", "r3"]
    assert canonical.facts.row_ids == "key k"
    assert canonical.facts.schema.roles["k"] == "identifier"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["r1", "r1", "r3"], "the key 'k' is blank in 0 rows and repeats 1 value: 'r1'"),
        (["r1", "", "r3"], "the key 'k' is blank in 1 row and repeats 0 values"),
        (["", "", "r3"], "the key 'k' is blank in 2 rows and repeats 0 values"),
    ],
)
def test_a_key_must_be_unique(keys: list[str], says: str) -> None:
    """A key that repeats, or is blank, can't name rows."""
    with pytest.raises(DataContractError, match=f"{says}.*remove `key`"):
        ingest({"k": keys, "a": ["1", "2", "3"], "y": ["p", "q", "p"]}, key="k")


def test_values_are_typed_by_role() -> None:
    """Numbers are float64, dates timestamps, all else is text; what can't be read is missing."""
    columns = {
        "n": ["1", "2.5", "None", "x", "?"] * 40 + ["3"] * 40,
        "when": ["2020-01-02", "2020-02-03", "", "", ""] * 40 + ["2021-01-01"] * 40,
        "c": ["a", "b", "None", "a", "NA"] * 40 + ["a"] * 40,
        "y": ["p", "q", "p", "p", "q"] * 40 + ["q"] * 40,
    }
    canonical = ingest(columns, columns={"n": {"role": "numeric"}})
    frame = canonical.frame
    assert frame.dtypes.drop([ROW_ID, "when"]).astype(str).to_dict() == {
        "n": "float64", "c": "str", "y": "str",
    }  # fmt: skip
    assert frame["when"].dtype == "datetime64[us]"
    assert frame["c"].value_counts()["None"] == 40
    facts = {column.name: column for column in canonical.facts.columns}
    assert (facts["n"].missing, facts["n"].unparsable) == (120, 80)
    assert facts["n"].unparsable_examples == ["None", "x"]
    assert facts["c"].tokens == {"NA": 40}
    assert frame["n"].isna().sum() == 120


def test_tokens_of_one_column_stay_in_it() -> None:
    """A text declared missing in one column is a value in another; what is to be kept is kept."""
    columns = {
        "a": ["-999", "5", "-999.0", "7"],
        "b": ["-999", "5", "-999.0", "7"],
        "c": ["NA", "US", "NA", "FR"],
        "y": ["p", "q", "p", "q"],
    }
    keys = {"columns": {"a": {"missing": ["-999"]}, "c": {"keep": ["NA"]}}}
    frame = ingest(columns, **keys).frame
    assert frame["a"].isna().tolist() == [True, False, True, False]
    assert frame["b"].tolist() == [-999, 5, -999, 7]
    assert frame["c"].tolist() == ["NA", "US", "NA", "FR"]


def test_rows_without_a_label_are_set_aside_and_counted() -> None:
    """A row that has no label teaches nothing, but it is not lost."""
    columns = {"a": ["1", "2", "3", "4"], "y": ["p", "", "q", "?"]}
    canonical = ingest(columns)
    assert list(canonical.frame["a"]) == [1, 3]
    assert list(canonical.unlabelled["a"]) == [2, 4]
    facts = canonical.facts
    assert (facts.rows, facts.labelled, facts.unlabelled) == (4, 2, 2)
    assert facts.classes == {"p": 1, "q": 1}


def test_whole_number_labels_are_written_in_one_way() -> None:
    """'1' and '1.0' are one class, in whichever format the source comes."""
    assert ingest({"a": ["1", "2", "3"], "y": ["1", "1.0", "0"]}).facts.classes == {"0": 1, "1": 2}


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([""] * 30, "the target 'y' is missing in every row"),
        (["p"] * 29 + [""], "the target 'y' has a single class, 'p', in 29 rows"),
        (
            [f"{i}.5" for i in range(30)],
            "the target 'y' has 30 different values in 30 rows.*regression is not supported",
        ),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: list[str], says: str) -> None:
    """Nothing can be learned without classes, from one class, or for a number."""
    with pytest.raises(DataContractError, match=says):
        ingest({"a": [str(i) for i in range(30)], "y": labels})


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"target": "z"}, "target names the column 'z'.*known are 'ab', 'y'"),
        ({"target": "Y"}, "target names the column 'Y'.*did you mean 'y'"),
        ({"key": "id"}, "key names the column 'id'"),
        ({"split": {"by": "group", "column": "abc"}}, "split.column.*did you mean 'ab'"),
        ({"cleaning": {"drop_columns": ["x"]}}, "cleaning.drop_columns names the column 'x'"),
        ({"imputation": {"columns": {"x": "mean"}}}, "imputation.columns names the column 'x'"),
    ],
)
def test_a_name_that_the_source_lacks_is_refused(keys: dict[str, object], says: str) -> None:
    """What the declaration names is there; a near miss is offered."""
    with pytest.raises(ConfigError, match=says):
        ingest({"ab": ["1", "2"], "y": ["p", "q"]}, **keys)


def test_a_declared_column_that_vanished_is_left_to_the_suites() -> None:
    """A column that is absent is judged, not a fault of the declaration."""
    columns = {"a": ["1", "2"], "y": ["p", "q"]}
    assert "b" not in ingest(columns, columns={"b": {"role": "numeric"}}).frame


@pytest.mark.parametrize("name", ["split", *FLAGS, REASON])
def test_names_that_assay_needs_are_changed_or_refused(name: str) -> None:
    """A feature gets another name than a column that stages add beside it; a target can't."""
    canonical = ingest({name: ["1", "2"], "y": ["p", "q"]})
    assert list(canonical.facts.schema.roles) == [f"{name}_", "y"]
    with pytest.raises(ConfigError, match=f"has a column named '{name}'.*Rename the column"):
        ingest({"a": ["1", "2"], name: ["p", "q"]}, target=name)


def test_a_column_named_row_id_that_is_no_key_is_refused() -> None:
    """It may name the rows or not: who wrote the source knows."""
    with pytest.raises(ConfigError, match=r"has a column named 'row_id'.*declare it as `key`"):
        ingest({"row_id": ["1", "2"], "y": ["p", "q"]})


def test_only_the_key_may_be_named_row_id() -> None:
    """The name is taken for the id of a row, and a key is just that; no value of it is missing."""
    canonical = ingest({"row_id": ["r1", "NA"], "a": ["1", "2"], "y": ["p", "q"]}, key="row_id")
    assert list(canonical.frame[ROW_ID]) == ["r1", "NA"]
    assert list(canonical.facts.schema.roles) == ["a", "y"]
    with pytest.raises(ConfigError, match="has a column named 'split'"):
        ingest({"split": ["r1", "r2"], "y": ["p", "q"]}, key="split")
    assert list(canonical.frame.columns) == ["row_id", "a", "y"]


raw_cells = st.one_of(
    st.sampled_from(["", "?", "1", "2.50", "-999", "NA", "none", "2020-01-02", "yes", "no", "x "]),
    st.text(max_size=4),
)


@given(st.lists(st.tuples(raw_cells, raw_cells, raw_cells, raw_cells), min_size=2, max_size=12))
def test_new_rows_are_read_as_the_source_was(rows: list[tuple[str, ...]]) -> None:
    """The same raw values give the same typed values, whether in the source or as new rows."""
    names = ("n", "when", "c", "b")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    roles = {"n": "numeric", "when": "datetime", "c": "categorical", "b": "boolean"}
    declared = {n: {"role": r, "missing": ["-999"]} for n, r in roles.items()}
    declared["when"] |= {"format": "%Y-%m-%d"}
    if "2020-01-02" not in [text.strip() for text in columns["when"]]:
        columns["when"][0] = "2020-01-02"
    labels = ["p", "q"] * (len(rows) // 2) + ["p"] * (len(rows) % 2)
    if sum(text.strip()[-1:].isdecimal() for text in columns["n"]) <= len(rows) / 2:
        columns["n"] = ["7"] * len(rows)  # a declared role that most values lack is refused
    if sum(text.strip() == "2020-01-02" for text in columns["when"]) <= len(rows) / 2:
        columns["when"] = ["2020-01-02"] * len(rows)
    canonical = ingest(columns | {"y": labels}, columns=declared)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*can't be read as")
        got = read_rows(pd.DataFrame(columns), canonical.rules)
    pd.testing.assert_frame_equal(got, canonical.frame[list(names)])


def test_new_rows_may_hold_typed_values() -> None:
    """Numbers, None, NaN, booleans and timestamps are read as their texts are."""
    columns = {
        "n": ["1", "2.5", "", "-999"],
        "b": ["true", "false", "", "true"],
        "c": ["1", "2", "", "3"],
        "when": ["2020-01-02", "2020-01-03", "", "2020-01-02"],
        "y": ["p", "q", "p", "q"],
    }
    declared = {"n": {"missing": ["-999"]}, "c": {"role": "categorical"}}
    canonical = ingest(columns, columns=declared)
    typed = pd.DataFrame(
        {
            "n": [1, 2.5, None, -999],
            "b": [True, False, None, np.True_],
            "c": [1.0, 2, float("nan"), 3],
            "when": pd.to_datetime(columns["when"]),
        },
        dtype=object,
    )
    got = read_rows(typed, canonical.rules)
    pd.testing.assert_frame_equal(got, canonical.frame[["n", "b", "c", "when"]])
    partly = read_rows(typed[["n"]], canonical.rules)
    assert partly["c"].isna().all()
    assert partly["when"].isna().all()
    assert partly["n"].equals(got["n"])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["old"], "'old' can't be read as numeric and counts as missing (1 row)"),
        (["old", "new"], "'old', 'new' can't be read as numeric and count as missing (2 rows)"),
    ],
)
def test_a_value_that_cannot_be_read_warns_in_its_number(values: list[str], says: str) -> None:
    """One value counts as missing, several count; the column and the values are named."""
    canonical = ingest({"age": ["1", "2.5"], "y": ["p", "q"]})
    with pytest.warns(UserWarning, match=re.escape(f"column 'age': {says}")):
        read_rows(pd.DataFrame({"age": values}), canonical.rules)


def test_numbers_with_a_decimal_comma_are_read_alike() -> None:
    """A comma in the source stays a comma in new rows; typed numbers need none."""
    table = make_table({"n": ["1,5", "2,25", "1.000,5"], "y": ["p", "q", "p"]}, delimiter=";")
    canonical = canonicalise(table, make_config())
    assert canonical.frame["n"].tolist() == [1.5, 2.25, 1000.5]
    got = read_rows(pd.DataFrame({"n": ["1,5", 2.25, 1000.5]}, dtype=object), canonical.rules)
    assert got["n"].tolist() == [1.5, 2.25, 1000.5]


def test_ingest_leaves_the_source_as_it_was() -> None:
    """The table that was read is not changed."""
    table = make_table({"n": ["?", "2", "3"], "y": ["1", "0", "1.0"]})
    before = {n: (c.codes.copy(), list(c.values)) for n, c in table.columns.items()}
    canonicalise(table, make_config())
    for name, column in table.columns.items():
        assert (column.codes == before[name][0]).all()
        assert list(column.values) == before[name][1]
