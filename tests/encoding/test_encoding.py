"""Encoding: names, blocks and values agree; what training did not show has its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.settings import EncodingConfig
from pipeline.dataset import ROW_ID, Role, Schema, TrainSet
from pipeline.encoding.features import FittedEncoding, encode, find_bucketed, fit_encoding
from pipeline.storage.store import dump_json, load_facts

ROLES: dict[str, Role] = {
    "n": "numeric", "same": "numeric", "word": "categorical", "flag": "boolean",
    "when": "datetime", "y": "target",
}  # fmt: skip
CLASSES = ["p", "q"]


def make_frame(rows: int = 60, seed: int = 0, words: str = "abcde") -> pd.DataFrame:
    """Make repaired rows of each role."""
    draw = np.random.default_rng(seed)
    days = draw.integers(0, 900, rows)
    return pd.DataFrame(
        {
            ROW_ID: [f"row-{i}" for i in range(rows)],
            "n": draw.normal(500, 20, rows),
            "same": np.full(rows, 3.0),
            "word": pd.Series(draw.choice(list(words), rows), dtype="str"),
            "flag": pd.Series(draw.choice(["f", "t"], rows), dtype="str"),
            "when": pd.to_datetime("2020-01-01") + pd.to_timedelta(days, "D"),
            "y": pd.Series(draw.choice(CLASSES, rows), dtype="str"),
        }
    )


def fit(frame: pd.DataFrame, roles: dict[str, Role] | None = None, **knobs: Any) -> FittedEncoding:
    """Learn the encoding of a frame."""
    schema = Schema("y", roles or ROLES)
    return fit_encoding(TrainSet(frame, schema), EncodingConfig.model_validate(knobs), CLASSES)


def encode_named(frame: pd.DataFrame, fitted: FittedEncoding) -> pd.DataFrame:
    """Encode, with the names of the features."""
    return pd.DataFrame(encode(frame, fitted), columns=fitted.features)


@given(
    scaling=st.sampled_from(["standard", "minmax", "robust", "none"]),
    categorical=st.sampled_from(["onehot", "ordinal"]),
    max_categories=st.integers(2, 8),
    seed=st.integers(0, 500),
)
def test_names_blocks_and_values_agree(
    scaling: str, categorical: str, max_categories: int, seed: int
) -> None:
    """One finite float32 per feature; blocks part the last positions; one-hot rows sum to 1."""
    frame, other = make_frame(seed=seed), make_frame(seed=seed + 1, words="abcdexyz")
    before = other.copy(deep=True)
    fitted = fit(frame, scaling=scaling, categorical=categorical, max_categories=max_categories)
    values = encode(other, fitted)
    pd.testing.assert_frame_equal(other, before)
    assert values.dtype == np.float32
    assert values.shape == (len(other), len(fitted.features))
    assert np.isfinite(values).all()
    assert len(set(fitted.features)) == len(fitted.features)
    positions = [position for block in fitted.blocks for position in block]
    assert positions == list(range(len(fitted.features)))[len(fitted.features) - len(positions) :]
    assert len(fitted.blocks) == 2
    for code, block in zip(fitted.categories, fitted.blocks, strict=True):
        assert all(fitted.features[p].startswith(code.column) for p in block)
        assert (len(block) > 1) == code.onehot
        if code.onehot:
            assert set(np.unique(values[:, block])) <= {0.0, 1.0}
            assert (values[:, block].sum(axis=1) == 1).all()
        else:
            assert (values[:, block] >= 0).all()
            assert (values[:, block] <= 1).all()


@given(st.lists(st.integers(0, 59), min_size=1, max_size=60), st.integers(0, 100))
def test_a_row_is_encoded_alike_alone_or_among_others(rows: list[int], seed: int) -> None:
    """What is encoded depends on the row and on what was learned, not on its company."""
    frame = make_frame(seed=seed)
    fitted = fit(frame)
    assert encode(frame.iloc[rows], fitted).tobytes() == encode(frame, fitted)[rows].tobytes()
    assert encode(frame.iloc[:0], fitted).shape == (0, len(fitted.features))


@pytest.mark.parametrize(
    ("scaling", "check"),
    [
        ("standard", lambda v: (round(v.mean(), 4), round(v.std(), 4)) == (0, 1)),
        ("minmax", lambda v: (v.min(), v.max()) == (0, 1)),
        ("robust", lambda v: np.allclose(np.quantile(v, [0.5, 0.75]) - np.quantile(v, [0.25, 0.25]),
                                         [-np.quantile(v, 0.25), 1], atol=1e-5)),
        ("none", lambda v: 400 < v.mean() < 600),
    ],
)  # fmt: skip
def test_each_scaling_does_what_it_says(scaling: str, check: Any) -> None:
    """Training rows come out with the centre and width that the method names."""
    frame = make_frame()
    values = encode_named(frame, fit(frame, scaling=scaling))
    assert check(values["n"].to_numpy(np.float64))
    assert set(values["same"]) == {3.0 if scaling == "none" else 0.0}


def test_an_unknown_category_goes_to_the_bucket() -> None:
    """A category that training lacks, or that is too rare for a code, shares one feature."""
    frame = make_frame(words="abcde")
    fitted = fit(frame, max_categories=3)
    (word, _) = fitted.categories
    counts = frame["word"].value_counts()
    assert set(word.categories) == set(sorted(counts.index, key=lambda t: (-counts[t], t))[:3])
    assert word.folded == counts.sum() - counts[word.categories].sum()
    new = make_frame(4)
    new["word"] = pd.Series(["zzz", word.categories[0], "", "(other)"], dtype="str")
    values = encode_named(new, fitted)
    assert values["word=(other)"].tolist() == [1, 0, 1, 1]
    assert find_bucketed(new, fitted) == {"word": 3}
    ordinal = encode_named(new, fit(frame, max_categories=3, categorical="ordinal"))["word"]
    assert ordinal.tolist() == [1, 0, 1, 1]


def test_a_boolean_is_one_feature() -> None:
    """Its two values are 0 and 1; a third one, never seen, lies between."""
    frame = make_frame()
    fitted = fit(frame)
    new = make_frame(3)
    new["flag"] = pd.Series(["f", "t", "perhaps"], dtype="str")
    assert encode_named(new, fitted)["flag=t"].tolist() == [0, 1, 0.5]


def test_dates_lie_on_circles() -> None:
    """The year's and the week's places repeat; the day's only where there are hours."""
    frame = make_frame()
    fitted = fit(frame)
    parts = [name for name in fitted.features if name.startswith("when")]
    assert parts == [
        "when", "when sin of year", "when cos of year", "when sin of week", "when cos of week",
    ]  # fmt: skip
    new = make_frame(2)
    new["when"] = pd.to_datetime(["2021-03-01", "2021-03-29"])
    values = encode_named(new, fitted)
    for name in ("when sin of week", "when cos of week"):
        assert values[name].iloc[0] == pytest.approx(values[name].iloc[1], abs=1e-5)
    assert values["when"].iloc[0] < values["when"].iloc[1]
    squares = values["when sin of year"] ** 2 + values["when cos of year"] ** 2
    assert squares.tolist() == pytest.approx([1, 1], abs=1e-6)
    frame["when"] += pd.Timedelta(hours=5)
    assert "when sin of day" in fit(frame).features
    frame["when"] = pd.Timestamp("2020-05-05")
    assert [n for n in fit(frame).features if n.startswith("when")] == ["when"]


