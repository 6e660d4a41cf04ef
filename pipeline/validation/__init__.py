"""Suites of expectations, judged by Great Expectations; the only room that imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.validation.engine import PolarsExecutionEngine
    from pipeline.validation.validating import Validated, validate

__all__ = ["PolarsExecutionEngine", "Validated", "validate"]


def __getattr__(name: str) -> Any:
    """Import Great Expectations, which takes seconds, only when it is asked for."""
    if name == "PolarsExecutionEngine":
        from pipeline.validation.engine import PolarsExecutionEngine

        return PolarsExecutionEngine
    if name in __all__:
        from pipeline.validation import validating

        return getattr(validating, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
