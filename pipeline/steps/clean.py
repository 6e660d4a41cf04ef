"""Learn on the training split what is to be cleaned, and clean each partition."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.cleaning.repairs import CleaningFacts, fit_cleaning, merge_changes
from pipeline.cleaning.repairs import clean as clean_rows
from pipeline.dataset import ROW_ID, SPLIT, SPLITS, UNUSED
from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import Run
from pipeline.steps.training_rows import read_assigned, take_train
from pipeline.storage.parts import hash_parts, read_frame, write_frame
from pipeline.storage.store import FACTS, Address, dump_json


def clean(run: Run, rows: Address, assignment: Address) -> Address:
    """Learn on the training split what is to be cleaned, and clean each partition.

    Parameters
    ----------
    run
        The run.
    rows, assignment
        Outputs of ingest and split.
    """

    def make(out: Path) -> None:
        config = run.config.cleaning
        schema = rows.facts(IngestFacts).schema
        assigned = read_frame(assignment.path / "assignment.parquet").drop(columns=[ROW_ID])
        train = take_train((f for _, f in read_assigned(rows.path, assigned)), schema)
        fitted = fit_cleaning(
            train,
            config,
            run.config.columns,
            run.expected,
            facts_only=run.config.traits.facts_only,
        )
        changes, set_aside, after = [], [], pd.Series(dtype="int64")
        for name, frame in read_assigned(rows.path, assigned):
            cleaned = clean_rows(frame[frame[SPLIT] != UNUSED], fitted, config)
            write_frame(out / name, cleaned.frame)
            changes.append(cleaned.changes)
            set_aside.append(cleaned.quarantined)
            after = after.add(cleaned.frame[SPLIT].value_counts(), fill_value=0)
        hash_parts(out)
        quarantined = pd.concat(set_aside, ignore_index=True)
        write_frame(out / "quarantine.parquet", quarantined)
        facts = CleaningFacts(
            rows_before={name: int((assigned[SPLIT] == name).sum()) for name in SPLITS},
            rows_after={name: int(after.get(name, 0)) for name in SPLITS},
            fitted=fitted,
            changes=merge_changes(changes),
            quarantined=len(quarantined),
        )
        dump_json(out / "cleaning.json", fitted)
        dump_json(out / FACTS, facts)

    return run.build("clean", make)
