"""Configuration: what is wrong is named with its place, the value seen, and the fix."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from pipeline.config.dataset_yaml import load_config, parse_config
from pipeline.config.settings import DatasetConfig
from pipeline.errors import AssayError, ConfigError, name_examples, name_near_misses

PLAIN = {"dataset": "d", "source": "s.csv", "target": "y"}


def write(folder: Path, content: str | bytes) -> Path:
    """Write a dataset.yaml."""
    path = folder / "dataset.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(folder: Path, *overrides: str, **keys: Any) -> DatasetConfig:
    """Load a declaration with further keys."""
    return load_config(write(folder, yaml.safe_dump(PLAIN | keys)), overrides)


def test_defaults_are_enough(tmp_path: Path) -> None:
    """Name, source and target make a declaration; all else has a default."""
    config = load(tmp_path)
    assert config == parse_config(PLAIN)
    assert (config.dataset, config.source, config.target, config.key) == ("d", "s.csv", "y", None)


def test_a_declaration_survives_being_written() -> None:
    """What a manifest holds of a configuration is read back as the same one."""
    config = parse_config(
        PLAIN
        | {
            "columns": {"a": {"role": "numeric", "missing": ["-999"], "minimum": 0}},
            "cleaning": {"outliers": {"columns": {"a": "keep"}}},
            "resampling": {"counts": {"x": 3}},
            "training": {"hidden": [8, 4]},
        }
    )
    assert parse_config(config.model_dump(mode="json")) == config


def list_sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    """List a model and all models inside."""
    inner = [f.annotation for f in model.model_fields.values()]
    return [model] + [
        found
        for kind in inner
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for found in list_sections(kind)
    ]


@pytest.mark.parametrize("section", list_sections(DatasetConfig)[1:], ids=lambda s: s.__name__)
def test_every_section_is_frozen_and_refuses_unknown_keys(section: type[BaseModel]) -> None:
    """A knob can't be turned after loading, and one that is not there can't be set."""
    made = section()
    name = next(iter(section.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(made, name, getattr(made, name))
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        section.model_validate({"surely_unknown": 1})


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    """The path is named, and the command that writes such a file."""
    with pytest.raises(ConfigError, match=r"dataset\.yaml was not found\. Create it with `assay"):
        load_config(tmp_path / "dataset.yaml")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a: [1", r"dataset\.yaml is not YAML: .*line 1.*Correct the file"),
        ("a: b: c", r"dataset\.yaml is not YAML: .*line 1"),
        (b"a: \xff", r"dataset\.yaml is not YAML: "),
        ("a: !!python/object:os.system x", r"dataset\.yaml is not YAML: "),
        ("", r"dataset\.yaml holds no keys"),
        ("- a\n- b\n", r"dataset\.yaml holds no keys"),
        ("just a text", r"dataset\.yaml holds no keys"),
    ],
)
def test_what_is_no_declaration_is_named(tmp_path: Path, content: str | bytes, says: str) -> None:
    """A file that is not YAML, or holds no mapping, is refused on one line."""
    with pytest.raises(ConfigError, match=says) as caught:
        load_config(write(tmp_path, content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"source": None}, r"source in .* is wrong: .*string, but 'None' was given"),
        ({"target": 5}, r"target in .* is wrong: input should be a valid string, but '5'"),
        ({"dataset": "../up"}, r"dataset in .* is wrong: .*pattern.*but '\.\./up' was given"),
        ({"dataset": "x" * 90}, r"dataset in .* is wrong: .*at most 80 characters"),
        ({"seed": -1}, r"seed in .*greater than or equal to 0, but '-1' was given"),
        ({"targt": "y"}, r"targt in .*no such key.*did you mean 'target'"),
        ({"resampling": {"metod": "smote"}}, r"resampling\.metod.*did you mean 'method'"),
        ({"resampling": {"method": "smoot"}}, r"resampling\.method in .*'smote'.*but 'smoot'"),
        ({"cleaning": {"outlier": {}}}, r"cleaning\.outlier .*did you mean 'outliers'"),
        ({"cleaning": {"outliers": {"factr": 1}}}, r"cleaning\.outliers\.factr.*mean 'factor'"),
        ({"cleaning": {"outliers": {"factor": 0}}}, r"factor in .*greater than 0, but '0'"),
        ({"cleaning": {"outliers": {"factor": ".nan"}}}, r"factor in .*valid number"),
        ({"columns": {"a": {"rol": "numeric"}}}, r"columns\.a\.rol in .*did you mean 'role'"),
        ({"columns": {"a": {"role": "number"}}}, r"columns\.a\.role in .*'numeric'.*'number'"),
        ({"columns": ["a"]}, r"columns in .* is wrong: it should hold keys and their values"),
        ({"split": {"test": 1.5}}, r"split\.test in .*less than 1, but '1\.5' was given"),
        (
            {"split": {"test": 0.6, "validation": 0.5}},
            r"split in .*validation \(\S+\) and test \(\S+\) together must leave rows for training",
        ),
        ({"split": {"by": "group"}}, r"split in .*by: group needs split\.column"),
        ({"split": 5}, r"split in .* is wrong"),
        ({"ingest": {"delimiter": "||"}}, r"ingest\.delimiter in .*but '\|\|' was given"),
        ({"ingest": {"delimiter": ""}}, r"ingest\.delimiter in .*but '' was given"),
        ({"ingest": {"partition_rows": 0}}, r"ingest\.partition_rows in .*but '0' was given"),
        ({"training": {"folds": 1}}, r"training in .*folds must be 0, or 2 and more"),
        ({"training": {"hidden": [0]}}, r"training\.hidden\.0 in .*greater than or equal to 1"),
        ({"training": {"epochs": "many"}}, r"training\.epochs in .*integer.*but 'many'"),
        ({"imputation": {"k_neighbors": 2.5}}, r"imputation\.k_neighbors in .*integer.*'2\.5'"),
        ({"resampling": {"counts": {"x": "y"}}}, r"resampling\.counts\.x in .*but 'y' was given"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(
    tmp_path: Path, keys: dict[str, Any], says: str
) -> None:
    """Place, value seen, what is allowed; near misses for a wrong name."""
    with pytest.raises(ConfigError, match=says) as caught:
        load(tmp_path, **keys)
    assert caught.value.stage == "config"
    assert re.search(r"\w['`)]?[.?]$", str(caught.value)), "one mark ends it"
    assert "pydantic" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    """What has no default must be there; the number of further faults is told."""
    with pytest.raises(ConfigError, match=r"target in .* is wrong: it is missing"):
        load_config(write(tmp_path, "dataset: d\nsource: s\n"))
    with pytest.raises(
        ConfigError, match=r"dataset in .* is wrong \(2 more after it\): it is miss"
    ):
        load_config(write(tmp_path, "seed: 0\n"))


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("seed=7", "seed", 7),
        ("target=other", "target", "other"),
        ("resampling.method=smote", "resampling.method", "smote"),
        ("resampling.method=none", "resampling.method", "none"),
        ("cleaning.outliers.factor=2.5", "cleaning.outliers.factor", 2.5),
        ("training.hidden=[8, 4]", "training.hidden", (8, 4)),
        ("training.compare_unrepaired=false", "training.compare_unrepaired", False),
        ("cleaning.outliers.columns={a: keep}", "cleaning.outliers.columns", {"a": "keep"}),
        ("cleaning.drop_columns=[a, b]", "cleaning.drop_columns", ("a", "b")),
        ("key=", "key", None),
        (" seed = 7", "seed", 7),
        ("target=a=b", "target", "a=b"),
        ("target='7'", "target", "7"),
        ("training.learning_rate=1e-4", "training.learning_rate", 1e-4),
    ],
)
def test_an_override_is_laid_over_the_file(
    tmp_path: Path, override: str, place: str, value: object
) -> None:
    """The value is read as YAML; sections that the file lacks are made."""
    found: Any = load(tmp_path, override, seed=3)
    for part in place.split("."):
        found = getattr(found, part)
    assert found == value


def test_overrides_leave_the_rest_of_a_section(tmp_path: Path) -> None:
    """One key of a section is set, the others stay; the last override wins."""
    section = {"outliers": {"factor": 2.0, "method": "mad"}}
    config = load(
        tmp_path, "cleaning.outliers.factor=4", "cleaning.outliers.factor=5", cleaning=section
    )
    assert config.cleaning.outliers.factor == 5
    assert config.cleaning.outliers.method == "mad"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("nonsense", "--set 'nonsense' is not of the form section.key=value.*Write, say, --set"),
        ("=5", "--set '=5' is not of the form"),
        ("a..b=5", "--set 'a..b=5' is not of the form"),
        ("a. .b=5", "--set 'a. .b=5' is not of the form|there is no such key"),
        ("target.x=5", "--set target.x: target is no section.*Name a section first"),
        ("target.x.z=5", "--set target.x.z: target.x is no section"),
        (
            "resamplig.method=smote",
            r"resamplig in .*dataset\.yaml with --set resamplig\.method is wrong: there is no such "
            r"key.*did you mean 'resampling'\?$",
        ),
        ("resampling.method=smoot", r"--set resampling\.method is .*but 'smoot' was given"),
        ("split.test=[", r"--set split\.test is .*but '\[' was given"),
        ("split.test=2", r"--set split\.test is wrong: .*less than 1, but '2'"),
        ("split.test=0.9", r"with --set split\.test is .*validation \(0\.15\) and test \(0\.9\)"),
        ("training={epoch: 3}", r"config: --set training\.epoch is wrong: there is no such key"),
        ("split=5", "config: --set split is wrong"),
    ],
)
def test_a_wrong_override_is_explained(tmp_path: Path, override: str, says: str) -> None:
    """An override is held to the same rules as the file."""
    with pytest.raises(ConfigError, match=says):
        load(tmp_path, override)


def test_a_fault_of_the_file_is_not_blamed_on_an_override(tmp_path: Path) -> None:
    """Only where the override is wrong itself is it named."""
    with pytest.raises(ConfigError, match=r"config: \w+\.epoch in \S+dataset\.yaml is wrong"):
        load(tmp_path, "training.epochs=3", training={"epoch": 4})


@pytest.mark.parametrize("section", ["resampling", "split"])
def test_a_section_that_is_left_empty_has_its_defaults(tmp_path: Path, section: str) -> None:
    """A heading with all of its keys commented out is no fault, with or without an override."""
    assert load(tmp_path, columns=None, cleaning={"outliers": None}) == parse_config(PLAIN)
    assert load(tmp_path, **{section: None}) == parse_config(PLAIN)
    key = {"resampling": "ratio=0.5", "split": "test=0.5"}[section]
    config = load(tmp_path, f"{section}.{key}", **{section: None})
    assert config == load(tmp_path, f"{section}.{key}")


@given(
    problem=st.text(max_size=30), fix=st.text(max_size=30), stage=st.sampled_from(["ingest", "x"])
)
def test_errors_travel_between_processes(stage: str, problem: str, fix: str) -> None:
    """An error that is pickled, as between workers, comes back as it was."""
    import pickle

    error = ConfigError(stage, problem, fix)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is ConfigError
    assert str(again) == str(error)
    assert isinstance(again, AssayError)


@given(st.lists(st.text(max_size=100), max_size=12))
def test_examples_are_bounded(values: list[str]) -> None:
    """However many and long the values, a message stays short and counts the rest."""
    text = name_examples(values)
    assert len(text) <= 5 * (10 * 40 + 4) + 20
    assert text.endswith(f"and {len(values) - 5} more") == (len(values) > 5)


@given(st.text(max_size=10), st.lists(st.text(max_size=10), max_size=6))
def test_near_misses_are_known_names(name: str, known: list[str]) -> None:
    """Whatever is offered is a name that would be accepted."""
    hint = name_near_misses(name, known)
    assert hint.startswith(("did you mean ", "known are ", "none are known"))
    if hint.startswith("did you mean"):
        assert any(repr(item) in hint for item in known)


@pytest.mark.parametrize(
    "scalar",
    ["!!int ''", "!!int x", "!!float ''", "!!bool ''", "!!bool x", "!!timestamp x", "!!binary é",
     "!!set x", "!!omap x", "!!pairs x", "0b_", "0x_", "2020-99-99", "9" * 5000, "!x 1", "*none",
     "&a [*a]", "{[1]: 2}", "!!python/name:os.system ''"],
)  # fmt: skip
def test_a_value_that_is_none_is_refused(tmp_path: Path, scalar: str) -> None:
    """What YAML's constructors trip over is told as a fault of the file; an override is a text."""
    content = yaml.safe_dump(PLAIN) + f"key: {scalar}\n"
    with pytest.raises(ConfigError, match=r"is not YAML|is wrong"):
        load_config(write(tmp_path, content))


def test_an_override_changes_one_of_the_places_of_an_alias(tmp_path: Path) -> None:
    """Two columns may share a declaration in the file; --set means the one that it names."""
    columns = "columns: {a: &n {role: numeric}, b: *n}\n"
    path = write(tmp_path, yaml.safe_dump(PLAIN) + columns)
    config = load_config(path, ["columns.a.role=categorical"])
    assert (config.columns["a"].role, config.columns["b"].role) == ("categorical", "numeric")


@given(levels=st.integers(1, 12), width=st.integers(2, 10))
def test_aliases_are_refused_by_what_they_stand_for(
    tmp_path_factory: pytest.TempPathFactory, levels: int, width: int
) -> None:
    """Aliases of a few values are allowed; those that stand for 200,000 or more are not."""
    lines = [f"a0: &a0 [{', '.join(['x'] * width)}]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    path = write(tmp_path_factory.mktemp("t"), "\n".join(lines))
    total = sum(sum(width**k for k in range(level + 2)) for level in range(levels))
    says = "aliases written out" if total + levels > 200_000 else r"dataset in .* is wrong|no such"
    with pytest.raises(ConfigError, match=says):
        load_config(path)
