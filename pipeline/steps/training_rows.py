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
    """Take the training rows, at most 500,000 chosen by their ids: what a stage may learn from.

    At most twice as many are held at any time, however many there are.
    """
    kept: list[pd.DataFrame] = []
    count = 0
    for part in parts:
        own = part[part[SPLIT] == "train"]
        if "duplicate" in own.columns:
            own = own[~own["duplicate"]]
        kept.append(own)
        count += len(own)
        if count > 2 * MAX_FIT_ROWS:
            kept = [_choose(kept)]
            count = len(kept[0])
    return TrainSet(_choose(kept), schema)


def _choose(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Choose rows by the draws of their ids, in their order: those of a part are of the whole."""
    rows = pd.concat(parts, ignore_index=True)
    if len(rows) <= MAX_FIT_ROWS:
        return rows
    order = np.argsort(draw_uniform(rows[ROW_ID], "fit sample", 0), kind="stable")
    return rows.iloc[np.sort(order[:MAX_FIT_ROWS])].reset_index(drop=True)


def read_assigned(folder: Path, assigned: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read canonical partitions with the split of each row beside it."""
    start = 0
    for name, frame in read_parts(folder):
        own = assigned.iloc[start : start + len(frame)].reset_index(drop=True)
        start += len(frame)
        yield name, pd.concat([frame, own], axis=1)
