"""The recipe of a refresh: the way of the data, from its source to a published version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flows import tasks
from flows.progress import Progress, in_flow_run, telling
from flows.watching import RunOutcome, Watch, watched
from pipeline.config.settings import DatasetConfig
from pipeline.errors import ConfigError
from pipeline.runs.run import Run, declare, make_run
from pipeline.sources.fetching import is_elsewhere
from pipeline.sources.locating import SourceChanged
from pipeline.storage.disk import explaining
from pipeline.storage.store import Store, find_home

READINGS = 3


def refresh(
    dataset: str,
    overrides: list[str] | None = None,
    home: Path | None = None,
    superseded: Callable[[], str | None] = lambda: None,
) -> RunOutcome:
    """Validate, repair, re-check, resample, train and publish a data set.

    Parameters
    ----------
    dataset
        The name of its folder below ``data/``.
    overrides
        Texts of the form ``section.key=value`` that are laid over its dataset.yaml.
    home
        The project directory; left out: ASSAY_HOME, or the current directory.
    superseded
        Asked once the data set is free: why this run is not needed any more, if so.

    Raises
    ------
    AssayError
        If the data or the configuration is at fault, or the machine fails;
        ``watching.GateStopped`` if a gate stops the run, ``locking.Busy`` if another run is at
        work and not to be waited for, ``locking.StillBusy`` if it was waited for, and did not end.
    """
    store = Store(home or find_home(), dataset)
    with telling() as progress, watched(store) as watch, explaining("run", store.runs):
        config = _declare(store, overrides, watch)
        with store.lock(config.runs.wait_seconds, progress.wait), watch.at_work():
            reason = superseded()
            if reason is None:
                watch.outcome = _read_and_refresh(store, config, watch, progress)
            else:
                watch.outcome = RunOutcome("skipped", reason=reason)
            return watch.outcome


def _declare(store: Store, overrides: list[str] | None, watch: Watch) -> DatasetConfig:
    """Read the declaration; whoever mistypes a setting on the command line is told there alone."""
    try:
        return declare(store, overrides)
    except ConfigError:
        if overrides and not in_flow_run():
            declare(store)  # raises if the declaration itself is wrong
            watch.quiet = True
        raise


def _read_and_refresh(
    store: Store, config: DatasetConfig, watch: Watch, progress: Progress
) -> RunOutcome:
    """Refresh; start again if the source changes while it is read."""
    for reading in range(1, READINGS + 1):
        try:
            run = _plan(store, config, progress)
            watch.run = run
            version = run.published()
            if version is not None:
                if watch.was_cut_off(version):  # killed between its rename and its log line
                    store.make_current(version)
                    return RunOutcome("published", version, store.version(version))
                return RunOutcome("unchanged", version, store.version(version))
            current = store.current()
            path = _run_stages(run, watch, progress)
            _retire(store, config.retention.keep, current, progress)
            return RunOutcome("published", path.name, path)
        except SourceChanged as error:
            if reading == READINGS:
                raise
            progress.say(f"  … starting again. {error}")
    raise AssertionError("the last reading returns or raises")


def _retire(store: Store, keep: int, before: str | None, progress: Progress) -> None:
    """Delete old versions; what can't be deleted is told, and harms nothing."""
    try:
        gone = store.retire(keep, before)
    except OSError as error:
        progress.say(f"  ! an old version can't be deleted: {error}\n")
        return
    if gone:
        progress.say(f"Deleted, by retention.keep: {', '.join(gone)}\n")


def _plan(store: Store, config: DatasetConfig, progress: Progress) -> Run:
    fetched = tasks.fetch(store, config) if is_elsewhere(config.source) else None
    return make_run(store, config, fetched, progress.wait_source)


def _run_stages(run: Run, watch: Watch, progress: Progress) -> Path:
    started = watch.started
    with tasks.warm_trainer(run):
        rows = tasks.ingest(run)
        tasks.validate_raw(run, rows)
        tasks.gate(run, "raw", started)

        assignment = tasks.split(run, rows)
        cleaned = tasks.clean(run, rows, assignment)
        imputed = tasks.impute(run, cleaned)
        tasks.validate_repaired(run, imputed)
        tasks.gate(run, "repaired", started)

        features = tasks.encode(run, imputed)
        race = tasks.race(run, rows, assignment, features) if run.wants_race else None
        resampled = tasks.resample(run, features, race)
        unrepaired = (
            tasks.assemble_raw(run, rows, assignment, features) if run.wants_unrepaired else None
        )
        folds = (
            tasks.cross_validate(run, rows, assignment, features, race) if run.wants_folds else None
        )
        tasks.train(run, resampled, unrepaired, folds)
        path = tasks.publish(run, started)
        progress.say(f"\n{progress.closing}\n")
    return path


def validate(dataset: str, overrides: list[str] | None = None, home: Path | None = None) -> Path:
    """Judge the raw data and write its report; learn and publish nothing.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    AssayError
        If the data or the configuration is at fault; ``watching.GateStopped`` if it fails the gate.
    """
    started = datetime.now(UTC)
    store = Store(home or find_home(), dataset)
    config = declare(store, overrides)
    with telling() as progress, store.lock(config.runs.wait_seconds, progress.wait):
        run = _plan(store, config, progress)
        tasks.validate_raw(run, tasks.ingest(run))
        tasks.gate(run, "raw", started)
        report = tasks.report_validation(run, started)
        progress.say(f"\n{progress.closing}")
    return report


def build_docs(dataset: str, home: Path | None = None) -> Path:
    """Validate the raw data by a checkpoint and build Great Expectations' Data Docs."""
    store = Store(home or find_home(), dataset)
    config = declare(store)
    with telling() as progress, store.lock(config.runs.wait_seconds, progress.wait):
        run = _plan(store, config, progress)
        return tasks.build_docs(run, tasks.ingest(run))
