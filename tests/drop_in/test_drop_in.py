"""Our KNNImputer and samplers stand in for the libraries' own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import imblearn.combine
import imblearn.over_sampling
import imblearn.under_sampling
import numpy as np
import pandas as pd
import pytest
import sklearn.impute
from imblearn.utils.estimator_checks import parametrize_with_checks as check_samplers
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.utils.estimator_checks import parametrize_with_checks

from pipeline import resampling
from pipeline.errors import DataContractError
from pipeline.imputation import KNNImputer
from pipeline.neighbours import search
from pipeline.resampling import (
    ADASYN,
    SMOTE,
    SMOTEENN,
    SMOTEN,
    SMOTENC,
    BorderlineSMOTE,
    EditedNearestNeighbours,
    SMOTETomek,
    TomekLinks,
)
from tests.drop_in.borrowed import MODULES, run_borrowed


@pytest.mark.slow
def test_the_libraries_own_tests_pass(tmp_path: Path) -> None:
    """Each test of the libraries' modules for the classes; none is left out."""
    outcome = run_borrowed(MODULES, tmp_path)
    counts = re.fullmatch(r"(\d+) passed(, \d+ warnings?)?", outcome.counts)
    assert counts, outcome.text
    assert int(counts.group(1)) > 100


IMPUTERS = [KNNImputer(), KNNImputer(weights="distance", n_neighbors=2)]
# scikit-learn's imputer takes no array API either, and the check skips itself.
CHECKS = [
    (estimator, check)
    for estimator, check in parametrize_with_checks(IMPUTERS).args[1]
    if "array_api" not in str(check)
]


def name_check(value: Any) -> str:
    """Name an estimator or a check, alike in each process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))[:90]


@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=name_check)
def test_the_imputer_is_a_scikit_learn_estimator(estimator: Any, check: Any) -> None:
    """check_estimator, check by check."""
    check(estimator)


@check_samplers(
    [
        SMOTE(random_state=0),
        BorderlineSMOTE(random_state=0),
        ADASYN(random_state=0),
        SMOTEN(random_state=0),
        TomekLinks(),
        EditedNearestNeighbours(),
        SMOTETomek(random_state=0),
        SMOTEENN(random_state=0),
    ]
)
def test_samplers_are_imbalanced_learn_samplers(estimator: Any, check: Any) -> None:
    """imbalanced-learn's check_estimator, check by check."""
    check(estimator)


@pytest.mark.parametrize("weights", ["uniform", "distance", lambda d: np.exp(-d)])
@pytest.mark.parametrize("gaps", [0.05, 0.5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fills_are_scikit_learns(weights: Any, gaps: float, dtype: Any) -> None:
    """The same values, within rounding, of rows with few gaps and with many."""
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(900, 6)).astype(dtype)
    rows[draw.random(rows.shape) < gaps] = np.nan
    options: dict[str, Any] = {"n_neighbors": 3, "weights": weights, "add_indicator": True}
    got = KNNImputer(**options).fit_transform(rows)
    # In float32 scikit-learn's distances have four digits; ours are float64 in any case.
    expected = sklearn.impute.KNNImputer(**options).fit_transform(rows.astype(np.float64))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, atol=1e-5 if dtype is np.float32 else 1e-12)


def test_of_equally_far_donors_the_first_fill() -> None:
    """Ties are broken by the order of the fitted rows, in any batch."""
    donors = np.array([[0.0, 10.0], [0.0, 20.0], [0.0, 30.0], [0.0, 40.0]])
    imputer = KNNImputer(n_neighbors=2).fit(donors)
    gap = np.array([[1.0, np.nan]])
    assert imputer.transform(gap)[0, 1] == 15.0
    assert imputer.transform(np.repeat(gap, 3000, axis=0))[:, 1].tolist() == [15.0] * 3000


PAIRS = [
    (SMOTE, imblearn.over_sampling.SMOTE),
    (BorderlineSMOTE, imblearn.over_sampling.BorderlineSMOTE),
    (ADASYN, imblearn.over_sampling.ADASYN),
    (SMOTETomek, imblearn.combine.SMOTETomek),
    (SMOTEENN, imblearn.combine.SMOTEENN),
    (TomekLinks, imblearn.under_sampling.TomekLinks),
    (EditedNearestNeighbours, imblearn.under_sampling.EditedNearestNeighbours),
]


