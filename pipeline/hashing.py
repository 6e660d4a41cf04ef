"""Hashes: of contents, of code, of settings. A key made of them names what was made from what."""

from __future__ import annotations

import hashlib
import json
import sys
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
def hash_code(*modules: str) -> str:
    """Hash the sources of modules below this package, so that changed code makes stages again."""
    root = Path(__file__).parent
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for module in modules:
        place = root / module
        files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def package_versions(*names: str) -> dict[str, str]:
    """Name the installed versions of packages without importing them."""
    return {name: metadata.version(name) for name in names}
