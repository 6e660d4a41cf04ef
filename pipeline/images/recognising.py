"""Whether a source holds pictures."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.images.listing import PICTURES
from pipeline.sources.reading import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")


def holds_pictures(source: Path) -> bool:
    """Tell whether a source holds pictures, as files (more than tables) or in Parquet."""
    if source.is_dir():
        files = [item for item in source.rglob("*") if item.is_file()]
        tables = sorted(item for item in files if is_parquet(item))  # a README may lie beside them
        return _are_pictures([item.name for item in files]) or any(map(_embeds, tables[:1]))
    if zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                return _are_pictures(archive.namelist())
        except (OSError, ValueError, RuntimeError, struct.error, zipfile.BadZipFile):
            return False  # what reads it says what is wrong
    return _embeds(source)


def _are_pictures(names: list[str]) -> bool:
    """Tell whether more of the files are pictures than tables, by their suffixes."""
    kinds = [Path(name).suffix.lower() for name in names]
    pictures = sum(kind in PICTURES for kind in kinds)
    return pictures > sum(kind in TABLES for kind in kinds)


def is_parquet(source: Path) -> bool:
    """Tell whether a source is a Parquet file or a folder of them, by its names."""
    files = [item for item in source.rglob("*") if item.is_file()] if source.is_dir() else [source]
    return {item.suffix.lower() for item in files} <= {".parquet", ".pq"}


def list_columns(source: Path) -> list[str]:
    """List the columns of a Parquet file, or of the first one of a folder."""
    import pyarrow.parquet as pq

    files = sorted(source.rglob("*.*")) if source.is_dir() else [source]
    return list(pq.read_schema(next(file for file in files if file.is_file())).names)


def _embeds(path: Path) -> bool:
    """Tell whether a Parquet file has a column of pictures: bytes, or bytes with a path."""
    if not is_parquet(path):
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = [field.name for field in file.schema_arrow if _holds_bytes(field.type)]
        first = next(file.iter_batches(1, columns=names), None) if names else None
    except (OSError, pa.ArrowException):
        return False  # what is wrong with it is told when it is read
    if first is None or not len(first):
        return False
    values = [first.column(number)[0].as_py() for number in range(first.num_columns)]
    return any(_starts_picture(v["bytes"] if isinstance(v, dict) else v) for v in values)


def _holds_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _starts_picture(content: object) -> bool:
    """Tell pictures from other bytes, such as keys, by how their files begin."""
    return isinstance(content, bytes) and content.startswith(MAGIC)
