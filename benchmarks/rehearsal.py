"""Does the rehearsal choose what fills best? Known cells are hidden in three ways.

Completely at random; at random, more often where another column is large; and not at random, more
often where the value itself is large or common. The method that the rehearsal chose, which saw no
hidden cell, is measured on the hidden cells beside all others.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measuring import run
from pipeline.cleaning.repairs import CleaningFacts, narrow_schema
from pipeline.config.settings import ImputationConfig
from pipeline.dataset import TrainSet
from pipeline.imputation import fit_imputation, impute
from pipeline.ingest.canonical import IngestFacts
from pipeline.runs.run import prepare
from pipeline.steps.clean import clean
from pipeline.steps.ingest import ingest
from pipeline.steps.split import split
from pipeline.steps.training_rows import take_train
from pipeline.storage.parts import read_parts

ROOT = Path(__file__).parents[1]
SOURCES = {
    "adult": ("adult/adult.csv.gz", "income"),
    "penguins": ("penguins_raw/penguins_raw.csv", "Species"),
    "hypothyroid": ("hypothyroid/hypothyroid.csv", "class"),
}
SHARE = 0.15
MOST_ROWS = 8_000
# Columns that cells are hidden in, of each kind.
MOST_COLUMNS = 4

Hide = Callable[[pd.DataFrame, str, np.random.Generator], np.ndarray]


def measure(rounds: int) -> None:
    """Print, for each way of hiding, what was chosen and how far each method was off."""
    del rounds
    for name, (path, target) in SOURCES.items():
        with tempfile.TemporaryDirectory() as folder:
            train = _load(name, ROOT / "data" / path, target, Path(folder))
        ways: dict[str, Hide] = {
            "completely at random": _hide_anywhere,
            "at random": _hide_by_another,
            "not at random": _hide_by_itself,
        }
        for way, hide in ways.items():
            print(f"  {name}, {len(train.frame):,} training rows, hidden {way}")
            _tell(train, hide)


def _load(name: str, source: Path, target: str, home: Path) -> TrainSet:
    """Take a source through ingest, split and cleaning as a user would."""
    shutil.copy(source, home / source.name)
    command = [sys.executable, "-m", "flows.cli", "init", source.name, "--target", target]
    run([*command, "--name", name], home)
    made = prepare(home, name)
    rows = ingest(made)
    cleaned = clean(made, rows, split(made, rows))
    schema = narrow_schema(rows.facts(IngestFacts).schema, cleaned.facts(CleaningFacts).fitted)
    train = take_train((frame for _, frame in read_parts(cleaned.path)), schema)
    return replace(train, frame=train.frame.iloc[:MOST_ROWS].reset_index(drop=True))


def _tell(train: TrainSet, hide: Hide) -> None:
    draw = np.random.default_rng(0)
    schema = train.schema
    numbers = [n for n in schema.select("numeric") if train.frame[n].notna().mean() > 0.5]
    words = [
        n
        for n in schema.select("categorical", "boolean")
        if train.frame[n].value_counts(normalize=True).iloc[0] < 0.9
    ]
    columns = [*numbers[:MOST_COLUMNS], *words[:MOST_COLUMNS]]
    hidden = {name: hide(train.frame, name, draw) for name in columns}
    frame = train.frame.copy()
    for name, cells in hidden.items():
        frame[name] = frame[name].mask(cells)
    gappy = TrainSet(frame, schema)
    errors = {}
    for method, options in _list_methods().items():
        fitted = fit_imputation(gappy, ImputationConfig.model_validate(options), seed=0)
        filled = impute(frame, fitted).frame
        errors[method] = {
            name: _judge(filled[name][cells], train.frame[name][cells], name in numbers)
            for name, cells in hidden.items()
        }
        if method == "auto":
            chosen = {
                fill.column: f"{fill.method} {fill.neighbours or ''}".strip()
                for fill in fitted.fills
            }
    for name, cells in hidden.items():
        ranked = sorted((errors[m][name], m) for m in errors if m != "auto")
        rest = ", ".join(f"{method} {error:.3f}" for error, method in ranked)
        print(
            f"    {name[:20]:20} {int(cells.sum()):5} cells: {chosen[name]:13} "
            f"{errors['auto'][name]:.3f} of [{rest}]"
        )


def _list_methods() -> dict[str, dict[str, object]]:
    plain: dict[str, dict[str, object]] = {
        "auto": {"numeric": "auto", "categorical": "auto"},
    }
    for method in ("median", "mean", "most_frequent"):
        plain[method] = {"numeric": method, "categorical": "most_frequent"}
    for k in (5, 15):
        plain[f"knn {k}"] = {"numeric": "knn", "categorical": "knn", "k_neighbors": k}
    return plain


def _judge(filled: pd.Series, truth: pd.Series, numeric: bool) -> float:
    """Root mean squared error in standard deviations, or the share that is wrong."""
    if not numeric:
        return float((filled != truth).mean())
    return float(np.sqrt(np.square(filled - truth).mean()) / truth.std())


def _hide_anywhere(frame: pd.DataFrame, name: str, draw: np.random.Generator) -> np.ndarray:
    return np.asarray((draw.random(len(frame)) < SHARE) & frame[name].notna())


def _hide_by_another(frame: pd.DataFrame, name: str, draw: np.random.Generator) -> np.ndarray:
    others = [n for n in frame.select_dtypes("number") if n != name]
    return _hide_large(frame[others[0]].rank(pct=True), frame[name], draw)


def _hide_by_itself(frame: pd.DataFrame, name: str, draw: np.random.Generator) -> np.ndarray:
    values = frame[name]
    if not pd.api.types.is_numeric_dtype(values):
        values = values.map(values.value_counts())
    return _hide_large(values.rank(pct=True), frame[name], draw)


def _hide_large(rank: pd.Series, values: pd.Series, draw: np.random.Generator) -> np.ndarray:
    """Hide at the same rate on the whole, nearly always where the rank is large."""
    chance = 2 * SHARE * (rank.fillna(0.5) > 0.5)
    return np.asarray((draw.random(len(values)) < chance) & values.notna())
