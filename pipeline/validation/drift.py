"""How far a column's distribution is from what it was: effect sizes, and tests of them.

Sources: the two-sample test of Kolmogorov and Smirnov; Ramdas, García Trillos and Cuturi (2017),
"On Wasserstein two-sample testing and related families of nonparametric tests", Entropy 19; Lin
(1991), "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory
37; Siddiqi (2006), "Credit risk scorecards", for the population stability index.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pipeline.validation.distributions import Distribution

RARE = 0.01  # categories with a smaller share on both sides are compared as one
LEAST = 1e-4  # the share that the population stability index takes for 0
NAMED = 5
# What a change of unit multiplies by.
UNITS = {
    10.0: "centimetres to millimetres, or a slipped decimal point",
    100.0: "metres to centimetres, or a share to per cent",
    1000.0: "kilograms to grams, or seconds to milliseconds",
    2.54: "inches to centimetres",
    1.609344: "miles to kilometres",
    1 / 0.3048: "metres to feet",
    1 / 0.45359237: "kilograms to pounds",
    60.0: "minutes to seconds, or hours to minutes",
    3600.0: "hours to seconds",
}
UNIT_REACH = 0.01  # by which the ratio may miss a factor, of the factor, beside chance
UNIT_FIT = 1 / 3  # of the distance that is left once the factor is taken out

NAMES = {
    "wasserstein": "Wasserstein",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov",
    "l_infinity": "L∞",
    "jensen_shannon": "Jensen-Shannon",
    "psi": "PSI",
    "new": "new categories",
    "missing": "missing values",
}
MEASURES = {
    "wasserstein": "Wasserstein distance, in standard deviations of the last accepted refresh",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov statistic",
    "l_infinity": "largest change of a category's share (L∞)",
    "jensen_shannon": "Jensen-Shannon distance, base 2",
    "psi": "population stability index",
    "new": "share of rows with a category that was not there",
    "missing": "change of the share of missing values",
}


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a column is from what it was.

    Attributes
    ----------
    measures
        Effect sizes by name, see ``MEASURES``.
    p_values
        How probable a difference at least as large is between two samples of one population.
    retyped
        In words, where the column's values are of another kind now; nothing else is then measured.
    new, gone
        Categories that were not there, or are no more, with their rows; the most frequent five.
    """

    measures: dict[str, float] = field(default_factory=dict)
    p_values: dict[str, float] = field(default_factory=dict)
    retyped: str = ""
    new: list[tuple[str, int]] = field(default_factory=list)
    gone: list[tuple[str, int]] = field(default_factory=list)

    def find_fired(self, thresholds: Mapping[str, float], significance: float) -> list[str]:
        """Name the measures that exceed their threshold and that chance does not explain."""
        return [
            name
            for name, value in self.measures.items()
            if name in thresholds
            and value > thresholds[name]
            and self.p_values.get(name, 0.0) < significance
        ]


def measure(before: Distribution, now: Distribution) -> Drift:
    """Measure how far a distribution is from an earlier one of the same column."""
    if before.count and now.count and before.kind != now.kind:
        return Drift(retyped=f"{before.kind} before, {now.kind} now")
    measures = {"missing": abs(now.missing_share - before.missing_share)}
    p_values = {"missing": _test_counts([[before.missing, before.count], [now.missing, now.count]])}
    new: list[tuple[str, int]] = []
    gone: list[tuple[str, int]] = []
    if before.count and now.count and before.kind == "numbers":
        distance, chances = _compare_numbers(before, now)
        measures |= distance
        p_values |= chances
    elif before.count and now.count and before.kind == "categories":
        table = _line_up(before, now)
        shares = table / table.sum(axis=1, keepdims=True)
        distance = _compare_shares(*shares)
        measures |= distance
        p_values |= dict.fromkeys(distance, _test_counts(table))
        if before.complete:
            new = [item for item in now.counts.items() if item[0] not in before.counts]
            measures["new"] = sum(count for _, count in new) / now.count
            p_values["new"] = _test_new(before, now)
        if now.complete:
            gone = [item for item in before.counts.items() if item[0] not in now.counts]
    return Drift(measures, p_values, "", new[:NAMED], gone[:NAMED])


def rank_changes(before: Distribution, now: Distribution) -> list[str]:
    """Name the categories of both, the one whose share changed most first."""
    names = dict.fromkeys([*before.counts, *now.counts])
    return sorted(names, key=lambda name: -abs(now.share_of(name) - before.share_of(name)))


def find_unit(
    before: Distribution, now: Distribution, significance: float
) -> tuple[float, str] | None:
    """Find the factor of a change of unit, and what may have made it, where there was one.

    The numbers must differ by more than chance; the middle ones must have grown or shrunk by the
    factor, as far as so many rows can tell; and the distributions must be alike once it is taken
    out, by a third of the Kolmogorov-Smirnov distance at most. Zeros, which have no unit, are left
    out.

    Parameters
    ----------
    before, now
        What is compared; None comes out unless both are of numbers.
    significance
        The p-value from which a difference counts as chance.

    Returns
    -------
    tuple
        How many times the middle numbers are what they were, and in words which factor that is
        near to.
    """
    if before.kind != "numbers" or now.kind != "numbers" or not (before.count and now.count):
        return None
    if _compare_numbers(before, now)[1]["kolmogorov_smirnov"] >= significance:
        return None
    old, new = (np.array([p for p in of.points if p]) for of in (before, now))
    if not len(old) or not len(new):
        return None
    levels = np.linspace(0.1, 0.9, 17)
    pairs = zip(np.quantile(old, levels), np.quantile(new, levels), strict=True)
    ratios = [b / a for a, b in pairs if a and b and (a > 0) == (b > 0)]
    if len(ratios) < len(levels) / 2:
        return None
    ratio = float(np.median(ratios))
    reach = UNIT_REACH + 3 * math.hypot(_find_error(old, before.count), _find_error(new, now.count))
    left = {
        (scale, words + way): _find_distance(before, now, scale)
        for factor, words in UNITS.items()
        for scale, way in ((factor, ""), (1 / factor, ", the other way round"))
        if abs(math.log(ratio / scale)) <= reach
    }
    best = min(left, key=left.__getitem__, default=None)
    if best is None or left[best] > UNIT_FIT * _find_distance(before, now, 1.0):
        return None
    scale, words = best
    return ratio, f"{words} ({scale:.4g})"


