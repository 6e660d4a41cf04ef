"""A folder of parts: which files are parts, what their folders' names tell, how they are joined."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import SourceError, name_examples
from pipeline.sources.containers import PACKINGS
from pipeline.sources.delimited import Delimited
from pipeline.sources.guesses import Guess
from pipeline.sources.joining import Part, join_parts

PARQUET = (".parquet", ".pq")
TEXTS = (".csv", ".tsv")
TYPED = (".jsonl", ".ndjson", ".feather", ".arrow", ".arff")
DOCUMENTS = re.compile(
    r"(readme|licen[cs]e|changelog|citation)(\.(txt|html|cff))?|.*\.(md|rst)", re.I
)
LITTER = ("thumbs.db", "desktop.ini")
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
KEY = re.compile(r"([^=]+)=(.*)")
SPLITS = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "val": "validation",
    "valid": "validation", "validation": "validation", "dev": "validation", "holdout": "test",
}  # fmt: skip


def list_parts(path: Path) -> list[Path]:
    """List the files of a folder that may be parts, by their names; no marks and documents.

    Raises
    ------
    SourceError
        If it is a Delta table: which of its files count is told by its log.
    """
    if (path / "_delta_log").is_dir():
        raise SourceError(
            "ingest", f"{path.name} is a Delta table, whose log says which of its files count",
            "Save the table as Parquet: deltalake.DeltaTable(...).to_pyarrow_table()",
        )  # fmt: skip
    return sorted(
        file for file in path.rglob("*")
        if file.is_file()
        and not any(name.startswith((".", "_")) for name in file.relative_to(path).parts)
        and not DOCUMENTS.fullmatch(file.name)
        and file.name.lower() not in LITTER
    )  # fmt: skip


def find_kind(files: Sequence[Path]) -> str:
    """Find what the parts are, by their names: ``parquet``, ``text``, else empty."""
    kinds = {find_suffix(file) for file in files}
    if kinds and kinds <= {*PARQUET}:
        return "parquet"
    if kinds and (kinds <= {*TEXTS} or (len(kinds) == 1 and kinds <= {*TYPED})):
        return "text"
    return ""


def find_suffix(file: Path) -> str:
    """Find what a file is by its name, whatever it is packed by."""
    suffix = file.suffix.lower()
    return Path(file.stem).suffix.lower() or ".csv" if suffix in PACKINGS else suffix


def refuse_mixture(files: Sequence[Path], folder: str) -> SourceError:
    """Say what a folder holds that holds no parts of one table."""
    kinds = sorted({file.suffix.lower() for file in files})
    of_kinds = f", of the kinds {name_examples(kinds)}" if kinds else ""
    return SourceError(
        "ingest",
        f"the folder {folder} holds {len(files)} files{of_kinds}",
        "Give a folder of CSV files or of Parquet partitions, nothing else in it",
    )


def read_keys(file: PurePath) -> dict[str, str]:
    """Read the columns that folders named ``key=value`` stand for; no value is an empty one."""
    keys = {}
    for name in file.parts[:-1]:
        found = KEY.fullmatch(name)
        if found:
            value = unquote(found[2])
            keys[unquote(found[1])] = "" if value == NO_VALUE else value
    return keys


def add_keys(part: Part) -> Part:
    """Add the columns of a part's folders; one that the file has too is taken once if equal.

    Raises
    ------
    SourceError
        If the file says something else than its folder.
    """
    table = part.read.table
    for key, value in read_keys(PurePath(part.name)).items():
        if key not in table.column_names:
            table = table.append_column(key, pa.array([value] * table.num_rows, pa.string()))
            continue
        others = [v or "" for v in pc.unique(table[key]).to_pylist()]
        odd = [other for other in others if not _is_same(other.strip(), value)]
        if odd:
            raise SourceError(
                "ingest",
                f"{part.name} is in a folder of {key}={value}, but its column "
                f"{name_examples([key])} holds {name_examples(odd)}",
                "Rename the folder, or correct the column",
            )
    return part.put(table)


def _is_same(text: str, value: str) -> bool:
    if text == value or text.casefold() == value.casefold():
        return True
    try:
        return float(text) == float(value)
    except ValueError:
        return False


def tell_split(names: Sequence[str]) -> list[Guess]:
    """Tell that a folder looks like a split of the user's own, which is not kept."""
    found: dict[str, str] = {}
    for name in names:
        for part in PurePath(name).parts:
            words = re.split(r"[^a-z]+", part.casefold())
            role = next((SPLITS[word] for word in words if word in SPLITS), None)
            if role:
                found.setdefault(role, name)
    if "train" not in found or len(found) < 2:
        return []
    return [
        Guess("split", None, "the files are pooled and split again", "they are a split of your own",
              f"{' and '.join(found.values())} are in the folder")
    ]  # fmt: skip


def read_text_parts(
    path: Path,
    files: Sequence[Path],
    read: Callable[[Path], Delimited],
    read_below: Callable[[Path, Sequence[str], str], Delimited],
    *,
    align: bool = True,
) -> Delimited:
    """Read a folder of delimited text and join it.

    Parameters
    ----------
    path
        The folder.
    files
        Its parts.
    read
        Reads one file.
    read_below
        Reads one below names that are given, by a delimiter.
    align
        Whether each part may write its numbers in its own way.

    Raises
    ------
    SourceError
        If a part can't be read, or is of another table.
    """
    from pipeline.sources.text_parts import align_numbers, read_parts

    told: list[Guess] = []
    filled = [file for file in files if file.stat().st_size]
    if len(filled) < len(files) and filled:
        empty = [str(f.relative_to(path)) for f in files if not f.stat().st_size]
        told.append(
            Guess("parts", None, "empty files are passed over", "", f"{', '.join(empty[:3])}")
        )
    parts = read_parts(path, filled or files, read, read_below, told)
    parts = [add_keys(part) for part in parts]
    if align:
        parts = align_numbers(parts, told)
    return join_parts(parts, path.name, [*told, *tell_split([part.name for part in parts])])
