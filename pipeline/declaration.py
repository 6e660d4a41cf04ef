"""What ``assay init`` has in common for tables and pictures: suites learned, scalars written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.cleaning import FittedCleaning, fit_cleaning
from pipeline.config import DatasetConfig
from pipeline.dataset import TrainSet
from pipeline.ingest import IngestFacts
from pipeline.split_facts import NearFacts
from pipeline.splitting import Assignment
from pipeline.store import Store
from pipeline.validation.suggest import suggest_suites
from pipeline.validation.suites import write_suites

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


def learn_suites(
    config: DatasetConfig,
    frame: pd.DataFrame,
    facts: IngestFacts,
    assignment: Assignment,
    store: Store,
) -> Initialised:
    """Write suites learned on the training split; tell what else is seen there."""
    in_train = (assignment.frame["split"] == "train").to_numpy()
    train = TrainSet(frame[in_train].reset_index(drop=True), facts.schema)
    cleaning = fit_cleaning(train, config.cleaning, config.columns)
    suites = suggest_suites(train, config)
    write_suites(store.suites, suites)
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
    )


def quote(text: str) -> str:
    """Write a scalar so that YAML reads it back as this very text."""
    words = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "none"}
    if PLAIN.fullmatch(text) and text.casefold() not in words:
        return text
    return UNPRINTABLE.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(text, ensure_ascii=False))


def comment(text: str) -> str:
    """Write a text so that it stays within the line of its comment."""
    return UNPRINTABLE.sub(" ", CONTROL.sub(" ", text))