def _find_error(points: np.ndarray, count: int) -> float:
    """Estimate the standard error of the logarithm of the middle number."""
    share = 0.5 / math.sqrt(count)
    low, high = np.abs(np.quantile(points, [max(0.0, 0.5 - share), min(1.0, 0.5 + share)]))
    return abs(math.log(high / low)) / 2 if low and high else math.inf


def _find_distance(before: Distribution, now: Distribution, scale: float) -> float:
    """Find the Kolmogorov-Smirnov distance once the earlier numbers are multiplied by a factor."""
    old, new = before.sketch, now.sketch
    # What is equal up to the last digits after a multiplication is taken as equal.
    steps = np.concatenate([old.points * scale, new.points])
    steps = steps + 1e-9 * np.abs(steps)
    gaps = old.share_up_to(steps / scale) - new.share_up_to(steps)
    return float(np.abs(gaps).max())


def _compare_numbers(
    before: Distribution, now: Distribution
) -> tuple[dict[str, float], dict[str, float]]:
    """Measure how far two sets of numbers are apart, and how probable that is by chance.

    The test of Kolmogorov and Smirnov takes its distance as small as the sketches' errors allow it
    to be. A Wasserstein distance is beyond chance if that one is, or if the means are (Welch),
    which a few gross values move and no middle.
    """
    from scipy.stats import kstwobign, norm

    old, new = before.sketch, now.sketch
    steps = np.unique(np.concatenate([old.points, new.points]))
    gaps = np.abs(old.share_up_to(steps) - new.share_up_to(steps))
    distance = float(gaps.max())
    size = before.count * now.count / (before.count + now.count)
    sure = max(0.0, distance - old.error - new.error)
    chance = float(kstwobign.sf(math.sqrt(size) * sure))
    found, chances = {"kolmogorov_smirnov": distance}, {"kolmogorov_smirnov": chance}
    if 0 < before.deviation < math.inf and now.deviation < math.inf:
        found["wasserstein"] = float((gaps[:-1] * np.diff(steps)).sum() / before.deviation)
        error = math.hypot(
            before.deviation / math.sqrt(before.count), now.deviation / math.sqrt(now.count)
        )
        means = 2 * float(norm.sf(abs(before.mean - now.mean) / error))
        chances["wasserstein"] = min(1.0, 2 * min(chance, means))
    return found, chances


def _line_up(before: Distribution, now: Distribution) -> np.ndarray:
    """Count the categories of both, those that are rare in both as one; shape ``(2, k)``."""
    rest = [before.count - sum(before.counts.values()), now.count - sum(now.counts.values())]
    columns = []
    for name in dict.fromkeys([*before.counts, *now.counts]):
        pair = [before.counts.get(name, 0), now.counts.get(name, 0)]
        if max(pair[0] / before.count, pair[1] / now.count) >= RARE:
            columns.append(pair)
        else:
            rest = [a + b for a, b in zip(rest, pair, strict=True)]
    if any(rest):
        columns.append(rest)
    return np.array(columns, dtype=np.float64).T


def _test_new(before: Distribution, now: Distribution) -> float:
    """Bound how probable so many rows of new categories are in two samples of one population.

    Each category that both samples hold together so many times is in the later one alone with the
    probability that all these rows fell there. Chernoff's bound of the sum over all categories.
    """
    share = now.count / (before.count + now.count)
    names = dict.fromkeys([*before.counts, *now.counts])
    counts = np.array([before.counts.get(n, 0) + now.counts.get(n, 0) for n in names], float)
    rows = sum(n for name, n in now.counts.items() if name not in before.counts)
    if not rows:
        return 1.0
    alone = counts * math.log(share)  # logarithms of probabilities
    weights = np.linspace(0.0, -4 * math.log(share) + 1, 200)[1:]
    terms = np.logaddexp(np.log1p(-np.exp(alone)), alone + np.outer(weights, counts))
    return math.exp(min(0.0, float((terms.sum(axis=1) - weights * rows).min())))


def _compare_shares(old: np.ndarray, new: np.ndarray) -> dict[str, float]:
    middle = (old + new) / 2
    divergence = (_diverge(old, middle) + _diverge(new, middle)) / 2
    a, b = np.maximum(old, LEAST), np.maximum(new, LEAST)
    return {
        "l_infinity": float(np.abs(old - new).max()),
        "jensen_shannon": math.sqrt(max(0.0, divergence)),
        "psi": float(((b - a) * np.log(b / a)).sum()),
    }


def _diverge(shares: np.ndarray, other: np.ndarray) -> float:
    """Give the Kullback-Leibler divergence in bits."""
    there = shares > 0
    return float((shares[there] * np.log2(shares[there] / other[there])).sum())


def _test_counts(table: np.ndarray | list[list[int]]) -> float:
    """Give Pearson's chi-squared test of two rows of counts; 1 where there is nothing to test."""
    from scipy.stats import chi2

    counts = np.array(table, dtype=np.float64)
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2 or (counts.sum(axis=1) == 0).any():
        return 1.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), counts.shape[1] - 1))
