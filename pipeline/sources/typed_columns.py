"""Typed columns of Parquet and Arrow as text that parses back to the same values.

A list of one length becomes columns, an object too; what has no text is left out and told.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import SourceError, name_examples
from pipeline.sources.delimited import MAX_COLUMNS, name_columns
from pipeline.sources.guesses import Guess

CONTROLS = "[\\x00-\\x08\\x0e-\\x1f]"  # bytes that no text holds
DAY = 86_400
SECONDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def write_columns(table: pa.Table, source: str) -> tuple[pa.Table, list[Guess]]:
    """Write all columns as text.

    Parameters
    ----------
    table
        Of any types.
    source
        Its file, for messages.

    Returns
    -------
    tuple
        The table of texts, and what was left out.

    Raises
    ------
    SourceError
        If a column's name is repeated, no column has a text, or one holds values that can't be
        written.
    """
    names = name_columns(list(map(str, table.column_names)), source)
    columns: list[tuple[str, pa.ChunkedArray]] = []
    left: list[tuple[str, pa.DataType]] = []
    for name, column in zip(names, table.columns, strict=True):
        for own, part in spread(name, column):
            text = _write_column(own, part)
            if text is None:
                left.append((own, part.type))
            else:
                columns.append((own, text))
    if left and not columns:
        name, kind = left[0]
        raise _refuse_type(name, kind, "it has no text")
    made = name_columns([name for name, _ in columns], source)
    guesses = [
        Guess("column", name, "it is left out", "", f"its values are of the type {_show(kind)}")
        for name, kind in left
    ]
    return pa.table([column for _, column in columns], names=made), guesses


def _refuse_type(name: str, kind: pa.DataType, why: str) -> SourceError:
    return SourceError(
        "ingest",
        f"column {name_examples([name])} holds values of the type {_show(kind)}: {why}",
        "Write the column as numbers, dates or texts, or leave it out of the file",
    )


def _show(kind: pa.DataType) -> str:
    return str(kind)[:80]


def spread(name: str, column: pa.ChunkedArray) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Give a column, or the columns that a list of one length or an object stands for."""
    column = take_plain(column)
    kind = column.type
    if pa.types.is_struct(kind) and kind.num_fields:
        for number, field in enumerate(kind):
            yield from spread(f"{name}.{field.name}", pc.struct_field(column, [number]))
        return
    length = _find_length(column)
    if 0 < length <= MAX_COLUMNS:
        for place in range(length):
            yield from spread(f"{name}_{place}", pc.list_element(column, place))
        return
    yield name, column


def take_plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take values out of what only wraps them: a dictionary, runs, a type of an extension."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        parts = [chunk.storage for chunk in column.chunks]
        return take_plain(pa.chunked_array(parts, kind.storage_type))
    if pa.types.is_run_end_encoded(kind):
        parts = [pc.run_end_decode(chunk) for chunk in column.chunks]
        return take_plain(pa.chunked_array(parts, kind.value_type))
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    return column


def _find_length(column: pa.ChunkedArray) -> int:
    """Find the length that all lists of a column have; 0 where they differ or it holds none."""
    kind = column.type
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size)
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return 0
    lengths = pc.unique(pc.drop_null(pc.list_value_length(column)))
    return int(lengths[0].as_py()) if len(lengths) == 1 else 0


def _write_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Write a column as text; None where its type has none."""
    kind = column.type
    try:
        if pa.types.is_nested(kind):
            return None
        if pa.types.is_duration(kind):
            return _write_durations(column, kind.unit)
        if "binary" in str(kind):
            return _write_bytes(column)
        return column.cast(pa.string())
    except pa.ArrowMemoryError:
        raise
    except pa.ArrowException as error:
        raise _refuse_type(name, kind, " ".join(str(error).split())[:120]) from None


def _write_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Write bytes that are text, as some writers store it; None for others."""
    try:
        text = column.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return None
    return None if pc.any(pc.match_substring_regex(text, CONTROLS)).as_py() else text


def encode_distinct(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Encode a column as its distinct values and the position of each row's among them."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    return encoded


def _write_durations(column: pa.ChunkedArray, unit: str) -> pa.ChunkedArray:
    """Write durations as pandas does, ``1 days 02:03:04``; as seconds where some are negative."""
    encoded = encode_distinct(column.cast(pa.int64()))
    ticks = encoded.dictionary.to_numpy(zero_copy_only=False).astype(np.int64)
    per_second = SECONDS[unit]
    digits = len(str(per_second)) - 1
    negative = bool((ticks < 0).any())
    texts = []
    for tick in ticks.tolist():
        seconds, rest = divmod(abs(tick), per_second)
        part = f".{rest:0{digits}d}" if rest else ""
        if negative:
            texts.append(f"{'-' if tick < 0 else ''}{seconds}{part}")
            continue
        days, seconds = divmod(seconds, DAY)
        hours, seconds = divmod(seconds, 3600)
        texts.append(f"{days} days {hours:02d}:{seconds // 60:02d}:{seconds % 60:02d}{part}")
    return pa.chunked_array([pa.array(texts, pa.string()).take(encoded.indices)])
