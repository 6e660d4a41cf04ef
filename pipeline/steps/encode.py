"""Learn the encoding on the training split; write features, repaired rows, the preprocessor."""

from __future__ import annotations

from pathlib import Path

from pipeline.runs.run import Run
from pipeline.storage.store import Address


def encode(run: Run, rows: Address) -> Address:
    """Learn the encoding on the training split; write features, repaired rows, the preprocessor."""

    def make(out: Path) -> None:
        ingest, cleaning = run.address("ingest").path, run.address("clean").path
        run.modality.encode(rows.path, ingest, cleaning, out, run.config)

    return run.build("encode", make)
