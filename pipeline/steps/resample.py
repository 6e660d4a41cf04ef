"""Change the class balance of the training split."""

from __future__ import annotations

from pathlib import Path

from pipeline.runs.run import Run
from pipeline.storage.store import Address
from pipeline.targets.race_facts import RaceFacts


def resample(run: Run, features: Address, race: Address | None = None) -> Address:
    """Change the class balance of the training split, as configured or as a race showed.

    Parameters
    ----------
    run
        The run.
    features
        Output of encode.
    race
        Output of the race, if there was one; it names the method.
    """
    if race is not None:
        chosen = run.vary({"resampling.method": race.facts(RaceFacts).chosen})
        return run.build("resample", lambda out: fill_resampled(chosen, features, out))
    return run.build("resample", lambda out: fill_resampled(run, features, out))


def fill_resampled(run: Run, features: Address, out: Path) -> None:
    """Write a features directory with another class balance of its training split.

    Parameters
    ----------
    run
        Its configuration names the method; its seed is the draws'.
    features
        Output of encode.
    out
        The folder that is filled.
    """
    config = run.config.model_copy(update={"seed": run.draw_seed})
    run.modality.resample(features.path, out, config)
