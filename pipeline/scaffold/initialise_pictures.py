"""From a folder of pictures to a data set: what is inferred, written down for people to edit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config.dataset_yaml import parse_config
from pipeline.config.image import ImageConfig
from pipeline.config.settings import DatasetConfig
from pipeline.images.choosing import choose_image_config
from pipeline.images.picture_sources import list_pictures
from pipeline.images.recognising import is_parquet, list_columns
from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import make_run
from pipeline.scaffold.initialised import Initialised, learn_suites, quote, refuse_no_target
from pipeline.splitting.assignment import Assignment
from pipeline.splitting.split_facts import SplitFacts
from pipeline.steps.ingest import OnProgress, ingest
from pipeline.steps.split import split
from pipeline.storage.disk import write_whole
from pipeline.storage.parts import read_all, read_frame
from pipeline.storage.store import Store

IMBALANCE = 3.0


def check_target(source: Path, target: str | None) -> None:
    """Refuse Parquet without a named target, before it is copied; folders name their classes.

    Raises
    ------
    ConfigError
        If the target is not named.
    """
    if target is None and is_parquet(source):
        refuse_no_target(source, list_columns(source))


def initialise(
    source: Path,
    given: Mapping[str, Any],
    store: Store,
    on_progress: OnProgress | None = None,
    *,
    yes: bool = False,
) -> Initialised:
    """Infer a declaration and suites from a source of pictures and write them.

    Parameters
    ----------
    given
        What is known: the data set's name, the source as dataset.yaml is to name it, and the
        target: the name of the class, left out: ``label``; for Parquet the column that holds it.
    on_progress
        Called now and then with the pictures that were read, of all.

    Raises
    ------
    SourceError, ConfigError, DataContractError
        If the source can't be read, or has no two classes.
    """
    del yes  # pictures leave nothing open
    plain: dict[str, Any] = {
        **given, "target": given["target"] or "label", "modality": "image",
        "augmentation": {"preset": "light"} | dict(given.get("augmentation", {})),
    }  # fmt: skip
    image = choose_image_config(list_pictures(source, parse_config(plain)))
    plain["image"] = image.model_dump(mode="json") | dict(given.get("image", {}))
    config = parse_config(plain)
    facts = ingest(make_run(store, config), on_progress).facts(IngestFacts)
    counts = sorted(facts.classes.values())
    if counts[-1] >= IMBALANCE * counts[0]:
        # Measured on the samples: weights did more for the small classes than new pictures of them.
        config = parse_config(plain | {"resampling": {"method": "class_weight"}})
    done = suggest(config, store)
    write_whole(store.config_path, write_declaration(config, facts, source.name))
    return done


def suggest(config: DatasetConfig, store: Store) -> Initialised:
    """Write suites learned on the training pictures; what is decoded here serves the run too."""
    run = make_run(store, config)
    rows = ingest(run)
    assigned = split(run, rows)
    frame = read_frame(assigned.path / "assignment.parquet")
    assignment = Assignment(frame, assigned.facts(SplitFacts))
    unlabelled = read_frame(rows.path / "unlabelled.parquet")
    return learn_suites(
        config, read_all(rows.path), unlabelled, rows.facts(IngestFacts), assignment, store
    )


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
    image: ImageConfig = config.image
    sizes = facts.images.sizes if facts.images else {}
    seen = ", ".join(f"{count:,} of {size}" for size, count in list(sizes.items())[:3])
    lines = [
        f"# What Assay inferred from {source}. Edit it as you know better;",
        "# every other setting has a default: assay settings.",
        f"dataset: {quote(config.dataset)}",
        f"source: {quote(config.source)}",
        f"target: {quote(config.target)}  # {len(facts.classes)} classes",
        "modality: image",
        f"seed: {config.seed}",
        "",
        "image:",
        f"  height: {image.height}  # pixels; {seen}",
        f"  width: {image.width}",
        f"  channels: {image.channels}  # {'grey' if image.channels == 1 else 'RGB'}",
        f"  fit: {image.fit}  # what happens to a picture of another aspect",
        "",
        "augmentation:",
        f"  preset: {config.augmentation.preset}  # small turns, shifts, zooms; no mirroring",
    ]
    if config.resampling.method != "none":
        low, high = min(facts.classes.values()), max(facts.classes.values())
        lines += [
            "",
            "resampling:",
            f"  method: {config.resampling.method}  # or augment; {low} to {high} pictures a class",
        ]
    return "\n".join(lines) + "\n"
