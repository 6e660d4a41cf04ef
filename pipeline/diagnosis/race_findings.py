"""What the race between resamplings says, as a finding."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import Finding
from pipeline.diagnosis.wording import METHODS, join_words

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.diagnosis.terms import Terms
    from pipeline.targets.race_facts import RaceFacts


def find_race(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell what the race chose."""
    race = record.race
    if race is not None:
        title = f"{METHODS[race.chosen]} was chosen for the class balance, by a race"
        if race.chosen == "none":
            title = "Nothing was shown to be better than to leave the class balance as it is"
        yield Finding(
            "race",
            "info",
            title,
            explain_race(race),
            "",
            figures={"chosen": race.chosen, "best": race.best, "folds": race.folds},
        )


def explain_race(race: RaceFacts) -> str:
    """Say which method was taken, and why."""
    chosen, best = METHODS[race.chosen], METHODS[race.best]
    if sum(racer.standing is not None for racer in race.racers) < 2:
        return f"Nothing could be compared with it, so the simplest was taken: {chosen}."
    if race.folds < 2:
        return f"A single fold can't tell methods apart, so the simplest was taken: {chosen}."
    if race.chosen == race.best:
        before = takewhile(lambda racer: racer.method != race.chosen, race.racers)
        names = [METHODS[racer.method] for racer in before if racer.end == "worse"]
        worse = [name if name[1].isupper() else name[0].lower() + name[1:] for name in names]
        is_worse = "is simpler, and worse" if len(worse) == 1 else "are simpler, and worse"
        return f"{chosen} scored best" + (f"; {join_words(worse)} {is_worse}." if worse else ".")
    return (
        f"{best} scored best; {chosen} is the simplest that is not significantly worse, "
        "and so was taken."
    )
