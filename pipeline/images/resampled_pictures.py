"""A features directory of pictures with another class balance of its training split."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from pipeline.augmentation.augment import augment
from pipeline.augmentation.draws import key_rows
from pipeline.augmentation.transform_plan import plan_augmentation
from pipeline.dataset import ROW_ID, Features, TrainFeatures
from pipeline.errors import StageError
from pipeline.features.layout import Layout, load_layout
from pipeline.features.picture_files import Pictures, SplitWriter, count_batch_rows, read_shape
from pipeline.images.picture_features import make_columns
from pipeline.resampling.balance import Resampled, resample
from pipeline.resampling.table_features import finish_resampled
from pipeline.storage.disk import link_file

if TYPE_CHECKING:
    from pipeline.augmentation.transform_plan import TransformPlan
    from pipeline.config.settings import DatasetConfig

MOST_DRAWS = 12


def resample_pictures(features: Path, out: Path, config: DatasetConfig) -> None:
    """Change the class balance of the training pictures; new ones are augmented where asked.

    Parameters
    ----------
    features
        The features directory as it is.
    out
        The folder that is filled.
    config
        The method of resampling, augmentation and the seed.

    Raises
    ------
    StageError
        If a class is too small for the method, or is named wrong.
    """
    layout = load_layout(features)
    table = pq.read_table(features / "train.parquet", columns=[ROW_ID, layout.target])
    ids, labels = (np.array(table[name].to_pylist(), dtype=object) for name in table.column_names)
    # Rows are resampled by their number; which pictures that means is looked up afterwards.
    numbers = np.arange(len(ids))[:, None]
    result = resample(
        TrainFeatures(Features(ids, numbers, labels), ()),
        config.resampling,
        seed=config.seed,
    )
    changed = len(result.origin) != len(ids) or not np.array_equal(result.rows.row_ids, ids)
    if changed or result.facts.class_weights:
        _write_resampled(features, layout, out, config, result, ids)
    else:
        link_file(features / "train.parquet", out / "train.parquet")
    finish_resampled(features, out, result.facts)


def _write_resampled(
    features: Path,
    layout: Layout,
    out: Path,
    config: DatasetConfig,
    result: Resampled,
    ids: np.ndarray,
) -> None:
    """Write the training pictures in their new number, each new one with its parent's id."""
    shape, rows = read_shape(layout), result.rows
    places = rows.values[:, 0]
    made = result.origin != "original"
    parents = np.where(made, ids[places], "")
    augments = config.resampling.method == "augment"
    origin = np.where(made & augments, "augmented", result.origin)
    plan = plan_augmentation(config.augmentation, *shape)
    # What mixes the pictures of a batch changes no picture by itself.
    if augments and made.any() and not replace(plan, mixup=0.0, cutmix=0.0).changes:
        raise StageError(
            "resampling", f"resampling.method is 'augment', but augmentation changes nothing: all "
            f"{int(made.sum())} new pictures would be copies",
            "Set augmentation.preset to 'light', or resampling.method to 'random_over'",
        )  # fmt: skip
    step = count_batch_rows(shape)
    with (
        tempfile.TemporaryDirectory(dir=out) as scratch,
        SplitWriter(out / "train.parquet", shape) as writer,
    ):
        source = Pictures(features / "train.parquet", shape, Path(scratch))
        for start in range(0, len(places), step):
            part = slice(start, start + step)
            pictures = source.read(places[part])
            new = made[part]
            if augments and new.any():
                keys = key_rows(rows.row_ids[part][new])
                pictures[new] = _change(pictures[new], keys, plan, config.seed)
            columns = make_columns(
                rows.row_ids[part], rows.labels[part], layout.target,
                origin[part], parents[part], result.weights[part],
            )  # fmt: skip
            writer.write(columns, pictures)


def _change(pictures: np.ndarray, keys: np.ndarray, plan: TransformPlan, seed: int) -> np.ndarray:
    """Augment pictures; one that came out as it was, such as not mirrored, draws again."""
    result = augment(pictures, keys, plan, seed=seed, epoch=0)
    for again in range(1, MOST_DRAWS):
        same = (result == pictures).all(axis=(1, 2, 3))
        if not same.any():
            break
        result[same] = augment(pictures[same], keys[same], plan, seed=seed, epoch=again)
    return result
