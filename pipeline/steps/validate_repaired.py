"""Validate the repaired rows by the same suites."""

from __future__ import annotations

from pathlib import Path

from pipeline.cleaning.repairs import find_dropped
from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import Run
from pipeline.steps.validation import write_results
from pipeline.storage.parts import list_parts
from pipeline.storage.store import Address
from pipeline.validation.gate import split_applicable
from pipeline.validation.suites import read_suites


def validate_repaired(run: Run, rows: Address) -> Address:
    """Judge the repaired rows by the suites; what asks for a dropped column is left out."""

    def make(out: Path) -> None:
        schema = run.address("ingest").facts(IngestFacts).schema
        dropped = find_dropped(run.address("clean").path)
        suites = read_suites(run.store.suites, run.store.dataset)
        applicable = {name: split_applicable(s, dropped)[0] for name, s in suites.items()}
        write_results(list_parts(rows.path), schema, applicable, out)

    return run.build("validate_repaired", make)
