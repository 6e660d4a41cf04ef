"""Sources as they come: CSV in any common dialect, Parquet, compressed or not, to columns of text.

Every column is read as text and dictionary-encoded: what follows (missing values, roles, hashes,
numbers) looks at each distinct text once, however many rows there are.
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.settings import IngestConfig
from pipeline.errors import MachineError, SourceError, name_examples
from pipeline.sources.delimited import Delimited, describe_damage, name_columns, read_csv
from pipeline.sources.guesses import Guess, SetAside

TABLES = (".csv", ".tsv", ".txt", ".data", ".parquet", ".pq")
CHUNK = 1 << 20
# What unpacks to more than MAX_RATIO times its size is a bomb, beyond what any machine can hold.
UNPACKED_FREELY = 256_000_000
MAX_RATIO = 200
MAX_UNPACKED = 4_000_000_000
LEADS_OUT = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)")


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of trimmed texts, dictionary-encoded.

    Attributes
    ----------
    codes
        Shape ``(n,)``, int32: the position of each row's text in ``values``.
    values
        Shape ``(distinct,)``, object: the distinct texts; a null of the source is ``""``.
    counts
        Shape ``(distinct,)``, int64: rows with each text.
    """

    name: str
    codes: np.ndarray
    values: np.ndarray
    counts: np.ndarray

    def take(self, per_value: np.ndarray) -> np.ndarray:
        """Spread a result for each distinct text over the rows."""
        spread: np.ndarray = per_value[self.codes]
        return spread


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A source, read whole.

    Attributes
    ----------
    columns
        By name, in the source's order.
    rows
        Number of rows.
    malformed
        Lines with another number of fields than the header, as they stand.
    dialect
        How the source was read: format, encoding, delimiter.
    guesses
        What of that had to be guessed.
    set_aside
        Lines that are no rows.
    """

    columns: dict[str, TextColumn]
    rows: int
    malformed: list[str]
    dialect: dict[str, str]
    guesses: list[Guess] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)


def read_source(path: Path, config: IngestConfig) -> SourceTable:
    """Read a CSV or Parquet source.

    Parameters
    ----------
    path
        A file (``.csv``, ``.tsv``, ``.parquet``, each also as ``.gz`` or alone in a ``.zip``), or a
        folder of Parquet or CSV partitions.

    Raises
    ------
    SourceError
        If the source can't be found, opened, decoded or parsed, has no header, repeats a column
        name, has more malformed lines than ``ingest.max_malformed`` allows, or unpacks to more
        than its size can stand for.
    MachineError
        If it does not fit into memory.
    """
    try:
        return _read_source(path, config)
    except MemoryError:
        raise MachineError(
            "ingest", f"{path.name} does not fit into the memory that is free",
            "Give a part of the rows, or a machine with more memory",
        ) from None  # fmt: skip


def check_source(path: Path) -> None:
    """Check that a source is a file or a folder.

    Raises
    ------
    SourceError
        If there is nothing, or a pipe, which would be waited for, or a device, which may never end.
    """
    if not path.exists():
        raise SourceError("ingest", f"the source {path} was not found", "Correct its path")
    if not (path.is_file() or path.is_dir()):
        raise SourceError(
            "ingest", f"the source {path} is a pipe, a socket or a device",
            "Save what comes out of it as a file",
        )  # fmt: skip


def _read_source(path: Path, config: IngestConfig) -> SourceTable:
    check_source(path)
    read = _read_folder(path, config) if path.is_dir() else _read_table(*_unpack(path), config)
    table, malformed = read.table, read.malformed
    total = table.num_rows + len(malformed)
    if len(malformed) > config.max_malformed * total:
        raise SourceError(
            "ingest",
            f"{len(malformed)} of {total} lines of {path.name} have another number of fields than "
            f"the header ({table.num_columns}): {name_examples(malformed)}",
            "Set ingest.delimiter, ingest.quote or ingest.skip_lines, correct the lines, or raise "
            "ingest.max_malformed",
        )
    if table.num_rows == 0:
        raise SourceError("ingest", f"{path.name} has 0 rows", "Give a source with rows")
    columns = {
        name: _encode_column(name, column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return SourceTable(
        columns, table.num_rows, malformed, read.dialect, read.guesses, read.set_aside
    )


def _read_folder(path: Path, config: IngestConfig) -> Delimited:
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
    kinds = sorted({file.suffix.lower() for file in files})
    if kinds and {*kinds} <= {".parquet", ".pq"}:
        table = _read_partitions(path)
        dialect = {"format": "parquet", "files": str(len(files))}
        return Delimited(_as_text(table, path.name), dialect)
    if kinds and {*kinds} <= {".csv", ".tsv", ".gz"}:
        parts = [_read_table(*_unpack(file), config) for file in files]
        names = {tuple(part.table.column_names) for part in parts}
        if len(names) > 1:
            raise SourceError(
                "ingest", f"the files in {path.name} have {len(names)} different headers",
                "Give files with one header",
            )  # fmt: skip
        return Delimited(
            pa.concat_tables([part.table for part in parts]),
            parts[0].dialect | {"files": str(len(files))},
            [line for part in parts for line in part.malformed],
            [guess for part in parts for guess in part.guesses],
            [line for part in parts for line in part.set_aside],
        )
    of_kinds = f", of the kinds {name_examples(kinds)}" if kinds else ""
    raise SourceError(
        "ingest",
        f"the folder {path.name} holds {len(files)} files{of_kinds}",
        "Give a folder of CSV files or of Parquet partitions, nothing else in it",
    )


def _read_partitions(path: Path) -> pa.Table:
    """Read Parquet partitions; a type or column that only some of them have is made to fit."""
    import pyarrow.dataset as ds

    try:
        found = ds.dataset(path, format="parquet", partitioning="hive")
        # A partition without a gap holds integers where the next one holds floats.
        parts = [part.physical_schema for part in found.get_fragments()]
        cells = sum(part.metadata.num_rows for part in found.get_fragments()) * len(found.schema)
        _refuse_bomb(
            path.name, cells, sum(Path(file).stat().st_size for file in found.files), "values"
        )
        schema = pa.unify_schemas([*parts, found.schema], promote_options="permissive")
        whole = ds.dataset(path, schema=schema, format="parquet", partitioning="hive")
        return whole.to_table()
    except (pa.ArrowException, OSError) as error:
        raise describe_damage(path.name, "Parquet", error) from None


def _unpack(path: Path) -> tuple[bytes, str]:
    """Return the content of a file and the name that tells its kind, unpacked if need be."""
    name = path.name
    try:
        if path.suffix.lower() == ".gz":
            return _unpack_gz(path), path.stem
        if path.suffix.lower() == ".zip":
            return _unpack_zip(path)
        return path.read_bytes(), name
    except (
        OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error, lzma.LZMAError,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise describe_damage(name, "a readable file", error) from None


def _unpack_gz(path: Path) -> bytes:
    """Unpack a gz piece by piece, so that a bomb is refused before it fills the memory."""
    content = io.BytesIO()
    with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
        while piece := unpacked.read(CHUNK):
            content.write(piece)
            _refuse_bomb(path.name, content.tell(), packed.tell())
    return content.getvalue()


def _unpack_zip(path: Path) -> tuple[bytes, str]:
    """Unpack the only table of a zip, in memory; its header tells how large it will be."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        unsafe = [i.filename for i in infos if LEADS_OUT.match(i.filename.replace("\\", "/"))]
        if unsafe:
            raise SourceError(
                "ingest",
                f"{len(unsafe)} names in {path.name} lead out of it: {name_examples(unsafe)}",
                "Zip the table again, by its name alone",
            )
        tables = [
            info for info in infos
            if info.filename.lower().endswith(TABLES) and not info.filename.startswith("__MACOSX")
        ]  # fmt: skip
        if len(tables) != 1:
            raise SourceError(
                "ingest",
                f"{path.name} holds {len(tables)} tables among {len(infos)} files: "
                f"{name_examples(info.filename for info in tables or infos)}",
                "Give a zip with exactly one CSV or Parquet file",
            )
        _refuse_bomb(path.name, tables[0].file_size, tables[0].compress_size)
        return archive.read(tables[0]), tables[0].filename


