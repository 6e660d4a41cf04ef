"""Tables of whatever holds rows: Parquet files, Polars' and pandas' frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import polars as pl

from pipeline.validation.parquet import from_parquet, list_files
from pipeline.validation.table import Table, cast_frame, from_pandas, make_column, normalise

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
    raise TypeError(f"{type(source).__name__} is no table: give a path, a LazyFrame or a DataFrame")


def _from_lazy(frame: pl.LazyFrame) -> Table:
    """Take a lazy frame as pandas would: ``frame.collect().to_pandas()``."""
    schema = frame.collect_schema()
    whole = [n for n, dtype in schema.items() if dtype.is_integer() or dtype == pl.Boolean]
    facts = frame.select(pl.len().alias("rows"), pl.col(whole).null_count().name.prefix("null "))
    counts = facts.collect(engine="streaming").row(0, named=True)
    types = frame.head(0).collect().to_pandas().dtypes
    columns = {}
    for name in schema.names():
        nulls = counts.get(f"null {name}", 0)
        columns[name] = make_column(name, types[name], bool(nulls))
    rows = int(counts["rows"])

    def read(start: int, stop: int, wanted: Sequence[str]) -> pl.DataFrame:
        part = frame.select(wanted) if (start, stop) == (0, rows) else frame.select(wanted).slice(
            start, stop - start
        )  # fmt: skip
        return normalise(part, columns).collect()

    def read_pandas(start: int, stop: int, wanted: Sequence[str]) -> pd.DataFrame:
        return cast_frame(
            frame.select(wanted).slice(start, stop - start).collect().to_pandas(), columns
        )

    return Table(columns, rows, [(0, rows)], read, read_pandas)
