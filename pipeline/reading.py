"""Sources as they come: CSV in any common dress, Parquet, compressed or not, to columns of text.

Every column is read as text and dictionary-encoded: what follows (missing values, roles, hashes,
numbers) looks at each distinct text once, however many rows there are.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import IngestConfig
from pipeline.delimited import describe_damage, name_columns, read_csv
from pipeline.errors import SourceError, name_examples

TABLES = (".csv", ".tsv", ".txt", ".data", ".parquet", ".pq")


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
    dress
        How the source was read: format, encoding, delimiter.
    """

    columns: dict[str, TextColumn]
    rows: int
    malformed: list[str]
    dress: dict[str, str]


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
        name, or has more malformed lines than ``ingest.max_malformed`` allows.
    """
    if not path.exists():
        raise SourceError("ingest", f"the source {path} was not found", "Correct its path")
    malformed: list[str] = []
    if path.is_dir():
        table, dress = _read_folder(path, config, malformed)
    else:
        content, name = _unpack(path)
        table, dress = _read_table(content, name, config, malformed)
    total = table.num_rows + len(malformed)
    if table.num_rows == 0:
        raise SourceError("ingest", f"{path.name} has 0 rows", "Give a source with rows")
    if len(malformed) > config.max_malformed * total:
        raise SourceError(
            "ingest",
            f"{len(malformed)} of {total} lines of {path.name} have another number of fields than "
            f"the header ({table.num_columns}): {name_examples(malformed)}",
            "Set ingest.delimiter, correct the lines, or raise ingest.max_malformed",
        )
    columns = {
        name: _encode_column(name, column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return SourceTable(columns, table.num_rows, malformed, dress)


def _read_folder(
    path: Path, config: IngestConfig, malformed: list[str]
) -> tuple[pa.Table, dict[str, str]]:
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
    kinds = sorted({file.suffix.lower() for file in files})
    if kinds and {*kinds} <= {".parquet", ".pq"}:
        table = _read_partitions(path)
        return _as_text(table, path.name), {"format": "parquet", "files": str(len(files))}
    if kinds and {*kinds} <= {".csv", ".tsv", ".gz"}:
        parts = [_read_table(*_unpack(file), config, malformed) for file in files]
        names = {tuple(table.column_names) for table, _ in parts}
        if len(names) > 1:
            raise SourceError(
                "ingest", f"the files in {path.name} have {len(names)} different headers",
                "Give files with one header",
            )  # fmt: skip
        return pa.concat_tables([t for t, _ in parts]), parts[0][1] | {"files": str(len(files))}
    raise SourceError(
        "ingest",
        f"the folder {path.name} holds {len(files)} files, of the kinds {name_examples(kinds)}",
        "Give a folder of CSV files or of Parquet partitions, nothing else in it",
    )


def _read_partitions(path: Path) -> pa.Table:
    """Read Parquet partitions; a type or column that only some of them have is made to fit."""
    import pyarrow.dataset as ds

    try:
        found = ds.dataset(path, format="parquet", partitioning="hive")
        # A partition without a gap holds integers where the next one holds floats.
        parts = [part.physical_schema for part in found.get_fragments()]
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
            return gzip.decompress(path.read_bytes()), path.stem
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [
                    item for item in archive.namelist()
                    if item.lower().endswith(TABLES) and not item.startswith("__MACOSX")
                ]  # fmt: skip
                if len(members) != 1:
                    raise SourceError(
                        "ingest", f"{name} holds {len(members)} tables: {name_examples(members)}",
                        "Give a zip with exactly one CSV or Parquet file",
                    )  # fmt: skip
                return archive.read(members[0]), members[0]
        return path.read_bytes(), name
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise describe_damage(name, "a readable file", error) from None


def _read_table(
    content: bytes, name: str, config: IngestConfig, malformed: list[str]
) -> tuple[pa.Table, dict[str, str]]:
    if content[:4] == b"PAR1" or name.lower().endswith((".parquet", ".pq")):
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(pa.BufferReader(content))
        except (pa.ArrowException, OSError) as error:
            raise describe_damage(name, "Parquet", error) from None
        return _as_text(table, name), {"format": "parquet"}
    return read_csv(content, name, config, malformed)


def _as_text(table: pa.Table, source: str) -> pa.Table:
    """Turn the typed columns of a Parquet table into text that parses back to the same values."""
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
            column = column.cast(kind)
        if pa.types.is_nested(kind) or "binary" in str(kind):
            raise SourceError(
                "ingest", f"column '{name}' holds values of the type {kind}",
                "Flatten the column, or leave it out of the file",
            )  # fmt: skip
        columns.append(column.cast(pa.string()))
    return pa.table(columns, names=name_columns(list(map(str, table.column_names)), source))


def _encode_column(name: str, column: pa.ChunkedArray) -> TextColumn:
    trimmed = pc.utf8_trim_whitespace(pc.fill_null(column, ""))
    encoded = trimmed.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    values = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return TextColumn(name, codes, values, np.bincount(codes, minlength=len(values)))
