"""Reading ``dataset.yaml``: overrides, what fits pictures, faults in the four-part form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.image import AugmentationConfig, ImageConfig
from pipeline.config.sections import Section
from pipeline.config.settings import ColumnConfig, DatasetConfig
from pipeline.config.upkeep import NotificationsConfig
from pipeline.errors import ConfigError, find_near_misses, name_near_misses

# What fits pictures: outliers among them leave the training split, but not for their size alone.
IMAGE_DEFAULTS: Mapping[str, Any] = {
    "cleaning": {
        "outliers": {
            "action": "quarantine",
            # Blurred, dark and blank ones share a measure: at 1 % the worst hide the others.
            "max_share": 0.05,
            "columns": dict.fromkeys(
                ("width", "height", "aspect", "channels", "file_size"), "keep"
            ),
        }
    },
    "imputation": {"numeric": "median"},
}
# A declaration of 20,000 columns is smaller. Aliases count as what they stand for.
MAX_BYTES = 10_000_000
MAX_NODES = 200_000
MAX_CHARACTERS = 20_000_000
MAX_DEPTH = 50
MAX_FILE_NAME = 255
MAX_PATH = 4_000
MAX_SHOWN = 100
PICTURE_METHODS = (
    "auto", "none", "threshold", "augment", "random_over", "random_under", "class_weight",
)  # fmt: skip


def load_config(path: Path, overrides: Sequence[str] = ()) -> DatasetConfig:
    """Read a ``dataset.yaml`` and lay ``section.key=value`` overrides over it.

    Parameters
    ----------
    path
        The file.
    overrides
        Texts of the form ``section.key=value``; the value is read as YAML.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML or a bomb of it, holds an unknown key or a value out of
        bounds.
    """
    if not path.is_file():
        raise ConfigError(
            "config", f"{path} was not found", "Create it with `assay init SOURCE --target COLUMN`"
        )
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(
            "config", f"{path} has {path.stat().st_size:,} bytes, and a declaration may have "
            f"{MAX_BYTES:,}", "Give the data as `source`, and only settings here",
        )  # fmt: skip
    try:
        raw = _read_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        detail = " ".join(str(error).split())[:200]
        raise ConfigError("config", f"{path} is not YAML: {detail}", "Correct the file") from None
    if not isinstance(raw, dict):
        raise ConfigError(
            "config", f"{path} holds no keys", "See docs/reference/settings.md for an example"
        )
    for override in overrides:
        apply_override(raw, override)
    return parse_config(raw, where=str(path), overrides=overrides)


def load_notifications(path: Path) -> NotificationsConfig:
    """Read who is to be notified, also from a ``dataset.yaml`` with faults elsewhere in it."""
    try:
        raw = _read_yaml(path.read_text(encoding="utf-8"))
        return NotificationsConfig.model_validate(raw.get("notifications") or {})
    except (OSError, ValueError, AttributeError):
        return NotificationsConfig()


def _read_yaml(text: str) -> Any:
    """Read YAML of bounded depth and size; a ValueError says what is wrong with it."""
    import yaml

    # The parser in C is ten times as fast; by events it needs no stack, however deep the text.
    kind: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for count, event in enumerate(yaml.parse(text, kind)):
            if count > 2 * MAX_NODES:
                raise ValueError(f"it holds more than {MAX_NODES:,} values")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
        loader = kind(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_yaml_bomb(node)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    # A tag or number that is none makes PyYAML's constructors raise what they trip over.
    except (KeyError, AttributeError, TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"it holds a value that is none ({error})") from None


def _refuse_yaml_bomb(root: Any) -> None:
    """Count nodes and characters with each alias written out; none may hold itself."""
    import yaml

    sizes: dict[int, tuple[int, int, int] | None] = {}

    def measure(node: Any) -> tuple[int, int, int]:
        """Give the levels, nodes and characters below a node; what was measured is not again."""
        if id(node) in sizes:
            known = sizes[id(node)]
            if known is None:
                raise ValueError("an alias stands for what holds it")
            return known
        sizes[id(node)] = None
        levels, nodes, characters = 0, 1, 1
        if isinstance(node, yaml.ScalarNode):
            characters += len(node.value)
        else:
            pairs = isinstance(node, yaml.MappingNode)
            for item in [part for pair in node.value for part in pair] if pairs else node.value:
                inner = measure(item)
                levels = max(levels, inner[0])
                nodes, characters = nodes + inner[1], characters + inner[2]
        if levels >= MAX_DEPTH or nodes > MAX_NODES or characters > MAX_CHARACTERS:
            raise ValueError(
                f"with its aliases written out it holds more than {MAX_NODES:,} values, "
                f"{MAX_CHARACTERS:,} characters or {MAX_DEPTH} levels"
            )
        sizes[id(node)] = levels + 1, nodes, characters
        return levels + 1, nodes, characters

    measure(root)


def parse_config(
    raw: Mapping[str, Any], *, where: str = "dataset.yaml", overrides: Sequence[str] = ()
) -> DatasetConfig:
    """Check a mapping against the models.

    Parameters
    ----------
    raw
        What dataset.yaml holds, overrides laid over it.
    where
        What messages call the file.
    overrides
        What was laid over it, ``section.key=value``: a fault in one is not the file's.

    Raises
    ------
    ConfigError
        With the first fault, its place, the value seen and what is allowed.
    """
    if raw.get("modality") == "image":
        raw = _lay_over(IMAGE_DEFAULTS, raw)
    try:
        config = DatasetConfig.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        # A name that is no key explains why another one is missing.
        first = min(faults, key=lambda fault: fault["type"] != "extra_forbidden")
        place = ".".join(str(part) for part in first["loc"]) or "dataset.yaml"
        more = error.error_count() - 1
        others = f" ({more} more after it)" if more else ""
        raise ConfigError(
            "config",
            f"{_name_place(place, where, overrides)} is wrong{others}: {_explain(first)}",
            _suggest(first),
        ) from None
    _check_source(config.source)
    _check_modality(config)
    return config


def _name_place(place: str, where: str, overrides: Sequence[str]) -> str:
    """Name where a fault lies: in an override, in the file, or where the two meet."""
    for override in overrides:
        path = override.partition("=")[0].strip()
        if f"{place}.".startswith(f"{path}."):
            return f"--set {_cut(place)}"
        if path.startswith(f"{place}."):  # the section is wrong as a whole
            return f"{_cut(place)} in {where} with --set {_cut(path)}"
    return f"{_cut(place)} in {where}"


def change_settings(config: DatasetConfig, changes: Mapping[str, Any]) -> DatasetConfig:
    """Give a declaration other values of some settings.

    Parameters
    ----------
    changes
        Values by the names of settings, such as ``{"training.learning_rate": 0.01}``.

    Raises
    ------
    ConfigError
        If there is no such setting, or a value is out of bounds.
    """
    if not changes:
        return config
    raw = config.model_dump(mode="json")
    for name, value in changes.items():
        *sections, key = name.split(".")
        node: Any = raw
        for section in sections:
            node = node.setdefault(section, {})
        node[key] = value
    return parse_config(raw, where="a variant of dataset.yaml")


def _lay_over(defaults: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Lay what is declared over defaults, section by section."""
    result = dict(raw)
    for key, value in defaults.items():
        declared = result.get(key)
        if isinstance(value, Mapping) and (declared is None or isinstance(declared, Mapping)):
            result[key] = _lay_over(value, declared or {})
        else:
            result.setdefault(key, value)
    return result


