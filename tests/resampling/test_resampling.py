"""One contract over all resamplings, and what each of them is for."""

from __future__ import annotations

import typing
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.settings import Resampling, ResamplingConfig
from pipeline.dataset import Features, TrainFeatures
from pipeline.errors import StageError
from pipeline.resampling import Resampled, resample

METHODS = get_args(Resampling)
OVER = ("random_over", "smote", "smotenc")
CLEANING = ("tomek", "enn", "smote_tomek", "smote_enn")
NEIGHBOURLY = ("smote", "smotenc", "smote_tomek", "smote_enn")
SIZES = {"common": 120, "middling": 40, "rare": 12}


def make_features(
    sizes: dict[str, int] | None = None, seed: int = 0, numbers: int = 3, widths: Any = (3, 1)
) -> TrainFeatures:
    """Make training rows of numbers, a one-hot block and a boolean, with classes apart."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(list(sizes or SIZES), list((sizes or SIZES).values())).astype(object)
    draw.shuffle(labels)
    place = np.array([sorted(set(labels)).index(label) for label in labels], dtype=float)
    parts = [draw.normal(2 * place[:, None], 1, (len(labels), numbers))]
    blocks, start = [], numbers
    for width in widths:
        level = draw.integers(0, max(2, width), len(labels))
        parts.append(np.eye(width)[level] if width > 1 else level[:, None])
        blocks.append(tuple(range(start, start + width)))
        start += width
    rows = Features(
        np.array([f"row-{i}" for i in range(len(labels))], dtype=object),
        np.concatenate(parts, axis=1).astype(np.float32),
        labels,
    )
    return TrainFeatures(rows, tuple(blocks))


def run(train: TrainFeatures, method: str, seed: int = 0, **knobs: Any) -> Resampled:
    """Resample by a method."""
    return resample(train, ResamplingConfig.model_validate({"method": method, **knobs}), seed=seed)


def get_bytes(result: Resampled) -> tuple[bytes, ...]:
    """Give all that is published of a result."""
    rows = result.rows
    texts = "|".join([*rows.row_ids, *rows.labels, *result.origin]).encode()
    return rows.values.tobytes(), texts, result.weights.tobytes()


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 50), ratio=st.sampled_from([0.3, 0.5, 1.0]))
@settings(max_examples=10)
def test_the_contract_of_all_resamplings(method: str, seed: int, ratio: float) -> None:
    """Originals come first, unchanged and in their order; facts count what came and went."""
    train = make_features(seed=seed)
    rows = train.rows
    before = [a.copy() for a in (rows.row_ids, rows.values, rows.labels)]
    result = run(train, method, seed, ratio=ratio)
    for old, new in zip(before, (rows.row_ids, rows.values, rows.labels), strict=True):
        np.testing.assert_array_equal(old, new)
    out, facts = result.rows, result.facts
    sizes = {len(out.row_ids), len(out.values), len(out.labels), *map(len, (result.origin,))}
    assert sizes == {len(result.weights)}
    assert out.values.dtype == np.float32
    assert result.weights.dtype == np.float32
    assert np.isfinite(out.values).all()
    original = result.origin == "original"
    kept = int(original.sum())
    assert original[:kept].all()
    places = {name: i for i, name in enumerate(rows.row_ids)}
    positions = [places[name] for name in out.row_ids[:kept]]
    assert positions == sorted(set(positions))
    np.testing.assert_array_equal(out.values[:kept], rows.values[positions])
    np.testing.assert_array_equal(out.labels[:kept], rows.labels[positions])
    assert set(result.origin[kept:]) <= {"synthetic"}
    assert all(name.startswith("synthetic-") for name in out.row_ids[kept:])
    assert len(set(out.row_ids)) == len(out.row_ids)
    assert facts.before == SIZES
    for name in SIZES:
        assert facts.after[name] == (out.labels == name).sum()
        assert facts.synthetic.get(name, 0) == (out.labels[kept:] == name).sum()
        assert facts.removed.get(name, 0) == SIZES[name] - (out.labels[:kept] == name).sum()
    assert (result.weights == 1).all() or method == "class_weight"
    assert get_bytes(result) == get_bytes(run(train, method, seed, ratio=ratio))


@pytest.mark.parametrize("method", [*OVER, "random_under", "smote_tomek", "smote_enn"])
def test_another_seed_gives_other_rows(method: str) -> None:
    """What is drawn depends on the root seed."""
    train = make_features()
    first, second = run(train, method, 0), run(train, method, 1)
    assert get_bytes(first)[0] != get_bytes(second)[0]
    if method != "random_under":
        assert not {n for n in first.rows.row_ids if "synthetic" in n} & set(second.rows.row_ids)


@pytest.mark.parametrize("method", OVER)
@pytest.mark.parametrize("ratio", [0.2, 0.5, 1.0])
def test_over_sampling_reaches_the_ratio(method: str, ratio: float) -> None:
    """Each class has at least the ratio times the rows of the largest; none loses a row."""
    facts = run(make_features(), method, ratio=ratio).facts
    assert facts.after == {name: max(n, round(ratio * 120)) for name, n in SIZES.items()}
    assert facts.removed == {}


@pytest.mark.parametrize("ratio", [0.2, 0.5, 1.0])
def test_under_sampling_reaches_the_ratio(ratio: float) -> None:
    """No class has more than the smallest over the ratio; nothing is made up."""
    facts = run(make_features(), "random_under", ratio=ratio).facts
    assert facts.after == {name: min(n, round(12 / ratio)) for name, n in SIZES.items()}
    assert facts.synthetic == {}


@pytest.mark.parametrize("method", OVER)
def test_counts_go_before_the_ratio(method: str) -> None:
    """Wanted rows may be more or fewer than there are; both are done."""
    counts = {"common": 50, "middling": 70, "rare": 12}
    facts = run(make_features(), method, counts=counts).facts
    assert facts.after == counts
    assert facts.removed == {"common": 70}
    assert facts.synthetic == {"middling": 30}
    partly = run(make_features(), method, counts={"rare": 30}, ratio=0.5).facts
    assert partly.after == {"common": 120, "middling": 60, "rare": 30}


def test_under_sampling_to_counts() -> None:
    """Counts may be named for some classes only."""
    facts = run(make_features(), "random_under", counts={"common": 33}).facts
    assert facts.after == {"common": 33, "middling": 12, "rare": 12}


@pytest.mark.parametrize(
    ("method", "knobs", "says"),
    [
        ("smote", {"counts": {"raer": 9}}, "'raer', which has 0 training.*did you mean 'rare'"),
        (
            "random_over",
            {"counts": {"rare": 0}},
            "0 rows of class 'rare', which has 12.*at least 1",
        ),
        ("random_under", {"counts": {"rare": 13}}, "13 rows of class 'rare', which has 12.*fewer"),
        (
            "smote",
            {"k_neighbors": 12},
            r"resampling: class 'rare' has 12 training rows but SMOTE with k_neighbors=12 needs "
            r"13\. Set resampling\.fallback to 'random_over', or k_neighbors to 11 or less\.",
        ),
        ("smotenc", {"k_neighbors": 50}, "has 12 training rows but SMOTENC|has 40 training rows"),
    ],
)
def test_what_can_not_be_done_is_refused(method: str, knobs: dict[str, Any], says: str) -> None:
    """Stage, class, count seen and fix, before any library is called."""
    with pytest.raises(StageError, match=says):
        run(make_features(), method, **knobs)


@pytest.mark.parametrize("method", CLEANING)
@pytest.mark.parametrize("counts", [{"raer": 9}, {"rare": 0}])
def test_counts_are_checked_for_every_method(method: str, counts: dict[str, int]) -> None:
    """A wrong name or count is never passed over in silence."""
    with pytest.raises(StageError, match=r"resampling\.counts"):
        run(make_features(), method, counts=counts)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("method", ["smote", "smotenc"])
def test_a_class_too_small_for_smote(method: str, size: int) -> None:
    """Without a fallback it is an error; with one its rows are repeated, or it stays as it is."""
    train = make_features({"common": 60, "middling": 20, "tiny": size})
    with pytest.raises(
        StageError, match=f"class 'tiny' has {size} training rows but .*fallback to 'random_over'"
    ):
        run(train, method)
    repeated = run(train, method, fallback="random_over")
    assert repeated.facts.after == {"common": 60, "middling": 60, "tiny": 60}
    originals = {row.tobytes() for row in train.rows.values[train.rows.labels == "tiny"]}
    copies = repeated.rows.values[repeated.rows.labels == "tiny"]
    assert {row.tobytes() for row in copies} == originals
    left = run(train, method, fallback="none")
    assert left.facts.after == {"common": 60, "middling": 60, "tiny": size}
    for result, what in ((repeated, "its rows were repeated"), (left, "it was left as it is")):
        (note,) = result.facts.notes
        assert note.startswith(f"class 'tiny' has {size} training rows")
        assert note.endswith(what)


@given(
    widths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    numbers=st.integers(0, 3),
    seed=st.integers(0, 100),
)
def test_smotenc_makes_valid_categories(widths: list[int], numbers: int, seed: int) -> None:
    """Each block of a synthetic row is one that some training row has; numbers lie between."""
    train = make_features(seed=seed, numbers=numbers, widths=widths)
    result = run(train, "smotenc", seed)
    made = result.rows.values[result.origin == "synthetic"]
    assert len(made) == 80 + 108
    for block in train.blocks:
        known = {row.tobytes() for row in train.rows.values[:, block]}
        assert {row.tobytes() for row in made[:, block]} <= known
    labels = result.rows.labels[result.origin == "synthetic"]
    for name in ("middling", "rare"):
        own = train.rows.values[train.rows.labels == name][:, :numbers]
        synthetic = made[labels == name][:, :numbers]
        assert (synthetic >= own.min(axis=0, initial=np.inf) - 1e-5).all()
        assert (synthetic <= own.max(axis=0, initial=-np.inf) + 1e-5).all()


def test_smotenc_without_a_category_is_smote() -> None:
    """Where there are only numbers nothing is left for the difference."""
    train = make_features(widths=())
    assert get_bytes(run(train, "smotenc")) == get_bytes(run(train, "smote"))


@given(st.integers(0, 100))
def test_smote_stays_between_the_rows_of_the_class(seed: int) -> None:
    """A synthetic row lies on a line between two rows of its own class."""
    train = make_features(seed=seed, numbers=2, widths=())
    result = run(train, "smote", seed, ratio=0.2)
    own = train.rows.values[train.rows.labels == "rare"].astype(float)
    for point in result.rows.values[result.origin == "synthetic"].astype(float):
        lines = [(a, b) for i, a in enumerate(own) for b in own[:i]]
        off = min(
            np.linalg.norm(a - point) + np.linalg.norm(b - point) - np.linalg.norm(a - b)
            for a, b in lines
        )
        assert off < 1e-4


def test_classes_draw_streams_of_their_own() -> None:
    """Two classes of equal rows do not get equal synthetic rows."""
    draw = np.random.default_rng(0)
    same = draw.normal(0, 1, (20, 3))
    values = np.concatenate([draw.normal(5, 1, (60, 3)), same, same]).astype(np.float32)
    labels = np.array(["big"] * 60 + ["a"] * 20 + ["b"] * 20, dtype=object)
    ids = np.array([f"row-{i}" for i in range(100)], dtype=object)
    train = TrainFeatures(Features(ids, values, labels), ())
    for method in ("random_over", "smote"):
        result = run(train, method)
        made = {
            name: result.rows.values[(result.origin == "synthetic") & (result.rows.labels == name)]
            for name in ("a", "b")
        }
        assert made["a"].shape == made["b"].shape == (40, 3)
        assert made["a"].tobytes() != made["b"].tobytes()


def test_a_class_does_not_hang_on_the_others() -> None:
    """The rows made for one class are the same whatever another class asks for."""
    train = make_features()
    for method in ("random_over", "smote"):
        made = []
        for counts in ({"rare": 50, "middling": 40}, {"rare": 50, "middling": 90}):
            result = run(train, method, counts=counts)
            own = (result.origin == "synthetic") & (result.rows.labels == "rare")
            made.append(result.rows.values[own].tobytes())
        assert made[0] == made[1]


@pytest.mark.parametrize("method", ["tomek", "enn"])
def test_cleaning_takes_rows_of_large_classes_only(method: str) -> None:
    """The smallest class loses nothing, and nothing is made up."""
    facts = run(make_features(seed=3), method).facts
    assert "rare" not in facts.removed
    assert facts.removed
    assert facts.synthetic == {}


def test_a_class_that_cleaning_would_empty_is_refused() -> None:
    """No class vanishes from training."""
    draw = np.random.default_rng(0)
    values = draw.normal(0, 1, (40, 2)).astype(np.float32)
    labels = np.array(["p"] * 4 + ["q"] * 5 + ["r"] * 31, dtype=object)
    ids = np.array([f"row-{i}" for i in range(40)], dtype=object)
    with pytest.raises(StageError, match=r"enn leaves 0 of 5 rows of class 'q'.*'class_weight'"):
        run(TrainFeatures(Features(ids, values, labels), ()), "enn")


@given(st.lists(st.integers(1, 200), min_size=2, max_size=5))
def test_class_weights_give_each_class_the_same_total(counts: list[int]) -> None:
    """No row changes; the weights add up to the rows, and to the same for each class."""
    sizes = {f"class {i}": count for i, count in enumerate(counts)}
    train = make_features(sizes)
    result = run(train, "class_weight")
    assert get_bytes(result)[0] == train.rows.values.tobytes()
    totals = [result.weights[result.rows.labels == name].sum() for name in sizes]
    np.testing.assert_allclose(totals, sum(counts) / len(counts), rtol=1e-4)


def test_only_the_training_split_can_be_resampled() -> None:
    """The first argument is a type that nothing but the training split is made into."""
    assert typing.get_type_hints(resample)["train"] is TrainFeatures
