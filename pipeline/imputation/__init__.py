"""Filling missing values: the stage, and ``KNNImputer``, scikit-learn's at the hardware's speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.imputation.donors import Donors
from pipeline.imputation.filling import (
    Fill,
    FittedImputation,
    ImputationFacts,
    Imputed,
    fit_imputation,
    impute,
)

if TYPE_CHECKING:
    from pipeline.imputation.knn import KNNImputer

__all__ = [
    "Donors",
    "Fill",
    "FittedImputation",
    "ImputationFacts",
    "Imputed",
    "KNNImputer",
    "fit_imputation",
    "impute",
]


def __getattr__(name: str) -> Any:
    """Import ``KNNImputer`` when it is asked for: scikit-learn takes a second."""
    if name == "KNNImputer":
        from pipeline.imputation.knn import KNNImputer

        return KNNImputer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
