"""What the training tells: against its peers, and by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.diagnosis.finding import Finding, Severity
from pipeline.diagnosis.wording import (
    cut,
    read_difference,
    write_count,
    write_interval,
    write_signed,
)
from pipeline.targets.metric_names import MAIN, TITLES

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.diagnosis.terms import Terms
    from pipeline.targets.results import Difference, Score, TrainingFacts

SMALL = 0.01  # a difference of the main metric that may be another seed's
WIDE = 0.05  # half-width from which an interval is called wide
RISE = 1.15  # validation loss at the end over its best
GAP = 1.5  # validation loss over training loss at the best epoch
ACCURACY_GAP = 0.05
FEW_CLASS_TEST_ROWS = 5
TOO_GOOD = 0.995  # of the main metric: suspicious


def find_difference(training: TrainingFacts, against: str, metric: str = MAIN) -> Difference | None:
    """Find the network's paired difference to another learner.

    Parameters
    ----------
    training
        What was measured on the test split.
    against
        The other learner, by its name in the scores.
    metric
        By which the two differ.

    Returns
    -------
    Difference or None
        None where it was not measured.
    """
    return next(
        (
            difference
            for difference in training.differences
            if (difference.name, difference.against, difference.metric)
            == ("network", against, metric)
        ),
        None,
    )


# Learners of another kind, on the same rows; each training has one of them.
PEERS = {
    "gradient_boosting": "gradient boosting",
    "logistic_regression": "logistic regression on thumbnails",
}


def find_score(training: TrainingFacts, name: str) -> Score | None:
    """Find a learner's score."""
    return next((score for score in training.scores if score.name == name), None)


