"""What augmentation does for the network: one network, split and seeds, with it and without."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.image import AugmentationConfig
from pipeline.features.layout import load_layout
from pipeline.features.splits import load_split
from pipeline.runs.run import prepare
from pipeline.steps.clean import clean
from pipeline.steps.encode import encode
from pipeline.steps.impute import impute
from pipeline.steps.ingest import ingest
from pipeline.steps.resample import resample
from pipeline.steps.split import split
from pipeline.training.client import Trainer
from pipeline.training.jobs import Job

ROOT = Path(__file__).parents[1]
SEEDS = range(5)
RESAMPLES = 2000
# Student's t for 4 degrees of freedom, 95 %.
T_QUANTILE = 2.776


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train: how rare classes are filled up, and what happens in each epoch."""

    name: str
    resampling: str
    preset: str


ARMS = (
    Arm("without", "none", "none"),
    Arm("fresh, light", "none", "light"),
    Arm("fresh, medium", "none", "medium"),
    Arm("rare classes filled, light", "augment", "light"),
    Arm("class weights", "class_weight", "none"),
    Arm("class weights, light", "class_weight", "light"),
)


def measure(rounds: int) -> None:
    """Print test balanced accuracies and paired differences for both samples."""
    del rounds  # five seeds are the repetition
    for dataset in ("fashion_mnist", "emoji"):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            for room in ("data", "expectations"):
                shutil.copytree(ROOT / room / dataset, home / room / dataset)
            _compare(home, dataset)


def _compare(home: Path, dataset: str) -> None:
    hits: dict[str, np.ndarray] = {}
    labels = np.empty(0)
    with Trainer(home / "log.txt") as trainer:
        for arm in ARMS:
            overrides = [f"resampling.method={arm.resampling}", f"augmentation.preset={arm.preset}"]
            run = prepare(home, dataset, overrides)
            rows = ingest(run)
            assignment = split(run, rows)
            imputed = impute(run, clean(run, rows, assignment))
            features = resample(run, encode(run, imputed)).path
            labels = load_split(features, "test", load_layout(features)).labels
            change = AugmentationConfig.model_validate({"preset": arm.preset})
            found = []
            for seed in SEEDS:
                job = Job(
                    features, home / "fit", run.config.training, seed,
                    run.modality.learning.module, False, change,
                )  # fmt: skip
                trainer.submit(job).result()
                with np.load(home / "fit" / "probabilities.npz") as stored:
                    found.append(stored["test"].argmax(axis=1) == labels)
            hits[arm.name] = np.array(found)
    print(f"  {dataset}: {len(labels)} test pictures, seeds {SEEDS.start} to {SEEDS.stop - 1}")
    base = hits[ARMS[0].name]
    for name, found in hits.items():
        scores = [_score(one, labels) for one in found]
        told = " ".join(f"{score:.3f}" for score in scores)
        line = f"    {name:<28} {np.mean(scores):.3f}  ({told})"
        print(line if name == ARMS[0].name else f"{line}  {_describe(found, base, labels)}")


def _score(hits: np.ndarray, labels: np.ndarray) -> float:
    """Balanced accuracy of one fit."""
    return float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))


def _describe(found: np.ndarray, base: np.ndarray, labels: np.ndarray) -> str:
    """Write the paired difference with its interval over seeds, and over test pictures."""
    pairs = zip(found, base, strict=True)
    differences = np.array([_score(one, labels) - _score(other, labels) for one, other in pairs])
    half = T_QUANTILE * differences.std(ddof=1) / np.sqrt(len(differences))
    mean = differences.mean()
    draw = np.random.default_rng(0)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    change = (found.astype(float) - base.astype(float)).mean(axis=0)
    drawn = [
        np.mean([change[draw.choice(group, len(group))].mean() for group in groups])
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return (
        f"minus without {mean:+.3f}: {mean - half:+.3f} to {mean + half:+.3f} over seeds, "
        f"{low:+.3f} to {high:+.3f} over test pictures"
    )
