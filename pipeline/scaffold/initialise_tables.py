"""From a table to a data set: what is inferred, written down for people to edit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.config.dataset_yaml import parse_config
from pipeline.config.settings import (
    CleaningConfig,
    ColumnConfig,
    DatasetConfig,
    IngestConfig,
    SplitConfig,
)
from pipeline.dataset import FEATURE_ROLES
from pipeline.errors import ConfigError, name_near_misses, write_count
from pipeline.ingest.canonical import Canonical, ColumnFacts, IngestFacts, canonicalise
from pipeline.runs.run import find_source
from pipeline.scaffold.initialised import (
    Initialised,
    comment,
    learn_suites,
    quote,
    refuse_no_target,
)
from pipeline.sources.guesses import Guess
from pipeline.sources.reading import read_source
from pipeline.splitting.assignment import split_rows
from pipeline.splitting.repeats import find_group, judge_repeats
from pipeline.steps.ingest import OnProgress
from pipeline.storage.disk import write_whole
from pipeline.storage.store import Store

IMBALANCE = 3.0
MANY_ROWS = 100_000
MOST_ASKED = 5


def check_target(source: Path, target: str | None) -> None:
    """Refuse a table without a named target, before it is copied.

    Raises
    ------
    SourceError, ConfigError
        If the source can't be read, or the target is not named.
    """
    if target is None:
        refuse_no_target(source, list(read_source(source, IngestConfig()).columns))


def initialise(
    source: Path,
    given: Mapping[str, Any],
    store: Store,
    on_progress: OnProgress | None = None,
    *,
    yes: bool = False,
) -> Initialised:
    """Infer a declaration and suites from a table and write them.

    Parameters
    ----------
    given
        What is known: the data set's name, the source as dataset.yaml is to name it, the target,
        the key, and whatever else of dataset.yaml is known.
    yes
        Take the first reading of what the source leaves open.

    Raises
    ------
    SourceError, ConfigError, DataContractError
        If the source can't be read, lacks the target, or leaves open how it is to be read.
    """
    del on_progress  # a table is read as a whole
    draft = parse_config(given)
    table = read_source(source, draft.ingest)
    if draft.target not in table.columns:
        raise ConfigError(
            "init", f"the source has no column {draft.target!r} among its {len(table.columns)}",
            f"Correct --target: {name_near_misses(draft.target, table.columns)}",
        )  # fmt: skip
    canonical = canonicalise(table, draft)
    if not yes:
        _ask(canonical.facts.guesses, source)
    config, chosen = _choose(draft, canonical)
    facts = replace(canonical.facts, guesses=[*canonical.facts.guesses, *chosen])
    canonical = replace(canonical, facts=facts)
    text = write_declaration(config, canonical.facts, source.name)
    done = _suggest(config, canonical, store)
    write_whole(store.config_path, text)
    return done


def _ask(guesses: Sequence[Guess], source: Path) -> None:
    """Ask about what the source leaves open, with both readings and how each is taken.

    Raises
    ------
    ConfigError
        If anything is open.
    """
    asked = [guess for guess in guesses if guess.certainty == "open"]
    if not asked:
        return
    shown = "; ".join(guess.describe() for guess in asked[:MOST_ASKED])
    more = f"; and {len(asked) - MOST_ASKED} more" if len(asked) > MOST_ASKED else ""
    change = next((guess.change for guess in asked if guess.change), {})
    answer = " ".join(f"--set '{name}={value}'" for name, value in change.items())
    raise ConfigError(
        "init",
        f"{write_count(len(asked), 'thing')} {source.name} does not tell: {shown}{more}",
        "Take the first reading with --yes"
        + (f", or the other one with {answer}" if answer else ""),
    )


def suggest(config: DatasetConfig, store: Store) -> Initialised:
    """Write suites learned on the training rows."""
    table = read_source(find_source(store, config)[0], config.ingest)
    return _suggest(config, canonicalise(table, config), store)


def _suggest(config: DatasetConfig, canonical: Canonical, store: Store) -> Initialised:
    schema = canonical.facts.schema
    kept = [name for name in schema.roles if name not in config.cleaning.drop_columns]
    assignment = split_rows(canonical.frame, schema.keep(kept), config.split, seed=config.seed)
    return learn_suites(
        config, canonical.frame, canonical.unlabelled, canonical.facts, assignment, store
    )


def _choose(draft: DatasetConfig, canonical: Canonical) -> tuple[DatasetConfig, list[Guess]]:
    """Choose the repairs and the split that the data calls for, and tell what of it was guessed."""
    facts = canonical.facts
    limit = CleaningConfig().max_missing
    dropped = [
        column.name
        for column in facts.columns
        if column.role in FEATURE_ROLES and limit * facts.rows < column.missing < facts.rows
    ]
    columns = {
        c.name: draft.columns.get(c.name, ColumnConfig()).model_dump(
            exclude_unset=True, mode="json"
        )
        | {"role": c.role}
        | ({"format": c.format} if c.format else {})
        for c in facts.columns
    }
    plain = draft.model_dump(mode="json") | {"columns": columns}
    plain["cleaning"]["drop_columns"] = dropped
    if facts.labelled > MANY_ROWS:
        plain["imputation"]["numeric"] = "median"
    counts = sorted(facts.classes.values())
    if counts[-1] >= IMBALANCE * counts[0]:
        plain["resampling"] |= {
            "method": "auto",
            "fallback": "random_over",
        }
    chosen = []
    schema = facts.schema.keep([n for n in facts.schema.roles if n not in dropped])
    group = find_group(canonical.frame, schema) if draft.split == SplitConfig() else None
    if group is not None:
        name, guess = group
        plain["split"] |= {"by": "group", "column": name}
        plain["columns"][name] = {"role": "identifier"}
        chosen.append(guess)
    elif draft.cleaning.duplicates == "drop" and draft.split == SplitConfig():
        repeats = judge_repeats(canonical.frame, schema)
        if repeats is not None:
            plain["cleaning"]["duplicates"] = "keep"
            plain["split"]["repeats"] = "apart"
            chosen.append(repeats)
    return parse_config(plain), chosen


def write_declaration(config: DatasetConfig, facts: IngestFacts, source: str) -> str:
    """Write a dataset.yaml that people can read: what was inferred, and why, in comments.

    Parameters
    ----------
    config
        What was inferred.
    facts
        What was seen of the source.
    source
        Its name.
    """
    lines = [
        f"# What Assay inferred from {comment(source)}. Edit it as you know better;",
        "# every other setting has a default: assay settings.",
        f"dataset: {quote(config.dataset)}",
        f"source: {quote(config.source)}",
        f"target: {quote(config.target)}",
    ]
    if config.key:
        lines.append(f"key: {quote(config.key)}")
    lines += [f"seed: {config.seed}", "", "columns:"]
    for column in facts.columns:
        said = config.columns[column.name].model_dump(exclude_unset=True, mode="json")
        more = "".join(f", {name}: {_write(said[name])}" for name in said if name != "role")
        lines.append(
            f"  {quote(column.name)}: {{role: {column.role}{more}}}  # {_comment(column, facts)}"
        )
    told = [guess for guess in facts.guesses if guess.certainty != "certain"]
    lines += [f"# {comment(guess.describe())}" for guess in told]
    for item in facts.suspicions:
        seen = f"{item.column}: {item.count} × {item.value!r}: {item.advice}"
        lines.append(f"# {comment(seen)}")
    known = config.ingest.model_dump(exclude_defaults=True, mode="json")
    if known:
        lines += ["", "ingest:", *(f"  {name}: {_write(value)}" for name, value in known.items())]
    split = config.split.model_dump(exclude_defaults=True, mode="json")
    if split:
        lines += ["", "split:", *(f"  {name}: {_write(value)}" for name, value in split.items())]
    cleaning = []
    if config.cleaning.duplicates == "keep":
        cleaning.append("  duplicates: keep  # chance explains them")
    if config.cleaning.drop_columns:
        names = ", ".join(quote(name) for name in config.cleaning.drop_columns)
        limit = f"{config.cleaning.max_missing:.0%}"
        cleaning.append(f"  drop_columns: [{names}]  # more than {limit} missing")
    if cleaning:
        lines += ["", "cleaning:", *cleaning]
    lines += ["", "imputation:", f"  numeric: {config.imputation.numeric}"]
    if config.resampling.method != "none":
        low, high = min(facts.classes.values()), max(facts.classes.values())
        lines += [
            "",
            "resampling:",
            f"  method: {config.resampling.method}  # classes of {low} to {high} rows: what helps "
            "is found by a race, or name a method",
            f"  fallback: {config.resampling.fallback}  # for a class too small for SMOTE",
        ]
    return "\n".join(lines) + "\n"


def _write(value: object) -> str:
    """Write a value so that YAML reads it back."""
    return quote(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _comment(column: ColumnFacts, facts: IngestFacts) -> str:
    gaps = f", {column.missing / max(1, facts.rows):.0%} missing" if column.missing else ""
    tokens = [repr(token) for token in column.tokens if token][:3]
    written = f" ({', '.join(tokens)})" if tokens else ""
    nouns = ("class", "classes") if column.role == "target" else ("value", "values")
    values = write_count(column.distinct, *nouns)
    reason = "" if column.role in ("target", "categorical", "numeric") else f": {column.reason}"
    return comment(f"{values}{gaps}{written}{reason}")
