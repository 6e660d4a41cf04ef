"""Pictures in a zip, read in memory: nothing is ever unpacked to a disk."""

from __future__ import annotations

import os
import struct
import weakref
import zipfile
import zlib
from functools import partial
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.images.listing import MAX_FILE_BYTES, PICTURES, PictureList, arrange
from pipeline.ingest.picture_facts import Unreadable
from pipeline.sources.delimited import describe_damage

ENCRYPTED = 0x1
LOCAL_HEADER = 30


def list_archive(path: Path) -> PictureList:
    """List the pictures in a zip.

    Raises
    ------
    SourceError
        If it is damaged or encrypted, or its files overlap, as only a bomb's do.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except (OSError, ValueError, RuntimeError, struct.error, zipfile.BadZipFile) as error:
        raise describe_damage(path.name, "a zip", error) from None
    packed, there = sum(info.compress_size for info in infos), path.stat().st_size
    if packed > there:
        raise SourceError(
            "ingest",
            f"the {len(infos)} files in {path.name} claim {packed} bytes, but it has {there}: "
            "they overlap",
            "Zip the folder again; this one is damaged or a bomb",
        )
    pictures = [i for i in infos if i.filename.lower().endswith(tuple(PICTURES))]
    locked = sum(info.flag_bits & ENCRYPTED for info in pictures)
    if locked and locked == len(pictures):
        raise SourceError(
            "ingest", f"all {locked} pictures in {path.name} are encrypted",
            "Zip the folder without a password",
        )  # fmt: skip
    archive_file = _ArchiveFile(path)
    files = [(info.filename, partial(archive_file.read, info)) for info in infos]
    return arrange(files, {"format": "zip", "files": str(len(infos))})


class _ArchiveFile:
    """Reads entries of a zip from any thread.

    ``zipfile`` costs 60 microseconds and a lock for each entry, as decoding a small picture does.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """Read an entry, whole and checked against its CRC."""
        if info.flag_bits & ENCRYPTED:
            raise Unreadable("encrypted")
        if max(info.file_size, info.compress_size) > MAX_FILE_BYTES:
            raise Unreadable(f"over {MAX_FILE_BYTES // 1_000_000} MB")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable("packed by an unknown method")
        header = os.pread(self._handle, LOCAL_HEADER, info.header_offset)
        if len(header) < LOCAL_HEADER or header[:4] != b"PK\3\4":
            raise Unreadable("damaged in the zip")
        start = info.header_offset + LOCAL_HEADER + sum(struct.unpack_from("<HH", header, 26))
        content = os.pread(self._handle, info.compress_size, start)
        if info.compress_type == zipfile.ZIP_DEFLATED:
            content = _inflate(content, info.file_size)
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise Unreadable("damaged in the zip")
        return content


def _inflate(content: bytes, size: int) -> bytes:
    """Inflate to at most one byte more than was declared."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
    except zlib.error:
        raise Unreadable("damaged in the zip") from None
