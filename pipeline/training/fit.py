"""Training a network of any kind on rows in memory. Importing this module loads TensorFlow.

Keras's own loop returns to Python after each batch; with small batches of table rows that is most
of the time. Here Keras is handed blocks of row numbers, and one call of a compiled function gathers
and learns all batches of a block. Callbacks, early stopping and history stay Keras's own.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.errors import StageError
from pipeline.features.splits import STAGE, Split
from pipeline.training.feeds import Blocks, batch_rows, iter_inputs
from pipeline.training.networks import build_learner
from pipeline.training.schedules import build_callbacks, build_schedule

if TYPE_CHECKING:
    from pipeline.config.settings import TrainingConfig
    from pipeline.training.feeds import Stored

# Rows times epochs below which a fit is over before an optimised graph pays.
FEW_ROW_EPOCHS = 500_000
HISTORY = ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate")

OnEpoch = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network and how it got there.

    Attributes
    ----------
    model
        With the weights of ``best_epoch``; compiled with a constant learning rate.
    history
        One list per name of ``HISTORY``, a value per epoch.
    epochs_run, best_epoch
        Counted from 1.
    parameters
        Trainable numbers.
    rows_per_second
        Training rows over wall time, validation included, the first epoch (tracing) left out.
    seconds
        Wall time from before the network is built.
    waited_seconds
        Of it, for pictures that were not ready; 0 for tables.
    """

    model: keras.Model
    history: dict[str, list[float]]
    epochs_run: int
    best_epoch: int
    parameters: int
    rows_per_second: float
    seconds: float
    waited_seconds: float


