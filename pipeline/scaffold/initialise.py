"""From a file or folder to a data set: brought into the project, recognised, inferred."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.config.dataset_yaml import apply_override, load_config
from pipeline.config.upkeep import RunsConfig
from pipeline.errors import ConfigError
from pipeline.modality import find_modality, recognise_source
from pipeline.scaffold.initialised import Initialised, bring_in
from pipeline.sources.locating import settle
from pipeline.sources.reading import check_source
from pipeline.steps.ingest import OnProgress
from pipeline.storage.disk import disappear
from pipeline.storage.store import Store


def initialise(
    source: Path,
    target: str | None,
    store: Store,
    *,
    key: str | None = None,
    force: bool = False,
    overrides: Sequence[str] = (),
    yes: bool = False,
    on_progress: OnProgress | None = None,
) -> Initialised:
    """Infer a declaration and suites from a source and write them.

    Parameters
    ----------
    source
        The user's own file or folder; it is copied if it lies outside of the project.
    target
        The column to predict; for class folders of pictures the name that the class is to have,
        left out: ``label``.
    store
        Where the declaration goes.
    force
        Write over a declaration that is there.
    overrides
        What is known of the source, as ``section.key=value``; it is not guessed.
    yes
        Take the first reading of what the source leaves open, instead of asking.
    on_progress
        Called now and then with what was read, of all, where reading takes long.

    Raises
    ------
    SourceError, ConfigError, DataContractError
        If the source can't be read, lacks the target, is declared already, or leaves open how it
        is to be read.
    """
    check_source(source)
    if store.config_path.exists() and not force:
        raise ConfigError(
            "init", f"{store.config_path} exists already",
            "Choose another --name, or write over it with --force",
        )  # fmt: skip
    scaffold: Any = import_module(recognise_source(source).scaffold)
    scaffold.check_target(source, target)
    place, copied = bring_in(source, store, force=force)
    try:
        settle(store, place, RunsConfig())
        named = _name_place(place, store)
        plain = {"dataset": store.dataset, "source": named, "target": target, "key": key}
        for override in overrides:
            apply_override(plain, override)
        done: Initialised = scaffold.initialise(place, plain, store, on_progress, yes=yes)
    except BaseException:
        if copied is not None:
            disappear(copied)
        with contextlib.suppress(OSError):  # not empty, or never made
            store.config_path.parent.rmdir()
        raise
    return replace(done, source=place, copied=copied)


def suggest_again(store: Store) -> Initialised:
    """Suggest the suites again from a declaration that was edited; the old ones are written over.

    Raises
    ------
    SourceError, ConfigError, DataContractError
        If the declaration is wrong or the source can't be read.
    """
    config = load_config(store.config_path)
    scaffold: Any = import_module(find_modality(config.modality).scaffold)
    done: Initialised = scaffold.suggest(config, store)
    return done


def name_dataset(source: Path) -> str:
    """Make a data set's name of a file's name.

    >>> name_dataset(Path("My data (v2).csv.gz"))
    'My_data_v2'
    """
    stem = source.name.split(".")[0] if source.suffix else source.name
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-") or "data"


def _name_place(source: Path, store: Store) -> str:
    """Name the source relative to dataset.yaml where it lies in the project, else absolutely."""
    source = source.resolve()
    if source.is_relative_to(store.home):
        return Path(os.path.relpath(source, store.config_path.parent)).as_posix()
    return str(source)
