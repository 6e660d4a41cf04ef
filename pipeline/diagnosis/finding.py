"""What a reader is told: a finding, what it rests on, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning", "info"]
ORDER: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that costs accuracy or trust, or is known not to.

    Attributes
    ----------
    title
        What was found, in plain words.
    detail
        The numbers that it rests on, and how they were obtained.
    action
        What to do about it; empty where there is nothing to do.
    """

    severity: Severity
    title: str
    detail: str
    action: str
