"""Contact sheets as data: what a person should look at, small enough for the report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture as a data URI, its words, its file, and its size on the page in pixels."""

    image: str
    caption: str
    file: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Strip:
    """Pictures that belong together, with a name."""

    name: str
    tiles: list[Tile]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A contact sheet.

    Attributes
    ----------
    how
        How the pictures were chosen.
    """

    title: str
    how: str
    strips: list[Strip]
