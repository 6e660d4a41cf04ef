"""Whether the race chooses well, at what cost, and whether corrected probabilities are right.

The race of resamplings on four data sets, beside running all methods in all folds; then each method
on the whole training split, three seeds, measured on the test split, which no race ever saw.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.flights import derive_label
from benchmarks.measuring import run
from pipeline.config.settings import Resampling
from pipeline.diagnosis.wording import write_interval, write_signed
from pipeline.errors import StageError
from pipeline.experiments.judging import judge
from pipeline.experiments.outcomes import Outcome
from pipeline.experiments.race_course import Course
from pipeline.experiments.trials import start_trainers
from pipeline.features.layout import load_layout
from pipeline.features.splits import load_split
from pipeline.runs.run import Run, prepare
from pipeline.steps.clean import clean
from pipeline.steps.encode import encode
from pipeline.steps.impute import impute
from pipeline.steps.ingest import ingest
from pipeline.steps.race import race, start_course
from pipeline.steps.resample import fill_resampled
from pipeline.steps.split import split
from pipeline.storage.store import Address, load_facts
from pipeline.targets.class_metrics import bin_calibration
from pipeline.targets.class_metrics import measure as measure_metrics
from pipeline.targets.decisions import Decision, decide, decide_evenly, undo_correction
from pipeline.targets.race_facts import RaceFacts
from pipeline.training.client import Trainer
from pipeline.training.jobs import DECISION, PROBABILITIES, Job

DATA = Path(__file__).parents[1] / "data"
SEEDS = (0, 1, 2)
SETTINGS = ["resampling.method=auto", "resampling.ratio=1.0", "resampling.fallback=random_over"]


def measure(rounds: int) -> None:
    """Print each race, its cost, and the ranks on the test split."""
    del rounds  # minutes long: once each
    sources: dict[str, tuple[Callable[[Path], object], str]] = {
        "hypothyroid": (_copy("hypothyroid/hypothyroid.csv"), "class"),
        "birdstrikes": (_copy("birdstrikes/birdstrikes.csv"), "Wildlife Size"),
        "adult": (_copy("adult/adult.csv.gz"), "income"),
        "flights": (_write_flights, "late"),
    }
    for name, (fetch, target) in sources.items():
        print(f"\n  {name}, target {target}")
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            fetch(home)
            source = next(home.iterdir()).name
            command = [sys.executable, "-m", "flows.cli", "init", source, "--target", target]
            run([*command, "--name", name], home)
            _measure_one(prepare(home, name, SETTINGS))


def _copy(source: str) -> Callable[[Path], object]:
    return lambda home: shutil.copy(DATA / source, home)


def _write_flights(home: Path) -> None:
    flights = derive_label(pd.read_csv(DATA / "flights_2013/flights_2013.csv.zip"))
    flights.sample(50_000, random_state=0).to_csv(home / "flights.csv", index=False)


def _measure_one(made: Run) -> None:
    rows = ingest(made)
    assignment = split(made, rows)
    features = encode(made, impute(made, clean(made, rows, assignment)))
    log = made.store.runs / "training.log"
    threads = made.modality.learning.choose_threads(made.config.training)
    with Trainer(log, threads) as trainer, start_trainers(made, trainer, networks=2) as trainers:
        facts = race(made, rows, assignment, features, trainer).facts(RaceFacts)
        _tell_race(facts)
        course = start_course(made, rows, assignment, features, trainers)
        for _ in range(made.config.resampling.race.folds):
            course.run_fold()
        _tell_cost(facts, course)
        _tell_test(made, features, course.alive, trainer, facts)


def _tell_race(facts: RaceFacts) -> None:
    print(
        f"    the race: {facts.chosen} wins, {facts.best} is ahead; {facts.rows:,} rows, "
        f"{facts.folds} of {facts.planned} folds, {facts.seconds:.0f} s"
    )
    for racer in facts.racers:
        if racer.standing is None:
            print(f"      {racer.method:13} {racer.end} {racer.reason}")
            continue
        metrics = racer.standing.metrics
        print(
            f"      {racer.method:13} {racer.end:8} folds {racer.folds}  score "
            f"{write_interval(racer.standing.score):20} behind "
            f"{write_signed(racer.standing.behind):28} balanced accuracy "
            f"{write_interval(metrics['balanced_accuracy']):20} log loss "
            f"{write_interval(metrics['log_loss'])}"
        )
    for note in facts.notes:
        print(f"      {note}")


def _tell_cost(facts: RaceFacts, course: Course) -> None:
    """Compare with all in full, in seconds of resampling and fits."""
    # A network that several methods share is counted with the first of them.
    took = {racer.method: racer.seconds for racer in facts.racers}
    whole = {method: course.seconds[method] for method in course.alive}
    print(
        f"    cost: {facts.fits} of {facts.all_fits} fits, "
        f"{facts.rows_trained / facts.all_rows:.0%} of the training rows, "
        f"{sum(took.values()):.0f} of {sum(whole.values()):.0f} s of resampling and training "
        f"({sum(took.values()) / sum(whole.values()):.0%})"
    )
    seed = course.run.config.seed
    standings = judge({m: course.outcomes[m] for m in course.alive}, course.config, seed=seed)
    ranked = sorted(standings, key=lambda standing: -(standing.score.value or 0))
    print(
        "    all in full: "
        + ", ".join(
            f"{s.method} {s.score.value:.3f}{' (worse)' if s.is_worse else ''}" for s in ranked
        )
    )


def _tell_test(
    made: Run, features: Address, methods: list[Resampling], trainer: Trainer, facts: RaceFacts
) -> None:
    layout = load_layout(features.path)
    test = load_split(features.path, "test", layout)
    outcomes: dict[Resampling, list[Outcome]] = {method: [] for method in methods}
    table: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        for method in [method for method in methods if method != "threshold"]:
            with tempfile.TemporaryDirectory(dir=made.store.runs) as folder:
                try:
                    given, decision = _fit(made, features, Path(folder), method, seed, trainer)
                except StageError as error:
                    print(f"      {method}: {error.problem}")
                    continue
            guess = np.array(decision.priors)
            chosen = decide(given, decision)
            outcomes[method].append(Outcome(test.labels, given, chosen, guess))
            if method == "none" and "threshold" in outcomes:
                even = decide(given, decide_evenly(decision))
                outcomes["threshold"].append(Outcome(test.labels, given, even, guess))
            before = undo_correction(given, decision)
            for title, shown in ((method, given), (f"{method}, uncorrected", before)):
                found = measure_metrics(test.labels, shown)
                table.setdefault(title, []).append(found)
            if seed == 0 and method in ("none", "smote", "smotenc"):
                _tell_calibration(method, test.labels, given, before)
    standings = judge(outcomes, made.config.resampling.race, seed=0)
    ranked = sorted(standings, key=lambda standing: -(standing.score.value or 0))
    for place, standing in enumerate(ranked, start=1):
        mark = "  <- the race's winner" if standing.method == facts.chosen else ""
        print(
            f"    test {place}. {standing.method:13} score {standing.score.value:.3f} balanced "
            f"accuracy {standing.metrics['balanced_accuracy'].value:.3f} log loss "
            f"{standing.metrics['log_loss'].value:.3f}{mark}"
        )
    print("    test split, mean of 3 seeds: Brier score, calibration error, log loss")
    for title, found in table.items():
        if title == "none, uncorrected":
            continue
        means = [np.mean([one[key] for one in found]) for key in ("brier", "ece", "log_loss")]
        print(f"      {title:28} {means[0]:.4f}  {means[1]:.4f}  {means[2]:.4f}")


def _tell_calibration(
    method: str, labels: np.ndarray, given: np.ndarray, before: np.ndarray
) -> None:
    """Print confidence against accuracy by bins, of one seed."""
    for title, shown in ((method, given), (f"{method}, uncorrected", before)):
        if title == "none, uncorrected":
            continue
        bins = [
            f"{b.confidence:.2f}:{b.accuracy:.2f}({b.rows})" for b in bin_calibration(labels, shown)
        ]
        print(f"      confidence:accuracy(rows), {title}: {' '.join(bins)}")


def _fit(
    made: Run, features: Address, folder: Path, method: Resampling, seed: int, trainer: Trainer
) -> tuple[np.ndarray, Decision]:
    """Train on the whole training split; return probabilities of the test rows."""
    fill_resampled(made.vary({"resampling.method": method}, seed=seed), features, folder)
    learning = made.modality.learning.module
    trainer.submit(
        Job(folder, folder / "fit", made.config.training, seed, learning, False)
    ).result()
    decision = load_facts(folder / "fit" / DECISION, Decision)
    with np.load(folder / "fit" / PROBABILITIES) as stored:
        return stored["test"], decision
