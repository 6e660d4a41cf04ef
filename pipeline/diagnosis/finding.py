"""What a reader should know: a finding as data, with its words last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.diagnosis.causes import Cause
from pipeline.targets.results import Difference

Severity = Literal["critical", "warning", "info"]
State = Literal["published", "stopped", "validated"]
ORDER: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that costs accuracy or trust, or is known not to; JSON-ready.

    Attributes
    ----------
    id
        Names the kind of finding, the same in each run, for whoever reads record.json.
    cause
        The cause that it speaks for: a hypothesis, until a change that removes it was measured.
    column, label
        The column or class that it concerns, if it is one.
    figures
        The numbers that it rests on.
    effect
        What the change did for the network, on the same test rows, where that was measured.
    change
        The settings that would change it: values by their names in dataset.yaml.
    title
        What was found, in plain words.
    detail
        The figures in words, and how they were obtained.
    action
        What to do about it; empty where there is nothing to do.
    """

    id: str
    severity: Severity
    cause: Cause | None = field(default=None, kw_only=True)
    column: str | None = field(default=None, kw_only=True)
    label: str | None = field(default=None, kw_only=True)
    figures: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    effect: Difference | None = field(default=None, kw_only=True)
    change: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    title: str
    detail: str
    action: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in a few words.

    Attributes
    ----------
    headline
        One plain sentence.
    state
        'published', 'stopped' by a gate, or 'validated' where only the raw data was judged.
    findings
        Ranked: critical ones first, and in each severity what most probably costs most.
    """

    headline: str
    state: State
    findings: list[Finding]
