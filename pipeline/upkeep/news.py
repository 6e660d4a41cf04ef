"""What a version was made of that the one before it was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MOST = 3
# Sections that say when and for whom a data set is made, and change nothing in it.
UPKEEP = ("schedule", "tags", "runs", "retention", "notifications")


def find_news(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Name what differs between the manifests of two versions, in a few words each.

    Parameters
    ----------
    now, before
        Manifests, or as much of one as there is before a version is published: ``sources``,
        ``suites``, ``config``, ``packages``, and ``code`` by stage.
    """
    news = ["data"] if now["sources"] != before["sources"] else []
    news += ["suites"] if now["suites"] != before["suites"] else []
    today, then = (
        {
            key: value
            for key, value in _flatten(item["config"])
            if key.partition(".")[0] not in UPKEEP
        }
        for item in (now, before)
    )
    changed = [key for key in today if today[key] != then.get(key)]
    news += [f"{key}={today[key]}" for key in changed[:MOST]]
    news += [f"{len(changed) - MOST} more settings"] if len(changed) > MOST else []
    packages = find_changed(now["packages"], before["packages"])
    if packages:
        more = f" and {len(packages) - MOST} more" if len(packages) > MOST else ""
        news.append(f"packages: {', '.join(packages[:MOST])}{more}")
    code = find_changed_code(now, before)
    if code:
        news.append(f"Assay's code of {', '.join(code)}")
    return news or ["the program"]


def find_changed_code(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Name the stages whose code differs; of a version from before this was kept, none."""
    return find_changed(now.get("code", {}), before.get("code", {})) if "code" in before else []


def find_code_alone(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Name the stages whose code differs, where nothing else does; see ``find_news``."""
    return find_changed_code(now, before) if len(find_news(now, before)) == 1 else []


def find_changed(now: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """Name the keys whose values differ, where both have them.

    >>> find_changed({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "3"})
    ['b']
    """
    return [key for key in now if key in before and now[key] != before[key]]


def _flatten(section: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{place}{key}.")
        else:
            yield place + key, value
