"""The least and greatest values of each partition, with their places: what outliers are.

A condition on the distance from the middle of a column is settled by them, without another look at
the partitions, if the innermost value that was kept is still expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from pipeline.validation.conditions import Where
from pipeline.validation.partials import name_block, reads, select
from pipeline.validation.questions import Block, Rows
from pipeline.validation.scan import Scan
from pipeline.validation.table import Column

SHARE = 0.005  # of a chunk's values, at each end
LEAST, MOST = 256, 4096


@dataclass(frozen=True, slots=True)
class Tails:
    """The ends of a chunk.

    Attributes
    ----------
    count
        How many values there are.
    values, rows
        The values that were kept, in order, and their rows in the chunk.
    kept
        How many of them are from the lower end; the others are from the upper one.
    """

    count: int
    values: np.ndarray[Any, Any]
    rows: np.ndarray[Any, Any]
    kept: int

    def covers(self, unexpected: np.ndarray[Any, Any]) -> bool:
        """Tell whether all unexpected values are among those kept, by which of these are."""
        inner = unexpected[max(0, self.kept - 1) : self.kept + 1]
        return len(self.values) == self.count or not inner.any()


def tails(column: Column, where: Where | None) -> Block:
    """Keep the ends of what is there."""
    condition, value = select(where), pl.col(column.name)
    there = value.is_not_null() if condition is None else value.is_not_null() & condition

    def shrink(given: tuple[Any, ...]) -> tuple[Any, ...]:
        values, rows = (part.to_numpy() for part in given)
        count = len(values)
        size = min(MOST, max(LEAST, int(SHARE * count)))
        if count <= 2 * size:
            order = np.argsort(values, kind="stable")
            return count, values[order], rows[order], count
        ends = np.argpartition(values, (size - 1, count - size))
        ends = np.concatenate([ends[:size], ends[-size:]])
        ends = ends[np.argsort(values[ends], kind="stable")]
        return count, values[ends], rows[ends], size

    return Block(
        name_block("tails", column, where), reads(column, where),
        (value.filter(there).implode(), there.arg_true().implode()),
        lambda parts: [Tails(*part) for part in parts], shrink,
    )  # fmt: skip


def settle(column: Column, block: Block, scan: Scan, rows: Rows) -> bool:
    """Find unexpected rows in the ends of all chunks; False if a chunk must be read for them.

    Parameters
    ----------
    column
        A column of numbers.
    block
        The ends that were kept of it.
    scan
        What was found; and where chunks begin.
    rows
        What is sought; what is found is noted in it.
    """
    if rows.labels_wanted or rows.wanted is None or not rows.shown <= {column.name}:
        return False
    assert rows.unexpected is not None
    parts: Sequence[Tails] = scan.found[block.key]
    values = np.concatenate([part.values for part in parts])
    found = pl.DataFrame({column.name: values}).select(
        pl.repeat(True, len(values)).alias("") & rows.unexpected.alias("found")
    )
    ends = np.cumsum([len(part.values) for part in parts])[:-1]
    masks = np.split(found.to_series().to_numpy(), ends)
    if not all(part.covers(mask) for part, mask in zip(parts, masks, strict=True)):
        return False
    for part, mask, (start, _) in zip(parts, masks, scan.table.bounds, strict=True):
        rows.considered += part.count
        rows.count += int(mask.sum())
        missing = rows.missing()
        if not missing or not rows.shown:
            continue
        first = np.argsort(part.rows[mask], kind="stable")[:missing]
        if len(first):
            frame = pd.DataFrame({column.name: part.values[mask][first]}).astype(column.dtype)
            rows.frames.append(frame.set_axis(start + part.rows[mask][first].astype(np.int64)))
    return True
