"""Assign each row to train, validation or test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import Run
from pipeline.splitting.assignment import split_rows
from pipeline.storage.parts import read_all, write_frame
from pipeline.storage.store import FACTS, Address, dump_json


def split(run: Run, rows: Address) -> Address:
    """Assign each row to train, validation or test."""

    def make(out: Path) -> None:
        schema = rows.facts(IngestFacts).schema
        dropped = run.config.cleaning.drop_columns
        schema = schema.keep([name for name in schema.roles if name not in dropped])
        frame = read_all(rows.path)
        groups, near = run.modality.group(rows.path, frame, run.config)
        result = split_rows(
            frame,
            schema,
            run.config.split,
            seed=run.config.seed,
            kin=groups,
            identity=run.modality.identity,
        )
        write_frame(out / "assignment.parquet", result.frame)
        dump_json(out / FACTS, replace(result.facts, near=near))

    return run.build("split", make)
