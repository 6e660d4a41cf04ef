"""The refreshes that were accepted: what each left behind for those after it.

Accepted is what was published, up to the version that is current: a version that was rolled back
from is not among them. Versions of the same source, one after the other, are one refresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.store import Store, read_manifest

if TYPE_CHECKING:
    from pipeline.validation.distributions import Profile

PROFILES = "profile"
Rows = Literal["raw", "train"]


def find_accepted(store: Store, other_than: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Name the versions of accepted refreshes that have profiles, oldest first.

    Parameters
    ----------
    other_than
        The SHA-256 of a source's files by name: refreshes of this very source are left out.
    """
    current = store.current() or ""
    found: list[tuple[str, dict[str, str]]] = []
    for name in store.versions():
        if name > current or not _place(store, name, "raw").is_file():
            continue
        try:
            sources = read_manifest(store.published / name)["sources"]
        except (OSError, ValueError, KeyError):  # damaged; `assay verify` says so
            continue
        if sources == other_than:
            continue
        if found and found[-1][1] == sources:
            found.pop()
        found.append((name, sources))
    return tuple(name for name, _ in found)


def find_lost_suites(store: Store, suites: Iterable[str]) -> list[str]:
    """Name the suites that the current version was judged by and that are no more."""
    try:
        before = read_manifest(store.published / (store.current() or ""))["suites"]
    except (OSError, ValueError, KeyError):
        return []
    return sorted(set(before) - set(suites))


def read_profiles(store: Store, versions: Sequence[str], rows: Rows) -> dict[str, Profile]:
    """Read the profiles of versions: of all raw rows, or of those that suites may learn from."""
    from pipeline.validation.distributions import read_profile

    profiles = {}
    for name in versions:
        try:
            profiles[name] = read_profile(_place(store, name, rows))
        except (OSError, ValueError):  # damaged, or retired meanwhile
            continue
    return profiles


def _place(store: Store, version: str, rows: Rows) -> Path:
    return store.published / version / PROFILES / f"{rows}.json"
