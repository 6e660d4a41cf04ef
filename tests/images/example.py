"""Small sources of pictures, made on a real disk."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipeline.config.dataset_yaml import parse_config
from pipeline.config.settings import DatasetConfig
from pipeline.images.picture_ingest import read_pictures
from pipeline.ingest.canonical import Canonical

Files = dict[str, bytes]


def make_config(**image: object) -> DatasetConfig:
    """Declare pictures of 16 × 16 pixels in RGB, or as given."""
    shape = {"height": 16, "width": 16, "channels": 3} | image
    return parse_config(
        {"dataset": "d", "source": "s", "target": "label", "modality": "image", "image": shape}
    )


def draw(seed: int, height: int = 20, width: int = 24, channels: int = 3) -> np.ndarray:
    """Draw a smooth picture with some texture: shape ``(height, width, channels)``, uint8."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    picture = np.zeros((height, width, channels))
    for _ in range(12):
        a, b, phase = rng.uniform((-14, -14, 0), (14, 14, 6.28))
        picture += rng.uniform(4, 22, channels) * np.sin(a * rows + b * columns + phase)[..., None]
    return np.asarray(np.clip(picture + 128, 0, 255), dtype=np.uint8)


def encode(picture: np.ndarray | Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """Encode a raster or a Pillow image."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    encoded = io.BytesIO()
    picture.save(encoded, form, **options)
    return encoded.getvalue()


def make_files(count: int = 6) -> Files:
    """Make pictures of two classes, of several sizes, formats and modes."""
    files: Files = {}
    for seed in range(count):
        name = f"{('cat', 'dog')[seed % 2]}/{seed}"
        picture = draw(seed, 16 + seed, 20)
        if seed % 3 == 0:
            files[f"{name}.jpg"] = encode(picture, "JPEG", quality=90)
        elif seed % 3 == 1:
            files[f"{name}.png"] = encode(picture)
        else:
            files[f"{name}.png"] = encode(picture[:, :, :1])
    return files


def write_folder(path: Path, files: Files) -> Path:
    """Write files into a folder."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_zip(path: Path, files: Files) -> Path:
    """Write files into a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_parquet(path: Path, files: Files, *, struct: bool = False) -> Path:
    """Write pictures into Parquet: as bytes, or as Hugging Face datasets do."""
    labels = [name.split("/")[0] for name in files]
    images: pa.Array = pa.array(list(files.values()), pa.binary())
    if struct:
        images = pa.StructArray.from_arrays([images, pa.array(list(files))], ["bytes", "path"])
    pq.write_table(pa.table({"image": images, "label": labels}), path, row_group_size=4)
    return path


def ingest(source: Path, out: Path, threads: int = 2, **image: object) -> Canonical:
    """Read a source of pictures into a new folder."""
    out.mkdir(parents=True)
    return read_pictures(source, make_config(**image), out, threads=threads)