def test_indicators_are_numbers() -> None:
    """A numeric column that is no column of the source, as imputation adds them, is encoded."""
    frame = make_frame()
    frame["n is missing"] = [0.0, 1.0] * 30
    assert "n is missing" in fit(frame).features


@given(
    seed=st.integers(0, 500),
    scaling=st.sampled_from(["standard", "minmax", "robust", "none"]),
    categorical=st.sampled_from(["onehot", "ordinal"]),
    words=st.sets(st.text(min_size=1, max_size=4), min_size=1, max_size=6),
)
def test_a_fitted_encoding_survives_json(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    scaling: str,
    categorical: str,
    words: set[str],
) -> None:
    """Written and read back it is equal, and gives the same bytes."""
    frame = make_frame(seed=seed)
    known = sorted(word.encode("utf-8", "replace").decode() for word in words)
    frame["word"] = pd.Series(np.random.default_rng(seed).choice(known, len(frame)), dtype="str")
    fitted = fit(frame, scaling=scaling, categorical=categorical)
    path = tmp_path_factory.mktemp("t") / "encoding.json"
    dump_json(path, fitted)
    again = load_facts(path, FittedEncoding)
    assert again == fitted
    assert encode(frame, again).tobytes() == encode(frame, fitted).tobytes()


@pytest.mark.parametrize("name", ["origin", "sample_weight", "row_id"])
def test_a_feature_never_has_the_name_of_another_column(name: str) -> None:
    """A published table has columns of its own; a feature of such a name is marked as one."""
    frame = make_frame()[["n", "y"]].rename(columns={"n": name})
    fitted = fit(frame, {name: "numeric", "y": "target"})
    assert fitted.features == [f"{name} (feature)"]


def test_a_category_may_spell_the_name_of_another_feature() -> None:
    """Two features never share a name, whatever columns and categories are called."""
    frame = make_frame().rename(columns={"n": "word=a"})
    roles: dict[str, Role] = {"word=a": "numeric", "word": "categorical", "y": "target"}
    fitted = fit(frame, roles)
    assert len(set(fitted.features)) == len(fitted.features) == encode(frame, fitted).shape[1]
    frame["word"] = pd.Series(["(other)", "x"] * 30, dtype="str")
    assert fit(frame, {"word": "categorical", "y": "target"}).features[-3:] == [
        "word=(other)", "word=x", "word=(other) (feature)",
    ]  # fmt: skip


def test_a_data_set_of_one_role_is_encoded() -> None:
    """Nothing asks for a number or a category to be there."""
    frame = make_frame()
    for name in ("n", "word", "flag", "when"):
        fitted = fit(frame, {name: ROLES[name], "y": "target"})
        assert encode(frame, fitted).shape == (len(frame), len(fitted.features))


def test_training_as_it_stands_decides_the_codes() -> None:
    """The order of rows does not matter to what is learned of categories."""
    frame = make_frame()
    moved = frame.sample(frac=1, random_state=0)
    assert fit(frame).categories == fit(moved).categories
