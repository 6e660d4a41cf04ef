"""Pictures of a split as a Parquet file: written in batches, read whole, in order, or by row."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset import IMAGE
from pipeline.features.layout import Layout

IN_MEMORY = 128 << 20
BATCH_BYTES = 16 << 20

Shape = tuple[int, int, int]


def read_shape(layout: Layout) -> Shape:
    """Read the height, width and channels of pictures from their layout."""
    assert layout.form is not None
    height, width, channels = layout.form.shape
    return height, width, channels


class Pictures:
    """The pictures of a split, read by row number; never all at once where they are many.

    Parameters
    ----------
    path
        A Parquet file of a features directory.
    shape
        Height and width in pixels, channels.
    scratch
        A folder for the uncompressed pictures, where they would take more than 128 MB of memory.
    """

    def __init__(self, path: Path, shape: Shape, scratch: Path) -> None:
        rows = pq.read_metadata(path).num_rows
        self.shape: tuple[int, int, int, int] = (rows, *shape)
        self.dtype = np.dtype(np.uint8)
        self._memory: np.ndarray | None = None
        if int(np.prod(self.shape)) <= IN_MEMORY:
            self._memory = np.empty(self.shape, np.uint8)
            start = 0
            for batch in iter_pictures(path, shape):
                self._memory[start : start + len(batch)] = batch
                start += len(batch)
            return
        # Read with pread and not through a map, whose pages would count as this process's memory.
        file = scratch / f"{path.stem}.raw"
        with file.open("wb") as handle:
            for batch in iter_pictures(path, shape):
                handle.write(batch.data)
        self._file = os.open(file, os.O_RDONLY)
        file.unlink()  # the space is given back when the process ends, however it ends

    def __len__(self) -> int:
        """Count the pictures."""
        return self.shape[0]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read pictures by row number.

        Returns
        -------
        numpy.ndarray
            Shape ``(n, height, width, channels)``, uint8.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        if self._memory is not None:
            taken: np.ndarray = self._memory[rows]
            return taken
        pictures = np.empty((len(rows), *self.shape[1:]), np.uint8)
        size = pictures[0].nbytes if len(rows) else 0
        for picture, row in zip(pictures, rows.tolist(), strict=True):
            if not 0 <= row < len(self) or os.preadv(self._file, [picture.data], row * size) < size:
                raise IndexError(f"row {row} of {len(self)} pictures")
        return pictures

    def iter_batches(self, rows: int) -> Iterator[np.ndarray]:
        """Read all pictures in their order, so many at a time."""
        for start in range(0, len(self), rows):
            yield self.read(np.arange(start, min(start + rows, len(self))))


def iter_pictures(path: Path, shape: Shape) -> Iterator[np.ndarray]:
    """Read the pictures of a Parquet file in its order, a row group of about 16 MB at a time."""
    # By row group: read in batches, Arrow would fetch ahead as much as there is.
    file = pq.ParquetFile(path, pre_buffer=False)
    for group in range(file.num_row_groups):
        column = file.read_row_group(group, columns=[IMAGE], use_threads=False)[IMAGE]
        for chunk in column.chunks:
            yield as_pictures(chunk, shape)


def as_pictures(column: pa.FixedSizeBinaryArray, shape: Shape) -> np.ndarray:
    """See the bytes of an Arrow array as pictures, without a copy.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, height, width, channels)``, uint8, not to be written to.
    """
    size = int(np.prod(shape))
    flat = np.frombuffer(column.buffers()[1], np.uint8, len(column) * size, column.offset * size)
    return flat.reshape(len(column), *shape)


class SplitWriter:
    """Writes pictures of one form with their columns, batch after batch; a context manager.

    Parameters
    ----------
    path
        The Parquet file.
    shape
        Height and width in pixels, channels.
    """

    def __init__(self, path: Path, shape: Shape) -> None:
        self._path = path
        self._size = int(np.prod(shape))
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> SplitWriter:
        """Do nothing: the file is opened with the first batch, which knows the columns."""
        return self

    def __exit__(self, *details: object) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def write(self, columns: Mapping[str, pa.Array], pictures: np.ndarray) -> None:
        """Append rows.

        Parameters
        ----------
        columns
            The other columns, ``row_id`` first.
        pictures
            Shape ``(n, height, width, channels)``, uint8.
        """
        data = pa.py_buffer(np.ascontiguousarray(pictures))
        kind = pa.binary(self._size)
        image = pa.FixedSizeBinaryArray.from_buffers(kind, len(pictures), [None, data])
        names = list(columns)
        arrays = [*columns.values(), image]
        table = pa.table(arrays, names=[*names, IMAGE])
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, table.schema, compression="zstd", compression_level=1,
                use_dictionary=names,
            )  # fmt: skip
        self._writer.write_table(table)


def count_batch_rows(shape: Shape) -> int:
    """Count the pictures in about 16 MB."""
    return max(1, BATCH_BYTES // int(np.prod(shape)))
