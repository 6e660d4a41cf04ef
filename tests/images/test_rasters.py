"""Rasters: decoding, shaping, measures, the store, near-duplicates."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.config.image import ImageConfig
from pipeline.errors import DataContractError
from pipeline.images import picture_store as storage
from pipeline.images.decoding import decode
from pipeline.images.measures import measure
from pipeline.images.near_duplicates import find_near_duplicates
from pipeline.images.picture_preprocessor import PicturePreprocessor
from pipeline.images.picture_store import PictureStore, PictureWriter
from pipeline.images.shaping import shape
from pipeline.ingest.picture_facts import Unreadable
from tests.images.example import draw, encode

CONFIG = ImageConfig(height=16, width=16)


@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.integers(4, 40),
    st.integers(4, 40), st.sampled_from([1, 3]), st.sampled_from(["crop", "pad", "stretch"]),
)  # fmt: skip
def test_any_raster_gets_the_shape(
    h: int, w: int, c: int, height: int, width: int, channels: int, fit: str
) -> None:
    """Every raster gets the configured shape; its argument is unchanged; blank stays blank."""
    config = ImageConfig.model_validate(
        {"height": height, "width": width, "channels": channels, "fit": fit, "background": 90}
    )
    raster = draw(h * w, h, w, c)
    before = raster.copy()
    shaped = shape(raster, config)
    assert shaped.shape == (height, width, channels)
    assert shaped.dtype == np.uint8
    assert np.array_equal(raster, before)
    assert (shape(np.full((h, w, c), 90, np.uint8), config) == 90).all()


def test_a_raster_that_fits_is_unchanged() -> None:
    """Shaping is exact where the size fits, and does nothing a second time."""
    raster = draw(1, 16, 16)
    assert np.array_equal(shape(raster, CONFIG), raster)
    once = shape(draw(2, 50, 31), CONFIG)
    assert np.array_equal(shape(once, CONFIG), once)


def test_pad_and_crop() -> None:
    """Padding puts the background at the sides; cropping takes the middle."""
    raster = np.zeros((16, 32, 1), np.uint8)
    raster[:, 8:24] = 200
    padded = shape(raster, ImageConfig(height=16, width=16, channels=1, fit="pad", background=255))
    assert (padded[:4] == 255).all()
    assert (padded[12:] == 255).all()
    assert (padded[5:11, 5:11] == 200).all()
    assert (shape(raster, CONFIG.model_copy(update={"channels": 1})) == 200).all()


def test_decoding_follows_its_rules() -> None:
    """Transparency shows the background, deep grey keeps its scale, EXIF turns."""
    clear = encode(Image.new("RGBA", (5, 4), (200, 10, 10, 0)))
    assert (decode(clear, ImageConfig(background=77)).raster == 77).all()
    opaque = decode(encode(Image.new("RGBA", (5, 4), (200, 10, 10, 255))), CONFIG)
    assert opaque.rules == ()
    assert opaque.mode == "RGBA"
    ramp = np.linspace(0, 65_535, 64).astype(np.uint16).reshape(8, 8)
    assert np.array_equal(
        decode(encode(Image.fromarray(ramp)), CONFIG).raster[:, :, 0], (ramp >> 8).astype(np.uint8)
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = draw(3, 10, 20)
    turned = decode(encode(picture, exif=exif), CONFIG)
    assert np.array_equal(turned.raster, np.rot90(picture, -1))
    assert decode(encode(picture[:, :, :1]), CONFIG).raster.shape == (10, 20, 1)
    for form in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "MPO", "GIF"):
        decoded = decode(encode(picture, form), CONFIG)
        assert decoded.raster.shape == (10, 20, 3)
        assert decoded.ordinary == (form not in ("TIFF", "GIF"))


# Pillow's warnings are silenced where it is imported; pytest turns them on again.
@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.binary(max_size=60), st.integers(0, 600), st.integers(0, 255))
def test_damage_never_surfaces(junk: bytes, at: int, value: int) -> None:
    """Whatever is wrong with a file's bytes, it decodes or is unreadable with a reason."""
    for form in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        content = bytearray(encode(draw(1, 12, 12), form))
        content[at % len(content)] = value
        for damaged in (bytes(content), bytes(content[: at % len(content)]), content[:12] + junk):
            assert 0 < len(describe(bytes(damaged))) < 40


