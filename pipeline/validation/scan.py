"""One pass over a table for everything that is asked of it.

A pass reads each chunk once, whatever the number of blocks and rows that are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from pipeline.storage.hashing import hash_key
from pipeline.validation.chunks import Chunk, run_chunk
from pipeline.validation.conditions import Where
from pipeline.validation.questions import EXACT_ROWS, MOST_KEPT, Block, Rows
from pipeline.validation.states import States, pack, unpack
from pipeline.validation.table import Table, cast_frame


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

    @property
    def estimates(self) -> bool:
        """Whether what would need whole columns, or rows that are not read, is estimated."""
        return self.states is not None or self.table.rows > EXACT_ROWS

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
            names = {block.key: self._name_state(block.key, block.columns) for block in blocks}
            names |= {
                rows.key: self._name_state(
                    f"{rows.key}|{rows.wanted}|{sorted(rows.shown)}|{rows.given}", rows.columns
                )
                for rows in tasks
            }
            for partition in self.table.partitions:
                self._run_partition(partition, blocks, tasks, names, parts)
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
        blocks: list[Block],
        tasks: list[Rows],
        names: Mapping[str, str],
        parts: dict[str, list[Any]],
    ) -> None:
        """Take what is known of a partition; read it only for what is not, and keep that."""
        assert self.states is not None
        known, chunks = self.states.load(partition), self.table.partitions[partition]
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
        changed: dict[str, Any] = {
            names[block.key]: tuple(own[block.key])
            for block in new_blocks
            if block.small and _is_small(own[block.key])
        }
        for block in blocks:
            parts[block.key] += own.get(block.key) or known[names[block.key]]
        for rows in apart:
            found = new_rows.get(rows.key)
            if found is None:
                considered, count, packed = known[names[rows.key]]
                frames = [] if packed is None or not rows.missing() else [self._open(packed, start)]
            else:
                considered, count, frames = found.considered, found.count, found.frames
                rows.error = rows.error or found.error
                if found.error is None and rows.wanted is not None:
                    kept = pack(pd.concat(frames), start) if frames else None
                    changed[names[rows.key]] = (considered, count, kept)
            missing = rows.missing()
            rows.considered, rows.count = rows.considered + considered, rows.count + count
            if missing != 0 or not rows.frames:
                rows.frames += [f if missing is None else f.iloc[:missing] for f in frames]
        if changed:
            self.states.save(partition, changed)

    def _can_keep(self, rows: Rows) -> bool:
        if rows.given is None or rows.labels_wanted:
            return False
        return all(self.table.columns[name].kind != "other" for name in rows.shown)

    def _name_state(self, key: str, columns: Sequence[str]) -> str:
        kinds = [str(self.table.columns[name].dtype) for name in columns]
        return hash_key(key, kinds)

    def _open(self, packed: bytes, start: int) -> pd.DataFrame:
        """Give rows that were kept the dtypes of the table, and their places in it."""
        return cast_frame(unpack(packed, start), self.table.columns)

    def _load(self, chunk: int, names: set[str]) -> pl.DataFrame:
        """Read a chunk; the only one of a small table is held for the second pass."""
        if self.held is not None and names <= set(self.held.columns):
            return self.held
        data = self.table.load(chunk, names)
        if len(self.table.bounds) == 1:
            self.held = data
        return data

    def _run_chunk(
        self, number: int, blocks: list[Block], tasks: list[Rows], parts: dict[str, list[Any]]
    ) -> None:
        columns = {name for block in blocks for name in block.columns}
        columns |= {name for rows in tasks for name in (*rows.columns, *rows.shown)}
        columns |= {name for where in self.wheres.values() for name in where.columns}
        names = {name for name in columns if self.table.columns[name].kind != "other"}
        chunk = Chunk(self.table, number, self._load(number, names))
        run_chunk(chunk, blocks, tasks, self.wheres.values(), parts)


def _is_small(part: Any) -> bool:
    if isinstance(part, list | tuple):
        return all(_is_small(item) for item in part)
    if isinstance(part, np.ndarray):
        return part.nbytes <= 8 * MOST_KEPT
    return not isinstance(part, pl.Series) or len(part) <= MOST_KEPT
