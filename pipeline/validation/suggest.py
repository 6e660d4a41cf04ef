"""Suites suggested from training rows, with tolerances that a person can read and edit.

From one refresh they are cautious; from three and more they come from the spread between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cleaning.outliers import learn_bound
from pipeline.config.settings import ColumnConfig, DatasetConfig
from pipeline.dataset import ROW_ID, TrainSet
from pipeline.storage.hashing import hash_key
from pipeline.validation.distributions import POINTS, Distribution, Profile
from pipeline.validation.suites import Expectation, make_expectation, sign
from pipeline.validation.tolerances import LEAST_REFRESHES, find_reach

MAX_MISSING = 0.20
MAX_OUTSIDE = 0.005
WORST = 3.0  # times a share of gaps that was accepted, the worst if several were
MIN_CLASS_SHARE = 0.10
MOST_TIMES = 4  # as many rows as there were, beyond which something is wrong
MAX_SET = 50
MAX_DIVERGENCE = 0.1  # of the classes' shares from those expected, in nats
MIN_DIVERGENCE = 0.02  # below it is little that a network would notice
# What a picture looks like, whatever its size.
LOOKS = ("brightness", "contrast", "sharpness", "entropy")


@dataclass(frozen=True, slots=True)
class Past:
    """What the refreshes that were accepted before left behind.

    Attributes
    ----------
    profiles
        By version, oldest first, of the rows that suites may be learned from.
    rows
        How many rows the source of each had.
    """

    profiles: dict[str, Profile] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)

    @property
    def named(self) -> str:
        """Name them in a sentence."""
        return f"in {len(self.profiles)} accepted refreshes"

    def of(self, column: str) -> list[Distribution]:
        """Give the distributions of a column, oldest first."""
        found = (profile.columns.get(column) for profile in self.profiles.values())
        return [item for item in found if item is not None and item.rows]


def suggest_suites(
    train: TrainSet,
    config: DatasetConfig,
    learnable: pd.DataFrame | None = None,
    past: Past | None = None,
) -> dict[str, list[Expectation]]:
    """Suggest the four suites from training rows, and from the refreshes before them.

    From one refresh, a share of gaps that is tolerated is three times what it shows, plus three
    standard errors, rounded up to a whole per cent. From three refreshes and more, it is what the
    next one reaches with a probability of 99 %, see ``tolerances.find_reach``. More than 20 %
    missing, or 0.5 % outliers, is tolerated only where that much was accepted.

    Parameters
    ----------
    learnable
        The training rows and rows without a label, in their right proportion; left out: the
        training rows.
    """
    past = past or Past()
    suites = {
        "schema": _suggest_schema(train, config, past),
        "missing_values": _suggest_missing(
            train, train.frame if learnable is None else learnable, past
        ),
        "outliers": _suggest_outliers(train, config, past),
        "class_distribution": _suggest_classes(train, past),
    }
    ids = sorted(train.frame[ROW_ID].astype(str)) if ROW_ID in train.frame else []
    learned_from: dict[str, Any] = {
        "source": config.source, "training_rows": len(train.frame), "rows": hash_key(ids)[:16],
    }  # fmt: skip
    if past.profiles:
        learned_from["refreshes"] = list(past.profiles)
    for suite in suites.values():
        for expectation in suite:
            sign(expectation, learned_from)
    return suites


def _suggest_schema(train: TrainSet, config: DatasetConfig, past: Past) -> list[Expectation]:
    frame, schema = train.frame, train.schema
    result = [
        make_expectation("column_to_exist", "critical", "the source has it", column=name)
        for name in schema.roles
    ]
    result.append(
        make_expectation(
            "table_columns_to_match_set",
            "warning",
            "these are the source's columns",
            column_set=list(schema.roles),
            exact_match=True,
        )
    )
    rows = len(frame) / (1 - config.split.test - config.split.validation)
    bounds = {
        "min_value": _round_rows(rows / 2, up=False),
        "max_value": _round_rows(MOST_TIMES * rows, up=True),
    }
    why = f"half of about {rows:,.0f} rows that were there, to {MOST_TIMES} times as many"
    reach = find_reach(past.rows)
    if reach is not None:
        # A source that had the same number of rows each time may still get a few more.
        low, high = min(reach[0], 0.9 * min(past.rows)), max(reach[1], 1.1 * max(past.rows))
        bounds = {
            "min_value": _round_rows(max(0, low), up=False),
            "max_value": _round_rows(high, up=True),
        }
        why = f"{min(past.rows):,} to {max(past.rows):,} rows {past.named}"
    result.append(make_expectation("table_row_count_to_be_between", "warning", why, **bounds))
    result += [
        make_expectation(
            "column_values_to_be_of_type",
            "warning",
            "its values are numbers",
            column=name,
            type_="float64",
        )
        for name in schema.select("numbers")
    ]
    for name in schema.select("categories"):
        seen = past.of(name)
        values = {str(text) for text in frame[name].dropna().unique()}
        values |= {text for item in seen for text in item.counts}
        if 0 < len(values) <= MAX_SET:
            why, mostly = f"the {len(values)} values of the training rows", 0.98
            reach = find_reach(_find_unseen(seen))
            if reach is not None:
                why = f"the {len(values)} values that were there {past.named}"
                mostly = _allow(min(reach[1] + 0.001, 0.02))
            result.append(
                make_expectation(
                    "column_values_to_be_in_set", "warning", why,
                    column=name, value_set=sorted(values), mostly=mostly,
                )
            )  # fmt: skip
    kept = [name for name in schema.features if name not in config.cleaning.drop_columns]
    identity = config.traits.identity
    if (identity or len(kept) > 1) and config.cleaning.duplicates == "drop":
        result.append(
            make_expectation(
                "compound_columns_to_be_unique", "warning", "a repeated row adds nothing",
                column_list=[*(identity or kept), schema.target], ignore_row_if="never",
            )
        )  # fmt: skip
    return result


def _suggest_missing(train: TrainSet, rows: pd.DataFrame, past: Past) -> list[Expectation]:
    result = []
    for name in (train.schema.target, *train.schema.features):
        share = float(rows[name].isna().mean())
        cap = 1.0 if name == train.schema.target else MAX_MISSING
        why = f"{100 * share:.4g} % of the rows lack it; three times that is tolerated, and chance"
        mostly = _tolerate(WORST * share, len(rows), cap)
        shares = [item.missing_share for item in past.of(name)]
        reach = find_reach(shares)
        if reach is not None:
            why = f"{100 * min(shares):.3g} to {100 * max(shares):.3g} % lacked it {past.named}"
            why = why if max(shares) else f"no row lacked it {past.named}"
            allowed = min(reach[1], max(cap, *shares), WORST * max(shares))
            if name == train.schema.target:  # that many gaps stop a run, and nothing repairs them
                allowed = max(allowed, 1.5 * max(shares))
            mostly = _allow(max(0.01, allowed))
        result.append(
            make_expectation(
                "column_values_to_not_be_null", "critical", why, column=name, mostly=mostly
            )
        )
    return result


def _suggest_outliers(train: TrainSet, config: DatasetConfig, past: Past) -> list[Expectation]:
    result = []
    # A number out of bounds is clipped. A single picture can't be, so none stops a run; but where
    # the median lies beyond the quartiles that were learned, the source has become another one.
    severity = "warning" if config.traits.facts_only else "critical"
    for name in train.schema.select("numbers"):
        values = train.frame[name].dropna()
        declared = config.columns.get(name, ColumnConfig())
        bound = learn_bound(values, config.cleaning.outliers, name, declared)
        if bound is None or name in config.cleaning.drop_columns:
            continue
        mostly = _tolerate(bound.training_outside / len(values), len(values), MAX_OUTSIDE)
        why = (
            f"the bounds of cleaning; {bound.training_outside:,} of {len(values):,} training "
            "values lie beyond"
        )
        beyond = [1 - d.share_within(bound.low, bound.high) for d in past.of(name) if d.points]
        # Refreshes that were mostly beyond these bounds were of another unit or kind.
        beyond = [share for share in beyond if share <= config.cleaning.outliers.max_repaired]
        reach = find_reach(beyond)
        if reach is not None:
            why = (
                f"the bounds of cleaning; {100 * min(beyond):.3g} to {100 * max(beyond):.3g} % of "
                f"the values lay beyond {past.named}"
            )
            mostly = _allow(max(0.002, min(reach[1], max(MAX_OUTSIDE, 1.5 * max(beyond)))))
        result.append(
            make_expectation(
                "column_values_to_be_between", severity, why,
                column=name, mostly=mostly,
                min_value=_round_outward(bound.low, up=False),
                max_value=_round_outward(bound.high, up=True),
            )
        )  # fmt: skip
        low, high = (float(values.quantile(q)) for q in (0.25, 0.75))
        why = "the quartiles of the training values"
        gravity = "critical" if config.traits.facts_only and name in LOOKS else "warning"
        medians = [item.quantile(0.5) for item in past.of(name) if item.points]
        reach = find_reach(medians)
        if reach is not None and high > low and gravity == "warning":
            why = f"{min(medians):.4g} to {max(medians):.4g} {past.named}"
            # Equal medians of some refreshes don't take away that each is an estimate.
            slack = 1.5 / math.sqrt(len(values)) + 1 / POINTS
            near = [float(values.quantile(min(1, max(0, 0.5 + s)))) for s in (-slack, slack)]
            low = min(max(low, reach[0]), near[0], *medians)
            high = max(min(high, reach[1]), near[1], *medians)
        if high > low:
            result.append(
                make_expectation(
                    "column_median_to_be_between",
                    gravity,
                    why,
                    column=name,
                    min_value=_round_outward(low, up=False),
                    max_value=_round_outward(high, up=True),
                )
            )  # fmt: skip
    return result


def _suggest_classes(train: TrainSet, past: Past) -> list[Expectation]:
    target = train.schema.target
    shares = train.frame[target].value_counts(normalize=True).sort_index()
    expected, threshold = shares, MAX_DIVERGENCE
    rows, why = "of the training rows", "the shares of the classes among the training rows"
    seen = [pd.Series(item.counts) / item.count for item in past.of(target) if item.count]
    if len(seen) >= LEAST_REFRESHES:
        table = pd.DataFrame([*seen, shares]).fillna(0.0)
        expected = table.mean().sort_index()
        reach = find_reach([_diverge(row, expected) for _, row in table.iterrows()])
        threshold = round(min(MAX_DIVERGENCE, max(MIN_DIVERGENCE, reach[1] if reach else 0.0)), 4)
        rows, why = past.named, f"the mean shares of the classes {past.named}"
    classes = [str(name) for name in expected.index]
    common = [str(name) for name in shares.index if shares[name] * len(train.frame) >= 10]
    result = [
        make_expectation(
            "column_values_to_be_in_set", "critical", f"the classes {rows}",
            column=target, value_set=classes, mostly=0.99,
        ),
        make_expectation(
            "column_distinct_values_to_contain_set", "critical",
            "the classes with ten training rows or more", column=target, value_set=common,
        ),
        make_expectation(
            "column_kl_divergence_to_be_less_than", "warning", why,
            column=target, threshold=threshold,
            partition_object={"values": classes, "weights": _round_weights(expected)},
        ),
    ]  # fmt: skip
    largest = str(shares.idxmax())
    result.append(
        make_expectation(
            "column_values_to_not_be_in_set", "warning",
            f"the largest class has {100 * shares.max():.1f} % of the training rows",
            column=target, value_set=[largest],
            mostly=round(min(0.5, MIN_CLASS_SHARE * (len(classes) - 1)), 2),
        )
    )  # fmt: skip
    return result


def _diverge(shares: pd.Series[float], expected: pd.Series[float]) -> float:
    """Give the Kullback-Leibler divergence as Great Expectations does, in nats."""
    there = shares[shares > 0]
    return float((there * np.log(there / expected[there.index])).sum())


def _find_unseen(refreshes: Sequence[Distribution]) -> list[float]:
    """Give the share of each refresh's values that none before it had."""
    known: set[str] = set()
    shares = []
    for number, item in enumerate(refreshes):
        unseen = sum(rows for text, rows in item.counts.items() if text not in known)
        if number and item.count:
            shares.append(unseen / item.count)
        known |= set(item.counts)
    return shares


