"""The race between resamplings on the disk: its folds, its fits, and who goes on.

A fold that was run stays until the end of the run, so a race that was killed goes on from there.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DataContractError, StageError
from pipeline.hashing import hash_file, hash_key
from pipeline.plan import Run
from pipeline.race import (
    End,
    Outcome,
    RaceFacts,
    Racer,
    Standing,
    find_leaders,
    judge,
    keep_racing,
    name_fit,
    sort_simplest_first,
)
from pipeline.resampling import ResamplingFacts, refuse_unknown_counts
from pipeline.split_facts import SplitFacts
from pipeline.steps import encode_fold, fill_resampled
from pipeline.store import FACTS, Address, dump_json, load_facts
from pipeline.training.decisions import Decision, decide, decide_evenly
from pipeline.training.features import load_layout, load_split
from pipeline.training.jobs import DECISION, PROBABILITIES, Job

if TYPE_CHECKING:
    from pipeline.config import Resampling
    from pipeline.training.client import Handle, OnEpoch, Trainer

OnProgress = Callable[[str, int, int], None]
# Of what all methods in all folds would cost; a few networks are raced in full.
PART, FEW_FITS = 0.5, 3
OUTCOMES = "outcomes.npz"
MOST_NOTES = 10
# Beside them, SMOTE for tables and augmented copies for pictures.
METHODS: tuple[Resampling, ...] = (
    "none", "threshold", "class_weight", "random_under", "random_over",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Fold:
    """A fold to be run.

    Attributes
    ----------
    run
        Derived for the fold.
    features
        Its features, not yet resampled.
    """

    number: int
    seed: int
    run: Run
    features: Address


@dataclass(frozen=True, slots=True)
class _FoldFacts:
    """What a fold cost, and which methods could not run, or would have repeated a simpler one.

    Attributes
    ----------
    rows, seconds
        By method: training rows after resampling; wall time of resampling and fit.
    wall
        Seconds that the fold took.
    """

    classes: list[str]
    notes: list[str]
    rows: dict[str, int]
    seconds: dict[str, float]
    reasons: dict[str, str]
    idle: list[str]
    wall: float


def race(
    run: Run,
    rows: Address,
    assignment: Address,
    features: Address,
    trainer: Trainer | None = None,
    on_progress: OnProgress | None = None,
) -> Address:
    """Choose a resampling by cross-validation on the training split, with the baseline network.

    Parameters
    ----------
    rows, assignment, features
        What ``ingest``, ``split`` and ``encode`` made.
    trainer
        A training process that was started earlier.
    on_progress
        Called with what is trained, the epoch from 1, and the most there can be.
    """

    def make(out: Path) -> None:
        methods = list_methods(run, features)
        classes = load_layout(features.path).classes
        refuse_unknown_counts(run.config.resampling, classes)
        with hire(run, trainer) as trainers:
            course = Course(run, rows, assignment, methods, classes, trainers, on_progress)
            dump_json(out / FACTS, course.finish())

    return run.build("race", make)


def list_methods(run: Run, features: Address) -> list[Resampling]:
    """List the methods that are to be raced, simplest first."""
    config = run.config
    if config.resampling.race.methods:
        return sort_simplest_first(config.resampling.race.methods)
    if config.modality == "image":
        return [*METHODS, "augment"]
    from pipeline.encoding import FittedEncoding

    encoding = load_facts(features.path / "preprocessor" / "encoding.json", FittedEncoding)
    methods: list[Resampling] = [*METHODS]
    methods += ["smotenc" if encoding.blocks else "smote", "smote_enn"]
    if config.training.class_weight == "balanced":
        # They would be none by other names.
        return [method for method in methods if method not in ("threshold", "class_weight")]
    return methods


@contextlib.contextmanager
def hire(run: Run, trainer: Trainer | None) -> Iterator[list[Trainer]]:
    """Start a training process for each of two cores; networks of pictures take all cores."""
    from pipeline.neighbours.search import count_cores
    from pipeline.training.client import Trainer

    config = run.config
    wanted = 1 if config.modality == "image" else min(2, count_cores())
    with contextlib.ExitStack() as stack:
        trainers = [] if trainer is None else [trainer]
        while len(trainers) < wanted:
            log = run.store.runs / f"race-{len(trainers)}.log"
            made = Trainer(log, config.training, config.modality)
            trainers.append(stack.enter_context(made))
        yield trainers


class Course:
    """A race under way.

    Attributes
    ----------
    alive
        The methods that go on, simplest first.
    folds
        Folds that were run.
    costs
        Training rows of one fit after resampling, by ``name_fit``.
    """

    def __init__(
        self,
        run: Run,
        rows: Address,
        assignment: Address,
        methods: list[Resampling],
        classes: tuple[str, ...],
        trainers: list[Trainer],
        on_progress: OnProgress | None,
    ) -> None:
        self.run, self.rows, self.assignment = run, rows, assignment
        self.classes = classes
        self.trainers, self.on_progress = trainers, on_progress
        self.config = run.config.resampling.race
        taking_part = sum(assignment.facts(SplitFacts).counts["train"].values())
        self.most = self.config.max_rows if taking_part > self.config.max_rows else None
        self.alive = list(methods)
        self.folds = 0
        self.costs: dict[Resampling, int] = {}
        self.outcomes: dict[Resampling, list[Outcome]] = {method: [] for method in methods}
        self.seconds: dict[Resampling, float] = dict.fromkeys(methods, 0.0)
        self.ended: dict[Resampling, Racer] = {}
        self.notes: list[str] = []
        self.fits = self.trained = 0
        self.spent = 0.0  # seconds, those of folds that were run before included
        self.started = time.perf_counter()

    def finish(self) -> RaceFacts:
        """Run fold after fold, until one method is left, or the folds or the means are used up."""
        while self.folds < self.config.folds:
            try:
                fold = self.prepare(self.folds)
            except (StageError, DataContractError) as error:
                self.notes.append(f"Fold {self.folds + 1} could not be made: {error.problem}.")
                break
            self.run_fold(fold)
            if self.folds == self.config.folds or len(self.alive) == 1:
                break
            goes_on = keep_racing(self._gather(), self.config.score)
            if self._must_end(goes_on):
                break
            self._drop(goes_on)
        return self._conclude()

    def _gather(self) -> dict[Resampling, list[Outcome]]:
        return {method: self.outcomes[method] for method in self.alive}

    def _drop(self, goes_on: list[Resampling]) -> None:
        """End the methods that don't go on."""
        if goes_on == self.alive:
            return
        for standing in judge(self._gather(), self.config, seed=self.run.config.seed):
            if standing.method not in goes_on:
                self.ended[standing.method] = self._end(standing.method, "dropped", standing)
        self.alive = goes_on

    def prepare(self, number: int) -> _Fold:
        """Make a fold's features, unless they are there already."""
        limit = () if self.most is None else (self.most,)
        own = self.run.for_fold(number, self.config.folds, *limit)
        features = encode_fold(
            own, self.rows, self.assignment, number, self.config.folds, self.most
        )  # fmt: skip
        seed = (self.run.config.seed + 7_919 * number) % 2**32
        return _Fold(number, seed, own, features)

    def run_fold(self, fold: _Fold) -> None:
        """Train what is needed on a fold; end the methods that can't run, or change nothing."""
        wanted = _list_fits(self.alive)

        def prepare_next() -> None:
            # What is wrong with it is told when its turn comes.
            with contextlib.suppress(StageError, DataContractError):
                if self.folds + 1 < self.config.folds:
                    self.prepare(self.folds + 1)

        address = _run_fold(fold, wanted, self.trainers, self._tell(fold), prepare_next)
        facts = address.facts(_FoldFacts)
        if not self.folds:
            self.notes += facts.notes[:MOST_NOTES]
        self.spent += facts.wall
        self.fits += len(facts.rows)
        self.trained += sum(facts.rows.values())
        for name in wanted:
            self.costs.setdefault(name, facts.rows.get(name, 0))
        for method in list(self.alive):
            fit = name_fit(method)
            self.seconds[method] += facts.seconds.get(fit, 0.0)
            if method in facts.idle or fit in facts.reasons:
                self.alive.remove(method)
                self.ended[method] = self._end(
                    method, "idle" if method in facts.idle else "impossible",
                    reason=facts.reasons.get(fit, ""),
                )  # fmt: skip
            else:
                self.outcomes[method].append(_load_outcome(address, method, self.classes))
        self.folds += 1

    def _must_end(self, methods: list[Resampling]) -> bool:
        """Tell whether a fold of some methods would cost too much."""
        cost = sum(self.costs[name] for name in _list_fits(methods))
        budget = self.config.budget_seconds
        part = PART if self._count_fits() > FEW_FITS else 1.0
        if self.trained + cost > part * self.config.folds * sum(self.costs.values()):
            self.notes.append(
                f"{self.folds} of {self.config.folds} folds were run: another would have made "
                "the race cost more than half of trying every method in every fold."
            )
            return True
        if self.spent * (1 + cost / max(1, self.trained)) > budget:
            self.notes.append(
                f"{self.folds} of {self.config.folds} folds were run: another would have taken "
                f"longer than resampling.race.budget_seconds, {budget:g}."
            )
            return True
        return False

    def _count_fits(self) -> int:
        """Count the networks that a fold has, before any is dropped."""
        return sum(rows > 0 for rows in self.costs.values())

    def _end(
        self, method: Resampling, end: End, standing: Standing | None = None, reason: str = ""
    ) -> Racer:
        rows = self.costs.get(name_fit(method), 0)
        folds = len(self.outcomes[method])
        return Racer(method, end, folds, rows, self.seconds[method], standing, reason)

    def _tell(self, fold: _Fold) -> Callable[[Resampling], OnEpoch | None]:
        """Make what tells of a method's epochs."""

        def make(method: Resampling) -> OnEpoch | None:
            tell = self.on_progress
            if tell is None:
                return None
            nets = _list_fits(self.alive)
            at = f"network {nets.index(method) + 1} of {len(nets)}"
            title = f"fold {fold.number + 1} of {self.config.folds}, {at} ({method})"
            return lambda epoch, epochs: tell(title, epoch, epochs)

        return make

    def _conclude(self) -> RaceFacts:
        """Choose, and write down how each method fared."""
        chosen: Resampling = "none"
        best: Resampling = "none"
        if self.folds:
            standings = judge(self._gather(), self.config, seed=self.run.config.seed)
            chosen, best = find_leaders(standings)
            for standing in standings:
                end: End = "worse" if standing.is_worse else "as good"
                if standing.method == chosen:
                    end = "chosen"
                self.ended[standing.method] = self._end(standing.method, end, standing)
        counts = self.assignment.facts(SplitFacts).counts["train"]
        return RaceFacts(
            chosen=chosen,
            best=best,
            score=self.config.score,
            racers=[self.ended[method] for method in sort_simplest_first(list(self.ended))],
            rows=min(sum(counts.values()), self.most or sum(counts.values())),
            folds=self.folds,
            planned=self.config.folds,
            fits=self.fits,
            all_fits=self._count_fits() * self.config.folds,
            rows_trained=self.trained,
            all_rows=self.config.folds * sum(self.costs.values()),
            seconds=time.perf_counter() - self.started,
            significance=self.config.significance,
            seed=self.run.config.seed,
            notes=self.notes,
        )


