"""The corpus: small files as people have them, each with what is true of it."""

from __future__ import annotations

from tests.reading import (
    clean,
    containers,
    dialects,
    encodings,
    labels,
    numbers,
    parts,
    structures,
    times,
)
from tests.reading.cases import Case

MODULES = (dialects, structures, encodings, numbers, times, labels, parts, containers, clean)


def make_corpus() -> list[Case]:
    """Make all cases, the clean ones last; the same at each call."""
    return [case for module in MODULES for case in module.list_cases()]
