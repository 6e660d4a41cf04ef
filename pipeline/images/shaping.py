"""A raster of any size to the size that the network sees: in training and at inference alike."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.config.image import ImageConfig

# One thread for each picture; pictures run side by side.
cv2.setNumThreads(1)


def shape(raster: np.ndarray, config: ImageConfig) -> np.ndarray:
    """Bring a raster to the configured size and channels.

    ``crop`` cuts the middle out in the wanted aspect, ``pad`` puts the whole on the background,
    ``stretch`` gives up the aspect. An axis that shrinks is averaged by area, one that grows is
    interpolated linearly; a raster that fits is returned as it is.

    Parameters
    ----------
    raster
        Shape ``(h, w, 1)`` or ``(h, w, 3)``, uint8; it is not changed.

    Returns
    -------
    numpy.ndarray
        Shape ``(config.height, config.width, config.channels)``, uint8, contiguous.
    """
    grey = to_luminance(raster) if config.channels == 1 or raster.shape[2] == 1 else None
    flat = raster if grey is None else grey
    if flat.shape[:2] != (config.height, config.width):
        flat = _fit(flat, config)
    if grey is not None and config.channels == 3:
        flat = np.repeat(flat[:, :, None], 3, axis=2)
    shaped = flat.reshape(config.height, config.width, config.channels)
    return np.ascontiguousarray(shaped)


def to_luminance(raster: np.ndarray) -> np.ndarray:
    """Weigh the channels as ITU-R BT.601 does.

    Returns
    -------
    numpy.ndarray
        Shape ``(h, w)``, uint8.
    """
    if raster.shape[2] == 1:
        return raster[:, :, 0]
    return np.asarray(cv2.cvtColor(raster, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def resize(raster: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize: first the axes that shrink, by area, then those that grow, linearly.

    Parameters
    ----------
    raster
        Shape ``(height, width)`` or ``(height, width, channels)``.
    height, width
        Those wanted, in pixels.
    """
    smaller = (min(height, raster.shape[0]), min(width, raster.shape[1]))
    if raster.shape[:2] != smaller:
        raster = np.asarray(cv2.resize(raster, smaller[::-1], interpolation=cv2.INTER_AREA))
    if raster.shape[:2] != (height, width):
        raster = np.asarray(cv2.resize(raster, (width, height), interpolation=cv2.INTER_LINEAR))
    return raster


def _fit(raster: np.ndarray, config: ImageConfig) -> np.ndarray:
    """Bring a raster to the configured height and width."""
    height, width = raster.shape[:2]
    if config.fit == "crop":
        # Cutting first gives the same picture as resizing first, and resizes less.
        scale = max(config.height / height, config.width / width)
        rows = min(height, max(1, round(config.height / scale)))
        columns = min(width, max(1, round(config.width / scale)))
        top, left = (height - rows) // 2, (width - columns) // 2
        raster = np.ascontiguousarray(raster[top : top + rows, left : left + columns])
    if config.fit != "pad":
        return resize(raster, config.height, config.width)
    scale = min(config.height / height, config.width / width)
    rows = min(config.height, max(1, round(height * scale)))
    columns = min(config.width, max(1, round(width * scale)))
    padded = np.full((config.height, config.width, *raster.shape[2:]), config.background, np.uint8)
    top, left = (config.height - rows) // 2, (config.width - columns) // 2
    padded[top : top + rows, left : left + columns] = resize(raster, rows, columns)
    return padded
