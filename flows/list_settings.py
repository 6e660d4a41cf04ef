"""All settings of dataset.yaml, from the models that check them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.config.settings import ColumnConfig, DatasetConfig
from pipeline.errors import ConfigError, find_near_misses

WIDTH = 96


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of dataset.yaml.

    Attributes
    ----------
    path
        Such as ``resampling.race.folds``.
    default
        As YAML writes it, or "required".
    kind
        Its choices, or its type with bounds.
    meaning
        Its description.
    """

    path: str
    default: str
    kind: str
    meaning: str

    def __str__(self) -> str:
        """Write it for the terminal."""
        what = ", ".join(part for part in (self.kind, self.meaning) if part)
        lines = textwrap.wrap(what, WIDTH, initial_indent="    ", subsequent_indent="    ")
        return "\n".join([f"{self.path}: {self.default}", *lines])


def list_settings(section: str | None = None) -> str:
    """List settings with their defaults, bounds and meaning.

    Parameters
    ----------
    section
        A section at any depth, such as ``cleaning`` or ``race``, or the name of a setting. Else
        words, each of which begins a part of a setting's name, as ``zoom`` does of ``zoom_range``,
        or is in its description, as a choice is. Left out: all of them.

    Raises
    ------
    ConfigError
        If there is nothing of the kind.
    """
    settings = [(setting.path, str(setting)) for setting in walk_settings()]
    if section is None:
        return "\n".join(line for _, line in settings)
    words = section.casefold().split()
    section = "_".join(words)  # as names of settings are written
    found = [line for path, line in settings if f"{path}.".startswith(f"{section}.")]
    found = found or [line for path, line in settings if f".{section}." in f"{path}."]
    found = found or [
        line for path, line in settings if all(_fits(word, path, line) for word in words)
    ]
    if not found:
        names = [name for path, _ in settings for name in path.split(".")]
        choices = re.findall(r"\w+(?= \|)|(?<=\| )\w+", "\n".join(line for _, line in settings))
        near = find_near_misses(
            section, dict.fromkeys([*DatasetConfig.model_fields, *names, *choices])
        )
        raise ConfigError(
            "settings",
            f"no section, setting or choice is called {' '.join(words)!r}",
            near.replace("did", "Did", 1) or "See all with `assay settings`",
        )
    return "\n".join(found)


def _fits(word: str, path: str, line: str) -> bool:
    """Tell whether a word begins a part of a setting's name, or is in what is said of it."""
    begins = any(part.startswith(word) for part in re.split(r"[._]", path))
    return begins or bool(re.search(rf"\b{re.escape(word)}\b", line, re.IGNORECASE))


def walk_settings(model: type[BaseModel] = DatasetConfig, prefix: str = "") -> Iterator[Setting]:
    """Go through a model's settings; sections within it are gone through in their place."""
    for name, field in model.model_fields.items():
        path = prefix + name
        if path == "columns":
            yield from walk_settings(ColumnConfig, "columns.<name>.")
        elif isinstance(field.default, BaseModel):
            yield from walk_settings(type(field.default), f"{path}.")
        else:
            default = "required" if field.is_required() else _write(field.default)
            yield Setting(path, default, _name_kind(field), field.description or "")


def _write(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) if item != "" else '""' for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _name_kind(field: FieldInfo) -> str:
    """Name the choices, or the type with its bounds, as JSON Schema knows them."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(field.rebuild_annotation()).json_schema()
    options = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    return " or ".join(dict.fromkeys(filter(None, map(_name_option, options))))


def _name_option(part: dict[str, Any]) -> str:
    if "enum" in part:
        return " | ".join(map(str, part["enum"]))
    bounds = {
        "minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<",
    }  # fmt: skip
    told = " and ".join(f"{sign} {part[key]:.12g}" for key, sign in bounds.items() if key in part)
    names = {
        "integer": "whole number",
        "array": "list",
        "object": "mapping",
        "boolean": "true | false",
    }
    kind = str(part.get("type", ""))
    return " ".join(filter(None, [names.get(kind, kind.replace("string", "text")), told]))
