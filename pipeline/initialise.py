"""From a file to a data set: what is inferred, written down for people to edit."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import replace
from pathlib import Path

from pipeline.config import CleaningConfig, DatasetConfig
from pipeline.config_file import load_config, parse_config
from pipeline.declaration import Initialised, bring_in, comment, learn_suites, quote
from pipeline.disk import disappear, write_whole
from pipeline.errors import ConfigError, name_near_misses, write_count
from pipeline.ingest import Canonical, ColumnFacts, IngestFacts, canonicalise
from pipeline.plan import find_source
from pipeline.reading import check_source, read_source
from pipeline.sources import settle
from pipeline.splitting import split_rows
from pipeline.store import Store
from pipeline.upkeep_config import RunsConfig

IMBALANCE = 3.0
MANY_ROWS = 100_000


def initialise(
    source: Path, target: str | None, store: Store, *, key: str | None = None, force: bool = False
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

    Raises
    ------
    SourceError, ConfigError, DataContractError
        If the source can't be read, lacks the target, or is declared already.
    """
    check_source(source)
    if store.config_path.exists() and not force:
        raise ConfigError(
            "init", f"{store.config_path} exists already",
            "Choose another --name, or write over it with --force",
        )  # fmt: skip
    place, copied = bring_in(source, store, force=force)
    try:
        done = _initialise(place, target, store, key)
    except BaseException:
        if copied is not None:
            disappear(copied)
        with contextlib.suppress(OSError):  # not empty, or never made
            store.config_path.parent.rmdir()
        raise
    return replace(done, source=place, copied=copied)


def _initialise(source: Path, target: str | None, store: Store, key: str | None) -> Initialised:
    from pipeline.initialise_pictures import holds_pictures, initialise_pictures, is_parquet

    settle(store, source, RunsConfig())
    if holds_pictures(source) and (target or not is_parquet(source)):
        return initialise_pictures(_place(source, store), source, target or "label", store)
    if target is None:
        raise ConfigError(
            "init", f"{source} is a table, and the column to predict is not named: --target is "
            "missing",
            "Name it: --target COLUMN; pictures in class folders need none",
        )  # fmt: skip
    draft = parse_config(
        {"dataset": store.dataset, "source": _place(source, store), "target": target, "key": key}
    )
    table = read_source(source, draft.ingest)
    if target not in table.columns:
        raise ConfigError(
            "init", f"the source has no column {target!r} among its {len(table.columns)}",
            f"Correct --target: {name_near_misses(target, table.columns)}",
        )  # fmt: skip
    canonical = canonicalise(table, draft)
    config = _choose(draft, canonical)
    text = write_declaration(config, canonical.facts, source.name)
    done = _suggest(config, canonical, store)
    write_whole(store.config_path, text)
    return done


def suggest_again(store: Store) -> Initialised:
    """Suggest the suites anew from a declaration that was edited; the old ones are written over.

    Raises
    ------
    SourceError, ConfigError, DataContractError
        If the declaration is wrong or the source can't be read.
    """
    config = load_config(store.config_path)
    if config.modality == "image":
        from pipeline.initialise_pictures import suggest_for_pictures

        return suggest_for_pictures(config, store)
    table = read_source(find_source(store, config)[0], config.ingest)
    return _suggest(config, canonicalise(table, config), store)


def _suggest(config: DatasetConfig, canonical: Canonical, store: Store) -> Initialised:
    schema = canonical.facts.schema
    kept = [name for name in schema.roles if name not in config.cleaning.drop_columns]
    assignment = split_rows(canonical.frame, schema.keep(kept), config.split, seed=config.seed)
    return learn_suites(
        config, canonical.frame, canonical.unlabelled, canonical.facts, assignment, store
    )


def name_dataset(source: Path) -> str:
    """Make a data set's name of a file's name.

    >>> name_dataset(Path("My data (v2).csv.gz"))
    'My_data_v2'
    """
    stem = source.name.split(".")[0] if source.suffix else source.name
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-") or "data"


def _place(source: Path, store: Store) -> str:
    """Name the source relative to dataset.yaml where it lies in the project, else absolutely."""
    source = source.resolve()
    if source.is_relative_to(store.home):
        return Path(os.path.relpath(source, store.config_path.parent)).as_posix()
    return str(source)


def _choose(draft: DatasetConfig, canonical: Canonical) -> DatasetConfig:
    """Choose the repairs that the data calls for."""
    facts = canonical.facts
    limit = CleaningConfig().max_missing
    dropped = [
        column.name
        for column in facts.columns
        if column.role in ("numeric", "categorical", "boolean", "datetime")
        and limit * facts.rows < column.missing < facts.rows
    ]
    columns = {
        c.name: {"role": c.role} | ({"format": c.format} if c.format else {}) for c in facts.columns
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
    return parse_config(plain)


def write_declaration(config: DatasetConfig, facts: IngestFacts, source: str) -> str:
    """Write a dataset.yaml that people can read: what was inferred, and why, in comments."""
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
        form = f", format: {quote(column.format)}" if column.format else ""
        lines.append(
            f"  {quote(column.name)}: {{role: {column.role}{form}}}  # {_comment(column, facts)}"
        )
    for item in facts.suspicions:
        seen = f"{item.column}: {item.count} × {item.value!r}: {item.advice}"
        lines.append(f"# {comment(seen)}")
    if config.cleaning.drop_columns:
        names = ", ".join(quote(name) for name in config.cleaning.drop_columns)
        limit = f"{config.cleaning.max_missing:.0%}"
        lines += ["", "cleaning:", f"  drop_columns: [{names}]  # more than {limit} missing"]
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


def _comment(column: ColumnFacts, facts: IngestFacts) -> str:
    gaps = f", {column.missing / max(1, facts.rows):.0%} missing" if column.missing else ""
    tokens = [repr(token) for token in column.tokens if token][:3]
    written = f" ({', '.join(tokens)})" if tokens else ""
    nouns = ("class", "classes") if column.role == "target" else ("value", "values")
    values = write_count(column.distinct, *nouns)
    reason = "" if column.role in ("target", "categorical", "numeric") else f": {column.reason}"
    return comment(f"{values}{gaps}{written}{reason}")
