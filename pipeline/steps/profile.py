"""Profile the raw rows, and those that suites may be learned from, for later refreshes."""

from __future__ import annotations

from pathlib import Path

from pipeline.dataset import ROW_ID, add_unlabelled
from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import Run
from pipeline.steps.training_rows import read_assigned, take_train
from pipeline.steps.validation import list_raw
from pipeline.storage.parts import read_frame
from pipeline.storage.store import Address
from pipeline.validation.distributions import take_profile, write_profile
from pipeline.validation.opening import make_table


def take_profiles(run: Run) -> Address:
    """Profile the raw rows, and those that suites may be learned from, for later refreshes."""

    def make(out: Path) -> None:
        rows = run.address("ingest")
        facts = rows.facts(IngestFacts)
        schema = facts.schema
        table = make_table(list_raw(rows.path))
        write_profile(out / "raw.json", take_profile(table, schema.roles))
        assigned = read_frame(run.address("split").path / "assignment.parquet")
        parts = (frame for _, frame in read_assigned(rows.path, assigned.drop(columns=[ROW_ID])))
        unlabelled = read_frame(rows.path / "unlabelled.parquet")
        learnable = add_unlabelled(take_train(parts, schema), unlabelled, facts.labelled)
        write_profile(out / "train.json", take_profile(make_table(learnable), schema.roles))

    return run.build("profile", make)
