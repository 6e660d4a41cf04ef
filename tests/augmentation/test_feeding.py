from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.augmentation.augment import TransformPlan, augment, plan_augmentation
from pipeline.augmentation.feeding import Feeder
from pipeline.augmentation.mixing import mix_batch
from pipeline.config.image import AugmentationConfig

Make = Callable[..., Any]
SIDE = 48  # large enough for two threads


@pytest.fixture
def rows(make: Make) -> tuple[np.ndarray, np.ndarray]:
    """Give 75 pictures and their keys."""
    pictures, keys = make(75, SIDE, SIDE)
    return pictures, keys


def make_feeder(rows: tuple[np.ndarray, np.ndarray], **options: Any) -> Feeder:
    """Feed in batches of 8, labels telling the rows."""
    pictures, keys = rows
    labels = np.arange(len(keys), dtype=np.int32)
    weights = np.linspace(0, 2, len(keys))
    settings = {"batch": 8, "batches": 2, "classes": len(keys), "seed": 4, **options}
    return Feeder(settings.pop("read", pictures.__getitem__), keys, labels, weights, **settings)


def make_plan(**settings: Any) -> TransformPlan:
    """TransformPlan for the pictures of ``rows``."""
    return plan_augmentation(AugmentationConfig.model_validate(settings), SIDE, SIDE, 3)


def list_threads() -> list[threading.Thread]:
    """List the feeder's threads that are alive."""
    return [one for one in threading.enumerate() if one.name.startswith("assay-feeder")]


def fail(feeder: Feeder) -> None:
    """Consume a block, and fail."""
    for _ in feeder.epoch(0):
        raise KeyError("consumer")


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "strong", "horizontal_flip": True, "blur": 1},
        {"preset": "medium", "mixup": 0.3, "cutmix": 1},
        {"transforms": [{"OneOf": {"transforms": ["GaussNoise", "MotionBlur"], "p": 1}}, "D4"]},
    ],
    ids=["own", "mixing", "albumentations"],
)
def test_same_bytes_for_any_workers(rows: Any, settings: dict[str, Any]) -> None:
    """One worker, two workers and a second run give the same bytes."""
    plan = make_plan(**settings)
    runs = [list(make_feeder(rows, plan=plan, workers=workers).epoch(1)) for workers in (1, 2, 2)]
    for run in runs[1:]:
        for block, first in zip(run, runs[0], strict=True):
            for part, expected in zip(block, first, strict=True):
                assert part.tobytes() == expected.tobytes()


def test_an_epoch_holds_each_row_once(rows: Any) -> None:
    """Blocks hold each row once, with its label and weight, in another order each epoch."""
    feeder = make_feeder(rows)
    orders = []
    for epoch in range(2):
        blocks = list(feeder.epoch(epoch))
        assert [len(block[0]) for block in blocks] == [16, 16, 16, 16, 11]
        order = np.concatenate([labels for _, labels, _ in blocks])
        pictures = np.concatenate([pictures for pictures, _, _ in blocks])
        weights = np.concatenate([weights for _, _, weights in blocks])
        np.testing.assert_array_equal(np.sort(order), np.arange(75))
        np.testing.assert_array_equal(pictures, rows[0][order])
        np.testing.assert_array_equal(weights, np.linspace(0, 2, 75)[order].astype(np.float32))
        assert weights.dtype == np.float32
        orders.append(order)
    np.testing.assert_array_equal(orders[0], np.random.default_rng([4, 0]).permutation(75))
    assert not np.array_equal(*orders)


def test_rows_are_augmented_as_alone(rows: Any) -> None:
    """A fed picture is what `augment` makes of it."""
    plan = make_plan(preset="strong")
    expected = augment(*rows, plan, seed=4, epoch=3)
    for pictures, labels, _ in make_feeder(rows, plan=plan).epoch(3):
        np.testing.assert_array_equal(pictures, expected[labels])


def test_mixed_rows_weigh_as_their_parts(rows: Any) -> None:
    """Weight times target of a mixed row is the mix of its parts' weights times targets."""
    plan = make_plan(mixup=1)
    pictures, keys = rows
    weighted = np.diag(np.linspace(0, 2, 75).astype(np.float32))
    order = np.random.default_rng([4, 0]).permutation(75)
    start = 0
    for mixed, targets, weights in make_feeder(rows, plan=plan).epoch(0):
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-5)
        assert targets.dtype == np.float32
        for first in range(0, len(mixed), 8):
            part, of = slice(first, first + 8), order[start : start + min(8, len(mixed) - first)]
            expected = mix_batch(pictures[of], weighted[of], keys[of], plan, seed=4, epoch=0)
            np.testing.assert_array_equal(mixed[part], expected[0])
            loss = targets[part] * weights[part, None]
            np.testing.assert_allclose(loss, expected[1], atol=1e-6)
            start += len(of)


def test_early_stop_leaves_no_thread(rows: Any) -> None:
    """Threads end when the consumer stops, raises, or closes the feeder; and with the epoch."""
    plan = make_plan(preset="strong")
    for _ in make_feeder(rows, plan=plan).epoch(0):
        break
    assert list_threads() == []
    with pytest.raises(KeyError, match="consumer"):
        fail(make_feeder(rows, plan=plan))
    assert list_threads() == []
    feeder = make_feeder(rows, plan=plan)
    blocks = feeder.epoch(0)
    next(blocks)
    assert list_threads()
    feeder.close()
    assert list_threads() == []
    assert list(blocks) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_surface_in_the_consumer(rows: Any, workers: int) -> None:
    """What reading raises in a thread is raised in the consumer, and no thread is left."""

    def read(numbers: np.ndarray) -> np.ndarray:
        if 7 in numbers:
            raise OSError("picture 7 can't be read")
        return rows[0][numbers]

    plan = make_plan(preset="light")
    with pytest.raises(OSError, match="picture 7"):
        list(make_feeder(rows, plan=plan, read=read, workers=workers).epoch(0))
    assert list_threads() == []


def test_waiting_is_counted(rows: Any) -> None:
    """Time blocked on reading counts; time that the consumer itself takes does not."""

    def read(numbers: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        return rows[0][numbers]

    feeder = make_feeder(rows, plan=make_plan(), read=read, workers=1)
    list(feeder.epoch(0))
    assert feeder.waited_seconds > 0.2
    patient = make_feeder(rows, plan=make_plan(), workers=1)
    for _ in patient.epoch(0):
        time.sleep(0.05)
    assert patient.waited_seconds < 0.2


def test_bytes_ahead_are_bounded(rows: Any) -> None:
    """No more blocks are made ahead than the bytes allow."""
    read_rows: list[int] = []

    def read(numbers: np.ndarray) -> np.ndarray:
        read_rows.append(len(numbers))
        return rows[0][numbers]

    block = SIDE * SIDE * 3 * 16
    blocks = make_feeder(rows, plan=make_plan(), read=read, ahead_bytes=2 * block).epoch(0)
    next(blocks)
    time.sleep(0.1)
    assert sum(read_rows) <= 2 * 16
    blocks.close()  # type: ignore[attr-defined]


def test_wrong_arguments_are_refused(rows: Any) -> None:
    """Lengths must agree, and a plan that mixes needs the number of classes."""
    with pytest.raises(ValueError, match="one-hot targets or classes"):
        make_feeder(rows, plan=make_plan(mixup=1), classes=None)
    with pytest.raises(ValueError, match="75 keys, 3 targets"):
        Feeder(rows[0].__getitem__, rows[1], np.zeros(3), np.ones(75), batch=4)
