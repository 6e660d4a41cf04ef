"""What a race between resamplings found, as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.config.settings import Resampling
from pipeline.evaluation.bootstrap import Interval

End = Literal["chosen", "as good", "worse", "dropped", "idle", "impossible"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One method's place after some folds.

    Attributes
    ----------
    score
        More is better; of the held-out rows of all folds together.
    behind
        Score of the best minus its own, with an interval that holds for all methods at once.
    metrics
        All metrics.
    folds
        Number of folds. A single one can't tell how much folds and seeds differ.
    """

    method: Resampling
    score: Interval
    behind: Interval
    metrics: dict[str, Interval]
    folds: int

    @property
    def is_worse(self) -> bool:
        """Whether it is significantly worse than the best."""
        return self.folds > 1 and self.behind.low is not None and self.behind.low > 0


@dataclass(frozen=True, slots=True)
class Racer:
    """A method's race from its start to its end.

    Attributes
    ----------
    end
        ``chosen``; ``as good``: not told apart from the best, but less simple than the chosen one;
        ``worse``: significantly worse than the best; ``dropped``: among the worse half after some
        fold; ``idle``: it makes the rows of a simpler one; ``impossible``: see ``reason``.
    folds
        Folds that it ran in; ``standing`` is that after the last of them.
    rows, seconds
        Training rows after resampling in its first fold; wall time of its fits together.
    """

    method: Resampling
    end: End
    folds: int
    rows: int
    seconds: float
    standing: Standing | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RaceFacts:
    """The race as it was.

    Attributes
    ----------
    chosen, best
        The simplest method that is not significantly worse than the best one, and that one.
    score
        What was raced for.
    racers
        Simplest first.
    rows
        Training rows that took part, held out once each if all folds ran.
    folds, planned
        Folds that were run, of how many.
    fits, all_fits
        Networks trained, and how many all methods in all folds would have taken.
    rows_trained, all_rows
        The same in training rows, which is what the race goes by to stay below half.
    seconds
        Wall time.
    notes
        Caveats, as sentences.
    """

    chosen: Resampling
    best: Resampling
    score: str
    racers: list[Racer]
    rows: int
    folds: int
    planned: int
    fits: int
    all_fits: int
    rows_trained: int
    all_rows: int
    seconds: float
    significance: float
    seed: int
    notes: list[str]
