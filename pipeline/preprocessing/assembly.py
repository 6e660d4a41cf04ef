"""From repaired partitions to what is published: features, repaired rows, the preprocessor.

Rows of validation and test that after repair equal a row of another split are left out here: they
would be measured on what was learned. The training split never gives way, so nothing about it
depends on the other two.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cleaning.repairs import FittedCleaning, narrow_schema
from pipeline.config.settings import EncodingConfig
from pipeline.dataset import ROW_ID, SPLIT, SPLITS, Features, TrainSet
from pipeline.encoding.features import FittedEncoding, encode, find_bucketed, fit_encoding
from pipeline.errors import DataContractError
from pipeline.features.assembly_facts import AssemblyFacts
from pipeline.features.files import hash_matrix, write_features
from pipeline.features.layout import Layout, write_layout
from pipeline.imputation.saving import load_imputation
from pipeline.ingest.canonical import IngestFacts
from pipeline.ingest.columns import ColumnRules
from pipeline.preprocessing.preprocessor import Preprocessor
from pipeline.storage.parts import read_all, write_frame
from pipeline.storage.store import FACTS, dump_json, load_facts


def assemble(
    rows: Path, out: Path, *, ingest: Path, cleaning: Path, config: EncodingConfig, repeats: bool
) -> AssemblyFacts:
    """Fit the encoding on the training split; write splits, repaired rows and the preprocessor.

    Parameters
    ----------
    rows
        The folder of repaired rows.
    out
        The features directory that is filled.
    ingest, cleaning
        Folders of ingest and cleaning: the schema, and what was learned.
    config
        Scaling and categories.
    repeats
        Whether rows that equal one of another split are other rows that are alike, and stay.

    Raises
    ------
    DataContractError
        If a split has no row left.
    """
    fitted_cleaning = load_facts(cleaning / "cleaning.json", FittedCleaning)
    schema = narrow_schema(load_facts(ingest / FACTS, IngestFacts).schema, fitted_cleaning)
    frame = read_all(rows)
    train = frame[frame[SPLIT] == "train"].reset_index(drop=True)
    classes = sorted(str(label) for label in train[schema.target].unique())
    encoding = fit_encoding(TrainSet(train.drop(columns=[SPLIT]), schema), config, classes)
    splits = {name: _encode_split(frame, name, encoding) for name in SPLITS}
    stays, leftover, unknown = _set_aside(splits, classes, repeats=repeats)
    splits = {name: _take(rows, stays[name]) for name, rows in splits.items()}
    _check(splits)
    layout = make_layout(encoding)
    (out / "repaired").mkdir()
    for name in SPLITS:
        write_features(out / f"{name}.parquet", splits[name], layout)
        own = frame[frame[SPLIT] == name].drop(columns=[SPLIT])
        repaired = own[stays[name]].reset_index(drop=True)
        write_frame(out / "repaired" / f"{name}.parquet", repaired)
    write_layout(out, layout)
    rules = load_facts(ingest / "columns.json", ColumnRules)
    Preprocessor(rules, fitted_cleaning, load_imputation(rows), encoding).save(out / "preprocessor")
    facts = AssemblyFacts(
        encoding.features,
        {name: len(part.labels) for name, part in splits.items()},
        leftover,
        unknown,
        find_bucketed(frame, encoding),
    )
    dump_json(out / FACTS, facts)
    return facts


def make_layout(encoding: FittedEncoding) -> Layout:
    """Lay the features of an encoding out for the network."""
    return Layout(
        encoding.target,
        tuple(encoding.classes),
        tuple(encoding.features),
        blocks=encoding.blocks,
    )


def _encode_split(frame: pd.DataFrame, name: str, encoding: FittedEncoding) -> Features:
    own = frame[frame[SPLIT] == name]
    return Features(
        own[ROW_ID].to_numpy(dtype=object),
        encode(own, encoding),
        own[encoding.target].to_numpy(dtype=object),
    )


def _set_aside(
    splits: dict[str, Features], classes: list[str], *, repeats: bool
) -> tuple[dict[str, np.ndarray], dict[str, int], dict[str, int]]:
    """Find what stays: not in test what training has, nor in validation what either has."""
    result = {"train": np.ones(len(splits["train"].labels), dtype=bool)}
    leftover, unknown = {}, {}
    taken = hash_matrix(splits["train"].values)
    for name in ("test", "validation"):
        rows = splits[name]
        hashes = hash_matrix(rows.values)
        found = np.zeros(len(hashes), bool) if repeats else np.isin(hashes, taken)
        foreign = ~np.isin(rows.labels.astype(str), classes)
        stays = ~found & ~foreign
        leftover[name], unknown[name] = int(found.sum()), int((foreign & ~found).sum())
        result[name] = stays
        taken = np.append(taken, hashes[stays])
    return result, leftover, unknown


def _take(rows: Features, stays: np.ndarray) -> Features:
    if stays.all():
        return rows
    return Features(rows.row_ids[stays], rows.values[stays], rows.labels[stays])


def _check(splits: dict[str, Features]) -> None:
    for name, rows in splits.items():
        if len(rows.labels) == 0:
            raise DataContractError(
                "encoding", f"{name} has 0 rows left: all of them equal a row of another split",
                "Give columns that tell rows apart, or more rows",
            )  # fmt: skip
