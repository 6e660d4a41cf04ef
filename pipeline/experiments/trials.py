"""Trials: variants of a run, each trained on the same folds, paired, their outcomes kept.

A caller hands in variants, which are runs with other settings, and gets outcomes: what the network
of each said of the rows that a fold holds out. How features are made and resampled is handed in as
``Work``, since stages meet the disk in the steps alone. Variants whose training rows are the same
share a network. What a fold found stays until the end of the run, so one that was killed goes on.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import StageError
from pipeline.experiments.outcomes import Outcome
from pipeline.features.layout import load_layout
from pipeline.features.splits import load_split
from pipeline.runs.run import Fold, Run
from pipeline.storage.hashing import hash_file, hash_key
from pipeline.storage.store import FACTS, Address, dump_json, load_facts
from pipeline.targets.decisions import Decision, decide, decide_evenly
from pipeline.training.jobs import DECISION, PROBABILITIES, Job

if TYPE_CHECKING:
    from pipeline.resampling.balance import ResamplingFacts
    from pipeline.training.client import Handle, OnEpoch, Trainer

OUTCOMES = "outcomes.npz"


@dataclass(frozen=True, slots=True)
class Variant:
    """A run with other settings.

    Attributes
    ----------
    changes
        Values by the names of settings, such as ``resampling.method``.
    """

    name: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """How the features of a trial are made; both are steps, which know the disk.

    Attributes
    ----------
    prepare
        Makes the features of a run's fold, not yet resampled, unless they are there.
    resample
        Writes them with the class balance that a run asks for into a folder.
    """

    prepare: Callable[[Run], Address]
    resample: Callable[[Run, Address, Path], ResamplingFacts]


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one variant on one fold.

    Attributes
    ----------
    network
        The variant whose network serves it: itself, or an earlier one with the same training rows.
    idle
        Whether it also decides as that one does, so that nothing about it was tried.
    rows
        Training rows of its own network after resampling; 0 where another's serves it.
    seconds
        Wall time of its resampling, and of the fit where it has a network of its own.
    reason
        Why it could not be tried, if so.
    notes
        What resampling had to say.
    """

    network: str
    idle: bool = False
    rows: int = 0
    seconds: float = 0.0
    reason: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FoldFacts:
    """What became of all variants on one fold.

    Attributes
    ----------
    classes
        Those that the fold's training rows hold.
    seconds
        Wall time of the fold.
    """

    classes: list[str]
    trials: dict[str, Trial]
    seconds: float


@contextlib.contextmanager
def start_trainers(run: Run, trainer: Trainer | None, networks: int) -> Iterator[list[Trainer]]:
    """Start as many training processes as networks of the modality train well at the same time.

    Parameters
    ----------
    trainer
        A training process that was started earlier.
    networks
        The most that a fold has: no more processes are started than those.
    """
    from pipeline.neighbours.search import count_cores
    from pipeline.training.client import Trainer

    learning = run.modality.learning
    wanted = min(learning.at_once, count_cores(), networks)
    with contextlib.ExitStack() as stack:
        trainers = [] if trainer is None else [trainer]
        while len(trainers) < wanted:
            log = run.store.runs / f"trials-{len(trainers)}.log"
            made = Trainer(log, learning.choose_threads(run.config.training))
            trainers.append(stack.enter_context(made))
        yield trainers


def run_fold(
    run: Run,
    variants: Sequence[Variant],
    fold: Fold,
    work: Work,
    trainers: Sequence[Trainer],
    *,
    seed: int,
    tell: Callable[[str], OnEpoch | None] = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Address:
    """Try variants on one fold, unless that was done already.

    Parameters
    ----------
    variants
        In the order in which one gives way to an earlier one with the same training rows.
    fold
        What is held out; all variants see the same rows.
    trainers
        Training processes; each network goes to the one with the fewest rows to learn from.
    seed
        Of resampling and training.
    tell
        Makes what hears of the epochs of a variant.
    meanwhile
        Called once while networks train.

    Raises
    ------
    StageError, DataContractError
        If the fold can't be made, or the first variant can't be trained.
    """
    runs = {v.name: run.vary(v.changes, fold=fold, seed=seed) for v in variants}
    features = work.prepare(run.vary(fold=fold, seed=seed))

    def make(out: Path) -> None:
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=out) as scratch:
            course = _Fits(runs, features, work, trainers, Path(scratch))
            for name in runs:
                course.submit(name, tell(name))
            meanwhile()
            arrays = course.collect()
        np.savez(out / OUTCOMES, allow_pickle=False, **arrays)
        classes = list(load_layout(features.path).classes)
        dump_json(out / FACTS, FoldFacts(classes, course.trials, time.perf_counter() - started))

    key = hash_key([own.keys["trial"] for own in runs.values()])
    return run.store.build("trial", key, make)


