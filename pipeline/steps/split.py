"""Assign each row to train, validation or test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.dataset import ROW_ID
from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import Run
from pipeline.splitting.assignment import hash_content, split_rows
from pipeline.storage.parts import read_all, read_parts, write_frame
from pipeline.storage.store import FACTS, Address, dump_json


def split(run: Run, rows: Address) -> Address:
    """Assign each row to train, validation or test."""

    def make(out: Path) -> None:
        schema = rows.facts(IngestFacts).schema
        dropped = run.config.cleaning.drop_columns
        schema = schema.keep([name for name in schema.roles if name not in dropped])
        # What rows hold is hashed by partition; all rows at once have three columns at most.
        identity = list(run.config.traits.identity) or schema.features
        parts = [hash_content(part, identity) for _, part in read_parts(rows.path, identity)]
        by = [name for name in (run.config.split.column,) if name not in (None, schema.target)]
        groups, near = run.modality.group(rows.path, run.config)
        result = split_rows(
            read_all(rows.path, [ROW_ID, schema.target, *map(str, by)]),
            schema,
            run.config.split,
            seed=run.config.seed,
            near=groups,
            content=np.concatenate(parts),
        )
        write_frame(out / "assignment.parquet", result.frame)
        dump_json(out / FACTS, replace(result.facts, near=near))

    return run.build("split", make)
