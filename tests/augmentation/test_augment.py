from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.augmentation.augment import augment, key_rows, plan_augmentation
from pipeline.config.image import AugmentationConfig
from pipeline.errors import StageError

Make = Callable[..., Any]
EVERYTHING: dict[str, Any] = {
    "preset": "strong",
    "horizontal_flip": True,
    "vertical_flip": True,
    "crop": 0.6,
    "blur": 1.5,
    "channel_shift_range": 10,
    "fill_mode": "reflect",
    "transforms": [{"HueSaturationValue": {"p": 0.7}}, {"Affine": {"rotate": [-9, 9]}}],
}


@given(st.permutations(range(12)), st.integers(1, 12), st.sampled_from([1, 3]))
def test_any_batching_and_order(order: list[int], size: int, channels: int) -> None:
    """A picture's changes depend on its key, the seed and the epoch, not on its neighbours."""
    settings = EVERYTHING | ({"transforms": []} if channels == 1 else {})
    plan = plan_augmentation(AugmentationConfig.model_validate(settings), 9, 12, channels)
    shape = (12, 9, 12, channels)
    pictures = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    keys = key_rows(np.arange(12).astype(str))
    whole = augment(pictures, keys, plan, seed=3, epoch=2)
    for start in range(0, 12, size):
        rows = order[start : start + size]
        part = augment(pictures[rows], keys[rows], plan, seed=3, epoch=2)
        np.testing.assert_array_equal(part, whole[rows])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_shape_type_and_argument(make: Make, plan: Make, channels: int, count: int) -> None:
    """Shape and type are kept, the argument is unchanged, and the result is a new array."""
    pictures, keys = make(count, channels=channels)
    before = pictures.copy()
    settings = EVERYTHING | ({"transforms": ["Blur"]} if channels == 1 else {})
    result = augment(pictures, keys, plan(channels=channels, **settings), seed=0, epoch=0)
    assert result.shape == pictures.shape
    assert result.dtype == np.uint8
    assert not np.shares_memory(result, pictures)
    np.testing.assert_array_equal(pictures, before)


@pytest.mark.parametrize(
    "settings",
    [
        {"horizontal_flip": True},
        {"rotation_range": 30},
        {"width_shift_range": 0.3},
        {"height_shift_range": 0.3},
        {"shear_range": 20},
        {"zoom_range": 0.3},
        {"crop": 0.4},
        {"brightness_range": [0.5, 1.5]},
        {"contrast_range": [0.5, 1.5]},
        {"channel_shift_range": 60},
        {"noise": 20},
        {"blur": 3},
        {"cutout": 0.5},
        {"transforms": [{"Affine": {"rotate": [-30, 30], "p": 1}}]},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_seed_and_epoch_vary_the_draw(make: Make, plan: Make, settings: dict[str, Any]) -> None:
    """Another seed and another epoch give other pictures; the same give the same."""
    pictures, keys = make(8)
    chosen = plan(**settings)
    once, again, epoch, seed = (
        augment(pictures, keys, chosen, seed=seed, epoch=epoch)
        for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))
    )
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, pictures)
    assert not np.array_equal(once, epoch)
    assert not np.array_equal(once, seed)


def test_none_changes_nothing(make: Make, plan: Make) -> None:
    """The preset 'none' gives the same pixels."""
    pictures, keys = make(6)
    assert not plan().changes
    np.testing.assert_array_equal(augment(pictures, keys, plan(), seed=0, epoch=0), pictures)


def test_brightness_is_a_factor(make: Make, plan: Make) -> None:
    """Brightness multiplies, rounded and clipped to 0..255."""
    pictures, keys = make(5)
    result = augment(pictures, keys, plan(brightness_range=[1.5, 1.5]), seed=0, epoch=0)
    np.testing.assert_array_equal(result, np.clip(np.rint(pictures * 1.5), 0, 255))


def test_contrast_keeps_the_mean(make: Make, plan: Make) -> None:
    """Contrast multiplies the distance to the picture's mean."""
    pictures, keys = make(5)
    means = pictures.mean(axis=(1, 2, 3), keepdims=True)
    result = augment(pictures, keys, plan(contrast_range=[0.5, 0.5]), seed=0, epoch=0)
    np.testing.assert_allclose(result, means + 0.5 * (pictures - means), atol=0.51)


def test_channel_shift_adds_one_number(make: Make, plan: Make) -> None:
    """A channel shift adds the same grey levels to all of a picture, up to its range."""
    pictures, keys = make(50)
    pictures = 100 + pictures // 10
    change = augment(pictures, keys, plan(channel_shift_range=30), seed=0, epoch=0)
    shift = change.astype(int) - pictures
    per_picture = shift.reshape(50, -1)
    assert (per_picture == per_picture[:, :1]).all()
    assert -30 <= per_picture.min() < -20
    assert 20 < per_picture.max() <= 30


