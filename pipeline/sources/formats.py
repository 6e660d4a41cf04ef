"""Tables in other formats of text or bytes: JSON, Arrow, ARFF."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa

from pipeline.config.settings import IngestConfig
from pipeline.errors import SourceError, name_examples
from pipeline.sources.decoding import decode
from pipeline.sources.delimited import Delimited, describe_damage, name_columns
from pipeline.sources.typed_columns import write_columns
from pipeline.sources.unpacking import refuse_bomb

Record = dict[str, Any]
NAMED_JSON = (".json", ".jsonl", ".ndjson", ".geojson")
MOST_SHOWN = 80
# How JSON opens, and no header does: a key and its colon, or a bracket alone in its line.
OPENS = re.compile(r'\s*(?:[\[{]\s*)+(?:"(?:[^"\\\n]|\\.)*"\s*:|\n)')
# A cell in single quotes, in double ones, or without; a backslash takes the next letter as it is.
CELL = re.compile(
    r"\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^,'\"\t][^,\t]*|))\s*(,|\t|$)"
)
ATTRIBUTE = re.compile(
    r"@attribute\s+(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s'\"]\S*))\s+(.+)", re.I
)
ESCAPED = re.compile(r"\\(.)")
NUMBER = re.compile(r'"(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"')  # a number was kept as text
LETTERS = {"n": "\n", "t": "\t", "r": "\r"}


# JSON


def read_json(content: bytes, name: str, config: IngestConfig) -> Delimited | None:
    """Read JSON lines, a list of records, or columns; numbers stay as they are written.

    Parameters
    ----------
    content
        The file.
    name
        Of the file, for messages.
    config
        Its encoding.

    Returns
    -------
    Delimited or None
        None where it only begins like JSON, and its name does not say that it is.

    Raises
    ------
    SourceError
        If it is damaged, nested, or holds no rows.
    """
    text, encoding, guesses = decode(content, name, config.encoding)
    try:
        table = _read_lines(text, name)
        kind = "json lines"
        if table is None:
            table, kind = _read_whole(_parse(text), name), "json"
    except RecursionError:
        raise SourceError(
            "ingest", f"{name} is JSON that is nested too deeply to be a table",
            "Write flat objects, one a row",
        ) from None  # fmt: skip
    except json.JSONDecodeError as error:
        if name.lower().endswith(NAMED_JSON) or OPENS.match(text):
            raise describe_damage(name, "JSON", error) from None
        return None
    return Delimited(table, {"format": kind, "encoding": encoding}, guesses=guesses)


def _make_object(pairs: list[tuple[str, Any]]) -> Record:
    made = dict(pairs)
    if len(made) < len(pairs):
        repeated = [key for key, count in Counter(k for k, _ in pairs).items() if count > 1]
        raise json.JSONDecodeError(f"an object repeats {name_examples(repeated)}", "", 0)
    return made


# A number stays the text that it is, so that no digit is lost.
DECODER = json.JSONDecoder(
    parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_make_object
)


def _parse(text: str) -> Any:
    return DECODER.decode(text)


def _read_lines(text: str, name: str) -> pa.Table | None:
    """Read an object a line; None where the first line is no object of its own."""
    lines = text.lstrip().split("\n")
    try:
        first = _parse(lines[0])
    except json.JSONDecodeError:
        return None
    rest = [(i, line) for i, line in enumerate(lines[1:], start=2) if not line.isspace() and line]
    if not rest or not isinstance(first, dict | list):
        return None
    if isinstance(first, list):
        raise SourceError(
            "ingest", f"{name} holds a list in each line, without names: {lines[0][:MOST_SHOWN]}",
            "Write an object a line, or CSV with a header",
        )  # fmt: skip
    records = [first]
    for number, line in rest:
        try:
            records.append(_parse(line))
        except json.JSONDecodeError as error:
            raise SourceError(
                "ingest", f"line {number} of {name} is not JSON: {error.msg}: {line[:40]!r}",
                "Correct the line, or give an undamaged file",
            ) from None  # fmt: skip
    return _join_records(records, name)


def _read_whole(value: Any, name: str) -> pa.Table:
    """Read a list of records, or an object of columns as pandas writes them."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return _join_records(value, name)
    if isinstance(value, dict):
        if {"columns", "data"} <= {*value} <= {"columns", "index", "data"}:  # pandas' split
            rows = value["data"]
            header = [str(column) for column in value["columns"]]
            if all(isinstance(row, list) and len(row) == len(header) for row in rows):
                records = [dict(zip(header, row, strict=True)) for row in rows]
                name_columns(header, name)
                return _join_records(records, name)
        if {*value} == {"schema", "data"} and isinstance(value["data"], list):  # pandas' table
            return _read_whole(value["data"], name)
        columns = _list_columns(value)
        if columns is not None:
            return _join_columns(columns, name)
    raise _describe_json(value, name)