def _allow(share: float) -> float:
    """Turn a tolerated share into ``mostly``, to a tenth of a per cent in favour of the data."""
    return round(1 - math.ceil(1000 * share - 1e-9) / 1000, 3)


def _tolerate(share: float, rows: int, cap: float) -> float:
    """Turn an observed share into ``mostly``: three standard errors more, to a whole per cent."""
    error = 3 * math.sqrt(max(share * (1 - share), 1 / rows) / rows) if rows else 0.0
    allowed = math.ceil(100 * (share + error) - 1e-9) / 100
    return round(1 - min(max(allowed, 0.01), cap), 3)


def _round_outward(value: float, *, up: bool) -> float:
    """Round to three digits, away from the data."""
    if value == 0 or not np.isfinite(value) or abs(value) > 1e300:
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    whole = math.ceil(value / unit - 1e-9) if up else math.floor(value / unit + 1e-9)
    return float(f"{whole * unit:.12g}")


def _round_rows(value: float, *, up: bool) -> int:
    """Round a number of rows to two digits."""
    unit = 10 ** max(0, int(math.log10(max(value, 1))) - 1)
    return int((math.ceil(value / unit) if up else value // unit) * unit)


def _round_weights(shares: pd.Series) -> list[float]:
    """Round shares to four digits so that they still add up to one."""
    weights = np.maximum(shares.to_numpy(dtype=np.float64).round(4), 0.0001)
    weights[weights.argmax()] += 1 - weights.sum()
    return [round(float(weight), 4) for weight in weights]
