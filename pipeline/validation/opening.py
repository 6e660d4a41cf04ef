"""Tables of whatever holds rows: Parquet files, Polars' and pandas' frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import polars as pl
from polars.selectors import by_name

from pipeline.validation.parquet import from_parquet, list_files
from pipeline.validation.table import (
    CHUNK_ROWS,
    Table,
    cast_frame,
    cut,
    from_pandas,
    make_column,
    normalise,
)

Source = Path | str | Sequence[Path] | pl.LazyFrame | pl.DataFrame | pd.DataFrame


def make_table(
    source: Source,
    columns: Sequence[str] | None = None,
    *,
    identify: Callable[[Path], str] | None = None,
) -> Table:
    """Make a table of a Parquet file, a folder or list of them, a Polars or a pandas frame.

    Parameters
    ----------
    columns
        The columns that it is to have; left out: all.
    identify
        Names the content of a Parquet file, each of which is then a partition.

    Raises
    ------
    TypeError
        If it is none of these.
    OSError, ValueError
        If a file can't be read.
    """
    if isinstance(source, pd.DataFrame):
        return from_pandas(source if columns is None else source[list(columns)])
    if isinstance(source, pl.DataFrame):
        source = source.lazy()
    if isinstance(source, pl.LazyFrame):
        return _from_lazy(source if columns is None else source.select(columns))
    if isinstance(source, str) and "://" in source:  # in object storage
        return make_table(pl.scan_parquet(source), columns)
    if isinstance(source, str | Path):
        if any("=" in file.parent.name for file in Path(source).glob("*/*")):  # Hive's partitions
            return make_table(pd.read_parquet(source), columns)
        return from_parquet(list_files(Path(source)), columns, identify)
    if isinstance(source, Sequence):
        return from_parquet([str(file) for file in source], columns, identify)
    raise TypeError(f"an object of type {type(source).__name__} is no table")


def _from_lazy(frame: pl.LazyFrame) -> Table:
    """Take a lazy frame as pandas would: ``frame.collect().to_pandas()``."""
    schema = frame.collect_schema()
    whole = [n for n, dtype in schema.items() if dtype.is_integer() or dtype == pl.Boolean]
    gaps = by_name(*whole).null_count().name.prefix("null ")
    facts = frame.select(pl.len().alias("rows"), gaps)
    counts = facts.collect(engine="streaming").row(0, named=True)
    types = frame.head(0).collect().to_pandas().dtypes
    columns = {}
    for name in schema.names():
        nulls = counts.get(f"null {name}", 0)
        columns[name] = make_column(name, types[name], bool(nulls))
    rows = int(counts["rows"])
    apart = any(column.kind == "other" for column in columns.values())
    if apart and not frame.explain().startswith("Parquet SCAN"):
        # Such columns are read apart, and a query may give its rows in another order each time.
        frame = frame.collect().lazy()
    bounds = cut(rows)
    batches = _Batches(frame, rows)

    def read(start: int, stop: int, wanted: Sequence[str]) -> pl.DataFrame:
        if len(bounds) == 1:
            return normalise(frame.select(by_name(*wanted)), columns).collect()
        return normalise(batches.read(start, stop, wanted).lazy(), columns).collect()

    def read_pandas(start: int, stop: int, wanted: Sequence[str]) -> pd.DataFrame:
        part = frame.select(by_name(*wanted)).slice(start, stop - start).collect().to_pandas()
        return cast_frame(part[list(wanted)], columns)

    return Table(columns, rows, bounds, read, read_pandas)


class _Batches:
    """Reads a lazy frame from its first row to its last, in one run of its query a pass."""

    def __init__(self, frame: pl.LazyFrame, rows: int) -> None:
        self.frame = frame
        self.rows = rows
        self.wanted: list[str] = []
        self.at = rows
        self.rest = pl.DataFrame()
        self.batches: Iterator[pl.DataFrame] = iter(())

    def read(self, start: int, stop: int, wanted: Sequence[str]) -> pl.DataFrame:
        """Read some rows; the query is run again if they are not the next ones.

        Parameters
        ----------
        start, stop
            Numbers of the first row, and of the one after the last.
        wanted
            The columns.
        """
        if not wanted:
            return pl.DataFrame()
        if start != self.at or list(wanted) != self.wanted:
            query = self.frame.select(by_name(*wanted)).slice(start, self.rows - start)
            self.wanted, self.at = list(wanted), start
            self.rest = query.head(0).collect()
            self.batches = iter(query.collect_batches(chunk_size=CHUNK_ROWS))
        parts, height = [self.rest], self.rest.height
        while height < stop - start:
            part = next(self.batches, None)
            if part is None:
                raise ValueError("the query gave fewer rows than it did before")
            parts.append(part)
            height += part.height
        whole = pl.concat(parts)
        self.at = stop
        self.rest = whole.slice(stop - start)
        return whole.head(stop - start)
