"""Which resamplings apply to what is predicted, and which of them are simpler than others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config.settings import Resampling, ResamplingConfig, TrainingConfig

# Simplest first: of methods that can't be told apart, the first one wins.
SIMPLEST_FIRST: tuple[Resampling, ...] = (
    "none", "threshold", "class_weight", "random_under", "tomek", "enn", "random_over", "augment",
    "smote", "smotenc", "smote_tomek", "smote_enn",
)  # fmt: skip
# Those that fit any modality; a modality adds its own.
METHODS: tuple[Resampling, ...] = (
    "none", "threshold", "class_weight", "random_under", "random_over",
)  # fmt: skip


def sort_simplest_first(methods: Sequence[Resampling]) -> list[Resampling]:
    """Order methods by how much they change."""
    return sorted(methods, key=SIMPLEST_FIRST.index)


def list_raced(
    config: ResamplingConfig, training: TrainingConfig, own: Sequence[Resampling]
) -> list[Resampling]:
    """List the methods of a race, simplest first.

    Parameters
    ----------
    own
        Those that the modality adds.
    """
    if config.race.methods:
        return sort_simplest_first(config.race.methods)
    methods = [*METHODS, *own]
    if training.class_weight == "balanced":
        # They would be none by other names.
        return [method for method in methods if method not in ("threshold", "class_weight")]
    return methods
