"""The race between resamplings: fair, honest about chance, cheap, and resumed where it was."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk

from pipeline.config.dataset_yaml import parse_config
from pipeline.config.settings import RaceConfig, Resampling, ResamplingConfig
from pipeline.dataset import ROW_ID, SPLIT, Features, TrainFeatures
from pipeline.errors import ConfigError, StageError
from pipeline.evaluation.bootstrap import Interval
from pipeline.experiments.judging import find_leaders, judge, keep_racing
from pipeline.experiments.outcomes import Outcome
from pipeline.experiments.trials import FoldFacts
from pipeline.features.layout import load_layout
from pipeline.neighbours import search
from pipeline.resampling import resample
from pipeline.runs.run import Fold, Run, prepare
from pipeline.splitting.assignment import thin_out
from pipeline.splitting.split_facts import SplitFacts
from pipeline.steps.clean import clean
from pipeline.steps.cross_validate import cross_validate
from pipeline.steps.encode import encode
from pipeline.steps.folds import encode_fold
from pipeline.steps.impute import impute
from pipeline.steps.ingest import ingest
from pipeline.steps.race import race
from pipeline.steps.resample import resample as resample_step
from pipeline.steps.split import split
from pipeline.storage.parts import list_parts, read_frame, write_frame
from pipeline.storage.store import FACTS, Address, load_facts
from pipeline.targets.race_facts import RaceFacts, Racer
from pipeline.targets.results import FoldScore
from pipeline.training.client import Trainer
from tests.conftest import copy_sample
from tests.shapes import declare, make_shapes, prepare_shapes

CONFIG = RaceConfig(score="accuracy")
METHODS: tuple[Resampling, ...] = ("none", "class_weight", "random_over", "smote", "smote_enn")


def make_outcomes(
    truth: dict[Resampling, float],
    *,
    folds: int = 3,
    rows: int = 200,
    seed: int = 0,
    luck: float = 0.0,
) -> dict[Resampling, list[Outcome]]:
    """Make methods that are right with a chance; ``luck`` is its deviation from fold to fold."""
    draw = np.random.default_rng(seed)
    made: dict[Resampling, list[Outcome]] = {method: [] for method in truth}
    for _ in range(folds):
        labels = draw.integers(0, 2, rows)
        common = draw.random(rows)  # a row that is hard for one is hard for all
        for method, chance in truth.items():
            own = np.where(draw.random(rows) < 0.5, common, draw.random(rows))
            right = own < chance + luck * draw.standard_normal()
            predicted = np.where(right, labels, 1 - labels)
            probabilities = np.where(np.eye(2)[predicted] > 0, 0.8, 0.2)
            made[method].append(Outcome(labels, probabilities, predicted, np.array([0.5, 0.5])))
    return made


def test_scores_are_those_of_scikit_learn() -> None:
    """Metrics are of all folds together; the combined score is 0 for guessing and 1 for perfect."""
    outcomes = make_outcomes({"none": 0.7, "smote": 0.8})
    (plain, _) = judge(outcomes, RaceConfig(), seed=0)
    labels = np.concatenate([o.labels for o in outcomes["none"]])
    predicted = np.concatenate([o.predicted for o in outcomes["none"]])
    probabilities = np.concatenate([o.probabilities for o in outcomes["none"]])
    balanced = sk.balanced_accuracy_score(labels, predicted)
    loss = sk.log_loss(labels, probabilities)
    assert plain.metrics["balanced_accuracy"].value == pytest.approx(balanced)
    assert plain.metrics["log_loss"].value == pytest.approx(loss)
    score = (2 * balanced - 1 + 1 - loss / np.log(2)) / 2
    assert plain.score.value == pytest.approx(score)
    guess = np.array([0.5, 0.5])
    ends = {
        0.0: Outcome(labels, np.full((len(labels), 2), 0.5), np.zeros_like(labels), guess),
        1.0: Outcome(labels, np.eye(2)[labels], labels, guess),
    }
    for expected, outcome in ends.items():
        (standing,) = judge({"none": [outcome]}, RaceConfig(), seed=0)
        assert standing.score.value == pytest.approx(expected, abs=1e-6)


def test_equal_methods_are_never_told_apart() -> None:
    """A method against itself is 0 behind, without an interval."""
    one = make_outcomes({"none": 0.7})["none"]
    for standing in judge({"none": one, "smote": one}, CONFIG, seed=0):
        assert standing.behind == Interval(0.0, 0.0, 0.0)
        assert not standing.is_worse


def test_a_clearly_worse_method_is_worse_and_a_better_one_wins() -> None:
    """What is far behind is told so, and the simplest of the others wins."""
    truth: dict[Resampling, float] = {
        "none": 0.6, "class_weight": 0.85, "random_over": 0.86, "smote": 0.6,
    }  # fmt: skip
    standings = judge(make_outcomes(truth), CONFIG, seed=0)
    assert [standing.method for standing in standings if standing.is_worse] == ["none", "smote"]
    assert find_leaders(standings) == ("class_weight", "random_over")


def test_chance_alone_seldom_makes_a_method_worse() -> None:
    """Of 40 races of five equal methods, whose fits differ by luck, at most four mislead."""
    misled = 0
    for seed in range(40):
        outcomes = make_outcomes(dict.fromkeys(METHODS, 0.75), folds=5, seed=seed, luck=0.03)
        alive = list(METHODS)
        for folds in range(1, 5):
            so_far = {method: outcomes[method][:folds] for method in alive}
            alive = keep_racing(so_far, CONFIG.score)
        end = judge({method: outcomes[method] for method in alive}, CONFIG, seed=seed)
        misled += any(standing.is_worse for standing in end)
    assert misled <= 4


def test_what_differs_from_fold_to_fold_is_not_taken_for_certain() -> None:
    """The rows alone would call it significant; folds and seeds that disagree say otherwise."""
    steady = make_outcomes({"none": 0.74, "smote": 0.8}, folds=5, rows=2000)
    assert judge(steady, CONFIG, seed=0)[0].is_worse
    wild = make_outcomes({"none": 0.74, "smote": 0.8}, folds=5, rows=2000, luck=0.12, seed=3)
    scores = [
        [float((o.predicted == o.labels).mean()) for o in wild[method]]
        for method in ("none", "smote")
    ]
    gaps = np.array(scores[1]) - np.array(scores[0])
    assert (gaps > 0.03).any()
    assert (gaps < -0.03).any()
    behind = judge(wild, CONFIG, seed=0)[0].behind
    other = judge(steady, CONFIG, seed=0)[0].behind
    assert behind.low is not None
    assert behind.high is not None
    assert other.low is not None
    assert other.high is not None
    assert behind.high - behind.low > 2 * (other.high - other.low)


def test_one_fold_calls_nothing_significant() -> None:
    """How much folds and seeds differ can't be known from one."""
    standings = judge(make_outcomes({"none": 0.5, "smote": 0.95}, folds=1), CONFIG, seed=0)
    assert not any(standing.is_worse for standing in standings)
    assert find_leaders(standings) == ("none", "smote")


