"""How the learning rate moves while a network learns. Importing this module loads Keras."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from pipeline.config.settings import TrainingConfig

# Smith recommends 2 to 10 epochs for half a cycle; baselines are short.
HALF_CYCLE_EPOCHS = 2
CYCLE_RANGE = 10.0


class Triangle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # untyped
    """A rate that climbs and falls in straight lines.

    Smith, Cyclical Learning Rates for Training Neural Networks (2017), policy ``triangular``. Only
    ever part of the optimizer of a running fit: a saved model does not need it.
    """

    def __init__(self, low: float, high: float, half_cycle: int) -> None:
        super().__init__()
        self.low = low
        self.high = high
        self.half_cycle = half_cycle

    def __call__(self, step: Any) -> Any:
        """Compute the rate of a step, counted from 0."""
        place = keras.ops.cast(step, "float32") / self.half_cycle
        cycle = keras.ops.floor(1.0 + place / 2.0)
        return self.low + (self.high - self.low) * (1.0 - abs(place - 2.0 * cycle + 1.0))

    def get_config(self) -> dict[str, Any]:
        """Name the parameters, for Keras."""
        return {"low": self.low, "high": self.high, "half_cycle": self.half_cycle}


def build_schedule(config: TrainingConfig, steps_per_epoch: int) -> Any:
    """Build the learning rate of each step: a number, or a schedule of Keras.

    ``learning_rate`` is the highest rate of every schedule. The cosine (Loshchilov and Hutter
    2017) restarts after a third of the epochs; the triangle starts at a tenth of the rate.

    Parameters
    ----------
    config
        ``schedule``, ``learning_rate`` and ``epochs``.
    steps_per_epoch
        Updates in one epoch.
    """
    if config.schedule == "cosine_restarts":
        return keras.optimizers.schedules.CosineDecayRestarts(
            config.learning_rate,
            first_decay_steps=math.ceil(config.epochs / 3) * steps_per_epoch,
            t_mul=2.0,
            alpha=0.01,
        )
    if config.schedule == "cyclical":
        low = config.learning_rate / CYCLE_RANGE
        return Triangle(low, config.learning_rate, HALF_CYCLE_EPOCHS * steps_per_epoch)
    return config.learning_rate


def build_callbacks(config: TrainingConfig, monitor: str) -> list[keras.callbacks.Callback]:
    """Build the callbacks that a schedule needs.

    Parameters
    ----------
    config
        ``reduce_on_plateau`` halves the rate after half the patience of early stopping.
    monitor
        The loss to watch.
    """
    if config.schedule != "reduce_on_plateau":
        return []
    patience = max(1, config.early_stopping // 2)
    return [
        keras.callbacks.ReduceLROnPlateau(
            monitor=monitor, factor=0.5, patience=patience, min_lr=config.learning_rate / 1000
        )
    ]
