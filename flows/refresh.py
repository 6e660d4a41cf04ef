"""The recipe of a refresh: the way of the data, from its source to a published version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from flows import tasks
from flows.progress import telling
from pipeline.plan import prepare
from pipeline.store import find_home


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a refresh ended.

    Attributes
    ----------
    state
        'published', or 'unchanged' where this very version was there already.
    path
        The version's folder.
    """

    state: Literal["published", "unchanged"]
    version: str
    path: Path


def refresh(dataset: str, overrides: list[str] | None = None, home: Path | None = None) -> Outcome:
    """Validate, repair, re-check, resample, train and publish a data set.

    Parameters
    ----------
    dataset
        The name of its folder below ``data/``.
    overrides
        Texts of the form ``section.key=value`` that are laid over its dataset.yaml.
    home
        The project directory; left out: ASSAY_HOME, or the current directory.

    Raises
    ------
    AssayError
        If the data or the configuration is at fault; ``tasks.GateStopped`` if a gate stops the run.
    """
    started = datetime.now(UTC)
    run = prepare(home or find_home(), dataset, overrides)
    version = run.published()
    if version is not None:
        return Outcome("unchanged", version, run.store.version(version))

    with (
        telling() as progress,
        run.store.lock(),
        tasks.warm_trainer(run),
        tasks.recorded(run, started),
    ):
        rows = tasks.ingest(run)
        tasks.validate_raw(run, rows)
        tasks.gate(run, "raw", started)

        assignment = tasks.split(run, rows)
        cleaned = tasks.clean(run, rows, assignment)
        imputed = tasks.impute(run, cleaned)
        tasks.validate_repaired(run, imputed)
        tasks.gate(run, "repaired", started)

        features = tasks.encode(run, imputed)
        resampled = tasks.resample(run, features)
        unrepaired = (
            tasks.assemble_raw(run, rows, assignment, features) if run.wants_unrepaired else None
        )
        folds = tasks.make_folds(run, rows, assignment) if run.wants_folds else []
        tasks.train(run, resampled, unrepaired, folds)
        path = tasks.publish(run, started)
        progress.say(f"\n{progress.closing}\n")
    return Outcome("published", path.name, path)


def validate(dataset: str, overrides: list[str] | None = None, home: Path | None = None) -> Path:
    """Judge the raw data and write its report; learn and publish nothing.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    AssayError
        If the data or the configuration is at fault; ``tasks.GateStopped`` if it fails the gate.
    """
    started = datetime.now(UTC)
    run = prepare(home or find_home(), dataset, overrides)
    with telling() as progress, run.store.lock():
        tasks.validate_raw(run, tasks.ingest(run))
        tasks.gate(run, "raw", started)
        report = tasks.report_validation(run, started)
        progress.say(f"\n{progress.closing}")
    return report


def build_docs(dataset: str, home: Path | None = None) -> Path:
    """Validate the raw data by a checkpoint and build Great Expectations' Data Docs."""
    run = prepare(home or find_home(), dataset)
    with telling(), run.store.lock():
        return tasks.build_docs(run, tasks.ingest(run))
