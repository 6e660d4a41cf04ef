"""A fitted imputation on the disk: fills as JSON, donors as npz, no pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.imputation.donors import Donors
from pipeline.imputation.filling import Fill, FittedImputation
from pipeline.storage.store import dump_json, load_facts


def save_imputation(folder: Path, fitted: FittedImputation) -> None:
    """Write a fitted imputation: fills as JSON, donors as npz."""
    dump_json(
        folder / "imputation.json",
        {"fills": [asdict(fill) for fill in fitted.fills], "indicators": fitted.indicators},
    )
    if fitted.donors is not None:
        donors = fitted.donors
        np.savez_compressed(
            folder / "donors.npz",
            columns=np.array(donors.columns, dtype=np.str_),
            means=donors.means,
            scales=donors.scales,
            ranges=donors.ranges,
            # As JSON, since numpy's texts lose zeros at their end.
            levels=np.array(json.dumps(donors.levels)),
            rows=donors.rows,
        )


def load_imputation(folder: Path) -> FittedImputation:
    """Read what ``save_imputation`` wrote."""
    plain = load_facts(folder / "imputation.json", _PlainImputation)
    fitted = FittedImputation(plain.fills, plain.indicators, None)
    if not (folder / "donors.npz").is_file():
        return fitted
    with np.load(folder / "donors.npz", allow_pickle=False) as stored:
        if "k_neighbors" in stored:  # a version from before categories were compared
            k = int(stored["k_neighbors"])
            fills = [replace(f, neighbours=k if f.method == "knn" else 0) for f in plain.fills]
            fitted = replace(fitted, fills=fills)
        donors = Donors(
            [str(name) for name in stored["columns"]],
            stored["means"],
            stored["scales"],
            stored["ranges"],
            json.loads(str(stored["levels"])) if "levels" in stored else [],
            stored["rows"],
        )
    return replace(fitted, donors=donors)


@dataclass(frozen=True, slots=True)
class _PlainImputation:
    fills: list[Fill]
    indicators: list[str]
