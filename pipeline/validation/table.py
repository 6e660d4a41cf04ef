"""A table as Great Expectations' pandas engine sees it, read in chunks by Polars.

Great Expectations' results depend on the dtypes that pandas gives to whole columns (an integer
column with one missing value is a float column). Here a column keeps that dtype, while its values
are read a chunk of rows at a time, so that memory stays bounded whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
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
        return _from_pandas(source if columns is None else source[list(columns)])
    if isinstance(source, pl.DataFrame):
        source = source.lazy()
    if isinstance(source, pl.LazyFrame):
        return _from_lazy(source if columns is None else source.select(columns))
    if isinstance(source, str) and "://" in source:  # in object storage
        return make_table(pl.scan_parquet(source), columns)
    if isinstance(source, str | Path):
        if any("=" in file.parent.name for file in Path(source).glob("*/*")):  # Hive's partitions
            return make_table(pd.read_parquet(source), columns)
        return _from_parquet(_list_files(Path(source)), columns, identify)
    if isinstance(source, Sequence):
        return _from_parquet([str(file) for file in source], columns, identify)
    raise TypeError(f"{type(source).__name__} is no table: give a path, a LazyFrame or a DataFrame")


def _cut(rows: int, steps: Iterable[int] = ()) -> list[tuple[int, int]]:
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


def _from_pandas(frame: pd.DataFrame) -> Table:
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
    bounds = _cut(len(frame))
    return Table(columns, len(frame), bounds, read, read_pandas, index, frame, plain=plain)


def _to_polars(series: pd.Series[Any], kind: Kind) -> pl.Series:
    if kind in ("float", "int", "bool"):
        values = pl.Series(str(series.name), series.to_numpy(), nan_to_null=kind == "float")
        return values.cast(NATIVE[kind])
    if kind == "text":
        import pyarrow as pa

        return pl.Series(str(series.name), pa.array(series, type=pa.large_string()), pl.String)
    return pl.from_pandas(series)


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
        columns[name] = _make_column(name, types[name], bool(nulls))
    rows = int(counts["rows"])

    def read(start: int, stop: int, wanted: Sequence[str]) -> pl.DataFrame:
        part = frame.select(wanted) if (start, stop) == (0, rows) else frame.select(wanted).slice(
            start, stop - start
        )  # fmt: skip
        return _normalise(part, columns).collect()

    def read_pandas(start: int, stop: int, wanted: Sequence[str]) -> pd.DataFrame:
        return cast_frame(
            frame.select(wanted).slice(start, stop - start).collect().to_pandas(), columns
        )

    return Table(columns, rows, [(0, rows)], read, read_pandas)


def _make_column(name: str, dtype: Any, has_nulls: bool) -> Column:
    """Give a column the dtype that pandas would give it, now that its missing values are known."""
    if has_nulls and isinstance(dtype, np.dtype):
        if dtype.kind in "iu":
            dtype = np.dtype("float64")
        elif dtype.kind == "b":
            dtype = np.dtype("object")
    return Column(name, dtype, _find_kind(name, dtype))


def to_pandas(
    values: pl.Series, column: Column, index: pd.Index[Any] | None = None
) -> pd.Series[Any]:
    """Give values of a column as pandas would hold them."""
    if column.kind == "text":
        text: pd.Series[Any] = pd.Series(values.to_arrow(), index, column.dtype, column.name)
        return text
    series: pd.Series[Any] = pd.Series(values.to_numpy(), index, name=column.name)
    return series.astype(column.dtype)


def cast_frame(frame: pd.DataFrame, columns: dict[str, Column]) -> pd.DataFrame:
    """Give a part of a table the dtypes of the whole; a part's categories are its own."""
    dtypes = {name: columns[name].dtype for name in frame.columns}
    return frame.astype(
        {n: dtype for n, dtype in dtypes.items() if not isinstance(dtype, pd.CategoricalDtype)}
    )


def _normalise(frame: pl.LazyFrame, columns: dict[str, Column]) -> pl.LazyFrame:
    casts = []
    for name in frame.collect_schema().names():
        kind = columns[name].kind
        if kind in NATIVE:
            casts.append(pl.col(name).cast(NATIVE[kind]))
        if kind == "float":
            casts[-1] = casts[-1].fill_nan(None)
    return frame.with_columns(casts)


