"""The data before repair, made just fit for a network: what the repair is measured against.

The same rows of validation and test as after repair, with their raw values: no cleaning, no
imputation, no resampling. A network takes no missing value, so gaps stand at the mean of the raw
training rows (0 after scaling), and missing categories in the bucket of unknown ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.settings import DatasetConfig
from pipeline.dataset import ROW_ID, SPLIT, SPLITS, Features, Schema, TrainSet
from pipeline.encoding.features import encode, fit_encoding
from pipeline.features.files import write_features
from pipeline.features.layout import load_layout, write_layout
from pipeline.ingest.canonical import IngestFacts
from pipeline.preprocessing.assembly import make_layout
from pipeline.storage.parts import read_all, read_frame
from pipeline.storage.store import FACTS, load_facts


def encode_unrepaired(
    rows: Path, assignment: Path, features: Path, out: Path, config: DatasetConfig
) -> None:
    """Write the splits before repair as a features directory.

    Parameters
    ----------
    rows, assignment
        What the steps of ingest and of the split wrote.
    features
        The features directory after repair: its validation and test rows are the ones to write.
    """
    schema = load_facts(rows / FACTS, IngestFacts).schema
    assigned = read_frame(assignment / "assignment.parquet").drop(columns=[ROW_ID])
    frame = pd.concat([read_all(rows), assigned], axis=1)
    dropped = config.cleaning.drop_columns
    # What can't be learned from (identifiers, texts, constants) is no feature of the schema.
    usable = [name for name in schema.features if frame[name].notna().any()]
    schema = schema.keep([name for name in usable if name not in dropped])
    repaired = load_layout(features)
    classes = list(repaired.classes)
    train = frame[(frame[SPLIT] == "train") & frame[schema.target].isin(classes)]
    filled = fill_plainly(train, train, schema).reset_index(drop=True)
    encoding = fit_encoding(TrainSet(filled, schema), config.encoding, classes)
    layout = make_layout(encoding)
    by_id = frame.set_index(ROW_ID, drop=False)
    for name in SPLITS:
        own = train
        if name != "train":
            kept = read_frame(features / f"{name}.parquet", [ROW_ID, repaired.target])
            own = by_id.loc[kept[ROW_ID]].assign(
                **{schema.target: kept[repaired.target].to_numpy(dtype=object)}
            )
        labels = own[schema.target].to_numpy(dtype=object)
        made = Features(
            own[ROW_ID].to_numpy(dtype=object),
            encode(fill_plainly(own, train, schema), encoding),
            labels,
        )
        weights = np.ones(len(labels), dtype=np.float32) if name == "train" else None
        write_features(out / f"{name}.parquet", made, layout, weights=weights)
    write_layout(out, layout)


def fill_plainly(frame: pd.DataFrame, train: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Put gaps at the raw training mean, missing categories in the bucket of unknown ones.

    Parameters
    ----------
    frame
        The rows to fill.
    train
        Raw training rows, which the means come from.
    schema
        The roles of the columns.
    """
    result = frame[[ROW_ID, *schema.features, schema.target]].copy()
    for name in schema.select("numbers"):
        mean = float(train[name].mean())
        result[name] = result[name].fillna(0.0 if np.isnan(mean) else mean)
    for name in schema.select("dates"):
        middle = train[name].mean()
        result[name] = result[name].fillna(pd.Timestamp(0) if pd.isna(middle) else middle)
    for name in schema.select("categories"):
        result[name] = result[name].fillna("")
    return result
