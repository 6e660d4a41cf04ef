"""Networks that learn from pictures, by convolutions. Importing this module loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.augmentation.draws import key_rows
from pipeline.augmentation.feeding import Feeder
from pipeline.augmentation.transform_plan import plan_augmentation
from pipeline.features.picture_files import Pictures, read_shape
from pipeline.features.splits import Split
from pipeline.targets.weights import weigh_rows
from pipeline.training.feeds import steady
from pipeline.training.networks import INITIALIZERS, penalise, spread

if TYPE_CHECKING:
    from pipeline.config.image import AugmentationConfig
    from pipeline.config.settings import TrainingConfig
    from pipeline.features.layout import Layout

# Keras's 0.99 takes 500 steps to forget its start: on small data, most of a training.
MOMENTUM = 0.9
# A block costs by the square of the side: on two cores larger pictures are to be had for less.
SMALL_SIDE = 32


def read(path: Path, layout: Layout, scratch: Path) -> Pictures:
    """Give the pictures of a split, to be read by row number.

    Parameters
    ----------
    path
        The Parquet file of the split.
    layout
        Shape of the pictures.
    scratch
        A folder for pixels that don't fit into memory.
    """
    return Pictures(path, read_shape(layout), scratch)


def feed(
    split: Split,
    config: TrainingConfig,
    classes: int,
    seed: int,
    augmentation: AugmentationConfig,
) -> PictureBlocks:
    """Feed a fit with pictures, augmented again for each epoch.

    Parameters
    ----------
    split
        The training split; its values are ``Pictures``.
    config
        ``batch_size``, and ``class_weight``, which multiplies the sample weights.
    seed
        Seed of the order of the rows, and of the augmentation.

    Raises
    ------
    ConfigError
        If the augmentation can't be done to such pictures.
    """
    pictures: Pictures = split.values
    shape = (pictures.shape[1], pictures.shape[2], pictures.shape[3])
    plan = plan_augmentation(augmentation, *shape)
    batch = min(config.batch_size, len(split.labels))
    feeder = Feeder(
        pictures.read,
        key_rows(split.row_ids),
        split.labels,
        weigh_rows(split, config, classes),
        batch=batch,
        classes=classes,
        plan=plan,
        seed=seed,
    )
    return PictureBlocks(feeder, shape, len(split.labels), classes if plan.mixes else None)


class PictureBlocks:
    """Pictures, read and augmented again for each epoch by threads beside the network.

    Parameters
    ----------
    feeder
        Yields the blocks of each epoch, made ahead.
    shape
        Height, width, channels.
    rows
        Pictures in an epoch.
    classes
        Their number where pictures are mixed, and targets are shares of classes; else None.
    """

    def __init__(
        self, feeder: Feeder, shape: tuple[int, int, int], rows: int, classes: int | None
    ) -> None:
        self.feeder = feeder
        self.shape = shape
        self.classes = classes
        self.batch = feeder.batch
        self.rows_count = rows
        self._epoch = 0

    @property
    def waited_seconds(self) -> float:
        """Seconds for which the network waited for pictures."""
        return self.feeder.waited_seconds

    def example(self) -> Any:
        """Give a picture, to build a network with."""
        return tf.zeros((1, *self.shape), tf.uint8)

    def make_dataset(self, steps: int) -> Any:
        """Blocks of pictures, targets, weights; no read-ahead here, the feeder's own suffices."""
        del steps  # blocks are bounded by their bytes
        target = (
            tf.TensorSpec((None,), tf.int32)
            if self.classes is None
            else tf.TensorSpec((None, self.classes), tf.float32)
        )
        pictures = tf.TensorSpec((None, *self.shape), tf.uint8)
        signature = (pictures, target, tf.TensorSpec((None,), tf.float32))
        data = tf.data.Dataset.from_generator(self._feed, output_signature=signature)
        # Told the number of blocks, Keras does not warn of an end that it could not foresee.
        blocks = math.ceil(self.rows_count / (self.batch * self.feeder.batches))
        return steady(data.apply(tf.data.experimental.assert_cardinality(blocks)))

    def count(self, block: Any) -> Any:
        """Count the rows of a block, in the graph."""
        return tf.shape(block[2])[0]

    def take(self, block: Any, start: Any) -> tuple[Any, Any, Any]:
        """Take a batch of values, targets and weights, in the graph."""
        values, targets, weights = (part[start : start + self.batch] for part in block)
        return values, targets, weights

    def close(self) -> None:
        """End the threads."""
        self.feeder.close()

    def _feed(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        epoch = self._epoch
        self._epoch += 1
        yield from self.feeder.epoch(epoch)


def build_inputs(layout: Layout, config: TrainingConfig, seed: int) -> tuple[Any, Any]:
    """Make the input of a network, and the convolutions behind it.

    Grey levels are scaled by what training pictures show; then come blocks of convolution and
    pooling.

    Parameters
    ----------
    layout
        Shape of the pictures, and mean and deviation of the grey levels.
    config
        Filters, kernels, pooling, activation and penalties.
    seed
        Seed of the initial weights.

    Returns
    -------
    tuple
        The input, and what the hidden layers take.
    """
    form, cnn = layout.form, config.cnn
    assert form is not None
    inputs = keras.Input(form.shape, dtype="uint8", name="pictures")
    x = keras.layers.Rescaling(
        [1 / std for std in form.std],
        [-mean / std for mean, std in zip(form.mean, form.std, strict=True)],
        name="normalisation",
    )(inputs)
    pool = keras.layers.MaxPooling2D if cnn.pooling == "max" else keras.layers.AveragePooling2D
    for block, filters in enumerate(cnn.filters or choose_filters(read_shape(layout)), start=1):
        for number in range(1, cnn.convolutions + 1):
            x = keras.layers.Conv2D(
                filters,
                cnn.kernel,
                padding="same",
                # Batch normalisation has a shift of its own.
                use_bias=not cnn.batch_norm,
                kernel_regularizer=penalise(config),
                kernel_initializer=INITIALIZERS[config.activation](
                    seed=spread(seed, 1000 * block + number)
                ),
                name=f"convolution_{block}_{number}",
            )(x)
            if cnn.batch_norm:
                x = keras.layers.BatchNormalization(
                    momentum=MOMENTUM, name=f"batch_norm_{block}_{number}"
                )(x)
            x = keras.layers.Activation(config.activation, name=f"activation_{block}_{number}")(x)
        # 'same' keeps a side of one pixel, where more blocks than halvings are asked for.
        x = pool(2, padding="same", name=f"pooling_{block}")(x)
    layers = {
        "average": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
        "none": keras.layers.Flatten,
    }
    return inputs, layers[cnn.global_pooling](name="global_pooling")(x)


def choose_filters(shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Choose blocks that bring the shorter side to 8 pixels or less, wider where it is small.

    >>> choose_filters((28, 28, 1)), choose_filters((64, 64, 3)), choose_filters((224, 224, 3))
    ((32, 64), (16, 32, 64), (16, 32, 64, 64, 64))
    """
    side = min(shape[:2])
    width, most = (32, 128) if side <= SMALL_SIDE else (16, 64)
    filters: list[int] = []
    while side > 8 or not filters:
        filters.append(min(width * 2 ** len(filters), most))
        side = (side + 1) // 2
    return tuple(filters)
