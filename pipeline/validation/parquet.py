"""Tables of Parquet files, as pandas would read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from pipeline.validation.table import Table, cast_frame, cut, from_pandas, make_column, normalise


def from_parquet(
    files: list[str], wanted: Sequence[str] | None, identify: Callable[[Path], str] | None
) -> Table:
    """Take Parquet files as pandas would.

    Parameters
    ----------
    files
        Paths, in the order of the rows.
    wanted
        The columns that the table is to have; None: all.
    identify
        Names the content of a file, each of which is then a partition; None: no partitions.

    Raises
    ------
    OSError, ValueError
        If there is no file, or one of them is no Parquet file.
    """
    import pyarrow.parquet as pq

    if not files:
        raise ValueError("0 Parquet files are given")
    metas = [_read_metadata(file) for file in files]
    types = _read_types(files[0], alone=len(files) == 1)
    schema = metas[0].schema.to_arrow_schema()
    if types is None or any(not m.schema.to_arrow_schema().equals(schema) for m in metas[1:]):
        whole = pd.concat([pd.read_parquet(file) for file in files], ignore_index=types is not None)
        return from_pandas(whole if wanted is None else whole[list(wanted)])
    types = types if wanted is None else {name: types[name] for name in wanted}
    nulls = _count_nulls(metas, files, types)
    columns = {name: make_column(name, types[name], nulls.get(name, 0) > 0) for name in types}
    rows = sum(m.num_rows for m in metas)
    bounds, partitions = _cut_files(files, metas, identify)
    scan = pl.scan_parquet(files, hive_partitioning=False)

    def read(start: int, stop: int, names: Sequence[str]) -> pl.DataFrame:
        part = scan.select(names).slice(start, stop - start)
        return normalise(part, columns).collect()

    def read_pandas(start: int, stop: int, names: Sequence[str]) -> pd.DataFrame:
        table = _read_rows(files, metas, start, stop, list(names))
        sink = BytesIO()
        pq.write_table(table, sink, compression="none")
        return cast_frame(pd.read_parquet(sink), columns)

    return Table(columns, rows, bounds, read, read_pandas, partitions=partitions)


def _read_metadata(file: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(file)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{file} is no Parquet file: {error}") from None


def _cut_files(
    files: list[str], metas: list[Any], identify: Callable[[Path], str] | None
) -> tuple[list[tuple[int, int]], dict[str, list[int]]]:
    """Cut files into chunks; if each is to be a partition, none spans two."""
    steps = [[m.row_group(i).num_rows for i in range(m.num_row_groups)] for m in metas]
    if identify is None:
        flat = [step for own in steps for step in own]
        return cut(sum(flat), flat), {}
    bounds: list[tuple[int, int]] = []
    partitions: dict[str, list[int]] = {}
    start = 0
    for number, (file, own) in enumerate(zip(files, steps, strict=True)):
        own_bounds = [(start + a, start + b) for a, b in cut(sum(own), own)]
        name = identify(Path(file))
        if name in partitions:  # the same content twice: each has its own place
            name = f"{name}-{number}"
        partitions[name] = list(range(len(bounds), len(bounds) + len(own_bounds)))
        bounds += own_bounds
        start += sum(own)
    return bounds, partitions


def list_files(path: Path) -> list[str]:
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
