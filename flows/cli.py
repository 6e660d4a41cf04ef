"""The command ``assay``."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows import commands

EPILOG = """exit codes: 0 done; 1 stopped by a gate or by what the data lacks; 2 wrong usage,
configuration or source, or the data set is busy (runs.when_busy: refuse); 3 the machine failed
(disk full, no permission, no server), or we did"""


def _read_path(text: str) -> Path:
    """Take a path; a URL is for dataset.yaml."""
    if "://" in text:
        raise argparse.ArgumentTypeError(
            "init reads a file: save what the URL leads to, `assay init FILE`, and then write the "
            "URL into dataset.yaml as `source`"
        )
    return Path(text)


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

    if getattr(options, "allow_outside", False):
        os.environ["ASSAY_ALLOW_OUTSIDE"] = "1"
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code: int = options.run(options)
    except AssayError as error:
        if options.debug:
            raise
        report = getattr(error, "report", None)
        if report is None:
            print(f"\n{error}", file=sys.stderr)
        else:  # the reasons were told already
            print(f"\nNothing was published. Report: {commands.show_path(report)}", file=sys.stderr)
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
        from pipeline.secrets import hide
        from pipeline.storage.disk import explain
        from pipeline.storage.store import find_home

        explained = explain(error, options.command, find_home())
        if explained is not None:
            print(f"\n{explained}", file=sys.stderr)
            return explained.exit_code
        what = hide(f"{type(error).__name__}: {error}")
        print(f"\nan error of ours: {what}", file=sys.stderr)
        print("Run it again with --debug and report what it prints.", file=sys.stderr)
        return 3
    # What is loaded needs no collecting any more; at the exit that costs a second.
    gc.freeze()
    return code


def _interrupt(*_: Any) -> None:
    """Take SIGTERM, which a scheduler or a shutdown sends, for a Ctrl-C: it is cleaned up after."""
    raise KeyboardInterrupt


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="assay",
        description="What is causing my network's low accuracy, and what should I do about it?",
        epilog=EPILOG,
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    added = parser.add_subparsers(dest="command", metavar="COMMAND")

    init = added.add_parser("init", help="infer a data set from your file or folder")
    init.add_argument(
        "source", type=_read_path,
        help="CSV or Parquet, also .gz or .zip, or a folder of them; or pictures: a folder of "
        "class folders, a zip of it, Parquet",
    )  # fmt: skip
    init.add_argument(
        "--target", metavar="COLUMN", help="the column to predict; not needed for class folders"
    )
    init.add_argument("--name", help="the data set's name; left out: from the file's name")
    init.add_argument("--key", metavar="COLUMN", help="a column that names each row")
    init.add_argument("--force", action="store_true", help="write over an earlier declaration")
    init.add_argument(
        "--set", action="append", default=[], metavar="section.key=value", dest="overrides",
        help="what you know of the source, so that it is not guessed; may be repeated",
    )  # fmt: skip
    init.add_argument(
        "--yes", action="store_true", help="take the first reading of what the source leaves open"
    )
    init.set_defaults(run=commands.init)

    suggest = added.add_parser("suggest", help="suggest the suites again, after an edit")
    suggest.add_argument("name", help="the data set")
    suggest.set_defaults(run=commands.suggest)

    settings = added.add_parser("settings", help="list all settings of dataset.yaml")
    settings.add_argument(
        "section", nargs="*", metavar="WORD",
        help="a section, a setting, or words of it, such as cleaning or learning rate; left out: "
        "all",
    )  # fmt: skip
    settings.set_defaults(run=commands.settings)

    validate = added.add_parser("validate", help="judge the raw data, nothing else")
    run = added.add_parser(
        "run", help="the whole refresh: validate, repair, publish, train, report"
    )
    train = added.add_parser("train", help="train the baseline on a published version")
    parser.add_argument(
        "--version", action="store_true", dest="show_version", help="print the version"
    )
    for command, function in (
        (validate, commands.validate),
        (run, commands.run),
        (train, commands.train),
    ):
        command.add_argument("name", help="the data set")
        command.add_argument(
            "--set", action="append", default=[], metavar="section.key=value", dest="overrides",
            help="override dataset.yaml; may be repeated",
        )  # fmt: skip
        command.set_defaults(run=function)
    run.add_argument("--prefect", action="store_true", help="as a Prefect flow run")

    report = added.add_parser("report", help="print where a version's report is")
    report.add_argument("--open", action="store_true", help="open it in a browser")
    for command in (report, train):
        command.add_argument("--version", help="left out: the current one")
    versions = added.add_parser("versions", help="list the published versions")
    rollback = added.add_parser("rollback", help="make an earlier version current")
    docs = added.add_parser("docs", help="build Great Expectations' Data Docs")
    for command, function in (
        (report, commands.report), (versions, commands.versions),
        (rollback, commands.rollback), (docs, commands.docs),
    ):  # fmt: skip
        command.add_argument("name", help="the data set")
        command.set_defaults(run=function)
    rollback.add_argument("version", help="see `assay versions NAME`")
    _add_upkeep(added)
    for command in added.choices.values():  # --debug may stand behind the command too
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS,
                             help="show tracebacks")  # fmt: skip
    by_name = added.choices
    for command in (init, suggest, validate, run, train, docs, by_name["serve"], by_name["deploy"]):
        command.add_argument(
            "--allow-outside", action="store_true",
            help="let the source lie outside of the project, as ASSAY_ALLOW_OUTSIDE=1 does",
        )  # fmt: skip
    return parser


def _add_upkeep(added: Any) -> None:
    """Describe the commands of the unattended life."""
    verify = added.add_parser("verify", help="compare a version with what was published")
    pin = added.add_parser("pin", help="keep a version for good")
    notify = added.add_parser("notify", help="try the notifications that dataset.yaml declares")
    for command, function in (
        (verify, commands.verify), (pin, commands.pin), (notify, commands.notify),
    ):  # fmt: skip
        command.add_argument("name", help="the data set")
        command.set_defaults(run=function)
    verify.add_argument("version", nargs="?", help="left out: the current one")
    verify.add_argument("--all", action="store_true", help="all versions")
    pin.add_argument("version", help="see `assay versions NAME`")
    pin.add_argument("--release", action="store_true", help="leave it to retention.keep again")

    serve = added.add_parser(
        "serve", help="a Prefect server, a worker and all deployments on this machine, until Ctrl-C"
    )
    serve.add_argument("--port", type=int, default=4200, help="of the server; default 4200")
    serve.set_defaults(run=commands.serve)
    deploy = added.add_parser("deploy", help="register deployments at a Prefect server")
    deploy.add_argument("names", nargs="*", metavar="NAME", help="data sets; left out: all")
    deploy.add_argument("--pool", default="assay", help="the work pool; default assay")
    deploy.set_defaults(run=commands.deploy)


if __name__ == "__main__":
    sys.exit(main())
