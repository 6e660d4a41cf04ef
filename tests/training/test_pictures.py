"""Networks of pictures: every shape learns and comes back, a seed decides all, memory or file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.augmentation.draws import key_rows
from pipeline.augmentation.feeding import Feeder
from pipeline.augmentation.transform_plan import plan_augmentation
from pipeline.config.image import AugmentationConfig
from pipeline.config.settings import TrainingConfig
from pipeline.errors import StageError
from pipeline.features import picture_files as pictures_module
from pipeline.features.layout import Form, Layout
from pipeline.features.picture_files import Pictures, Shape, SplitWriter, iter_pictures
from pipeline.features.splits import Split
from pipeline.features.thumbnails import read_thumbnails
from pipeline.images.picture_features import make_columns
from pipeline.targets.peers import fit_logistic
from pipeline.training.feeds import count_inference_rows
from pipeline.training.fit import Fitted, fit_network, predict
from pipeline.training.networks import build_network
from pipeline.training.picture_networks import PictureBlocks, build_inputs, choose_filters, feed

# Keras would say it of a data set whose length it is not told, in each user's log.
pytestmark = pytest.mark.filterwarnings("error:Your input ran out of data:UserWarning")
CLASSES = ("dark", "light")


def make_layout(shape: Shape) -> Layout:
    """Lay out pictures of two classes."""
    levels = (128.0,) * shape[2], (60.0,) * shape[2]
    return Layout("label", CLASSES, (), Form(shape, *levels))


def write_split(path: Path, rows: int, shape: Shape, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Write pictures whose left or right half is the brighter one; give them and their labels."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, rows)
    values = draw.normal(110, 30, (rows, *shape))
    half = shape[1] // 2
    for value, label in zip(values, labels, strict=True):
        value[:, half * label : half * (label + 1)] += 60
    values = np.clip(values, 0, 255).astype(np.uint8)
    names = np.array([CLASSES[label] for label in labels], dtype=object)
    ids = np.array([f"row-{seed}-{row}" for row in range(rows)], dtype=object)
    with SplitWriter(path, shape) as writer:
        for start in range(0, rows, 7):
            part = slice(start, start + 7)
            writer.write(make_columns(ids[part], names[part], "label"), values[part])
    return values, labels


def make_split(folder: Path, rows: int, shape: Shape, seed: int) -> Split:
    """Write pictures and open them as a network takes them."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{seed}.parquet"
    _, labels = write_split(path, rows, shape, seed)
    ids = np.array([f"row-{seed}-{row}" for row in range(rows)], dtype=object)
    ones = np.ones(rows, np.float32)
    read = Pictures(path, shape, folder)
    return Split(ids, read, labels.astype(np.int32), ones, np.ones(rows, bool))


def fit(
    folder: Path,
    *,
    shape: Shape = (8, 8, 1),
    rows: int = 60,
    seed: int = 0,
    augmentation: AugmentationConfig | None = None,
    workers: int | None = None,
    **knobs: Any,
) -> tuple[Fitted, Split]:
    """Fit a small network on small pictures; also give its test pictures."""
    config = TrainingConfig.model_validate({"hidden": (8,), "epochs": 1, **knobs})
    train, other = make_split(folder, rows, shape, 1), make_split(folder, 40, shape, 2)
    chosen = augmentation or AugmentationConfig()
    blocks = feed(train, config, 2, seed, chosen)
    if workers is not None:
        feeder = Feeder(
            train.values.read, key_rows(train.row_ids), train.labels, train.weights,
            batch=16, batches=1, classes=2, plan=plan_augmentation(chosen, *shape), seed=seed,
            workers=workers,
        )  # fmt: skip
        blocks = PictureBlocks(feeder, shape, rows, None)
    fitted = fit_network(
        lambda: build_network(make_layout(shape), config, seed, build_inputs),
        blocks,
        other,
        config,
        seed=seed,
    )
    return fitted, other


NETWORKS: list[tuple[Shape, dict[str, Any]]] = [
    ((8, 8, 1), {"pooling": "average", "global_pooling": "average", "batch_norm": True}),
    ((8, 8, 3), {"global_pooling": "max", "filters": (4, 4), "convolutions": 2}),
    ((1, 9, 1), {"filters": (4, 4), "kernel": 5}),
    ((7, 1, 3), {"pooling": "average", "filters": (2, 2, 2, 2, 2), "global_pooling": "max"}),
    ((5, 33, 1), {"filters": (4,), "convolutions": 2, "batch_norm": True}),
]


@pytest.mark.parametrize(("shape", "cnn"), NETWORKS, ids=str)
def test_every_network_of_pictures_trains_and_reloads(
    shape: Shape, cnn: dict[str, Any], tmp_path: Path
) -> None:
    """Each form learns, and plain Keras loads it and predicts the same of uint8 pictures."""
    fitted, other = fit(tmp_path, shape=shape, cnn=cnn)
    fitted.model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    ours = predict(fitted.model, other.values)
    np.testing.assert_array_equal(predict(loaded, other.values), ours)
    assert ours.shape == (40, 2)
    np.testing.assert_allclose(ours.sum(axis=1), 1, atol=1e-5)
    assert np.isfinite(fitted.history["loss"]).all()
    assert loaded.input.dtype == "uint8"


def test_a_network_of_pictures_learns(tmp_path: Path) -> None:
    """A few epochs on what can be learned end far above chance."""
    fitted, other = fit(tmp_path, epochs=6, rows=200, learning_rate=0.01)
    assert fitted.history["loss"][-1] < 0.5 * fitted.history["loss"][0]
    right = predict(fitted.model, other.values).argmax(axis=1) == other.labels
    assert right.mean() > 0.85


