"""What a network puts out, and the loss that it learns by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.features.layout import Layout


@dataclass(frozen=True, slots=True)
class Output:
    """The last layer of a network, in Keras's names.

    Attributes
    ----------
    name
        Of the layer.
    loss
        Of targets as the splits hold them.
    mixed_loss
        Of targets that are shares of several, where rows are mixed.
    metric
        What the history follows beside the loss.
    """

    name: str
    units: int
    activation: str
    loss: str
    mixed_loss: str
    metric: str


def choose_output(layout: Layout) -> Output:
    """Choose a probability for each class, and cross-entropy."""
    return Output(
        name="probabilities",
        units=len(layout.classes),
        activation="softmax",
        loss="sparse_categorical_crossentropy",
        mixed_loss="categorical_crossentropy",
        metric="accuracy",
    )
