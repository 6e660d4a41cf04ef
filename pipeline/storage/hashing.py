"""Hashes of contents and of settings. A key made of them names what was made from what."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import metadata
from pathlib import Path


def hash_key(*parts: object) -> str:
    """Hash JSON-ready parts into a key.

    >>> hash_key("clean", {"a": 1}) == hash_key("clean", {"a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """Hash the content of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_tree(path: Path) -> dict[str, str]:
    """Hash a file, or each file below a folder, by its relative name."""
    if path.is_file():
        return {path.name: hash_file(path)}
    return {
        item.relative_to(path).as_posix(): hash_file(item)
        for item in sorted(path.rglob("*"))
        if item.is_file() and not item.name.startswith(".")
    }


@cache
def hash_sources(folder: Path) -> str:
    """Hash the Python sources in a folder, nested ones too."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def package_versions(*names: str) -> dict[str, str]:
    """Name the installed versions of packages without importing them."""
    return {name: metadata.version(name) for name in names}