def compare_majority(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell if the network learned nothing."""
    difference = record.training and find_difference(record.training, "majority")
    if not difference or read_difference(difference) in ("better", "not defined"):
        return
    assert record.training
    yield Finding(
        "no_better_than_majority",
        "critical",
        "The network is not distinguishable from always answering the largest class"
        if read_difference(difference) == "not distinguishable"
        else "The network is worse than always answering the largest class",
        describe_difference(difference),
        "Check the labels and the features first; then try a larger training.learning_rate "
        f"(now {record.training.learning_rate:g}) and more training.epochs.",
        cause="no_signal",
        effect=difference,
    )


def find_peer(training: TrainingFacts) -> Difference | None:
    """Find the difference to the learner of another kind, in the main metric."""
    found = (find_difference(training, name) for name in PEERS)
    return next((difference for difference in found if difference), None)


def compare_peer(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell whether another kind of learner gets more out of the same data."""
    difference = record.training and find_peer(record.training)
    if not difference:
        return
    peer = PEERS[difference.against]
    reading = read_difference(difference)
    if reading == "worse":
        yield Finding(
            "peer_better",
            "critical",
            f"The network, not only the data, costs accuracy: {peer} is better",
            f"{describe_difference(difference)} What {peer} finds is in the data; the network "
            "misses it.",
            f"Tune the network ({terms.tuning}, training.learning_rate, training.epochs), or use "
            f"{peer}.",
            effect=difference,
        )
    elif reading == "better":
        yield Finding(
            "network_better",
            "info",
            f"The network is better than {peer}",
            describe_difference(difference),
            "",
            effect=difference,
        )
    elif reading == "not distinguishable":
        yield Finding(
            "peer_not_distinguishable",
            "info",
            f"The network and {peer} are not distinguishable",
            describe_difference(difference)
            + " Two kinds of learner that agree point to the data rather than to the network.",
            "Look at the data findings before you tune the network.",
            effect=difference,
        )


def describe_difference(difference: Difference) -> str:
    """Write a paired difference with its interval."""
    other = {
        **PEERS,
        "majority": "the largest class",
        "network_unrepaired": "the same network without it",
    }
    return (
        f"{TITLES[difference.metric]}, network minus "
        f"{other.get(difference.against, difference.against)}: "
        f"{write_signed(difference.interval)} on {write_count(difference.rows, 'test row')}, "
        "paired 95 % interval."
    )


def judge_certainty(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell if the test split is too small to show small differences."""
    score = record.training and find_score(record.training, "network")
    if not score or not record.training:
        return
    interval = score.metrics[MAIN]
    least = min((sum(row) for row in score.confusion if sum(row)), default=0)
    if least < FEW_CLASS_TEST_ROWS:
        yield Finding(
            "few_test_rows",
            "warning",
            f"{write_count(record.training.test_rows, 'test row')} are too few for a score",
            f"Their smallest class has {write_count(least, 'row')}; each of its rows moves "
            f"the {TITLES[MAIN].lower()} by many points, whatever the interval says.",
            "Give more rows, a larger split.test, or use training.folds: 5 to judge changes.",
            cause="too_little_data",
            figures={"test_rows": record.training.test_rows, "smallest_class": least},
        )
        return
    if interval.low is None or interval.high is None or (interval.high - interval.low) / 2 <= WIDE:
        return
    yield Finding(
        "imprecise_score",
        "warning",
        f"{write_count(record.training.test_rows, 'test row')} are few for a precise score",
        f"The {TITLES[MAIN].lower()} is {write_interval(interval)}: an interval of "
        f"{100 * (interval.high - interval.low):.0f} points. Smaller improvements can't be seen.",
        "Give more rows, a larger split.test, or use training.folds: 5 to judge changes.",
        cause="too_little_data",
        figures={
            "test_rows": record.training.test_rows,
            "low": interval.low,
            "high": interval.high,
        },
    )


def judge_perfection(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell of a score that is too good, where no column was found that gives the label away."""
    if not terms.drops_columns or (record.cleaning and record.cleaning.fitted.leaks):
        return
    learners = {"network": "the network", "gradient_boosting": PEERS["gradient_boosting"]}
    for name, learner in learners.items():
        score = record.training and find_score(record.training, name)
        if score and (score.metrics[MAIN].value or 0.0) >= TOO_GOOD:
            yield Finding(
                "score_too_good",
                "warning",
                f"{learner.capitalize()} is nearly always right: look for a column that holds the "
                "answer",
                f"{TITLES[MAIN]} {write_interval(score.metrics[MAIN])} on test rows.",
                "Name columns that are made from the label, or known only after it, in "
                "cleaning.drop_columns.",
                cause="leakage",
                figures={MAIN: score.metrics[MAIN].value},
            )
            return


def judge_history(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell of divergence, overfitting, or a training that was cut off."""
    training = record.training
    if training is None:
        return
    loss, val = training.history.get("loss", []), training.history.get("val_loss", [])
    if any(not math.isfinite(value) for value in [*loss, *val]):
        yield Finding(
            "loss_not_finite",
            "critical",
            "The loss stopped being a number during training",
            f"Learning rate {training.learning_rate:g}, batch size {training.batch_size}.",
            f"Set training.learning_rate to {training.learning_rate / 10:g}.",
            cause="learning_rate_too_high",
            figures={"learning_rate": training.learning_rate},
            change={"training.learning_rate": training.learning_rate / 10},
        )
        return
    if not loss or not val or not 1 <= training.best_epoch <= min(len(loss), len(val)):
        return
    best = training.best_epoch
    yield from _judge_gap(training, loss[best - 1], val[best - 1], val[-1])
    planned = record.config.get("training", {}).get("epochs", training.epochs_run)
    if best == training.epochs_run == planned and best > 1:
        yield Finding(
            "cut_off",
            "warning",
            "Training was cut off while it still improved",
            f"The best of {training.epochs_run} epochs by validation loss was the last.",
            f"Set training.epochs to {2 * training.epochs_run}, with training.early_stopping to "
            "end it in time.",
            cause="too_few_epochs",
            figures={"epochs": training.epochs_run},
            change={"training.epochs": 2 * training.epochs_run},
        )


def _judge_gap(training: TrainingFacts, loss: float, val: float, last: float) -> Iterator[Finding]:
    """Compare the splits at the best epoch; the weights of that epoch are the ones judged."""
    best = training.best_epoch
    accuracy = training.history.get("accuracy", [])[best - 1 : best]
    measured = training.history.get("val_accuracy", [])[best - 1 : best]
    apart = accuracy[0] - measured[0] if accuracy and measured else 0.0
    cure = (
        "Try more training.dropout or training.l2, or smaller training.hidden; more rows help most."
    )
    if loss > 0 and val / loss > GAP and apart > ACCURACY_GAP:
        yield Finding(
            "overfits",
            "warning",
            "The network overfits: it does better on rows that it has seen",
            f"At its best epoch, {best}, loss is {loss:.3g} in training and {val:.3g} in "
            f"validation, accuracy {accuracy[0]:.3f} and {measured[0]:.3f}.",
            cure,
            cause="no_regularisation",
            figures={"epoch": best, "loss": loss, "val_loss": val},
        )
    elif val > 0 and last / val > RISE:
        yield Finding(
            "overfits_later",
            "info",
            f"The network starts to overfit after epoch {best}",
            f"Validation loss rises from {val:.3g} to {last:.3g} by epoch {training.epochs_run}. "
            f"The weights of epoch {best} were kept, so this costs nothing yet.",
            cure,
            cause="too_many_epochs",
            figures={"epoch": best, "val_loss": val, "last_val_loss": last},
        )


def judge_confidence(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell if the network's probabilities can't be taken at their word."""
    score = record.training and find_score(record.training, "network")
    error = score and score.metrics.get("ece")
    if not error or error.value is None or error.low is None or error.low < WIDE:
        return
    yield Finding(
        "miscalibrated",
        "warning",
        "The network's confidence does not match its accuracy",
        f"They differ by {write_interval(error)} on average (expected calibration error on "
        "test rows).",
        "Try training.calibration: temperature, which needs 50 validation rows or more.",
        figures={"ece": error.value, "low": error.low, "high": error.high},
        change={"training.calibration": "temperature"},
    )


def pass_on_notes(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Pass on what the training noted."""
    severity: Severity = "info"
    for note in record.training.notes[:5] if record.training else []:
        yield Finding(
            "training_note",
            severity,
            cut(note.rstrip("."), 240),
            "The training noted this.",
            "",
        )
