"""Charts of the network: intervals, learning curves, confusion, calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from pipeline.diagnosis.class_findings import find_recall_interval
from pipeline.diagnosis.wording import MINUS, cut, write_count, write_share
from pipeline.report.svg import draw, find_ticks, line, path, place, rect, tag, write

STRIP = 220.0
STRIP_ROW = 30.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 74.0, 10.0, 30.0
PANEL_WIDTH, PANEL_HEIGHT = 420.0, 200.0
MOST_WRITTEN = 12  # classes up to which a confusion matrix has room for numbers


def draw_strip(
    value: float | None,
    low: float | None,
    high: float | None,
    axis: tuple[float, float],
    *,
    title: str,
    kind: str = "",
    zero: bool = False,
) -> Markup:
    """Draw an estimate and its interval on an axis that the rows of a table share.

    Parameters
    ----------
    value, low, high
        The estimate and its interval; None: nothing is drawn.
    axis
        Its ends, in the unit of the value; what lies beyond is an arrow.
    title
        Read out in place of the picture.
    kind
        A CSS class of dot and line.
    zero
        Whether 0 is marked.
    """
    middle = STRIP_ROW / 2
    parts = [line(0, middle, STRIP, middle, "grid")]
    if zero:
        x = place(0.0, *axis, 6, STRIP - 6)
        parts.append(line(x, 0, x, STRIP_ROW, "zero"))
    if value is not None and not axis[0] <= value <= axis[1]:
        right = value > axis[1]
        arrow = "beyond →" if right else "← beyond"
        parts.append(
            write(STRIP - 6 if right else 6, middle + 4, arrow, "tick", "end" if right else "start")
        )
    elif value is not None and low is not None and high is not None:
        start, stop, dot = (
            place(min(max(v, axis[0]), axis[1]), *axis, 6.0, STRIP - 6) for v in (low, high, value)
        )
        parts.append(line(start, middle, stop, middle, f"whisker {kind}".strip()))
        parts.append(tag("circle", cx=dot, cy=middle, r=4.5, class_=f"dot {kind}".strip()))
    return draw(STRIP, STRIP_ROW, title, parts, class_="strip")


def draw_strip_axis(axis: tuple[float, float], *, title: str) -> Markup:
    """Draw the numbers of the axis under a table's strips."""
    parts = []
    for tick in find_ticks(*axis, about=4):
        x = place(tick, *axis, 6, STRIP - 6)
        anchor = "start" if x < 16 else "end" if x > STRIP - 16 else "middle"
        parts += [
            line(x, 0, x, 4, "axis"),
            write(x, 16, f"{tick:g}".replace("-", MINUS), "tick", anchor),
        ]
    return draw(STRIP, 20, title, parts, class_="strip")


