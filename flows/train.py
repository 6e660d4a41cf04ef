"""Train the baseline on a published version, with other settings if wished; publish nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from flows.progress import telling
from pipeline.config_file import load_config
from pipeline.errors import ConfigError
from pipeline.store import Store, find_home


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
    for override in overrides or []:
        if override.split(".")[0].split("=")[0].strip() not in ("training", "augmentation", "seed"):
            raise ConfigError(
                "train", f"--set {override} is no setting of the training, and the version's data "
                "is as it is",
                f"Set it in a run: assay run {dataset} --set {override}",
            )  # fmt: skip
    store = Store(home or find_home(), dataset)
    config = load_config(store.config_path, overrides or [])
    features = store.version(version)
    out = store.runs / "trainings" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with telling() as progress, progress.stage("train") as told:
        from pipeline.training.evaluate import train_baseline

        facts = train_baseline(
            features,
            out,
            config.training,
            seed=config.seed,
            augmentation=config.augmentation,
            on_progress=progress.advance,
        )
        told.append(f"{facts.epochs_run} epochs on {features.name}")
    from pipeline.report.wording import write_interval

    for score in facts.scores:
        shown = write_interval(score.metrics["balanced_accuracy"])
        progress.say(f"    {score.title:<36} balanced accuracy {shown}")
    return out
