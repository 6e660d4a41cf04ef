"""What reading a source had to guess, and how certain each guess is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Certainty = Literal["certain", "likely", "open"]
CERTAINTIES: tuple[Certainty, ...] = ("certain", "likely", "open")


@dataclass(frozen=True, slots=True)
class Guess:
    """One guess about how a source is written, or what it means.

    Attributes
    ----------
    about
        What was guessed, in a word or two: ``encoding``, ``numbers``, ``dates``.
    column
        The column; None where it is about the whole source.
    reading
        What was taken, as a clause: ``2.993 is read as 2993``.
    alternative
        What else it may be, as a clause; empty where nothing else fits.
    evidence
        What speaks for the reading, as a clause with figures.
    certainty
        ``certain``: nothing in the source speaks against it; ``likely``: used, and told with the
        alternative; ``open``: the source does not say, so ``assay init`` asks.
    change
        The settings that take the alternative.
    lines
        Lines of the source that it is about, counted from 1; a few of them where there are many.
    """

    about: str
    column: str | None
    reading: str
    alternative: str = ""
    evidence: str = ""
    certainty: Certainty = "likely"
    change: Mapping[str, Any] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)

    def describe(self) -> str:
        """Write it as a sentence without a full stop: reading, evidence and alternative."""
        place = f"{self.column}: " if self.column else f"{self.about}: "
        because = f" ({self.evidence})" if self.evidence else ""
        otherwise = f"; otherwise {self.alternative}" if self.alternative else ""
        settings = ", ".join(f"{name}: {value}" for name, value in self.change.items())
        return f"{place}{self.reading}{because}{otherwise}" + (
            f" (set {settings})" if otherwise and settings else ""
        )


@dataclass(frozen=True, slots=True)
class SetAside:
    """A line of the source that is no row.

    Attributes
    ----------
    line
        Counted from 1; 0 where it is not known.
    text
        As it stands, cut.
    reason
        ``width``: another number of cells than the header; ``before``, ``comment``, ``header``,
        ``units``, ``total``, ``footer``.
    """

    line: int
    text: str
    reason: str


def list_uncertain(guesses: Iterable[Guess]) -> list[Guess]:
    """List the guesses that are not certain, the open ones first."""
    told = [guess for guess in guesses if guess.certainty != "certain"]
    return sorted(told, key=lambda guess: -CERTAINTIES.index(guess.certainty))