def _list_fits(methods: list[Resampling]) -> list[Resampling]:
    """List the networks that methods need, simplest first."""
    return sort_simplest_first(list({name_fit(method) for method in methods}))


def _run_fold(
    fold: _Fold,
    methods: list[Resampling],
    trainers: list[Trainer],
    tell: Callable[[Resampling], OnEpoch | None],
    meanwhile: Callable[[], None],
) -> Address:
    """Resample and fit each method on a fold; ``meanwhile`` is called while networks train."""

    def make(out: Path) -> None:
        started = time.perf_counter()
        notes: list[str] = []
        reasons: dict[str, str] = {}
        idle: list[str] = []
        seen: set[str] = set()
        rows: dict[str, int] = {}
        seconds: dict[str, float] = {}
        handles: dict[Resampling, Handle] = {}
        loads = [0] * len(trainers)
        with tempfile.TemporaryDirectory(dir=out) as scratch:
            for method in methods:
                folder = Path(scratch) / method
                folder.mkdir()
                began = time.perf_counter()
                run = fold.run.with_resampling(method, fold.seed)
                try:
                    fill_resampled(run, fold.features, folder)
                except StageError as error:
                    reasons[method] = error.problem
                    continue
                facts = load_facts(folder / FACTS, ResamplingFacts)
                if method == "none" and len(set(facts.before.values())) == 1:
                    idle.append("threshold")
                digest = hash_file(folder / "train.parquet")
                if digest in seen:
                    idle.append(method)
                    continue
                seen.add(digest)
                notes += [f"{method}: {note}." for note in facts.notes]
                rows[method] = sum(facts.after.values())
                seconds[method] = time.perf_counter() - began
                # Validation rows stop the training, and teach nothing else here.
                training = run.config.training.model_copy(update={"calibration": "none"})
                job = Job(
                    folder, folder / "fit", training, fold.seed, False, run.config.augmentation
                )
                freest = loads.index(min(loads))
                loads[freest] += rows[method]
                handles[method] = trainers[freest].submit(job, tell(method))
            meanwhile()
            arrays: dict[str, np.ndarray] = {}
            for method, handle in handles.items():
                try:
                    seconds[method] += handle.result().seconds
                except StageError as error:
                    if method == "none":
                        raise
                    reasons[method] = error.problem
                    del rows[method]
                    continue
                arrays |= _read_fit(Path(scratch) / method, method)
        np.savez(out / OUTCOMES, allow_pickle=False, **arrays)
        classes = list(load_layout(fold.features.path).classes)
        wall = time.perf_counter() - started
        dump_json(out / FACTS, _FoldFacts(classes, notes, rows, seconds, reasons, idle, wall))

    key = hash_key(fold.run.keys["race_fold"], fold.number, methods)
    return fold.run.store.build("race_fold", key, make)


