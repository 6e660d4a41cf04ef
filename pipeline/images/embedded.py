"""Pictures inside Parquet: a column of bytes, or of the struct that Hugging Face datasets write."""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config.settings import DatasetConfig
from pipeline.errors import ConfigError, SourceError, name_examples, name_near_misses
from pipeline.images.listing import MAX_FILE_BYTES, Picture, PictureList
from pipeline.ingest.picture_facts import Unreadable
from pipeline.sources.delimited import describe_damage

BATCH_ROWS = 64


def list_embedded(paths: list[Path], config: DatasetConfig) -> PictureList:
    """List the pictures of Parquet files, in the order of their rows.

    Raises
    ------
    SourceError
        If a file is damaged, or the image column can't be told by its type.
    ConfigError
        If the image column or the target is not there.
    """
    pictures: list[Picture] = []
    for path in paths:
        try:
            pictures += _list_file(path, config)
        except (pa.ArrowException, OSError) as error:
            raise describe_damage(path.name, "Parquet", error) from None
    if not pictures:
        raise SourceError(
            "ingest", f"{name_examples(p.name for p in paths)} hold 0 rows", "Give pictures"
        )
    return PictureList(pictures, {"format": "parquet", "files": str(len(paths))}, {}, 0)


def _list_file(path: Path, config: DatasetConfig) -> list[Picture]:
    # Without pre_buffer pages are read as they are needed, not a whole row group at once.
    file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    schema = file.schema_arrow
    column = _find_column(schema, config, path.name)
    if config.target not in schema.names:
        raise ConfigError(
            "ingest", f"target names the column {config.target!r}, which {path.name} lacks",
            f"Correct target: {name_near_misses(config.target, schema.names)}",
        )  # fmt: skip
    labels = _read_labels(file, config.target)
    kind = schema.field(column).type
    names = [""] * len(labels)
    if pa.types.is_struct(kind) and kind.get_field_index("path") >= 0:
        paths = file.read(columns=[f"{column}.path"])[column].combine_chunks()
        names = [str(name or "").strip() for name in pc.struct_field(paths, "path").to_pylist()]
    reader = _ImageColumn(file, column)
    digits = len(str(len(labels)))
    return [
        Picture(name or f"{path.name}:{row:0{digits}d}", label, partial(reader.read, row))
        for row, (name, label) in enumerate(zip(names, labels, strict=True))
    ]


def _find_column(schema: pa.Schema, config: DatasetConfig, source: str) -> str:
    """Name the image column: the one that is declared, or the only one with bytes."""
    found = [field.name for field in schema if _holds_bytes(field.type)]
    named = config.image.column
    if named is not None and named not in schema.names:
        raise ConfigError(
            "ingest", f"image.column names the column {named!r}, which {source} lacks",
            f"Correct image.column: {name_near_misses(named, found or schema.names)}",
        )  # fmt: skip
    if named is not None and named not in found:
        raise ConfigError(
            "ingest", f"image.column '{named}' holds {schema.field(named).type}, not bytes",
            f"Correct image.column: {name_near_misses(named, found)}",
        )  # fmt: skip
    if named is None and len(found) != 1:
        raise SourceError(
            "ingest",
            f"{source} has {len(found)} columns with bytes"
            + (f": {name_examples(found)}" if found else f" among {name_examples(schema.names)}"),
            "Name the image column in image.column" if found else "Give a column of pictures",
        )  # fmt: skip
    return named or str(found[0])


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        position = kind.get_field_index("bytes")
        return position >= 0 and _holds_bytes(kind.field(position).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _read_labels(file: pq.ParquetFile, target: str) -> list[str | None]:
    """Read the labels as text; Hugging Face's numbers of classes become the classes' names."""
    column = file.read(columns=[target])[target]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type) or "binary" in str(column.type):
        raise SourceError(
            "ingest", f"the target '{target}' holds values of the type {column.type}",
            "Name a column with one class for each picture",
        )  # fmt: skip
    names = _find_class_names(file.schema_arrow, target)
    values = column.to_pylist()
    if pa.types.is_floating(column.type):
        values = [None if v is None or np.isnan(v) else int(v) if v.is_integer() else v
                  for v in values]  # fmt: skip
    if names and pa.types.is_integer(column.type):
        values = [None if v is None or v < 0 else names[v] if v < len(names) else v for v in values]
    if pa.types.is_boolean(column.type):
        values = [None if value is None else str(value).lower() for value in values]
    return [None if value is None else str(value).strip() or None for value in values]


def _find_class_names(schema: pa.Schema, target: str) -> list[str]:
    try:
        notes: Any = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(name) for name in notes["info"]["features"][target]["names"]]
    except (KeyError, TypeError, ValueError):
        return []


class _ImageColumn:
    """Reads the image column of one file; cheap in the order of the rows, right in any order."""

    def __init__(self, file: pq.ParquetFile, column: str) -> None:
        self._file, self._column = file, column
        sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).tolist()
        self._lock = threading.Lock()
        self._group = -1
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._batch: pa.Array = pa.array([], pa.binary())
        self._start = 0

    def read(self, row: int) -> bytes:
        """Read the bytes of one row."""
        with self._lock:
            try:
                self._seek(row)
            except (pa.ArrowException, OSError):
                self._group = -1
                raise Unreadable("damaged in the Parquet file") from None
            value = self._batch[row - self._start]
        content: bytes | None = value.as_py()
        if content is None:
            raise Unreadable("no bytes")
        if len(content) > MAX_FILE_BYTES:
            raise Unreadable(f"over {MAX_FILE_BYTES // 1_000_000} MB")
        return content

    def _seek(self, row: int) -> None:
        """Move on to the batch that holds a row; back only by starting the row group again."""
        group = bisect_right(self._starts, row) - 1
        if group != self._group or row < self._start:
            self._batches = self._file.iter_batches(
                BATCH_ROWS, row_groups=[group], columns=[self._column], use_threads=False
            )
            self._group, self._start, self._batch = group, self._starts[group], self._batch[:0]
        while row >= self._start + len(self._batch):
            self._start += len(self._batch)
            column = next(self._batches).column(0)
            is_struct = pa.types.is_struct(column.type)
            self._batch = pc.struct_field(column, "bytes") if is_struct else column
