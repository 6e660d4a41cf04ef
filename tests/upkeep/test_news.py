"""What is new about a version, in a few words."""

from __future__ import annotations

from typing import Any

from pipeline.config.dataset_yaml import parse_config
from pipeline.config.settings import DatasetConfig
from pipeline.upkeep.news import UPKEEP, find_news

PLAIN = {"dataset": "d", "source": "s.csv", "target": "y"}


def make_manifest(**config: Any) -> dict[str, Any]:
    """Make as much of a manifest as is compared."""
    declared = parse_config(PLAIN | config).model_dump(mode="json")
    return {"sources": {"s.csv": "1"}, "suites": {}, "config": declared, "packages": {}}


def test_settings_that_change_the_data_are_news() -> None:
    """A changed setting is named with its value; of many, the first and how many more."""
    before = make_manifest()
    assert find_news(make_manifest(seed=3), before) == ["seed=3"]
    many = {"epochs": 1, "batch_size": 2, "l1": 3, "l2": 4, "dropout": 0.5}
    news = find_news(make_manifest(training=many), before)
    assert news[-1] == "2 more settings"
    assert len(news) == 4


def test_upkeep_is_no_news() -> None:
    """When a data set is made, and who hears of it, is not new about the data."""
    before = make_manifest()
    upkeep = {
        "schedule": {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "paused": True},
        "tags": ["a"],
        "retention": {"keep": 2},
        "notifications": {"webhook": "https://example.org"},
        "runs": {"when_busy": "refuse"},
    }
    assert set(upkeep) == set(UPKEEP) <= set(DatasetConfig.model_fields)
    assert find_news(make_manifest(**upkeep), before) == ["the program"]
    assert find_news(make_manifest(seed=3, **upkeep), before) == ["seed=3"]
