"""Puts all settings of dataset.yaml where a page says ``<!-- settings -->``.

They come from the models that check them, by ``flows.list_settings``, as `assay settings` does.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator

from pydantic import BaseModel
from sphinx.application import Sphinx

from flows.list_settings import Setting, walk_settings
from pipeline.config.settings import ColumnConfig, DatasetConfig

MARK = "<!-- settings -->"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("source-read", insert_settings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def insert_settings(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the mark in a page by one table for each section."""
    del app, page
    if MARK in source[0]:
        source[0] = source[0].replace(MARK, "\n".join(write_sections()))


def write_sections() -> Iterator[str]:
    """Write a heading, what the section is for, and a table, for each section in its order."""
    sections: dict[str, list[Setting]] = defaultdict(list)
    for setting in walk_settings():
        sections[setting.path.rpartition(".")[0]].append(setting)
    for section, settings in sections.items():
        level = 3 if section.count(".") and not section.startswith("columns") else 2
        yield f"\n{'#' * level} {f'`{section}`' if section else 'At the top'}\n"
        yield describe(section) + "\n"
        yield "```{list-table}\n:header-rows: 1\n:widths: 26 20 54\n:class: settings\n"
        yield "* - Setting\n  - Default\n  - Values and meaning"
        for setting in settings:
            yield write_row(setting)
        yield "```"


def describe(section: str) -> str:
    """Take the docstring of a section's model."""
    model: type[BaseModel] = DatasetConfig
    for name in filter(None, section.split(".")):
        if name == "<name>":
            model = ColumnConfig
        elif name != "columns":
            model = type(model.model_fields[name].default)
    if model is DatasetConfig:
        return "What stands in no section."
    return (inspect.getdoc(model) or "").replace("``", "`")


def write_row(setting: Setting) -> str:
    """Write a row of the table."""
    name = setting.path.rpartition(".")[2]
    kind = f"`{setting.kind}`" if " | " in setting.kind else setting.kind
    what = " – ".join(part for part in (kind, setting.meaning) if part)
    return f"* - `{name}`\n  - `{setting.default}`\n  - {what}"
