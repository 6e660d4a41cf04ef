"""Puts all commands with their options where a page says ``<!-- commands -->``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from sphinx.application import Sphinx

from flows.cli import EPILOG, make_parser

MARK = "<!-- commands -->"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("source-read", insert_commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def insert_commands(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the mark in a page by what the parser knows."""
    del app, page
    if MARK in source[0]:
        source[0] = source[0].replace(MARK, "\n".join(write_commands()))


def write_commands() -> Iterator[str]:
    """Write a heading and a table of arguments for each command."""
    parser = make_parser()
    [added] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    helps = {choice.dest: choice.help or "" for choice in added._choices_actions}
    for name, command in added.choices.items():
        yield f"\n## `assay {name}`\n\n{helps[name][:1].upper()}{helps[name][1:]}.\n"
        for action in sorted(command._actions, key=lambda a: bool(a.option_strings)):
            if action.dest not in ("help", "debug"):
                yield f"`{write_argument(action)}`\n: {action.help or '–'}\n"
    yield f"\n## Exit codes\n\n{' '.join(EPILOG.split()).removeprefix('exit codes: ')}.\n"


def write_argument(action: argparse.Action) -> str:
    """Write an argument as the help does."""
    shown = str(action.metavar or action.dest.upper())
    if not action.option_strings:
        return shown if action.nargs is None else f"[{shown}{' …' if action.nargs == '*' else ''}]"
    option = action.option_strings[-1]
    return option if action.nargs == 0 else f"{option} {shown}"