def choose_axis(values: Sequence[float | None], *, zero: bool = False) -> tuple[float, float]:
    """Choose an axis that holds all values, with a little room; around zero it is symmetric."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if zero:
        reach = max(abs(low), abs(high), 0.01) * 1.1
        return -reach, reach
    room = max(0.02, 0.08 * (high - low))
    return max(0.0, low - room) if low >= 0 else low - room, min(1.0, high + room)


def draw_curves(
    series: Mapping[str, Sequence[float]], best: int, *, title: str, whole: bool = False
) -> Markup:
    """Draw a value by epoch, one line for each split, the best epoch marked.

    Parameters
    ----------
    best
        The epoch whose weights were kept, from 1; 0 marks none.
    whole
        Whether the axis is to start at zero.
    """
    values = [v for line_ in series.values() for v in line_ if math.isfinite(v)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    low = 0.0 if whole else low - 0.06 * (high - low)
    high = high + 0.06 * (high - low) or low + 1
    epochs = max((len(line_) for line_ in series.values()), default=1)
    right, bottom = PANEL_WIDTH - RIGHT, PANEL_HEIGHT - BOTTOM

    def locate(epoch: int, value: float) -> tuple[float, float]:
        x = place(epoch, 1, epochs, LEFT, right) if epochs > 1 else (LEFT + right) / 2
        return x, place(value, low, high, bottom, TOP)

    parts = [
        _draw_level(tick, locate(1, tick)[1], right) for tick in find_ticks(low, high, about=5)
    ]
    if 1 <= best <= epochs:
        x = locate(best, low)[0]
        parts.append(line(x, TOP, x, bottom, "bound"))
    parts += _draw_epochs(epochs, best, right, bottom)
    ends = []
    for i, (name, line_) in enumerate(series.items()):
        points = [locate(e, v) for e, v in enumerate(line_, 1) if math.isfinite(v)]
        if len(points) == 1:
            parts.append(tag("circle", cx=points[0][0], cy=points[0][1], r=3, class_=f"point-{i}"))
        elif points:
            parts.append(path(points, f"curve-{i}"))
        ends.append((points[-1][1] if points else TOP, f"curve-name-{i}", name))
    parts += _write_ends(ends, right + 6)
    return draw(PANEL_WIDTH, PANEL_HEIGHT, title, parts)


def _draw_level(tick: float, y: float, right: float) -> Markup:
    return line(LEFT, y, right, y, "grid") + write(LEFT - 6, y + 4, f"{tick:g}", "tick", "end")


def _draw_epochs(epochs: int, best: int, right: float, bottom: float) -> list[Markup]:
    """Label the axis of epochs; the best one says so."""
    shown = {1, epochs} | ({best} if 1 <= best <= epochs else set())
    parts = []
    last = -math.inf
    for epoch in sorted(shown, key=lambda e: (e != best, e)):
        x = place(epoch, 1, epochs, LEFT, right) if epochs > 1 else (LEFT + right) / 2
        if abs(x - last) < 70 and epoch != best:
            continue
        last = x if epoch == best else last
        text = f"best: epoch {epoch}" if epoch == best else f"{epoch}"
        parts.append(write(x, bottom + 18, text, "tick", "middle"))
    return parts


def _write_ends(ends: list[tuple[float, str, str]], x: float) -> list[Markup]:
    """Name the lines at their ends, moved apart where they would overlap."""
    parts = []
    last = -math.inf
    for y, kind, name in sorted(ends):
        last = max(y + 4, last + 13)
        parts.append(write(x, last, name, kind))
    return parts


def draw_confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]], *, title: str) -> Markup:
    """Draw rows by true class (down) and predicted class (across), shaded by share of class.

    Parameters
    ----------
    labels
        The classes.
    matrix
        Rows by true class, then by predicted class.
    title
        Read out in place of the picture.
    """
    written = len(labels) <= MOST_WRITTEN
    width, height = (76.0, 42.0) if written else (14.0, 14.0)
    left = 150.0
    top = 40.0 if written else 24.0
    parts = [
        write(left, 12, "predicted →", "tick"),
        write(left - 10, top - 8, "true ↓", "tick", "end"),
    ]
    for i, label in enumerate(labels):
        y = top + i * height
        parts.append(write(left - 10, y + height / 2 + 4, cut(label, 18), "label", "end"))
        if written:
            x = left + (i + 0.5) * width
            parts.append(write(x, top - 8, cut(label, 11), "tick", "middle"))
        parts += _draw_row(matrix[i], i, left, y, (width, height), written, labels)
    frame = rect(left, top, width * len(labels), height * len(labels), "frame")
    size = (left + width * len(labels) + 4, top + height * len(labels) + 4)
    return draw(*size, title, [*parts, frame], class_="fixed")


def _draw_row(
    counts: Sequence[int],
    row: int,
    left: float,
    y: float,
    cell: tuple[float, float],
    written: bool,
    labels: Sequence[str],
) -> list[Markup]:
    total = sum(counts)
    parts = []
    for j, count in enumerate(counts):
        if not count and not (written and row == j):
            continue
        share = count / total if total else 0.0
        x = left + j * cell[0]
        kind = "cell" if row == j else "cell wrong"
        hint = f"{cut(labels[row], 20)} → {cut(labels[j], 20)}: {write_count(count, 'row')}"
        pieces = [
            tag("title", f"{hint}, {write_share(share)} of its class" if total else hint),
            rect(x, y, *cell, kind, fill_opacity=round(0.04 + 0.46 * share, 2)),
        ]
        if written:
            middle = x + cell[0] / 2
            pieces.append(write(middle, y + 19, write_count(count), "strong", "middle"))
            note = write_share(share) if total else "no rows"
            pieces.append(write(middle, y + 33, note, "in-cell", "middle"))
        parts.append(tag("g", *pieces))
    return parts


def draw_calibration(bins: Sequence[tuple[float, float, int]], *, title: str) -> Markup:
    """Draw accuracy by confidence; under it the rows of each bin.

    Parameters
    ----------
    bins
        Mean confidence, accuracy and rows of each bin.
    """
    side, foot = 190.0, 36.0
    left = LEFT + 4
    most = max([rows for *_, rows in bins] or [1])

    def across(value: float) -> float:
        return place(value, 0, 1, left, left + side)

    def up(value: float) -> float:
        return place(value, 0, 1, TOP + side, TOP)

    parts = [line(across(0), up(0), across(1), up(1), "zero")]
    for tick in (0.0, 0.5, 1.0):
        parts.append(line(left, up(tick), left + side, up(tick), "grid"))
        parts.append(write(left - 6, up(tick) + 4, f"{tick:g}", "tick", "end"))
        parts.append(write(across(tick), TOP + side + foot + 22, f"{tick:g}", "tick", "middle"))
    used = [b for b in bins if b[2]]
    base = TOP + side + foot + 8
    for confidence, accuracy, rows in used:
        hint = f"confidence {confidence:.2f}, accuracy {accuracy:.2f}, {write_count(rows, 'row')}"
        bar = max(1.0, foot * rows / most)
        lowest, highest = find_recall_interval(round(accuracy * rows), rows)
        x = across(confidence)
        parts.append(
            tag(
                "g",
                tag("title", hint),
                line(x, up(lowest), x, up(highest), "whisker main"),
                tag("circle", cx=x, cy=up(accuracy), r=4.0, class_="dot"),
                rect(x - 5, base - bar, 10, bar, "raw"),
            )
        )
    parts.append(line(left, base, left + side, base, "axis"))
    parts.append(write(left + side / 2, base + 30, "confidence", "tick", "middle"))
    parts.append(write(left + side + 8, up(1) + 14, "accuracy", "tick"))
    parts.append(write(left + side + 8, base - 6, f"rows (most: {write_count(most)})", "tick"))
    return draw(left + side + 130, base + 36, title, parts)
