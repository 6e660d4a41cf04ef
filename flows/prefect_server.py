"""The Prefect server that a command is to speak to."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from pipeline.errors import ConfigError, MachineError
from pipeline.secrets import hide

TIMEOUT_SECONDS = 10.0


def find_api() -> str:
    """Find the address of the server's API: PREFECT_API_URL, or what Prefect's profile says.

    Raises
    ------
    ConfigError
        If none is set.
    """
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        from prefect.settings import get_current_settings

        url = get_current_settings().api.url
    if not url:
        raise ConfigError(
            "prefect", "no Prefect server is named: PREFECT_API_URL is not set",
            "Start one with `assay serve`, and set PREFECT_API_URL to what it prints",
        )  # fmt: skip
    return url


def find_prefect() -> str:
    """Say how the command prefect of this environment is called from here."""
    command = Path(sys.executable).with_name("prefect")
    with suppress(ValueError):
        return str(command.relative_to(Path.cwd()))
    return str(command)


def reach_server() -> None:
    """See that the server answers, if one is named.

    Raises
    ------
    MachineError
        If it does not.
    """
    try:
        url = find_api()
    except ConfigError:
        return  # Prefect starts one of its own for the run
    problem = probe(url)
    if problem is not None:
        raise MachineError(
            "prefect", f"the server at {hide(url)} can't be reached: {problem}",
            "Start it (`assay serve`), correct PREFECT_API_URL, or unset it to run without one",
        )  # fmt: skip


def probe(url: str) -> str | None:
    """Ask a server how it is; return what is wrong with it, or None."""
    import httpx

    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    if answer.status_code == 401:
        return None  # it is there; the client sends what PREFECT_API_AUTH_STRING says
    return None if answer.status_code < 400 else f"it answers {answer.status_code}"
