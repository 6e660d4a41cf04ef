"""Many pictures: 60,000 of 28 px and 20,000 of 224 px, from a zip to a published version."""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measuring import run

ROOT = Path(__file__).parents[1]
ASSAY = [sys.executable, "-m", "flows.cli"]
SETTINGS = {
    "training.epochs": "1",
    "training.early_stopping": "0",
    "training.compare_unrepaired": "false",
}
LARGE = 224
CLASSES = 5


def measure(rounds: int) -> None:
    """Print seconds a stage and the peak memory of both."""
    del rounds  # minutes long: once each
    for name, make, count in (("small", _make_small, 60_000), ("large", _make_large, 20_000)):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            with zipfile.ZipFile(home / f"{name}.zip", "w") as archive:
                for file, content in make(count):
                    archive.writestr(file, content)
            _measure(home, name, count)


def _measure(home: Path, name: str, count: int) -> None:
    begun = run([*ASSAY, "init", f"{name}.zip"], home)
    settings = [part for k, v in SETTINGS.items() for part in ("--set", f"{k}={v}")]
    done = run([*ASSAY, "run", name, *settings], home)
    record = json.loads(
        (home / f"data/published/{name}/current/record.json").read_text(encoding="utf-8")
    )
    print(f"  {name}: {count:,} pictures")
    print(f"    init, which ingests and splits {begun.seconds:7.1f} s   {begun.peak_mb:6.0f} MB")
    for stage, taken in record["seconds"].items():
        if taken:
            print(f"    {stage:<30} {taken:7.1f} s")
    speed, waited = record["training"]["rows_per_second"], record["training"]["waited"]
    print(f"    whole run                      {done.seconds:7.1f} s   {done.peak_mb:6.0f} MB")
    print(f"    training {speed:,.0f} pictures a second, {waited:.1%} of its time waiting for them")


def _make_small(count: int) -> Iterator[tuple[str, bytes]]:
    """Blend two warped pictures of one class of the sample: as many as wanted, none alike."""
    draw = np.random.default_rng(0)
    by_class: dict[str, list[np.ndarray]] = {}
    with zipfile.ZipFile(ROOT / "data/fashion_mnist/fashion_mnist.zip") as archive:
        for file in archive.namelist():
            content = np.frombuffer(archive.read(file), np.uint8)
            picture = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
            by_class.setdefault(file.split("/")[0], []).append(np.asarray(picture))
    names = sorted(by_class)
    for number in range(count):
        name = names[number % len(names)]
        first, second = (by_class[name][i] for i in draw.integers(len(by_class[name]), size=2))
        share = draw.uniform(0.3, 0.7)
        blend = share * _warp(first, draw) + (1 - share) * _warp(second, draw)
        yield f"{name}/{number:06d}.png", _encode(blend.astype(np.uint8), ".png")


def _warp(picture: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((14, 14), draw.uniform(-15, 15), draw.uniform(0.9, 1.1))
    matrix[:, 2] += draw.uniform(-2, 2, 2)
    return np.asarray(cv2.warpAffine(picture, matrix, (28, 28)))


def _make_large(count: int) -> Iterator[tuple[str, bytes]]:
    """Draw gratings whose direction is their class, in clouds of colour and noise, as JPEG."""
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[0:LARGE, 0:LARGE].astype(np.float32)
    for number in range(count):
        label = number % CLASSES
        angle = np.pi * label / CLASSES + draw.normal(0, 0.1)
        wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * draw.uniform(0.1, 0.6))
        clouds = cv2.resize(draw.uniform(40, 215, (5, 5, 3)).astype(np.float32), (LARGE, LARGE))
        noise = draw.normal(0, 12, (LARGE, LARGE, 1)).astype(np.float32)
        picture = clouds + draw.uniform(15, 40) * wave[:, :, None] + noise
        content = _encode(np.clip(picture, 0, 255).astype(np.uint8), ".jpg")
        yield f"direction_{label}/{number:06d}.jpg", content


def _encode(picture: np.ndarray, kind: str) -> bytes:
    return bytes(cv2.imencode(kind, picture)[1].tobytes())
