"""Networks, built and compiled, not yet trained. Importing this module loads Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from pipeline.targets.outputs import choose_output

if TYPE_CHECKING:
    from pipeline.config.settings import TrainingConfig
    from pipeline.features.layout import Layout

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


BuildInputs = Callable[["Layout", "TrainingConfig", int], tuple[Any, Any]]


def build_network(
    layout: Layout, config: TrainingConfig, seed: int, build_inputs: BuildInputs
) -> keras.Model:
    """Build and compile the baseline: a multi-layer perceptron behind what the modality asks for.

    It holds layers of Keras alone, so that ``keras.saving.load_model`` reads it anywhere.

    Parameters
    ----------
    layout
        The inputs, and the classes: probabilities that sum to 1.
    config
        Widths, activation, dropout, penalties and optimizer; filters, kernels and pooling.
    seed
        Seed of initial weights and dropout.
    build_inputs
        Makes the input and the first layers, see ``Learning``.
    """
    inputs, x = build_inputs(layout, config, seed)
    for number, width in enumerate(config.hidden, start=1):
        x = keras.layers.Dense(
            width,
            activation=config.activation,
            kernel_regularizer=penalise(config),
            kernel_initializer=INITIALIZERS[config.activation](seed=spread(seed, number)),
            name=f"hidden_{number}",
        )(x)
        if config.dropout:
            x = keras.layers.Dropout(
                config.dropout, seed=spread(seed, -number), name=f"dropout_{number}"
            )(x)
    output = choose_output(layout)
    outputs = keras.layers.Dense(
        output.units,
        activation=output.activation,
        kernel_initializer=keras.initializers.GlorotUniform(seed=spread(seed, 0)),
        name=output.name,
    )(x)
    network = keras.Model(inputs, outputs, name="baseline")
    network.compile(
        optimizer=build_optimizer(config, config.learning_rate),
        loss=output.loss,
        metrics=[output.metric],
    )
    # Saved without its variables, an optimizer makes Keras warn whoever loads the model.
    network.optimizer.build(network.trainable_variables)
    return network


def penalise(config: TrainingConfig) -> Any:
    """Make the penalty; one that is there but zero still costs operations in each step."""
    return keras.regularizers.L1L2(config.l1, config.l2) if config.l1 or config.l2 else None


def build_optimizer(config: TrainingConfig, learning_rate: Any) -> keras.optimizers.Optimizer:
    """Build the configured optimizer with a learning rate or a schedule of it."""
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=config.momentum)
    if config.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(learning_rate)
    return keras.optimizers.Adam(learning_rate)


def build_learner(config: TrainingConfig, learning_rate: Any) -> keras.optimizers.Optimizer:
    """Build the optimizer that trains; it learns as that of ``build_optimizer`` does."""
    if config.optimizer == "adam":
        return _FusedAdam(learning_rate, name="adam")
    return build_optimizer(config, learning_rate)


class _FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras is untyped
    """Adam (Kingma and Ba 2015), a variable by one operation of TensorFlow in place of 22.

    It saves a sixth of the time of a small network's fit. Only ever part of a running fit: a saved
    model holds Keras's own.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move a variable by its gradient."""
        place = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def spread(seed: int, number: int) -> int:
    """Give each layer a seed of its own; the same one would give it the same random stream."""
    return (seed * 1_000_003 + number * 7_919) % 2**31
