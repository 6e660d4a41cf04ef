"""Validate the raw rows by the data set's suites, and beside what was accepted before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import Run
from pipeline.steps.validation import list_raw, write_results
from pipeline.storage.store import Address
from pipeline.validation.accepted import read_profiles
from pipeline.validation.drift_suite import make_drift_suite
from pipeline.validation.suites import DRIFT, read_suites


def validate_raw(run: Run, rows: Address) -> Address:
    """Judge the raw rows by the suites, and by the refreshes that were accepted before."""

    def make(out: Path) -> None:
        schema = rows.facts(IngestFacts).schema
        suites: dict[str, dict[str, Any]] = dict(read_suites(run.store.suites, run.store.dataset))
        files = list_raw(rows.path)
        accepted = read_profiles(run.store, run.history, "raw")
        if accepted:
            names = pq.read_schema(files[0]).names
            suites[DRIFT] = make_drift_suite(accepted, names, run.config.target, run.config.drift)
        write_results(files, schema, suites, out)

    return run.build("validate_raw", make)
