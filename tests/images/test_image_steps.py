"""Stages on pictures: split first, the same bytes always, new pictures in training alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cleaning.outliers import learn_bound
from pipeline.config.dataset_yaml import parse_config
from pipeline.config.image import ImageConfig
from pipeline.config.settings import ColumnConfig
from pipeline.dataset import IMAGE, ORIGIN, PARENT, PIXEL_HASH, ROW_ID, SAMPLE_WEIGHT, SPLIT
from pipeline.errors import ConfigError, StageError
from pipeline.images.picture_store import PICTURE, RASTER
from pipeline.images.preparing import look_at
from pipeline.runs.keys import PACKAGES, plan_keys
from pipeline.splitting.split_facts import SplitFacts
from pipeline.steps.clean import clean
from pipeline.steps.encode import encode
from pipeline.steps.impute import impute
from pipeline.steps.ingest import ingest
from pipeline.steps.resample import resample
from pipeline.steps.split import split
from pipeline.storage.hashing import hash_file
from pipeline.storage.parts import list_parts, read_all, read_frame, write_frame
from pipeline.storage.store import Address
from tests.conftest import copy_sample
from tests.images.example import Files
from tests.images.example import encode as encode_picture
from tests.shapes import (
    CLASSES,
    declare,
    draw_shape,
    make_shapes,
    prepare_features,
    prepare_shapes,
)

FEATURES = ("train.parquet", "validation.parquet", "test.parquet")
AUGMENT = "resampling={method: augment, ratio: 1.0}"


def make_crowd() -> Files:
    """Make an imbalanced crowd, with brighter twins and exact copies, some under another class."""
    files = make_shapes(bar=40, disc=40, ring=14)
    for number in range(12):
        kind, other = CLASSES[number % 2], CLASSES[(number + number // 6) % 2]
        brighter = np.clip(draw_shape(kind, number).astype(int) + 7, 0, 255).astype(np.uint8)
        files[f"{other}/twin-{number}.png"] = encode_picture(brighter)
    for number in range(20, 24):
        files[f"ring/copy-{number}.png"] = files[f"bar/{number:03}.png"]
        files[f"bar/copy-{number}.png"] = files[f"bar/{number:03}.png"]
    return files


CROWD = make_crowd()


def hash_features(resampled: Address) -> dict[str, str]:
    """Hash the three splits as they are published."""
    return {name: hash_file(resampled.path / name) for name in FEATURES}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Address, Address]:
    """Prepare the crowd once; give its project directory, encoded and resampled features."""
    home = tmp_path_factory.mktemp("crowd")
    declare(home, CROWD)
    return home, *prepare_features(prepare_shapes(home, AUGMENT))


def read_splits(folder: Address) -> dict[str, pd.DataFrame]:
    """Read the features of all splits."""
    return {name.split(".")[0]: pd.read_parquet(folder.path / name) for name in FEATURES}


def test_splits_have_the_documented_columns(crowd: tuple[Path, Address, Address]) -> None:
    """Each split holds id, label, origin, parent, weight and picture; others are all original."""
    columns = [ROW_ID, "label", ORIGIN, PARENT, SAMPLE_WEIGHT, IMAGE]
    for name, table in read_splits(crowd[2]).items():
        assert list(table.columns) == columns
        assert table[ROW_ID].is_unique
        assert {len(picture) for picture in table[IMAGE]} == {16 * 16 * 3}
        if name != "train":
            assert set(table[ORIGIN]) == {"original"}
            assert set(table[PARENT]) == {""}


def test_no_picture_nor_its_near_twin_is_in_two_splits(
    crowd: tuple[Path, Address, Address],
) -> None:
    """Ids, equal pixels, and groups of planted near-duplicates each lie in one split."""
    home, _, resampled = crowd
    run = prepare_shapes(home, AUGMENT)
    rows = read_all(run.address("ingest").path)
    assigned = read_frame(run.address("split").path / "assignment.parquet")
    rows = rows.assign(split=assigned[SPLIT], unit=assigned["unit"])
    assert rows.groupby(PIXEL_HASH)[SPLIT].nunique().max() == 1
    assert rows.groupby("unit")[SPLIT].nunique().max() == 1
    by_file = rows.set_index("file")
    for number in range(12):
        kind, other = CLASSES[number % 2], CLASSES[(number + number // 6) % 2]
        pair = by_file.loc[[f"{kind}/{number:03}.png", f"{other}/twin-{number}.png"]]
        assert pair["unit"].nunique() == 1, number
    near = run.address("split").facts(SplitFacts).near
    assert near is not None
    assert near.pairs == near.groups == 12  # pairs, copies are no near-duplicates
    assert near.across_labels == 6
    ids = [set(table[ROW_ID]) for table in read_splits(resampled).values()]
    assert len(set.union(*ids)) == sum(map(len, ids))


@pytest.mark.parametrize("partition_rows", [100_000, 20, 17])
def test_runs_from_scratch_give_the_same_bytes(
    crowd: tuple[Path, Address, Address], tmp_path: Path, partition_rows: int
) -> None:
    """Two runs, and runs in one, six and seven partitions, give the same three Parquet files."""
    declare(tmp_path, CROWD)
    run = prepare_shapes(tmp_path, AUGMENT, f"ingest.partition_rows={partition_rows}")
    encoded, resampled = prepare_features(run)
    assert len(list_parts(run.address("clean").path)) == -(-len(CROWD) // partition_rows)
    assert hash_features(resampled) == hash_features(crowd[2])
    assert hash_file(encoded.path / "repaired/train.parquet") == hash_file(
        crowd[1].path / "repaired/train.parquet"
    )


def _rewrite_others(folder: Path, assigned: pd.DataFrame, config: ImageConfig) -> int:
    """Give each validation and test row another picture and label; keep ids and order."""
    other = (assigned[SPLIT] != "train").to_numpy()
    seen = {
        row: look_at(encode_picture(255 - draw_shape(CLASSES[row % 3], 500 + row)), config)
        for row in np.flatnonzero(other).tolist()
    }
    start = 0
    for path in list_parts(folder):
        frame = read_frame(path)
        for place in range(len(frame)):
            if (new := seen.get(start + place)) is not None:
                *figures, perceptual = new.measures
                names = ("brightness", "contrast", "sharpness", "entropy")
                for name, value in zip(names, figures, strict=True):
                    frame.loc[place, name] = 1e3 + value
                frame.loc[place, "file_size"] = 1e9
                frame.loc[place, PIXEL_HASH] = new.pixel_hash
                frame.loc[place, "perceptual_hash"] = f"{perceptual:016x}"
                frame.loc[place, "label"] = CLASSES[place % 3]
        start += len(frame)
        write_frame(path, frame)
    for path in (folder / "pictures").glob("part-*.parquet"):
        table = pq.read_table(path)
        columns = {name: table[name].to_pylist() for name in table.column_names}
        for row, new in seen.items():
            columns[PICTURE][row] = new.picture
            columns[RASTER][row] = new.raster.tobytes()
        pq.write_table(pa.table(columns, schema=table.schema), path)
    return len(seen)


def test_rewriting_validation_and_test_changes_nothing_that_was_learned(tmp_path: Path) -> None:
    """Cleaning, grey levels and the training split keep their bytes when others are rewritten."""
    learned, others = [], []
    for rewrite in (False, True):
        home = tmp_path / str(rewrite)  # apart, so that no stage is taken from the first
        declare(home, CROWD)
        run = prepare_shapes(home, AUGMENT, "ingest.partition_rows=50")
        rows = ingest(run)
        assignment = split(run, rows)
        if rewrite:
            assigned = read_frame(assignment.path / "assignment.parquet")
            assert _rewrite_others(rows.path, assigned, run.config.image) > 25
        cleaned = clean(run, rows, assignment)
        encoded = encode(run, impute(run, cleaned))
        resampled = resample(run, encoded)
        files = {
            cleaned: ["cleaning.json"],
            encoded: ["layout.json", "train.parquet", "repaired/train.parquet"],
            resampled: ["layout.json", "train.parquet"],
        }
        learned.append([hash_file(a.path / name) for a, names in files.items() for name in names])
        others.append(hash_features(resampled)["test.parquet"])
    assert learned[0] == learned[1]
    assert others[0] != others[1]


def resample_as(home: Path, *overrides: str) -> dict[str, pd.DataFrame]:
    """Prepare the shapes of a home with other settings; read the splits."""
    return read_splits(prepare_features(prepare_shapes(home, *overrides))[1])


def test_augmented_pictures_descend_from_training_pictures_of_their_class(
    crowd: tuple[Path, Address, Address],
) -> None:
    """Rare classes reach the count; each new picture has an id, a parent, and other pixels."""
    before, after = (read_splits(address)["train"] for address in crowd[1:])
    counts = Counter(after["label"])
    assert set(counts.values()) == {max(Counter(before["label"]).values())}
    new = after[after[ORIGIN] != "original"]
    assert set(new[ORIGIN]) == {"augmented"}
    parents = before.set_index(ROW_ID).loc[new[PARENT]]
    assert list(parents["label"]) == list(new["label"])
    assert all(a != b for a, b in zip(parents[IMAGE], new[IMAGE], strict=True))
    assert new[IMAGE].nunique() == len(new)
    kept = after[after[ORIGIN] == "original"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before)


def test_counts_of_single_classes_are_reached(crowd: tuple[Path, Address, Address]) -> None:
    """`resampling.counts` holds for what it names, upwards and downwards."""
    counts = "{ring: 50, bar: 9}"
    train = resample_as(crowd[0], f"resampling={{method: augment, counts: {counts}}}")["train"]
    found = Counter(train["label"])
    assert (found["ring"], found["bar"]) == (50, 9)


def test_copying_methods_copy_and_leave_out(crowd: tuple[Path, Address, Address]) -> None:
    """`random_over` repeats pictures, `random_under` leaves out, `class_weight` weighs."""
    before = read_splits(crowd[1])["train"]
    over = resample_as(crowd[0], "resampling.method=random_over")["train"]
    new = over[over[ORIGIN] != "original"]
    assert set(new[ORIGIN]) == {"synthetic"}
    parents = before.set_index(ROW_ID).loc[new[PARENT]]
    assert list(parents[IMAGE]) == list(new[IMAGE])
    under = resample_as(crowd[0], "resampling.method=random_under")["train"]
    assert set(Counter(under["label"]).values()) == {min(Counter(before["label"]).values())}
    assert set(under[ROW_ID]) < set(before[ROW_ID])
    weighted = resample_as(crowd[0], "resampling.method=class_weight")["train"]
    totals = weighted.groupby("label")[SAMPLE_WEIGHT].sum()
    np.testing.assert_allclose(totals, len(before) / 3, rtol=1e-5)
    assert list(weighted[IMAGE]) == list(before[IMAGE])


@pytest.mark.parametrize(
    "nothing",
    ["{preset: none}", "{preset: none, mixup: 0.2}", "{preset: none, cutmix: 1.0}"],
)
def test_augmenting_by_nothing_is_refused(
    crowd: tuple[Path, Address, Address], nothing: str
) -> None:
    """Where augmentation changes no single picture, new ones would be copies: an error says so."""
    with pytest.raises(StageError, match=r"changes nothing: all \d+ new.*preset to 'light'"):
        resample_as(crowd[0], AUGMENT, f"augmentation={nothing}")


@pytest.mark.parametrize("method", ["smote", "smotenc", "tomek", "enn", "smote_tomek", "smote_enn"])
def test_methods_by_distance_are_refused_for_pictures(method: str) -> None:
    """SMOTE and its near are refused with the reason and what to set instead."""
    with pytest.raises(ConfigError, match=rf"'{method}'.*pixels say little.*augment") as caught:
        declare_plain("image", resampling={"method": method})
    assert caught.value.exit_code == 2


PLAIN = {"dataset": "d", "source": "s", "target": "t"}


def declare_plain(modality: str, **sections: object) -> None:
    """Check a declaration."""
    parse_config(PLAIN | {"modality": modality} | sections)


def test_what_fits_no_picture_or_no_table_is_refused(home: Path) -> None:
    """`augment` for a table, and replacing values of pictures, for all or one, are refused."""
    with pytest.raises(ConfigError, match=r"'augment'.*no pictures.*Set resampling\.method"):
        declare_plain("table", resampling={"method": "augment"})
    for action in ("clip", "set_missing"):
        with pytest.raises(ConfigError, match=rf"'{action}'.*no value that could be replaced"):
            declare_plain("image", cleaning={"outliers": {"action": action}})
        with pytest.raises(ConfigError, match=rf"columns\.brightness is '{action}'.*'keep'"):
            declare_plain("image", cleaning={"outliers": {"columns": {"brightness": action}}})


def test_train_counts_limit_training_alone(crowd: tuple[Path, Address, Address]) -> None:
    """Training rows of a class are limited; validation and test keep every row, also the order."""
    home = crowd[0]
    plain = resample_as(home)
    limited = resample_as(home, "split.train_counts={bar: 5, disc: 1000}")
    for name in ("validation", "test"):
        pd.testing.assert_frame_equal(limited[name], plain[name])
    assert Counter(limited["train"]["label"])["bar"] == 5
    assert Counter(limited["train"]["label"])["disc"] == Counter(plain["train"]["label"])["disc"]
    assert set(limited["train"][ROW_ID]) < set(plain["train"][ROW_ID])
    facts = prepare_shapes(home, "split.train_counts={bar: 5, disc: 1000}").address("split")
    assert facts.facts(SplitFacts).unused.keys() == {"bar"}


def test_train_counts_hold_where_duplicates_are_kept(crowd: tuple[Path, Address, Address]) -> None:
    """A limit counts every row that training will have, repeated ones too."""
    limits = ["split.train_counts={bar: 5}", "cleaning.duplicates=keep"]
    train = resample_as(crowd[0], *limits)["train"]
    assert Counter(train["label"])["bar"] == 5


def test_train_counts_name_the_near_miss(crowd: tuple[Path, Address, Address]) -> None:
    """An unknown class is an error that names the class that was meant."""
    with pytest.raises(StageError, match=r"'discs', which has 0 rows.*did you mean 'disc'"):
        resample_as(crowd[0], "split.train_counts={discs: 5}")


def test_classes_named_by_digits_can_be_counted() -> None:
    """The folders 0 to 9 are usual among pictures; YAML reads such a key as a number."""
    sections = {"split": {"train_counts": {0: 5}}, "resampling": {"counts": {7: 9, "b": 2}}}
    config = parse_config(PLAIN | sections)
    assert config.split.train_counts == {"0": 5}
    assert config.resampling.counts == {"7": 9, "b": 2}
    with pytest.raises(ConfigError, match=r"train_counts.*keys and their values"):
        parse_config(PLAIN | {"split": {"train_counts": [5]}})


def test_train_counts_work_on_tables(home: Path) -> None:
    """The limit is the same for tables, and other splits stay as they were."""
    copy_sample(home, "hypothyroid")
    from pipeline.runs.run import prepare

    assigned = []
    for override in ("split.test=0.15", "split.train_counts={negative: 300}"):
        run = prepare(home, "hypothyroid", [override])
        rows = ingest(run)
        frame = read_frame(split(run, rows).path / "assignment.parquet")
        assigned.append(frame.assign(label=read_all(rows.path)["class"]))
    plain, limited = assigned
    changed = plain[SPLIT] != limited[SPLIT]
    assert set(plain.loc[changed, SPLIT]) == {"train"}
    assert set(limited.loc[changed, SPLIT]) == {"unused"}
    assert set(limited.loc[changed, "label"]) == {"negative"}
    kept = limited[(limited[SPLIT] == "train") & ~limited["duplicate"]]
    assert Counter(kept["label"])["negative"] == 300


def test_libraries_that_make_pixels_are_part_of_the_keys(home: Path) -> None:
    """Another Pillow or OpenCV may decode to other pixels, so their versions are in the key."""
    assert {"pillow", "opencv-python-headless", "albumentations"} <= set(PACKAGES)
    declare(home, make_shapes(bar=1))
    config = prepare_shapes(home).config
    assert plan_keys(config, {}, {}, {})["ingest"]


def test_a_few_kinds_of_faults_do_not_hide_one_another() -> None:
    """Pictures have faults of several kinds in one measure; 1.5 % outside is no tail to them."""
    config = parse_config(PLAIN | {"modality": "image"}).cleaning.outliers
    sharpness = pd.Series([*np.linspace(3.5, 4.5, 985), *np.linspace(0.0, 2.0, 15)])
    bound = learn_bound(sharpness, config, "sharpness", ColumnConfig())
    assert bound is not None
    assert bound.training_outside == 15
    assert bound.action == "quarantine"
    own = {"cleaning": {"outliers": {"max_share": 0.001}}}
    assert parse_config(PLAIN | own | {"modality": "image"}).cleaning.outliers.max_share == 0.001
