"""Generated pictures of classes that can be learned, as data sets on a real disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.runs.run import Run, prepare
from pipeline.steps.clean import clean
from pipeline.steps.encode import encode
from pipeline.steps.impute import impute
from pipeline.steps.ingest import ingest
from pipeline.steps.resample import resample
from pipeline.steps.split import split
from pipeline.storage.store import Address
from tests.images.example import Files, write_folder
from tests.images.example import encode as encode_picture

SIDE = 16
CLASSES = ("bar", "disc", "ring")
DECLARATION = """dataset: shapes
source: {source}
target: label
modality: image
image: {{height: 16, width: 16, channels: 3}}
augmentation: {{preset: light}}
training: {{epochs: 1, hidden: [8], bootstrap: 100, compare_unrepaired: false}}
"""


def draw_shape(kind: str, seed: int) -> np.ndarray:
    """Draw a bar, disc or ring on a ground of its own: shape ``(16, 16, 3)``, uint8."""
    rng = np.random.default_rng([seed, CLASSES.index(kind)])
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    y, x = rng.uniform(5, 10, 2)
    far = np.hypot(rows - y, columns - x)
    mask = {
        "bar": np.abs(rows - y) < 1.6,
        "disc": far < 4.2,
        "ring": (far > 3) & (far < 5),
    }[kind]
    ground, ink = rng.uniform(20, 110, 3), rng.uniform(150, 235, 3)
    picture = np.where(mask[:, :, None], ink, ground) + rng.normal(0, 14, (SIDE, SIDE, 3))
    return np.asarray(np.clip(picture, 0, 255), dtype=np.uint8)


def make_shapes(**counts: int) -> Files:
    """Make so many pictures of each class, as PNG files in class folders."""
    return {
        f"{kind}/{number:03}.png": encode_picture(draw_shape(kind, number))
        for kind, count in counts.items()
        for number in range(count)
    }


def declare(home: Path, files: Files, more: str = "") -> None:
    """Write a folder of pictures and its dataset.yaml, without suites."""
    place = home / "data/shapes"
    write_folder(place / "pictures", files)
    (place / "dataset.yaml").write_text(DECLARATION.format(source="pictures") + more)


def prepare_features(run: Run) -> tuple[Address, Address]:
    """Run all stages from ingest to resampling; return the encoded and the resampled features."""
    rows = ingest(run)
    encoded = encode(run, impute(run, clean(run, rows, split(run, rows))))
    return encoded, resample(run, encoded)


def prepare_shapes(home: Path, *overrides: str) -> Run:
    """Plan a run of the declared shapes."""
    return prepare(home, "shapes", list(overrides))
