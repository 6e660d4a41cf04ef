"""The same seed gives the same bytes: in 1 and 7 partitions, on 1 and 2 cores, in any order."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from pipeline.config.settings import ImputationConfig, Resampling, ResamplingConfig
from pipeline.dataset import ROW_ID, Features, Schema, TrainFeatures, TrainSet
from pipeline.imputation import fit_imputation, impute
from pipeline.resampling import resample

ROWS = 3_000
SCHEMA = Schema(
    "y",
    {"a": "numeric", "b": "numeric", "c": "numeric", "word": "categorical", "y": "target"},
)
METHODS = sorted({*get_args(Resampling)} - {"none", "threshold", "augment"})


def make_frame() -> pd.DataFrame:
    """Make rows with gaps and many ties; enough of them for the compiled search."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            ROW_ID: [f"row-{i:05}" for i in range(ROWS)],
            "a": draw.normal(size=ROWS),
            "b": draw.integers(0, 6, ROWS).astype(float),
            "c": draw.integers(0, 3, ROWS).astype(float),
            "word": pd.Series(draw.choice(["x", "y", "z"], ROWS), dtype="str"),
            "y": pd.Series(np.where(draw.random(ROWS) < 0.15, "rare", "common"), dtype="str"),
        }
    )
    for name in ("a", "b", "c", "word"):
        frame[name] = frame[name].mask(draw.random(ROWS) < 0.15)
    return frame


def hash_imputed(partitions: int, method: str) -> str:
    """Impute in partitions and hash what comes out."""
    frame = make_frame()
    config = ImputationConfig.model_validate({"numeric": method, "categorical": method})
    fitted = fit_imputation(TrainSet(frame, SCHEMA), config, seed=3)
    cuts = np.linspace(0, ROWS, partitions + 1).astype(int)
    parts = [impute(frame.iloc[a:b], fitted).frame for a, b in pairwise(cuts)]
    whole = pd.concat(parts)
    digest = hashlib.sha256(whole[["a", "b", "c"]].to_numpy().tobytes())
    digest.update("|".join(whole["word"]).encode())
    return digest.hexdigest()


def hash_resampled(method: str, order: np.ndarray | None = None) -> str:
    """Resample and hash what comes out, whatever the order of the rows."""
    draw = np.random.default_rng(0)
    values = draw.integers(0, 9, (ROWS, 5)).astype(np.float32)
    values[:, :2] += draw.normal(size=(ROWS, 2)).astype(np.float32)
    labels = np.where(draw.random(ROWS) < 0.15, "rare", "common").astype(object)
    ids = np.array([f"row-{i:05}" for i in range(ROWS)], dtype=object)
    order = np.arange(ROWS) if order is None else order
    rows = Features(ids[order], values[order], labels[order])
    made = resample(TrainFeatures(rows, ((3,), (4,))), ResamplingConfig(method=method), seed=3)  # type: ignore[arg-type]
    by_id = np.argsort(made.rows.row_ids.astype(str), kind="stable")
    digest = hashlib.sha256(made.rows.values[by_id].tobytes())
    digest.update("|".join(made.rows.row_ids[by_id]).encode())
    digest.update(made.weights[by_id].tobytes())
    return digest.hexdigest()


def hash_all() -> Iterator[str]:
    """Hash what each method makes."""
    for method in ("knn", "auto"):
        yield f"impute {method} {hash_imputed(1, method)}"
    for method in METHODS:
        yield f"resample {method} {hash_resampled(method)}"


@pytest.fixture(scope="module")
def here() -> list[str]:
    """Make all of it in this process."""
    return list(hash_all())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="binds a process to cores")
@pytest.mark.parametrize("cores", [1, 2])
def test_the_number_of_cores_changes_no_byte(here: list[str], cores: int) -> None:
    """A process that may use one core, or two, makes what this one makes."""
    code = (
        "import os, sys\n"
        f"os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}])\n"
        "from tests.test_reproducible import hash_all\n"
        "print(*hash_all(), sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([".", *sys.path])},
    )  # fmt: skip
    assert done.stdout.splitlines() == here


@pytest.mark.parametrize("method", ["knn", "auto"])
def test_the_number_of_partitions_changes_no_byte(method: str) -> None:
    """A row is filled alike in one partition and in seven."""
    assert hash_imputed(7, method) == hash_imputed(1, method)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_rows_changes_no_byte(method: str) -> None:
    """However the source's rows come, by one partition or by many, the same rows are made."""
    order = np.random.default_rng(1).permutation(ROWS)
    assert hash_resampled(method, order) == hash_resampled(method)
