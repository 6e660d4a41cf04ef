"""Networks, built and compiled, not yet trained. Importing this module loads Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from pipeline.config import TrainingConfig
    from pipeline.training.features import Layout, Picture

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

# Keras's 0.99 takes 500 steps to forget its start: on small data, most of a training.
MOMENTUM = 0.9
# A block costs by the square of the side: on two cores larger pictures are to be had for less.
SMALL_SIDE = 32


def build_network(layout: Layout, config: TrainingConfig, seed: int) -> keras.Model:
    """Build and compile the baseline: a multi-layer perceptron, behind convolutions for pictures.

    It holds layers of Keras alone, so that ``keras.saving.load_model`` reads it anywhere.

    Parameters
    ----------
    layout
        The inputs, float32 features or uint8 pictures, and the classes: probabilities that sum
        to 1.
    config
        Widths, activation, dropout, penalties and optimizer; filters, kernels and pooling.
    seed
        Seed of initial weights and dropout.
    """
    if layout.picture is None:
        inputs = keras.Input((len(layout.features),), name="features")
        x = inputs
    else:
        inputs = keras.Input(layout.picture.shape, dtype="uint8", name="pictures")
        x = _convolve(inputs, layout.picture, config, seed)
    for number, width in enumerate(config.hidden, start=1):
        x = keras.layers.Dense(
            width,
            activation=config.activation,
            kernel_regularizer=_penalise(config),
            kernel_initializer=INITIALIZERS[config.activation](seed=_spread(seed, number)),
            name=f"hidden_{number}",
        )(x)
        if config.dropout:
            x = keras.layers.Dropout(
                config.dropout, seed=_spread(seed, -number), name=f"dropout_{number}"
            )(x)
    outputs = keras.layers.Dense(
        len(layout.classes),
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


def _convolve(inputs: Any, picture: Picture, config: TrainingConfig, seed: int) -> Any:
    """Scale grey levels by what training pictures show; then blocks of convolution and pooling."""
    cnn = config.cnn
    x = keras.layers.Rescaling(
        [1 / std for std in picture.std],
        [-mean / std for mean, std in zip(picture.mean, picture.std, strict=True)],
        name="normalisation",
    )(inputs)
    pool = keras.layers.MaxPooling2D if cnn.pooling == "max" else keras.layers.AveragePooling2D
    for block, filters in enumerate(cnn.filters or choose_filters(picture.shape), start=1):
        for number in range(1, cnn.convolutions + 1):
            x = keras.layers.Conv2D(
                filters,
                cnn.kernel,
                padding="same",
                # Batch normalisation has a shift of its own.
                use_bias=not cnn.batch_norm,
                kernel_regularizer=_penalise(config),
                kernel_initializer=INITIALIZERS[config.activation](
                    seed=_spread(seed, 1000 * block + number)
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
    return layers[cnn.global_pooling](name="global_pooling")(x)


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


def _penalise(config: TrainingConfig) -> Any:
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


def _spread(seed: int, number: int) -> int:
    """Give each layer a seed of its own; the same one would give it the same random stream."""
    return (seed * 1_000_003 + number * 7_919) % 2**31
