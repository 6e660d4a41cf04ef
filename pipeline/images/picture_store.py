"""Pictures on disk: written once in their order, read back by their row numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config.image import ImageConfig
from pipeline.dataset import ROW_ID
from pipeline.storage.store import dump_json

PICTURES = "pictures"
SHAPE = "shape.json"
PICTURE, RASTER = "picture", "raster"
GROUP_BYTES = 32_000_000
GROUP_FILE_BYTES = 64_000_000
PART_BYTES = 256_000_000
PART_FILE_BYTES = 1_000_000_000


class PictureWriter:
    """Writes pictures with their rasters as ``pictures/part-….parquet``.

    Row groups and parts are bounded in the bytes of their rasters and of their files, so what is
    written depends on the pictures and their order alone.

    Parameters
    ----------
    folder
        Where ``pictures`` is made.
    """

    def __init__(self, folder: Path, config: ImageConfig) -> None:
        self._folder = folder / PICTURES
        self._folder.mkdir(parents=True)
        self._shape = (config.height, config.width, config.channels)
        self._size = config.height * config.width * config.channels
        self._schema = pa.schema(
            [(ROW_ID, pa.string()), (PICTURE, pa.binary()), (RASTER, pa.binary(self._size))]
        )
        self._rows: list[tuple[str, bytes, np.ndarray]] = []
        self._file_bytes = self._part_bytes = self._part_file_bytes = 0
        self._parts = self.rows = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> PictureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_group()
            if self._parts == 0:
                self._open_part()
            height, width, channels = self._shape
            layout = {"height": height, "width": width, "channels": channels, "rows": self.rows}
            dump_json(self._folder / SHAPE, layout)
        self._close_part()

    def add(self, row_id: str, picture: bytes, raster: np.ndarray) -> None:
        """Add a picture; ``raster`` is uint8 of the configured shape.

        Parameters
        ----------
        row_id
            Its id.
        picture
            Its file, as it was read.
        raster
            Its pixels, uint8, of the configured shape.
        """
        self._rows.append((row_id, picture, raster))
        self._file_bytes += len(picture)
        self.rows += 1
        full = len(self._rows) * self._size >= GROUP_BYTES
        if full or self._file_bytes >= GROUP_FILE_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if not self._rows:
            return
        ids, pictures, rasters = zip(*self._rows, strict=True)
        values = pa.py_buffer(np.stack(rasters))
        columns = [
            pa.array(ids, pa.string()),
            pa.array(pictures, pa.binary()),
            pa.FixedSizeBinaryArray.from_buffers(pa.binary(self._size), len(ids), [None, values]),
        ]
        writer = self._writer or self._open_part()
        writer.write_table(pa.table(columns, schema=self._schema), row_group_size=len(ids))
        self._part_bytes += len(ids) * self._size
        self._part_file_bytes += self._file_bytes
        self._rows, self._file_bytes = [], 0
        fits = self._part_bytes + GROUP_BYTES <= PART_BYTES
        if not fits or self._part_file_bytes >= PART_FILE_BYTES:
            self._close_part()

    def _open_part(self) -> pq.ParquetWriter:
        self._writer = pq.ParquetWriter(
            self._folder / f"part-{self._parts:05d}.parquet",
            self._schema,
            # Encoded pictures don't get smaller; rasters do, by a factor of 2 to 10.
            compression={ROW_ID: "zstd", PICTURE: "none", RASTER: "zstd"},
            compression_level={ROW_ID: 1, RASTER: 1},
            use_dictionary=False,
            write_statistics=False,
        )
        self._parts += 1
        return self._writer

    def _close_part(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        self._part_bytes = self._part_file_bytes = 0


class PictureStore:
    """Reads pictures that ``PictureWriter`` wrote; one row group at a time is in memory.

    Parameters
    ----------
    folder
        The folder that holds ``pictures``.

    Attributes
    ----------
    rows
        Number of pictures.
    shape
        Height, width and channels of each raster.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / PICTURES
        layout = json.loads((self._folder / SHAPE).read_text(encoding="utf-8"))
        self.rows: int = layout["rows"]
        self.shape: tuple[int, int, int] = (layout["height"], layout["width"], layout["channels"])
        self._files = [
            pq.ParquetFile(path, memory_map=False, pre_buffer=False)
            for path in sorted(self._folder.glob("part-*.parquet"))
        ]
        self._groups = [(f, g) for f in self._files for g in range(f.num_row_groups)]
        sizes = [file.metadata.row_group(group).num_rows for file, group in self._groups]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._last: tuple[int, str, pa.Array] | None = None

    def read_rasters(self, rows: np.ndarray) -> np.ndarray:
        """Read rasters by row number, in any order, each as often as it is asked for.

        Parameters
        ----------
        rows
            Shape ``(n,)``, integers from 0 to ``self.rows - 1``.

        Returns
        -------
        numpy.ndarray
            Shape ``(n, height, width, channels)``, uint8, a copy.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        found = np.empty((len(rows), *self.shape), dtype=np.uint8)
        for group, places, offsets in self._locate(rows):
            found[places] = self._view_rasters(group)[offsets]
        return found

    def read_files(self, rows: np.ndarray) -> list[bytes]:
        """Read encoded pictures by row number, as ``read_rasters`` does.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        found: list[bytes] = [b""] * len(rows)
        for group, places, offsets in self._locate(rows):
            column = self._load(group, PICTURE)
            for place, offset in zip(places.tolist(), offsets.tolist(), strict=True):
                found[place] = column[offset].as_py()
        return found

    def iter_rasters(self, batch_rows: int) -> Iterator[tuple[int, np.ndarray]]:
        """Go through all rasters in their order.

        Yields
        ------
        tuple
            The first row's number, and at most ``batch_rows`` rasters, which must not be changed.
        """
        for group, start in enumerate(self._starts[:-1].tolist()):
            rasters = self._view_rasters(group)
            for first in range(0, len(rasters), batch_rows):
                yield start + first, rasters[first : first + batch_rows]

    def _locate(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Sort row numbers by row group: the group, places in ``rows``, offsets in the group."""
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= self.rows):
            wrong = rows[(rows < 0) | (rows >= self.rows)][0]
            raise IndexError(f"row {wrong} of {self.rows} pictures")
        groups = np.searchsorted(self._starts, rows, side="right") - 1
        order = np.argsort(groups, kind="stable")
        present, firsts = np.unique(groups[order], return_index=True)
        ends = np.append(firsts, len(order))[1:]
        for group, first, end in zip(present.tolist(), firsts, ends, strict=True):
            places = order[first:end]
            yield group, places, rows[places] - self._starts[group]

    def _view_rasters(self, group: int) -> np.ndarray:
        """See the rasters of a row group without a copy."""
        column = self._load(group, RASTER)
        buffer = column.buffers()[1]
        size = int(np.prod(self.shape))
        values = np.frombuffer(buffer, np.uint8, len(column) * size, column.offset * size)
        return values.reshape(len(column), *self.shape)

    def _load(self, group: int, name: str) -> pa.Array:
        if self._last is not None and self._last[:2] == (group, name):
            return self._last[2]
        self._last = None  # two row groups are never in memory
        file, number = self._groups[group]
        column = file.read_row_group(number, columns=[name], use_threads=False)[name]
        whole = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        self._last = (group, name, whole)
        return whole
