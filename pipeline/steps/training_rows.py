"""Rows on their way through the steps: with their split beside them, and the training rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.dataset import ROW_ID, SPLIT, Schema, TrainSet, draw_uniform
from pipeline.storage.parts import read_parts

MAX_FIT_ROWS = 500_000


def take_train(parts: Iterable[pd.DataFrame], schema: Schema) -> TrainSet:
    """Take the training rows, at most 500,000 chosen by their ids: what a stage may learn from."""
    train = pd.concat([part[part[SPLIT] == "train"] for part in parts], ignore_index=True)
    if "duplicate" in train.columns:
        train = train[~train["duplicate"]].reset_index(drop=True)
    if len(train) > MAX_FIT_ROWS:
        order = np.argsort(draw_uniform(train[ROW_ID], "fit sample", 0), kind="stable")
        train = train.iloc[np.sort(order[:MAX_FIT_ROWS])].reset_index(drop=True)
    return TrainSet(train, schema)


def read_assigned(folder: Path, assigned: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read canonical partitions with the split of each row beside it."""
    start = 0
    for name, frame in read_parts(folder):
        own = assigned.iloc[start : start + len(frame)].reset_index(drop=True)
        start += len(frame)
        yield name, pd.concat([frame, own], axis=1)
