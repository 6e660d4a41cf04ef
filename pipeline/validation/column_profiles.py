"""How the columns look before and after repair: gaps, histograms, commonest categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from pipeline.config.settings import Role
from pipeline.dataset import ROLES, Schema
from pipeline.storage.parts import list_parts, name_columns, read_all

BINS = 40
TOP = 12
HELD = 4_000_000  # values of columns that are read together


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column, raw and repaired.

    Attributes
    ----------
    missing_raw, missing_repaired
        Rows without a value; the latter is None for a column that was dropped.
    edges
        For numbers and dates, shape ``(bins + 1,)``: shared edges of both histograms.
    log_scale
        Whether the edges are evenly spaced on a logarithmic scale.
    raw, repaired
        Rows in each bin, or of each category in ``labels``.
    labels
        For categories the commonest ones, then ``(other)``.
    low, high
        The bounds that were learned on training rows, where there are any.
    """

    name: str
    role: str
    rows: int
    missing_raw: int
    missing_repaired: int | None
    edges: list[float]
    log_scale: bool
    labels: list[str]
    raw: list[int]
    repaired: list[int]
    low: float | None = None
    high: float | None = None


def profile_columns(
    raw: Path,
    repaired: Path | None,
    schema: Schema,
    bounds: Mapping[str, tuple[float, float]],
) -> list[ColumnProfile]:
    """Profile each column of the schema over the rows of all splits, some columns at a time.

    Parameters
    ----------
    raw, repaired
        The partitions before and after repair; a column that was dropped is in the first alone.
    """
    kept = set() if repaired is None else set(name_columns(repaired))
    rows = sum(pq.read_metadata(path).num_rows for path in list_parts(raw))
    # Opening a file costs as much as a few thousand values of it.
    step = max(1, HELD // max(1, rows))
    names = list(schema.roles)
    profiles = []
    for start in range(0, len(names), step):
        own = names[start : start + step]
        before = read_all(raw, own)
        still = [name for name in own if name in kept]
        after = read_all(repaired, still) if repaired is not None and still else None
        profiles += [
            _profile(
                name,
                schema.roles[name],
                before[name],
                after[name] if after is not None and name in kept else None,
                bounds.get(name, (None, None)),
            )
            for name in own
        ]
    return profiles


def _profile(
    name: str,
    role: Role,
    raw: pd.Series,
    repaired: pd.Series | None,
    bound: tuple[float | None, float | None],
) -> ColumnProfile:
    edges: list[float] = []
    labels: list[str] = []
    before: list[int] = []
    after: list[int] = []
    log_scale = False
    kind = ROLES[role].values
    if kind in ("numbers", "dates"):
        numbers = _to_numbers(raw)
        fixed = None if repaired is None else _to_numbers(repaired)
        edges, log_scale = _find_edges(numbers)
        if edges:
            before = np.histogram(numbers, edges)[0].tolist()
            after = [] if fixed is None else np.histogram(fixed, edges)[0].tolist()
    elif kind in ("categories", "labels"):
        counts = raw.value_counts()
        fixed_counts = None if repaired is None else repaired.value_counts()
        labels = [str(label) for label in counts.index[:TOP]]
        before = [int(counts[label]) for label in labels]
        after = [] if fixed_counts is None else [int(fixed_counts.get(lb, 0)) for lb in labels]
        if len(counts) > TOP:
            labels.append("(other)")
            before.append(int(counts.iloc[TOP:].sum()))
            if fixed_counts is not None:
                after.append(int(fixed_counts.sum()) - sum(after))
    return ColumnProfile(
        name=name,
        role=role,
        rows=len(raw),
        missing_raw=int(raw.isna().sum()),
        missing_repaired=None if repaired is None else int(repaired.isna().sum()),
        edges=edges,
        log_scale=log_scale,
        labels=labels,
        raw=before,
        repaired=after,
        low=bound[0],
        high=bound[1],
    )


def _to_numbers(values: pd.Series) -> np.ndarray:
    """Turn numbers or dates (as days since 1970) into finite float64."""
    present = values.dropna()
    if present.dtype.kind == "M":
        return np.asarray(present.to_numpy("datetime64[us]").astype(np.int64) / 86_400_000_000)
    return present.to_numpy(dtype=np.float64)


def _find_edges(numbers: np.ndarray) -> tuple[list[float], bool]:
    """Choose bin edges; logarithmic where most rows would fall into the first few even bins."""
    if len(numbers) == 0:
        return [], False
    low, high = float(numbers.min()), float(numbers.max())
    if low == high:
        return [low - 0.5, high + 0.5], False
    positive = numbers[numbers > 0]
    skewed = float((numbers < low + (high - low) / BINS * 2).mean()) > 0.6
    if low >= 0 and skewed and len(positive) and high / float(positive.min()) > 50:
        start = float(np.quantile(positive, 0.01))
        inner = np.geomspace(start, high, BINS)
        return [low, *inner.tolist()] if low < start else inner.tolist(), True
    return np.linspace(low, high, BINS + 1).tolist(), False
