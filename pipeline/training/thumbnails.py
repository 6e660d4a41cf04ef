"""Pictures as learners of tables take them: shrunk to thumbnails."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.pictures import iter_pictures
from pipeline.training.features import Picture

THUMBNAIL = 16


def read_thumbnails(path: Path, picture: Picture) -> np.ndarray:
    """Shrink the pictures for learners of tables.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, 16 * 16 * channels)`` or less for smaller pictures, float32, z-scores by the
        training pictures' mean and standard deviation.
    """
    import cv2

    height, width, channels = picture.shape
    side = (min(THUMBNAIL, width), min(THUMBNAIL, height))
    mean, std = (np.array(levels, np.float32) for levels in (picture.mean, picture.std))
    parts = [
        np.stack([cv2.resize(one, side, interpolation=cv2.INTER_AREA) for one in batch])
        .reshape(len(batch), -1, channels)
        .astype(np.float32)
        for batch in iter_pictures(path, picture.shape)
    ]
    if not parts:
        return np.empty((0, side[0] * side[1] * channels), np.float32)
    values = (np.concatenate(parts) - mean) / std
    return values.reshape(len(values), -1)