def _list_columns(value: Record) -> dict[str, list[Any]] | None:
    """List columns of one length: lists, or objects with the same keys; None for anything else."""
    kinds = {type(column) for column in value.values()}
    if kinds == {list} and len({len(column) for column in value.values()}) == 1:
        return value if next(iter(value.values())) else None
    if kinds == {dict} and len({tuple(column) for column in value.values()}) == 1:
        return {key: list(column.values()) for key, column in value.items()}
    return None


def _describe_json(value: Any, name: str) -> SourceError:
    """Say what JSON holds that is no table."""
    shown = _show(value)
    if isinstance(value, dict):
        lists = [
            key for key, item in value.items()
            if isinstance(item, list) and item and isinstance(item[0], dict)
        ]  # fmt: skip
        if lists:
            return SourceError(
                "ingest", f"{name} is a JSON object whose rows may be in {name_examples(lists)}",
                f"Save what is in {name_examples(lists[:1])} as a file of its own",
            )  # fmt: skip
        return SourceError(
            "ingest", f"{name} is one JSON object, not a table: {shown}",
            "Give an object a row, in lines or in a list",
        )  # fmt: skip
    return SourceError(
        "ingest", f"{name} is JSON, but no list of objects: {shown}",
        "Give an object a row, in lines or in a list",
    )  # fmt: skip


def _show(value: Any) -> str:
    """Write a value as JSON for a message, numbers without quotes."""
    return NUMBER.sub(r"\1", json.dumps(value, ensure_ascii=False))[:MOST_SHOWN]


def _join_records(records: Sequence[Any], name: str) -> pa.Table:
    """Join objects; a key that some lack is empty in them."""
    odd = next((item for item in records if not isinstance(item, dict)), None)
    if odd is not None:
        raise _describe_json(odd, name)
    keys = dict.fromkeys(key for record in records for key in record)
    return _join_columns({key: [record.get(key) for record in records] for key in keys}, name)


def _join_columns(columns: dict[str, list[Any]], name: str) -> pa.Table:
    names = name_columns(list(columns), name)
    for column, values in columns.items():
        odd = next((value for value in values if isinstance(value, list | dict)), None)
        if odd is not None:
            kind = "lists" if isinstance(odd, list) else "objects"
            raise SourceError(
                "ingest",
                f"column {name_examples([column])} of {name} holds {kind}: {_show(odd)}",
                "Write its parts as columns of their own, or leave it out",
            )
    texts = [pa.array(map(_write, values), pa.string()) for values in columns.values()]
    return pa.table(texts, names=names)


