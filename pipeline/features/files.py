"""Model-ready rows as Parquet files: written alike, whatever made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset import ORIGIN, ROW_ID, SAMPLE_WEIGHT, Features
from pipeline.features.layout import Layout


def write_features(
    path: Path,
    rows: Features,
    layout: Layout,
    origin: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> None:
    """Write model-ready rows: ``row_id``, float32 features, the label, ``origin``.

    Training rows have a ``sample_weight`` too.

    Parameters
    ----------
    path
        The Parquet file.
    rows
        Ids, features of shape ``(n, n_features)``, float32, and labels.
    layout
        The names of features and target.
    origin
        Shape ``(n,)``, text: where a row comes from; left out: all are ``original``.
    weights
        Shape ``(n,)``: sample weights; left out: none are written.
    """
    columns = {ROW_ID: pa.array(rows.row_ids.astype(str))}
    for position, name in enumerate(layout.features):
        columns[name] = pa.array(np.ascontiguousarray(rows.values[:, position]))
    columns[layout.target] = pa.array(rows.labels.astype(str))
    kind = np.full(len(rows.labels), "original") if origin is None else origin.astype(str)
    columns[ORIGIN] = pa.array(kind)
    if weights is not None:
        columns[SAMPLE_WEIGHT] = pa.array(weights.astype(np.float32))
    pq.write_table(pa.table(columns), path, compression="zstd")


def read_features(path: Path, layout: Layout) -> Features:
    """Read model-ready rows."""
    table = pq.read_table(path)
    values = np.empty((table.num_rows, len(layout.features)), dtype=np.float32, order="F")
    for position, name in enumerate(layout.features):
        values[:, position] = table[name].to_numpy()
    return Features(
        np.array(table[ROW_ID].to_pylist(), dtype=object),
        values,
        np.array(table[layout.target].to_pylist(), dtype=object),
    )


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
