"""The same splits of the data before repair, to measure the repair against."""

from __future__ import annotations

from pathlib import Path

from pipeline.runs.run import Run
from pipeline.storage.store import Address


def assemble_raw(run: Run, rows: Address, assignment: Address, features: Address) -> Address:
    """Make the same splits of the data before repair, to measure the repair against.

    Parameters
    ----------
    run
        The run.
    rows, assignment, features
        Outputs of ingest, split and encode.
    """

    def make(out: Path) -> None:
        run.modality.encode_unrepaired(rows.path, assignment.path, features.path, out, run.config)

    return run.build("unrepaired", make)
