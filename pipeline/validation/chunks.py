"""One chunk of a table: read once for all that is asked of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from pipeline.validation.conditions import Where
from pipeline.validation.questions import WHERE, Block, Rows
from pipeline.validation.stock import StockError
from pipeline.validation.table import Table, to_pandas


@dataclass(slots=True)
class Chunk:
    """A chunk that was read, by Polars and where needed by pandas."""

    table: Table
    number: int
    data: pl.DataFrame
    columns: dict[str, pd.Series[Any]] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """How many rows it has."""
        start, stop = self.table.bounds[self.number]
        return stop - start

    def to_pandas(
        self, names: Sequence[str], places: np.ndarray[Any, Any] | None = None
    ) -> pd.DataFrame:
        """Give columns, or some rows of them, with the dtypes and labels of the whole table."""
        names = list(dict.fromkeys(names))
        new = [name for name in names if name not in self.columns]
        others = [name for name in new if self.table.columns[name].kind == "other"]
        if others:
            frame = self.table.load_pandas(self.number, others)
            self.columns |= {name: frame[name] for name in others}
        index = self.index(places)
        part = {}
        for name in names:
            if name in self.columns:
                whole = self.columns[name]
                part[name] = whole if places is None else whole.iloc[places]
            else:
                values = self.data[name] if places is None else self.data[name].gather(places)
                part[name] = to_pandas(values, self.table.columns[name], index)
                if places is None:
                    self.columns[name] = part[name]
        return pd.DataFrame(part, index=index)

    def index(self, places: np.ndarray[Any, Any] | None) -> pd.Index[Any]:
        """Give the labels of its rows, or of some of them."""
        start, stop = self.table.bounds[self.number]
        if self.table.index is not None:
            index = self.table.index[start:stop]
        else:
            index = pd.RangeIndex(start, stop)
        return index if places is None else index.take(places)


def run_chunk(
    chunk: Chunk,
    blocks: list[Block],
    tasks: list[Rows],
    wheres: Iterable[Where],
    parts: dict[str, list[Any]],
) -> None:
    """Compute all that is asked of a chunk: parts of blocks, and the rows themselves.

    Parameters
    ----------
    chunk
        The rows, as they were read.
    blocks
        What is computed; the part of each is added to ``parts``.
    tasks
        Which rows are sought; what is found is noted in them.
    wheres
        Row conditions; those that only pandas can decide are decided first.
    parts
        By block, what chunks before this one gave.
    """
    data, height = chunk.data, chunk.height
    decided = [
        where.decide(chunk.to_pandas(where.columns)).alias(WHERE + where.key)
        for where in wheres
        if where.expression is None
    ]
    if decided or not data.width:
        data = data.with_columns(decided) if data.width else pl.DataFrame(decided)
    expressions = [
        expression.alias(f"{block.key} {at}")
        for block in blocks
        for at, expression in enumerate(block.expressions)
    ]
    by_polars = [rows for rows in tasks if rows.unexpected is not None]
    for rows in by_polars:
        expressions += _find(rows, height)
    if expressions:
        chunk.data = data
        values = _select(data, expressions, height)
        for block, part in zip(blocks, _shrink(blocks, values), strict=True):
            parts[block.key].append(part)
        for rows in by_polars:
            places = values.get(f"{rows.key} places")
            considered, count = values[f"{rows.key} considered"], values[f"{rows.key} count"]
            _take(rows, chunk, considered, count, None if places is None else places.to_numpy())
    for rows in tasks:
        if rows.by_chunk is not None:
            considered, mask = rows.by_chunk(data)
            _take(rows, chunk, considered, int(mask.sum()), mask.arg_true().to_numpy())
        if rows.by_pandas is not None and rows.error is None:
            try:
                frame = chunk.to_pandas(rows.columns)
                considered, count, found = rows.by_pandas(frame)
            except StockError as error:
                rows.error = error
                continue
            _take(rows, chunk, considered, count, found)


def _select(data: pl.DataFrame, expressions: list[pl.Expr], height: int) -> dict[str, Any]:
    if not data.width:  # nothing to read, but rows to count
        data = pl.DataFrame({"": pl.repeat(None, height, dtype=pl.Null, eager=True)})
    found = data.lazy().select(expressions).collect()
    return {column.name: column[0] for column in found.get_columns()}


def _shrink(blocks: list[Block], values: dict[str, Any]) -> list[Any]:
    """Make what is kept of a chunk; numpy lets the other cores work meanwhile."""

    def shrink(block: Block) -> Any:
        given = tuple(values[f"{block.key} {at}"] for at in range(len(block.expressions)))
        return block.shrink(given)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(shrink, blocks))


def _find(rows: Rows, height: int) -> list[pl.Expr]:
    """Write what is to be found of rows: how many are in question, how many unexpected, where."""
    mask = rows.unexpected
    assert mask is not None
    considered = pl.lit(height)
    if rows.domain is not None:
        mask, considered = rows.domain & mask, rows.domain.sum()
    found = [
        considered.alias(f"{rows.key} considered"), mask.sum().alias(f"{rows.key} count"),
    ]  # fmt: skip
    missing = rows.missing()
    if rows.labels_wanted or missing is None:
        found.append(mask.arg_true().implode().alias(f"{rows.key} places"))
    elif missing:
        found.append(mask.arg_true().head(missing).implode().alias(f"{rows.key} places"))
    return found


def _take(
    rows: Rows, chunk: Chunk, considered: int, count: int, places: np.ndarray[Any, Any] | None
) -> None:
    rows.considered += int(considered)
    rows.count += int(count)
    if places is None:
        return
    if rows.labels_wanted:
        rows.labels += chunk.index(places).tolist()
    missing = rows.missing()
    wanted = places if missing is None else places[:missing]
    if len(wanted) or not rows.frames:
        names = [name for name in chunk.table.columns if name in rows.shown]
        rows.frames.append(chunk.to_pandas(names, wanted))
