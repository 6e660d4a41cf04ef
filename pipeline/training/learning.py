"""How networks, and their peers, learn from rows of one modality."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config.settings import TrainingConfig
    from pipeline.features.layout import Layout
    from pipeline.features.splits import Split
    from pipeline.targets.peers import BaselineFit

Fit = Callable[["Split", "Split", "Split", "Layout", "TrainingConfig", int], "BaselineFit"]


@dataclass(frozen=True, slots=True)
class Learning:
    """What the training of one modality is made of.

    Attributes
    ----------
    module
        The module that the training process loads, with three functions: ``read`` gives the values
        of a split, ``feed`` what a fit is fed with, ``build_inputs`` the first layers of a network.
        By name, since it is handed to another process.
    choose_threads
        Threads of an operation for a configuration; 0: all cores.
    at_once
        Networks that train at the same time, at most.
    read_plain
        Reads the values of a split for other learners, shape ``(n, features)``, float32; None: the
        features.
    peer, fit_peer
        The name of the learner that the network is compared with, and its fit on training,
        validation and test split, by layout, configuration and seed.
    """

    module: str
    choose_threads: Callable[[TrainingConfig], int]
    at_once: int
    read_plain: Callable[[Path, Layout], Any] | None
    peer: str
    fit_peer: Fit
