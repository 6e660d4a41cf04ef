"""What the results of a validation say: checks, the gate's verdict, drift."""

from __future__ import annotations

import json

from pipeline.cleaning.repairs import find_dropped
from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import Run
from pipeline.steps.validation import When
from pipeline.storage.store import FACTS
from pipeline.validation.drift_results import DriftFacts
from pipeline.validation.drift_results import read_drift as read
from pipeline.validation.gate import judge, note_dropped, read_checks, split_applicable
from pipeline.validation.suites import DRIFT, read_suites
from pipeline.validation.validation_facts import ValidationFacts


def judge_results(run: Run, when: When) -> ValidationFacts:
    """Turn a validation's results into checks and a verdict: ``ValidationFacts``."""
    address = run.address(f"validate_{when}")
    schema = run.address("ingest").facts(IngestFacts).schema
    suites = read_suites(run.store.suites, run.store.dataset)
    files = {file.stem: file for file in (address.path / "results").glob("*.json")}
    results = {
        name: json.loads(files[name].read_text(encoding="utf-8"))
        for name in (*suites, DRIFT)
        if name in files
    }
    checks = read_checks(results, run.config, schema)
    if when == "repaired":
        dropped = find_dropped(run.address("clean").path)
        for name, suite in suites.items():
            checks += [note_dropped(name, e, why) for e, why in split_applicable(suite, dropped)[1]]
    rows = json.loads((address.path / FACTS).read_text(encoding="utf-8"))["rows"]
    return ValidationFacts(rows, checks, judge(checks, when, run.config))


def read_drift(run: Run) -> DriftFacts | None:
    """Read how the raw rows differ from the last accepted refresh; None if it was the first."""
    file = run.address("validate_raw").path / "results" / f"{DRIFT}.json"
    return read(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None
