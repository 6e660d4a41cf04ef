"""What the page draws: charts with the words and numbers that stand beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from pipeline.diagnosis.network_findings import find_score
from pipeline.diagnosis.wording import (
    MODELS,
    cut,
    read_difference,
    write_count,
    write_interval,
    write_share,
    write_signed,
)
from pipeline.report.charts import draw_categories, draw_classes, draw_histogram, draw_share
from pipeline.report.network_charts import (
    choose_axis,
    draw_calibration,
    draw_confusion,
    draw_curves,
    draw_strip,
    draw_strip_axis,
)
from pipeline.targets.metric_names import LOWER_IS_BETTER, MAIN
from pipeline.targets.metric_names import TITLES as TITLES

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.targets.results import Difference, TrainingFacts
    from pipeline.validation.column_profiles import ColumnProfile

MOST_SHOWN = 24  # small multiples before the rest is folded away


@dataclass(frozen=True, slots=True)
class Gap:
    """The missing values of one column; ``left`` is None for a column that was dropped."""

    name: str
    raw: float
    rows: int
    left: int | None
    bar: Markup
    tokens: list[tuple[str, int]]
    unparsable: int


@dataclass(frozen=True, slots=True)
class ColumnChart:
    """A chart with its name and caption."""

    name: str
    chart: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Portraits that are shown, or folded away behind a line that says what they are."""

    items: list[ColumnChart]
    hidden: bool
    what: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table with a strip: an estimate and its interval."""

    name: str
    metric: str
    strip: Markup
    text: str
    reading: str = ""
    mark: str = ""
    kind: str = ""

    @property
    def against(self) -> str:
        """The learner that the network is compared with."""
        return self.name


@dataclass(frozen=True, slots=True)
class Strips:
    """Rows of strips over one axis; ``turned`` if some were mirrored."""

    rows: list[Row]
    axis: Markup
    turned: bool = False


def list_gaps(record: RunRecord) -> list[Gap]:
    """List the columns with missing values, the emptiest first."""
    seen = {column.name: column for column in record.ingest.columns}
    gaps = []
    for profile in record.profiles:
        if not profile.missing_raw or not profile.rows:
            continue
        share = profile.missing_raw / profile.rows
        left = profile.missing_repaired
        facts = seen.get(profile.name)
        title = f"{cut(profile.name)}: {write_share(share)} missing in the raw data"
        tokens = sorted(facts.tokens.items(), key=lambda item: -item[1]) if facts else []
        gaps.append(
            Gap(
                profile.name,
                share,
                profile.missing_raw,
                left,
                draw_share(share, left / profile.rows if left else None, title),
                tokens,
                facts.unparsable if facts else 0,
            )
        )
    return sorted(gaps, key=lambda gap: -gap.raw)


def draw_columns(record: RunRecord) -> list[Gallery]:
    """Draw the columns: those that repair changed first, the others folded away."""
    drawn = [p for p in record.profiles if (p.edges or p.labels) and p.role != "target"]
    # Rows that were left out lower all counts; only a repaired or imputed value changes a column.
    touched = {change.column for change in record.cleaning.changes} if record.cleaning else set()
    touched |= set(record.imputation.filled) if record.imputation else set()
    changed = [p for p in drawn if p.repaired and p.name in touched]
    same = [p for p in drawn if p.repaired and p.name not in touched]
    rest = [p for p in drawn if not p.repaired]
    groups = [
        (changed, False, "whose values repair changed"),
        (same, True, "whose values repair left as they were"),
        (rest, record.cleaning is not None, "left out of learning"),
    ]
    galleries = []
    for profiles, hidden, what in groups:
        shown = profiles if hidden else profiles[:MOST_SHOWN]
        galleries.append(Gallery([_draw_portrait(p) for p in shown], hidden, what))
        if not hidden and profiles[MOST_SHOWN:]:
            more = [_draw_portrait(p) for p in profiles[MOST_SHOWN:]]
            galleries.append(Gallery(more, True, "more"))
    return [gallery for gallery in galleries if gallery.items]


def _draw_portrait(profile: ColumnProfile) -> ColumnChart:
    title = f"{cut(profile.name)}: distribution of {profile.role} values"
    caption = [profile.role]
    if profile.edges:
        chart = draw_histogram(
            profile.edges,
            profile.raw,
            profile.repaired,
            (profile.low, profile.high),
            title=title,
            log_scale=profile.log_scale,
            dates=profile.role == "datetime",
        )
        caption += ["logarithmic scale"] if profile.log_scale else []
        caption.append(f"tallest bin {write_count(max([*profile.raw, *profile.repaired]), 'row')}")
    else:
        chart = draw_categories(profile.labels, profile.raw, profile.repaired, title=title)
        caption += ["rows after repair"] if profile.repaired else []
    caption += (
        [f"{write_share(profile.missing_raw, profile.rows)} missing"] if profile.missing_raw else []
    )
    return ColumnChart(profile.name, chart, " · ".join(caption))


def draw_class_steps(counts: dict[str, dict[str, int]]) -> tuple[Markup, list[str]]:
    """Draw the class balance of all rows, of training, and of training after resampling."""
    wanted = ("all labelled rows", "train", "train, resampled")
    steps = {name: counts[name] for name in wanted if name in counts}
    return draw_classes(steps, title="Rows and share of each class at each step"), list(steps)


def compare_learners(training: TrainingFacts) -> Strips:
    """Lay the balanced accuracies of all learners over one axis."""
    known = [(score, score.metrics[MAIN]) for score in training.scores if MAIN in score.metrics]
    axis = choose_axis([v for _, i in known for v in (i.value, i.low, i.high)])
    rows = []
    for score, interval in known:
        name = MODELS.get(score.name, score.title)
        text = write_interval(interval)
        kind = "main" if score.name == "network" else ""
        strip = draw_strip(
            interval.value, interval.low, interval.high, axis, title=f"{name}: {text}", kind=kind
        )
        rows.append(Row(name, TITLES[MAIN], strip, text))
    return Strips(rows, draw_strip_axis(axis, title=TITLES[MAIN]))


def draw_forest(training: TrainingFacts) -> Strips:
    """Lay the paired differences over one axis, right of zero where the network is better."""
    turned = any(d.metric in LOWER_IS_BETTER for d in training.differences)
    order = [name for name in MODELS if name != "network"]
    metrics = list(TITLES)
    differences = sorted(
        training.differences,
        key=lambda d: (
            order.index(d.against) if d.against in order else len(order),
            metrics.index(d.metric) if d.metric in metrics else len(metrics),
        ),
    )
    # The majority class is far below a useful network; on its scale other intervals would be dots.
    peers = [d for d in differences if d.against != "majority"] or differences
    axis = choose_axis([v for d in peers for v in _turn(d)], zero=True)
    rows = [_draw_difference(difference, axis) for difference in differences]
    return Strips(rows, draw_strip_axis(axis, title="Difference"), turned)


def _turn(difference: Difference) -> tuple[float | None, float | None, float | None]:
    interval = difference.interval
    if difference.metric not in LOWER_IS_BETTER:
        return interval.value, interval.low, interval.high
    return tuple(None if v is None else -v for v in (interval.value, interval.high, interval.low))  # type: ignore[return-value]


def _draw_difference(difference: Difference, axis: tuple[float, float]) -> Row:
    reading = read_difference(difference)
    marks = {"better": ("▲", "good"), "worse": ("▼", "bad")}
    mark, kind = marks.get(reading, ("○", ""))
    name = MODELS.get(difference.against, difference.against)
    text = write_signed(difference.interval)
    metric = TITLES.get(difference.metric, difference.metric)
    strip = draw_strip(
        *_turn(difference),
        axis,
        title=f"{metric}, network minus {name}: {text}",
        kind=kind,
        zero=True,
    )
    words = {"better": "network is better", "worse": "network is worse"}
    return Row(name, metric, strip, text, words.get(reading, reading), mark, kind)


def draw_history(training: TrainingFacts) -> list[ColumnChart]:
    """Draw loss and accuracy by epoch; the learning rate too, if it moves."""
    history = training.history
    best = training.best_epoch
    curves = []
    for name, title in (("loss", "Loss"), ("accuracy", "Accuracy")):
        series = {"training": history.get(name, []), "validation": history.get(f"val_{name}", [])}
        series = {key: values for key, values in series.items() if values}
        if series:
            chart = draw_curves(series, best, title=f"{title} by epoch; best epoch {best}")
            curves.append(ColumnChart(title, chart, ""))
    rates = history.get("learning_rate", [])
    if rates and any(not math.isclose(rate, rates[0]) for rate in rates):
        chart = draw_curves({"rate": rates}, best, title="Learning rate by epoch", whole=True)
        curves.append(ColumnChart("Learning rate", chart, ""))
    return curves


def draw_network_confusion(training: TrainingFacts) -> Markup:
    """Draw the network's confusion matrix."""
    score = find_score(training, "network")
    if score is None:
        return Markup("")
    title = f"Confusion matrix of {write_count(len(training.classes), 'class', 'classes')}"
    return draw_confusion(training.classes, score.confusion, title=title)


def draw_network_calibration(training: TrainingFacts) -> Markup:
    """Draw the network's calibration; nothing where it was not measured."""
    score = find_score(training, "network")
    if score is None or not score.calibration:
        return Markup("")
    bins = [(b.confidence, b.accuracy, b.rows) for b in score.calibration]
    return draw_calibration(bins, title="Accuracy by confidence")
