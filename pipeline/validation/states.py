"""What each partition contributes to a suite's metrics: small, kept, never computed twice.

A state is kept in a file of its own, named by the SHA-256 of the partition's content, as JSON whose
arrays are Arrow in base64. States of other code or another version of Polars are not used.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from pipeline.disk import make_directory, write_whole
from pipeline.hashing import hash_code, hash_file, hash_key, package_versions
from pipeline.validation import table
from pipeline.validation.blocks import Moments

STAMPS = "stamps.json"
SETTLED = 2.0  # seconds
MOST_STATES = 20_000  # of a partition: thresholds that were tried once are not kept for ever
SCALARS = (str, bool, int, float, type(None))


@cache
def _find_maker() -> str:
    """Name what makes states: this code, and the packages whose results they hold."""
    packages = package_versions("polars", "great-expectations")
    return hash_key(hash_code("validation"), packages, table.CHUNK_ROWS)


class States:
    """States of partitions in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_directory(folder)
        self._changed = False
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

    def keep_stamps(self) -> None:
        """Write down what files looked like when they were hashed."""
        if self._changed:
            write_whole(self.folder / STAMPS, json.dumps(self._stamps))
            self._changed = False

    def load(self, partition: str) -> dict[str, Any]:
        """Read what is known of a partition, by the key of what was asked."""
        try:
            kept = json.loads(self._place(partition).read_text(encoding="utf-8"))
            if kept["maker"] != _find_maker():
                return {}
            return {key: _decode(value) for key, value in kept["states"].items()}
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
            return {}  # not there, or of no use: it is computed

    def save(self, partition: str, states: Mapping[str, Any]) -> None:
        """Write what is known of a partition: of very much, what came last."""
        last = list(states.items())[-MOST_STATES:]
        coded = {key: _encode(value) for key, value in last}
        kept = {"maker": _find_maker(), "states": coded}
        write_whole(self._place(partition), json.dumps(kept, separators=(",", ":")))

    def size(self) -> int:
        """Tell how many bytes all states take."""
        return sum(file.stat().st_size for file in self.folder.glob("*.json"))

    def _place(self, partition: str) -> Path:
        return self.folder / f"{partition}.json"


def _encode(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    if isinstance(value, Moments):
        return {"moments": [value.count, value.mean, value.squares]}
    if isinstance(value, np.ndarray):
        return {"array": _pack(pl.DataFrame({"": value}))}
    if isinstance(value, pl.Series):
        return {"series": _pack(value.to_frame())}
    if isinstance(value, pl.DataFrame):
        return {"rows": _pack(value)}
    if isinstance(value, pd.DataFrame):
        index = pl.Series(" ", value.index.to_numpy())
        columns = [pl.from_pandas(value[name]).alias(name) for name in value.columns]
        return {"rows": _pack(pl.DataFrame([index, *columns]))}
    raise TypeError(f"{type(value).__name__} is no state")


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "moments":
        return Moments(*inner)
    frame = pl.read_ipc(io.BytesIO(base64.b64decode(inner)))
    if kind == "array":
        return frame.to_series().to_numpy()
    return frame.to_series() if kind == "series" else frame


def _pack(frame: pl.DataFrame) -> str:
    sink = io.BytesIO()
    frame.write_ipc(sink, compression="zstd")
    return base64.b64encode(sink.getvalue()).decode("ascii")
