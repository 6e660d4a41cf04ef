"""A list of pictures with names and classes, made from the names of files."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.errors import SourceError, name_examples
from pipeline.ingest.picture_facts import Unreadable

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
SPLIT_NAMES = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
MAX_FILE_BYTES = 200_000_000
Read = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a source, not read yet.

    Attributes
    ----------
    name
        Its path below the folder of the class folders, with ``/``.
    label
        Its class, or None.
    read
        Reads the file's bytes; raises ``Unreadable`` with the reason if it can't.
    """

    name: str
    label: str | None
    read: Read


@dataclass(frozen=True, slots=True)
class PictureList:
    """The pictures of a source in a lasting order.

    Attributes
    ----------
    pictures
        By name; those of a Parquet source in its order.
    dialect
        How the source comes.
    skipped
        Files that are no pictures, by suffix.
    case_clashes
        Pictures whose name differs from an earlier one's in case only.
    """

    pictures: list[Picture]
    dialect: dict[str, str]
    skipped: dict[str, int]
    case_clashes: int


def arrange(files: Sequence[tuple[str, Read]], dialect: dict[str, str]) -> PictureList:
    """Tell pictures from other files by their suffix, and classes by their folder.

    The class is the first folder below the common one: ``pets/`` of ``pets/cat/1.png`` and
    ``pets/dog/1.png`` is skipped over. A name that leads out of its archive has no class, and
    reading it says so.

    Raises
    ------
    SourceError
        If the folders are named as splits are, with the classes below them.
    """
    skipped: Counter[str] = Counter()
    safe: list[tuple[list[str], Read]] = []
    pictures: list[Picture] = []
    for raw, read in files:
        name = _clean_name(raw)
        kind = _find_kind(name)
        if kind not in PICTURES:
            skipped[kind] += 1
        elif _leads_out(name):
            pictures.append(Picture(name, None, _refuse_name))
        else:
            safe.append(([part for part in name.split("/") if part not in ("", ".")], read))
    depth = _count_common([parts for parts, _ in safe])
    for parts, read in safe:
        below = parts[depth:]
        label = below[0].strip() if len(below) > 1 else None
        pictures.append(Picture("/".join(below), label or None, read))
    pictures.sort(key=lambda picture: picture.name)
    _refuse_splits(pictures)
    folded = {picture.name.casefold() for picture in pictures}
    clashes = len({picture.name for picture in pictures}) - len(folded)
    return PictureList(pictures, dialect, dict(sorted(skipped.items())), clashes)


def _clean_name(raw: str) -> str:
    """Write a name in one way: other separators, decomposed accents."""
    text = os.fsencode(raw).decode("utf-8", "replace")
    return unicodedata.normalize("NFC", text.replace("\\", "/"))


def _find_kind(name: str) -> str:
    """Give a file's suffix, or what else tells that it is no picture."""
    parts = name.split("/")
    if "__MACOSX" in parts or any(p.startswith(".") and p not in (".", "..") for p in parts):
        return "hidden"
    return PurePosixPath(parts[-1]).suffix.lower() or "no suffix"


def _leads_out(name: str) -> bool:
    return name.startswith("/") or name[1:2] == ":" or ".." in name.split("/")


def _refuse_name() -> bytes:
    raise Unreadable("unsafe name")


def _count_common(paths: list[list[str]]) -> int:
    """Count the folders at the top that all pictures share and that hold further folders."""
    depth = 0
    while (
        len({parts[depth] for parts in paths if len(parts) > depth}) == 1
        and all(len(parts) > depth + 1 for parts in paths)
        and any(len(parts) > depth + 2 for parts in paths)
    ):
        depth += 1
    return depth


def _refuse_splits(pictures: list[Picture]) -> None:
    """Refuse ``train/cat/1.png``: the network would learn to tell training from test."""
    names = sorted({picture.label for picture in pictures if picture.label})
    deep = sum(picture.name.count("/") > 1 for picture in pictures)
    if names and {name.casefold() for name in names} <= SPLIT_NAMES and deep == len(pictures):
        raise SourceError(
            "ingest",
            f"the folders {name_examples(names)} are splits, with the classes below them, in "
            f"{len(pictures)} pictures",
            "Give the folder of one split, or one folder for each class; Assay splits by itself",
        )
