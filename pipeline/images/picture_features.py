"""From kept rows to what is published of pictures: features, repaired rows, the preprocessor.

The table of facts says which pictures are kept; their pixels are copied from the canonical ones,
a batch at a time, and never held all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset import IMAGE, ORIGIN, PARENT, ROW_ID, SAMPLE_WEIGHT, SPLIT, SPLITS
from pipeline.errors import DataContractError
from pipeline.features.assembly_facts import AssemblyFacts
from pipeline.features.layout import Form, Layout, load_layout, write_layout
from pipeline.features.picture_files import SplitWriter, count_batch_rows
from pipeline.images.picture_store import PictureStore
from pipeline.ingest.canonical import IngestFacts
from pipeline.storage.disk import link_file
from pipeline.storage.parts import read_all, read_frame
from pipeline.storage.store import FACTS, dump_json, load_facts

if TYPE_CHECKING:
    from pipeline.config.image import ImageConfig
    from pipeline.config.settings import DatasetConfig

LEAST_STD = 1.0


@dataclass(frozen=True, slots=True)
class PictureRows:
    """Pictures of one split, by their place among the canonical ones.

    Attributes
    ----------
    places
        Shape ``(n,)``, int64, ascending.
    row_ids, labels
        Shape ``(n,)``, text.
    """

    places: np.ndarray
    row_ids: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class Levels:
    """Mean and standard deviation of each channel, in grey levels."""

    mean: list[float]
    std: list[float]


def locate(frame: pd.DataFrame, canonical: pd.DataFrame, target: str) -> PictureRows:
    """Find the places of rows among the canonical pictures.

    Parameters
    ----------
    frame
        Rows with ``row_id`` and the target.
    canonical
        ``row_id`` of all canonical pictures, in their order.
    """
    place = pd.Series(np.arange(len(canonical)), index=canonical[ROW_ID])
    places = place.loc[frame[ROW_ID].to_numpy()].to_numpy()
    order = np.argsort(places, kind="stable")
    return PictureRows(
        places[order],
        frame[ROW_ID].to_numpy(dtype=object)[order],
        frame[target].to_numpy(dtype=object)[order],
    )


def encode_pictures(
    rows: Path, ingest: Path, cleaning: Path, out: Path, config: DatasetConfig
) -> None:
    """Write the kept pictures of each split as the network takes them.

    Parameters
    ----------
    rows, ingest
        What the steps of imputation and of ingest wrote; what cleaning learned changes no picture.
    """
    del cleaning
    kept, unknown = assemble_pictures(
        read_all(rows),
        read_all(ingest, [ROW_ID]),
        out,
        PictureStore(ingest),
        load_facts(ingest / FACTS, IngestFacts).schema.target,
        config.image,
    )
    nothing = {"validation": 0, "test": 0}
    dump_json(out / FACTS, AssemblyFacts([], kept, nothing, unknown, {}))


def encode_raw_pictures(
    rows: Path, assignment: Path, features: Path, out: Path, config: DatasetConfig
) -> None:
    """Write the pictures before repair: all training ones, and the same test and validation.

    Parameters
    ----------
    rows, assignment
        Folders of ingest and split.
    features
        The features directory after repair: its classes, validation and test are taken over.
    out
        The folder that is filled.
    config
        Names the target.
    """
    target = config.target
    frame = read_all(rows, [ROW_ID, target])
    layout = load_layout(features)
    assigned = read_frame(assignment / "assignment.parquet")
    own = (assigned[SPLIT] == "train").to_numpy() & frame[target].isin(layout.classes).to_numpy()
    store = PictureStore(rows)
    levels = write_pictures(out / "train.parquet", store, locate(frame[own], frame, target), target)
    for name in ("validation", "test"):
        link_file(features / f"{name}.parquet", out / f"{name}.parquet")
    write_picture_layout(out, target, list(layout.classes), store.shape, levels)


def assemble_pictures(
    frame: pd.DataFrame,
    canonical: pd.DataFrame,
    out: Path,
    store: PictureStore,
    target: str,
    config: ImageConfig,
) -> tuple[dict[str, int], dict[str, int]]:
    """Write the splits with their pictures, the repaired rows, and the preprocessor.

    Parameters
    ----------
    frame
        Repaired rows with ``split``: facts of the pictures, and the target.
    canonical
        All canonical rows, with ``row_id``.

    Returns
    -------
    rows, unknown
        Kept rows of each split; rows of validation and test whose class training does not have.

    Raises
    ------
    DataContractError
        If a split has no row left.
    """
    classes = sorted(str(name) for name in frame.loc[frame[SPLIT] == "train", target].unique())
    known = frame[frame[target].isin(classes)]
    unknown = {
        name: int(((frame[SPLIT] == name) & ~frame[target].isin(classes)).sum())
        for name in ("validation", "test")
    }
    splits = {name: locate(known[known[SPLIT] == name], canonical, target) for name in SPLITS}
    for name, rows in splits.items():
        if not len(rows.labels):
            raise DataContractError(
                "encoding", f"{name} has 0 pictures left of {len(frame)}",
                "Give more pictures, or a larger split.validation and split.test",
            )  # fmt: skip
    levels = {
        name: write_pictures(out / f"{name}.parquet", store, rows, target)
        for name, rows in splits.items()
    }
    write_picture_layout(out, target, classes, store.shape, levels["train"])
    _write_repaired(out / "repaired", known, splits, store)
    (out / "preprocessor").mkdir()
    dump_json(
        out / "preprocessor" / "picture.json",
        {"image": config.model_dump(mode="json"), "classes": classes},
    )
    return {name: len(rows.labels) for name, rows in splits.items()}, unknown


def write_pictures(path: Path, store: PictureStore, rows: PictureRows, target: str) -> Levels:
    """Write one split: ``row_id``, label, ``origin``, ``parent``, weight, and the pixels.

    Parameters
    ----------
    path
        The Parquet file.
    store
        Where the pixels are.
    rows
        Which pictures go into the split, by their places in the store, with ids and labels.
    target
        The column of the labels.

    Returns
    -------
    Levels
        Over all pixels of the split.
    """
    step = count_batch_rows(store.shape)
    total = np.zeros((2, store.shape[2]))
    with SplitWriter(path, store.shape) as writer:
        for start in range(0, max(1, len(rows.places)), step):
            part = slice(start, start + step)
            pictures = store.read_rasters(rows.places[part])
            total += _sum_levels(pictures)
            columns = make_columns(rows.row_ids[part], rows.labels[part], target)
            writer.write(columns, pictures)
    count = max(1, len(rows.places)) * store.shape[0] * store.shape[1]
    mean = total[0] / count
    std = np.sqrt(np.maximum(total[1] / count - mean**2, LEAST_STD**2))
    return Levels(mean.round(4).tolist(), std.round(4).tolist())


def make_columns(
    row_ids: np.ndarray,
    labels: np.ndarray,
    target: str,
    origin: np.ndarray | None = None,
    parents: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> dict[str, pa.Array]:
    """Make the columns that stand beside the pixels; what is left out is said of originals.

    Parameters
    ----------
    row_ids, labels
        Shape ``(n,)``.
    target
        The column of the labels.
    origin
        Shape ``(n,)``: where a picture comes from; left out: all are ``original``.
    parents
        Shape ``(n,)``: the id of the picture that a new one was made of; left out: none.
    weights
        Shape ``(n,)``: sample weights; left out: 1.
    """
    count = len(row_ids)
    ones = np.ones(count, np.float32)
    return {
        ROW_ID: pa.array(row_ids.astype(str)),
        target: pa.array(labels.astype(str)),
        ORIGIN: pa.array((np.full(count, "original") if origin is None else origin).astype(str)),
        PARENT: pa.array((np.full(count, "") if parents is None else parents).astype(str)),
        SAMPLE_WEIGHT: pa.array(ones if weights is None else weights.astype(np.float32)),
    }


def write_picture_layout(
    out: Path, target: str, classes: list[str], shape: tuple[int, int, int], levels: Levels
) -> None:
    """Write the order of the classes, and the form of the pictures with their grey levels.

    Parameters
    ----------
    out
        The features directory.
    target
        The column of the labels.
    classes
        In the order of the network's outputs.
    shape
        Height, width and channels.
    levels
        Mean and standard deviation of the training pixels, by channel.
    """
    form = Form(shape, tuple(levels.mean), tuple(levels.std))
    write_layout(out, Layout(target, tuple(classes), (), form))


def _sum_levels(pictures: np.ndarray) -> np.ndarray:
    """Sum the grey levels of each channel, and their squares; exact in integers."""
    flat = pictures.reshape(-1, pictures.shape[-1])
    counts = [np.bincount(channel, minlength=256) for channel in flat.T]
    levels = np.arange(256, dtype=np.float64)
    return np.array([[float(c @ levels) for c in counts], [float(c @ levels**2) for c in counts]])


def _write_repaired(
    folder: Path, frame: pd.DataFrame, splits: dict[str, PictureRows], store: PictureStore
) -> None:
    """Write the kept rows for people: facts, label, and the picture as a file in its own size."""
    folder.mkdir()
    step = count_batch_rows(store.shape)
    by_id = frame.drop(columns=[SPLIT]).set_index(ROW_ID, drop=False)
    for name, rows in splits.items():
        writer: pq.ParquetWriter | None = None
        for start in range(0, len(rows.places), step):
            own = by_id.loc[rows.row_ids[start : start + step]]
            table = pa.Table.from_pandas(own, preserve_index=False).replace_schema_metadata(None)
            files = store.read_files(rows.places[start : start + step])
            # The form in which Hugging Face's data sets hold pictures.
            images = pa.StructArray.from_arrays(
                [pa.array(files, pa.binary()), pa.array(own["file"].astype(str).tolist())],
                names=["bytes", "path"],
            )
            table = table.append_column(IMAGE, images)
            writer = writer or pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
