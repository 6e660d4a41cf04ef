"""Data quality for networks: validate, repair, re-check, resample, train a baseline, report.

Plain Python without Prefect; every stage can be used on its own. Importing this package loads
nothing heavy: the names below are imported when they are asked for.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.imputation.knn import KNNImputer
    from pipeline.ingest.columns import InputWarning
    from pipeline.preprocessing.preprocessor import load_preprocessor
    from pipeline.published import PublishedVersion, open_version
    from pipeline.validation.validating import validate

__all__ = [
    "InputWarning",
    "KNNImputer",
    "PublishedVersion",
    "load_preprocessor",
    "open_version",
    "validate",
]

_HOMES = {
    "InputWarning": "pipeline.ingest.columns",
    "KNNImputer": "pipeline.imputation.knn",
    "PublishedVersion": "pipeline.published",
    "load_preprocessor": "pipeline.preprocessing.preprocessor",
    "open_version": "pipeline.published",
    "validate": "pipeline.validation.validating",
}
_SAMPLERS = (
    "ADASYN", "BorderlineSMOTE", "EditedNearestNeighbours", "SMOTE", "SMOTEENN", "SMOTEN",
    "SMOTENC", "SMOTETomek", "TomekLinks",
)  # fmt: skip


def __dir__() -> list[str]:
    """Name the public names, too, that are not imported yet."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    hint = "" if name.startswith("_") else _hint_at(name)
    message = f"module {__name__!r} has no attribute {name!r}{hint}"
    # `from pipeline import SMOTE` asks here first and drops what an AttributeError says. Only where
    # there is a hint: a name without one may be a module, which Python looks for next.
    asked = sys._getframe(1).f_code.co_name
    if hint and asked == "_handle_fromlist" and find_spec(f"{__name__}.{name}") is None:
        raise ImportError(message, name=__name__)
    raise AttributeError(message, name=name)


def _hint_at(name: str) -> str:
    """Say where a name may be found that this package does not have."""
    if name in _SAMPLERS:
        return f": write `from pipeline.resampling import {name}`"
    from pipeline.errors import find_near_misses

    near = find_near_misses(name, [*__all__, *_SAMPLERS])
    return f": {near}" if near else ""
