from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.augmentation import geometry
from pipeline.augmentation.augment import augment
from pipeline.augmentation.draws import Draws
from pipeline.augmentation.geometry import Moves

Make = Callable[..., Any]
PADDING = {"nearest": "edge", "constant": "constant", "reflect": "symmetric", "wrap": "wrap"}


def move(picture: np.ndarray, fill_mode: str = "constant", **given: float) -> np.ndarray:
    """Move one picture as told; what is not told stays."""
    values = {name: np.array([1.0 if "zoom" in name or name == "crop" else 0.0])
              for name in Moves.__dataclass_fields__}  # fmt: skip
    values |= {name: np.array([value]) for name, value in given.items()}
    height, width = picture.shape[:2]
    out = np.empty_like(picture[None])
    matrices = geometry.build_matrices(Moves(**values), height, width)
    geometry.warp(picture[None], matrices, fill_mode, 7, out)
    return out[0]


@pytest.fixture
def picture(make: Make) -> np.ndarray:
    """Give one random picture, wider than high."""
    return make(1)[0][0]


@pytest.mark.parametrize("warped", [False, True])
def test_a_flip_is_the_mirror_image(make: Make, plan: Make, warped: bool) -> None:
    """Every other picture is the exact mirror image, with or without a resampling beside it."""
    pictures, keys = make(200)
    # A range so small that it moves nothing, but sends the pictures through the affine map.
    extra = {"rotation_range": 1e-9} if warped else {}
    chosen = plan(horizontal_flip=True, vertical_flip=True, **extra)
    assert chosen.warps == warped
    result = augment(pictures, keys, chosen, seed=0, epoch=0)
    ways = [pictures, pictures[:, :, ::-1], pictures[:, ::-1], pictures[:, ::-1, ::-1]]
    matches = np.stack([(result == way).all(axis=(1, 2, 3)) for way in ways])
    assert (matches.sum(axis=0) == 1).all()
    # Four ways of 50 each on average; five standard deviations of a count are 31.
    assert (np.abs(matches.sum(axis=1) - 50) < 31).all()


@given(
    st.integers(-12, 12), st.integers(-12, 12), st.sampled_from(sorted(PADDING)), st.integers(0, 9)
)
def test_whole_shifts_and_fill_modes(across: int, down: int, fill_mode: str, seed: int) -> None:
    """A shift by whole pixels moves by them, and the fill is as numpy pads."""
    picture = np.random.default_rng(seed).integers(0, 256, (20, 28, 3), dtype=np.uint8)
    values: dict[str, Any] = {"constant_values": 7} if fill_mode == "constant" else {}
    padded = np.pad(picture, ((12, 12), (12, 12), (0, 0)), PADDING[fill_mode], **values)
    expected = padded[12 + down : 32 + down, 12 + across : 40 + across]
    moved = move(picture, fill_mode, shift_x=across, shift_y=down)
    np.testing.assert_array_equal(moved, expected)


def test_a_quarter_turn_is_rot90(make: Make) -> None:
    """A turn by 90 degrees is numpy's, for a square picture."""
    square = make(1, 21, 21)[0][0]
    turned = move(square, "nearest", rotation=np.pi / 2)
    np.testing.assert_array_equal(turned, np.rot90(square))


def test_zoom_shows_a_share(picture: np.ndarray) -> None:
    """A zoom of 0.5 shows the middle half, twice as large; of 2 the whole at half its size."""
    smooth = np.add.outer(np.arange(20.0) * 4, np.arange(28.0) * 5)
    ramp = np.repeat(smooth[:, :, None], 3, axis=2).astype(np.uint8)
    nearer = move(ramp, zoom_x=0.5, zoom_y=0.5).astype(float)
    assert np.abs(np.diff(nearer[:, :, 0], axis=1).mean() - 2.5) < 0.1
    assert np.abs(np.diff(nearer[:, :, 0], axis=0).mean() - 2) < 0.1
    farther = move(picture, zoom_x=2, zoom_y=2)
    assert (farther[:4] == 7).all()
    assert (farther[:, :6] == 7).all()
    assert not (farther[6:14, 8:20] == 7).any()


