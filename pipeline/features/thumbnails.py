"""Pictures as learners of tables take them: shrunk to thumbnails."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.features.layout import Layout
from pipeline.features.picture_files import iter_pictures, read_shape

THUMBNAIL = 16


def read_thumbnails(path: Path, layout: Layout) -> np.ndarray:
    """Shrink the pictures for learners of tables.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, 16 * 16 * channels)`` or less for smaller pictures, float32, z-scores by the
        training pictures' mean and standard deviation.
    """
    import cv2

    form = layout.form
    assert form is not None
    height, width, channels = shape = read_shape(layout)
    side = (min(THUMBNAIL, width), min(THUMBNAIL, height))
    mean, std = (np.array(levels, np.float32) for levels in (form.mean, form.std))
    parts = [
        np.stack([cv2.resize(one, side, interpolation=cv2.INTER_AREA) for one in batch])
        .reshape(len(batch), -1, channels)
        .astype(np.float32)
        for batch in iter_pictures(path, shape)
    ]
    if not parts:
        return np.empty((0, side[0] * side[1] * channels), np.float32)
    values = (np.concatenate(parts) - mean) / std
    return values.reshape(len(values), -1)