def _write(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    # Half a surrogate pair is no text; Arrow would not take it.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


# Arrow


def read_arrow(content: bytes, name: str, config: IngestConfig) -> Delimited:
    """Read a Feather file of version 2, or a file or stream of Arrow's IPC.

    Raises
    ------
    SourceError
        If it is damaged, or unpacks to more than data do.
    """
    del config
    try:
        buffer = pa.BufferReader(content)
        if content.startswith(b"ARROW1"):
            file = pa.ipc.open_file(buffer)
            batches: Iterable[Any] = map(file.get_batch, range(file.num_record_batches))
            schema = file.schema
        else:
            stream = pa.ipc.open_stream(buffer)
            batches, schema = stream, stream.schema
        read, size = [], 0
        for batch in batches:
            size += batch.nbytes
            refuse_bomb(name, size, len(content))
            read.append(batch)
        name_columns(list(map(str, schema.names)), name)
        table = pa.Table.from_batches(read, schema)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise describe_damage(name, "Arrow", error) from None
    texts, guesses = write_columns(table, name)
    return Delimited(texts, {"format": "arrow"}, guesses=guesses)


# ARFF


def read_arff(content: bytes, name: str, config: IngestConfig) -> Delimited:
    """Read Weka's format: attributes, then rows; ``?`` is a missing value.

    Raises
    ------
    SourceError
        If it has no attributes, or its rows are sparse or relations.
    """
    text, encoding, guesses = decode(content, name, config.encoding)
    lines = text.splitlines()
    names: list[str] = []
    start = len(lines)
    for number, line in enumerate(lines):
        stripped = line.strip()
        if stripped.lower().startswith("@data"):
            start = number + 1
            break
        found = ATTRIBUTE.match(stripped)
        if found:
            names.append(_pick(found.groups()[:3]))
            if found[4].lower().startswith("relational"):
                raise SourceError(
                    "ingest", f"column {name_examples(names[-1:])} of {name} holds relations",
                    "Write its parts as columns of their own, or leave it out",
                )  # fmt: skip
    if not names or start == len(lines):
        lacks = "@data" if names else "@attribute"
        raise SourceError(
            "ingest", f"{name} is ARFF without {lacks}", "Give an undamaged file"
        )  # fmt: skip
    names = name_columns(names, name)
    rows, malformed = _read_rows(lines[start:], len(names), name)
    columns: Iterable[Sequence[str]] = zip(*rows, strict=True) if rows else [[] for _ in names]
    table = pa.table([pa.array(column, pa.string()) for column in columns], names=names)
    return Delimited(table, {"format": "arff", "encoding": encoding}, malformed, guesses)


def _read_rows(lines: list[str], width: int, name: str) -> tuple[list[list[str]], list[str]]:
    """Read rows; also return the lines with another number of cells."""
    rows, malformed = [], []
    for line in lines:
        line = line.strip()
        if not line or line.startswith("%"):
            continue
        if line.startswith("{"):
            raise SourceError(
                "ingest", f"{name} is ARFF with sparse rows, such as {line[:40]!r}",
                "Write all cells of each row",
            )  # fmt: skip
        cells = _split(line)
        if cells is None or len(cells) != width:
            malformed.append(line)
        else:
            rows.append(cells)
    return rows, malformed


def _split(line: str) -> list[str] | None:
    """Cut a row into cells; None where a quote is never closed."""
    if "'" not in line and '"' not in line and "\t" not in line:
        return ["" if cell.strip() == "?" else cell for cell in line.split(",")]
    cells, place = [], 0
    while True:
        found = CELL.match(line, place)
        if found is None:
            return None
        plain = found[3]
        cells.append("" if plain is not None and plain.strip() == "?" else _pick(found.groups()))
        if not found[4]:
            return cells
        place = found.end()


def _pick(groups: Sequence[str | None]) -> str:
    """Give the one form that matched, without its backslashes."""
    single, double, plain = groups[:3]
    quoted = single if single is not None else double
    if quoted is None:
        return plain or ""
    return ESCAPED.sub(lambda found: LETTERS.get(found[1], found[1]), quoted)


READERS: dict[str, Callable[[bytes, str, IngestConfig], Delimited | None]] = {
    "json": read_json,
    "arrow": read_arrow,
    "arrow stream": read_arrow,
    "arff": read_arff,
}