def _refuse_bomb(name: str, size: int, packed: int, unit: str = "bytes") -> None:
    """Refuse a file that grows by unpacking beyond all that data do."""
    if size > MAX_UNPACKED:
        raise SourceError(
            "ingest", f"{name} unpacks to more than {MAX_UNPACKED:,} {unit}",
            "Give a part of the rows, or unpack it and save it as Parquet",
        )  # fmt: skip
    if size > UNPACKED_FREELY and size > MAX_RATIO * packed:
        raise SourceError(
            "ingest",
            f"{name} unpacks to {size:,} {unit} or more, over {MAX_RATIO} times the {packed:,} "
            "bytes that they are packed in: a bomb, or nearly empty",
            "Unpack it and look at it; a table of that size can be given unpacked",
        )


def _read_table(content: bytes, name: str, config: IngestConfig) -> Delimited:
    if content[:4] == b"PAR1" or name.lower().endswith((".parquet", ".pq")):
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(pa.BufferReader(content))
            name_columns(list(map(str, file.schema_arrow.names)), name)
            facts = file.metadata
            _refuse_bomb(name, facts.num_rows * facts.num_columns, len(content), "values")
            table = pq.read_table(pa.BufferReader(content))
            # Damage that left the pages readable shows in the values.
            table.validate(full=True)
        except pa.ArrowMemoryError as error:
            if len(content) > UNPACKED_FREELY:
                raise
            raise _describe_parquet(name, error) from None
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _describe_parquet(name, error) from None
        return Delimited(_as_text(table, name), {"format": "parquet"})
    return read_csv(content, name, config)


def _describe_parquet(name: str, error: Exception) -> SourceError:
    return describe_damage(name, "Parquet", error)


def _as_text(table: pa.Table, source: str) -> pa.Table:
    """Turn the typed columns of a Parquet table into text that parses back to the same values."""
    names = name_columns(list(map(str, table.column_names)), source)
    columns = []
    for name, column in zip(names, table.columns, strict=True):
        kind = column.type
        try:
            if pa.types.is_dictionary(kind):
                kind = kind.value_type
                column = column.cast(kind)
            if pa.types.is_nested(kind) or "binary" in str(kind):
                raise pa.ArrowInvalid("it has no text")
            columns.append(column.cast(pa.string()))
        except pa.ArrowMemoryError:
            raise
        except pa.ArrowException as error:
            raise SourceError(
                "ingest",
                f"column {name_examples([name])} holds values of the type {str(kind)[:80]}: "
                + " ".join(str(error).split())[:120],
                "Write the column as numbers, dates or texts, or leave it out of the file",
            ) from None
    return pa.table(columns, names=names)


def _encode_column(name: str, column: pa.ChunkedArray) -> TextColumn:
    trimmed = pc.utf8_trim_whitespace(pc.fill_null(column, ""))
    encoded = trimmed.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    values = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return TextColumn(name, codes, values, np.bincount(codes, minlength=len(values)))