def test_a_crop_is_the_window_resized(make: Make, plan: Make) -> None:
    """A crop lies within the picture and keeps at least its share of the area."""
    _, keys = make(2000)
    moves = geometry.draw_moves(plan(crop=0.3), Draws(keys, 0, 0))
    area = moves.crop**2
    assert 0.3 <= area.min() < 0.31
    assert 0.69 < area.max() - area.min() <= 0.7
    matrices = geometry.build_matrices(moves, 20, 28)
    # The outer edges of the result's corner pixels, in the picture's coordinates.
    for corner in ((-0.5, -0.5), (27.5, 19.5)):
        x, y = (matrices @ np.array([*corner, 1.0])).T
        assert x.min() >= -0.5 - 1e-9
        assert x.max() <= 27.5 + 1e-9
        assert y.min() >= -0.5 - 1e-9
        assert y.max() <= 19.5 + 1e-9


@pytest.mark.parametrize(
    ("settings", "field", "low", "high"),
    [
        ({"rotation_range": 30}, "rotation", -np.pi / 6, np.pi / 6),
        ({"shear_range": 18}, "shear", -np.pi / 10, np.pi / 10),
        ({"width_shift_range": 0.25}, "shift_x", -7, 7),
        ({"height_shift_range": 0.25}, "shift_y", -5, 5),
        ({"zoom_range": 0.2}, "zoom_x", 0.8, 1.2),
        ({"zoom_range": [0.5, 0.9]}, "zoom_y", 0.5, 0.9),
    ],
)
def test_ranges_are_filled_evenly(
    make: Make, plan: Make, settings: dict[str, Any], field: str, low: float, high: float
) -> None:
    """Each range is drawn evenly, in its documented unit."""
    _, keys = make(4000)
    drawn = getattr(geometry.draw_moves(plan(**settings), Draws(keys, 5, 1)), field)
    share = (drawn - low) / (high - low)
    assert share.min() >= 0
    assert share.max() <= 1
    # Kolmogorov's distance of 4,000 even numbers stays below 0.031 in 999 of 1,000 cases.
    assert np.abs(np.sort(share) - np.linspace(0, 1, 4000)).max() < 0.031


def test_shifts_from_1_on_are_whole_pixels(make: Make, plan: Make) -> None:
    """A shift range of 3 draws each of -3..3 pixels."""
    _, keys = make(700)
    moves = geometry.draw_moves(plan(width_shift_range=3), Draws(keys, 0, 0))
    assert set(moves.shift_x) == set(range(-3, 4))


def test_same_map_as_image_data_generator(make: Make) -> None:
    """With the same draws, a square picture is ImageDataGenerator's, whose shifts are swapped."""
    from scipy.ndimage import affine_transform

    square = make(1, 31, 31, 1)[0][0]
    smooth = np.cumsum(np.cumsum(square - 128.0, axis=0), axis=1)
    square = np.interp(smooth, (smooth.min(), smooth.max()), (0, 255)).astype(np.uint8)
    turn, slant, x, y, zoom_x, zoom_y = 0.3, 0.2, 2.5, -3.0, 0.8, 1.1
    # apply_affine_transform of Keras 3.15, in its own order and for columns before rows.
    rotation = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    shift = [[1, 0, x], [0, 1, y], [0, 0, 1]]
    shear = [[1, -np.sin(slant), 0], [0, np.cos(slant), 0], [0, 0, 1]]
    matrix = np.array(rotation) @ shift @ shear @ np.diag([zoom_x, zoom_y, 1])
    centre = np.array([[1, 0, 15], [0, 1, 15], [0, 0, 1]])
    matrix = centre @ matrix @ np.linalg.inv(centre)
    swapped = matrix[[1, 0, 2]][:, [1, 0, 2]]
    theirs = affine_transform(
        square[:, :, 0].astype(float), swapped[:2, :2], swapped[:2, 2], order=1, mode="nearest"
    )
    ours = move(square, "nearest", rotation=turn, shear=slant, shift_x=x, shift_y=y,
                zoom_x=zoom_x, zoom_y=zoom_y)  # fmt: skip
    # OpenCV rounds positions to 1/32 pixel.
    steepest = np.abs(np.diff(square[:, :, 0].astype(float), axis=0)).max()
    assert np.abs(ours[:, :, 0] - theirs).max() <= 1 + steepest / 16
