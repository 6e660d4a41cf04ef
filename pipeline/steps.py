"""Each stage from address to address: read partitions, call the stage, write partitions, facts.

This is the only place where stages meet the disk. Functions here take a ``Run`` and the addresses
of their inputs, and return an address; ``flows`` strings them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.image_steps import (
    OnProgress,
    assemble_raw_pictures,
    encode_pictures,
    find_kin,
    ingest_pictures,
    resample_pictures,
)
from pipeline.plan import Run
from pipeline.sources import unchanging
from pipeline.store import FACTS, Address, dump_json, load_facts

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.dataset import Schema, TrainSet
    from pipeline.training.client import Trainer

MAX_FIT_ROWS = 500_000


def ingest(run: Run, on_progress: OnProgress | None = None) -> Address:
    """Read the source into canonical partitions; ``on_progress`` hears of pictures read, of all."""

    def make(out: Path) -> None:
        if run.config.modality == "image":
            return ingest_pictures(run, out, on_progress)
        from pipeline.ingest import canonicalise
        from pipeline.reading import read_source
        from pipeline.tables import write_frame, write_parts

        table = read_source(run.source, run.config.ingest)
        canonical = canonicalise(table, run.config)
        write_parts(out, canonical.frame, run.config.ingest.partition_rows)
        write_frame(out / "unlabelled.parquet", canonical.unlabelled)
        (out / "malformed.txt").write_text("\n".join(table.malformed), encoding="utf-8")
        dump_json(out / "columns.json", canonical.rules)
        dump_json(out / FACTS, canonical.facts)

    def make_unchanging(out: Path) -> None:
        with unchanging(run.store, run.source, run.stamp):
            make(out)

    address = run.build("ingest", make_unchanging)
    _check_declared(run, address)
    return address


def _check_declared(run: Run, rows: Address) -> None:
    """Check the names in dataset.yaml at each run, also where the rows were read before."""
    from pipeline.ingest import IngestFacts, check_names

    known = rows.facts(IngestFacts).schema.roles
    check_names([*known, run.config.key or run.config.target], run.config, run.named)


def split(run: Run, rows: Address) -> Address:
    """Assign each row to train, validation or test."""

    def make(out: Path) -> None:
        from pipeline.ingest import IngestFacts
        from pipeline.splitting import split_rows
        from pipeline.tables import read_all, write_frame

        schema = rows.facts(IngestFacts).schema
        dropped = run.config.cleaning.drop_columns
        schema = schema.keep([name for name in schema.roles if name not in dropped])
        frame = read_all(rows.path)
        kin, near = None, None
        if run.config.modality == "image":
            kin, near = find_kin(rows.path, frame, schema.target, run)
        result = split_rows(frame, schema, run.config.split, seed=run.config.seed, kin=kin)
        write_frame(out / "assignment.parquet", result.frame)
        dump_json(out / FACTS, replace(result.facts, near=near))

    return run.build("split", make)


def clean(run: Run, rows: Address, assignment: Address) -> Address:
    """Learn on the training split what is to be cleaned, and clean each partition."""

    def make(out: Path) -> None:
        import pandas as pd

        from pipeline import cleaning
        from pipeline.dataset import ROW_ID, SPLIT, SPLITS, UNUSED
        from pipeline.ingest import IngestFacts
        from pipeline.tables import hash_parts, read_frame, write_frame

        config = run.config.cleaning
        schema = rows.facts(IngestFacts).schema
        assigned = read_frame(assignment.path / "assignment.parquet").drop(columns=[ROW_ID])
        train = take_train((f for _, f in read_assigned(rows.path, assigned)), schema)
        fitted = cleaning.fit_cleaning(train, config, run.config.columns, run.expected)
        changes, set_aside, after = [], [], pd.Series(dtype="int64")
        for name, frame in read_assigned(rows.path, assigned):
            cleaned = cleaning.clean(frame[frame[SPLIT] != UNUSED], fitted, config)
            write_frame(out / name, cleaned.frame)
            changes.append(cleaned.changes)
            set_aside.append(cleaned.quarantined)
            after = after.add(cleaned.frame[SPLIT].value_counts(), fill_value=0)
        hash_parts(out)
        quarantined = pd.concat(set_aside, ignore_index=True)
        write_frame(out / "quarantine.parquet", quarantined)
        facts = cleaning.CleaningFacts(
            rows_before={name: int((assigned[SPLIT] == name).sum()) for name in SPLITS},
            rows_after={name: int(after.get(name, 0)) for name in SPLITS},
            fitted=fitted,
            changes=cleaning.merge_changes(changes),
            quarantined=len(quarantined),
        )
        dump_json(out / "cleaning.json", fitted)
        dump_json(out / FACTS, facts)

    return run.build("clean", make)


def impute(run: Run, rows: Address) -> Address:
    """Learn the fills on the training split, and fill each partition."""

    def make(out: Path) -> None:
        from pipeline import imputation
        from pipeline.cleaning import CleaningFacts
        from pipeline.ingest import IngestFacts
        from pipeline.preprocessor import narrow_schema, save_imputation
        from pipeline.tables import hash_parts, read_parts, write_frame

        schema = narrow_schema(
            run.address("ingest").facts(IngestFacts).schema, rows.facts(CleaningFacts).fitted
        )
        train = take_train((frame for _, frame in read_parts(rows.path)), schema)
        fitted = imputation.fit_imputation(train, run.config.imputation, seed=run.config.seed)
        filled: dict[str, int] = {}
        for name, frame in read_parts(rows.path):
            imputed = imputation.impute(frame, fitted)
            write_frame(out / name, imputed.frame)
            for column, count in imputed.filled.items():
                filled[column] = filled.get(column, 0) + count
        hash_parts(out)
        save_imputation(out, fitted)
        donors = 0 if fitted.donors is None else len(fitted.donors.rows)
        dump_json(
            out / FACTS,
            imputation.ImputationFacts(
                fitted.fills,
                fitted.indicators,
                donors,
                len(train.frame),
                filled,
                fitted.rehearsals,
            ),
        )

    return run.build("impute", make)


def take_train(parts: Iterable[pd.DataFrame], schema: Schema) -> TrainSet:
    """Take the training rows, at most 500,000 chosen by their ids: what a stage may learn from."""
    import numpy as np
    import pandas as pd

    from pipeline.dataset import ROW_ID, SPLIT, TrainSet, draw_uniform

    train = pd.concat([part[part[SPLIT] == "train"] for part in parts], ignore_index=True)
    if "duplicate" in train.columns:
        train = train[~train["duplicate"]].reset_index(drop=True)
    if len(train) > MAX_FIT_ROWS:
        order = np.argsort(draw_uniform(train[ROW_ID], "fit sample", 0), kind="stable")
        train = train.iloc[np.sort(order[:MAX_FIT_ROWS])].reset_index(drop=True)
    return TrainSet(train, schema)


def read_assigned(folder: Path, assigned: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read canonical partitions with the split of each row beside it."""
    import pandas as pd

    from pipeline.tables import read_parts

    start = 0
    for name, frame in read_parts(folder):
        own = assigned.iloc[start : start + len(frame)].reset_index(drop=True)
        start += len(frame)
        yield name, pd.concat([frame, own], axis=1)