@pytest.mark.parametrize(("mine", "theirs"), PAIRS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_rows_are_imbalanced_learns_to_the_bit(mine: Any, theirs: Any, seed: int) -> None:
    """Where no two distances tie, the same rows are made and left out for the same seed."""
    values, labels = make_classification(
        2500, 8, n_informative=4, n_classes=3, weights=[0.7, 0.2], random_state=seed
    )
    options = {"random_state": seed} if hasattr(theirs(), "random_state") else {}
    got = mine(**options).fit_resample(values, labels)
    expected = theirs(**options).fit_resample(values, labels)
    assert got[0].tobytes() == expected[0].tobytes()
    assert got[1].tolist() == expected[1].tolist()


@pytest.mark.parametrize("classes", [2, 3])
def test_categories_are_imbalanced_learns_to_the_bit(classes: int) -> None:
    """SMOTENC and SMOTEN draw and vote as imbalanced-learn does, without its columns."""
    values, labels = make_classification(
        2000, 8, n_informative=4, n_classes=classes, random_state=0
    )
    draw = np.random.default_rng(0)
    values[:, 5:] = draw.integers(0, 5, (2000, 3))
    rare = (labels == 1) & (draw.random(2000) < 0.8)
    values, labels = values[~rare], labels[~rare]
    options: dict[str, Any] = {"categorical_features": [5, 6, 7], "random_state": 0}
    got = SMOTENC(**options).fit_resample(values, labels)
    expected = imblearn.over_sampling.SMOTENC(**options).fit_resample(values, labels)
    assert got[0].tobytes() == expected[0].tobytes()
    # Rows with a category of their own each, so that no two are equally alike.
    words = np.stack([draw.integers(0, 40, 600), draw.integers(0, 40, 600)], axis=1).astype(str)
    got = SMOTEN(random_state=0).fit_resample(words, labels[:600])
    near = imblearn.over_sampling.SMOTEN(random_state=0).fit_resample(words, labels[:600])
    assert got[0].shape == near[0].shape
    assert (got[0] == near[0]).mean() > 0.9


def make_table() -> tuple[pd.DataFrame, pd.Series]:
    """Make rows of many types; the label 'rare' wants more."""
    draw = np.random.default_rng(0)
    n = 200
    table = pd.DataFrame(
        {
            "number": draw.normal(size=n),
            "small": draw.normal(size=n).astype("float32"),
            "count": draw.integers(0, 50, n),
            "nullable": pd.array(draw.integers(0, 50, n), dtype="Int64"),
            "flag": draw.random(n) < 0.3,
        }
    )
    return table, pd.Series(np.where(np.arange(n) < 160, "common", "rare"), name="y")


@pytest.mark.parametrize("sampler", [SMOTE, BorderlineSMOTE, ADASYN, SMOTETomek, SMOTEENN])
def test_whole_numbers_stay_whole(sampler: Any) -> None:
    """Types are kept, and what lies between two whole numbers is rounded, not cut off."""
    table, labels = make_table()
    rows, made = sampler(random_state=0).fit_resample(table, labels)
    pd.testing.assert_series_equal(rows.dtypes, table.dtypes)
    assert set(made) == {"common", "rare"}
    plain = sampler(random_state=0).fit_resample(table.astype("float64"), labels)[0]
    assert len(plain) == len(rows)
    for name in ("count", "nullable", "flag"):
        expected = np.rint(plain[name].to_numpy())
        np.testing.assert_array_equal(rows[name].to_numpy(dtype=float), expected)
    assert (plain["count"] % 1 > 0.5).any() or sampler is SMOTEENN


def test_what_has_nothing_between_is_refused() -> None:
    """Dates, categories and numbers that no float holds: column, count and a way out."""
    table, labels = make_table()
    days = table.assign(when=pd.Timestamp("2020-01-01"))
    with pytest.raises(DataContractError, match=r"column 'when' is datetime.*200 rows.*days"):
        SMOTE().fit_resample(days, labels)
    kinds = table.assign(kind=pd.Categorical(["a", "b"] * 100))
    with pytest.raises(DataContractError, match=r"column 'kind' is category.*Use SMOTENC"):
        ADASYN().fit_resample(kinds, labels)
    large = table.assign(key=2**60 + np.arange(200))
    with pytest.raises(DataContractError, match="column 'key' holds 200 whole numbers beyond 2"):
        SMOTE().fit_resample(large, labels)
    rows, _ = SMOTENC(["kind"], random_state=0).fit_resample(kinds, labels)
    pd.testing.assert_series_equal(rows.dtypes, kinds.dtypes)


def test_many_categories_take_no_more_memory_than_the_rows() -> None:
    """With a category for each row nothing of rows times categories is ever held."""
    import tracemalloc

    draw = np.random.default_rng(0)
    n = 20_000
    table = pd.DataFrame({"number": draw.normal(size=n), "name": [f"word {i}" for i in range(n)]})
    labels = draw.random(n) < 0.1
    tracemalloc.start()
    rows, _ = SMOTENC(["name"], random_state=0).fit_resample(table, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(rows) == 2 * int((~labels).sum())
    # A dense one-hot table of the made rows alone would take 2.6 GB.
    assert peak < 60e6


def test_all_samplers_are_named_where_they_are_imported_from() -> None:
    """The lazily imported names are there, and others are not."""
    for name in resampling.__all__:
        assert getattr(resampling, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'SMOTEX'"):
        _ = resampling.SMOTEX


@pytest.mark.parametrize("compiled", [False, True])
def test_rows_that_are_filled_in_place_are_donors_as_they_were(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a copy, no filled cell counts as known; several chunks are filled at once."""
    monkeypatch.setattr(search, "_is_small", lambda index, rows: not compiled)
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(2500, 5))
    rows[draw.random(rows.shape) < 0.3] = np.nan
    expected = KNNImputer().fit_transform(rows)
    given = rows.copy()
    got = KNNImputer(copy=False).fit_transform(given)
    assert got.tobytes() == expected.tobytes()
    assert np.shares_memory(got, given)


def test_weights_see_the_donors_of_their_column_alone() -> None:
    """A function of distances gets no more of them than a column has donors, and may give 0."""
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(8, 3))
    rows[3:, 0] = np.nan
    rows[[0, 5], 1] = np.nan
    for weights in (
        lambda d: d.max(axis=1, keepdims=True) - d + 1e-3,
        lambda d: np.maximum(0, 1e-3 - d),
    ):
        got = KNNImputer(weights=weights).fit_transform(rows)
        expected = sklearn.impute.KNNImputer(weights=weights).fit_transform(rows)
        np.testing.assert_allclose(got, expected)
    most = KNNImputer(n_neighbors=10**9).fit_transform(rows)
    np.testing.assert_allclose(most, KNNImputer(n_neighbors=8).fit_transform(rows))
    later = KNNImputer(metric=lambda a, b, **_: 0.0).fit(rows).set_params(metric="nan_euclidean")
    np.testing.assert_allclose(later.transform(rows), KNNImputer().fit_transform(rows))


@pytest.mark.parametrize("sampler", [SMOTE, ADASYN, BorderlineSMOTE])
@pytest.mark.parametrize("form", ["int64", "uint8", "bool", "sparse", "frame"])
def test_tables_of_whole_numbers_are_rounded_too(sampler: Any, form: str) -> None:
    """Between two whole numbers, and on the line: no overflow, nothing cut off."""
    draw = np.random.default_rng(0)
    values = draw.integers(0, 2 if form == "bool" else 100, (200, 4))
    labels = np.repeat([0, 1], [160, 40])
    values[labels == 1] = values[labels == 1] if form == "bool" else values[labels == 1] // 2 + 40
    forms: dict[str, Any] = {
        "sparse": sparse.csr_matrix(values),
        "frame": pd.DataFrame(values, columns=list("abcd")),
    }
    given = forms.get(form, values.astype(form if form not in forms else "int64"))
    plain = forms["sparse"].astype(float) if form == "sparse" else values.astype(float)
    made = sampler(random_state=0).fit_resample(given, labels)[0]
    expected = sampler(random_state=0).fit_resample(plain, labels)[0]
    if form == "sparse":
        made, expected = made.toarray(), expected.toarray()
    made = np.asarray(made)
    assert made.dtype.kind == {"uint8": "u", "bool": "b"}.get(form, "i")
    np.testing.assert_array_equal(made.astype(float), np.rint(expected))


def test_a_missing_category_is_a_category() -> None:
    """SMOTENC takes NaN and None among categories for one of them, as imbalanced-learn does."""
    table, labels = make_table()
    words = table[["number"]].assign(word=["a", None, "b", "a"] * 50)
    rows, _ = SMOTENC(["word"], random_state=0).fit_resample(words, labels)
    near, _ = imblearn.over_sampling.SMOTENC(["word"], random_state=0).fit_resample(words, labels)
    assert rows["word"].isna().sum() > 50
    assert (rows["word"].fillna("?") == near["word"].fillna("?")).mean() > 0.95
    last = SMOTENC([-1], random_state=0).fit_resample(words.astype({"word": "category"}), labels)
    assert len(last[0]) == len(rows)


def test_words_among_numbers_are_refused() -> None:
    """Values that are no numbers: column, count, examples and a way out."""
    table, labels = make_table()
    with pytest.raises(DataContractError, match=r"column 'word' holds 200 values .*'x'.*SMOTENC"):
        SMOTE().fit_resample(table.assign(word="x"), labels)
