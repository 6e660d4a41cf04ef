"""The race between resamplings: who goes on, who wins.

Each method resamples the training part of a fold, the baseline network learns from it and is asked
about the held-out rows. All methods see the same folds with the same seeds, so their differences
are paired. After each fold the worse half is dropped (successive halving: Jamieson and Talwalkar,
AISTATS 2016), and those that are left are compared in the end. Held-out predictions of all folds
are pooled and bootstrapped (Tsamardinos, Greasidou and Borboudakis, Machine Learning 107, 2018).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from pipeline.config.settings import RaceConfig, RaceScore, Resampling
from pipeline.evaluation.bootstrap import Interval, draw_counts, summarize
from pipeline.experiments.outcomes import Outcome
from pipeline.targets.metric_names import METRICS
from pipeline.targets.race_facts import Standing
from pipeline.targets.race_scores import Measure, prepare_score
from pipeline.targets.resamplings import sort_simplest_first

STAGE = "resampling"
RESAMPLES = 1000
CHUNK = 4_000_000  # weights held at once
SAME = 1e-12


def judge(
    outcomes: Mapping[Resampling, Sequence[Outcome]],
    config: RaceConfig,
    *,
    seed: int,
) -> list[Standing]:
    """Compare methods on the folds that all of them ran.

    Intervals come from a paired bootstrap of the rows within their folds. The largest studentized
    deviation over all pairs of methods sets the width, so that choosing among many does not make
    one of them look significant by chance (Romano and Wolf, Econometrica 73, 2005). Differences
    vary from fold to fold too, by the training rows and the seed; where that is more than the rows
    explain, intervals are as much wider (the dispersion of McCullagh and Nelder, Generalized Linear
    Models, 1989, section 4.5), by Student's t.

    Parameters
    ----------
    outcomes
        For each method one outcome per fold, on the same rows.
    seed
        Seed of the bootstrap; the same for each method, so that draws are paired.

    Returns
    -------
    list of Standing
        In the order given.
    """
    names = list(outcomes)
    sizes = [len(outcome.labels) for outcome in outcomes[names[0]]]
    # By method: metric -> value, and metric -> draws.
    ones = np.ones((1, sum(sizes)))
    measures = [_prepare(outcomes[name], config.score) for name in names]
    values = [measure(ones) for measure in measures]
    parts: list[list[dict[str, np.ndarray]]] = [[] for _ in names]
    # All methods are measured under the same draws. A hard row is hard for each of them: in the
    # difference of two methods it cancels, and a smaller difference is more than chance.
    for weights in _draw_weights(sizes, seed):
        for part, measure in zip(parts, measures, strict=True):
            part.append(measure(weights))
    draws = [{key: np.concatenate([p[key] for p in own]) for key in own[0]} for own in parts]
    scores = np.array([float(value["score"][0]) for value in values])
    drawn = np.stack([draw["score"] for draw in draws])
    folds = _weigh_folds(sizes)
    by_fold = np.stack([measure(folds)["score"] for measure in measures])
    gaps, widths = _compare_with_best(scores, drawn, by_fold, config.significance)
    standings = []
    for place, name in enumerate(names):
        gap, width = float(gaps[place]), float(widths[place])
        metrics = {
            key: summarize(float(values[place][key][0]), draws[place][key]) for key in METRICS
        }
        standings.append(
            Standing(
                name,
                summarize(float(scores[place]), drawn[place]),
                Interval(gap, *((gap - width, gap + width) if width < np.inf else (None, None))),
                metrics,
                len(sizes),
            )
        )
    return standings


def find_leaders(standings: Sequence[Standing]) -> tuple[Resampling, Resampling]:
    """Find the simplest method that is not significantly worse than the best, and the best."""
    best = max(standings, key=_read_score)
    fit = [standing.method for standing in standings if not standing.is_worse]
    return sort_simplest_first(fit)[0], best.method


def keep_racing(
    outcomes: Mapping[Resampling, Sequence[Outcome]],
    score: RaceScore,
    networks: Mapping[Resampling, Resampling] = MappingProxyType({}),
) -> list[Resampling]:
    """Choose who goes on to the next fold: half of the networks by their scores, or two.

    The simplest one always does, since it wins unless it is significantly worse in the end.
    Significance is not asked for on the way: the more often, the more often chance answers.

    Parameters
    ----------
    networks
        By method, whose network serves it, where that is not its own.
    """
    scores = {method: _score_once(own, score) for method, own in outcomes.items()}
    by_score = sorted(scores, key=lambda method: -scores[method])
    simplest = sort_simplest_first(list(outcomes))[0]
    fits = list(dict.fromkeys(networks.get(method, method) for method in [simplest, *by_score]))
    # Halving spends most on those that may win: one that is far behind after some folds hardly
    # does, and each that is dropped leaves room for another fold of the rest. Two stay to compare.
    kept = fits[: max(2, math.ceil(len(fits) / 2))]
    return [method for method in outcomes if networks.get(method, method) in kept]


def _score_once(outcomes: Sequence[Outcome], score: RaceScore) -> float:
    ones = np.ones((1, sum(len(outcome.labels) for outcome in outcomes)))
    value = float(_prepare(outcomes, score)(ones)["score"][0])
    return -math.inf if math.isnan(value) else value


def _read_score(standing: Standing) -> float:
    return -math.inf if standing.score.value is None else standing.score.value


def _prepare(outcomes: Sequence[Outcome], score: RaceScore) -> Measure:
    """Make a function that measures all metrics and the score under weights, shape ``(r, n)``."""
    return prepare_score(
        np.concatenate([outcome.labels for outcome in outcomes]),
        np.concatenate([outcome.probabilities for outcome in outcomes]),
        np.concatenate([outcome.predicted for outcome in outcomes]),
        np.concatenate([outcome.guess[outcome.labels] for outcome in outcomes]),
        score,
    )


def _draw_weights(sizes: Sequence[int], seed: int) -> Iterator[np.ndarray]:
    """Yield weights of rows, shape ``(some, n)``: how often each was drawn within its fold."""
    generator = np.random.default_rng(seed)
    total = sum(sizes)
    step = max(1, min(RESAMPLES, CHUNK // total))
    for start in range(0, RESAMPLES, step):
        count = min(step, RESAMPLES - start)
        weights = np.empty((count, total))
        begin = 0
        for size in sizes:
            weights[:, begin : begin + size] = draw_counts(generator, count, size)
            begin += size
        yield weights


def _weigh_folds(sizes: Sequence[int]) -> np.ndarray:
    """Make weights that leave one fold each, shape ``(folds, n)``."""
    weights = np.zeros((len(sizes), sum(sizes)))
    ends = np.cumsum(sizes)
    for fold, (size, end) in enumerate(zip(sizes, ends, strict=True)):
        weights[fold, end - size : end] = sum(sizes) / size
    return weights


def _compare_with_best(
    scores: np.ndarray, drawn: np.ndarray, by_fold: np.ndarray, chance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find how far each score is behind the best one, and the half-width that holds for all."""
    best = int(np.argmax(scores))
    gaps = scores[best] - scores
    known = drawn[:, ~np.isnan(drawn).any(axis=0)]
    by_fold = by_fold[:, ~np.isnan(by_fold).any(axis=0)]
    if known.shape[1] < drawn.shape[1] / 2:
        return gaps, np.full(len(scores), np.inf)
    # Which one is best is chance too: every pair counts, not those with the best alone.
    one, other = np.triu_indices(len(scores), 1)
    differences = known[one] - known[other]
    deviations = differences.std(axis=1)
    apart = deviations > SAME
    if not apart.any():
        return gaps, np.where(gaps > SAME, np.inf, 0.0)
    shifts = differences[apart] - (scores[one] - scores[other])[apart, None]
    largest = np.abs(shifts / deviations[apart, None]).max(axis=0)
    dispersion = np.ones(len(one))
    dispersion[apart] = _find_dispersion((by_fold[one] - by_fold[other])[apart], deviations[apart])
    # The dispersion is an estimate.
    width = _allow_for_few(
        float(np.quantile(largest, 1 - chance)), (by_fold.shape[1] - 1) * (len(scores) - 1)
    )
    widths = np.zeros(len(scores))
    for pair in np.flatnonzero((one == best) | (other == best)):
        rival = other[pair] if one[pair] == best else one[pair]
        widths[rival] = width * dispersion[pair] * deviations[pair]
        if deviations[pair] <= SAME < gaps[rival]:  # no row varies that tells them apart
            widths[rival] = np.inf
    return gaps, widths


def _find_dispersion(differences: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Find how many times as much differences vary from fold to fold as their rows explain.

    Of each pair its own, or that of all pairs together where that is larger; never below 1.
    """
    folds = differences.shape[1]
    if folds < 2:
        return np.ones(len(differences))
    ratios: np.ndarray = differences.var(axis=1, ddof=1) / folds / deviations**2
    return np.asarray(np.sqrt(np.maximum(np.maximum(1.0, ratios.mean()), ratios)))


def _allow_for_few(width: float, freedom: int) -> float:
    """Widen a quantile of the normal distribution to that of Student's t."""
    from scipy.special import ndtr, stdtrit

    return float(stdtrit(freedom, min(ndtr(width), 1 - 1e-12))) if freedom > 0 else width