class _Fits:
    """The fits of one fold under way."""

    def __init__(
        self,
        runs: Mapping[str, Run],
        features: Address,
        work: Work,
        trainers: Sequence[Trainer],
        scratch: Path,
    ) -> None:
        self.runs, self.features, self.work, self.scratch = runs, features, work, scratch
        self.trainers = trainers
        self.first = next(iter(runs))  # without it there is nothing to compare with
        self.trials: dict[str, Trial] = {}
        self.handles: dict[str, Handle] = {}
        self._loads = [0] * len(trainers)
        self._seen: dict[str, str] = {}  # hash of the training rows -> the variant that has them

    def submit(self, name: str, on_epoch: OnEpoch | None) -> None:
        """Resample for a variant, and have its network trained if no other has the same rows."""
        run, folder = self.runs[name], self.scratch / name
        folder.mkdir()
        began = time.perf_counter()
        try:
            facts = self.work.resample(run, self.features, folder)
        except StageError as error:
            if name == self.first:
                raise
            self.trials[name] = Trial(name, reason=error.problem)
            return
        network = self._seen.setdefault(hash_file(folder / "train.parquet"), name)
        rows = sum(facts.after.values()) if network == name else 0
        seconds = time.perf_counter() - began
        self.trials[name] = Trial(network, rows=rows, seconds=seconds, notes=facts.notes)
        if rows:
            job = Job(
                folder,
                folder / "fit",
                run.config.training,
                run.draw_seed,
                run.modality.learning.module,
                False,
                run.config.augmentation,
            )
            freest = self._loads.index(min(self._loads))
            self._loads[freest] += rows
            self.handles[name] = self.trainers[freest].submit(job, on_epoch)

    def collect(self) -> dict[str, np.ndarray]:
        """Wait for the networks; give what they say of the rows held out, and what is decided."""
        arrays: dict[str, np.ndarray] = {}
        for name, trial in list(self.trials.items()):
            if trial.reason:
                continue
            if trial.network != name:
                self._share(name, trial.network, arrays)
                continue
            try:
                seconds = trial.seconds + self.handles[name].result().seconds
            except StageError as error:
                if name == self.first:
                    raise
                self.trials[name] = Trial(name, reason=error.problem)
                continue
            self.trials[name] = replace(trial, seconds=seconds)
            arrays |= self._read(name)
        layout = load_layout(self.scratch / self.first)
        arrays["labels"] = load_split(self.scratch / self.first, "test", layout).labels
        arrays["guess"] = np.array(self._load_decision(self.first).priors)
        return arrays

    def _share(self, name: str, network: str, arrays: dict[str, np.ndarray]) -> None:
        """Decide by another variant's network; tell whether that comes to the same."""
        theirs = self.trials[network]
        if theirs.reason:
            self.trials[name] = Trial(network, reason=theirs.reason)
            return
        own, other = self._load_decision(network, name), self._load_decision(network)
        idle = own.multipliers == other.multipliers
        self.trials[name] = replace(self.trials[name], idle=idle)
        if not idle:
            arrays[f"{name} predicted"] = decide(arrays[f"{network} probabilities"], own)

    def _read(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self.scratch / name / "fit" / PROBABILITIES) as stored:
            probabilities = stored["test"]
        return {
            f"{name} probabilities": probabilities,
            f"{name} predicted": decide(probabilities, self._load_decision(name)),
        }

    def _load_decision(self, network: str, name: str | None = None) -> Decision:
        """Load how a network's outputs are read; for a variant that it serves, as that one does."""
        decision = load_facts(self.scratch / network / "fit" / DECISION, Decision)
        own = network if name is None else name
        even = load_layout(self.scratch / own).even and own != network
        return decide_evenly(decision) if even else decision


def load_outcome(address: Address, name: str, classes: Sequence[str]) -> Outcome:
    """Load what a variant's network said on a fold.

    Parameters
    ----------
    address
        What ``run_fold`` gave.
    classes
        The classes of the whole training split, by whose order the outcome numbers them.
    """
    facts = address.facts(FoldFacts)
    places = np.array([list(classes).index(own) for own in facts.classes])
    with np.load(address.path / OUTCOMES) as stored:
        given, guess = stored[f"{facts.trials[name].network} probabilities"], stored["guess"]
        probabilities = np.zeros((len(given), len(classes)), np.float32)
        probabilities[:, places] = given
        shares = np.zeros(len(classes))
        shares[places] = guess
        predicted = stored[f"{name} predicted"]
        return Outcome(places[stored["labels"]], probabilities, places[predicted], shares)
