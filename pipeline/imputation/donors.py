"""Training rows that gaps are filled from: the mean, or the commonest, of the nearest ones.

Numbers are compared as z-scores, and two categories that differ are as far apart as one standard
deviation, as in SMOTENC (Chawla et al. 2002). A column that one of two rows lacks counts as its
variance: of a number 1, of a category half the chance that two rows differ. Otherwise rows that
share little would be the nearest. On adult, hypothyroid and penguins, fills by such neighbours were
nearer to the truth than by those of the numbers alone, or of shared columns alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.settings import ImputationConfig
from pipeline.dataset import ROW_ID, TrainSet, draw_uniform
from pipeline.neighbours.index import Index, build_index
from pipeline.neighbours.search import visit_gaps

# Farther than so many standard deviations off, a value is equally far from all donors.
MAX_Z = 1e6
# What a category that differs adds to the squared distance.
CATEGORY_COST = 1.0
# Donors are all training rows, unless that takes more differences of values than some seconds
# allow, or more rows than a version should carry.
DONOR_WORK = 1e11
MOST_DONORS = 100_000
FEWEST_DONORS = 5_000


@dataclass(frozen=True, slots=True)
class Donors:
    """Training rows that KNN draws on.

    Attributes
    ----------
    columns
        The columns that distances are measured on: numbers, then categories.
    means, scales
        Shape ``(n_numbers,)``, float64: what turns a value into a z-score.
    ranges
        Shape ``(2, n_numbers)``, float64: smallest and largest value. A mean of neighbours lies
        between them; rounding is not to carry it beyond.
    levels
        The categories of each column of categories, by code.
    rows
        Shape ``(n_donors, n_columns)``, float64: z-scores and codes, NaN where missing.
    """

    columns: list[str]
    means: np.ndarray
    scales: np.ndarray
    ranges: np.ndarray
    levels: list[list[str]]
    rows: np.ndarray

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers."""
        return self.columns[: len(self.means)]

    @property
    def categories(self) -> list[str]:
        """The columns of categories."""
        return self.columns[len(self.means) :]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest donors of gaps.

    Attributes
    ----------
    owners, columns
        Each of shape ``(n_gaps,)``: the row of each gap, and its column's place among the donors'.
    values
        Shape ``(n_gaps, k)``, float64: the donors' z-scores or codes, the nearest first, NaN where
        there are fewer.
    """

    owners: np.ndarray
    columns: np.ndarray
    values: np.ndarray


def choose_donors(train: TrainSet, config: ImputationConfig, seed: int) -> Donors:
    """Take the training rows with the smallest draws of each class, in the order of the draws.

    So neither the choice nor a tie among neighbours depends on the order of the source's rows.

    Parameters
    ----------
    train
        Training rows with their schema.
    config
        ``max_donors``; left out, as many as search takes reasonable time for.
    seed
        Of the draws.
    """
    schema, frame = train.schema, train.frame
    columns = schema.select("numbers", "categories")
    draws = pd.Series(draw_uniform(frame[ROW_ID], "donors", seed))
    classes = draws.groupby(frame[schema.target].to_numpy())
    # The place of a row in its class: the rows below any mark are a share of each class alike.
    places = (classes.rank(method="first") - 0.5) / classes.transform("size")
    wanted = config.max_donors or _afford_donors(frame[columns].isna().to_numpy())
    chosen = np.lexsort((draws, places))[:wanted]
    chosen = chosen[np.argsort(draws.to_numpy()[chosen], kind="stable")]
    known = frame[columns].iloc[chosen]
    return _learn_donors(known, schema.select("numbers"), schema.select("categories"))


def _learn_donors(frame: pd.DataFrame, numbers: list[str], categories: list[str]) -> Donors:
    numbers = [name for name in numbers if frame[name].notna().any()]
    categories = [name for name in categories if frame[name].notna().any()]
    values = frame[numbers].to_numpy(dtype=np.float64)
    means, scales = np.zeros(len(numbers)), np.ones(len(numbers))
    ranges = np.zeros((2, len(numbers)))
    if len(numbers):
        means, scales = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        ranges = np.stack([np.nanmin(values, axis=0), np.nanmax(values, axis=0)])
        # Of equal values rounding leaves a spread that is not zero.
        scales = np.where((ranges[1] > ranges[0]) & (scales > 0), scales, 1.0)
    levels = [sorted(map(str, frame[name].dropna().unique())) for name in categories]
    plain = Donors([*numbers, *categories], means, scales, ranges, levels, np.empty((0, 0)))
    return Donors(plain.columns, means, scales, ranges, levels, encode_rows(frame, plain))


def _afford_donors(gaps: np.ndarray) -> int:
    """Say how many donors a search through all of the training split's gaps may look at."""
    affordable = int(DONOR_WORK / max(1, int(gaps.any(axis=1).sum()) * gaps.shape[1]))
    return min(max(affordable, FEWEST_DONORS), MOST_DONORS)


