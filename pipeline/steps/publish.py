"""From the stages' outputs to a version, its manifest and its report."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.cleaning.repairs import CleaningFacts
from pipeline.diagnosis.record import RunRecord
from pipeline.diagnosis.summary import summarise
from pipeline.features.assembly_facts import AssemblyFacts
from pipeline.imputation import ImputationFacts
from pipeline.ingest.canonical import IngestFacts
from pipeline.report.markdown import render_markdown
from pipeline.report.page import render_html
from pipeline.resampling import ResamplingFacts
from pipeline.runs.code import hash_code
from pipeline.runs.keys import PACKAGES
from pipeline.runs.run import Run
from pipeline.splitting.split_facts import SplitFacts
from pipeline.steps.judge import judge_results, read_drift
from pipeline.steps.profile import take_profiles
from pipeline.steps.validation import When
from pipeline.storage.hashing import hash_file, package_versions
from pipeline.storage.integrity import MANIFEST, write_checksum
from pipeline.storage.store import STAMP, dump_json, read_manifest
from pipeline.targets.race_facts import RaceFacts
from pipeline.targets.results import TrainingFacts
from pipeline.upkeep.news import find_code_alone
from pipeline.validation.accepted import PROFILES, find_lost_suites
from pipeline.validation.column_profiles import ColumnProfile, profile_columns

MANIFEST_VERSION = 2  # 1 had no checksum of the manifest
RAW_STAGES = {"ingest", "validate_raw"}
REPAIRED_STAGES = RAW_STAGES | {"split", "clean", "impute", "validate_repaired"}
# What a version is made of, in its record and its manifest.
MADE_OF = ("sources", "suites", "config", "packages", "code")
MODEL_FILES = (
    "baseline.keras", "decision.json", "history.json", "metrics.json", "predictions.parquet",
)  # fmt: skip
FEATURE_FILES = ("train.parquet", "validation.parquet", "test.parquet", "layout.json")


def make_record(
    run: Run,
    started: str,
    seconds: dict[str, float],
    version: str | None,
    last: When | None = None,
) -> RunRecord:
    """Gather the facts of the stages that ran, up to the validation that came last, if one did.

    Parameters
    ----------
    run
        The run.
    started
        When it began, ISO 8601.
    seconds
        By stage, how long it took.
    version
        Its name; None where nothing is published.
    last
        The validation that came last; None: all stages ran.
    """
    reached = {None: set(run.keys), "raw": RAW_STAGES, "repaired": REPAIRED_STAGES}[last]

    def is_part(stage: str) -> bool:
        return stage in reached and run.is_done(stage)

    def facts(stage: str, kind: type[Any]) -> Any:
        return run.address(stage).facts(kind) if is_part(stage) else None

    done = {stage: run.address(stage).path for stage in run.keys if is_part(stage)}
    ingest = run.address("ingest").facts(IngestFacts)
    split = facts("split", SplitFacts)
    cleaning = facts("clean", CleaningFacts)
    assembly = facts("encode", AssemblyFacts)
    record = RunRecord(
        dataset=run.store.dataset,
        version=version,
        started=started,
        seconds=seconds,
        sources=run.sources,
        suites=run.suites,
        packages=package_versions(*PACKAGES),
        config=run.config.model_dump(mode="json"),
        code={stage: hash_code(stage, run.config.modality) for stage in run.keys},
        ingest=ingest,
        raw=judge_results(run, "raw"),
        drift=read_drift(run),
        lost_suites=find_lost_suites(run.store, run.suites),
        profiles=_profile(run, ingest, cleaning, repaired=is_part("impute")),
        split=split,
        cleaning=cleaning,
        imputation=facts("impute", ImputationFacts),
        repaired=judge_results(run, "repaired") if is_part("validate_repaired") else None,
        features=None if assembly is None else assembly.features,
        leftover=None if assembly is None else assembly.leftover,
        race=facts("race", RaceFacts),
        resampling=facts("resample", ResamplingFacts),
        training=facts("train", TrainingFacts),
        sheets=run.modality.show(
            done,
            run.config,
            {} if cleaning is None else cleaning.fitted.bounds,
            None if split is None else split.near,
        ),
    )
    before = run.store.current()
    if before is not None:
        made_of = {name: getattr(record, name) for name in MADE_OF}
        alone = find_code_alone(made_of, read_manifest(run.store.version(before)))
        record = replace(record, code_alone=alone)
    return replace(record, summary=summarise(record, run.modality.speak()))


def _profile(
    run: Run, ingest: IngestFacts, cleaning: CleaningFacts | None, *, repaired: bool
) -> list[ColumnProfile]:
    raw = run.address("ingest").path
    after = run.address("impute").path if repaired else None
    bounds = {} if cleaning is None else cleaning.fitted.bounds
    spans = {name: (bound.low, bound.high) for name, bound in bounds.items()}
    return profile_columns(raw, after, ingest.schema, spans)


def publish(run: Run, started: datetime, seconds: dict[str, float]) -> tuple[Path, RunRecord]:
    """Assemble a version from the stages' outputs, with its report, and publish it whole.

    Parameters
    ----------
    run
        A run whose stages are done.
    started
        When it began.
    seconds
        By stage, how long it took.

    Returns
    -------
    tuple
        The version's folder, and the record that its report is made of.
    """
    version = run.store.name_version(run.key)
    record = make_record(run, started.isoformat(timespec="seconds"), seconds, version)
    take_profiles(run)
    path = run.store.publish(version, lambda folder: _fill(run, record, folder))
    return path, record


def write_stopped(
    run: Run, when: When, started: datetime, seconds: dict[str, float]
) -> tuple[Path, RunRecord]:
    """Write the report of a run that a gate stopped; publish nothing.

    Parameters
    ----------
    run
        The run that was stopped.
    when
        The validation whose gate stopped it.
    started
        When it began.
    seconds
        By stage, how long it took.

    Returns
    -------
    tuple
        The folder of the report, and the record that it is made of.
    """
    return _write_apart(run, "stopped", when, started, seconds)


def write_validation(
    run: Run, started: datetime, seconds: dict[str, float]
) -> tuple[Path, RunRecord]:
    """Write the report of a validation alone; publish nothing.

    Parameters
    ----------
    run
        A run whose raw data was judged.
    started
        When it began.
    seconds
        By stage, how long it took.

    Returns
    -------
    tuple
        The folder of the report, and the record that it is made of.
    """
    return _write_apart(run, "validated", "raw", started, seconds)


def _write_apart(
    run: Run, kind: str, last: When, started: datetime, seconds: dict[str, float]
) -> tuple[Path, RunRecord]:
    """Write reports outside of the published versions."""
    record = make_record(run, started.isoformat(timespec="seconds"), seconds, None, last)
    name = f"{started.astimezone(UTC):{STAMP}}-{run.key[:8]}"
    folder = run.store.write_aside(kind, name, lambda out: _write_reports(run, record, out))
    return folder / "report.html", record


def _write_reports(run: Run, record: RunRecord, folder: Path) -> None:
    (folder / "report.html").write_text(render_html(record), encoding="utf-8")
    (folder / "report.md").write_text(render_markdown(record), encoding="utf-8")
    dump_json(folder / "record.json", record)


def _fill(run: Run, record: RunRecord, folder: Path) -> None:
    encoded, trained = run.address("encode").path, run.address("train").path
    for name in FEATURE_FILES:
        shutil.copyfile(run.address("resample").path / name, folder / name)
    shutil.copytree(encoded / "repaired", folder / "repaired")
    shutil.copytree(encoded / "preprocessor", folder / "preprocessor")
    (folder / "model").mkdir()
    for name in MODEL_FILES:
        shutil.copyfile(trained / name, folder / "model" / name)
    for when in ("raw", "repaired"):
        results = run.address(f"validate_{when}").path / "results"
        shutil.copytree(results, folder / "validation" / when)
    shutil.copytree(run.address("profile").path, folder / PROFILES)
    shutil.copyfile(run.address("clean").path / "quarantine.parquet", folder / "quarantine.parquet")
    _write_reports(run, record, folder)
    dump_json(folder / MANIFEST, _make_manifest(run, record, folder))
    write_checksum(folder)


def _make_manifest(run: Run, record: RunRecord, folder: Path) -> dict[str, Any]:
    training = record.training
    return {
        "schema_version": MANIFEST_VERSION,
        "dataset": record.dataset,
        "follows": run.store.current(),
        "version": record.version,
        "started": record.started,
        "sources": record.sources,
        "suites": record.suites,
        "config": record.config,
        "seed": run.config.seed,
        "packages": record.packages,
        "keys": run.keys,
        "code": record.code,
        "seconds": record.seconds,
        "rows": {
            "source": record.ingest.rows,
            "labelled": record.ingest.labelled,
            "unlabelled": record.ingest.unlabelled,
            "malformed": record.ingest.malformed,
            "set_aside_by_cleaning": record.cleaning.quarantined if record.cleaning else 0,
            "set_aside_after_repair": record.leftover,
        },
        "classes": {
            "source": record.ingest.classes,
            "split": record.split.counts if record.split else {},
            "resampled_train": record.resampling.after if record.resampling else {},
        },
        "resampling": record.resampling.method if record.resampling else None,
        "verdicts": {
            "raw": asdict(record.raw.verdict),
            "repaired": asdict(record.repaired.verdict) if record.repaired else None,
        },
        "findings": [
            {
                name: getattr(finding, name)
                for name in ("id", "severity", "cause", "column", "label", "change")
            }
            for finding in record.verdict.findings
        ],
        "metrics": [] if training is None else [asdict(score) for score in training.scores],
        "files": {
            item.relative_to(folder).as_posix(): hash_file(item)
            for item in sorted(folder.rglob("*"))
            if item.is_file()
        },
    }