def describe(content: bytes) -> str:
    """Decode bytes; give the raster's type, or the reason why there is none."""
    try:
        return str(decode(content, CONFIG).raster.dtype)
    except Unreadable as fault:
        return fault.reason


def test_measures_follow_what_they_measure() -> None:
    """Darker is less bright, flatter has less contrast, blurred is less sharp."""
    picture = draw(4, 64, 64)
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 20, picture.shape), 0, 255)
    sharp = noisy.astype(np.uint8)
    as_is = measure(sharp)
    assert measure(sharp // 2).brightness < as_is.brightness
    assert measure(sharp // 2 + 64).contrast < as_is.contrast
    levels = [measure(cv2.GaussianBlur(sharp, (0, 0), s)).sharpness for s in (0.7, 1.5, 3.0)]
    assert as_is.sharpness > levels[0] > levels[1] > levels[2]
    blank = measure(np.full((9, 9, 3), 200, np.uint8))
    assert blank[:4] == (pytest.approx(200), 0, 0, 0)
    assert 0 < measure(sharp // 64).entropy < as_is.entropy <= 8
    assert measure(np.zeros((1, 1, 1), np.uint8)).sharpness == 0


def test_like_pictures_have_like_hashes() -> None:
    """A smaller, re-encoded copy is few bits away; a stranger is about half of 64 away."""
    hashes = []
    for seed in range(30):
        picture = draw(seed, 96, 96)
        copy = decode(encode(cv2.resize(picture, (64, 64)), "JPEG", quality=70), CONFIG).raster
        hashes.append((measure(picture).perceptual_hash, measure(copy).perceptual_hash))
    assert max((a ^ b).bit_count() for a, b in hashes) <= 8
    strangers = [(a ^ b).bit_count() for (a, _), (b, _) in pairwise(hashes)]
    assert min(strangers) > 12


def write_store(folder: Path, rasters: list[np.ndarray], config: ImageConfig) -> PictureStore:
    """Write rasters as a store, each with its number as its file."""
    with PictureWriter(folder, config) as writer:
        for row, raster in enumerate(rasters):
            writer.add(str(row), str(row).encode(), raster)
    return PictureStore(folder)


@pytest.fixture(scope="module")
def rasters() -> list[np.ndarray]:
    """Draw rasters that fit."""
    return [draw(seed, 16, 16) for seed in range(70)]


def test_the_store_reads_any_rows(
    rasters: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows come in any order, as often as asked for, across row groups and parts."""
    monkeypatch.setattr(storage, "GROUP_BYTES", 5 * 768)
    monkeypatch.setattr(storage, "PART_BYTES", 17 * 768)
    store = write_store(tmp_path, rasters, CONFIG)
    assert len(list((tmp_path / "pictures").glob("part-*.parquet"))) > 3
    assert (store.rows, store.shape) == (70, (16, 16, 3))
    rng = np.random.default_rng(0)
    for rows in (rng.integers(0, 70, 200), np.arange(70)[::-1], np.array([], int), np.array([69])):
        assert np.array_equal(
            store.read_rasters(rows),
            np.stack([rasters[row] for row in rows]) if len(rows) else np.empty((0, 16, 16, 3)),
        )
        assert store.read_files(rows) == [str(row).encode() for row in rows]
    batches = list(store.iter_rasters(3))
    assert [start for start, _ in batches] == sorted(start for start, _ in batches)
    assert max(len(batch) for _, batch in batches) == 3
    assert np.array_equal(np.concatenate([batch for _, batch in batches]), np.stack(rasters))
    with pytest.raises(IndexError, match="row 70 of 70"):
        store.read_rasters(np.array([3, 70]))


def test_an_empty_store(tmp_path: Path) -> None:
    """No pictures are a store of no rows."""
    store = write_store(tmp_path, [], CONFIG)
    assert store.read_rasters(np.array([], int)).shape == (0, 16, 16, 3)
    assert list(store.iter_rasters(4)) == []
    near = find_near_duplicates(np.array([], np.uint64), store, CONFIG)
    assert (len(near.pairs), len(near.groups)) == (0, 0)


def change(raster: np.ndarray, how: str) -> np.ndarray:
    """Make a near-duplicate."""
    rng = np.random.default_rng(1)
    if how == "jpeg":
        return decode(encode(raster, "JPEG", quality=60), CONFIG).raster
    if how == "smaller":
        small = cv2.resize(raster, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, raster.shape[1::-1]))
    if how == "brighter":
        return np.clip(raster * 1.08, 0, 255).astype(np.uint8)
    return np.clip(raster + rng.normal(0, 5, raster.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("how", ["jpeg", "smaller", "brighter", "noisy"])
@pytest.mark.parametrize("copies_first", [False, True])
def test_near_duplicates_are_found_and_strangers_are_not(
    how: str, copies_first: bool, tmp_path: Path
) -> None:
    """Each changed copy is paired with its original, in either order, and with no other."""
    config = ImageConfig(height=48, width=48)
    originals = [draw(seed, 48, 48) for seed in range(20)]
    copies = [change(raster, how) for raster in originals]
    order = copies + originals if copies_first else originals + copies
    hashes = np.array([measure(r).perceptual_hash for r in order], np.uint64)
    near = find_near_duplicates(hashes, write_store(tmp_path, order, config), config)
    assert near.pairs.tolist() == [[row, row + 20] for row in range(20)]
    assert near.groups.tolist() == [*range(20), *range(20)]
    assert near.bits.max() <= config.near_distance
    assert near.difference.max() <= config.near_difference


def test_blank_pictures_are_no_near_duplicates_of_others(tmp_path: Path) -> None:
    """Blank ones share a hash; they pair where their brightness agrees, each with the first."""
    config = ImageConfig(height=32, width=32)
    red_disc, green_disc = (np.full((32, 32, 3), 255, np.uint8) for _ in range(2))
    cv2.circle(red_disc, (16, 16), 10, (220, 60, 50), -1)
    cv2.circle(green_disc, (16, 16), 10, (80, 130, 60), -1)
    blanks = [np.full((32, 32, 3), level, np.uint8) for level in (0, 255, 0, 0, 120)]
    order = [*blanks, red_disc, green_disc]
    hashes = np.array([measure(raster).perceptual_hash for raster in order], np.uint64)
    near = find_near_duplicates(hashes, write_store(tmp_path, order, config), config)
    assert near.pairs.tolist() == [[0, 2], [0, 3]]
    assert near.groups.tolist() == [0, 1, 0, 0, 4, 5, 6]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_a_picture_of_pillow_is_read_as_its_file(tmp_path: Path, mode: str) -> None:
    """A picture that is open in Pillow gives the pixels of the file that it would be saved as."""
    draw = np.random.default_rng(0)
    image = Image.fromarray(draw.integers(0, 256, (20, 30, 3), dtype=np.uint8)).convert(mode)
    path = tmp_path / "picture.png"
    (image.convert("RGB") if mode == "CMYK" else image).save(path)
    preprocessor = PicturePreprocessor(ImageConfig(height=16, width=16), ["a", "b"])
    np.testing.assert_array_equal(preprocessor.transform([image]), preprocessor.transform([path]))
    with pytest.raises(DataContractError, match="one picture was given"):
        preprocessor.transform(image)  # type: ignore[arg-type]  # a list is wanted