def encode_rows(frame: pd.DataFrame, donors: Donors) -> np.ndarray:
    """Turn rows into z-scores and codes, as donors are; a category that no donor has differs."""
    values = np.empty((len(frame), len(donors.columns)))
    plain = frame[donors.numbers].to_numpy(dtype=np.float64)
    values[:, : len(donors.numbers)] = np.clip(
        (plain - donors.means) / donors.scales, -MAX_Z, MAX_Z
    )
    for at, (name, levels) in enumerate(zip(donors.categories, donors.levels, strict=True)):
        codes = pd.Index(levels, dtype="str").get_indexer(pd.Index(frame[name].astype("str")))
        known = np.where(codes < 0, len(levels), codes)
        values[:, len(donors.numbers) + at] = np.where(frame[name].isna(), np.nan, known)
    return values


def index_donors(donors: Donors) -> Index:
    """Lay donors out for the search."""
    costs = [-1.0] * len(donors.numbers) + [CATEGORY_COST] * len(donors.categories)
    weights = []
    for cost, column in zip(costs, donors.rows.T, strict=True):
        known = column[~np.isnan(column)]
        shares = np.unique(known, return_counts=True)[1] / len(known)
        spread = known.var() if cost < 0 else cost * (1.0 - np.square(shares).sum()) / 2
        weights.append(float(spread))
    return build_index(donors.rows, np.array(costs), np.array(weights))


def find_donors(index: Index, rows: np.ndarray, gaps: np.ndarray, k: int) -> Neighbours:
    """Find the nearest donors of each gap, on all cores.

    Parameters
    ----------
    rows
        Shape ``(n, n_columns)``: z-scores and codes, NaN where missing.
    gaps
        Shape ``(n, n_columns)``, bool: what donors are sought for.
    """
    owners, columns = np.nonzero(gaps)
    values = np.empty((len(owners), k))
    cells = np.flatnonzero(gaps)

    def keep(at: np.ndarray, own: np.ndarray, distances: np.ndarray, positions: np.ndarray) -> None:
        found = np.isfinite(distances)
        given = index.donors[np.where(found, positions, 0), own[:, None]]
        values[np.searchsorted(cells, at * gaps.shape[1] + own)] = np.where(found, given, np.nan)

    visit_gaps(index, lambda at: rows[at], gaps, k, keep)
    return Neighbours(owners, columns, values)


def take_mean(values: np.ndarray) -> np.ndarray:
    """Take the mean of the donors of each gap; NaN where there are none. Shape ``(n, k)``."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1))


def take_commonest(values: np.ndarray) -> np.ndarray:
    """Take the commonest code of the donors of each gap; of equally common ones the nearest."""
    votes = np.zeros(values.shape, dtype=np.int64)
    for other in values.T:
        votes += values == other[:, None]
    return np.asarray(values[np.arange(len(values)), votes.argmax(axis=1)])
