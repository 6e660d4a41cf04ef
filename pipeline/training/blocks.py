"""What a fit is fed with: blocks of many batches, so that Keras returns to Python seldom.

Importing this module loads TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.pictures import Pictures
from pipeline.training.features import Split, weigh_rows

if TYPE_CHECKING:
    from pipeline.augmentation.feeding import Feeder
    from pipeline.config import TrainingConfig
    from pipeline.image_config import AugmentationConfig

# Batches in one call of the compiled function: more gain nothing (512 were no faster than 64).
BLOCK_STEPS = 64
# Rows in one batch of validation and prediction: most validation splits are one batch.
INFERENCE_ROWS = 8192
# A network of convolutions holds a hundred times its input: about 0.4 GB for so many pixels.
INFERENCE_PIXELS = 1 << 20


class RowBlocks:
    """Rows of a table: they lie in the graph's memory, a block is their numbers.

    Parameters
    ----------
    split
        The training split.
    weights
        Shape ``(n,)``, float32.
    batch
        Rows in a batch.
    seed
        Seed of the shuffling.
    """

    waited_seconds = 0.0

    def __init__(self, split: Split, weights: np.ndarray, batch: int, seed: int) -> None:
        self.batch = batch
        self.seed = seed
        self.rows_count = len(split.labels)
        self.rows = (tf.constant(split.values), tf.constant(split.labels), tf.constant(weights))

    def example(self) -> Any:
        """Give inputs of one row, to build a network with."""
        return self.rows[0][:1]

    def make_dataset(self, steps: int) -> Any:
        """Row numbers in a new order for each epoch; four bytes a row are all that is shuffled."""
        numbers = tf.data.Dataset.range(self.rows_count, output_type=tf.int32)
        shuffled = numbers.shuffle(
            self.rows_count, seed=self.seed % 2**31, reshuffle_each_iteration=True
        )
        return _steady(shuffled.batch(self.batch * min(BLOCK_STEPS, steps)).prefetch(2))

    def count(self, block: Any) -> Any:
        """Count the rows of a block, in the graph."""
        return tf.size(block)

    def take(self, block: Any, start: Any) -> tuple[Any, Any, Any]:
        """Take a batch of values, targets and weights, in the graph."""
        indices = block[start : start + self.batch]
        values, targets, weights = (tf.gather(rows, indices) for rows in self.rows)
        return values, targets, weights

    def close(self) -> None:
        """Do nothing: the memory goes with the object."""


class PictureBlocks:
    """Pictures, read and augmented anew for each epoch by threads beside the network.

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
        return _steady(data.apply(tf.data.experimental.assert_cardinality(blocks)))

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


Blocks = RowBlocks | PictureBlocks


def feed_rows(split: Split, config: TrainingConfig, classes: int, seed: int) -> RowBlocks:
    """Feed a fit with rows of a table; see ``feed_pictures``."""
    batch = min(config.batch_size, len(split.labels))
    return RowBlocks(split, weigh_rows(split, config, classes), batch, seed)


def feed_pictures(
    split: Split,
    config: TrainingConfig,
    classes: int,
    seed: int,
    augmentation: AugmentationConfig,
) -> PictureBlocks:
    """Feed a fit with pictures, augmented anew for each epoch.

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
    from pipeline.augmentation.draws import key_rows
    from pipeline.augmentation.feeding import Feeder
    from pipeline.augmentation.plan import plan_augmentation

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


def _steady(data: Any) -> Any:
    """Turn tuning off: the end of an epoch would wait for a tick of its thread."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


def batch_rows(split: Split) -> Any:
    """Batch a split for validation, in its order: values and labels."""
    if isinstance(split.values, Pictures):
        pictures: Pictures = split.values
        rows = count_inference_rows(pictures)
        starts = range(0, len(pictures), rows)
        signature = (
            tf.TensorSpec((None, *pictures.shape[1:]), tf.uint8),
            tf.TensorSpec((None,), tf.int32),
        )
        data = tf.data.Dataset.from_generator(
            lambda: (
                (batch, split.labels[start : start + rows])
                for start, batch in zip(starts, pictures.iter_batches(rows), strict=True)
            ),
            output_signature=signature,
        )
        return data.apply(tf.data.experimental.assert_cardinality(len(starts)))
    arrays = (split.values, split.labels)
    if len(split.labels) <= INFERENCE_ROWS:
        return tf.data.Dataset.from_tensors(arrays)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(INFERENCE_ROWS).prefetch(1)


def iter_inputs(values: np.ndarray | Pictures) -> Iterator[np.ndarray]:
    """Give inputs in batches that a network can hold."""
    rows = count_inference_rows(values)
    if isinstance(values, Pictures):
        yield from values.iter_batches(rows)
        return
    for start in range(0, len(values), rows):
        yield values[start : start + rows]


def count_inference_rows(values: np.ndarray | Pictures) -> int:
    """Count the rows, of a table or of pictures, that a network is given at once."""
    if len(values.shape) == 2:
        return INFERENCE_ROWS
    pixels: int = values.shape[1] * values.shape[2]
    return max(1, INFERENCE_PIXELS // pixels)
