"""What a trial is made of: the steps that prepare the features of a fold and resample them."""

from __future__ import annotations

from pathlib import Path

from pipeline.experiments.trials import Work
from pipeline.resampling.balance import ResamplingFacts
from pipeline.runs.run import Run
from pipeline.steps.folds import encode_fold
from pipeline.steps.resample import fill_resampled
from pipeline.storage.store import FACTS, Address, load_facts


def plan_work(rows: Address, assignment: Address) -> Work:
    """Tell trials how the features of a fold are made.

    Parameters
    ----------
    rows, assignment
        What the steps of ingest and of the split made of the whole run.
    """

    def resample(run: Run, features: Address, out: Path) -> ResamplingFacts:
        fill_resampled(run, features, out)
        return load_facts(out / FACTS, ResamplingFacts)

    return Work(lambda run: encode_fold(run, rows, assignment), resample)
