"""Which refreshes count as accepted: what was published, up to what is current, a source once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import DataContractError
from pipeline.storage.hashing import hash_file
from pipeline.storage.store import Store
from pipeline.validation.accepted import (
    PROFILES,
    find_accepted,
    find_lost_suites,
    follow_versions,
    hash_profile,
    read_profiles,
)
from pipeline.validation.distributions import Profile, write_profile


def publish(store: Store, version: str, source: str, rows: int = 10) -> None:
    """Publish a version that holds what is asked for here."""

    def fill(folder: Path) -> None:
        (folder / PROFILES).mkdir()
        names = [f"{PROFILES}/{kind}.json" for kind in ("raw", "train")]
        for name in names:
            write_profile(folder / name, Profile(rows, {}, {}))
        manifest = {
            "sources": {"rows.csv": source}, "follows": store.current(),
            "suites": {"schema.json": "1", "own.json": "2"},
            "files": {name: hash_file(folder / name) for name in names},
        }  # fmt: skip
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    store.publish(version, fill)


def test_each_source_counts_once_and_the_latest_of_it(tmp_path: Path) -> None:
    """Two versions of one source in a row are one refresh; a source that comes back is another."""
    store = Store(tmp_path, "d")
    assert find_accepted(store) == ()
    for version, source in (("v1", "a"), ("v2", "b"), ("v3", "b"), ("v4", "a"), ("v5", "c")):
        publish(store, version, source)
    assert find_accepted(store) == ("v1", "v3", "v4", "v5")
    assert find_accepted(store, {"rows.csv": "c"}) == ("v1", "v3", "v4")
    assert find_accepted(store, {"rows.csv": "a"}) == ("v3", "v5")


def test_what_was_rolled_back_from_was_not_accepted(tmp_path: Path) -> None:
    """Not now, and not when something was published since; unless it is current again."""
    store = Store(tmp_path, "d")
    for version in ("v1", "v2", "v3"):
        publish(store, version, version)
    store.make_current("v2")
    assert find_accepted(store) == ("v1", "v2")
    store.make_current("v3")
    assert find_accepted(store) == ("v1", "v2", "v3")
    store.make_current("v1")
    publish(store, "v4", "v4")
    assert find_accepted(store) == ("v1", "v4")


def test_a_version_that_does_not_say_what_it_follows_follows_the_one_before(tmp_path: Path) -> None:
    """As those of earlier releases do; one that was the first says so."""
    store = Store(tmp_path, "d")
    for version in ("v1", "v2", "v3"):
        publish(store, version, version)
    manifest = store.published / "v3" / "manifest.json"
    plain = json.loads(manifest.read_text(encoding="utf-8"))
    del plain["follows"]
    manifest.write_text(json.dumps(plain), encoding="utf-8")
    assert [name for name, _ in follow_versions(store)] == ["v3", "v2", "v1"]


def test_versions_without_profiles_are_passed_over(tmp_path: Path) -> None:
    """And a chain ends where a version was retired."""
    store = Store(tmp_path, "d")
    for version in ("v1", "v2", "v3", "v4"):
        publish(store, version, version, rows=int(version[1]))
    (store.published / "v3" / PROFILES / "raw.json").unlink()
    assert find_accepted(store) == ("v1", "v2", "v4")
    shutil.rmtree(store.published / "v2")
    assert find_accepted(store) == ("v4",)
    assert {n: p.rows for n, p in read_profiles(store, ("v2", "v4"), "raw").items()} == {"v4": 4}


def test_a_damaged_profile_is_refused(tmp_path: Path) -> None:
    """Nothing is compared with another refresh in its place, and nothing passes unseen."""
    store = Store(tmp_path, "d")
    publish(store, "v1", "a")
    place = store.published / "v1" / PROFILES / "raw.json"
    place.write_text(place.read_text(encoding="utf-8").replace("10", "11"), encoding="utf-8")
    for read in (read_profiles, hash_profile):
        versions: Any = ("v1",) if read is read_profiles else "v1"
        with pytest.raises(DataContractError, match=r"profile of version v1.*assay verify d v1"):
            read(store, versions, "raw")


def test_a_suite_that_is_gone_is_noticed(tmp_path: Path) -> None:
    """By the suites that the current version was judged by."""
    store = Store(tmp_path, "d")
    assert find_lost_suites(store, []) == []
    publish(store, "v1", "a")
    assert find_lost_suites(store, ["own.json", "schema.json", "new.json"]) == []
    assert find_lost_suites(store, ["schema.json"]) == ["own.json"]
