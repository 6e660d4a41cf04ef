"""Train the baseline, measure it on the test split beside its peers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runs.run import Run
from pipeline.storage.store import FACTS, Address, dump_json, load_facts
from pipeline.targets.results import FoldScore

if TYPE_CHECKING:
    from pipeline.training.client import Trainer


def train(
    run: Run,
    features: Address,
    unrepaired: Address | None,
    folds: Address | None = None,
    trainer: Trainer | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Address:
    """Train the baseline, measure it on the test split beside its peers.

    Parameters
    ----------
    features
        What is learned from.
    unrepaired
        The same rows before their repair.
    folds
        What a cross-validation found, if one was asked for.
    """

    def make(out: Path) -> None:
        # Keras is imported by the training process alone, scikit-learn when it is needed.
        from pipeline.training.baseline import train_baseline

        facts = train_baseline(
            features.path,
            out,
            run.config.training,
            run.modality.learning,
            seed=run.draw_seed,
            trainer=trainer,
            unrepaired=None if unrepaired is None else unrepaired.path,
            folds=[] if folds is None else load_facts(folds.path / FACTS, list[FoldScore]),
            augmentation=run.config.augmentation,
            on_progress=on_progress,
        )
        dump_json(out / FACTS, facts)

    return run.build("train", make)
