"""The stages that touch pixels, from address to address; all others work on the table of facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import StageError
from pipeline.plan import Run
from pipeline.store import FACTS, Address, dump_json

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from pipeline.augmentation.plan import Plan
    from pipeline.images.pictures import PictureStore
    from pipeline.report.record import RunRecord
    from pipeline.report.sheets import Sheet
    from pipeline.resampling import Resampled
    from pipeline.split_facts import NearFacts
    from pipeline.training.features import Layout

SHOWN_PAIRS = 40
SHOWN_AUGMENTED = 6
SHOWN_VARIANTS = 7
MOST_DRAWS = 12

OnProgress = Callable[[int, int], None]


def ingest_pictures(run: Run, out: Path, on_progress: OnProgress | None = None) -> None:
    """Decode the pictures once; write their facts as canonical rows, their pixels beside them."""
    from pipeline.images.ingest import read_pictures
    from pipeline.tables import write_frame, write_parts

    canonical = read_pictures(run.source, run.config, out, on_progress=on_progress)
    write_parts(out, canonical.frame, run.config.ingest.partition_rows)
    write_frame(out / "unlabelled.parquet", canonical.unlabelled)
    dump_json(out / "columns.json", canonical.rules)
    dump_json(out / FACTS, canonical.facts)


def find_kin(
    rows: Path, frame: pd.DataFrame, target: str, run: Run
) -> tuple[np.ndarray, NearFacts]:
    """Group pictures that are nearly the same, so that no two splits share them."""
    import numpy as np

    from pipeline.dataset import PIXEL_HASH, ROW_ID
    from pipeline.images.duplicates import find_near_duplicates
    from pipeline.images.pictures import PictureStore
    from pipeline.split_facts import NearFacts, NearPair

    hashes = np.array([int(text, 16) for text in frame["perceptual_hash"]], np.uint64)
    near = find_near_duplicates(hashes, PictureStore(rows), run.config.image)
    pixels = frame[PIXEL_HASH].to_numpy(dtype=object)
    labels = frame[target].to_numpy(dtype=object)
    first, second = near.pairs[:, 0], near.pairs[:, 1]
    unlike = pixels[first] != pixels[second]
    first, second = first[unlike], second[unlike]
    bits, difference = near.bits[unlike], near.difference[unlike]
    across = labels[first] != labels[second]
    order = np.lexsort((difference, ~across))[:SHOWN_PAIRS]
    ids = frame[ROW_ID].to_numpy(dtype=object)
    examples = [
        NearPair(
            str(ids[first[i]]),
            str(ids[second[i]]),
            int(bits[i]),
            float(difference[i]),
            (str(labels[first[i]]), str(labels[second[i]])),
        )
        for i in order
    ]
    groups = len(np.unique(near.groups[first]))
    return near.groups, NearFacts(len(first), groups, int(across.sum()), examples)


def encode_pictures(run: Run, rows: Address, out: Path) -> None:
    """Write the kept pictures of each split as the network takes them."""
    from pipeline.assembly import AssemblyFacts
    from pipeline.dataset import IMAGE
    from pipeline.images.assembly import assemble_pictures
    from pipeline.images.pictures import PictureStore
    from pipeline.ingest import IngestFacts
    from pipeline.tables import read_all

    ingest = run.address("ingest")
    kept, unknown = assemble_pictures(
        read_all(rows.path),
        read_all(ingest.path),
        out,
        PictureStore(ingest.path),
        ingest.facts(IngestFacts).schema.target,
        run.config.image,
    )
    nothing = {"validation": 0, "test": 0}
    dump_json(out / FACTS, AssemblyFacts([IMAGE], kept, nothing, unknown, {}))


def assemble_raw_pictures(
    run: Run, rows: Address, assignment: Address, features: Address, out: Path
) -> None:
    """Write the pictures before repair: all training ones, and the same test and validation."""
    from pipeline.dataset import SPLIT
    from pipeline.images.assembly import locate, write_picture_layout, write_pictures
    from pipeline.images.pictures import PictureStore
    from pipeline.ingest import IngestFacts
    from pipeline.tables import link_file, read_all, read_frame
    from pipeline.training.features import load_layout

    target = rows.facts(IngestFacts).schema.target
    frame = read_all(rows.path)
    layout = load_layout(features.path)
    assigned = read_frame(assignment.path / "assignment.parquet")
    own = (assigned[SPLIT] == "train").to_numpy() & frame[target].isin(layout.classes).to_numpy()
    store = PictureStore(rows.path)
    train = locate(frame[own], frame, target)
    levels = write_pictures(out / "train.parquet", store, train, target)
    for name in ("validation", "test"):
        link_file(features.path / f"{name}.parquet", out / f"{name}.parquet")
    write_picture_layout(out, target, list(layout.classes), store.shape, levels)


def resample_pictures(run: Run, features: Address, out: Path) -> None:
    """Change the class balance of the training pictures; new ones are augmented where asked."""
    import numpy as np
    import pyarrow.parquet as pq

    from pipeline import resampling
    from pipeline.dataset import ROW_ID, Features, TrainFeatures
    from pipeline.tables import complete_resampled, link_file
    from pipeline.training.features import load_layout

    layout = load_layout(features.path)
    table = pq.read_table(features.path / "train.parquet", columns=[ROW_ID, layout.target])
    ids, labels = (np.array(table[name].to_pylist(), dtype=object) for name in table.column_names)
    # Rows are resampled by their number; which pictures that means is looked up afterwards.
    numbers = np.arange(len(ids), dtype=np.float32)[:, None]
    result = resampling.resample(
        TrainFeatures(Features(ids, numbers, labels), ()),
        run.config.resampling,
        seed=run.config.seed,
    )
    changed = len(result.origin) != len(ids) or not np.array_equal(result.rows.row_ids, ids)
    if changed or result.facts.class_weights:
        _write_resampled(run, features, layout, out, result, ids)
    else:
        link_file(features.path / "train.parquet", out / "train.parquet")
    facts = result.facts
    even = facts.method == "threshold"
    complete_resampled(features.path, out, facts.before, facts.balanced, even=even)
    dump_json(out / FACTS, facts)


def _write_resampled(
    run: Run, features: Address, layout: Layout, out: Path, result: Resampled, ids: np.ndarray
) -> None:
    """Write the training pictures in their new number, each new one with its parent's id."""
    import tempfile

    import numpy as np

    from pipeline.augmentation.draws import key_rows
    from pipeline.augmentation.plan import plan_augmentation
    from pipeline.images.assembly import make_columns
    from pipeline.pictures import Pictures, SplitWriter, count_batch_rows

    assert layout.picture is not None
    shape, rows = layout.picture.shape, result.rows
    places = rows.values[:, 0].astype(np.int64)
    made = result.origin != "original"
    parents = np.where(made, ids[places], "")
    augments = run.config.resampling.method == "augment"
    origin = np.where(made & augments, "augmented", result.origin)
    plan = plan_augmentation(run.config.augmentation, *shape)
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
        source = Pictures(features.path / "train.parquet", shape, Path(scratch))
        for start in range(0, len(places), step):
            part = slice(start, start + step)
            pictures = source.read(places[part])
            new = made[part]
            if augments and new.any():
                keys = key_rows(rows.row_ids[part][new])
                pictures[new] = _change(pictures[new], keys, plan, run.config.seed)
            columns = make_columns(
                rows.row_ids[part], rows.labels[part], layout.target,
                origin[part], parents[part], result.weights[part],
            )  # fmt: skip
            writer.write(columns, pictures)


