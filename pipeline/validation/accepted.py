"""The refreshes that were accepted: what each left behind for those after it.

Accepted are the version that is current, the one that was current when it was published, and so on:
a version that was rolled back from is not among them. Versions of the same source, one after the
other, are one refresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.errors import DataContractError
from pipeline.storage.hashing import hash_file
from pipeline.storage.store import Store, read_manifest

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
    found: list[str] = []
    last: object = None
    for name, sources in follow_versions(store):
        if sources != other_than and sources != last and _place(store, name, "raw").is_file():
            found.append(name)
            last = sources
    return tuple(reversed(found))


def follow_versions(store: Store) -> Iterator[tuple[str, dict[str, str]]]:
    """Go back from the current version to the one that was current before it, and so on.

    Yields
    ------
    tuple
        A version, and the SHA-256 of its source's files by name.
    """
    names = store.versions()
    name = store.current()
    while name is not None and name in names:
        try:
            manifest = read_manifest(store.published / name)
            sources = manifest["sources"]
        except (OSError, ValueError, KeyError):  # damaged; `assay verify` says so
            return
        yield name, sources
        earlier = [other for other in names if other < name]
        # A version of an earlier release does not say; it followed the one before it.
        before = manifest.get("follows", earlier[-1] if earlier else None)
        name = before if before in earlier else None


def find_lost_suites(store: Store, suites: Iterable[str]) -> list[str]:
    """Name the suites that the current version was judged by and that are no more."""
    try:
        before = read_manifest(store.published / (store.current() or ""))["suites"]
    except (OSError, ValueError, KeyError):
        return []
    return sorted(set(before) - set(suites))


def read_profiles(store: Store, versions: Sequence[str], rows: Rows) -> dict[str, Profile]:
    """Read the profiles of versions: of all raw rows, or of those that suites may learn from.

    Parameters
    ----------
    store
        Of the data set.
    versions
        Their names.
    rows
        ``raw`` or ``train``.

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

    Parameters
    ----------
    store
        Of the data set.
    version
        Its name.
    rows
        ``raw`` or ``train``.

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
