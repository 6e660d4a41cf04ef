"""A features directory of a table with another class balance of its training split."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.settings import DatasetConfig
from pipeline.dataset import TrainFeatures
from pipeline.features.files import read_features, write_features
from pipeline.features.layout import complete_resampled, load_layout
from pipeline.resampling.balance import ResamplingFacts, resample
from pipeline.storage.store import FACTS, dump_json


def resample_table(features: Path, out: Path, config: DatasetConfig) -> None:
    """Write the training rows in their new number, and the other splits as they are.

    Parameters
    ----------
    features
        The features directory to be resampled.
    """
    layout = load_layout(features)
    rows = read_features(features / "train.parquet", layout)
    result = resample(TrainFeatures(rows, layout.blocks), config.resampling, seed=config.seed)
    write_features(out / "train.parquet", result.rows, layout, result.origin, result.weights)
    finish_resampled(features, out, result.facts)


def finish_resampled(features: Path, out: Path, facts: ResamplingFacts) -> None:
    """Complete a features directory whose training rows are written, of tables and others alike.

    Parameters
    ----------
    features
        The features directory that was resampled.
    facts
        What was done; written beside the rows.
    """
    even = facts.method == "threshold"
    complete_resampled(features, out, facts.before, facts.balanced, even=even)
    dump_json(out / FACTS, facts)
