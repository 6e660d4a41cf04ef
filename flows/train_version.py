"""Train the baseline on a published version, with other settings if wished; publish nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flows.progress import telling
from pipeline.errors import ConfigError
from pipeline.modality import find_modality
from pipeline.runs.run import declare
from pipeline.storage.store import STAMP, Store, find_home
from pipeline.targets.metric_names import MAIN, TITLES

if TYPE_CHECKING:
    from pipeline.targets.results import TrainingFacts


def train(
    dataset: str,
    version: str | None = None,
    overrides: list[str] | None = None,
    home: Path | None = None,
) -> Path:
    """Train on a version's splits and measure on its test split.

    Returns
    -------
    Path
        A folder below ``data/runs/<dataset>/trainings`` with the network, its history and metrics.
    """
    store = Store(home or find_home(), dataset)
    config = declare(store, overrides)
    for override in overrides or []:
        if override.split(".")[0].split("=")[0].strip() not in ("training", "augmentation", "seed"):
            raise ConfigError(
                "train", f"--set {override} is no setting of the training, and the version's data "
                "is as it is",
                f"Set it in a run: assay run {dataset} --set {override}",
            )  # fmt: skip
    features = store.version(version)
    name = f"{datetime.now(UTC):{STAMP}}"
    with (
        telling() as progress,
        store.lock(config.runs.wait_seconds, progress.wait),
        progress.stage("train") as told,
    ):
        from pipeline.training.baseline import train_baseline

        facts: list[TrainingFacts] = []
        out = store.write_aside(
            "trainings",
            name,
            lambda folder: facts.append(
                train_baseline(
                    features,
                    folder,
                    config.training,
                    find_modality(config.modality).learning,
                    seed=config.seed,
                    augmentation=config.augmentation,
                    on_progress=progress.advance,
                )
            ),
        )
        told.append(f"{facts[0].epochs_run} epochs on {features.name}")
    from pipeline.diagnosis.wording import write_interval

    for score in facts[0].scores:
        shown = write_interval(score.metrics[MAIN])
        progress.say(f"    {score.title:<36} {TITLES[MAIN].lower()} {shown}")
    return out
