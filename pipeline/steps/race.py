"""Choose a resampling by a race on folds of the training split.

A fold that was run stays until the end of the run, so a race that was killed goes on from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.experiments.race_course import Course, OnProgress
from pipeline.experiments.trials import start_trainers
from pipeline.features.layout import load_layout
from pipeline.resampling.balance import refuse_unknown_counts
from pipeline.runs.run import Run
from pipeline.splitting.split_facts import SplitFacts
from pipeline.steps.trial import plan_work
from pipeline.storage.store import FACTS, Address, dump_json
from pipeline.targets.resamplings import list_raced

if TYPE_CHECKING:
    from pipeline.config.settings import Resampling
    from pipeline.training.client import Trainer


def race(
    run: Run,
    rows: Address,
    assignment: Address,
    features: Address,
    trainer: Trainer | None = None,
    on_progress: OnProgress | None = None,
) -> Address:
    """Choose a resampling by cross-validation on the training split, with the baseline network.

    Parameters
    ----------
    rows, assignment, features
        What ``ingest``, ``split`` and ``encode`` made.
    trainer
        A training process that was started earlier.
    on_progress
        Called with what is trained, the epoch from 1, and the most there can be.
    """

    def make(out: Path) -> None:
        refuse_unknown_counts(run.config.resampling, load_layout(features.path).classes)
        # Thresholds are moved on the network of the plain rows.
        networks = len([name for name in list_methods(run, features) if name != "threshold"])
        with start_trainers(run, trainer, networks) as trainers:
            course = start_course(run, rows, assignment, features, trainers, on_progress)
            dump_json(out / FACTS, course.finish())

    return run.build("race", make)


def start_course(
    run: Run,
    rows: Address,
    assignment: Address,
    features: Address,
    trainers: list[Trainer],
    on_progress: OnProgress | None = None,
) -> Course:
    """Bring a race to its start.

    Parameters
    ----------
    run
        The run.
    rows, assignment, features
        Outputs of ingest, split and encode.
    trainers
        Processes that train; each trains one network at a time.
    on_progress
        Called with what is trained, and its epochs.
    """
    return Course(
        run,
        sum(assignment.facts(SplitFacts).counts["train"].values()),
        list_methods(run, features),
        load_layout(features.path).classes,
        plan_work(rows, assignment),
        trainers,
        on_progress,
    )


def list_methods(run: Run, features: Address) -> list[Resampling]:
    """List the methods that are to be raced, simplest first."""
    own = run.modality.resamplings(features.path)
    return list_raced(run.config.resampling, run.config.training, own)
