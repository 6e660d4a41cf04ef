"""A table as Great Expectations' pandas engine sees it, read in chunks by Polars.

Great Expectations' results depend on the dtypes that pandas gives to whole columns (an integer
column with one missing value is a float column). Here a column keeps that dtype, while its values
are read a chunk of rows at a time, so that memory stays bounded whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import polars as pl

CHUNK_ROWS = 1 << 20

Kind = Literal["float", "int", "bool", "text", "time", "other"]
NATIVE: dict[Kind, Any] = {
    "float": pl.Float64, "int": pl.Int64, "bool": pl.Boolean, "text": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    dtype
        What pandas makes of the whole column.
    kind
        How Polars may compute with it; 'other' is left to pandas.
    """

    name: str
    dtype: Any
    kind: Kind


@dataclass(slots=True)
class Table:
    """A table and the ways to read a part of it.

    Attributes
    ----------
    rows
        Number of rows.
    bounds
        First and last row (excluded) of each chunk.
    index
        The labels of the rows, where they are not 0, 1, 2 …
    frame
        The whole table, where it is in memory as a pandas frame anyway.
    partitions
        By the hash of each file, the numbers of its chunks; empty where chunks span files.
    plain
        Whether each column has a name of its own that is a text.
    reads
        How often each chunk was read, and of which columns: for counting scans.
    """

    columns: dict[str, Column]
    rows: int
    bounds: list[tuple[int, int]]
    read: Callable[[int, int, Sequence[str]], pl.DataFrame]
    read_pandas: Callable[[int, int, Sequence[str]], pd.DataFrame]
    index: pd.Index[Any] | None = None
    frame: pd.DataFrame | None = None
    partitions: dict[str, list[int]] = field(default_factory=dict)
    plain: bool = True
    reads: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def load(self, chunk: int, names: Iterable[str]) -> pl.DataFrame:
        """Read columns of a chunk for Polars: floats without NaN, whatever is missing null."""
        wanted = sorted(set(names))
        self.reads.append((chunk, tuple(wanted)))
        return self.read(*self.bounds[chunk], wanted)

    def load_pandas(self, chunk: int, names: Sequence[str]) -> pd.DataFrame:
        """Read columns of a chunk as pandas, with the dtypes of the whole columns."""
        return self._label(self.read_pandas(*self.bounds[chunk], names), self.bounds[chunk][0])

    def load_whole(self, names: Sequence[str]) -> pd.DataFrame:
        """Read whole columns as pandas."""
        if self.frame is not None:
            few = self.plain and len(names) < len(self.columns)
            return self.frame[list(names)] if few else self.frame
        return self.read_pandas(0, self.rows, names)

    def _label(self, frame: pd.DataFrame, start: int) -> pd.DataFrame:
        stop = start + len(frame)
        frame.index = pd.RangeIndex(start, stop) if self.index is None else self.index[start:stop]
        return frame


def _find_kind(name: str, dtype: Any) -> Kind:
    """Tell how Polars may compute with a column of pandas so that pandas' results come out."""
    if name.startswith(("^", "*", " ", "where ")):  # to Polars a pattern, or to us a note
        return "other"
    if isinstance(dtype, np.dtype):
        if dtype == np.float64:
            return "float"
        if dtype.kind == "i" or (dtype.kind == "u" and dtype.itemsize < 8):
            return "int"
        if dtype == np.bool_:
            return "bool"
        if dtype.kind == "M":
            return "time"
    if isinstance(dtype, pd.StringDtype) and dtype.na_value is np.nan:
        return "text"
    return "other"


def cut(rows: int, steps: Iterable[int] = ()) -> list[tuple[int, int]]:
    """Cut rows into chunks that end where row groups end, if they are small enough."""
    bounds: list[tuple[int, int]] = []
    start = end = 0
    for step in steps:
        if end > start and end + step - start > CHUNK_ROWS:
            bounds.append((start, end))
            start = end
        end += step
        while end - start > 2 * CHUNK_ROWS:
            bounds.append((start, start + CHUNK_ROWS))
            start += CHUNK_ROWS
    if end < rows:
        bounds += [(at, min(at + CHUNK_ROWS, rows)) for at in range(end, rows, CHUNK_ROWS)]
    elif end > start or not bounds:
        bounds.append((start, end))
    return bounds


