"""One pass over a table for everything that is asked of it.

A ``Block`` is a small result that can be computed for each chunk and merged: a count, moments,
value counts. ``Rows`` finds the rows that a condition calls unexpected: how many, which come first,
and what they hold. A pass reads each chunk once, whatever the number of blocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl

from pipeline.hashing import hash_key
from pipeline.validation.conditions import Where
from pipeline.validation.stock import StockError
from pipeline.validation.table import Table, cast_frame, to_pandas

if TYPE_CHECKING:
    from pipeline.validation.states import States

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
        Which rows it is about; None: all.
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


@dataclass(slots=True)
class Scan:
    """What is asked of a table, and what was found; each ``run`` is one pass over it."""

    table: Table
    blocks: dict[str, Block] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)
    wheres: dict[str, Where] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    passes: int = 0
    held: pl.DataFrame | None = None
    states: States | None = None
    notes: dict[str, str] = field(default_factory=dict)

    def ask(self, block: Block) -> None:
        """Ask for a block in the next pass."""
        self.blocks.setdefault(block.key, block)

    def ask_rows(self, rows: Rows) -> Rows:
        """Ask for unexpected rows; wishes about one condition are put together."""
        same = self.rows.setdefault(rows.key, rows)
        if same is rows:
            return rows
        wanted = None if None in (same.wanted, rows.wanted) else max(same.wanted, rows.wanted)  # type: ignore[type-var]
        wish = (wanted, same.shown | rows.shown, same.labels_wanted or rows.labels_wanted)
        if same.key in self.done and wish != (same.wanted, same.shown, same.labels_wanted):
            self.done.discard(same.key)  # more is wanted of it than was found
            same = self.rows[rows.key] = rows
        same.wanted, same.shown, same.labels_wanted = wish
        return same

    def run(self) -> None:
        """Read the table once and compute all that is asked and not yet found."""
        blocks = [block for block in self.blocks.values() if block.key not in self.found]
        tasks = [rows for rows in self.rows.values() if rows.key not in self.done]
        settled = {rows.key for rows in tasks if rows.settle is not None and rows.settle(rows)}
        self.done |= settled
        tasks = [rows for rows in tasks if rows.key not in settled]
        if not blocks and not tasks:
            return
        self.passes += 1
        parts: dict[str, list[Any]] = {block.key: [] for block in blocks}
        if self.states is None or not self.table.partitions:
            for chunk in range(len(self.table.bounds)):
                self._run_chunk(chunk, blocks, tasks, parts)
        else:
            for partition, chunks in self.table.partitions.items():
                self._run_partition(partition, chunks, blocks, tasks, parts)
        for block in blocks:
            self.found[block.key] = block.merge(parts[block.key])
        self.done |= {rows.key for rows in tasks}

    def give_up(self) -> None:
        """Ask for nothing any more."""
        self.held = None
        for asked in (self.blocks, self.rows, self.wheres, self.found):
            asked.clear()
        self.done.clear()

    def forget(self) -> None:
        """Let go of what is large and was used."""
        self.held = None
        for key in [key for key, found in self.found.items() if isinstance(found, pl.Series)]:
            del self.found[key], self.blocks[key]

    def _run_partition(
        self,
        partition: str,
        chunks: Sequence[int],
        blocks: list[Block],
        tasks: list[Rows],
        parts: dict[str, list[Any]],
    ) -> None:
        """Take what is known of a partition; read it only for what is not, and keep that."""
        assert self.states is not None
        known = self.states.load(partition)
        names = {block.key: self._name_state(block.key, block.columns) for block in blocks}
        names |= {
            rows.key: self._name_state(
                f"{rows.key}|{rows.wanted}|{sorted(rows.shown)}|{rows.given}", rows.columns
            )
            for rows in tasks
        }
        start = self.table.bounds[chunks[0]][0]
        new_blocks = [block for block in blocks if names[block.key] not in known]
        # What depends on other partitions, or is large, is no state.
        stateless = [rows for rows in tasks if not self._can_keep(rows)]
        apart = [rows for rows in tasks if self._can_keep(rows)]
        new_rows = {
            rows.key: replace(rows, frames=[], count=0, considered=0)
            for rows in apart
            if names[rows.key] not in known or rows.wanted is None
        }
        own: dict[str, list[Any]] = {block.key: [] for block in new_blocks}
        if new_blocks or new_rows or stateless:
            for chunk in chunks:
                self._run_chunk(chunk, new_blocks, [*new_rows.values(), *stateless], own)
        changed = {
            names[block.key]: tuple(own[block.key])
            for block in new_blocks
            if block.small and _is_small(own[block.key])
        }
        for block in blocks:
            parts[block.key] += own.get(block.key) or known[names[block.key]]
        for rows in apart:
            found = new_rows.get(rows.key)
            if found is None:
                considered, count, shown = known[names[rows.key]]
                frames = [] if shown is None else [self._restore(shown, start)]
            else:
                considered, count, frames = found.considered, found.count, found.frames
                rows.error = rows.error or found.error
                shown = pd.concat(frames) if frames else None
                if found.error is None and rows.wanted is not None:
                    local = None if shown is None else shown.set_axis(shown.index - start)
                    changed[names[rows.key]] = (considered, count, local)
            rows.considered, rows.count = rows.considered + considered, rows.count + count
            missing = rows.missing()
            rows.frames += [f if missing is None else f.iloc[:missing] for f in frames]
        if changed:
            self.states.save(partition, known | changed)

    def _can_keep(self, rows: Rows) -> bool:
        if rows.given is None or rows.labels_wanted:
            return False
        return all(self.table.columns[name].kind != "other" for name in rows.shown)

    def _name_state(self, key: str, columns: Sequence[str]) -> str:
        kinds = [str(self.table.columns[name].dtype) for name in columns]
        return hash_key(key, kinds)

    def _restore(self, kept: pl.DataFrame, start: int) -> pd.DataFrame:
        """Give rows that were kept the dtypes of the table, and their places in it."""
        frame = kept.drop(" ").to_pandas()
        frame.index = pd.Index(kept[" "].to_numpy() + start)
        return cast_frame(frame, self.table.columns)

    def _load(self, chunk: int, names: set[str]) -> pl.DataFrame:
        """Read a chunk; the only one of a small table is held for the second pass."""
        if self.held is not None and names <= set(self.held.columns):
            return self.held
        data = self.table.load(chunk, names)
        if len(self.table.bounds) == 1:
            self.held = data
        return data

    def _run_chunk(
        self, chunk: int, blocks: list[Block], tasks: list[Rows], parts: dict[str, list[Any]]
    ) -> None:
        columns = {name for block in blocks for name in block.columns}
        columns |= {name for rows in tasks for name in (*rows.columns, *rows.shown)}
        columns |= {name for where in self.wheres.values() for name in where.columns}
        data = self._load(chunk, {n for n in columns if self.table.columns[n].kind != "other"})
        start, stop = self.table.bounds[chunk]
        loaded = _Chunk(self.table, chunk, data, stop - start)
        decided = [
            where.decide(loaded.to_pandas(where.columns)).alias(WHERE + where.key)
            for where in self.wheres.values()
            if where.expression is None
        ]
        if decided or not data.width:
            data = data.with_columns(decided) if data.width else pl.DataFrame(decided)
        names, expressions = [], []
        for block in blocks:
            for at, expression in enumerate(block.expressions):
                names.append(f"{block.key} {at}")
                expressions.append(expression.alias(names[-1]))
        by_polars = [rows for rows in tasks if rows.unexpected is not None]
        for rows in by_polars:
            expressions += _find(rows, stop - start)
        if expressions:
            loaded.data = data
            values = _select(data, expressions, stop - start)
            for block, part in zip(blocks, _shrink(blocks, values), strict=True):
                parts[block.key].append(part)
            for rows in by_polars:
                places = values.get(f"{rows.key} places")
                considered = values[f"{rows.key} considered"]
                count = values[f"{rows.key} count"]
                _take(
                    rows, loaded, considered, count, None if places is None else places.to_numpy()
                )
        for rows in tasks:
            if rows.by_chunk is not None:
                considered, mask = rows.by_chunk(data)
                _take(rows, loaded, considered, int(mask.sum()), mask.arg_true().to_numpy())
            if rows.by_pandas is not None and rows.error is None:
                try:
                    frame = loaded.to_pandas(rows.columns)
                    considered, count, found = rows.by_pandas(frame)
                except StockError as error:
                    rows.error = error
                    continue
                _take(rows, loaded, considered, count, found)


@dataclass(slots=True)
class _Chunk:
    """A chunk that was read, by Polars and where needed by pandas."""

    table: Table
    number: int
    data: pl.DataFrame
    height: int
    columns: dict[str, pd.Series[Any]] = field(default_factory=dict)

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
        index = self._index(places)
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

    def _index(self, places: np.ndarray[Any, Any] | None) -> pd.Index[Any]:
        start, stop = self.table.bounds[self.number]
        if self.table.index is not None:
            index = self.table.index[start:stop]
        else:
            index = pd.RangeIndex(start, stop)
        return index if places is None else index.take(places)


def _concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Put frames together; categories of the parts become those of the whole."""
    whole = pd.concat(frames)
    for name in whole.columns:
        parts = [frame[name] for frame in frames]
        if all(isinstance(part.dtype, pd.CategoricalDtype) for part in parts):
            united = pd.api.types.union_categoricals([part.array for part in parts])
            whole[name] = pd.Series(united, index=whole.index)
    return whole


def _is_small(part: Any) -> bool:
    if isinstance(part, list | tuple):
        return all(_is_small(item) for item in part)
    return not isinstance(part, pl.Series | np.ndarray) or len(part) <= MOST_KEPT


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
    rows: Rows, loaded: _Chunk, considered: int, count: int, places: np.ndarray[Any, Any] | None
) -> None:
    rows.considered += int(considered)
    rows.count += int(count)
    if places is None:
        return
    if rows.labels_wanted:
        rows.labels += loaded._index(places).tolist()
    missing = rows.missing()
    wanted = places if missing is None else places[:missing]
    if len(wanted) or not rows.frames:
        names = [name for name in loaded.table.columns if name in rows.shown]
        rows.frames.append(loaded.to_pandas(names, wanted))
