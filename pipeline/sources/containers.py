"""What a file is, by its first bytes: its name may say something else.

What holds a table that Assay can read gets a name here; all else is refused by what it is.
"""

from __future__ import annotations

import re

from pipeline.errors import SourceError

TABLES = (".csv", ".tsv", ".txt", ".data", ".parquet", ".pq")
OTHER_TABLES = (".jsonl", ".ndjson", ".json", ".feather", ".arrow", ".ipc", ".arff")
# Kinds that hold another file, by the suffix that their names mostly have.
PACKINGS = {
    ".gz": "gzip", ".gzip": "gzip", ".tgz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd",
    ".zstd": "zstd", ".lz4": "lz4", ".zip": "zip", ".tar": "tar",
}  # fmt: skip
HEAD = 64_000
TAR_MAGIC = slice(257, 262)
CONTROLS = bytes({*range(0x20)} - {*b"\t\n\v\f\r\x1a\x1b"})
MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PAR1", "parquet"),
    (b"ARROW1\0\0", "arrow"),
    (b"\xff\xff\xff\xff", "arrow stream"),
    (b"FEA1", "feather"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old excel"),
    (b"SQLite format 3\0", "sqlite"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"%PDF-", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x1f\x9d", "compress"),
    (b"\x93NUMPY", "numpy"),
    (b"RDX2\n", "r"),
    (b"RDX3\n", "r"),
    (b"X\n\0\0\0", "r"),
    (b"MATLAB 5.0", "matlab"),
    (b"$FL2", "spss"),
    (b"$FL3", "spss"),
    (b"<stata_dta>", "stata"),
    (b"HEADER RECORD*******LIB", "sas"),
    (b"\0" * 12 + b"\xc2\xea\x81\x60", "sas"),
    (b"ORC", "orc"),
    (b"Obj\x01", "avro"),
    (b"{\\rtf", "rtf"),
    (b"version https://git-lfs.github.com/", "lfs"),
)
SAVE = "Save the table as CSV or Parquet"
SHEET = "Save the sheet as CSV or Parquet"
PICTURE = "Give the table that belongs to it, or a folder of pictures"
IN_PANDAS = "{save}: pandas.{reader}({name!r}).to_parquet('exported.parquet')"
REFUSED: dict[str, tuple[str, str]] = {
    "excel": ("an Excel file (xlsx)", SHEET),
    "old excel": ("an old Excel file (xls), or another of old Office", SHEET),
    "excel in xml": ("an Excel file in XML", SHEET),
    "ods": ("an OpenDocument spreadsheet", SHEET),
    "document": ("a document of an office program", SAVE),
    "sqlite": (
        "an SQLite database",
        SAVE + ": sqlite3 -header -csv {name} 'select * from TABLE' > exported.csv",
    ),
    "duckdb": ("a DuckDB database", SAVE + ": copy TABLE to 'exported.parquet'"),
    "access": ("an Access database", SAVE),
    "hdf5": ("an HDF5 file", IN_PANDAS.replace("{reader}", "read_hdf")),
    "pdf": ("a PDF document", SAVE),
    "png": ("a picture (PNG)", PICTURE),
    "jpeg": ("a picture (JPEG)", PICTURE),
    "gif": ("a picture (GIF)", PICTURE),
    "tiff": ("a picture (TIFF)", PICTURE),
    "webp": ("a picture (WebP)", PICTURE),
    "7z": ("a 7z archive", "Unpack it and give the table in it"),
    "rar": ("a RAR archive", "Unpack it and give the table in it"),
    "compress": ("packed by compress (.Z)", "Unpack it and give the table in it"),
    "numpy": ("a NumPy array", SAVE),
    "r": (
        "a file of R (rds or RData)",
        SAVE + ": write.csv(data, 'exported.csv', row.names = FALSE)",
    ),
    "matlab": ("a MATLAB file", SAVE),
    "spss": ("an SPSS file", IN_PANDAS.replace("{reader}", "read_spss")),
    "stata": ("a Stata file", IN_PANDAS.replace("{reader}", "read_stata")),
    "sas": ("a SAS file", IN_PANDAS.replace("{reader}", "read_sas")),
    "orc": ("an ORC file", IN_PANDAS.replace("{reader}", "read_orc")),
    "avro": ("an Avro file", SAVE),
    "rtf": ("a document (RTF)", SAVE),
    "pickle": (
        "a pickle, which runs code when it is opened",
        SAVE + " in the program that wrote it",
    ),
    "feather": ("a Feather file of version 1", "Write it again: version 2 is read"),
    "lfs": ("a Git LFS pointer, not the data", "Run git lfs pull"),
}
# For files whose first bytes are no text and tell nothing.
BY_SUFFIX = {
    ".xlsx": "excel", ".xls": "old excel", ".ods": "ods", ".sav": "spss", ".dta": "stata",
    ".sas7bdat": "sas", ".xpt": "sas", ".pkl": "pickle", ".pickle": "pickle", ".h5": "hdf5",
    ".hdf5": "hdf5", ".rds": "r", ".rdata": "r", ".mat": "matlab", ".npy": "numpy",
}  # fmt: skip
TITLE = re.compile(r"<title[^>]*>\s*(.*?)\s*</title", re.I | re.S)
SIGN_IN = re.compile(r"sign[- ]?in|log[- ]?in|password", re.I)
FAULT = re.compile(r"<(?:\w+:)?(?:code|message|faultstring|error)\b[^>/]*>\s*([^<]+?)\s*<", re.I)
SERVER_SAYS = re.compile(
    r"(?:error\s*:?\s*)?(?:40[0-9]|429|50[0-4])\b.{0,80}|(?:page |file )?not found\.?|"
    r"(?:access|permission) denied\.?|forbidden\.?|unauthorized\.?|(?:internal )?server error\.?|"
    r"(?:api )?rate limit exceeded.{0,80}|too many requests\.?",
    re.I,
)


def recognise(content: bytes, name: str) -> str:
    """Recognise what a file is.

    Parameters
    ----------
    content
        The whole file, or its first bytes.
    name
        Decides only where the bytes tell nothing.

    Returns
    -------
    str
        Such as ``gzip``, ``parquet``, ``json``; empty for text, and for what nothing is known of.
    """
    text = is_text(content)
    for magic, kind in MAGIC:
        # A header may begin with PAR1 or ORC; no text holds what follows in such a file.
        if content.startswith(magic) and not (text and len(magic) <= 4 and magic.isalnum()):
            return kind
    if content[TAR_MAGIC] == b"ustar":
        return "tar"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    if content[8:12] == b"DUCK":
        return "duckdb"
    if content[4:16] in (b"Standard Jet", b"Standard ACE"):
        return "access"
    if content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    suffix = _find_suffix(name)
    if suffix in (".pkl", ".pickle"):  # the first form of a pickle looks like text
        return "pickle"
    if not text:
        return BY_SUFFIX.get(suffix, "")
    return _recognise_text(content[:HEAD], suffix)


def _find_suffix(name: str) -> str:
    _, dot, suffix = name.lower().rpartition(".")
    return dot + suffix


def is_text(content: bytes) -> bool:
    """Tell whether the first bytes of a file may be text."""
    head = content[:4096]
    return head.startswith(MARKS) or len(head.translate(None, CONTROLS)) == len(head)


def _recognise_text(head: bytes, suffix: str) -> str:
    if head.startswith(MARKS[1:]):
        head = head.decode("utf-16", "ignore").encode("utf-8", "ignore")
    start = head.removeprefix(MARKS[0]).lstrip()
    low = start[:2_000].lower()
    if low.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<table", b"<script")):
        return "html"
    if low.startswith((b"<?xml", b"<error", b"<soap:")) or suffix == ".xml":
        if b"<html" in low:
            return "html"
        return "excel in xml" if b"schemas-microsoft-com:office:spreadsheet" in low else "xml"
    if start[:1] in (b"{", b"["):
        # A header may begin with a brace: it is JSON if what follows can only be that.
        inner = start[1:].lstrip()[:1]
        if suffix in (".json", ".jsonl", ".ndjson", ".geojson") or inner in (
            (b'"', b"}") if start[:1] == b"{" else (b"{", b"[", b"]")
        ):
            return "json"
    if start[:1] in (b"%", b"@") and _is_arff(start):
        return "arff"
    return ""


def _is_arff(start: bytes) -> bool:
    """Tell whether the first line that is no comment names a relation."""
    for line in start.splitlines():
        if line.strip() and not line.lstrip().startswith(b"%"):
            return line.lstrip().lower().startswith(b"@relation")
    return False


def refuse_no_table(kind: str, content: bytes, name: str) -> None:
    """Refuse what holds no table that Assay reads.

    Parameters
    ----------
    kind
        What ``recognise`` said.
    content
        The file.
    name
        Of the file, for the message.

    Raises
    ------
    SourceError
        With what it is, and what to do.
    """
    if kind in REFUSED:
        what, fix = REFUSED[kind]
        raise SourceError("ingest", f"{name} is {what}", fix.format(name=name, save=SAVE))
    text = content[:HEAD].decode(errors="replace")
    if kind == "html":
        raise _describe_page(text, name)
    if kind == "xml":
        said = ": ".join(dict.fromkeys(FAULT.findall(text)[:2]))[:120]
        raise SourceError(
            "ingest", f"{name} is XML" + (f", an error of a server: {said}" if said else ""),
            "Download the file itself; a key or a sign-in may be needed" if said else SAVE,
        )  # fmt: skip
    if not kind and len(content) < 300 and SERVER_SAYS.fullmatch(text.strip()):
        raise SourceError(
            "ingest", f"{name} holds only what a server said: {text.strip()!r}",
            "Download the file itself; its address or a key may be wrong",
        )  # fmt: skip


def _describe_page(text: str, name: str) -> SourceError:
    found = TITLE.search(text)
    title = f" with the title {' '.join(found[1].split())[:60]!r}" if found else ""
    if "<table" in text.lower():
        return SourceError("ingest", f"{name} is an HTML page{title} that holds a table", SAVE)
    reason = ": it asks for a sign-in" if SIGN_IN.search(text) else ""
    return SourceError(
        "ingest", f"{name} is an HTML page{title}, not a table{reason}",
        "Download the file itself, not the page about it",
    )  # fmt: skip
