"""Networks, built and compiled, not yet trained. Importing this module loads Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from pipeline.config import TrainingConfig

# He et al. 2015 for rectifiers, Klambauer et al. 2017 for selu, Glorot and Bengio 2010 otherwise.
INITIALIZERS: dict[str, Callable[..., Any]] = {
    "relu": keras.initializers.HeNormal,
    "leaky_relu": keras.initializers.HeNormal,
    "elu": keras.initializers.HeNormal,
    "gelu": keras.initializers.HeNormal,
    "selu": keras.initializers.LecunNormal,
    "sigmoid": keras.initializers.GlorotUniform,
    "tanh": keras.initializers.GlorotUniform,
}


def build_network(features: int, classes: int, config: TrainingConfig, seed: int) -> keras.Model:
    """Build and compile a multi-layer perceptron.

    It holds layers of Keras alone, so that ``keras.saving.load_model`` reads it anywhere.

    Parameters
    ----------
    features
        Number of inputs, float32.
    classes
        Number of outputs: probabilities that sum to 1.
    config
        Widths, activation, dropout, penalties and optimizer.
    seed
        Seed of initial weights and dropout.
    """
    inputs = keras.Input((features,), name="features")
    x = inputs
    for number, width in enumerate(config.hidden, start=1):
        x = keras.layers.Dense(
            width,
            activation=config.activation,
            # A regularizer that is there but zero still costs operations in each step.
            kernel_regularizer=(
                keras.regularizers.L1L2(config.l1, config.l2) if config.l1 or config.l2 else None
            ),
            kernel_initializer=INITIALIZERS[config.activation](seed=_spread(seed, number)),
            name=f"hidden_{number}",
        )(x)
        if config.dropout:
            x = keras.layers.Dropout(
                config.dropout, seed=_spread(seed, -number), name=f"dropout_{number}"
            )(x)
    outputs = keras.layers.Dense(
        classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed=_spread(seed, 0)),
        name="probabilities",
    )(x)
    network = keras.Model(inputs, outputs, name="baseline")
    network.compile(
        optimizer=build_optimizer(config, config.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    # Saved without its variables, an optimizer makes Keras warn whoever loads the model.
    network.optimizer.build(network.trainable_variables)
    return network


def build_optimizer(config: TrainingConfig, learning_rate: Any) -> keras.optimizers.Optimizer:
    """Build the configured optimizer with a learning rate or a schedule of it."""
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=config.momentum)
    if config.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(learning_rate)
    return keras.optimizers.Adam(learning_rate)


def _spread(seed: int, number: int) -> int:
    """Give each layer a seed of its own; the same one would give it the same random stream."""
    return (seed * 1_000_003 + number * 7_919) % 2**31