def _change(pictures: np.ndarray, keys: np.ndarray, plan: Plan, seed: int) -> np.ndarray:
    """Augment pictures; one that came out as it was, such as not mirrored, draws again."""
    from pipeline.augmentation.augment import augment

    result = augment(pictures, keys, plan, seed=seed, epoch=0)
    for again in range(1, MOST_DRAWS):
        same = (result == pictures).all(axis=(1, 2, 3))
        if not same.any():
            break
        result[same] = augment(pictures[same], keys[same], plan, seed=seed, epoch=again)
    return result


def show_pictures(run: Run, record: RunRecord) -> list[Sheet]:
    """Choose the pictures for the report, as far as the run came."""
    from pipeline.dataset import SPLIT
    from pipeline.images.pictures import PictureStore
    from pipeline.report import sheets
    from pipeline.tables import read_all, read_frame

    rows, target = run.address("ingest").path, run.config.target
    frame, store = read_all(rows), PictureStore(rows)
    if record.split is None:
        return [sheets.show_typical(frame.assign(**{SPLIT: "train"}), store, target)]
    assigned = read_frame(run.address("split").path / "assignment.parquet")
    frame = frame.assign(**{SPLIT: assigned[SPLIT]})
    result = [sheets.show_typical(frame, store, target)]
    if record.cleaning:
        bounds = record.cleaning.fitted.bounds
        result.append(sheets.show_outliers(frame, store, target, bounds))
    if record.split.near:
        result.append(sheets.show_near(frame, store, record.split.near.examples))
    if record.training:
        result += _show_training(run, frame, store)
    return result


def _show_training(run: Run, frame: pd.DataFrame, store: PictureStore) -> list[Sheet]:
    """Show what augmentation makes of pictures, and what the network confuses."""
    from pipeline.augmentation.augment import augment
    from pipeline.augmentation.draws import key_rows
    from pipeline.augmentation.plan import describe_plan, plan_augmentation
    from pipeline.dataset import ROW_ID
    from pipeline.report import sheets
    from pipeline.tables import read_frame

    predictions = read_frame(run.address("train").path / "predictions.parquet")
    result = [sheets.show_confused(frame, store, predictions)]
    plan = plan_augmentation(run.config.augmentation, *store.shape)
    if plan.changes:
        used = read_frame(run.address("encode").path / "train.parquet", [ROW_ID])[ROW_ID]
        train = frame[frame[ROW_ID].isin(used)]
        first = train.groupby(run.config.target, sort=True).head(1).head(SHOWN_AUGMENTED)
        originals = store.read_rasters(first.index.to_numpy())
        keys = key_rows(first[ROW_ID])
        variants = [
            augment(originals, keys, plan, seed=run.config.seed, epoch=epoch)
            for epoch in range(SHOWN_VARIANTS)
        ]
        names = [str(name) for name in first[run.config.target]]
        result.append(sheets.show_augmented(originals, variants, names, describe_plan(plan)))
    return result