def test_the_better_half_and_the_simplest_go_on() -> None:
    """Half of the networks, or two; significance is not asked for on the way."""

    def race_once(**truth: float) -> list[Resampling]:
        chances: dict[Resampling, float] = truth  # type: ignore[assignment]  # names of methods
        shared: dict[Resampling, Resampling] = {"threshold": "none"}
        return keep_racing(make_outcomes(chances, folds=1, rows=3000), "accuracy", shared)

    # Six networks, since thresholds are moved on that of the plain rows: three go on.
    many = race_once(
        none=0.1, threshold=0.2, class_weight=0.3, random_under=0.6, random_over=0.5, smote=0.7,
        smote_enn=0.4,
    )  # fmt: skip
    assert many == ["none", "threshold", "random_under", "smote"]
    assert race_once(none=0.1, threshold=0.2, smote=0.7) == ["none", "threshold", "smote"]
    assert race_once(none=0.1, tomek=0.2, smote=0.7, enn=0.3) == ["none", "smote"]


def test_a_class_with_one_row_makes_nothing_certain() -> None:
    """Balanced accuracy that depends on a few rows is not called significantly worse."""
    draw = np.random.default_rng(0)
    made: dict[Resampling, list[Outcome]] = {"none": [], "smote": []}
    for fold in range(5):
        labels = np.append(np.zeros(200, int), [fold + 1])  # each fold has its own rare class
        for method, right in (("none", 0.2), ("smote", 0.8)):
            found = np.append(labels[:200], fold + 1 if draw.random() < right else 0)
            probabilities = np.full((201, 6), 0.04)
            probabilities[np.arange(201), found] = 0.8
            made[method].append(Outcome(labels, probabilities, found, np.full(6, 1 / 6)))
    config = RaceConfig(score="balanced_accuracy")
    standings = judge(made, config, seed=0)
    assert standings[0].behind.value > 0.2  # type: ignore[operator]  # it is defined
    assert not standings[0].is_worse


