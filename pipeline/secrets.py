"""Secrets: named in dataset.yaml as ``${NAME}``, looked up when they are used, shown nowhere.

They come from the environment, or from where ``looking_up`` says (flows: Prefect's blocks). What
was looked up once is taken out of every text that goes through ``hide``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import quote, quote_plus, urlsplit

from pipeline.errors import ConfigError

NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_-]*)\}")
SHORTEST = 4  # shorter values would take letters out of every text

Lookup = Callable[[str], str | None]

_LOOKUP: ContextVar[Lookup] = ContextVar("lookup", default=os.environ.get)
_seen: dict[str, str] = {}


@contextmanager
def looking_up(lookup: Lookup) -> Iterator[None]:
    """Look secrets up by a function as well, after the environment."""
    token = _LOOKUP.set(lambda name: os.environ.get(name) or lookup(name))
    try:
        yield
    finally:
        _LOOKUP.reset(token)


def reveal(text: str, place: str) -> str:
    """Put the values of secrets in the place of their names.

    A value in the midst of a URL is percent-encoded; one that is the whole text stands as it is.

    Parameters
    ----------
    text
        What dataset.yaml says.
    place
        The setting's name, for the message.

    Raises
    ------
    ConfigError
        If a secret is not set, or the text holds a password itself.
    """
    refuse_password(text, place)
    whole = NAME.fullmatch(text)

    def find(match: re.Match[str]) -> str:
        name = match.group(1)
        value = _LOOKUP.get()(name)
        if not value:
            raise ConfigError(
                "config", f"{place} needs the secret {name}, and it is not set",
                f"Set the environment variable {name}, or make a Prefect secret block of that name",
            )  # fmt: skip
        for form in (value, quote(value, safe=""), quote_plus(value)):
            _seen[form] = name
        return value if whole else quote(value, safe="")

    revealed = NAME.sub(find, text)
    if whole:  # a whole URL: its password alone may show up in what a library says
        password = _find_password(revealed)
        if password:
            _seen[password] = whole.group(1)
    return revealed


def hide(text: str) -> str:
    """Take the values of all secrets that were looked up out of a text."""
    for value in sorted(_seen, key=len, reverse=True):
        if len(value) >= SHORTEST and value in text:
            text = text.replace(value, f"${{{_seen[value]}}}")
    return text


def refuse_password(text: str, place: str) -> None:
    """Refuse a URL that holds a password in clear.

    Raises
    ------
    ConfigError
        If it does; the message does not repeat it.
    """
    password = _find_password(text)
    if password and not NAME.search(password):
        raise ConfigError(
            "config", f"{place} holds a password of {len(password)} characters in clear",
            "Put it into the environment, and write its name in the URL: user:${NAME}@host",
        )  # fmt: skip


def _find_password(text: str) -> str | None:
    try:
        return urlsplit(text).password
    except ValueError:
        return None
