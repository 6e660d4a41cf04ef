"""Parquet in and out: single files, and the partitions of a stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.storage.hashing import hash_file
from pipeline.storage.store import dump_json


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as one Parquet file, without an index and without pandas' own notes."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd")


def read_frame(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file; texts come as pandas' ``str``."""
    frame: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
    return frame


def write_parts(folder: Path, frame: pd.DataFrame, rows: int) -> None:
    """Write a frame as partitions of at most ``rows`` rows, with a list of their hashes.

    Parameters
    ----------
    folder
        Where they go.
    frame
        All rows; of none, one empty partition is written.
    rows
        Of a partition.
    """
    for number, start in enumerate(range(0, max(len(frame), 1), rows)):
        write_frame(folder / f"part-{number:05d}.parquet", frame.iloc[start : start + rows])
    hash_parts(folder)


def hash_parts(folder: Path) -> None:
    """Write the hash of each partition into ``parts.json``."""
    dump_json(folder / "parts.json", {p.name: hash_file(p) for p in list_parts(folder)})


def list_parts(folder: Path) -> list[Path]:
    """List the partitions of a stage in their order."""
    return sorted(folder.glob("part-*.parquet"))


def read_parts(
    folder: Path, columns: list[str] | None = None
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read partition after partition, or some columns of each, with its file's name."""
    for path in list_parts(folder):
        yield path.name, read_frame(path, columns)


def read_all(folder: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read the rows of all partitions as one frame: the only way to hold all of them in memory.

    Who calls it, and what bounds the memory, is listed in docs/architecture.md.

    Parameters
    ----------
    columns
        Those that are wanted; left out, all.
    """
    return pd.concat([frame for _, frame in read_parts(folder, columns)], ignore_index=True)


def name_columns(folder: Path) -> list[str]:
    """Name the columns of a stage's partitions."""
    return list(pq.read_schema(list_parts(folder)[0]).names)
