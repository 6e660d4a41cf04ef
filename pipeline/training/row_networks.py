"""Networks that learn from rows of features. Importing this module loads TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.features.splits import Split
from pipeline.targets.weights import weigh_rows
from pipeline.training.feeds import BLOCK_STEPS, steady

if TYPE_CHECKING:
    from pipeline.config.image import AugmentationConfig
    from pipeline.config.settings import TrainingConfig
    from pipeline.features.layout import Layout

# The values of a split are its features, which are read with it.
read = None


def build_inputs(layout: Layout, config: TrainingConfig, seed: int) -> tuple[Any, Any]:
    """Make the input of a network; what follows takes it as it is.

    Parameters
    ----------
    layout
        Names the features.
    config, seed
        Not used: a row has no layers of its own.

    Returns
    -------
    tuple
        The input, and what the hidden layers take, which is the same.
    """
    del config, seed
    inputs = keras.Input((len(layout.features),), name="features")
    return inputs, inputs


def feed(
    split: Split,
    config: TrainingConfig,
    classes: int,
    seed: int,
    augmentation: AugmentationConfig,
) -> RowBlocks:
    """Feed a fit with rows; nothing about them is augmented.

    Parameters
    ----------
    split
        The training split.
    config
        ``batch_size``, and ``class_weight``, which multiplies the sample weights.
    seed
        Seed of the order of the rows.
    """
    del augmentation
    batch = min(config.batch_size, len(split.labels))
    return RowBlocks(split, weigh_rows(split, config, classes), batch, seed)


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
        return steady(shuffled.batch(self.batch * min(BLOCK_STEPS, steps)).prefetch(2))

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