def _assert_equal(first: Fitted, second: Fitted) -> None:
    for one, two in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert first.history == second.history


def test_a_seed_decides_the_network(tmp_path: Path) -> None:
    """The same seed gives the same weights, augmented pictures and all; another gives others."""
    light = AugmentationConfig(preset="light")
    first, second, other = (
        fit(tmp_path, seed=seed, augmentation=light, epochs=2)[0] for seed in (3, 3, 4)
    )
    _assert_equal(first, second)
    assert first.history != other.history


def test_the_number_of_threads_does_not_show(tmp_path: Path) -> None:
    """A fit with augmentation equals itself for one and two threads of the feeder."""
    large, strong = (48, 48, 3), AugmentationConfig(preset="strong")
    cnn = {"filters": (2,), "global_pooling": "average"}
    one, two = (
        fit(tmp_path, shape=large, rows=48, augmentation=strong, workers=workers, cnn=cnn)[0]
        for workers in (1, 2)
    )
    _assert_equal(one, two)


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_mixed_pictures_are_learned(tmp_path: Path, mix: str) -> None:
    """With targets that are shares of classes the loss is finite and falls."""
    mixed = AugmentationConfig.model_validate({mix: 0.3})
    fitted, _ = fit(tmp_path, augmentation=mixed, epochs=5, rows=120, learning_rate=0.01)
    assert np.isfinite(fitted.history["loss"]).all()
    assert fitted.history["loss"][-1] < fitted.history["loss"][0]
    assert fitted.history["val_loss"][-1] < fitted.history["val_loss"][0]


def test_a_loss_that_diverges_is_explained(tmp_path: Path) -> None:
    """An absurd learning rate ends in an error that names it, and the feeder's threads end."""
    with pytest.raises(StageError, match=r"loss became .* with learning_rate=1e\+38"):
        fit(tmp_path, learning_rate=1e38, epochs=3, optimizer="sgd")


@pytest.mark.parametrize("in_memory", [0, 1 << 30], ids=["file", "memory"])
def test_pictures_are_the_same_from_memory_and_from_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    """Any rows, in any order and repeatedly, are those that were written."""
    monkeypatch.setattr(pictures_module, "IN_MEMORY", in_memory)
    monkeypatch.setattr(pictures_module, "BATCH_BYTES", 1000)
    shape = (5, 7, 3)
    values, _ = write_split(tmp_path / "p.parquet", 50, shape, 0)
    read = Pictures(tmp_path / "p.parquet", shape, tmp_path)
    assert read.shape == (50, *shape)
    for rows in ([], [0], [49, 0, 49, 7], list(range(50))):
        np.testing.assert_array_equal(read.read(np.array(rows, np.int64)), values[rows])
    np.testing.assert_array_equal(np.concatenate(list(read.iter_batches(8))), values)
    np.testing.assert_array_equal(
        np.concatenate(list(iter_pictures(tmp_path / "p.parquet", shape))), values
    )
    assert [item.name for item in tmp_path.iterdir()] == ["p.parquet"]


def test_a_row_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading beyond the end raises, from memory and from the file alike."""
    write_split(tmp_path / "p.parquet", 5, (4, 4, 1), 0)
    for in_memory in (1 << 30, 0):
        monkeypatch.setattr(pictures_module, "IN_MEMORY", in_memory)
        read = Pictures(tmp_path / "p.parquet", (4, 4, 1), tmp_path)
        with pytest.raises(IndexError, match="5"):
            read.read(np.array([5]))


@pytest.mark.parametrize("shape", [(40, 30, 3), (8, 30, 1), (1, 1, 1)])
def test_thumbnails_are_small_z_scores(tmp_path: Path, shape: Shape) -> None:
    """Learners of tables get at most 16 × 16 numbers of each channel, scaled as the network's."""
    values, _ = write_split(tmp_path / "p.parquet", 20, shape, 0)
    found = read_thumbnails(tmp_path / "p.parquet", make_layout(shape))
    assert found.shape == (20, min(16, shape[0]) * min(16, shape[1]) * shape[2])
    assert found.dtype == np.float32
    assert found.mean() == pytest.approx((values.mean() - 128) / 60, abs=0.02)


def test_blocks_are_chosen_by_the_shorter_side() -> None:
    """Each block halves the side until 8 pixels are left; there is one at least."""
    for side in (1, 4, 8, 9, 16, 17, 28, 32, 64, 224):
        filters = choose_filters((side, 300, 3))
        left = side
        for _ in filters:
            left = (left + 1) // 2
        assert left <= 8
        assert len(filters) >= 1
        assert list(filters) == sorted(filters)


def test_inference_batches_are_bounded_in_pixels(tmp_path: Path) -> None:
    """However large the pictures, a network is given one at least and a million pixels at most."""
    split = make_split(tmp_path, 3, (8, 8, 1), 0)
    assert count_inference_rows(split.values.shape) == (1 << 20) // 64


def test_the_yardstick_weighs_each_row_by_its_own_weight() -> None:
    """Rows of weight 0 have no say in the logistic regression: mislabelled ones don't matter."""
    draw = np.random.default_rng(0)
    values = draw.standard_normal((400, 3)).astype(np.float32)
    labels = (values[:, 0] > 0).astype(np.int32)
    wrong = np.arange(400) < 250
    ones = np.ones(400, np.float32)

    def make(targets: np.ndarray, weights: np.ndarray) -> Split:
        return Split(np.arange(400), values, targets, weights, np.ones(400, bool))

    train = make(np.where(wrong, 1 - labels, labels), np.where(wrong, 0, ones))
    clean = make(labels, ones)
    fitted = fit_logistic(train, clean, clean, 2, TrainingConfig(), seed=0)
    assert (fitted.probabilities.argmax(axis=1) == labels).mean() > 0.9