def _read_fit(folder: Path, method: Resampling) -> dict[str, np.ndarray]:
    """Read what a network says of the held-out rows, and what it decides for."""
    decision = load_facts(folder / "fit" / DECISION, Decision)
    with np.load(folder / "fit" / PROBABILITIES) as stored:
        probabilities = stored["test"]
    found = {
        f"{method} probabilities": probabilities,
        f"{method} predicted": decide(probabilities, decision),
    }
    if method == "none":
        layout = load_layout(folder)
        found["labels"] = load_split(folder, "test", layout).labels
        found["guess"] = np.array(decision.priors)
        found["threshold predicted"] = decide(probabilities, decide_evenly(decision))
    return found


def _load_outcome(address: Address, method: Resampling, classes: tuple[str, ...]) -> Outcome:
    """Load an outcome, its classes numbered as those of the whole training split are."""
    places = np.array([classes.index(name) for name in address.facts(_FoldFacts).classes])
    with np.load(address.path / OUTCOMES) as stored:
        given, guess = stored[f"{name_fit(method)} probabilities"], stored["guess"]
        probabilities = np.zeros((len(given), len(classes)), np.float32)
        probabilities[:, places] = given
        shares = np.zeros(len(classes))
        shares[places] = guess
        return Outcome(
            places[stored["labels"]], probabilities, places[stored[f"{method} predicted"]], shares
        )
