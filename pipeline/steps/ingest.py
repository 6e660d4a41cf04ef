"""Read the source into canonical partitions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.ingest.canonical import IngestFacts, check_names
from pipeline.runs.run import Run
from pipeline.sources.locating import unchanging
from pipeline.storage.store import Address

OnProgress = Callable[[int, int], None]


def ingest(run: Run, on_progress: OnProgress | None = None) -> Address:
    """Read the source into canonical partitions.

    Parameters
    ----------
    on_progress
        Called now and then with what was read, of all, where reading takes long.
    """

    def make(out: Path) -> None:
        with unchanging(run.store, run.source, run.stamp):
            run.modality.ingest(run.source, run.config, out, on_progress)

    address = run.build("ingest", make)
    # The names in dataset.yaml are checked at each run, also where the rows were read before.
    known = address.facts(IngestFacts).schema.roles
    check_names([*known, run.config.key or run.config.target], run.config, run.named)
    return address
