"""Sources of pictures as they come: a folder of class folders, a zip of one, Parquet.

A source is listed first, and read picture by picture: it never lies in memory whole.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline.config.settings import DatasetConfig
from pipeline.errors import SourceError, name_examples
from pipeline.images.listing import MAX_FILE_BYTES, PICTURES, PictureList, Read, arrange
from pipeline.ingest.picture_facts import Unreadable
from pipeline.sources.reading import check_source

TABLES = frozenset({".parquet", ".pq"})


def list_pictures(path: Path, config: DatasetConfig) -> PictureList:
    """List the pictures of a source.

    Parameters
    ----------
    path
        A folder ``class/….png``, a zip of one, or Parquet (a file or a folder). A file with a
        picture's suffix is a picture, whatever its content.

    Raises
    ------
    SourceError
        If the source can't be found or opened, holds no pictures, or holds splits for classes.
    ConfigError
        If dataset.yaml names a column that a Parquet source lacks.
    """
    check_source(path)
    if path.is_file() and path.suffix.lower() in TABLES:
        from pipeline.images.embedded import list_embedded

        return list_embedded([path], config)
    if path.is_file() and path.suffix.lower() != ".zip":
        raise SourceError(
            "ingest", f"{path.name} is no source of pictures",
            "Give a folder with a folder for each class, a zip of one, or Parquet",
        )  # fmt: skip
    if path.is_dir():
        listed = _list_folder(path)
        tables = sorted(f for f in path.rglob("*") if f.suffix.lower() in TABLES and f.is_file())
        if tables and not listed.pictures:
            from pipeline.images.embedded import list_embedded

            return list_embedded(tables, config)
    else:
        from pipeline.images.archives import list_archive

        listed = list_archive(path)
    if not listed.pictures:
        found = [f"{count} × {kind}" for kind, count in listed.skipped.items()]
        raise SourceError(
            "ingest",
            f"{path.name} holds no pictures: it holds "
            + (name_examples(found) if found else "nothing"),
            f"Give pictures ({' '.join(sorted(PICTURES))}) in a folder for each class",
        )
    return listed


def _list_folder(path: Path) -> PictureList:
    """List the files below a folder; links to folders are not followed, but counted."""
    files: list[tuple[str, Read]] = []
    links = 0
    for item in path.rglob("*"):
        if item.is_file():
            files.append((item.relative_to(path).as_posix(), partial(_read_file, item)))
        elif item.is_symlink():
            links += 1
    listed = arrange(files, {"format": "folder", "files": str(len(files))})
    if links:
        listed.skipped["links"] = links
    return listed


def _read_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Unreadable(f"over {MAX_FILE_BYTES // 1_000_000} MB")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"can't be opened: {error.strerror}") from None
