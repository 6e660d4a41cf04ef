"""The list of settings is made of the models, and so is whole."""

from __future__ import annotations

import pytest

from flows.cli import main
from flows.list_settings import list_settings, walk_settings
from pipeline.config.settings import DatasetConfig
from pipeline.errors import ConfigError


def test_each_section_and_choice_is_listed() -> None:
    """All sections stand there, with defaults, choices and bounds."""
    text = list_settings()
    for name in DatasetConfig.model_fields:
        assert f"\n{name}" in f"\n{text}"
    assert "cleaning.outliers.action: clip\n    clip | set_missing | keep | quarantine" in text
    assert "training.cnn.kernel: 3\n    whole number ≥ 1 and ≤ 15" in text
    assert "columns.<name>.role: none" in text


def test_each_setting_says_what_it_means() -> None:
    """No name is taken to say it all."""
    assert [setting.path for setting in walk_settings() if not setting.meaning] == []


def test_one_section_alone() -> None:
    """A section is listed by its name; an unknown one names its near miss."""
    lines = [line for line in list_settings("split").splitlines() if not line.startswith(" ")]
    assert lines
    assert all(line.startswith("split.") for line in lines)
    found = (
        r"no section, setting or choice is called 'splti'\. Did you mean 'split' or 'spelling'\?"
    )
    with pytest.raises(ConfigError, match=found):
        list_settings("splti")


def test_a_section_within_a_section_and_a_setting_are_found_by_name() -> None:
    """What someone remembers is enough; a near miss is looked for at every depth."""
    race = list_settings("race")
    assert "resampling.race.folds: 5" in race
    assert race == list_settings("resampling.race")
    both = [line for line in list_settings("k_neighbors").splitlines() if line[0] != " "]
    assert both == ["imputation.k_neighbors: 5", "resampling.k_neighbors: 5"]
    with pytest.raises(ConfigError, match="Did you mean 'race'"):
        list_settings("rase")


def test_a_choice_is_found_and_what_is_nowhere_is_not_guessed_at() -> None:
    """Someone may remember a value alone; for what is unknown the whole list is named."""
    lines = [line for line in list_settings("smotenc").splitlines() if line[0] != " "]
    assert lines == ["resampling.method: none", "resampling.race.methods: []"]
    with pytest.raises(ConfigError, match="See all with `assay settings`"):
        list_settings("zzzzzz")
    with pytest.raises(ConfigError, match="Did you mean 'smotenc'"):
        list_settings("smotenk")


def test_parts_of_names_and_several_words_are_found() -> None:
    """The beginning of a part of a name is enough; of several words each must fit."""

    def find(words: str) -> list[str]:
        return [line.split(":")[0] for line in list_settings(words).splitlines() if line[0] != " "]

    assert find("zoom") == ["augmentation.zoom_range"]
    assert find("learning rate") == ["training.learning_rate"]
    assert find("Rate learn") == ["training.learning_rate"]
    assert find("random crop") == ["augmentation.crop"]
    assert "augmentation.zoom_range" not in find("range rotation")
    with pytest.raises(ConfigError, match="is called 'learning zzz'"):
        list_settings("learning zzz")


def test_the_command_takes_several_words(capsys: pytest.CaptureFixture[str]) -> None:
    """What is typed without quotes is found as well."""
    assert main(["settings", "learning", "rate"]) == 0
    assert capsys.readouterr().out.startswith("training.learning_rate: 0.001\n")
