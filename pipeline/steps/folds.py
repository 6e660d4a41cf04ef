"""Features of one fold of the training split, every stage fitted inside the fold."""

from __future__ import annotations

from pathlib import Path

from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import Run
from pipeline.splitting.assignment import hold_out_fold, thin_out
from pipeline.steps.clean import clean
from pipeline.steps.encode import encode
from pipeline.steps.impute import impute
from pipeline.storage.parts import read_all, read_frame, write_frame
from pipeline.storage.store import Address


def encode_fold(run: Run, rows: Address, assignment: Address) -> Address:
    """Make features of the fold that a run is derived for, not yet resampled.

    Parameters
    ----------
    run
        See ``Run.vary``.
    rows, assignment
        What the steps of ingest and of the split made of the whole run.
    """
    fold, seed = run.fold, run.config.seed
    assert fold is not None

    def make(out: Path) -> None:
        target = rows.facts(IngestFacts).schema.target
        assigned = read_frame(assignment.path / "assignment.parquet")
        labels = read_all(rows.path, [target])[target]
        if fold.most is not None:
            assigned = thin_out(assigned, labels, fold.most, seed=seed)
        held_out = hold_out_fold(assigned, labels, fold.number, fold.of, seed=seed)
        write_frame(out / "assignment.parquet", held_out)

    cleaned = clean(run, rows, run.build("split", make))
    return encode(run, impute(run, cleaned))
