"""The few SVG pieces that charts are made of; all text and all attributes are escaped here.

Colours are CSS classes, never values, so that charts follow the page into dark mode and print.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup, escape


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """Make an element; content that is not Markup is escaped, and so are attributes.

    >>> tag("text", "a < b", x=1.25, class_="soft", text_anchor="end")
    Markup('<text x="1.25" class="soft" text-anchor="end">a &lt; b</text>')
    """
    pairs = "".join(
        f' {key if key == "viewBox" else key.rstrip("_").replace("_", "-")}="{_write(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{pairs}>{''.join(map(escape, content))}</{name}>")


def _write(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(escape(value))


def draw(
    width: float, height: float, title: str, parts: Iterable[Markup], **more: object
) -> Markup:
    """Make a picture with an accessible title.

    Parameters
    ----------
    width, height
        In pixels.
    title
        Read out in place of the picture.
    parts
        What is in it, from back to front.
    more
        Further attributes.
    """
    return tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 0 {_write(float(width))} {_write(float(height))}",
        width=float(width),
        height=float(height),
        role="img",
        **more,
    )


def rect(x: float, y: float, width: float, height: float, kind: str, **more: object) -> Markup:
    """Make a rectangle of a CSS class.

    Parameters
    ----------
    x, y, width, height
        Its upper left corner and its size, in pixels; a negative size counts as 0.
    kind
        The CSS class.
    more
        Further attributes.
    """
    return tag(
        "rect", x=x, y=y, width=max(0.0, width), height=max(0.0, height), class_=kind, **more
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Make a line of a CSS class.

    Parameters
    ----------
    x1, y1, x2, y2
        Its ends, in pixels.
    kind
        The CSS class.
    """
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def write(x: float, y: float, text: object, kind: str = "label", anchor: str = "start") -> Markup:
    """Make a text of a CSS class.

    Parameters
    ----------
    x, y
        Where it stands, in pixels; ``y`` is the line that letters stand on.
    text
        What is written.
    kind
        The CSS class.
    anchor
        Which part of the text is at ``x``: start, middle or end.
    """
    return tag(
        "text", text, x=x, y=y, class_=kind, text_anchor=None if anchor == "start" else anchor
    )


def path(points: Iterable[tuple[float, float]], kind: str, *, closed: bool = False) -> Markup:
    """Make a line through points.

    Parameters
    ----------
    points
        In pixels.
    kind
        The CSS class.
    closed
        Whether the last point is joined with the first.
    """
    steps = " L".join(f"{_write(float(x))} {_write(float(y))}" for x, y in points)
    return tag("path", d=f"M{steps}{'Z' if closed else ''}", class_=kind)


def place(value: float, low: float, high: float, start: float, stop: float) -> float:
    """Place a value of an axis between two pixels.

    Parameters
    ----------
    value
        In the axis' unit.
    low, high
        The ends of the axis.
    start, stop
        Their pixels.
    """
    return start + (stop - start) * ((value - low) / (high - low) if high > low else 0.5)


def find_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Find round numbers within an axis.

    >>> find_ticks(0.0, 1.0), find_ticks(0.13, 0.42)
    ([0.0, 0.25, 0.5, 0.75, 1.0], [0.2, 0.3, 0.4])

    Parameters
    ----------
    low, high
        The ends of the axis.
    about
        How many ticks, roughly.
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    rough = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]
