"""Partitions and features as Parquet files: written alike, whatever wrote them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset import ORIGIN, ROW_ID, SAMPLE_WEIGHT, Features
from pipeline.encoding import FittedEncoding
from pipeline.hashing import hash_file
from pipeline.store import dump_json

LAYOUT = "layout.json"


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as one Parquet file, without an index and without pandas' own notes."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd")


def read_frame(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file; texts come as pandas' ``str``."""
    frame: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
    return frame


def write_parts(folder: Path, frame: pd.DataFrame, rows: int) -> None:
    """Write a frame as partitions of at most ``rows`` rows, with a list of their hashes."""
    for number, start in enumerate(range(0, max(len(frame), 1), rows)):
        write_frame(folder / f"part-{number:05d}.parquet", frame.iloc[start : start + rows])
    hash_parts(folder)


def hash_parts(folder: Path) -> None:
    """Write the hash of each partition into ``parts.json``."""
    dump_json(folder / "parts.json", {p.name: hash_file(p) for p in list_parts(folder)})


def list_parts(folder: Path) -> list[Path]:
    """List the partitions of a stage in their order."""
    return sorted(folder.glob("part-*.parquet"))


def read_parts(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read partition after partition, with its file's name."""
    for path in list_parts(folder):
        yield path.name, read_frame(path)


def read_all(folder: Path) -> pd.DataFrame:
    """Read all partitions as one frame."""
    return pd.concat([frame for _, frame in read_parts(folder)], ignore_index=True)


def write_features(
    path: Path,
    rows: Features,
    encoding: FittedEncoding,
    origin: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> None:
    """Write model-ready rows: ``row_id``, float32 features, the label, ``origin``.

    Training rows have a ``sample_weight`` too.
    """
    columns = {ROW_ID: pa.array(rows.row_ids.astype(str))}
    for position, name in enumerate(encoding.features):
        columns[name] = pa.array(np.ascontiguousarray(rows.values[:, position]))
    columns[encoding.target] = pa.array(rows.labels.astype(str))
    kind = np.full(len(rows.labels), "original") if origin is None else origin.astype(str)
    columns[ORIGIN] = pa.array(kind)
    if weights is not None:
        columns[SAMPLE_WEIGHT] = pa.array(weights.astype(np.float32))
    pq.write_table(pa.table(columns), path, compression="zstd")


def read_features(path: Path, encoding: FittedEncoding) -> Features:
    """Read model-ready rows."""
    table = pq.read_table(path)
    values = np.empty((table.num_rows, len(encoding.features)), dtype=np.float32, order="F")
    for position, name in enumerate(encoding.features):
        values[:, position] = table[name].to_numpy()
    return Features(
        np.array(table[ROW_ID].to_pylist(), dtype=object),
        values,
        np.array(table[encoding.target].to_pylist(), dtype=object),
    )


def write_layout(folder: Path, encoding: FittedEncoding) -> None:
    """Write which columns are features, of one category or not, the label and its classes."""
    layout = {
        "target": encoding.target,
        "classes": encoding.classes,
        "features": encoding.features,
        "blocks": encoding.blocks,
    }
    dump_json(folder / LAYOUT, layout)


def complete_resampled(
    source: Path, folder: Path, before: dict[str, int], balanced: dict[str, int], *, even: bool
) -> None:
    """Complete a resampled features directory: the other splits, and a layout that tells of it.

    What classes were brought to is what a network's probabilities stand on.

    Parameters
    ----------
    source
        The features directory that was resampled.
    before, balanced
        Its training rows by class, and what they were brought to.
    even
        Whether classes are decided for as if they were equally frequent.
    """
    for name in ("validation.parquet", "test.parquet"):
        link_file(source / name, folder / name)
    layout = json.loads((source / LAYOUT).read_text(encoding="utf-8"))
    dump_json(folder / LAYOUT, layout | {"priors": before, "balanced": balanced, "even": even})


def link_file(source: Path, target: Path) -> None:
    """Show a finished file at a second place, without a copy where the disk allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def hash_matrix(values: np.ndarray) -> np.ndarray:
    """Hash each row of a float32 matrix; equal rows have equal hashes.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, uint64.
    """
    total = np.zeros(len(values), dtype=np.uint64)
    for position in range(values.shape[1]):
        # Adding zero makes one number of -0.0 and 0.0.
        bits = (values[:, position] + np.float32(0.0)).view(np.uint32)
        total = (total ^ bits) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(position + 1)
        total ^= total >> np.uint64(31)
    return total