def _from_parquet(
    files: list[str], wanted: Sequence[str] | None, identify: Callable[[Path], str] | None
) -> Table:
    """Take Parquet files as pandas would."""
    import pyarrow.parquet as pq

    if not files:
        raise ValueError("0 Parquet files are given")
    metas = [pq.read_metadata(file) for file in files]
    types = _read_types(files[0], alone=len(files) == 1)
    schema = metas[0].schema.to_arrow_schema()
    if types is None or any(not m.schema.to_arrow_schema().equals(schema) for m in metas[1:]):
        whole = pd.concat([pd.read_parquet(file) for file in files], ignore_index=types is not None)
        return _from_pandas(whole if wanted is None else whole[list(wanted)])
    types = types if wanted is None else {name: types[name] for name in wanted}
    nulls = _count_nulls(metas, files, types)
    columns = {name: _make_column(name, types[name], nulls.get(name, 0) > 0) for name in types}
    rows = sum(m.num_rows for m in metas)
    bounds, partitions = _cut_files(files, metas, identify)
    scan = pl.scan_parquet(files, hive_partitioning=False)

    def read(start: int, stop: int, names: Sequence[str]) -> pl.DataFrame:
        part = scan.select(names).slice(start, stop - start)
        return _normalise(part, columns).collect()

    def read_pandas(start: int, stop: int, names: Sequence[str]) -> pd.DataFrame:
        table = _read_rows(files, metas, start, stop, list(names))
        sink = BytesIO()
        pq.write_table(table, sink, compression="none")
        return cast_frame(pd.read_parquet(sink), columns)

    return Table(columns, rows, bounds, read, read_pandas, partitions=partitions)


def _cut_files(
    files: list[str], metas: list[Any], identify: Callable[[Path], str] | None
) -> tuple[list[tuple[int, int]], dict[str, list[int]]]:
    """Cut files into chunks; if each is to be a partition, none spans two."""
    steps = [[m.row_group(i).num_rows for i in range(m.num_row_groups)] for m in metas]
    if identify is None:
        flat = [step for own in steps for step in own]
        return _cut(sum(flat), flat), {}
    bounds: list[tuple[int, int]] = []
    partitions: dict[str, list[int]] = {}
    start = 0
    for number, (file, own) in enumerate(zip(files, steps, strict=True)):
        cut = [(start + a, start + b) for a, b in _cut(sum(own), own)]
        name = identify(Path(file))
        if name in partitions:  # the same content twice: each has its own place
            name = f"{name}-{number}"
        partitions[name] = list(range(len(bounds), len(bounds) + len(cut)))
        bounds += cut
        start += sum(own)
    return bounds, partitions


def _list_files(path: Path) -> list[str]:
    """List a file, or the files of a folder in the order of their names."""
    files = [path]
    if path.is_dir():
        found = ((file.relative_to(path), file) for file in path.rglob("*.parquet"))
        seen = {
            part.as_posix(): file
            for part, file in found
            if not any(name.startswith(("_", ".")) for name in part.parts)
        }
        files = [seen[name] for name in sorted(seen)]
    if not files:
        raise ValueError(f"{path} holds 0 Parquet files")
    return [str(file) for file in files]


def _read_types(file: str, *, alone: bool) -> dict[str, Any] | None:
    """Read pandas' dtypes of a file's columns; None where it labels columns or rows its own way."""
    import pyarrow.parquet as pq

    sink = BytesIO()
    schema = pq.read_schema(file)
    pq.write_table(schema.empty_table(), sink)
    empty = pd.read_parquet(sink)
    names = list(empty.columns)
    texts = all(type(name) is str for name in names) and len(set(names)) == len(names)
    if not isinstance(empty.index, pd.RangeIndex) or not texts:
        return None
    for index in (schema.pandas_metadata or {}).get("index_columns", []) if alone else []:
        kept = [index.get(key) for key in ("start", "step", "name")]
        if kept != [0, 1, None]:
            return None
    return dict(zip(names, empty.dtypes, strict=True))


def _count_nulls(metas: list[Any], files: list[str], types: dict[str, Any]) -> dict[str, int]:
    """Count missing integers and booleans: from the files' own statistics where they hold them."""
    wanted = [n for n, t in types.items() if isinstance(t, np.dtype) and t.kind in "iub"]
    counts = dict.fromkeys(wanted, 0)
    unknown = set()
    for meta in metas:
        for group in range(meta.num_row_groups):
            for at in range(meta.num_columns):
                chunk = meta.row_group(group).column(at)
                name = chunk.path_in_schema
                if name in counts:
                    found = chunk.statistics
                    if found is None or not found.has_null_count:
                        unknown.add(name)
                    else:
                        counts[name] += found.null_count
    if unknown:
        scan = pl.scan_parquet(files, hive_partitioning=False)
        counts |= scan.select(pl.col(sorted(unknown)).null_count()).collect().row(0, named=True)
    return counts


def _read_rows(files: list[str], metas: list[Any], start: int, stop: int, names: list[str]) -> Any:
    """Read rows of files as an Arrow table, no more row groups than hold them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts, at = [], 0
    for file, meta in zip(files, metas, strict=True):
        groups = []
        first = None
        for group in range(meta.num_row_groups):
            rows = meta.row_group(group).num_rows
            if at < stop and at + rows > start:
                first = at if first is None else first
                groups.append(group)
            at += rows
        if groups and first is not None:
            part = pq.ParquetFile(file).read_row_groups(groups, columns=names)
            parts.append(part.slice(max(0, start - first), stop - max(start, first)))
    if not parts:
        return pq.read_schema(files[0]).empty_table().select(names)
    return pa.concat_tables(parts)
