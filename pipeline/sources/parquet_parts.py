"""Partitions of Parquet: read at once where their types are the same, else joined by rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import SourceError, name_examples
from pipeline.sources.containers import HEAD, recognise, refuse_no_table
from pipeline.sources.delimited import Delimited, describe_damage
from pipeline.sources.folders import add_keys, read_keys, tell_split
from pipeline.sources.guesses import Guess
from pipeline.sources.joining import Part, join_parts
from pipeline.sources.number_forms import PLAIN
from pipeline.sources.typed_columns import spread, take_plain, write_columns
from pipeline.sources.unpacking import refuse_bomb

UNITS = ("s", "ms", "us", "ns")
EXACT = 2**53  # up to here a double holds each whole number
Columns = dict[str, pa.ChunkedArray]


def read_partitions(path: Path, files: Sequence[Path]) -> Delimited:
    """Read partitions of Parquet as columns of text.

    Parameters
    ----------
    path
        The folder; what its folders named ``key=value`` say becomes columns.
    files
        The partitions.

    Raises
    ------
    SourceError
        If one is damaged or no Parquet, they hold types that have nothing in common, or unpack to
        more than data do.
    """
    schemas = [_read_schema(file, path) for file in files]
    cells = sum(rows * len(schema) for schema, rows in schemas)
    refuse_bomb(path.name, cells, sum(file.stat().st_size for file in files), "values")
    names = [str(file.relative_to(path)) for file in files]
    told = tell_split(names)
    keys = [read_keys(file.relative_to(path)) for file in files]
    first = schemas[0][0]
    alike = all(_is_alike(schema, first) for schema, _ in schemas)
    same_keys = all([*own] == [*keys[0]] for own in keys)
    if alike and same_keys and not {*keys[0]} & {*map(str, first.names)}:
        texts, guesses = write_columns(_read_at_once(path, files, [*keys[0]]), path.name)
        dialect = {"format": "parquet", "files": str(len(files))}
        return Delimited(texts, dialect, guesses=[*guesses, *told])
    tables = [_read_one(file, path) for file in files]
    columns: list[Columns] = [dict(_spread(table)) for table in tables]
    told = [*_align_types(columns, names), *told]
    parts = []
    for name, own in zip(names, columns, strict=True):
        texts, guesses = write_columns(pa.table(own), name)
        read = Delimited(texts, {"format": "parquet"}, guesses=guesses)
        parts.append(add_keys(Part(name, read)))
    return join_parts(parts, path.name, told)


def _read_schema(file: Path, folder: Path) -> tuple[pa.Schema, int]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            return opened.schema_arrow, opened.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        with file.open("rb") as opened:
            head = opened.read(HEAD)
        refuse_no_table(recognise(head, file.name), head, f"{folder.name}/{file.name}")
        raise _describe(file, folder, error) from None


def _describe(file: Path, folder: Path, error: Exception) -> SourceError:
    name = f"{folder.name}/{file.relative_to(folder)}"
    return describe_damage(name, "Parquet", error)


def _is_alike(schema: pa.Schema, other: pa.Schema) -> bool:
    """Tell whether two schemas have the same columns of the same types, in any order."""
    own, others = ({field.name: field.type for field in s} for s in (schema, other))
    return own == others and len(own) == len(schema)


def _read_at_once(path: Path, files: Sequence[Path], keys: Sequence[str]) -> pa.Table:
    import pyarrow.dataset as ds

    # The type is told, so that 02134 stays what it is.
    texts = pa.schema([pa.field(key, pa.string()) for key in keys])
    hive = ds.partitioning(texts, flavor="hive")
    try:
        found = ds.dataset(
            list(map(str, files)), format="parquet", partitioning=hive, partition_base_dir=str(path)
        )
        table = found.to_table()
        table.validate(full=True)
        return table
    except (pa.ArrowException, OSError) as error:
        raise describe_damage(path.name, "Parquet", error) from None


def _read_one(file: Path, folder: Path) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        # A table of one file: what its folders say is added later.
        with pq.ParquetFile(file) as opened:
            table = opened.read()
        table.validate(full=True)
        return table
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _describe(file, folder, error) from None


def _spread(table: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for name, column in zip(table.column_names, table.columns, strict=True):
        yield from spread(str(name), take_plain(column))


# Types


def _find_family(kind: pa.DataType) -> str:
    """Name what values of a type are."""
    tests = (
        ("null", pa.types.is_null),
        ("true and false", pa.types.is_boolean),
        ("numbers", lambda k: pa.types.is_integer(k) or pa.types.is_floating(k)),
        ("numbers", pa.types.is_decimal),
        ("days", pa.types.is_date),
        ("moments", pa.types.is_timestamp),
        ("durations", pa.types.is_duration),
        ("times of day", pa.types.is_time),
        ("nested values", pa.types.is_nested),
        ("texts", lambda k: "string" in str(k) or "binary" in str(k)),
    )
    return next((name for name, holds in tests if holds(kind)), str(kind)[:40])


def _align_types(columns: list[Columns], names: Sequence[str]) -> list[Guess]:
    """Give the columns of one name one type; tell where that changed what a file says."""
    told: list[Guess] = []
    for name in dict.fromkeys(name for own in columns for name in own):
        holders = [i for i, own in enumerate(columns) if name in own]
        kinds = {str(columns[i][name].type) for i in holders}
        if len(kinds) > 1:
            told += _align(name, [(columns[i], names[i]) for i in holders])
    return told


def _align(name: str, holders: Sequence[tuple[Columns, str]]) -> Iterator[Guess]:
    """Give one column one type over its files."""
    files: dict[str, list[str]] = {}
    for own, file in holders:
        files.setdefault(_find_family(own[name].type), []).append(file)
    files.pop("null", None)
    families = {*files}
    if families <= {"nested values"}:
        return  # left out where they are written
    if families <= {"numbers"}:
        yield from _join_numbers(name, holders)
    elif families <= {"days", "moments"}:
        yield from _join_moments(name, holders)
    elif families == {"true and false", "numbers"}:
        for own, _ in holders:
            if pa.types.is_boolean(own[name].type):
                own[name] = own[name].cast(pa.int8())
        yield _tell(name, "true is read as 1, false as 0", files)
    elif "texts" in families:
        if not _holds_such(name, holders, families):
            yield _tell(name, "all its values are read as texts", files)
    elif len(families) > 1:
        (one, first), (two, second) = [(kind, named[0]) for kind, named in files.items()][:2]
        raise SourceError(
            "ingest",
            f"column {name_examples([name])} holds {one} in {first} and {two} in {second}",
            "Write it with one type in all files",
        )


def _tell(name: str, reading: str, files: dict[str, list[str]]) -> Guess:
    shown = ", ".join(f"{kind} in {named[0]}" for kind, named in files.items())
    return Guess("parts", name, reading, "", f"it holds {shown}")


def _holds_such(name: str, holders: Sequence[tuple[Columns, str]], families: set[str]) -> bool:
    """Tell whether the texts of a column are numbers where other files hold numbers."""
    if families == {"texts"}:
        return True
    if families != {"texts", "numbers"}:
        return False
    for own, _ in holders:
        if _find_family(own[name].type) == "texts":
            texts = pc.drop_null(take_plain(own[name]).cast(pa.string()))
            fit = pc.mean(pc.match_substring_regex(texts, PLAIN)).as_py()
            if fit is not None and fit < 0.5:
                return False
    return True


def _join_numbers(name: str, holders: Sequence[tuple[Columns, str]]) -> Iterator[Guess]:
    """Write whole doubles as whole numbers where other files hold those."""
    whole = any(pa.types.is_integer(own[name].type) for own, _ in holders)
    rounded: list[str] = []
    for own, file in holders:
        column = own[name]
        if not whole or not pa.types.is_floating(column.type):
            continue
        exact = _cast_whole(column)
        if exact is None:
            continue
        own[name] = exact
        most = pc.max(pc.abs(exact)).as_py()
        if most is not None and most >= EXACT:
            rounded.append(file)
    if rounded:
        yield Guess(
            "parts", name, f"its numbers in {rounded[0]} are read as they stand there", "",
            "they are floats beyond 2^53 there, whose last digits may be lost, and whole numbers "
            f"in {next(f for o, f in holders if f not in rounded)}",
        )  # fmt: skip


def _cast_whole(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Cast floats to whole numbers, gaps to null; None where one has decimals."""
    floats = column.cast(pa.float64())
    floats = pc.if_else(pc.is_nan(floats), pa.scalar(None, pa.float64()), floats)
    try:
        exact = floats.cast(pa.int64(), safe=False)
    except pa.ArrowInvalid:
        return None
    same = pc.all(pc.equal(exact.cast(pa.float64(), safe=False), floats)).as_py()
    return exact if same is not False else None


def _join_moments(name: str, holders: Sequence[tuple[Columns, str]]) -> Iterator[Guess]:
    """Make moments of days, and take the wall clock where only some files name a zone."""
    kinds = [(own[name].type, file) for own, file in holders]
    zones: dict[str | None, str] = {}
    for kind, file in kinds:
        if not pa.types.is_null(kind):
            zones.setdefault(kind.tz if pa.types.is_timestamp(kind) else None, file)
    units = [kind.unit for kind, _ in kinds if pa.types.is_timestamp(kind)]
    unit = max(units, key=UNITS.index, default="s")
    for own, _ in holders:
        column = own[name]
        if pa.types.is_date(column.type):
            own[name] = column.cast(pa.timestamp("ms")).cast(pa.timestamp(unit), safe=False)
        elif pa.types.is_timestamp(column.type):
            zone = column.type.tz
            if zone and len(zones) > 1:
                column, zone = pc.local_timestamp(column), None
            own[name] = column.cast(pa.timestamp(unit, zone))
    if len(zones) > 1:
        shown = ", ".join(f"{zone or 'no zone'} in {file}" for zone, file in zones.items())
        yield Guess("parts", name, "its times are read by the clock of their own zone", "",
                    f"it has {shown}")  # fmt: skip