def test_noise_has_its_deviation(plan: Make) -> None:
    """Noise has the mean 0 and the deviation of the plan, and differs between pictures."""
    grey = np.full((40, 20, 28, 3), 128, np.uint8)
    keys = key_rows(np.arange(40).astype(str))
    noise = augment(grey, keys, plan(noise=9), seed=0, epoch=0).astype(float) - 128
    # 67,200 values: five standard errors.
    assert abs(noise.mean()) < 5 * 9 / np.sqrt(noise.size)
    assert abs(noise.std() - 9) < 5 * 9 / np.sqrt(2 * noise.size)
    together = np.corrcoef(noise.reshape(40, -1)) - np.eye(40)
    assert np.abs(together).max() < 5 / np.sqrt(noise[0].size)


def test_blur_is_opencvs(make: Make, plan: Make) -> None:
    """A blurred picture is a Gaussian blur of a sigma up to the plan's."""
    pictures, keys = make(30)
    result = augment(pictures, keys, plan(blur=2), seed=0, epoch=0)
    spread = result.std(axis=(1, 2, 3))
    strongest = np.array([cv2.GaussianBlur(one, (0, 0), 2.0).std() for one in pictures])
    assert (spread >= strongest - 1).all()
    assert (spread <= pictures.std(axis=(1, 2, 3)) + 1).all()
    assert spread.min() < strongest.max() + 3


def test_cutout_covers_a_square(plan: Make) -> None:
    """Cutout covers a square of the given side, less at the edge, and nothing else."""
    white = np.full((400, 20, 28, 3), 255, np.uint8)
    keys = key_rows(np.arange(400).astype(str))
    result = augment(white, keys, plan(cutout=0.4, cval=7), seed=0, epoch=0)
    assert set(np.unique(result)) == {7, 255}
    covered = (result == 7).all(axis=3)
    areas = covered.sum(axis=(1, 2))
    assert areas.max() == 8 * 8
    assert (areas == covered.any(axis=2).sum(axis=1) * covered.any(axis=1).sum(axis=1)).all()
    # The centre is even over the picture: the mean of the uncut share of each side is known.
    rows = np.mean([min(c + 4, 20) - max(c - 4, 0) for c in range(20)])
    columns = np.mean([min(c + 4, 28) - max(c - 4, 0) for c in range(28)])
    assert abs(areas.mean() - rows * columns) < 5 * areas.std() / np.sqrt(400)


def test_wrong_pictures_are_refused(make: Make, plan: Make) -> None:
    """Pictures of another shape or type than the plan's are refused."""
    pictures, keys = make(2)
    with pytest.raises(ValueError, match="pictures are float32"):
        augment(pictures.astype(np.float32), keys, plan(), seed=0, epoch=0)
    with pytest.raises(ValueError, match="the plan and keys say uint8 \\(1, 20, 28, 3\\)"):
        augment(pictures, keys[:1], plan(), seed=0, epoch=0)


def test_opencv_takes_one_thread(make: Make, plan: Make) -> None:
    """OpenCV works in the thread that calls it, before and after albumentations is loaded."""
    pictures, keys = make(2)
    augment(pictures, keys, plan(rotation_range=3, transforms=["Blur"]), seed=0, epoch=0)
    assert cv2.getNumThreads() == 1


def test_transforms_draw_apart(make: Make, plan: Make) -> None:
    """Each transform of the list has draws of its own: two coins give four outcomes."""
    pictures, keys = make(60)
    coins = [{"HorizontalFlip": {"p": 0.5}}, {"VerticalFlip": {"p": 0.5}}]
    result = augment(pictures, keys, plan(transforms=coins), seed=0, epoch=0)
    ways = [pictures, pictures[:, :, ::-1], pictures[:, ::-1], pictures[:, ::-1, ::-1]]
    counts = [(result == way).all(axis=(1, 2, 3)).sum() for way in ways]
    assert sum(counts) == 60
    assert min(counts) > 0


def test_transforms_are_albumentations(make: Make, plan: Make) -> None:
    """A transform does what albumentations does by the same name and parameters."""
    import albumentations

    pictures, keys = make(3)
    declared = [{"Solarize": {"threshold_range": [0.5, 0.5], "p": 1}}]
    result = augment(pictures, keys, plan(transforms=declared), seed=0, epoch=0)
    theirs = albumentations.Solarize(threshold_range=(0.5, 0.5), p=1)
    for one, expected in zip(result, pictures, strict=True):
        np.testing.assert_array_equal(one, theirs(image=expected)["image"])


def test_a_size_that_changes_at_random_is_refused(make: Make, plan: Make) -> None:
    """A size restored only at times is found when it happens, with the fix."""
    pictures, keys = make(30)
    crop = {"RandomCrop": {"height": 9, "width": 9, "p": 1}}
    resize = {"Resize": {"height": 20, "width": 28, "p": 0.5}}
    chosen = plan(transforms=[crop, resize])
    with pytest.raises(StageError, match=r"uint8 \(9, 9, 3\).*Set p: 1"):
        augment(pictures, keys, chosen, seed=0, epoch=0)
