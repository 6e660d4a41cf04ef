"""The race between resamplings as a table with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from pipeline.diagnosis.race_findings import explain_race
from pipeline.diagnosis.wording import (
    METHODS,
    NBSP,
    write_count,
    write_interval,
    write_seconds,
    write_share,
    write_signed,
)
from pipeline.evaluation.bootstrap import Interval
from pipeline.report.network_charts import choose_axis, draw_strip, draw_strip_axis
from pipeline.targets.metric_names import IN_RACE, RACE_SCORES, TITLES

if TYPE_CHECKING:
    from pipeline.targets.race_facts import RaceFacts, Racer

UNKNOWN = Interval(None, None, None)


@dataclass(frozen=True, slots=True)
class RaceRow:
    """One method's race.

    Attributes
    ----------
    strip
        Its score minus the best one's, with the interval.
    kind
        ``good`` for the chosen one, ``bad`` for one that is significantly worse, else empty.
    """

    name: str
    result: str
    mark: str
    kind: str
    strip: Markup
    gap: str
    score: str
    metrics: list[str]
    folds: int
    rows: str
    seconds: str


@dataclass(frozen=True, slots=True)
class RaceTable:
    """The race as a table, with what stands above and below it."""

    lead: str
    metrics: list[str]
    rows: list[RaceRow]
    axis: Markup
    how: str
    notes: list[str]


def tabulate_race(race: RaceFacts) -> RaceTable:
    """Lay out a race, the simplest method first."""
    turned = {racer.method: _turn(racer.standing.behind) for racer in race.racers if racer.standing}
    values = [v for gap in turned.values() for v in (gap.value, gap.low, gap.high)]
    axis = choose_axis([0.0, *values])
    return RaceTable(
        explain_race(race),
        [TITLES[name] for name in IN_RACE],
        [_make_row(racer, race, turned.get(racer.method), axis) for racer in race.racers],
        draw_strip_axis(axis, title="Score minus that of the best method"),
        _tell_how(race),
        race.notes,
    )


def _turn(behind: Interval) -> Interval:
    value, low, high = behind.value, behind.low, behind.high
    return Interval(*(None if v is None else -v for v in (value, high, low)))


def _make_row(
    racer: Racer, race: RaceFacts, gap: Interval | None, axis: tuple[float, float]
) -> RaceRow:
    name, standing = METHODS[racer.method], racer.standing
    result, mark, kind = {
        "chosen": ("chosen", "✓", "good"),
        "as good": ("not told apart from the best", "○", ""),
        "worse": (_date("worse", racer, race), "▼", "bad"),
        "dropped": (_date("dropped", racer, race), "·", ""),
        "idle": ("does what a simpler one does", "·", ""),
        "impossible": (f"not possible: {racer.reason}", "!", ""),
    }[racer.end]
    strip = Markup("")
    if gap is not None:
        title = f"{name}, minus the best: {write_signed(gap)}"
        strip = draw_strip(gap.value, gap.low, gap.high, axis, title=title, kind=kind, zero=True)
    best = racer.method == race.best
    return RaceRow(
        name,
        result,
        mark,
        kind,
        strip,
        "" if gap is None else "best" if best else write_signed(gap),
        "" if standing is None else write_interval(standing.score),
        [write_interval(standing.metrics.get(m, UNKNOWN)) for m in IN_RACE] if standing else [],
        racer.folds,
        write_count(racer.rows) if racer.rows else "",
        write_seconds(racer.seconds) if racer.seconds else "",
    )


def _date(what: str, racer: Racer, race: RaceFacts) -> str:
    return what if racer.folds == race.folds else f"{what} after fold {racer.folds}"


def _tell_how(race: RaceFacts) -> str:
    sure = 100 * (1 - race.significance)
    one = {"none", "threshold"} <= {racer.method for racer in race.racers}
    shared = "No resampling and threshold moving are one network, decided by in two ways. "
    return (
        f"Cross-validation on {write_count(race.rows, 'training row')}, {race.folds} of "
        f"{race.planned} folds, everything fitted within the fold; the baseline network was asked "
        "about the rows held out, with all methods on the same folds and seeds. Score: "
        f"{RACE_SCORES[race.score]}. Minus the best: {sure:.0f}{NBSP}% intervals, wide enough for "
        "the choice among all methods that were left, and for what differs from fold to fold. "
        f"After each fold the worse half is dropped, until two networks are left: {race.fits} of "
        f"{race.all_fits} networks trained, on "
        f"{write_share(race.rows_trained, race.all_rows)} of the rows that all would have taken, "
        f"in {write_seconds(race.seconds)}. {shared if one else ''}Probabilities are corrected to "
        f"the class shares before resampling. Seed {race.seed}."
    )
