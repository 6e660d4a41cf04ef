"""Charts of the data: shares, histograms, categories, classes, seconds."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from markupsafe import Markup

from pipeline.diagnosis.wording import cut, write_count, write_number, write_seconds, write_share
from pipeline.report.svg import draw, line, path, rect, tag, write

WIDTH = 264.0
PLOT = 84.0
ROW = 26.0
MOST_CATEGORIES = 6


def draw_share(raw: float, repaired: float | None, title: str) -> Markup:
    """Draw the share of rows before repair, and the share after it upon that.

    Parameters
    ----------
    raw, repaired
        Shares from 0 to 1; None where nothing is known after repair.
    title
        Read out in place of the picture.
    """
    parts = [rect(0.0, 3.0, 140.0, 10.0, "track"), rect(0.0, 3.0, 140.0 * raw, 10.0, "raw")]
    if repaired:
        parts.append(rect(0.0, 3.0, 140.0 * repaired, 10.0, "repaired"))
    return draw(140, 16, title, parts)


def draw_histogram(
    edges: Sequence[float],
    raw: Sequence[int],
    repaired: Sequence[int],
    bounds: tuple[float | None, float | None],
    *,
    title: str,
    log_scale: bool = False,
    dates: bool = False,
) -> Markup:
    """Draw raw rows as an area and repaired rows as an outline over shared bins.

    Every bin has the same width on paper, also where the edges are logarithmic; bounds that lie
    beyond all values are left out.

    Parameters
    ----------
    edges
        Of the bins, one more than there are bins.
    raw, repaired
        Rows in each bin; none after repair: no outline.
    bounds
        What counts as no outlier, in the column's unit; None: no bound.
    title
        Read out in place of the picture.
    log_scale
        Whether the edges are logarithmic.
    dates
        Whether the edges are days since 1970.
    """
    top = max([*raw, *repaired, 1])
    parts = [_draw_steps(raw, top, "area-raw", closed=True)]
    if repaired:
        parts.append(_draw_steps(repaired, top, "line-repaired", closed=False))
    parts.append(line(0.0, PLOT, WIDTH, PLOT, "axis"))
    for bound in bounds:
        if bound is not None and edges[0] < bound < edges[-1]:
            x = _find_position(bound, edges, log_scale) * WIDTH / (len(edges) - 1)
            parts.append(line(x, 4.0, x, PLOT, "bound"))
    parts += _draw_edges(edges, dates)
    return draw(WIDTH, PLOT + 18, title, parts)


def _draw_steps(counts: Sequence[int], top: int, kind: str, *, closed: bool) -> Markup:
    step = WIDTH / max(1, len(counts))
    points = [(0.0, PLOT)]
    for i, count in enumerate(counts):
        # A bin that holds a row at all is seen: at least one pixel high.
        y = PLOT - (max(1.0, (PLOT - 6) * count / top) if count else 0.0)
        points += [(i * step, y), ((i + 1) * step, y)]
    return path([*points, (WIDTH, PLOT)], kind, closed=closed)


def _find_position(value: float, edges: Sequence[float], log_scale: bool) -> float:
    """Find where a value lies, in bins from the left."""
    i = max(0, min(len(edges) - 2, bisect.bisect_right(edges, value) - 1))
    low, high = edges[i], edges[i + 1]
    if log_scale and low > 0:
        return i + math.log(value / low) / math.log(high / low)
    return i + (value - low) / (high - low)


def _draw_edges(edges: Sequence[float], dates: bool) -> list[Markup]:
    """Label the first, the middle and the last edge."""
    places = [(0, "start"), (len(edges) // 2, "middle"), (len(edges) - 1, "end")]
    if len(edges) < 5:
        places = [places[0], places[2]]
    step = WIDTH / (len(edges) - 1)
    return [
        write(i * step, PLOT + 14, _write_edge(edges[i], dates), "tick", anchor)
        for i, anchor in places
    ]


def _write_edge(value: float, dates: bool) -> str:
    if not dates:
        return _shorten(value)
    try:
        return (date(1970, 1, 1) + timedelta(days=value)).isoformat()
    except OverflowError:
        return _shorten(value)


def _shorten(value: float) -> str:
    """Write an axis label: three digits tell where a bin is."""
    return write_number(float(f"{value:.3g}"))


def draw_categories(
    labels: Sequence[str], raw: Sequence[int], repaired: Sequence[int], *, title: str
) -> Markup:
    """Draw rows by category, raw over repaired; the rarer ones are added up.

    Parameters
    ----------
    labels
        The categories, the most frequent first.
    raw, repaired
        Rows of each; none after repair: no second bar.
    title
        Read out in place of the picture.
    """
    names, before, after = list(labels), list(raw), list(repaired)
    if len(names) > MOST_CATEGORIES + 1:
        rest = len(names) - MOST_CATEGORIES
        # The last label may already stand for several.
        names = [*names[:MOST_CATEGORIES], "all others" if "(other)" in names else f"{rest} others"]
        before = [*before[:MOST_CATEGORIES], sum(before[MOST_CATEGORIES:])]
        after = [*after[:MOST_CATEGORIES], sum(after[MOST_CATEGORIES:])] if after else []
    top = max([*before, *after, 1])
    parts: list[Markup] = []
    height = 20.0
    for i, name in enumerate(names):
        y = i * height
        parts.append(write(92, y + 12, cut(name, 14), "tick", "end"))
        parts.append(rect(98, y + 3, 116 * before[i] / top, 6, "raw"))
        if after:
            parts.append(rect(98, y + 10, 116 * after[i] / top, 4, "repaired"))
        length = 116 * max(before[i], after[i] if after else 0) / top
        parts.append(
            write(102 + length, y + 12, write_count(after[i] if after else before[i]), "tick")
        )
    return draw(WIDTH, max(1, len(names)) * height + 4, title, parts)


def draw_classes(series: Mapping[str, Mapping[str, int]], *, title: str) -> Markup:
    """Draw the share of each class at each step, one step under the other.

    Parameters
    ----------
    series
        Rows by step and class; the first step names the classes.
    """
    steps = list(series.items())
    classes = list(steps[0][1])
    totals = {name: sum(counts.values()) for name, counts in steps}
    top = max(
        (c / totals[n] for n, counts in steps for c in counts.values() if totals[n]), default=1
    )
    height = 13.0 * len(steps) + 14
    parts = []
    for i, label in enumerate(classes):
        y = i * height
        parts.append(write(112, y + 6.5 * len(steps) + 4, cut(label, 15), "label", "end"))
        for j, (name, counts) in enumerate(steps):
            count = counts.get(label, 0)
            share = count / totals[name] if totals[name] else 0.0
            length = 170 * share / top
            hint = f"{name}: {write_count(count, 'row')}, {write_share(share)}"
            bar = rect(120, y + 13 * j, max(length, 1 if count else 0), 9, f"step-{j}")
            parts.append(tag("g", tag("title", hint), bar))
            text = f"{write_count(count)} · {write_share(share)}"
            parts.append(write(126 + length, y + 13 * j + 8, text, "tick"))
    return draw(400, max(1.0, len(classes) * height), title, parts)


def draw_seconds(seconds: Mapping[str, float], *, title: str) -> Markup:
    """Draw the wall time of each stage."""
    top = max([*seconds.values(), 1e-9])
    parts = []
    for i, (name, taken) in enumerate(seconds.items()):
        y = i * ROW
        parts.append(write(132, y + 15, cut(name, 20), "label", "end"))
        parts.append(rect(140, y + 5, max(1.0, 180 * taken / top), 12, "repaired"))
        text = write_seconds(taken) if taken else "reused"
        parts.append(write(146 + 180 * taken / top, y + 15, text, "tick"))
    return draw(400, max(1.0, len(seconds) * ROW), title, parts)