def from_pandas(frame: pd.DataFrame) -> Table:
    """Take a pandas frame as it is."""
    names = list(frame.columns)
    plain = len(set(names)) == len(names) and all(type(name) is str for name in names)
    columns = {
        name: Column(name, dtype, _find_kind(name, dtype) if plain else "other")
        for name, dtype in zip(names, frame.dtypes, strict=True)
    }
    ranged = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    ranged = ranged and frame.index.equals(pd.RangeIndex(len(frame)))

    def read(start: int, stop: int, wanted: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame(
            [_to_polars(frame[name].iloc[start:stop], columns[name].kind) for name in wanted]
        )

    def read_pandas(start: int, stop: int, wanted: Sequence[str]) -> pd.DataFrame:
        return frame[list(wanted)].iloc[start:stop].copy(deep=False)

    index = None if ranged else frame.index
    bounds = cut(len(frame))
    return Table(columns, len(frame), bounds, read, read_pandas, index, frame, plain=plain)


def _to_polars(series: pd.Series[Any], kind: Kind) -> pl.Series:
    if kind in ("float", "int", "bool"):
        values = pl.Series(str(series.name), series.to_numpy(), nan_to_null=kind == "float")
        return values.cast(NATIVE[kind])
    if kind == "text":
        import pyarrow as pa

        return pl.Series(str(series.name), pa.array(series, type=pa.large_string()), pl.String)
    return pl.from_pandas(series)


def make_column(name: str, dtype: Any, has_nulls: bool) -> Column:
    """Give a column the dtype that pandas would give it, now that its missing values are known.

    Parameters
    ----------
    name
        The column.
    dtype
        What pandas would give it if no value were missing.
    has_nulls
        Whether one is.
    """
    if has_nulls and isinstance(dtype, np.dtype):
        if dtype.kind in "iu":
            dtype = np.dtype("float64")
        elif dtype.kind == "b":
            dtype = np.dtype("object")
    return Column(name, dtype, _find_kind(name, dtype))


def to_pandas(
    values: pl.Series, column: Column, index: pd.Index[Any] | None = None
) -> pd.Series[Any]:
    """Give values of a column as pandas would hold them.

    Parameters
    ----------
    values
        As Polars has them.
    column
        Its name and pandas' dtype.
    index
        Labels of the rows; left out: their numbers from 0.
    """
    if column.kind == "text":
        text: pd.Series[Any] = pd.Series(values.to_arrow(), index, column.dtype, column.name)
        return text
    series: pd.Series[Any] = pd.Series(values.to_numpy(), index, name=column.name)
    return series.astype(column.dtype)


def cast_frame(frame: pd.DataFrame, columns: dict[str, Column]) -> pd.DataFrame:
    """Give a part of a table the dtypes of the whole; a part's categories are its own."""
    given = {str(name): (dtype, columns[str(name)].dtype) for name, dtype in frame.dtypes.items()}
    dtypes = {
        name: wanted
        for name, (found, wanted) in given.items()
        if found != wanted and not isinstance(wanted, pd.CategoricalDtype)
    }
    return frame.astype(dtypes) if dtypes else frame


def normalise(frame: pl.LazyFrame, columns: dict[str, Column]) -> pl.LazyFrame:
    """Give what Polars read the few types that it computes with here."""
    casts = []
    for name in frame.collect_schema().names():
        kind = columns[name].kind
        if kind in NATIVE:
            casts.append(pl.col(name).cast(NATIVE[kind]))
        if kind == "float":
            casts[-1] = casts[-1].fill_nan(None)
    return frame.with_columns(casts)