def encode(run: Run, rows: Address) -> Address:
    """Learn the encoding on the training split; write features, repaired rows, the preprocessor."""

    def make(out: Path) -> None:
        if run.config.modality == "image":
            return encode_pictures(run, rows, out)
        from pipeline.assembly import assemble

        assemble(
            rows.path,
            out,
            ingest=run.address("ingest").path,
            cleaning=run.address("clean").path,
            config=run.config.encoding,
        )

    return run.build("encode", make)


def resample(run: Run, features: Address, race: Address | None = None) -> Address:
    """Change the class balance of the training split, as configured or as a race showed."""
    if race is not None:
        from pipeline.race import RaceFacts

        run = run.with_resampling(race.facts(RaceFacts).chosen)
    return run.build("resample", lambda out: fill_resampled(run, features, out))


def fill_resampled(run: Run, features: Address, out: Path) -> None:
    """Write a features directory with another class balance of its training split."""
    if run.config.modality == "image":
        return resample_pictures(run, features, out)
    from pipeline import resampling
    from pipeline.dataset import TrainFeatures
    from pipeline.encoding import FittedEncoding
    from pipeline.tables import complete_resampled, read_features, write_features

    encoding = load_facts(features.path / "preprocessor" / "encoding.json", FittedEncoding)
    rows = read_features(features.path / "train.parquet", encoding)
    result = resampling.resample(
        TrainFeatures(rows, encoding.blocks), run.config.resampling, seed=run.config.seed
    )
    write_features(out / "train.parquet", result.rows, encoding, result.origin, result.weights)
    facts = result.facts
    even = facts.method == "threshold"
    complete_resampled(features.path, out, facts.before, facts.balanced, even=even)
    dump_json(out / FACTS, facts)


