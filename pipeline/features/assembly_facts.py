"""What became features: the facts of the step that encodes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AssemblyFacts:
    """What became features.

    Attributes
    ----------
    rows
        Rows of each split that were kept.
    leftover
        Rows of validation and test that equal a row of another split after repair.
    unknown_labels
        Rows of validation and test whose class training does not have.
    bucketed
        Rows whose category has no feature of its own, by column.
    """

    features: list[str]
    rows: dict[str, int]
    leftover: dict[str, int]
    unknown_labels: dict[str, int]
    bucketed: dict[str, int]
