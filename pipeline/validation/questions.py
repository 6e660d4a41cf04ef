"""What a pass over a table is asked.

A ``Block`` is a small result that can be computed for each chunk and merged: a count, moments,
value counts. ``Rows`` finds the rows that a condition calls unexpected: how many, which come first,
and what they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from pipeline.validation.stock import StockError
from pipeline.validation.table import Table

EXACT_ROWS = 1 << 22  # of a table whose columns are held whole where that is needed; else sketches
MOST_KEPT = 10_000  # values in a partition's state
WHERE = "where "  # the name of a row condition's column that pandas decided


@dataclass(frozen=True, slots=True)
class Block:
    """A result that is computed by chunk and merged.

    Attributes
    ----------
    key
        Blocks of one key are computed once.
    columns
        What it reads.
    expressions
        Aggregations over a chunk.
    merge
        From what the expressions gave for each chunk to the result.
    shrink
        Applied to what the expressions gave for a chunk before it is kept.
    small
        Whether what is kept of a chunk is small enough to be a partition's state.
    """

    key: str
    columns: tuple[str, ...]
    expressions: tuple[pl.Expr, ...]
    merge: Callable[[list[Any]], Any]
    shrink: Callable[[tuple[Any, ...]], Any] = lambda given: given
    small: bool = True


# Decides a chunk by pandas: the count, and the places of the unexpected rows.
ByPandas = Callable[[pd.DataFrame], tuple[int, int, np.ndarray[Any, Any]]]


# Marks the unexpected rows of a chunk of a table that is read from its first row to its last.
ByChunk = Callable[[pl.DataFrame], tuple[int, pl.Series]]


@dataclass(slots=True)
class Rows:
    """The rows that a condition calls unexpected.

    Attributes
    ----------
    columns
        What it reads.
    domain
        Which rows it covers; None: all.
    unexpected
        Which of them are unexpected; None: ``by_pandas`` or ``by_chunk`` tells.
    wanted
        How many of the first ones are to be shown; None: all.
    shown
        Their columns.
    labels_wanted
        Whether the labels of all are wanted.
    given
        The statistics of the whole table that the condition was made with; None if it depends on
        more of it, so that what a partition contributes can't be kept.
    settle
        Finds the rows in what is known already, if it can.
    """

    key: str
    columns: tuple[str, ...]
    domain: pl.Expr | None = None
    unexpected: pl.Expr | None = None
    by_pandas: ByPandas | None = None
    by_chunk: ByChunk | None = None
    wanted: int | None = 0
    shown: set[str] = field(default_factory=set)
    labels_wanted: bool = False
    given: str | None = ""
    settle: Callable[[Rows], bool] | None = None

    count: int = 0
    considered: int = 0
    labels: list[Any] = field(default_factory=list)
    frames: list[pd.DataFrame] = field(default_factory=list)
    error: StockError | None = None

    def frame(self, table: Table) -> pd.DataFrame:
        """Put the rows that are shown together."""
        if not self.frames:
            names = [name for name in table.columns if name in self.shown]
            return table.load_pandas(0, names).iloc[:0]
        if len(self.frames) == 1:
            return self.frames[0]
        return _concat(self.frames)

    def missing(self) -> int | None:
        """Tell how many rows are still to be shown; None: all that come."""
        if self.wanted is None:
            return None
        return max(0, self.wanted - sum(len(frame) for frame in self.frames))


def _concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Put frames together; categories of the parts become those of the whole."""
    whole = pd.concat(frames)
    for name in whole.columns:
        parts = [frame[name] for frame in frames]
        if all(isinstance(part.dtype, pd.CategoricalDtype) for part in parts):
            united = pd.api.types.union_categoricals([part.array for part in parts])
            whole[name] = pd.Series(united, index=whole.index)
    return whole
