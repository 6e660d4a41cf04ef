"""Packed files, unpacked in memory: gzip, bzip2, xz, zstd, lz4, zip and tar, also one in another.

What a file is packed by is told by its first bytes. What unpacks to more than data ever do is
refused before it fills the memory.
"""

from __future__ import annotations

import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import SourceError, name_examples
from pipeline.sources.containers import (
    OTHER_TABLES,
    PACKINGS,
    REFUSED,
    TABLES,
    is_text,
    recognise,
    refuse_no_table,
)
from pipeline.sources.delimited import describe_damage

CHUNK = 1 << 20
# What unpacks to more than MAX_RATIO times its size is a bomb, beyond what any machine can hold.
UNPACKED_FREELY = 256_000_000
MAX_RATIO = 200
MAX_UNPACKED = 4_000_000_000
LEADS_OUT = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)")
MAX_LAYERS = 3  # csv in gz in tar in zip
STREAMS = ("gzip", "bzip2", "xz", "zstd", "lz4")
DAMAGE = (
    OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile, tarfile.TarError,
)  # fmt: skip


def unpack(path: Path) -> tuple[bytes, str]:
    """Return the content of a file and the name that it has unpacked.

    Raises
    ------
    SourceError
        If it is damaged, unpacks to more than data do, holds several tables or none, or holds
        names that lead out of it.
    """
    name = path.name
    try:
        with path.open("rb") as file:
            head = file.read(512)
            file.seek(0)
            kind = _find_packing(head, name)
            if kind in STREAMS:
                content = _unpack_stream(file, kind, name)
                name = _strip_packing(name)
            else:
                content = file.read()
    except DAMAGE as error:
        raise describe_damage(name, "a readable file", error) from None
    for _ in range(MAX_LAYERS):
        kind = _find_packing(content, name)
        if not kind:
            return content, name
        try:
            content, name = _unpack_layer(content, kind, name)
        except DAMAGE as error:
            raise describe_damage(name, "a readable file", error) from None
    if _find_packing(content, name):
        raise SourceError(
            "ingest", f"{path.name} is packed more than {MAX_LAYERS} times", "Unpack it",
        )  # fmt: skip
    return content, name


def _find_packing(content: bytes, name: str) -> str:
    """Find what a file is packed by; one whose name says so may also be plain text."""
    kind = recognise(content[:512], "")
    if kind:
        return kind if kind in PACKINGS.values() else ""
    named = PACKINGS.get(Path(name).suffix.lower(), "")
    return "" if not named or holds_lines(content) else named


def holds_lines(content: bytes) -> bool:
    """Tell whether a file is text of several lines, whatever its name says."""
    return is_text(content) and content.count(b"\n") > 1


def _strip_packing(name: str) -> str:
    path = Path(name)
    if path.suffix.lower() == ".tgz":
        return f"{path.stem}.tar"
    return path.stem if path.suffix.lower() in PACKINGS else name


def _unpack_layer(content: bytes, kind: str, name: str) -> tuple[bytes, str]:
    if kind == "zip":
        return _unpack_zip(content, name)
    if kind == "tar":
        return _unpack_tar(content, name)
    return _unpack_stream(io.BytesIO(content), kind, name), _strip_packing(name)


def _unpack_stream(packed: BinaryIO, kind: str, name: str) -> bytes:
    """Unpack piece by piece, so that a bomb is refused before it fills the memory."""
    content = io.BytesIO()
    with _open_stream(packed, kind) as unpacked:
        while piece := unpacked.read(CHUNK):
            content.write(piece)
            refuse_bomb(name, content.tell(), packed.tell())
    return content.getvalue()


def _open_stream(packed: BinaryIO, kind: str) -> Any:
    if kind == "gzip":
        import gzip

        return gzip.GzipFile(fileobj=packed)
    if kind == "bzip2":
        import bz2

        return bz2.BZ2File(packed)
    if kind == "xz":
        return lzma.LZMAFile(packed)
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), kind)


