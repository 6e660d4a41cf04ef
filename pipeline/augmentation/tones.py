"""Brightness, contrast, channel shift, blur, noise and cutout; each changes pictures in place."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from pipeline.augmentation.draws import Draws
from pipeline.augmentation.transform_plan import NEVER, TransformPlan

POOL = 1 << 20


def map_tones(pictures: np.ndarray, plan: TransformPlan, draws: Draws) -> None:
    """Apply brightness, contrast and channel shift at once, by a table of 256 levels per picture.

    Contrast c keeps the picture's mean m: ``m + c * (v - m)``; then the factor of brightness, then
    the shift, which is one for all channels as in Keras' ImageDataGenerator. Clipped to 0..255.

    Parameters
    ----------
    pictures
        Shape ``(n, height, width, channels)``, uint8; changed in place.
    plan
        Ranges of brightness and contrast, and the largest channel shift in grey levels.
    draws
        Random numbers, of each picture its own.
    """
    if not len(pictures):
        return
    brightness = draws.uniform("brightness", *plan.brightness)
    contrast = draws.uniform("contrast", *plan.contrast)
    shift = draws.uniform("channel_shift", -plan.channel_shift, plan.channel_shift)
    means = np.zeros(len(pictures))
    if plan.contrast != NEVER:
        # A sum of whole numbers is exact, so it is the same in any batch.
        means = pictures.sum(axis=(1, 2, 3), dtype=np.uint32) / pictures[0].size
    scale = (brightness * contrast)[:, None]
    offset = (brightness * means * (1 - contrast) + shift)[:, None]
    tables = np.clip(np.rint(scale * np.arange(256) + offset), 0, 255).astype(np.uint8)
    for picture, table in zip(pictures, tables, strict=True):
        cv2.LUT(picture, table, picture)


def blur(pictures: np.ndarray, plan: TransformPlan, draws: Draws) -> None:
    """Blur by a Gaussian whose sigma is drawn evenly from 0 to the plan's.

    Parameters
    ----------
    pictures
        Shape ``(n, height, width, channels)``, uint8; changed in place.
    plan
        ``blur`` is the largest sigma, in pixels.
    draws
        Random numbers, of each picture its own.
    """
    for picture, sigma in zip(pictures, draws.uniform("blur", 0.0, plan.blur), strict=True):
        cv2.GaussianBlur(picture, (0, 0), float(sigma), picture)


def add_noise(pictures: np.ndarray, plan: TransformPlan, draws: Draws) -> None:
    """Add Gaussian noise, clipped to 0..255.

    Each picture takes a stretch, which its key chooses, of one long pool: drawing normal numbers
    again costs three times as much as resampling the picture.

    Parameters
    ----------
    pictures
        Shape ``(n, height, width, channels)``, uint8; changed in place.
    plan
        ``noise`` is the standard deviation, in grey levels; and the size of the pictures.
    draws
        Random numbers, of each picture its own.
    """
    size = plan.height * plan.width * plan.channels
    pool = _pool_noise(plan.noise, max(POOL, 2 * size))
    starts = draws.integers("noise", len(pool) - size + 1).tolist()
    for picture, start in zip(pictures, starts, strict=True):
        noise = pool[start : start + size].reshape(picture.shape)
        cv2.add(picture, noise, picture, dtype=cv2.CV_8U)


@lru_cache(maxsize=2)
def _pool_noise(deviation: float, size: int) -> np.ndarray:
    """Draw the pool once, in whole grey levels since the pictures are."""
    noise = np.random.default_rng(0).standard_normal(size, dtype=np.float32) * deviation
    return np.asarray(np.rint(noise), dtype=np.int16)


def cut_out(pictures: np.ndarray, plan: TransformPlan, draws: Draws) -> None:
    """Cover a square about an even point of the picture (DeVries and Taylor 2017).

    As there, a square near the edge is covered in part only, so that some pictures stay whole.

    Parameters
    ----------
    pictures
        Shape ``(n, height, width, channels)``, uint8; changed in place.
    plan
        ``cutout`` is the side as a share of the shorter side, ``cval`` the grey level.
    draws
        Random numbers, of each picture its own.
    """
    side = max(1, round(plan.cutout * min(plan.height, plan.width)))
    tops = draws.integers("cutout_y", plan.height) - side // 2
    lefts = draws.integers("cutout_x", plan.width) - side // 2
    for picture, top, left in zip(pictures, tops.tolist(), lefts.tolist(), strict=True):
        picture[max(top, 0) : top + side, max(left, 0) : left + side] = plan.cval