def prepare_race(home: Path, *overrides: str) -> tuple[Run, Address, Address, Address]:
    """Run the stages before the race on hypothyroid; return rows, assignment and features."""
    copy_sample(home, "hypothyroid")
    short = ["training.epochs=3", "resampling.method=auto", "imputation.numeric=median"]
    run = prepare(home, "hypothyroid", [*short, *overrides])
    rows = ingest(run)
    assignment = split(run, rows)
    return run, rows, assignment, encode(run, impute(run, clean(run, rows, assignment)))


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a race take the machine for one of one core: it starts no training process of its own.

    With several it starts more, see ``test_a_race_chooses_costs_half_and_is_the_same_again``.
    """
    monkeypatch.setattr(search, "count_cores", lambda: 1)


def find_racer(facts: RaceFacts, method: Resampling) -> Racer:
    """Find a method's race."""
    return next(racer for racer in facts.racers if racer.method == method)


@pytest.mark.slow
def test_a_race_chooses_costs_half_and_is_the_same_again(home: Path, trainer: Trainer) -> None:
    """Every method is accounted for; a second project directory gives the same but for time."""
    told: list[str] = []
    found = []
    for place, started in (("one", None), ("two", trainer)):
        run, rows, assignment, features = prepare_race(home / place, "resampling.race.folds=4")
        address = race(run, rows, assignment, features, started, lambda what, *_: told.append(what))
        facts = address.facts(RaceFacts)
        still = [replace(racer, seconds=0.0) for racer in facts.racers]
        found.append(replace(facts, seconds=0.0, racers=still))
    assert found[0] == found[1]
    facts = found[0]
    assert [racer.method for racer in facts.racers] == [
        "none", "threshold", "class_weight", "random_under", "random_over", "smotenc", "smote_enn",
    ]  # fmt: skip
    assert find_racer(facts, facts.chosen).end == "chosen"
    assert facts.rows_trained <= facts.all_rows / 2
    assert facts.fits < facts.all_fits == 24
    assert not find_racer(facts, facts.best).standing.is_worse  # type: ignore[union-attr]  # it ran
    assert any(text == "fold 1 of 4, method 6 of 7 (smotenc)" for text in told)
    resampled = resample_step(run, features, address)
    layout = load_layout(resampled.path)
    assert layout.priors == tuple(find_counts(features, layout.classes))
    assert layout.even == (facts.chosen == "threshold")


def find_counts(features: Address, classes: tuple[str, ...]) -> list[int]:
    """Count training rows by class."""
    labels = pd.read_parquet(features.path / "train.parquet", columns=["class"])["class"]
    return [int((labels == name).sum()) for name in classes]


