"""What is told of a split: counts, what was kept together, near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two rows that are nearly the same.

    Attributes
    ----------
    first, second
        Their ``row_id``.
    bits
        By how many bits their perceptual hashes differ.
    difference
        By how much their pixels differ on average, of the grey scale.
    labels
        Their classes.
    """

    first: str
    second: str
    bits: int
    difference: float
    labels: tuple[str, str]


@dataclass(frozen=True, slots=True)
class NearFacts:
    """Near-duplicates among pictures.

    Attributes
    ----------
    pairs
        Pairs of rows that are nearly, but not wholly, the same.
    groups
        Sets of rows that hang together by such pairs.
    across_labels
        Pairs whose labels differ.
    examples
        Some pairs, those of different labels first, the nearest first.
    """

    pairs: int
    groups: int
    across_labels: int
    examples: list[NearPair]


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """How rows were split.

    Attributes
    ----------
    counts
        Rows by split and class.
    duplicates
        Rows that repeat an earlier row's features and label.
    conflicts
        Rows whose features stand with more than one label.
    shared_units
        Units of more than one row, which were kept on one side.
    notes
        Classes that do not reach every split, and why.
    unused
        Training rows that ``split.train_counts`` leaves out, by class.
    near
        Near-duplicates, where they were looked for.
    """

    by: str
    counts: dict[str, dict[str, int]]
    duplicates: int
    conflicts: int
    shared_units: int
    notes: list[str]
    unused: dict[str, int] = field(default_factory=dict)
    near: NearFacts | None = None
