"""What a fit is fed with: blocks of many batches, so that Keras returns to Python seldom.

Importing this module loads TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from pipeline.features.splits import Split

# Batches in one call of the compiled function: more gain nothing (512 were no faster than 64).
BLOCK_STEPS = 64
# Rows in one batch of validation and prediction: most validation splits are one batch.
INFERENCE_ROWS = 8192
# A network of convolutions holds a hundred times its input: about 0.4 GB for so many pixels.
INFERENCE_PIXELS = 1 << 20


class Blocks(Protocol):
    """The training rows of a fit, block by block."""

    batch: int
    rows_count: int

    @property
    def waited_seconds(self) -> float:
        """Seconds for which the network waited for rows."""

    def example(self) -> Any:
        """Give inputs of one row, to build a network with."""

    def make_dataset(self, steps: int) -> Any:
        """Make the data set of one fit, in a new order for each epoch."""

    def count(self, block: Any) -> Any:
        """Count the rows of a block, in the graph."""

    def take(self, block: Any, start: Any) -> tuple[Any, Any, Any]:
        """Take a batch of values, targets and weights, in the graph."""

    def close(self) -> None:
        """End what works ahead."""


class Stored(Protocol):
    """Values of rows that lie on the disk."""

    shape: Any
    dtype: Any

    def iter_batches(self, rows: int) -> Iterator[np.ndarray]:
        """Read all rows in their order, so many at a time."""


def steady(data: Any) -> Any:
    """Turn tuning off: the end of an epoch would wait for a tick of its thread."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


def batch_rows(split: Split) -> Any:
    """Batch a split for validation, in its order: values and labels."""
    if not isinstance(split.values, np.ndarray):
        stored: Stored = split.values
        rows = count_inference_rows(stored.shape)
        starts = range(0, stored.shape[0], rows)
        signature = (
            tf.TensorSpec((None, *stored.shape[1:]), tf.as_dtype(stored.dtype)),
            tf.TensorSpec((None,), tf.int32),
        )
        data = tf.data.Dataset.from_generator(
            lambda: (
                (batch, split.labels[start : start + rows])
                for start, batch in zip(starts, stored.iter_batches(rows), strict=True)
            ),
            output_signature=signature,
        )
        return data.apply(tf.data.experimental.assert_cardinality(len(starts)))
    arrays = (split.values, split.labels)
    if len(split.labels) <= INFERENCE_ROWS:
        return tf.data.Dataset.from_tensors(arrays)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(INFERENCE_ROWS).prefetch(1)


def iter_inputs(values: np.ndarray | Stored) -> Iterator[np.ndarray]:
    """Give inputs in batches that a network can hold."""
    rows = count_inference_rows(values.shape)
    if not isinstance(values, np.ndarray):
        yield from values.iter_batches(rows)
        return
    for start in range(0, len(values), rows):
        yield values[start : start + rows]


def count_inference_rows(shape: tuple[int, ...]) -> int:
    """Count the rows that a network is given together; of pictures as many as their pixels allow.

    Parameters
    ----------
    shape
        Of all rows; the last number is that of the features or channels.
    """
    if len(shape) == 2:
        return INFERENCE_ROWS
    return max(1, INFERENCE_PIXELS // math.prod(shape[1:-1]))