def _check_source(source: str) -> None:
    """Refuse what no file can be named, before a disk is asked for it."""
    parts = [len(part.encode()) for part in source.split("/")]
    if "\0" in source or max(parts) > MAX_FILE_NAME or sum(parts) > MAX_PATH:
        raise ConfigError(
            "config", f"source is {_cut(source)!r}, {len(source):,} characters that name no file",
            "Name a file or folder, relative to dataset.yaml",
        )  # fmt: skip


def _cut(text: str) -> str:
    """Cut a text for a message."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _check_modality(config: DatasetConfig) -> None:
    """Refuse what can't be done to pictures, or to tables."""
    pictures, outliers = config.traits.facts_only, config.cleaning.outliers
    methods = {"method is": [config.resampling.method]}
    methods["race.methods holds"] = list(config.resampling.race.methods)
    for place, named in methods.items():
        for method in named:
            _check_resampling(config, place, method)
    given = {"image": config.image != ImageConfig()}
    given |= {"augmentation": config.augmentation != AugmentationConfig()}
    for section in [name for name, said in given.items() if said and not pictures]:
        raise ConfigError(
            "config", f"the section {section} is set, and the rows of this data set are no "
            "pictures",
            f"Remove {section}, or set modality to 'image'",
        )  # fmt: skip
    actions = {"action": outliers.action}
    actions |= {f"columns.{name}": action for name, action in outliers.columns.items()}
    for place, action in actions.items():
        if pictures and action in ("clip", "set_missing"):
            raise ConfigError(
                "cleaning", f"cleaning.outliers.{place} is {action!r}, and a picture that is too "
                "dark or blurred has no value that could be replaced",
                f"Set cleaning.outliers.{place} to 'quarantine' or 'keep'",
            )  # fmt: skip


