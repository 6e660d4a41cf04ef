"""Cross-validation of the network on the training split, every stage fitted inside its fold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.experiments.trials import Variant, load_outcome, run_fold, start_trainers
from pipeline.features.layout import load_layout
from pipeline.runs.run import Fold, Run
from pipeline.steps.trial import plan_work
from pipeline.storage.store import FACTS, Address, dump_json
from pipeline.targets.class_metrics import measure
from pipeline.targets.race_facts import RaceFacts
from pipeline.targets.results import FoldScore

if TYPE_CHECKING:
    from pipeline.training.client import OnEpoch, Trainer

NAME = "network"


def cross_validate(
    run: Run,
    rows: Address,
    assignment: Address,
    features: Address,
    race: Address | None = None,
    trainer: Trainer | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Address:
    """Train on all folds but one, and measure on that one, for each of ``training.folds``.

    Parameters
    ----------
    rows, assignment, features
        What ``ingest``, ``split`` and ``encode`` made.
    race
        What chose the resampling, if a race did.
    """
    folds = run.config.training.folds

    def make(out: Path) -> None:
        method = run.config.resampling.method if race is None else race.facts(RaceFacts).chosen
        variant = Variant(NAME, {"resampling.method": method})
        classes = load_layout(features.path).classes
        work = plan_work(rows, assignment)
        scores = []
        with start_trainers(run, trainer, networks=1) as trainers:
            for number in range(folds):
                tried = run_fold(
                    run,
                    [variant],
                    Fold(number, folds),
                    work,
                    trainers,
                    seed=run.draw_seed,
                    tell=_title(number, on_progress),
                )
                outcome = load_outcome(tried, NAME, classes)
                values = measure(outcome.labels, outcome.probabilities, outcome.predicted)
                defined = {name: value for name, value in values.items() if not np.isnan(value)}
                scores.append(FoldScore(number + 1, len(outcome.labels), defined))
        dump_json(out / FACTS, scores)

    return run.build("cross_validate", make)


def _title(
    number: int, on_progress: Callable[[str, int, int], None] | None
) -> Callable[[str], OnEpoch | None]:
    """Make what tells of the epochs of a fold."""

    def tell(name: str) -> OnEpoch | None:
        del name
        if on_progress is None:
            return None
        return lambda epoch, epochs: on_progress(f"Network, fold {number + 1}", epoch, epochs)

    return tell
