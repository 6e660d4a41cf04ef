"""Which method fills best: known cells are hidden as gaps are, filled by each, and compared.

Hidden cells follow the gaps that the training split shows: each rehearsed row is given the gaps of
another row that has some. So rates and patterns are the observed ones. What can't be seen, that a
value is missing because of what it is, is not rehearsed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.settings import ImputationConfig
from pipeline.dataset import ROW_ID, TrainSet, draw_uniform
from pipeline.imputation.donors import (
    Donors,
    choose_donors,
    encode_rows,
    find_donors,
    index_donors,
    take_commonest,
    take_mean,
)

# Rows whose cells are hidden, at most; no more than a third of the training split at a time.
MOST_ROWS = 5_000
# With fewer hidden cells of a column, a comparison says nothing.
FEWEST_CELLS = 20
# Numbers of neighbours that are tried.
NEIGHBOURS = (5, 15)


@dataclass(frozen=True, slots=True)
class HiddenTrial:
    """One way to fill a column, and how far it was from the truth.

    Attributes
    ----------
    method
        ``median``, ``mean``, ``most_frequent`` or ``knn``.
    neighbours
        Of KNN; else 0.
    error, low, high
        Of numbers the root of the mean squared error, in standard deviations of the column; of
        categories the share that was wrong; with an interval of 95 %.
    """

    method: str
    neighbours: int
    error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The trials of one column, the best first.

    Attributes
    ----------
    cells
        Cells that were hidden.
    """

    column: str
    cells: int
    trials: list[HiddenTrial]


def rehearse(
    train: TrainSet, columns: list[str], config: ImputationConfig, *, seed: int
) -> list[Rehearsal]:
    """Try all methods on columns with gaps.

    Parameters
    ----------
    train
        The cleaned training split.
    columns
        Columns of numbers or categories that a method is wanted for.
    seed
        Chooses the rows, and the gaps that they are given.
    """
    frame, schema = train.frame, train.schema
    names = schema.select("numbers", "categories")
    gaps = frame[names].isna().to_numpy()
    gappy = np.flatnonzero(gaps.any(axis=1))
    if not len(gappy) or len(frame) < 3 * FEWEST_CELLS:
        return []
    draws = draw_uniform(frame[ROW_ID], "rehearsal", seed)
    order = np.argsort(draws, kind="stable")
    # Which row's gaps each one is given: drawn from the row's id, among rows in their drawn order.
    givers = gappy[np.argsort(draws[gappy], kind="stable")]
    picks = draw_uniform(frame[ROW_ID], "rehearsed gaps", seed)
    given = gaps[givers[(picks * len(givers)).astype(np.int64)]]
    size = min(MOST_ROWS, len(frame) // 3)
    columns = [name for name in names if name in columns]
    losses: dict[str, list[_Losses]] = {name: [] for name in columns}
    for start in range(0, min(MOST_ROWS, size * 3), size):
        chosen = order[start : start + size]
        rest = np.sort(np.append(order[:start], order[start + size :]))
        others = TrainSet(frame.iloc[rest].reset_index(drop=True), schema)
        donors = choose_donors(others, config, seed)
        truth = encode_rows(frame.iloc[chosen], donors)
        if not donors.columns:
            continue
        places = np.array([names.index(name) for name in donors.columns])
        rows = np.where(given[chosen][:, places], np.nan, truth)
        hidden = np.isnan(rows) & ~np.isnan(truth)
        hidden &= np.array([name in losses for name in donors.columns])
        near = find_donors(index_donors(donors), rows, hidden, max(NEIGHBOURS))
        for place, name in enumerate(donors.columns):
            own = near.columns == place
            if own.any():
                answers = truth[near.owners[own], place]
                losses[name].append(_measure(place, donors, near.values[own], answers))
    roles = schema.roles
    return [
        _judge(name, parts, roles[name] == "numeric")
        for name, parts in losses.items()
        if sum(len(part["most_frequent", 0]) for part in parts) >= FEWEST_CELLS
    ]


_Losses = dict[tuple[str, int], np.ndarray]


def _measure(place: int, donors: Donors, near: np.ndarray, answers: np.ndarray) -> _Losses:
    """Measure how far each method is from the hidden cells of a column, cell by cell."""
    known = pd.Series(donors.rows[:, place]).dropna()
    numeric = place < len(donors.means)
    commonest = float(known.mode().iloc[0])
    simple = {"median": known.median(), "mean": known.mean()} if numeric else {}
    guesses = {(method, 0): np.full(len(answers), value) for method, value in simple.items()}
    guesses["most_frequent", 0] = np.full(len(answers), commonest)
    for k in NEIGHBOURS:
        values = take_mean(near[:, :k]) if numeric else take_commonest(near[:, :k])
        lonely = known.median() if numeric else commonest
        guesses["knn", k] = np.where(np.isnan(values), lonely, values)
    if numeric:
        return {key: np.square(guess - answers) for key, guess in guesses.items()}
    return {key: (guess != answers).astype(np.float64) for key, guess in guesses.items()}


def _judge(name: str, parts: list[_Losses], numeric: bool) -> Rehearsal:
    """Order the methods by their error; of equal ones the simpler comes first."""
    trials = []
    for method, neighbours in parts[0]:
        losses = np.concatenate([part[method, neighbours] for part in parts])
        mean, half = float(losses.mean()), 1.96 * float(losses.std(ddof=1)) / len(losses) ** 0.5
        error, low, high = mean, max(0.0, mean - half), mean + half
        if numeric:
            error, low, high = error**0.5, low**0.5, high**0.5
        trials.append(HiddenTrial(method, neighbours, error, low, high))
    return Rehearsal(name, len(losses), sorted(trials, key=lambda trial: trial.error))
