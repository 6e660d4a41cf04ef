"""Sources as they come: delimited text, Parquet and others, packed or not, to columns of text.

Every column is read as text and dictionary-encoded: what follows (missing values, roles, hashes,
numbers) looks at each distinct text once, however many rows there are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.settings import IngestConfig
from pipeline.errors import MachineError, SourceError, name_examples
from pipeline.sources.containers import TABLES, recognise, refuse_no_table
from pipeline.sources.decoding import decode
from pipeline.sources.delimited import Delimited, describe_damage, name_columns, read_csv
from pipeline.sources.guesses import Guess, SetAside
from pipeline.sources.typed_columns import encode_distinct, write_columns
from pipeline.sources.unpacking import UNPACKED_FREELY, holds_lines, refuse_bomb, unpack

__all__ = ["TABLES", "SourceTable", "TextColumn", "check_source", "read_source"]


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
    """Read a source by what it is, whatever its name says.

    Parameters
    ----------
    path
        A file of CSV, Parquet, JSON, Arrow or ARFF, also packed by gzip, bzip2, xz, zstd or lz4 or
        alone in a zip or tar, or a folder of such parts.

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
    read = _read_folder(path, config) if path.is_dir() else _read_file(path, config)
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
    from pipeline.sources.folders import find_kind, list_parts, read_text_parts, refuse_mixture

    files = list_parts(path)
    kind = find_kind(files)
    if kind == "parquet":
        from pipeline.sources.parquet_parts import read_partitions

        return read_partitions(path, files)
    if kind == "text":
        return read_text_parts(
            path,
            files,
            lambda file: _read_file(file, config),
            lambda file, names, delimiter: _read_below(file, names, delimiter, config),
            align=config.decimal == "auto",
        )
    raise refuse_mixture(files, path.name)


def _read_file(path: Path, config: IngestConfig) -> Delimited:
    """Read a file by what its first bytes say that it is."""
    content, name = unpack(path)
    kind = recognise(content, name)
    named = name.lower().endswith((".parquet", ".pq")) and not kind
    if kind == "parquet" or (named and not holds_lines(content)):
        return _read_parquet(content, name)
    refuse_no_table(kind, content, name)
    if kind in ("json", "arrow", "arrow stream", "arff"):
        from pipeline.sources.formats import READERS

        read = READERS[kind](content, name, config)
        if read is not None:
            return read
    return read_csv(content, name, config)


def _read_below(
    path: Path, names: Sequence[str], delimiter: str, config: IngestConfig
) -> Delimited:
    """Read delimited text without a header, below names that are given."""
    from pipeline.sources.text_parts import shift_lines

    content, name = unpack(path)
    text, encoding, guesses = decode(content, name, config.encoding)
    header = io.StringIO()
    csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(names)
    told = config.model_copy(update={"encoding": "utf-8"})
    read = shift_lines(read_csv((header.getvalue() + text).encode(), name, told), -1)
    dialect = read.dialect | {"encoding": encoding}
    return replace(read, dialect=dialect, guesses=[*guesses, *read.guesses])


def _read_parquet(content: bytes, name: str) -> Delimited:
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        name_columns(list(map(str, file.schema_arrow.names)), name)
        facts = file.metadata
        refuse_bomb(name, facts.num_rows * facts.num_columns, len(content), "values")
        table = pq.read_table(pa.BufferReader(content))
        # Damage that left the pages readable shows in the values.
        table.validate(full=True)
    except pa.ArrowMemoryError as error:
        if len(content) > UNPACKED_FREELY:
            raise
        raise describe_damage(name, "Parquet", error) from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise describe_damage(name, "Parquet", error) from None
    texts, guesses = write_columns(table, name)
    return Delimited(texts, {"format": "parquet"}, guesses=guesses)


def _encode_column(name: str, column: pa.ChunkedArray) -> TextColumn:
    trimmed = pc.utf8_trim_whitespace(pc.fill_null(column, ""))
    encoded = encode_distinct(trimmed)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    values = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return TextColumn(name, codes, values, np.bincount(codes, minlength=len(values)))