@pytest.mark.slow
def test_a_race_goes_on_from_the_fold_that_was_finished(
    home: Path, trainer: Trainer, one_core: None
) -> None:
    """What a killed race had finished is not trained again."""
    settings = (
        "resampling.race.folds=4",
        "resampling.race.methods=[none, threshold, random_under]",
    )
    run, rows, assignment, features = prepare_race(home, *settings)
    first = race(run, rows, assignment, features, trainer)
    facts = first.facts(RaceFacts)
    stages = run.store.runs / "stages"
    folds = {path: path.stat().st_mtime_ns for path in stages.glob("trial-*")}
    assert len(folds) == facts.folds
    shutil.rmtree(first.path)
    again = race(run, rows, assignment, features, trainer).facts(RaceFacts)
    assert {path: path.stat().st_mtime_ns for path in stages.glob("trial-*")} == folds
    assert (again.chosen, again.racers) == (facts.chosen, facts.racers)


@pytest.mark.slow
def test_a_budget_of_a_moment_runs_one_fold_and_takes_the_simplest(
    home: Path, trainer: Trainer
) -> None:
    """The first fold is always run; what it can't tell is said."""
    settings = ("resampling.race.budget_seconds=0.1", "resampling.race.methods=[none, threshold]")
    run, rows, assignment, features = prepare_race(home, *settings)
    facts = race(run, rows, assignment, features, trainer).facts(RaceFacts)
    assert (facts.folds, facts.chosen) == (1, "none")
    assert "budget_seconds, 0.1" in facts.notes[0]


@pytest.mark.slow
def test_a_method_that_cannot_run_is_told_with_its_reason(
    home: Path, trainer: Trainer, one_core: None
) -> None:
    """A class too small for SMOTE takes SMOTE out of the race, and nothing else."""
    settings = (
        "resampling.race.folds=4", "resampling.fallback=error", "resampling.k_neighbors=90",
        "resampling.race.methods=[none, class_weight, smotenc]", "training.epochs=1",
    )  # fmt: skip
    run, rows, assignment, features = prepare_race(home, *settings)
    facts = race(run, rows, assignment, features, trainer).facts(RaceFacts)
    racer = find_racer(facts, "smotenc")
    assert racer.end == "impossible"
    assert "k_neighbors=90 needs 91" in racer.reason
    assert facts.chosen in ("none", "class_weight")