def fit_network(
    build: Callable[[], keras.Model],
    blocks: Blocks,
    validation: Split,
    config: TrainingConfig,
    *,
    seed: int,
    offset: np.ndarray | None = None,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Build a network and train it.

    The same seed gives the same weights on the same machine. The rows are shuffled again for each
    epoch, over the whole split. Sample weights, times class weights if they are ``balanced``, apply
    to training; validation counts each row once.

    Parameters
    ----------
    build
        Makes the compiled network: classes as outputs, a loss that takes class indices.
    blocks
        The training rows; see ``feed``. Its threads, if any, are ended here.
    validation
        Without validation rows there is no early stopping, and a schedule that reacts watches the
        training loss.
    config
        How to train.
    seed
        Set as Keras's global seed before ``build`` is called.
    offset
        Shape ``(n_classes,)``: what corrects the logits of a network that learned from resampled
        or weighted rows. Added for validation, and to the biases of the network returned.
    on_epoch
        Called after each epoch with its number from 1, the most there can be, and its history.

    Raises
    ------
    StageError
        If the loss becomes infinite or not a number.
    """
    started = time.perf_counter()
    keras.utils.set_random_seed(seed % 2**31)
    model = build()
    steps = math.ceil(blocks.rows_count / blocks.batch)
    learner = _BlockLearner(model, blocks, offset)
    learner.compile(
        optimizer=build_learner(config, build_schedule(config, steps)),
        loss=model.loss,
        # XLA was a quarter as fast on the processors measured.
        jit_compile=False,
    )
    # For few rows the graph costs more to optimise than it saves: 0.5 s of 2.
    few = blocks.rows_count * config.epochs < FEW_ROW_EPOCHS and len(model.input_shape) == 2
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": few})
    learner(blocks.example())
    # Variables that appear while tracing would have everything traced a second time.
    learner.optimizer.build(model.trainable_variables)
    validated = len(validation.labels) > 0
    monitor = "val_loss" if validated else "loss"
    record = _Record(config, on_epoch)
    stopping = keras.callbacks.EarlyStopping(
        monitor=monitor, mode="min", patience=config.early_stopping, restore_best_weights=True
    )
    stops = validated and config.early_stopping > 0
    with warnings.catch_warnings(), contextlib.closing(blocks):
        # Keras says that it won't shuffle a tf.data set, which is right: it is shuffled already.
        warnings.filterwarnings("ignore", message=".*shuffle=True.*")
        learner.fit(
            blocks.make_dataset(steps),
            validation_data=batch_rows(validation) if validated else None,
            epochs=config.epochs,
            verbose=0,
            # The record comes first, to see the rate of an epoch before a callback lowers it.
            callbacks=[record, *build_callbacks(config, monitor), *([stopping] if stops else [])],
        )
    epochs_run = len(record.ends)
    if offset is not None:
        adjust_outputs(model, offset)
    return Fitted(
        model=model,
        history=record.history,
        epochs_run=epochs_run,
        best_epoch=stopping.best_epoch + 1 if stops else epochs_run,
        parameters=sum(math.prod(weight.shape) for weight in model.trainable_weights),
        rows_per_second=record.measure_speed(blocks.rows_count, started),
        seconds=time.perf_counter() - started,
        waited_seconds=blocks.waited_seconds,
    )


def predict(model: keras.Model, values: np.ndarray | Stored) -> np.ndarray:
    """Compute class probabilities.

    Parameters
    ----------
    model
        A trained network.
    values
        Shape ``(n, ...)``: float32 features or uint8 pictures.

    Returns
    -------
    probabilities
        Shape ``(n, n_classes)``, float32.
    """
    # Called directly: Model.predict would trace a function for what is often a single batch.
    parts = [np.asarray(model(batch, training=False), np.float32) for batch in iter_inputs(values)]
    return np.concatenate(parts) if parts else np.empty((0, model.output_shape[-1]), np.float32)


def adjust_outputs(model: keras.Model, offset: np.ndarray, temperature: float = 1.0) -> None:
    """Add an offset to the logits, then divide them by a temperature, in the last layer's weights.

    So whoever loads the network by plain Keras has corrected probabilities.

    Parameters
    ----------
    model
        Its last layer is dense; changed in place.
    offset
        Shape ``(k,)``: added to the logits, natural logarithms.
    temperature
        What the logits are divided by; 1: nothing.
    """
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel / temperature, (bias + offset) / temperature])


class _BlockLearner(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """Trains a network by blocks of many batches; is thrown away after the fit."""

    def __init__(self, network: keras.Model, blocks: Blocks, offset: np.ndarray | None) -> None:
        super().__init__()
        self.network = network
        self.blocks = blocks
        self.factors = None if offset is None else np.exp(offset).astype(np.float32)
        self.mean_loss = keras.metrics.Mean("loss")
        self.mean_accuracy = keras.metrics.Mean("accuracy")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.mean_loss, self.mean_accuracy]

    def call(self, values: Any, training: bool = False) -> Any:
        return self.network(values, training=training)

    def train_step(self, block: Any) -> dict[str, Any]:
        """Learn all batches of a block in one loop inside the graph; the last may be short."""
        count = self.blocks.count(block)

        def learn(start: Any, loss: Any, hits: Any) -> tuple[Any, Any, Any]:
            batch_loss, batch_hits, size = self._learn_batch(*self.blocks.take(block, start))
            return start + self.blocks.batch, loss + batch_loss * size, hits + batch_hits

        _, loss, hits = tf.while_loop(
            lambda start, *_: start < count,
            learn,
            (tf.constant(0), tf.constant(0.0), tf.constant(0.0)),
            parallel_iterations=1,
        )
        return self._record(loss, hits, tf.cast(count, tf.float32))

    def test_step(self, data: Any) -> dict[str, Any]:
        values, labels = data
        outputs = self.network(values, training=False)
        if self.factors is not None:
            outputs = outputs * self.factors
            outputs = outputs / tf.reduce_sum(outputs, axis=-1, keepdims=True)
        size = tf.cast(tf.size(labels), tf.float32)
        loss = self.compute_loss(values, labels, outputs)
        return self._record(loss * size, _count_hits(labels, outputs), size)

    def _learn_batch(self, values: Any, targets: Any, weights: Any) -> tuple[Any, Any, Any]:
        trainable = self.network.trainable_weights
        with tf.GradientTape() as tape:
            outputs = self.network(values, training=True)
            loss = self._measure_loss(values, targets, outputs, weights)
        self.optimizer.apply(tape.gradient(loss, trainable), trainable)
        return loss, _count_hits(targets, outputs), tf.cast(tf.size(weights), tf.float32)

    def _measure_loss(self, values: Any, targets: Any, outputs: Any, weights: Any) -> Any:
        if len(targets.shape) == 1:
            return self.compute_loss(values, targets, outputs, weights)
        # Mixed pictures belong to several classes by shares; validation never does.
        losses = keras.losses.categorical_crossentropy(targets, outputs)
        return keras.ops.mean(losses * weights) + sum(self.losses)

    def _record(self, loss: Any, hits: Any, size: Any) -> dict[str, Any]:
        # Once per block: metrics of Keras cost as much as the rest of a small step.
        self.mean_loss.update_state(loss / size, size)
        self.mean_accuracy.update_state(hits / size, size)
        return {metric.name: metric.result() for metric in self.metrics}


class _Record(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Keeps the history, reports each epoch, and ends a fit that has diverged."""

    def __init__(self, config: TrainingConfig, on_epoch: OnEpoch | None) -> None:
        super().__init__()
        self.config = config
        self.on_epoch = on_epoch
        self.history: dict[str, list[float]] = {name: [] for name in HISTORY}
        self.ends: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        values = {name: float(value) for name, value in (logs or {}).items()}
        values["learning_rate"] = rate
        for name in HISTORY:
            if name in values:
                self.history[name].append(values[name])
        self.ends.append(time.perf_counter())
        for name in ("loss", "val_loss"):
            if not math.isfinite(values.get(name, 0.0)):
                raise StageError(
                    STAGE,
                    f"{name} became {values[name]} in epoch {epoch + 1} of {self.config.epochs} "
                    f"with learning_rate={self.config.learning_rate:g}",
                    f"Set training.learning_rate to {self.config.learning_rate / 10:g} or less",
                )
        if self.on_epoch is not None:
            self.on_epoch(epoch + 1, self.config.epochs, values)

    def measure_speed(self, rows: int, started: float) -> float:
        """Training rows per second after the first epoch, or in it if it was the only one."""
        if len(self.ends) == 1:
            return rows / (self.ends[0] - started)
        return rows * (len(self.ends) - 1) / (self.ends[-1] - self.ends[0])


def _count_hits(targets: Any, outputs: Any) -> Any:
    """Count the rows predicted right; a mixed one belongs to the class it has most of."""
    if len(targets.shape) == 2:
        targets = tf.argmax(targets, axis=-1, output_type=tf.int32)
    guesses = tf.argmax(outputs, axis=-1, output_type=targets.dtype)
    return tf.reduce_sum(tf.cast(guesses == targets, tf.float32))
