"""Telling somebody: a webhook, or a program on this machine, as dataset.yaml declares."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.config.upkeep import Event, NotificationsConfig
from pipeline.secrets import hide, reveal

TIMEOUT_SECONDS = 10.0
PAUSES = (1.0, 3.0)  # before a second and a third try
COMMAND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told of a run.

    Attributes
    ----------
    text
        All of it in a sentence or two; chat programs show it.
    report
        Where the report lies, if there is one.
    """

    event: Event | Literal["test"]
    dataset: str
    message: str
    started: str
    host: str
    version: str | None
    report: str | None
    text: str


def notify(notice: Notice, config: NotificationsConfig, home: Path) -> list[str]:
    """Tell it by each way that is declared.

    Parameters
    ----------
    notice
        What is sent.
    config
        The webhook and the command.
    home
        The project's folder, where the command runs.

    Returns
    -------
    list of str
        What went wrong; a run does not fail for it.
    """
    content = {name: _clean(value) for name, value in asdict(notice).items()}
    problems = []
    if config.webhook:
        problems.append(_post(config.webhook, content))
    if config.command:
        problems.append(_call(config.command, content, home))
    return [hide(problem) for problem in problems if problem]


def _clean(value: Any) -> Any:
    return hide(value) if isinstance(value, str) else value


def _post(webhook: str, content: Mapping[str, Any]) -> str | None:
    import httpx

    from pipeline.errors import ConfigError

    try:
        url = reveal(webhook, "notifications.webhook")
    except ConfigError as error:
        return str(error)
    problem = ""
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        try:
            answer = httpx.post(url, json=content, timeout=TIMEOUT_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            problem = f"notifications: the webhook can't be reached: {error}"
            continue
        if answer.status_code < 400:
            return None
        problem = f"notifications: the webhook answered {answer.status_code}"
        if answer.status_code < 500 and answer.status_code != 429:
            break
    return problem


def _call(command: tuple[str, ...], content: Mapping[str, Any], home: Path) -> str | None:
    try:
        done = subprocess.run(
            command,
            input=json.dumps(content, ensure_ascii=False),
            cwd=home,
            timeout=COMMAND_SECONDS,
            capture_output=True,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return f"notifications: the command {command[0]} failed: {error}"
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return f"notifications: the command {command[0]} ended with {done.returncode}: {said[0]}"
    return None
