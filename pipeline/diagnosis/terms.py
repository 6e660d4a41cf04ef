"""How findings speak of the rows of a modality, and what they advise about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import Finding

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord

Rule = Callable[["RunRecord", "Terms"], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Terms:
    """The words and the advice that differ from modality to modality.

    Attributes
    ----------
    inputs
        What the network sees of a row.
    conflict
        That one row, and several, are like a row with another label; each goes after a count.
    leak
        What it means that a column gives the label away, and what to do about it.
    drops_columns
        Whether leaving a column out changes what the network sees.
    tuning
        Settings of the network that are worth a try before others.
    likely, unlikely
        Rules of this modality alone: those that come before the imbalance of classes, and those
        that come near the end.
    """

    inputs: str
    conflict: tuple[str, str]
    leak: tuple[str, str]
    drops_columns: bool
    tuning: str
    likely: tuple[Rule, ...] = ()
    unlikely: tuple[Rule, ...] = ()


ROWS = Terms(
    inputs="features",
    conflict=(
        "row has the features of another row, but another label",
        "rows have the features of another row, but another label",
    ),
    leak=(
        "If the feature is not known at prediction time, every score below is too good.",
        "Ask whether its value is known before the label is. If not, add it to "
        "cleaning.drop_columns.",
    ),
    drops_columns=True,
    tuning="training.hidden, encoding.scaling",
)
