"""What each partition contributes to a suite's metrics: small, kept, never computed twice.

The states of a partition are one Arrow file, named by the SHA-256 of the partition's content: a row
for each thing that was asked, its value as JSON, and the arrays in it as they lie in memory. They
are decoded one by one as they are asked for. A checksum ends the file; what is damaged, or was made
by other code or another version of Polars, is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from pipeline.storage.disk import make_directory, write_whole
from pipeline.storage.hashing import hash_file, hash_key, hash_sources, package_versions
from pipeline.validation import table
from pipeline.validation.partials import Moments

STAMPS = "stamps.json"
SETTLED = 2.0  # seconds
UNUSED = 90 * 86_400.0  # seconds since a state was asked for
MOST_HELD = 1 << 28  # bytes of states that are kept from one pass to the next
MOST_STATES = 20_000  # of a partition: thresholds that were tried once are not kept for ever
SUFFIX = ".arrow"
SCHEMA = pa.schema(
    [("key", pa.string()), ("value", pa.large_string()), ("arrays", pa.list_(pa.large_binary()))]
)
SCALARS = (str, bool, int, float, type(None))


@cache
def _find_maker() -> bytes:
    """Name what makes states: this code, and the packages whose results they hold."""
    packages = package_versions("polars", "great-expectations")
    return hash_key(hash_sources(Path(__file__).parent), packages, table.CHUNK_ROWS).encode()


class States:
    """States of partitions in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_directory(folder)
        self._changed = False
        self._known: dict[str, Known] = {}
        self._held = 0
        self._stamps: dict[str, list[Any]] = {}
        with contextlib.suppress(OSError, ValueError):
            self._stamps = dict(json.loads((folder / STAMPS).read_text(encoding="utf-8")))

    def identify(self, file: Path) -> str:
        """Give the SHA-256 of a file's content; one that looks unchanged is not read for it."""
        found = file.stat()
        stamp = [found.st_size, found.st_mtime_ns, found.st_ino]
        known = self._stamps.get(str(file.resolve()))
        if known is not None and known[:-1] == stamp:
            return str(known[-1])
        name = hash_file(file)
        if time.time() - found.st_mtime > SETTLED:  # a later change shows in its time
            self._stamps[str(file.resolve())] = [*stamp, name]
            self._changed = True
        return name

    def tidy(self) -> None:
        """Write down what files looked like when they were hashed; delete what nobody asks for."""
        if self._changed:
            write_whole(self.folder / STAMPS, json.dumps(self._stamps))
            self._changed = False
        for file in self.folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > UNUSED:
                    file.unlink()

    def load(self, partition: str) -> Known:
        """Open what is known of a partition, by the key of what was asked."""
        known = self._known.get(partition)
        if known is None:
            rows = _read(self._place(partition))
            known = Known(rows)
            self._keep(partition, known, rows.nbytes)
        return known

    def _keep(self, partition: str, known: Known, size: int) -> None:
        """Keep what was read for the next pass, as long as it is not too much."""
        self._held += size
        if self._held <= MOST_HELD:
            self._known[partition] = known

    def save(self, partition: str, new: Mapping[str, Any]) -> None:
        """Add to what is known of a partition; of very much, what came last is kept."""
        kept = _read(self._place(partition))  # another process may have added to it
        before = set(kept["key"].to_pylist())
        fresh = {key: value for key, value in new.items() if key not in before}
        coded: dict[str, list[Any]] = {"key": list(fresh), "value": [], "arrays": []}
        for value in fresh.values():
            arrays: list[bytes] = []
            coded["value"].append(json.dumps(_encode(value, arrays), separators=(",", ":")))
            coded["arrays"].append(arrays)
        added = pa.Table.from_pydict(coded, SCHEMA)
        rows = pa.concat_tables([kept, added])
        rows = rows.slice(max(0, rows.num_rows - MOST_STATES)).replace_schema_metadata(
            {"maker": _find_maker()}
        )
        self._known.pop(partition, None)
        self._keep(partition, Known(rows), added.nbytes)
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows.combine_chunks())
        content = sink.getvalue()
        write_whole(self._place(partition), content + hashlib.sha256(content).digest())

    def size(self) -> int:
        """Tell how many bytes all states take."""
        return sum(file.stat().st_size for file in self.folder.glob(f"*{SUFFIX}"))

    def _place(self, partition: str) -> Path:
        return self.folder / f"{partition}{SUFFIX}"


class Known:
    """What is known of a partition; decoded when it is asked for."""

    def __init__(self, rows: Any) -> None:
        keys, values, arrays = (rows[name].to_pylist() for name in SCHEMA.names)
        self._states = dict(zip(keys, zip(values, arrays, strict=True), strict=True))

    def __contains__(self, key: str) -> bool:
        return key in self._states

    def __getitem__(self, key: str) -> Any:
        value, arrays = self._states[key]
        return _decode(json.loads(value), arrays)


def _read(file: Path) -> Any:
    """Read a file of states; none where it is not there, damaged, or made by other code."""
    with contextlib.suppress(OSError, pa.ArrowInvalid):
        content = file.read_bytes()
        size = len(content) - hashlib.sha256().digest_size
        if hashlib.sha256(content[:size]).digest() == content[size:]:
            rows = pa.ipc.open_file(pa.py_buffer(content[:size])).read_all()
            if rows.schema.equals(SCHEMA) and rows.schema.metadata[b"maker"] == _find_maker():
                os.utime(file)  # it is in use
                return rows
    return SCHEMA.empty_table()


def _encode(value: Any, arrays: list[bytes]) -> Any:
    """Write a value as JSON that tells of arrays by their places."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, list | tuple):
        return [_encode(item, arrays) for item in value]
    if isinstance(value, Moments):
        return {"moments": [value.count, value.mean, value.squares]}
    if isinstance(value, bytes):
        kind: Any = ("bytes", value)
    elif isinstance(value, np.ndarray):
        kind = (value.dtype.str, value.tobytes())
    elif isinstance(value, pl.Series):
        kind = ("series", _write(value.to_frame()))
    elif isinstance(value, pl.DataFrame):
        kind = ("rows", _write(value))
    else:
        raise TypeError(f"{type(value).__name__} is no state")
    arrays.append(kind[1])
    return {kind[0]: len(arrays) - 1}


def _decode(value: Any, arrays: list[bytes]) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item, arrays) for item in value)
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "moments":
        return Moments(*inner)
    content = arrays[inner]
    if kind == "bytes":
        return content
    if kind in ("series", "rows"):
        frame = pl.read_ipc_stream(io.BytesIO(content))
        return frame.to_series() if kind == "series" else frame
    return np.frombuffer(content, kind)


def pack(frame: pd.DataFrame, start: int) -> bytes:
    """Pack rows of a partition, whose first row has a place of its own in the whole table."""
    index = pl.Series(" ", frame.index.to_numpy() - start)
    columns = [pl.from_pandas(frame[name]).alias(name) for name in frame.columns]
    return _write(pl.DataFrame([index, *columns]))


def unpack(packed: bytes, start: int) -> pd.DataFrame:
    """Undo ``pack``."""
    rows = pl.read_ipc_stream(io.BytesIO(packed))
    frame = rows.drop(" ").to_pandas()
    frame.index = pd.Index(rows[" "].to_numpy() + start)
    return frame


def _write(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_ipc_stream(sink)
    return sink.getvalue()