def _unpack_zip(content: bytes, name: str) -> tuple[bytes, str]:
    """Unpack the only table of a zip, in memory; its header tells how large it will be."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        names = [info.filename for info in infos]
        _refuse_office(archive, names, content, name)
        _refuse_leading_out(names, name)
        info = infos[names.index(_find_table(names, name))]
        refuse_bomb(name, info.file_size, info.compress_size)
        return archive.read(info), info.filename


def _refuse_office(
    archive: zipfile.ZipFile, names: Sequence[str], content: bytes, name: str
) -> None:
    """Refuse what office programs write: a zip of XML."""
    kind = ""
    if any(n.startswith("xl/workbook.") for n in names):
        kind = "excel"
    elif any(n.startswith(("word/", "ppt/")) for n in names):
        kind = "document"
    elif "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
        said = archive.read("mimetype")
        if b"opendocument" in said:
            kind = "ods" if b"spreadsheet" in said else "document"
    elif names and all(n.endswith(".npy") for n in names):
        kind = "numpy"
    if kind in REFUSED:
        refuse_no_table(kind, content, name)


def _unpack_tar(content: bytes, name: str) -> tuple[bytes, str]:
    """Unpack the only table of a tar, in memory."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        names = [member.name for member in members]
        _refuse_leading_out(names, name)
        member = members[names.index(_find_table(names, name))]
        # A sparse file may claim any size.
        refuse_bomb(name, member.size, len(content))
        file = archive.extractfile(member)
        return (file.read() if file else b""), member.name


def _refuse_leading_out(names: Sequence[str], archive: str) -> None:
    unsafe = [name for name in names if LEADS_OUT.match(name.replace("\\", "/"))]
    if unsafe:
        raise SourceError(
            "ingest",
            f"{len(unsafe)} names in {archive} lead out of it: {name_examples(unsafe)}",
            "Pack the table again, by its name alone",
        )


def _find_table(names: Sequence[str], archive: str) -> str:
    """Find the name of the only table; what macOS adds is none."""
    own = [
        name for name in names
        if not name.startswith("__MACOSX") and not name.rpartition("/")[2].startswith(".")
    ]  # fmt: skip
    tables = [name for name in own if _ends_with(name, TABLES)]
    tables = tables or [name for name in own if _ends_with(name, OTHER_TABLES)]
    if len(tables) != 1:
        raise SourceError(
            "ingest",
            f"{archive} holds {len(tables)} tables among {len(names)} files: "
            f"{name_examples(tables or names)}",
            "Give an archive with exactly one CSV or Parquet file",
        )
    return tables[0]


def _ends_with(name: str, suffixes: tuple[str, ...]) -> bool:
    """Tell whether a name has one of some suffixes, packed or not."""
    return name.lower().endswith(suffixes) or _strip_packing(name).lower().endswith(suffixes)


def refuse_bomb(name: str, size: int, packed: int, unit: str = "bytes") -> None:
    """Refuse a file that grows by unpacking beyond all that data do.

    Parameters
    ----------
    name
        Of the file.
    size, packed
        What it grows to, and the bytes that it grows from.
    unit
        What ``size`` counts.

    Raises
    ------
    SourceError
        If it is larger than what any machine holds, or so much larger than what it came from that
        it is made to fill a memory.
    """
    if size > MAX_UNPACKED:
        raise SourceError(
            "ingest", f"{name} unpacks to more than {MAX_UNPACKED:,} {unit}",
            "Give a part of the rows, or unpack it and save it as Parquet",
        )  # fmt: skip
    if size > UNPACKED_FREELY and size > MAX_RATIO * packed:
        raise SourceError(
            "ingest",
            f"{name} unpacks to {size:,} {unit} or more, over {MAX_RATIO} times the {packed:,} "
            "bytes that they are packed in: a bomb, or nearly empty",
            "Unpack it and look at it; a table of that size can be given unpacked",
        )
