"""Other readers of tables, each as it reads when nobody helps it."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

Reader = Callable[[Path], pd.DataFrame]
PARQUET = (".parquet", ".pq")
JSON_LINES = (".jsonl", ".ndjson")


def find_readers() -> tuple[dict[str, Reader], list[str]]:
    """Find the readers that are installed, and name those that are not."""
    known: dict[str, tuple[str, Reader]] = {
        "pandas": ("pandas", _read_by_pandas),
        "Polars": ("polars", _read_by_polars),
        "DuckDB": ("duckdb", _read_by_duckdb),
        "clevercsv": ("clevercsv", _read_by_clevercsv),
    }
    found, absent = {}, []
    for name, (module, read) in known.items():
        try:
            importlib.import_module(module)
        except ImportError:
            absent.append(name)
        else:
            found[name] = _quieten(read)
    return found, absent


def _quieten(read: Reader) -> Reader:
    def quiet(path: Path) -> pd.DataFrame:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(path)

    return quiet


def _list_files(folder: Path) -> list[Path]:
    """List the parts of a folder as people do, by their suffix."""
    return sorted(
        file
        for file in folder.rglob("*")
        if ".csv" in file.name or (file.suffix in PARQUET and not file.name.startswith((".", "_")))
    )


def _find_separator(path: Path) -> str:
    """Give the separator that a suffix promises."""
    return "\t" if path.name.endswith(".tsv") else ","


def _read_by_pandas(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if path.is_dir():
        files = _list_files(path)
        if files and files[0].suffix in PARQUET:
            return pd.read_parquet(path)
        return pd.concat([_read_by_pandas(file) for file in files], ignore_index=True)
    others: dict[str, Callable[[Path], Any]] = {
        ".xlsx": pd.read_excel,
        ".xls": pd.read_excel,
        ".feather": pd.read_feather,
        ".json": pd.read_json,
        ".html": lambda p: pd.read_html(p)[0],
        ".h5": pd.read_hdf,
        ".pkl": pd.read_pickle,
        **dict.fromkeys(PARQUET, pd.read_parquet),
        **dict.fromkeys(JSON_LINES, lambda p: pd.read_json(p, lines=True)),
    }
    if suffix in others:
        return pd.DataFrame(others[suffix](path))
    return pd.read_csv(path, sep=_find_separator(path))


def _read_by_polars(path: Path) -> pd.DataFrame:
    import polars as pl

    suffix = path.suffix.lower()
    if path.is_dir():
        files = _list_files(path)
        if files and files[0].suffix in PARQUET:
            return pl.scan_parquet(path).collect().to_pandas()
        return pl.concat([pl.read_csv(file) for file in files]).to_pandas()
    others: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".xlsx": pl.read_excel,
        ".xls": pl.read_excel,
        ".feather": pl.read_ipc,
        ".json": pl.read_json,
        **dict.fromkeys(PARQUET, pl.read_parquet),
        **dict.fromkeys(JSON_LINES, pl.read_ndjson),
    }
    if suffix in others:
        return others[suffix](path).to_pandas()
    return pl.read_csv(path, separator=_find_separator(path)).to_pandas()


def _read_by_duckdb(path: Path) -> pd.DataFrame:
    duckdb: Any = importlib.import_module("duckdb")  # no dependency of Assay
    with duckdb.connect() as connection:
        return pd.DataFrame(_open_by_duckdb(connection, path).df())


def _open_by_duckdb(connection: Any, path: Path) -> Any:
    suffix = path.suffix.lower()
    if path.is_dir():
        files = _list_files(path)
        if files and files[0].suffix in PARQUET:
            return connection.read_parquet(f"{path}/**/*.parquet")
        return connection.read_csv(f"{path}/**/*.csv*")
    if suffix in PARQUET:
        return connection.read_parquet(str(path))
    if suffix in (*JSON_LINES, ".json"):
        return connection.read_json(str(path))
    return connection.read_csv(str(path))


def _read_by_clevercsv(path: Path) -> pd.DataFrame:
    clevercsv: Any = importlib.import_module("clevercsv")  # no dependency of Assay
    files: Sequence[Path] = _list_files(path) if path.is_dir() else [path]
    frames: list[pd.DataFrame] = [clevercsv.read_dataframe(str(file)) for file in files]
    return pd.concat(frames, ignore_index=True)
