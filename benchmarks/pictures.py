"""Augmentation of pictures: ours against the usual three, and against OpenCV alone.

All do a flip and one affine map: rotation by 20 degrees, shifts by 0.1, shear by 10 degrees, zoom
by 0.1, the nearest pixel outside. Everybody's pictures are ready in memory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

GOALS = {"albumentations in a loop": 2.0, "ImageDataGenerator": 12.0}
SIZES = {28: (1, 65_536), 64: (3, 16_384), 224: (3, 2_048)}
BATCH = 32
# The slower ones are given fewer pictures, so that a round takes a second or two.
FEWER = {"ImageDataGenerator": 16, "albumentations in a loop": 8, "Keras layers in tf.data": 8}
OURS = "ours, Feeder in tf.data"
LIMIT = "cv2.warpAffine, one core"


def measure(rounds: int) -> None:
    """Print pictures a second at each size, best of several rounds after a warm-up."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    speeds: dict[str, dict[int, float]] = {name: {} for name in PEERS}
    for side, (channels, count) in SIZES.items():
        pictures = np.random.default_rng(0).integers(
            0, 256, (count, side, side, channels), dtype=np.uint8
        )
        shares = {name: pictures[: count // FEWER.get(name, 1)] for name in PEERS}
        seconds = _time({name: PEERS[name](some) for name, some in shares.items()}, rounds)
        for name, taken in seconds.items():
            speeds[name][side] = len(shares[name]) / taken
    print(f"  pictures a second, best of {rounds}" + "".join(f"{side:>9} px" for side in SIZES))
    for name, row in speeds.items():
        print(f"    {name:<31}" + "".join(f"{row[side]:>12,.0f}" for side in SIZES))
    print("  times as fast as")
    for name, row in speeds.items():
        if name != OURS:
            ratios = "".join(f"{speeds[OURS][side] / row[side]:>12.1f}" for side in SIZES)
            goal = f"   (goal {GOALS[name]:g})" if name in GOALS else ""
            print(f"    {name:<31}{ratios}{goal}")


def _time(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time all in turns, so that what else the machine does meets all alike; keep the best."""
    best: dict[str, float] = {}
    for warm in (False, *[True] * rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            taken = time.perf_counter() - started
            if warm:
                best[name] = min(taken, best.get(name, taken))
    return best


def _prepare_generator(pictures: np.ndarray) -> Callable[[], object]:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rotation_range=20, width_shift_range=0.1, height_shift_range=0.1, shear_range=10,
        zoom_range=0.1, horizontal_flip=True, fill_mode="nearest",
    )  # fmt: skip
    flow = generator.flow(pictures, batch_size=BATCH, seed=0)
    return lambda: [flow[number] for number in range(len(flow))]


def _prepare_albumentations(pictures: np.ndarray) -> Callable[[], object]:
    import albumentations
    import cv2

    cv2.setNumThreads(0)
    chain = albumentations.Compose(
        [
            albumentations.HorizontalFlip(p=0.5),
            albumentations.Affine(
                rotate=(-20, 20), translate_percent=(-0.1, 0.1), shear={"x": (-10, 10)},
                scale=(0.9, 1.1), border_mode=cv2.BORDER_REPLICATE, p=1,
            ),
        ],
        seed=0,
    )  # fmt: skip

    def run() -> None:
        for start in range(0, len(pictures), BATCH):
            np.stack([chain(image=one)["image"] for one in pictures[start : start + BATCH]])

    return run


def _prepare_layers(pictures: np.ndarray) -> Callable[[], object]:
    import keras
    import tensorflow as tf

    layers = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal", seed=0),
            keras.layers.RandomRotation(20 / 360, fill_mode="nearest", seed=0),
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest", seed=0),
            keras.layers.RandomShear(float(np.tan(np.deg2rad(10))), fill_mode="nearest", seed=0),
            keras.layers.RandomZoom((-0.1, 0.1), fill_mode="nearest", seed=0),
        ]
    )
    rows = tf.data.Dataset.from_tensor_slices(pictures).batch(BATCH)
    augmented = rows.map(lambda batch: layers(batch, training=True), os.cpu_count())
    return _drain(augmented.prefetch(2))


def _prepare_limit(pictures: np.ndarray) -> Callable[[], object]:
    import cv2

    cv2.setNumThreads(0)
    side = pictures.shape[1]
    middle = (side / 2, side / 2)
    turn = np.random.default_rng(0).uniform(-20, 20, len(pictures))
    matrices = [cv2.getRotationMatrix2D(middle, float(angle), 1.05) for angle in turn]
    out = np.empty_like(pictures)

    def run() -> None:
        for picture, matrix, result in zip(pictures, matrices, out, strict=True):
            cv2.warpAffine(
                picture, matrix, (side, side), result, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
            )

    return run


def _prepare_ours(pictures: np.ndarray) -> Callable[[], object]:
    import tensorflow as tf

    from pipeline.augmentation.augment import key_rows, plan_augmentation
    from pipeline.augmentation.feeding import Feeder
    from pipeline.config.image import AugmentationConfig

    config = AugmentationConfig(
        rotation_range=20, width_shift_range=0.1, height_shift_range=0.1, shear_range=10,
        zoom_range=0.1, horizontal_flip=True, fill_mode="nearest",
    )  # fmt: skip
    count, *shape = pictures.shape
    feeder = Feeder(
        pictures.__getitem__,
        key_rows(np.arange(count).astype(str)),
        np.zeros(count, np.int32),
        np.ones(count, np.float32),
        batch=BATCH,
        plan=plan_augmentation(config, *shape),
    )
    blocks = tf.data.Dataset.from_generator(
        lambda: feeder.epoch(0),
        output_signature=(
            tf.TensorSpec((None, *shape), tf.uint8),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.float32),
        ),
    )
    return _drain(blocks)


def _drain(rows: Any) -> Callable[[], object]:
    """Read a tf.data.Dataset to its end, and nothing else."""
    import tensorflow as tf

    options = tf.data.Options()
    # Its thread sleeps for twice as long each time, and the end of an epoch waits for it.
    options.autotune.enabled = False
    settled = rows.with_options(options)

    def run() -> None:
        for _ in settled:
            pass

    return run


PEERS: dict[str, Callable[[np.ndarray], Callable[[], object]]] = {
    "ImageDataGenerator": _prepare_generator,
    "albumentations in a loop": _prepare_albumentations,
    "Keras layers in tf.data": _prepare_layers,
    LIMIT: _prepare_limit,
    OURS: _prepare_ours,
}
