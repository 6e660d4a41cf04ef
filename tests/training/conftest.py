"""Small features directories and one worker for all tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Make = Callable[..., Path]


def write_features(
    directory: Path,
    *,
    rows: tuple[int, int, int] = (200, 60, 80),
    features: int = 4,
    classes: tuple[str, ...] = ("no", "yes"),
    seed: int = 0,
    noise: float = 0.3,
    present: tuple[int, ...] | None = None,
    synthetic: int = 0,
) -> Path:
    """Write a learnable problem; `present` limits the classes of the training split."""
    directory.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    names = [f"f{position}" for position in range(features)]
    for name, count in zip(("train", "validation", "test"), rows, strict=True):
        values = generator.standard_normal((count, features)).astype(np.float32)
        scores = values[:, : len(classes)] + noise * generator.standard_normal(
            (count, len(classes))
        )
        labels = scores.argmax(axis=1)
        if present is not None and name == "train":
            labels = np.array(present)[labels % len(present)]
        columns: dict[str, object] = {
            "row_id": [f"{name}-{row}" for row in range(count)],
            **dict(zip(names, values.T, strict=True)),
            "class": [classes[label] for label in labels],
        }
        if name == "train":
            origins = ["original"] * (count - synthetic) + ["synthetic"] * synthetic
            columns |= {"origin": origins, "sample_weight": np.ones(count, np.float32)}
        pq.write_table(pa.table(columns), directory / f"{name}.parquet")
    layout = {"target": "class", "classes": list(classes), "features": names}
    (directory / "layout.json").write_text(json.dumps(layout), encoding="utf-8")
    return directory


@pytest.fixture
def make_features(tmp_path: Path) -> Make:
    """Write features below the test's own directory."""

    def make(name: str = "features", **options: object) -> Path:
        return write_features(tmp_path / name, **options)  # type: ignore[arg-type]  # passed on

    return make
