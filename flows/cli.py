"""The command ``assay``."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.store import Store

EPILOG = """exit codes: 0 done; 1 stopped by a gate or by what the data lacks; 2 wrong usage,
configuration or source; 3 the machine failed (disk full, no permission, no server), or we did"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.show_version:
        from importlib.metadata import version

        print(f"assay {version('assay')}")
        return 0
    if not options.command:
        parser.print_help()
        return 2
    # Imports make many objects and no garbage: collecting at the usual pace costs a fifth more.
    gc.set_threshold(100_000, 20, 20)
    from pipeline.errors import AssayError

    try:
        code: int = options.run(options)
    except AssayError as error:
        if options.debug:
            raise
        report = getattr(error, "report", None)
        if report is None:
            print(f"\n{error}", file=sys.stderr)
        else:  # the reasons were told already
            print(f"\nNothing was published. Report: {_show(report)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(
            "\nStopped. Finished stages are kept; the same command goes on from there.",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        if options.debug:
            raise
        print(f"\nan error of ours: {type(error).__name__}: {error}", file=sys.stderr)
        print("Run it again with --debug and report what it prints.", file=sys.stderr)
        return 3
    # What is loaded needs no collecting any more; at the exit that costs a second.
    gc.freeze()
    return code


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="assay",
        description="What is causing my network's low accuracy, and what should I do about it?",
        epilog=EPILOG,
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    init = commands.add_parser("init", help="infer a data set from your file or folder")
    init.add_argument(
        "source", type=Path,
        help="CSV or Parquet, also .gz or .zip, or a folder of them; or pictures: a folder of "
        "class folders, a zip of it, Parquet",
    )  # fmt: skip
    init.add_argument(
        "--target", metavar="COLUMN", help="the column to predict; not needed for class folders"
    )
    init.add_argument("--name", help="the data set's name; left out: from the file's name")
    init.add_argument("--key", metavar="COLUMN", help="a column that names each row")
    init.add_argument("--force", action="store_true", help="write over an earlier declaration")
    init.set_defaults(run=_init)

    suggest = commands.add_parser("suggest", help="suggest the suites anew, after an edit")
    suggest.add_argument("name", help="the data set")
    suggest.set_defaults(run=_suggest)

    settings = commands.add_parser("settings", help="list all settings of dataset.yaml")
    settings.add_argument("section", nargs="?", help="such as cleaning; left out: all")
    settings.set_defaults(run=_settings)

    validate = commands.add_parser("validate", help="judge the raw data, nothing else")
    run = commands.add_parser(
        "run", help="the whole refresh: validate, repair, publish, train, report"
    )
    train = commands.add_parser("train", help="train the baseline on a published version")
    parser.add_argument(
        "--version", action="store_true", dest="show_version", help="print the version"
    )
    for command, function in ((validate, _validate), (run, _run), (train, _train)):
        command.add_argument("name", help="the data set")
        command.add_argument(
            "--set", action="append", default=[], metavar="section.key=value", dest="overrides",
            help="override dataset.yaml; may be repeated",
        )  # fmt: skip
        command.set_defaults(run=function)
    run.add_argument("--prefect", action="store_true", help="as a Prefect flow run")

    report = commands.add_parser("report", help="print where a version's report is")
    report.add_argument("--open", action="store_true", help="open it in a browser")
    for command in (report, train):
        command.add_argument("--version", help="left out: the current one")
    versions = commands.add_parser("versions", help="list the published versions")
    rollback = commands.add_parser("rollback", help="make an earlier version current")
    docs = commands.add_parser("docs", help="build Great Expectations' Data Docs")
    for command, function in (
        (report, _report), (versions, _versions), (rollback, _rollback), (docs, _docs),
    ):  # fmt: skip
        command.add_argument("name", help="the data set")
        command.set_defaults(run=function)
    rollback.add_argument("version", help="see `assay versions NAME`")
    for command in commands.choices.values():  # --debug may stand behind the command too
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS,
                             help="show tracebacks")  # fmt: skip
    return parser