def assemble_raw(run: Run, rows: Address, assignment: Address, features: Address) -> Address:
    """Make the same splits of the data before repair, to measure the repair against."""

    def make(out: Path) -> None:
        if run.config.modality == "image":
            return assemble_raw_pictures(run, rows, assignment, features, out)
        import pandas as pd

        from pipeline.dataset import ROW_ID
        from pipeline.encoding import FittedEncoding
        from pipeline.ingest import IngestFacts
        from pipeline.tables import read_frame
        from pipeline.unrepaired import assemble_unrepaired

        schema = rows.facts(IngestFacts).schema
        dropped = run.config.cleaning.drop_columns
        assigned = read_frame(assignment.path / "assignment.parquet").drop(columns=[ROW_ID])
        frame = pd.concat([f for _, f in read_assigned(rows.path, assigned)], ignore_index=True)
        usable = [name for name in schema.features if frame[name].notna().any()]
        assemble_unrepaired(
            frame,
            schema.keep([name for name in usable if name not in dropped]),
            out,
            features=features.path,
            repaired=load_facts(features.path / "preprocessor" / "encoding.json", FittedEncoding),
            config=run.config.encoding,
        )

    return run.build("unrepaired", make)


def make_folds(
    run: Run, rows: Address, assignment: Address, race: Address | None = None
) -> list[Address]:
    """Make features for each fold of a cross-validation, every stage fitted inside its fold."""
    folds = run.config.training.folds
    made = []
    for fold in range(folds):
        own = run.for_fold(fold, folds)
        made.append(resample(own, encode_fold(own, rows, assignment, fold, folds), race))
    return made


def encode_fold(
    run: Run,
    rows: Address,
    assignment: Address,
    fold: int,
    folds: int,
    most: int | None = None,
) -> Address:
    """Make features of one fold, of at most so many training rows, not yet resampled.

    ``run`` is derived for the fold, see ``Run.for_fold``.
    """

    def make(out: Path) -> None:
        from pipeline.ingest import IngestFacts
        from pipeline.splitting import hold_out_fold, thin_out
        from pipeline.tables import read_all, read_frame, write_frame

        target = rows.facts(IngestFacts).schema.target
        assigned = read_frame(assignment.path / "assignment.parquet")
        labels = read_all(rows.path)[target]
        if most is not None:
            assigned = thin_out(assigned, labels, most, seed=run.config.seed)
        held_out = hold_out_fold(assigned, labels, fold, folds, seed=run.config.seed)
        write_frame(out / "assignment.parquet", held_out)

    cleaned = clean(run, rows, run.build("split", make))
    return encode(run, impute(run, cleaned))


def train(
    run: Run,
    features: Address,
    unrepaired: Address | None,
    folds: list[Address],
    trainer: Trainer | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Address:
    """Train the baseline, measure it on the test split beside its peers."""

    def make(out: Path) -> None:
        from pipeline.training.evaluate import train_baseline

        facts = train_baseline(
            features.path,
            out,
            run.config.training,
            seed=run.config.seed,
            trainer=trainer,
            unrepaired=None if unrepaired is None else unrepaired.path,
            folds=[fold.path for fold in folds],
            augmentation=run.config.augmentation,
            on_progress=on_progress,
        )
        dump_json(out / FACTS, facts)

    return run.build("train", make)
