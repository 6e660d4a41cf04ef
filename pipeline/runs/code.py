"""Which code makes a stage: the modules that its step imports, found in the syntax tree.

A stage whose code changed is made again, so what counts as its code must not depend on anybody's
memory. From the module of a step every import of this package is followed, at the top of a module
or inside a function; a text that is the name of a module counts as an import of it, since that is
how one process tells another what to load. Imports for the type checker alone are left out.

``GROUND`` names the few modules that are left out: they say where things lie, what a run is, and
what is declared, and the declared values are part of each key anyway. A step reaches what depends
on the modality by ``run.modality.<field>``: of ``pipeline.modality`` only the functions that the
record of that modality has in the fields so named count.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import FunctionType

PACKAGE = "pipeline"
ROOT = Path(__file__).parents[1]
# Modules, and packages with all that is in them, whose code never changes what a stage writes.
GROUND = (
    "pipeline.errors",
    "pipeline.secrets",
    "pipeline.config",
    "pipeline.runs",
    "pipeline.storage.disk",
    "pipeline.storage.locking",
    "pipeline.storage.store",
)
MODALITY = "pipeline.modality"
MENTIONS = Path(__file__).parent / "__pycache__" / "mentions.json"


@dataclass(frozen=True, slots=True)
class Mentions:
    """What one module mentions.

    Attributes
    ----------
    modules
        Modules of this package.
    fields
        Fields of the record of its modality.
    """

    modules: frozenset[str]
    fields: frozenset[str]


@cache
def find_modules(root: Path = ROOT) -> Mapping[str, Path]:
    """Find the modules of a package by their dotted names, packages included."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def hash_code(stage: str, modality: str) -> str:
    """Hash the sources of all modules that the step of a stage reaches, see ``find_code``."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    known = find_modules()
    for name in sorted(find_code(f"pipeline.steps.{stage}", modality)):
        digest.update(f"{name}\n".encode() + known[name].read_bytes())
    return digest.hexdigest()


@cache
def find_code(step: str, modality: str) -> frozenset[str]:
    """Find the modules that a step reaches, itself included, those of ``GROUND`` left out.

    Parameters
    ----------
    step
        The dotted name of a module.
    modality
        The name of a record in ``pipeline.modality``.
    """
    reached: set[str] = set()
    waiting = list(_with_parents(step))
    while waiting:
        name = waiting.pop()
        if name in reached or is_ground(name):
            continue
        reached.add(name)
        mentions = _read_mentions(name)
        waiting += mentions.modules - {MODALITY}
        for field in mentions.fields:
            waiting += _find_field(modality, field)
    return frozenset(reached)


def is_ground(name: str) -> bool:
    """Tell whether a module is one whose code is no part of a stage's."""
    return name == PACKAGE or any(name == g or name.startswith(f"{g}.") for g in GROUND)


@cache
def _read_mentions(name: str) -> Mentions:
    source = find_modules()[name].read_bytes()
    digest = hashlib.sha256(source).hexdigest()
    if digest not in _known():
        tree = ast.parse(source)
        names = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == "modality"
        }
        _found.add(digest)
        _known()[digest] = [sorted(_find_imports(tree)), sorted(names)]
    modules, reached = _known()[digest]
    return Mentions(frozenset(modules), frozenset(reached))


@cache
def _known() -> dict[str, list[list[str]]]:
    """Read what modules mention, by the hash of their source: to parse all of them takes 0.6 s."""
    try:
        known: dict[str, list[list[str]]] = json.loads(MENTIONS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def keep_mentions() -> None:
    """Keep what was found beside the bytecode of this package, where Python may write there."""
    if sys.dont_write_bytecode or not _found:
        return
    current = {hashlib.sha256(path.read_bytes()).hexdigest() for path in find_modules().values()}
    kept = {digest: said for digest, said in _known().items() if digest in current}
    partial = MENTIONS.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        MENTIONS.parent.mkdir(exist_ok=True)
        partial.write_text(json.dumps(kept), encoding="utf-8")
        partial.replace(MENTIONS)
        _found.clear()


# Hashes of sources that were parsed in this process.
_found: set[str] = set()


def _find_imports(tree: ast.AST) -> Iterator[str]:
    """Find the modules of this package that a syntax tree imports or names in a text."""
    known = find_modules()
    for node in _walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module in known:
                yield from _with_parents(node.module)
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value]
        else:
            continue
        for name in names:
            if name in known:
                yield from _with_parents(name)


def _with_parents(name: str) -> Iterator[str]:
    """Name a module and the packages that Python imports before it."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk through a syntax tree, except what is there for the type checker alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _walk(node)


@cache
def _find_field(modality: str, field: str) -> frozenset[str]:
    """Find what a field of a modality's record imports.

    Raises
    ------
    AttributeError
        If the record has no such field.
    """
    from pipeline.modality import MODALITIES

    return frozenset(_find_value(getattr(MODALITIES[modality], field)))


def _find_value(value: object) -> Iterator[str]:
    """Find what a function imports, or a record of functions and of names of modules."""
    if is_dataclass(value):
        for part in fields(value):
            yield from _find_value(getattr(value, part.name))
    elif isinstance(value, str) and value in find_modules():
        yield from _with_parents(value)
    elif isinstance(value, FunctionType):
        yield from _read_functions()[value.__name__]


@cache
def _read_functions() -> Mapping[str, frozenset[str]]:
    """Find what each function of ``pipeline.modality`` imports."""
    tree = ast.parse(find_modules()[MODALITY].read_bytes())
    return {
        node.name: frozenset(_find_imports(node))
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
