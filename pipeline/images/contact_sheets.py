"""Contact sheets: the pictures that a person should look at, small enough for the report."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd

from pipeline.augmentation.augment import augment
from pipeline.augmentation.draws import key_rows
from pipeline.augmentation.transform_plan import describe_plan, plan_augmentation
from pipeline.dataset import ROW_ID, SPLIT
from pipeline.diagnosis.sheet import Sheet, Strip, Tile
from pipeline.errors import write_count
from pipeline.images.picture_store import PictureStore
from pipeline.storage.parts import read_all, read_frame

if TYPE_CHECKING:
    from pipeline.cleaning.outliers import Bound
    from pipeline.config.settings import DatasetConfig
    from pipeline.splitting.split_facts import NearFacts, NearPair

LONGEST = 96
SMALL = 48
QUALITY = 80
MOST_CLASSES = 12
PER_CLASS = 8
MOST_OUTLIERS = 24
MOST_PAIRS = 12
MOST_CONFUSED = 6
SIDE = 12
SHOWN_AUGMENTED = 6
SHOWN_VARIANTS = 7
FILE = "file"
PROBABILITY = "probability of "


def make_tile(picture: np.ndarray, caption: str, file: str = "") -> Tile:
    """Shrink a picture, shape ``(height, width, 1 or 3)``, to at most 96 pixels and encode it.

    Parameters
    ----------
    picture
        Shape ``(height, width)`` or ``(height, width, 1 or 3)``, uint8.
    caption
        Stands below it.
    file
        Its name in the source, where it has one.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    small = picture
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if small.ndim == 3 and small.shape[2] == 3:
        small = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    kind, options = (
        ("png", [cv2.IMWRITE_PNG_COMPRESSION, 9])
        if max(small.shape[:2]) <= SMALL
        else ("jpeg", [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    )
    content = cv2.imencode(f".{kind}", small, options)[1].tobytes()
    shown = max(1.0, SMALL / max(small.shape[:2]))
    return Tile(
        f"data:image/{kind};base64,{base64.b64encode(content).decode()}",
        caption,
        file,
        round(small.shape[1] * shown),
        round(small.shape[0] * shown),
    )


def show_typical(frame: pd.DataFrame, store: PictureStore, target: str) -> Sheet:
    """Show for each class the training pictures nearest to the class's mean.

    Parameters
    ----------
    frame
        All canonical rows in their order, with ``split``.
    """
    counts = frame[target].value_counts()
    strips = []
    for name in counts.index[:MOST_CLASSES]:
        own = np.flatnonzero((frame[target] == name) & (frame[SPLIT] == "train"))
        if not len(own):
            continue
        own = own[:: max(1, len(own) // 500)]  # evenly from the whole, in the order of the rows
        pictures = store.read_rasters(own)
        thumbs = np.stack(
            [cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in pictures]
        ).reshape(len(own), -1)
        far = ((thumbs - thumbs.mean(axis=0)) ** 2).sum(axis=1)
        nearest = np.argsort(far, kind="stable")[:PER_CLASS]
        strips.append(
            Strip(
                str(name),
                [make_tile(pictures[i], "", str(frame[FILE].iat[own[i]])) for i in nearest],
            )
        )
    more = len(counts) - MOST_CLASSES
    rest = f" {more} smaller classes are not shown." if more > 0 else ""
    how = f"Training pictures nearest to the mean of their class.{rest}"
    return Sheet("Typical pictures", how, strips)


def show_outliers(
    frame: pd.DataFrame, store: PictureStore, target: str, bounds: Mapping[str, Bound]
) -> Sheet:
    """Show the pictures that lie farthest outside a bound, in any split.

    Parameters
    ----------
    frame
        Canonical rows with ``split``, in the order of the store.
    store
        The pictures.
    target
        The column of the classes, for captions.
    bounds
        By measure, what lies within.
    """
    strips = []
    for name, bound in bounds.items():
        values = frame[name].to_numpy(dtype=np.float64)
        outside = np.flatnonzero(bound.is_outside(frame[name]).to_numpy())
        beyond = np.maximum(bound.low - values[outside], values[outside] - bound.high)
        far = outside[np.argsort(-beyond, kind="stable")[:PER_CLASS]]
        tiles = [
            make_tile(picture, f"{values[row]:.3g} · {frame[target].iat[row]}, "
                      f"{frame[SPLIT].iat[row]}", str(frame[FILE].iat[row]))
            for picture, row in zip(store.read_rasters(far), far.tolist(), strict=True)
        ]  # fmt: skip
        if tiles:
            strips.append(
                Strip(
                    f"{name} outside {bound.describe()}: {write_count(len(outside), 'picture')}",
                    tiles,
                )
            )
    how = (
        "Bounds were learned on training pictures. Outliers leave the training split where "
        "cleaning.outliers says quarantine; validation and test keep theirs."
    )
    return Sheet("Outliers", how, strips[:MOST_OUTLIERS])


def show_near(frame: pd.DataFrame, store: PictureStore, pairs: list[NearPair]) -> Sheet:
    """Show pairs of pictures that are nearly the same, those of different labels first.

    Parameters
    ----------
    frame
        Canonical rows, in the order of the store.
    store
        The pictures.
    pairs
        Those to show, in their order.
    """
    place = pd.Series(np.arange(len(frame)), index=frame[ROW_ID])
    strips = []
    for pair in pairs[:MOST_PAIRS]:
        rows = place.loc[[pair.first, pair.second]].to_numpy()
        first, second = store.read_rasters(rows)
        files = [str(file) for file in frame[FILE].iloc[rows]]
        tiles = [make_tile(first, files[0], files[0]), make_tile(second, files[1], files[1])]
        kind = "other label" if pair.labels[0] != pair.labels[1] else ""
        strips.append(Strip(kind, tiles))
    how = (
        "Each group of such pictures stays in one split. Where two labels meet, one of them may be "
        "wrong."
    )
    return Sheet("Near-duplicates", how, strips)


def show_augmented(
    originals: np.ndarray, variants: list[np.ndarray], names: list[str], facts: dict[str, str]
) -> Sheet:
    """Show originals beside what augmentation makes of them.

    Parameters
    ----------
    originals, variants
        Shape ``(n, height, width, channels)``, uint8; the variants in the originals' order.
    """
    strips = [
        Strip(name, [make_tile(original, "original"), *(make_tile(v[i], "") for v in variants)])
        for i, (original, name) in enumerate(zip(originals, names, strict=True))
    ]
    told = "; ".join(f"{name} {value}" for name, value in facts.items())
    return Sheet("Augmentation", f"{told}. Only training pictures are changed.", strips)


def show_confused(frame: pd.DataFrame, store: PictureStore, predictions: pd.DataFrame) -> Sheet:
    """Show test pictures of the pairs of classes that the network confuses most.

    Parameters
    ----------
    predictions
        ``row_id``, ``label``, ``predicted``, and ``probability of <class>`` for each class.
    """
    place = pd.Series(np.arange(len(frame)), index=frame[ROW_ID])
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    pairs = Counter(zip(wrong["label"].tolist(), wrong["predicted"].tolist(), strict=True))
    strips: list[Strip] = []
    for (label, predicted), count in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
        if len(strips) == MOST_CONFUSED:
            break
        own = wrong[(wrong["label"] == label) & (wrong["predicted"] == predicted)]
        share = own[PROBABILITY + predicted].to_numpy()
        first = np.argsort(-share, kind="stable")[:PER_CLASS]
        rows = place.loc[own[ROW_ID]].to_numpy()[first]
        tiles = [
            make_tile(picture, f"{sure:.0%}", str(frame[FILE].iat[row]))
            for picture, sure, row in zip(
                store.read_rasters(rows), share[first], rows.tolist(), strict=True
            )
        ]
        strips.append(Strip(f"{label} taken for {predicted}: {count}", tiles))
    how = "Test pictures, the most confident mistakes first, with the network's confidence."
    return Sheet("Most confused", how, strips)


def show_pictures(
    stages: Mapping[str, Path],
    config: DatasetConfig,
    bounds: Mapping[str, Bound],
    near: NearFacts | None,
) -> list[Sheet]:
    """Choose the pictures for the report, as far as a run came.

    Parameters
    ----------
    stages
        Where the stages that are done wrote, by their names; ``ingest`` is among them.
    bounds
        What cleaning learned, if it is done.
    near
        Near-duplicates, if the split is done.
    """
    target = config.target
    frame, store = read_all(stages["ingest"]), PictureStore(stages["ingest"])
    if "split" not in stages:
        return [show_typical(frame.assign(**{SPLIT: "train"}), store, target)]
    assigned = read_frame(stages["split"] / "assignment.parquet")
    frame = frame.assign(**{SPLIT: assigned[SPLIT]})
    result = [show_typical(frame, store, target)]
    if "clean" in stages:
        result.append(show_outliers(frame, store, target, bounds))
    if near is not None:
        result.append(show_near(frame, store, near.examples))
    if "train" in stages:
        predictions = read_frame(stages["train"] / "predictions.parquet")
        result.append(show_confused(frame, store, predictions))
        result += _show_augmentation(stages["encode"], frame, store, config)
    return result


def _show_augmentation(
    features: Path, frame: pd.DataFrame, store: PictureStore, config: DatasetConfig
) -> list[Sheet]:
    """Show what augmentation makes of the first training picture of each class."""
    plan = plan_augmentation(config.augmentation, *store.shape)
    if not plan.changes:
        return []
    used = read_frame(features / "train.parquet", [ROW_ID])[ROW_ID]
    train = frame[frame[ROW_ID].isin(used)]
    first = train.groupby(config.target, sort=True).head(1).head(SHOWN_AUGMENTED)
    originals = store.read_rasters(first.index.to_numpy())
    keys = key_rows(first[ROW_ID])
    variants = [
        augment(originals, keys, plan, seed=config.seed, epoch=epoch)
        for epoch in range(SHOWN_VARIANTS)
    ]
    names = [str(name) for name in first[config.target]]
    return [show_augmented(originals, variants, names, describe_plan(plan))]
