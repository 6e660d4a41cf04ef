"""Great Expectations' Data Docs of the raw rows."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.dataset import ROW_ID
from pipeline.runs.run import Run
from pipeline.storage.parts import read_all
from pipeline.storage.store import Address
from pipeline.validation.running import build_docs as build
from pipeline.validation.suites import read_suites


def build_docs(run: Run, rows: Address) -> Path:
    """Build Data Docs of the raw rows, in their own place below the runs."""
    folder = run.store.runs / "docs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    frame = read_all(rows.path).drop(columns=[ROW_ID])
    return build(folder, frame, read_suites(run.store.suites, run.store.dataset))
