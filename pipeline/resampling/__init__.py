"""Class balance of the training split: the stage, and imbalanced-learn's samplers made fast."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline.resampling.balance import (
    Resampled,
    ResamplingFacts,
    refuse_unknown_counts,
    resample,
)

if TYPE_CHECKING:
    from pipeline.resampling.categories import SMOTEN, SMOTENC
    from pipeline.resampling.samplers import (
        ADASYN,
        SMOTE,
        SMOTEENN,
        BorderlineSMOTE,
        EditedNearestNeighbours,
        SMOTETomek,
        TomekLinks,
    )

__all__ = [
    "ADASYN",
    "SMOTE",
    "SMOTEENN",
    "SMOTEN",
    "SMOTENC",
    "BorderlineSMOTE",
    "EditedNearestNeighbours",
    "Resampled",
    "ResamplingFacts",
    "SMOTETomek",
    "TomekLinks",
    "refuse_unknown_counts",
    "resample",
]


def __dir__() -> list[str]:
    """Name the samplers, too, that are not imported yet."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import a sampler when it is asked for: imbalanced-learn takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = "categories" if name in ("SMOTEN", "SMOTENC") else "samplers"
    return getattr(import_module(f"pipeline.resampling.{room}"), name)
