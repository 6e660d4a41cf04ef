"""The race between resamplings under way: its folds, what it costs, and who goes on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipeline.errors import DataContractError, StageError
from pipeline.experiments.judging import find_leaders, judge, keep_racing
from pipeline.experiments.outcomes import Outcome
from pipeline.experiments.trials import FoldFacts, Variant, Work, load_outcome, run_fold
from pipeline.runs.run import Fold, Run
from pipeline.targets.race_facts import End, RaceFacts, Racer, Standing
from pipeline.targets.resamplings import sort_simplest_first

if TYPE_CHECKING:
    from pipeline.config.settings import Resampling
    from pipeline.training.client import OnEpoch, Trainer

OnProgress = Callable[[str, int, int], None]
# Of what all methods in all folds would cost: a race that costs more than half of it saves too
# little for what it may miss. Where few networks are raced, halving would leave one fold of most.
PART, FEW_FITS = 0.5, 3
MOST_NOTES = 10


class Course:
    """A race under way.

    In each fold all methods that are left train on the same rows with the same seed, and are asked
    about the same held-out rows, so that they differ by the method alone.

    Attributes
    ----------
    alive
        The methods that go on, simplest first.
    folds
        Folds that were run.
    networks
        By method, whose network serves it.
    costs
        Training rows of one fit after resampling, by the method whose network it is.
    """

    def __init__(
        self,
        run: Run,
        rows: int,
        methods: Sequence[Resampling],
        classes: Sequence[str],
        work: Work,
        trainers: Sequence[Trainer],
        on_progress: OnProgress | None,
    ) -> None:
        self.run, self.work, self.classes = run, work, classes
        self.trainers, self.on_progress = trainers, on_progress
        self.config = run.config.resampling.race
        self.most = self.config.max_rows if rows > self.config.max_rows else None
        self.rows = min(rows, self.config.max_rows)
        self.alive = list(methods)
        self.folds = 0
        self.networks: dict[Resampling, Resampling] = {}
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
                self.work.prepare(self.run.vary(fold=self.fold(self.folds)))
            except (StageError, DataContractError) as error:
                self.notes.append(f"Fold {self.folds + 1} could not be made: {error.problem}.")
                break
            self.run_fold()
            if self.folds == self.config.folds or len(self.alive) == 1:
                break
            goes_on = keep_racing(self._gather(), self.config.score, self.networks)
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

    def fold(self, number: int) -> Fold:
        """Name a fold of the race."""
        return Fold(number, self.config.folds, self.most)

    def run_fold(self) -> None:
        """Try the methods on the next fold; end those that can't run, or change nothing."""

        def prepare_next() -> None:
            # What is wrong with it is told when its turn comes.
            with contextlib.suppress(StageError, DataContractError):
                if self.folds + 1 < self.config.folds:
                    self.work.prepare(self.run.vary(fold=self.fold(self.folds + 1)))

        address = run_fold(
            self.run,
            # Validation rows stop the training, and teach nothing else here.
            [
                Variant(m, {"resampling.method": m, "training.calibration": "none"})
                for m in self.alive
            ],
            self.fold(self.folds),
            self.work,
            self.trainers,
            seed=(self.run.config.seed + 7_919 * self.folds) % 2**32,
            tell=self._tell,
            meanwhile=prepare_next,
        )
        facts = address.facts(FoldFacts)
        if not self.folds:
            notes = [f"{m}: {note}." for m, t in facts.trials.items() for note in t.notes if t.rows]
            self.notes += notes[:MOST_NOTES]
        self.spent += facts.seconds
        for method in list(self.alive):
            trial = facts.trials[method]
            self.networks[method] = trial.network  # type: ignore[assignment]  # a method's name
            if trial.network == method:
                self.fits += trial.rows > 0
                self.trained += trial.rows
                self.costs.setdefault(method, trial.rows)
            self.seconds[method] += trial.seconds
            if trial.idle or trial.reason:
                self.alive.remove(method)
                end: End = "idle" if trial.idle else "impossible"
                self.ended[method] = self._end(method, end, reason=trial.reason)
            else:
                self.outcomes[method].append(load_outcome(address, method, self.classes))
        self.folds += 1

    def _must_end(self, methods: list[Resampling]) -> bool:
        """Tell whether a fold of some methods would cost too much."""
        cost = sum(self.costs[name] for name in self._list_networks(methods))
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
        rows = self.costs.get(self.networks.get(method, method), 0)
        folds = len(self.outcomes[method])
        return Racer(method, end, folds, rows, self.seconds[method], standing, reason)

    def _list_networks(self, methods: Sequence[Resampling]) -> list[Resampling]:
        """List the networks that methods need, as far as is known."""
        return list(dict.fromkeys(self.networks.get(method, method) for method in methods))

    def _tell(self, method: str) -> OnEpoch | None:
        """Make what tells of a method's epochs."""
        tell = self.on_progress
        if tell is None:
            return None
        names: list[str] = [*self.alive]
        at = f"method {names.index(method) + 1} of {len(names)}"
        title = f"fold {self.folds + 1} of {self.config.folds}, {at} ({method})"
        return lambda epoch, epochs: tell(title, epoch, epochs)

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
        return RaceFacts(
            chosen=chosen,
            best=best,
            score=self.config.score,
            racers=[self.ended[method] for method in sort_simplest_first(list(self.ended))],
            rows=self.rows,
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