def write_even(home: Path) -> None:
    """Write two classes of the same size."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=400), "b": draw.normal(size=400)})
    frame["y"] = np.where(np.arange(400) < 200, "no", "yes")
    place = home / "data/even"
    place.mkdir(parents=True)
    frame.to_csv(place / "even.csv", index=False)
    (place / "dataset.yaml").write_text(
        "dataset: even\nsource: even.csv\ntarget: y\ntraining: {epochs: 1}\n"
        "split: {validation: 0.2, test: 0.2}\n"
        "resampling: {method: auto, race: {folds: 4}}\n"
    )


@pytest.mark.slow
def test_what_would_change_nothing_is_not_trained(
    home: Path, trainer: Trainer, one_core: None
) -> None:
    """Among classes of one size, only methods that take rows away by their neighbours differ."""
    write_even(home)
    run = prepare(home, "even")
    rows = ingest(run)
    assignment = split(run, rows)
    features = encode(run, impute(run, clean(run, rows, assignment)))
    counts = find_fold_counts(run, rows, assignment)
    facts = race(run, rows, assignment, features, trainer).facts(RaceFacts)
    idle = {racer.method for racer in facts.racers if racer.end == "idle"}
    expected = {"threshold", "class_weight", "random_under", "random_over", "smote"}
    assert idle == (expected if len(set(counts)) == 1 else set())
    assert facts.chosen in ("none", "smote_enn")


def find_fold_counts(
    run: Run, rows: Address, assignment: Address, fold: int = 0, target: str = "y"
) -> list[int]:
    """Count the training rows of a fold by class."""
    encoded = encode_fold(run.vary(fold=Fold(fold, 4)), rows, assignment)
    labels = pd.read_parquet(encoded.path / "train.parquet", columns=[target])[target]
    return [int(count) for count in labels.value_counts()]


def test_counts_of_an_unknown_class_are_refused_before_the_race(home: Path) -> None:
    """A mistyped class is no reason to leave methods out silently."""
    run, *addresses = prepare_race(home, "resampling.counts.hypo=500")
    with pytest.raises(StageError, match=r"the class 'hypo', which has 0 training rows"):
        race(run, *addresses)


def test_a_fold_that_cannot_be_made_leaves_the_data_as_it_is(home: Path, trainer: Trainer) -> None:
    """Too few different rows for a race stop nothing: nothing is resampled, and it says so."""
    place = home / "data/few"
    place.mkdir(parents=True)
    kinds = [(a, b) for a in "pq" for b in "rst"]
    lines = [f"{a},{b},{'yes' if a + b in ('pr', 'qs') else 'no'}" for a, b in kinds * 12]
    (place / "few.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    (place / "dataset.yaml").write_text(
        "dataset: few\nsource: few.csv\ntarget: y\ncleaning: {duplicates: keep}\n"
        "split: {validation: 0.2, test: 0.2}\nresampling: {method: auto}\n"
        "training: {epochs: 1}\n"
    )
    run = prepare(home, "few")
    rows = ingest(run)
    assignment = split(run, rows)
    features = encode(run, impute(run, clean(run, rows, assignment)))
    facts = race(run, rows, assignment, features, trainer).facts(RaceFacts)
    assert (facts.chosen, facts.folds, facts.racers) == ("none", 0, [])
    assert "different rows for 5 folds" in facts.notes[0]


def test_held_out_rows_teach_nothing(home: Path) -> None:
    """What a fold's training rows become has the same bytes when its held-out rows are rewritten.

    So do those of the test split, which takes no part at all.
    """
    made = []
    for rewrite in (False, True):
        run, rows, assignment, _ = prepare_race(home / str(rewrite), "ingest.partition_rows=5000")
        own = run.vary(fold=Fold(0, 5))
        if rewrite:
            # The split of this fold depends on labels alone, which stay.
            fold = encode_fold(own, rows, assignment)
            held = read_frame(own.address("split").path / "assignment.parquet")
            path = list_parts(rows.path)[0]
            frame = read_frame(path)
            foreign = ~held[SPLIT].isin(("train", "validation")).to_numpy()
            for name in frame.columns.drop([ROW_ID, "class"]):
                if frame[name].dtype != "str":
                    frame.loc[foreign, name] = 1e6
            write_frame(path, frame)
            for stage in ("clean", "impute", "encode"):
                shutil.rmtree(own.address(stage).path)
        fold = encode_fold(own, rows, assignment)
        made.append((fold.path / "train.parquet").read_bytes())
    assert made[0] == made[1]


def test_fewer_rows_take_part_where_there_are_many() -> None:
    """Units and rare classes stay whole, test rows stay; the share is about what was asked for."""
    draw = np.random.default_rng(0)
    units = [f"u{i}" for i in draw.integers(0, 3000, 6000)]
    assignment = pd.DataFrame(
        {"unit": units, SPLIT: np.where(pd.Series(units).str[-1] < "2", "test", "train")}
    )
    labels = pd.Series("common", index=assignment.index)
    labels[np.flatnonzero(assignment["unit"].isin(units[:25]))] = "rare"
    thin = thin_out(assignment, labels, 1000, seed=0)
    counts = thin[SPLIT].value_counts()
    assert counts["test"] == (assignment[SPLIT] == "test").sum()
    assert 850 < counts["train"] < 1150
    assert (thin.groupby("unit")[SPLIT].nunique() == 1).all()
    rare = (labels == "rare") & (assignment[SPLIT] == "train")
    assert 20 < rare.sum() < 100
    assert (thin[SPLIT][rare] == "train").all()
    assert thin_out(assignment, labels, 10_000, seed=0) is assignment


@pytest.mark.slow
def test_folds_of_a_cross_validation_take_the_chosen_method(
    home: Path, trainer: Trainer, one_core: None
) -> None:
    """They are resampled as the race chose, and not raced again."""
    settings = (
        "training.folds=4", "resampling.race.folds=4", "training.epochs=1",
        "resampling.race.methods=[none, random_under]",
    )  # fmt: skip
    run, rows, assignment, features = prepare_race(home, *settings)
    address = race(run, rows, assignment, features, trainer)
    chosen = address.facts(RaceFacts).chosen
    scores = cross_validate(run, rows, assignment, features, address, trainer)
    told = load_facts(scores.path / FACTS, list[FoldScore])
    assert [score.fold for score in told] == [1, 2, 3, 4]
    rows_held_out = sum(score.rows for score in told)  # repeated rows are not
    assert 0.9 < rows_held_out / sum(assignment.facts(SplitFacts).counts["train"].values()) <= 1
    assert all(0.4 < score.metrics["balanced_accuracy"] <= 1 for score in told)
    trials = run.store.runs.glob("stages/trial-*/facts.json")
    alone = [facts for path in trials if "network" in (facts := load_facts(path, FoldFacts)).trials]
    rows_in = [facts.trials["network"].rows for facts in alone]
    counts = [find_fold_counts(run, rows, assignment, number, "class") for number in range(4)]
    expected = [2 * min(own) if chosen == "random_under" else sum(own) for own in counts]
    assert sorted(rows_in) == sorted(expected)


@pytest.mark.slow
def test_pictures_can_race(home: Path, trainer: Trainer) -> None:
    """The methods for pictures, augmented copies among them."""
    declare(home, make_shapes(bar=30, disc=30, ring=12))
    run = prepare_shapes(
        home, "resampling={method: auto, race: {folds: 4, methods: [none, threshold, augment]}}"
    )
    rows = ingest(run)
    assignment = split(run, rows)
    features = encode(run, impute(run, clean(run, rows, assignment)))
    facts = race(run, rows, assignment, features, trainer).facts(RaceFacts)
    assert {racer.method for racer in facts.racers} == {"none", "threshold", "augment"}
    assert find_racer(facts, "augment").rows > find_racer(facts, "none").rows
    assert find_racer(facts, "augment").end != "impossible"


@pytest.mark.parametrize(
    ("race_section", "problem"),
    [
        ({"methods": ["smote", "enn"]}, "must hold 'none'"),
        ({"methods": ["none"]}, "needs two or more"),
        ({"methods": ["none", "none"]}, "names one of them twice"),
        ({"methods": ["none", "augment"]}, r"race.methods holds 'augment'"),
        ({"methods": ["auto"]}, "auto"),
        ({"folds": 3}, "folds"),
    ],
)
def test_a_race_that_cannot_be_run_is_refused(race_section: object, problem: str) -> None:
    """The declaration is checked before anything runs."""
    plain = {"dataset": "d", "source": "d.csv", "target": "y", "resampling": {"race": race_section}}
    with pytest.raises(ConfigError, match=problem):
        parse_config(plain)


def test_a_resampling_by_itself_cannot_be_a_race() -> None:
    """Outside of a refresh, a method must be named."""
    rows = Features(np.array(["a", "b"]), np.zeros((2, 1), np.float32), np.array(["x", "y"]))
    with pytest.raises(StageError, match="is a race of several"):
        resample(TrainFeatures(rows, ()), ResamplingConfig(method="auto"), seed=0)
