"""The refreshes that were accepted: what each left behind for those after it.

Accepted are the version that is current, the one that was current when it was published, and so on:
a version that was rolled back from is not among them. Versions of the same source, one after the
other, are one refresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.errors import DataContractError
from pipeline.hashing import hash_file
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
    found: list[tuple[str, dict[str, str]]] = []
    name = store.current()
    while name is not None and (store.published / name).is_dir():
        try:
            manifest = read_manifest(store.published / name)
            sources, before = manifest["sources"], manifest.get("follows")
        except (OSError, ValueError, KeyError):  # damaged; `assay verify` says so
            break
        known = _place(store, name, "raw").is_file() and sources != other_than
        if known and not (found and found[-1][1] == sources):
            found.append((name, sources))
        name = before if before is not None and before < name else None
    return tuple(name for name, _ in reversed(found))


def find_lost_suites(store: Store, suites: Iterable[str]) -> list[str]:
    """Name the suites that the current version was judged by and that are no more."""
    try:
        before = read_manifest(store.published / (store.current() or ""))["suites"]
    except (OSError, ValueError, KeyError):
        return []
    return sorted(set(before) - set(suites))


def read_profiles(store: Store, versions: Sequence[str], rows: Rows) -> dict[str, Profile]:
    """Read the profiles of versions: of all raw rows, or of those that suites may learn from.

    Raises
    ------
    DataContractError
        If one is not as it was published.
    """
    from pipeline.validation.distributions import read_profile

    return {
        name: read_profile(_place(store, name, rows))
        for name in versions
        if hash_profile(store, name, rows)
    }


def hash_profile(store: Store, version: str, rows: Rows) -> str:
    """Give the SHA-256 of a profile; empty if its version was retired meanwhile.

    Raises
    ------
    DataContractError
        If it is not as it was published.
    """
    place = _place(store, version, rows)
    try:
        published = read_manifest(store.published / version)["files"][f"{PROFILES}/{rows}.json"]
        found = hash_file(place)
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError):
        published, found = "", "unreadable"
    if found != published:
        raise DataContractError(
            "validation",
            f"the profile of version {version}, {PROFILES}/{rows}.json, is not as it was "
            "published, and nothing can be compared with it",
            f"See `assay verify {store.dataset} {version}`; make another version current by "
            f"`assay rollback`",
        )
    return found


def _place(store: Store, version: str, rows: Rows) -> Path:
    return store.published / version / PROFILES / f"{rows}.json"
