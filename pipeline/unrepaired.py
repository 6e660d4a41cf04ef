"""The data before repair, made just fit for a network: what the repair is measured against.

The same rows of validation and test as after repair, with their raw values: no cleaning, no
imputation, no resampling. A network takes no missing value, so gaps stand at the mean of the raw
training rows (0 after scaling), and missing categories in the bucket of unknown ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config import EncodingConfig
from pipeline.dataset import ROW_ID, SPLIT, SPLITS, Features, Schema, TrainSet
from pipeline.encoding import FittedEncoding, encode, fit_encoding
from pipeline.tables import read_features, write_features, write_layout


def assemble_unrepaired(
    frame: pd.DataFrame,
    schema: Schema,
    out: Path,
    *,
    features: Path,
    repaired: FittedEncoding,
    config: EncodingConfig,
) -> None:
    """Write the splits before repair.

    Parameters
    ----------
    frame
        Canonical rows with ``split``.
    schema
        Their columns, without those that can't be learned from (identifiers, texts, constants).
    features
        The features directory after repair: its validation and test rows are the ones to write.
    """
    train = frame[(frame[SPLIT] == "train") & frame[schema.target].isin(repaired.classes)]
    filled = fill_plainly(train, train, schema).reset_index(drop=True)
    encoding = fit_encoding(TrainSet(filled, schema), config, repaired.classes)
    by_id = frame.set_index(ROW_ID, drop=False)
    for name in SPLITS:
        if name == "train":
            own, labels = train, train[schema.target].to_numpy(dtype=object)
        else:
            kept = read_features(features / f"{name}.parquet", repaired)
            own, labels = by_id.loc[kept.row_ids], kept.labels
        rows = Features(
            own[ROW_ID].to_numpy(dtype=object),
            encode(fill_plainly(own, train, schema), encoding),
            labels,
        )
        weights = np.ones(len(labels), dtype=np.float32) if name == "train" else None
        write_features(out / f"{name}.parquet", rows, encoding, weights=weights)
    write_layout(out, encoding)


def fill_plainly(frame: pd.DataFrame, train: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Put gaps at the raw training mean, missing categories in the bucket of unknown ones."""
    result = frame[[ROW_ID, *schema.features, schema.target]].copy()
    for name in schema.select("numeric"):
        mean = float(train[name].mean())
        result[name] = result[name].fillna(0.0 if np.isnan(mean) else mean)
    for name in schema.select("datetime"):
        middle = train[name].mean()
        result[name] = result[name].fillna(pd.Timestamp(0) if pd.isna(middle) else middle)
    for name in schema.select("categorical", "boolean"):
        result[name] = result[name].fillna("")
    return result