def _store(name: str) -> Store:
    from pipeline.errors import ConfigError, name_near_misses
    from pipeline.store import Store, find_home

    store = Store(find_home(), name)
    if not store.config_path.is_file():
        known = sorted(p.parent.name for p in (store.home / "data").glob("*/dataset.yaml"))
        raise ConfigError(
            "config", f"there is no data set {name!r} in {store.home / 'data'}",
            f"Create it with `assay init SOURCE --target COLUMN --name {name}`, go to the "
            f"project's folder or set ASSAY_HOME; or another: {name_near_misses(name, known)}",
        )  # fmt: skip
    return store


def _init(options: argparse.Namespace) -> int:
    from flows.telling import tell_initialised
    from pipeline.store import Store, find_home

    print(f"assay init {options.source}", flush=True)
    from pipeline.initialise import initialise, name_dataset

    store = Store(find_home(), options.name or name_dataset(options.source))
    done = initialise(options.source, options.target, store, key=options.key, force=options.force)
    tell_initialised(done, store.home)
    return 0


def _suggest(options: argparse.Namespace) -> int:
    print(f"assay suggest {options.name}", flush=True)
    store = _store(options.name)
    from pipeline.initialise import suggest_again

    done = suggest_again(store)
    for suite, count in done.expectations.items():
        print(f"  {_show(store.suites / suite)}.json  {count} expectations")
    return 0


def _settings(options: argparse.Namespace) -> int:
    from flows.settings import list_settings

    print(list_settings(options.section))
    return 0


def _validate(options: argparse.Namespace) -> int:
    print(f"assay validate {options.name}", flush=True)
    _store(options.name)
    from flows.refresh import validate

    print(f"\nReport: {_show(validate(options.name, options.overrides))}")
    return 0


def _run(options: argparse.Namespace) -> int:
    import os

    print(f"assay run {options.name}", flush=True)
    store = _store(options.name)
    if options.prefect or os.environ.get("PREFECT_API_URL"):
        from flows.prefect_flows import run_flow

        return run_flow(options.name, options.overrides)
    from flows.refresh import refresh

    outcome = refresh(options.name, options.overrides)
    if outcome.state == "unchanged":
        print(f"Nothing changed since version {outcome.version}; nothing to do.")
        if store.current() != outcome.version:
            print(f"Current is {store.current()}; `assay rollback` makes another one current.")
    print(f"Version: {_show(outcome.path)}\nReport:  {_show(outcome.path / 'report.html')}")
    return 0


def _train(options: argparse.Namespace) -> int:
    print(f"assay train {options.name}", flush=True)
    _store(options.name)
    from flows.train import train

    out = train(options.name, options.version, options.overrides)
    print(f"\nModel and metrics: {_show(out)}")
    return 0


def _report(options: argparse.Namespace) -> int:
    path = _store(options.name).version(options.version) / "report.html"
    print(_show(path))
    if options.open:
        import webbrowser

        webbrowser.open(path.as_uri())
    return 0


def _versions(options: argparse.Namespace) -> int:
    store = _store(options.name)
    current = store.current()
    from flows.telling import describe_version

    for version in store.versions():
        mark = "*" if version == current else " "
        print(f"{mark} {version}  {describe_version(store.published / version)}")
    if current is None:
        print(f"No version yet; publish one with `assay run {options.name}`.")
    return 0


def _rollback(options: argparse.Namespace) -> int:
    store = _store(options.name)
    store.version(options.version)
    with store.lock():
        store.make_current(options.version)
    print(f"{options.name}: current is {options.version}")
    return 0


def _docs(options: argparse.Namespace) -> int:
    print(f"assay docs {options.name}", flush=True)
    _store(options.name)
    from flows.refresh import build_docs

    page = build_docs(options.name)
    print("Great Expectations' pages load their styles from the network; offline they look bare.")
    print(f"Data Docs: {_show(page)}")
    return 0


def _show(path: Path) -> str:
    """Write a path shortly: relative to the current directory where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    sys.exit(main())
