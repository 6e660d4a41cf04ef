"""What ``assay init`` has in common for tables and pictures: suites learned, scalars written."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pandas as pd

from pipeline.cleaning.repairs import FittedCleaning, fit_cleaning, respell
from pipeline.config.settings import DatasetConfig
from pipeline.dataset import TrainSet, add_unlabelled
from pipeline.errors import ConfigError
from pipeline.ingest.canonical import IngestFacts
from pipeline.sources.guesses import Guess, list_uncertain
from pipeline.sources.locating import OUTSIDE
from pipeline.splitting.assignment import Assignment
from pipeline.splitting.split_facts import NearFacts
from pipeline.storage.disk import TEMPORARY, explaining, make_directory
from pipeline.storage.hashing import hash_tree
from pipeline.storage.store import Store
from pipeline.validation.accepted import find_accepted, read_profiles
from pipeline.validation.suggest import Past, suggest_suites
from pipeline.validation.suites import write_suites
from pipeline.validation.tolerances import LEAST_REFRESHES

MOST_COLUMNS = 8  # that are named to choose the target from
MOST_COPIED = 2 << 30  # bytes
# What YAML refuses outside of an escape, or takes as the end of a line.
UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
CONTROL = re.compile("[\x00-\x1f]")
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Initialised:
    """What was inferred and written.

    Attributes
    ----------
    near
        Near-duplicates among pictures.
    own
        By suite, how many of its expectations a person wrote or edited.
    refreshes
        The accepted versions that the suites were learned from too.
    source
        Where it is read.
    copied
        Where the source was copied to, if it lay outside of the project.
    """

    config: DatasetConfig
    facts: IngestFacts
    split: dict[str, dict[str, int]]
    duplicates: int
    conflicts: int
    cleaning: FittedCleaning
    expectations: dict[str, int]
    paths: list[Path]
    near: NearFacts | None = None
    own: dict[str, int] = field(default_factory=dict)
    refreshes: list[str] = field(default_factory=list)
    source: Path = Path()
    copied: Path | None = None

    @property
    def guesses(self) -> list[Guess]:
        """What of the source was guessed and is not certain, the least certain first."""
        return list_uncertain([*self.facts.guesses, *self.cleaning.guesses])


def learn_suites(
    config: DatasetConfig,
    frame: pd.DataFrame,
    unlabelled: pd.DataFrame,
    facts: IngestFacts,
    assignment: Assignment,
    store: Store,
) -> Initialised:
    """Write suites learned on the training split and past refreshes; tell what else is seen.

    Parameters
    ----------
    config
        The declaration, as inferred or as edited.
    frame, unlabelled
        Canonical rows with a label, and those without.
    facts
        What ingest saw.
    assignment
        The split: only training rows are learned from.
    store
        Where the suites are written, and where past refreshes are.
    """
    in_train = (assignment.frame["split"] == "train").to_numpy()
    train = TrainSet(frame[in_train].reset_index(drop=True), facts.schema)
    cleaning = fit_cleaning(train, config.cleaning, config.columns)
    # Suites are about values as the run will have them: written in one way.
    train = TrainSet(respell(train.frame, cleaning)[0], facts.schema)
    learnable = add_unlabelled(train, unlabelled, facts.labelled)
    past = read_past(store)
    suites = suggest_suites(train, config, learnable, past)
    own = write_suites(store.suites, suites)
    return Initialised(
        config,
        facts,
        assignment.facts.counts,
        assignment.facts.duplicates,
        assignment.facts.conflicts,
        cleaning,
        {name: len(expectations) for name, expectations in suites.items()},
        [store.config_path, store.suites],
        assignment.facts.near,
        own=own,
        refreshes=list(past.profiles),
    )


def read_past(store: Store) -> Past:
    """Read what the accepted refreshes left behind, if there were enough of them to learn from."""
    accepted = find_accepted(store)
    if len(accepted) < LEAST_REFRESHES:
        return Past()
    raw = read_profiles(store, accepted, "raw")
    return Past(read_profiles(store, accepted, "train"), [item.rows for item in raw.values()])


def bring_in(source: Path, store: Store, *, force: bool) -> tuple[Path, Path | None]:
    """Bring a source into the project, unless it lies there or may stay where it is.

    Parameters
    ----------
    source
        As the user named it.
    store
        The data set that it is for.
    force
        Write over another file of its name.

    Returns
    -------
    tuple
        Where the source is to be read, and the copy, if one was made where nothing was.

    Raises
    ------
    ConfigError
        If the source is too large to be copied unasked, or another file has its place.
    """
    source = source.resolve()
    if source.is_relative_to(store.home) or os.environ.get(OUTSIDE):
        return source, None
    files = [f for f in source.rglob("*") if f.is_file()] if source.is_dir() else [source]
    size = sum(file.stat().st_size for file in files)
    place = store.config_path.parent / source.name
    if size > MOST_COPIED:
        raise ConfigError(
            "init",
            f"{source} lies outside of the project {store.home} and is {size:,} bytes large",
            f"Move it into {place.parent}, or leave it where it is: --allow-outside, then and in "
            "each run",
        )  # fmt: skip
    if place.exists() and not force and hash_tree(place) != hash_tree(source):
        raise ConfigError(
            "init", f"{place} is there already and differs from {source}",
            "Rename one of them, or write over it with --force",
        )  # fmt: skip
    was_there = place.exists()
    with explaining("init", place):
        make_directory(place.parent)
        copy = place.with_name(f"{TEMPORARY}{place.name}")
        if source.is_dir():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
            shutil.rmtree(place, ignore_errors=True)
        else:
            shutil.copy2(source, copy)
        os.replace(copy, place)
    return place, None if was_there else place


def quote(text: str) -> str:
    """Write a scalar so that YAML reads it back as this very text."""
    words = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "none"}
    if PLAIN.fullmatch(text) and text.casefold() not in words:
        return text
    return UNPRINTABLE.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(text, ensure_ascii=False))


def comment(text: str) -> str:
    """Write a text so that it stays within the line of its comment."""
    return UNPRINTABLE.sub(" ", CONTROL.sub(" ", text))


def refuse_no_target(source: Path, columns: Sequence[str]) -> NoReturn:
    """Refuse a table whose column to predict is not named.

    Parameters
    ----------
    source
        As the user named it.
    columns
        The columns to choose from, of which the first and last are named.

    Raises
    ------
    ConfigError
        Always.
    """
    names = [quote(name) for name in columns]
    if len(names) > MOST_COLUMNS:  # most targets come first or last
        names = [*names[: MOST_COLUMNS // 2], "…", *names[-MOST_COLUMNS // 2 :]]
    raise ConfigError(
        "init", f"{source} is a table, and the column to predict is not named: --target is missing",
        f"Name it: --target COLUMN, one of {', '.join(names)}; pictures in class folders need none",
    )  # fmt: skip
