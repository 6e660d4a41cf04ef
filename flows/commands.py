"""What each command of ``assay`` does."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.storage.store import Store


MOST_SHOWN = 20


def find_store(name: str) -> Store:
    """Find a data set that is declared."""
    from pipeline.errors import ConfigError, find_near_misses, name_examples
    from pipeline.storage.store import Store, find_home

    store = Store(find_home(), name)
    if not store.config_path.is_file():
        known = sorted(p.parent.name for p in (store.home / "data").glob("*/dataset.yaml"))
        near = find_near_misses(name, known).replace("did", "Did", 1)
        other = f"; known are {name_examples(known)}" if known and not near else ""
        raise ConfigError(
            "config", f"there is no data set {name!r} in {store.home / 'data'}",
            f"{near}{' Or create' if near else 'Create'} it with `assay init SOURCE --target "
            f"COLUMN --name {name}`, go to the project's folder or set ASSAY_HOME{other}",
        )  # fmt: skip
    return store


def init(options: argparse.Namespace) -> int:
    """Infer a data set from a source."""
    from flows.progress import telling
    from flows.telling import tell_initialised
    from pipeline.storage.store import Store, find_home

    print(f"assay init {options.source}", flush=True)
    from pipeline.scaffold.initialise import initialise, name_dataset

    store = Store(find_home(), options.name or name_dataset(options.source))
    with telling() as progress, store.lock(), progress.working("reading"):
        done = initialise(
            options.source,
            options.target,
            store,
            key=options.key,
            force=options.force,
            overrides=options.overrides,
            yes=options.yes,
            on_progress=progress.advance_pictures,
        )
    tell_initialised(done, store.home)
    return 0


def suggest(options: argparse.Namespace) -> int:
    """Suggest the suites again."""
    print(f"assay suggest {options.name}", flush=True)
    store = find_store(options.name)
    from pipeline.scaffold.initialise import suggest_again

    with store.lock():
        done = suggest_again(store)
    if done.refreshes:
        known = f"{len(done.refreshes)} accepted refreshes, {done.refreshes[0]} to the current one"
        print(f"  learned from the source's training rows and from {known}")
    if _differs_from_current(store):
        print(
            "  ! the source is not the one that the current version was made of; bounds, classes "
            "and categories come from it as it is"
        )
    for suite, count in done.expectations.items():
        own = done.own.get(suite)
        kept = f", and {own} of your own, kept" if own else ""
        print(f"  {show_path(store.suites / suite)}.json  {count} suggested{kept}")
    return 0


def _differs_from_current(store: Store) -> bool:
    """Tell whether the source has changed since the current version, where that is easily seen."""
    from pipeline.config.dataset_yaml import load_config
    from pipeline.sources.fetching import is_elsewhere
    from pipeline.storage.hashing import hash_tree
    from pipeline.validation.accepted import follow_versions

    source = load_config(store.config_path).source
    current = next(follow_versions(store), None)
    if current is None or is_elsewhere(source):
        return False
    return hash_tree((store.config_path.parent / source).resolve()) != current[1]


def settings(options: argparse.Namespace) -> int:
    """List the settings."""
    from flows.list_settings import list_settings

    print(list_settings(" ".join(options.section) or None))
    return 0


def validate(options: argparse.Namespace) -> int:
    """Judge the raw data."""
    print(f"assay validate {options.name}", flush=True)
    find_store(options.name)
    from flows.refresh import validate

    print(f"\nReport: {show_path(validate(options.name, options.overrides))}")
    return 0


def run(options: argparse.Namespace) -> int:
    """Refresh the data set."""
    print(f"assay run {options.name}", flush=True)
    store = find_store(options.name)
    if options.prefect or os.environ.get("PREFECT_API_URL"):
        from flows.prefect_flows import run_flow

        return run_flow(options.name, options.overrides)
    from flows.refresh import refresh

    outcome = refresh(options.name, options.overrides)
    if outcome.state == "unchanged":
        print(
            f"Nothing changed in {_name_source(store)}, settings and suites since version "
            f"{outcome.version}; nothing to do."
        )
        if store.current() != outcome.version:
            print(f"Current is {store.current()}; `assay rollback` makes another one current.")
    path = store.version(outcome.version)
    print(f"Version: {show_path(path)}\nReport:  {show_path(path / 'report.html')}")
    return 0


def _name_source(store: Store) -> str:
    from pipeline.config.dataset_yaml import load_config
    from pipeline.sources.fetching import is_elsewhere

    source = load_config(store.config_path).source
    if is_elsewhere(source):
        return source
    return show_path((store.config_path.parent / source).resolve())


def train(options: argparse.Namespace) -> int:
    """Train on a published version."""
    print(f"assay train {options.name}", flush=True)
    find_store(options.name)
    from flows.train_version import train

    out = train(options.name, options.version, options.overrides)
    print(f"\nModel and metrics: {show_path(out)}")
    return 0


def report(options: argparse.Namespace) -> int:
    """Print where a report is."""
    path = find_store(options.name).version(options.version) / "report.html"
    print(show_path(path))
    if options.open:
        import webbrowser

        webbrowser.open(path.as_uri())
    return 0


def versions(options: argparse.Namespace) -> int:
    """List the published versions."""
    store = find_store(options.name)
    current, pins = store.current(), store.pins()
    from flows.telling import describe_version
    from pipeline.validation.accepted import follow_versions

    followed = {name for name, _ in follow_versions(store)}
    before = None
    for version in store.versions():
        mark = "*" if version == current else " "
        kept = ", pinned" if version in pins else ""
        if followed and version not in followed:
            kept += ", rolled back from: nothing is learned from it"
        path = store.published / version
        print(f"{mark} {version}  {describe_version(path, before)}{kept}")
        before = path
    if current is None:
        print(f"No version yet; publish one with `assay run {options.name}`.")
    return 0


def rollback(options: argparse.Namespace) -> int:
    """Make an earlier version current."""
    from pipeline.storage.integrity import refuse_differences

    store = find_store(options.name)
    version = store.version(options.version)
    refuse_differences(version)
    with store.lock():
        store.make_current(version.name)
    print(f"{options.name}: current is {version.name}")
    return 0


def pin(options: argparse.Namespace) -> int:
    """Keep a version for good, or leave it to the retention rule again."""
    store = find_store(options.name)
    version = store.version(options.version).name
    with store.lock():
        store.pin(version, keep=not options.release)
    kept = "is left to retention.keep" if options.release else "is kept for good"
    print(f"{options.name}: {version} {kept}")
    return 0


def verify(options: argparse.Namespace) -> int:
    """Hash versions again and compare them with their manifests."""
    from pipeline.storage.integrity import verify

    store = find_store(options.name)
    names = store.versions() if options.all else [store.version(options.version).name]
    wrong = 0
    for name in names:
        found = verify(store.published / name)
        wrong += bool(found.differences)
        if not found.differences:
            print(f"  ✓ {name}  {found.files} files, {found.size:,} bytes: as published")
            continue
        print(f"  ✕ {name}  {len(found.differences)} of {found.files} files are not as published")
        for item in found.differences[:MOST_SHOWN]:
            print(f"      {item.file}: {item.fault}")
        more = len(found.differences) - MOST_SHOWN
        if more > 0:
            print(f"      and {more} more")
    if wrong:
        print(f"Make another version current (assay rollback {options.name} VERSION), or publish "
              f"again (assay run {options.name} with a changed setting).")  # fmt: skip
    return 1 if wrong else 0


def deploy(options: argparse.Namespace) -> int:
    """Register the deployments of data sets at a Prefect server."""
    from pipeline.errors import ConfigError
    from pipeline.storage.store import find_home

    home = find_home()
    for name in options.names:
        find_store(name)
    from flows.deploying import deploy, list_datasets, tell_deployed

    names = options.names or list_datasets(home)
    if not names:
        raise ConfigError(
            "deploy", f"there are 0 data sets in {home / 'data'}",
            "Create one with `assay init SOURCE --target COLUMN`, or set ASSAY_HOME",
        )  # fmt: skip
    print(f"assay deploy {' '.join(names)}", flush=True)
    done, problems = deploy(home, names, pool=options.pool)
    tell_deployed(done, problems)
    if done:
        from flows.prefect_server import find_prefect

        command = f"{find_prefect()} worker start --pool {options.pool} --type process"
        print(f"\nA worker runs them: {command}")
    return 2 if problems else 0


def serve(options: argparse.Namespace) -> int:
    """Run a Prefect server, a worker and the reports on this machine until Ctrl-C."""
    from flows.serving import serve
    from pipeline.storage.store import find_home

    print("assay serve", flush=True)
    return serve(find_home(), options.port)


def notify(options: argparse.Namespace) -> int:
    """Send a notice, to try what dataset.yaml declares."""
    import socket
    from datetime import UTC, datetime

    from pipeline.errors import ConfigError
    from pipeline.runs.run import declare
    from pipeline.upkeep.notifications import Notice, notify

    store = find_store(options.name)
    config = declare(store).notifications
    if not config.webhook and not config.command:
        raise ConfigError(
            "notifications", f"{options.name} declares no notification",
            "Set notifications.webhook or notifications.command in dataset.yaml",
        )  # fmt: skip
    now = datetime.now(UTC).isoformat(timespec="seconds")
    message = "This is a test; no run failed."
    notice = Notice(
        event="test", dataset=options.name, message=message, started=now,
        host=socket.gethostname(), version=store.current(), report=None,
        text=f"{options.name}: a test of notifications. {message}",
    )  # fmt: skip
    problems = notify(notice, config, store.home)
    for problem in problems:
        print(f"  ! {problem}")
    if not problems:
        print("  ✓ sent")
    return 3 if problems else 0


def docs(options: argparse.Namespace) -> int:
    """Build Data Docs."""
    print(f"assay docs {options.name}", flush=True)
    find_store(options.name)
    from flows.refresh import build_docs

    page = build_docs(options.name)
    print("Great Expectations' pages load their styles from the network; offline they look bare.")
    print(f"Data Docs: {show_path(page)}")
    return 0


def show_path(path: Path) -> str:
    """Write a path shortly: relative to the current directory where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
