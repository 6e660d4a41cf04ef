"""Learn the fills on the training split, and fill each partition."""

from __future__ import annotations

from pathlib import Path

from pipeline.cleaning.repairs import CleaningFacts, narrow_schema
from pipeline.imputation.filling import ImputationFacts, fit_imputation
from pipeline.imputation.filling import impute as impute_rows
from pipeline.imputation.saving import save_imputation
from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import Run
from pipeline.steps.training_rows import take_train
from pipeline.storage.parts import hash_parts, read_parts, write_frame
from pipeline.storage.store import FACTS, Address, dump_json


def impute(run: Run, rows: Address) -> Address:
    """Learn the fills on the training split, and fill each partition."""

    def make(out: Path) -> None:
        schema = narrow_schema(
            run.address("ingest").facts(IngestFacts).schema, rows.facts(CleaningFacts).fitted
        )
        train = take_train((frame for _, frame in read_parts(rows.path)), schema)
        fitted = fit_imputation(train, run.config.imputation, seed=run.config.seed)
        filled: dict[str, int] = {}
        for name, frame in read_parts(rows.path):
            imputed = impute_rows(frame, fitted)
            write_frame(out / name, imputed.frame)
            for column, count in imputed.filled.items():
                filled[column] = filled.get(column, 0) + count
        hash_parts(out)
        save_imputation(out, fitted)
        donors = 0 if fitted.donors is None else len(fitted.donors.rows)
        dump_json(
            out / FACTS,
            ImputationFacts(
                fitted.fills,
                fitted.indicators,
                donors,
                len(train.frame),
                filled,
                fitted.rehearsals,
            ),
        )

    return run.build("impute", make)
