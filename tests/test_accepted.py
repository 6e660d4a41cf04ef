"""Which refreshes count as accepted: what was published, up to what is current, a source once."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.accepted import PROFILES, find_accepted, find_lost_suites, read_profiles
from pipeline.store import Store
from pipeline.validation.distributions import Profile, write_profile


def publish(store: Store, version: str, source: str, rows: int = 10) -> None:
    """Publish a version that holds what is asked for here."""

    def fill(folder: Path) -> None:
        manifest = {
            "sources": {"rows.csv": source},
            "suites": {"schema.json": "1", "own.json": "2"},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        (folder / PROFILES).mkdir()
        for kind in ("raw", "train"):
            write_profile(folder / PROFILES / f"{kind}.json", Profile(rows, {}, {}))

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
    """Versions after the current one don't count, until they are current again."""
    store = Store(tmp_path, "d")
    for version in ("v1", "v2", "v3"):
        publish(store, version, version)
    store.make_current("v2")
    assert find_accepted(store) == ("v1", "v2")
    store.make_current("v3")
    assert find_accepted(store) == ("v1", "v2", "v3")


def test_damaged_and_older_versions_are_passed_over(tmp_path: Path) -> None:
    """One without profiles, one whose manifest or profile can't be read."""
    store = Store(tmp_path, "d")
    for version in ("v1", "v2", "v3", "v4"):
        publish(store, version, version, rows=int(version[1]))
    (store.published / "v1" / PROFILES / "raw.json").unlink()
    (store.published / "v2" / "manifest.json").write_text("{", encoding="utf-8")
    (store.published / "v3" / PROFILES / "train.json").write_text("[", encoding="utf-8")
    assert find_accepted(store) == ("v3", "v4")
    assert list(read_profiles(store, ("v3", "v4"), "raw")) == ["v3", "v4"]
    assert {n: p.rows for n, p in read_profiles(store, ("v3", "v4"), "train").items()} == {"v4": 4}


def test_a_suite_that_is_gone_is_noticed(tmp_path: Path) -> None:
    """By the suites that the current version was judged by."""
    store = Store(tmp_path, "d")
    assert find_lost_suites(store, []) == []
    publish(store, "v1", "a")
    assert find_lost_suites(store, ["own.json", "schema.json", "new.json"]) == []
    assert find_lost_suites(store, ["schema.json"]) == ["own.json"]
