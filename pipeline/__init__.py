"""Data quality for networks: validate, repair, re-check, resample, train a baseline, report.

Plain Python without Prefect; every stage can be used on its own. Importing this package loads
nothing heavy: the names below are imported when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.imputation.knn import KNNImputer
    from pipeline.preprocessing.preprocessor import load_preprocessor
    from pipeline.published import PublishedVersion, open_version
    from pipeline.validation.validating import validate

__all__ = ["KNNImputer", "PublishedVersion", "load_preprocessor", "open_version", "validate"]

_HOMES = {
    "KNNImputer": "pipeline.imputation.knn",
    "PublishedVersion": "pipeline.published",
    "load_preprocessor": "pipeline.preprocessing.preprocessor",
    "open_version": "pipeline.published",
    "validate": "pipeline.validation.validating",
}


def __dir__() -> list[str]:
    """Name the public names, too, that are not imported yet."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
