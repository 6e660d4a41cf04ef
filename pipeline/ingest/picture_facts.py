"""What is told of pictures; imports nothing heavy, so that ingest's facts can hold it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """How the pictures of a source were read.

    Attributes
    ----------
    height, width, channels
        What each picture was shaped to.
    rules
        Pictures by the rule that was applied to them, say ``palette``.
    set_aside
        The first files that were left out, each with the reason.
    reasons
        Pictures left out, by reason.
    skipped
        Files that are no pictures, by suffix.
    case_clashes
        Files whose names differ from another's in case only.
    sizes
        The commonest native sizes, ``WxH``, with their counts.
    """

    height: int
    width: int
    channels: int
    rules: dict[str, int]
    set_aside: list[tuple[str, str]]
    reasons: dict[str, int]
    skipped: dict[str, int]
    case_clashes: int
    sizes: dict[str, int]


class Unreadable(Exception):
    """A single picture can't be read; it is left out and counted.

    Parameters
    ----------
    reason
        Short and free of figures of this picture alone, so that reasons can be counted.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