def _check_resampling(config: DatasetConfig, place: str, method: str) -> None:
    """Refuse a method that pictures, or tables, can't be resampled by."""
    pictures = config.traits.facts_only
    if not pictures and method == "augment":
        raise ConfigError(
            "resampling", f"resampling.{place} 'augment', and the rows of this data set are no "
            "pictures that could be turned or shifted",
            f"Set resampling.{place.split()[0]} to 'smote', 'smotenc' or 'random_over'",
        )  # fmt: skip
    if pictures and method not in PICTURE_METHODS:
        raise ConfigError(
            "resampling", f"resampling.{place} {method!r}, and this data set holds pictures: "
            "distances between their pixels say little, and a mean of two of them is a double "
            "exposure",
            f"Set resampling.{place.split()[0]} to one of {', '.join(PICTURE_METHODS)}",
        )  # fmt: skip


def apply_override(raw: dict[str, Any], override: str) -> None:
    """Lay ``section.key=value`` over a mapping.

    Raises
    ------
    ConfigError
        If it is not of that form, or names no section.
    """
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(
            "config", f"--set {_cut(override)!r} is not of the form section.key=value",
            "Write, say, --set resampling.method=random_over",
        )  # fmt: skip
    try:
        value = _read_yaml(text)
    except ValueError:
        value = text
    node: Any = raw
    for key in keys[:-1]:
        if isinstance(node, dict):
            # A copy, since what an alias stands for is one object in several places.
            inner = node.get(key)
            node[key] = {} if inner is None else dict(inner) if isinstance(inner, dict) else inner
        node = node[key] if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise ConfigError(
            "config", f"--set {_cut(path)}: {_cut('.'.join(keys[:-1]))} is no section",
            "Name a section first",
        )  # fmt: skip
    node[keys[-1]] = value


def _list_sections() -> list[tuple[str, Mapping[str, Any]]]:
    """List the sections of a data set with their keys."""
    fields = DatasetConfig.model_fields.items()
    return [
        (name, field.default.__class__.model_fields)
        for name, field in fields
        if isinstance(field.default, Section)
    ]


def _explain(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        return "there is no such key"
    if fault["type"] == "missing":
        return "it is missing"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] in ("model_type", "dict_type", "mapping_type"):
        message = "it should hold keys and their values"
    message = message[:1].lower() + message[1:]
    return f"{message[:300]}, but {str(fault['input'])[:40]!r} was given"


def _suggest(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "literal_error" and isinstance(fault["input"], str):
        names = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        hint = find_near_misses(_cut(fault["input"]), names)
        return f"Correct the value: {hint}" if hint else "Correct the value"
    if fault["type"] != "extra_forbidden":
        return "Correct the value"
    section: Any = DatasetConfig
    for part in fault["loc"][:-1]:
        field = section.model_fields.get(str(part)) if hasattr(section, "model_fields") else None
        if field is None:
            section = ColumnConfig
            break
        section = field.annotation
    known = section.model_fields if hasattr(section, "model_fields") else ()
    name = _cut(str(fault["loc"][-1]))
    homes = [place for place, part in _list_sections() if name in part]
    if len(fault["loc"]) == 1 and homes:
        return f"Did you mean {homes[0]}.{name}?"
    return f"Remove the key or correct its name: {name_near_misses(name, known)}"
