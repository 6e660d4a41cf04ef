"""The validations, from address to address, and what their results say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.plan import Run
from pipeline.store import FACTS, Address, dump_json

if TYPE_CHECKING:
    from pipeline.validation.drift_results import DriftFacts
    from pipeline.validation.results import ValidationFacts

When = Literal["raw", "repaired"]


def validate(run: Run, when: When, rows: Address) -> Address:
    """Judge rows by the data set's suites; keep Great Expectations' own results."""

    def make(out: Path) -> None:
        import json

        import pyarrow.parquet as pq

        from pipeline.dataset import ROW_ID
        from pipeline.ingest import IngestFacts
        from pipeline.tables import list_parts
        from pipeline.validation.gate import split_applicable
        from pipeline.validation.opening import make_table
        from pipeline.validation.running import run_suites
        from pipeline.validation.suites import DRIFT, read_suites

        schema = run.address("ingest").facts(IngestFacts).schema
        suites = read_suites(run.store.suites, run.store.dataset)
        files = _list_raw(rows) if when == "raw" else list_parts(rows.path)
        if when == "repaired":
            suites = {
                name: split_applicable(s, _find_dropped(run))[0] for name, s in suites.items()
            }
        names = pq.read_schema(files[0]).names
        if when == "raw" and (drift := _make_drift_suite(run, names)) is not None:
            suites[DRIFT] = drift
        table = make_table(files, [n for n in names if n != ROW_ID and n in schema.roles])
        results = run_suites(table, suites)
        (out / "results").mkdir()
        for name, result in results.items():
            text = json.dumps(result, indent=1, ensure_ascii=False)
            (out / "results" / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        dump_json(out / FACTS, {"rows": table.rows})

    return run.build(f"validate_{when}", make)


def _list_raw(rows: Address) -> list[Path]:
    """List the partitions of all raw rows, those without a label last."""
    import pyarrow.parquet as pq

    from pipeline.tables import list_parts

    unlabelled = rows.path / "unlabelled.parquet"
    return list_parts(rows.path) + ([unlabelled] if pq.read_metadata(unlabelled).num_rows else [])


def _make_drift_suite(run: Run, present: list[str]) -> dict[str, Any] | None:
    """Make the suite that compares with the refreshes accepted before, if there were any."""
    from pipeline.accepted import read_profiles
    from pipeline.validation.drift_suite import make_drift_suite

    accepted = read_profiles(run.store, run.history, "raw")
    if not accepted:
        return None
    return make_drift_suite(accepted, present, run.config.target, run.config.drift)


def take_profiles(run: Run) -> Address:
    """Profile the raw rows, and those that suites may be learned from, for later refreshes."""

    def make(out: Path) -> None:
        from pipeline.dataset import ROW_ID, add_unlabelled
        from pipeline.ingest import IngestFacts
        from pipeline.steps import read_assigned, take_train
        from pipeline.tables import read_frame
        from pipeline.validation.distributions import take_profile, write_profile
        from pipeline.validation.opening import make_table

        rows = run.address("ingest")
        facts = rows.facts(IngestFacts)
        schema = facts.schema
        table = make_table(_list_raw(rows))
        write_profile(out / "raw.json", take_profile(table, schema.roles))
        assigned = read_frame(run.address("split").path / "assignment.parquet")
        parts = (frame for _, frame in read_assigned(rows.path, assigned.drop(columns=[ROW_ID])))
        unlabelled = read_frame(rows.path / "unlabelled.parquet")
        learnable = add_unlabelled(take_train(parts, schema), unlabelled, facts.labelled)
        write_profile(out / "train.json", take_profile(make_table(learnable), schema.roles))

    return run.build("profile", make)


def build_docs(run: Run, rows: Address) -> Path:
    """Build Great Expectations' Data Docs of the raw rows, in their own place below the runs."""
    import shutil

    from pipeline.tables import read_all
    from pipeline.validation.running import build_docs as build
    from pipeline.validation.suites import read_suites

    folder = run.store.runs / "docs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    frame = read_all(rows.path).drop(columns=["row_id"])
    return build(folder, frame, read_suites(run.store.suites, run.store.dataset))


def judge_results(run: Run, when: When) -> ValidationFacts:
    """Turn a validation's results into checks and a verdict: ``ValidationFacts``."""
    import json

    from pipeline.ingest import IngestFacts
    from pipeline.validation.gate import judge, note_dropped, read_checks, split_applicable
    from pipeline.validation.results import ValidationFacts
    from pipeline.validation.suites import DRIFT, read_suites

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
        dropped = _find_dropped(run)
        for name, suite in suites.items():
            checks += [note_dropped(name, e, why) for e, why in split_applicable(suite, dropped)[1]]
    rows = json.loads((address.path / FACTS).read_text(encoding="utf-8"))["rows"]
    return ValidationFacts(rows, checks, judge(checks, when, run.config))


def read_drift(run: Run) -> DriftFacts | None:
    """Read how the raw rows differ from the last accepted refresh; None if it was the first."""
    import json

    from pipeline.validation.drift_results import read_drift as read
    from pipeline.validation.suites import DRIFT

    file = run.address("validate_raw").path / "results" / f"{DRIFT}.json"
    return read(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def _find_dropped(run: Run) -> dict[str, str]:
    """Name the columns that did not come through cleaning, with the reason."""
    from pipeline.cleaning import CleaningFacts

    facts = run.address("clean").facts(CleaningFacts)
    return {column.name: column.reason for column in facts.fitted.dropped}
