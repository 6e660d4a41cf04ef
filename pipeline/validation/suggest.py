"""Suites suggested from training rows, with tolerances that a person can read and edit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import ColumnConfig, DatasetConfig
from pipeline.dataset import PIXEL_HASH, ROW_ID, TrainSet
from pipeline.hashing import hash_key
from pipeline.outliers import learn_bound
from pipeline.validation.suites import MARK, Expectation, sign

MAX_MISSING = 0.20
MAX_OUTSIDE = 0.005
MIN_CLASS_SHARE = 0.10
MAX_SET = 50
# What a picture looks like, whatever its size.
LOOKS = ("brightness", "contrast", "sharpness", "entropy")


def suggest_suites(
    train: TrainSet, config: DatasetConfig, unlabelled: float = 0.0
) -> dict[str, list[Expectation]]:
    """Suggest the four suites from training rows.

    A tolerance is what training shows, plus three standard errors, rounded up to a whole per cent;
    it never allows more than 20 % missing, 0.5 % far-out numbers.

    Parameters
    ----------
    unlabelled
        The share of the source's rows that have no label, and so are in no split.
    """
    suites = {
        "schema": _suggest_schema(train, config),
        "missing_values": _suggest_missing(train, unlabelled),
        "outliers": _suggest_outliers(train, config),
        "class_distribution": _suggest_classes(train),
    }
    ids = sorted(train.frame[ROW_ID].astype(str)) if ROW_ID in train.frame else []
    learned_from = {
        "source": config.source, "training_rows": len(train.frame), "rows": hash_key(ids)[:16],
    }  # fmt: skip
    for suite in suites.values():
        for expectation in suite:
            sign(expectation, learned_from)
    return suites


def _expect(type_: str, severity: str, why: str, /, **kwargs: Any) -> Expectation:
    return {
        "type": f"expect_{type_}", "kwargs": kwargs, "severity": severity,
        "meta": {MARK: {"why": why}},
    }  # fmt: skip


def _suggest_schema(train: TrainSet, config: DatasetConfig) -> list[Expectation]:
    frame, schema = train.frame, train.schema
    result = [
        _expect("column_to_exist", "critical", "the source has it", column=name)
        for name in schema.roles
    ]
    result.append(
        _expect(
            "table_columns_to_match_set",
            "warning",
            "these are the source's columns",
            column_set=list(schema.roles),
            exact_match=True,
        )
    )
    rows = len(frame) / (1 - config.split.test - config.split.validation)
    least = _round_down(rows / 2)
    why = f"half of the {rows:,.0f} rows that were there"
    result.append(_expect("table_row_count_to_be_between", "warning", why, min_value=least))
    result += [
        _expect(
            "column_values_to_be_of_type",
            "warning",
            "its values are numbers",
            column=name,
            type_="float64",
        )
        for name in schema.select("numeric")
    ]
    for name in schema.select("categorical", "boolean"):
        values = sorted(str(text) for text in frame[name].dropna().unique())
        if 0 < len(values) <= MAX_SET:
            result.append(
                _expect(
                    "column_values_to_be_in_set",
                    "warning",
                    f"the {len(values)} values of the training rows",
                    column=name,
                    value_set=values,
                    mostly=0.98,
                )
            )
    kept = [name for name in schema.features if name not in config.cleaning.drop_columns]
    if config.modality == "image":
        kept = [PIXEL_HASH]
    if len(kept) > 1 or config.modality == "image":
        result.append(
            _expect(
                "compound_columns_to_be_unique", "warning", "a repeated row adds nothing",
                column_list=[*kept, schema.target], ignore_row_if="never",
            )
        )  # fmt: skip
    return result


def _suggest_missing(train: TrainSet, unlabelled: float) -> list[Expectation]:
    frame, schema = train.frame, train.schema
    shares = {schema.target: unlabelled}
    shares |= {name: float(frame[name].isna().mean()) for name in schema.features}
    result = []
    for name, share in shares.items():
        where = "the source's" if name == schema.target else "the training"
        why = (
            f"{100 * share:.4g} % of {where} rows lack it; three standard errors more are tolerated"
        )
        cap = 1.0 if name == schema.target else MAX_MISSING
        mostly = _tolerate(share, len(frame), cap)
        result.append(
            _expect("column_values_to_not_be_null", "critical", why, column=name, mostly=mostly)
        )
    return result


def _suggest_outliers(train: TrainSet, config: DatasetConfig) -> list[Expectation]:
    result = []
    # A number out of bounds is clipped. A single picture can't be, so none stops a run; but where
    # the median lies beyond the quartiles that were learned, the source has become another one.
    pictures = config.modality == "image"
    severity = "warning" if pictures else "critical"
    for name in train.schema.select("numeric"):
        values = train.frame[name].dropna()
        declared = config.columns.get(name, ColumnConfig())
        bound = learn_bound(values, config.cleaning.outliers, name, declared)
        if bound is None or name in config.cleaning.drop_columns:
            continue
        mostly = _tolerate(bound.training_outside / len(values), len(values), MAX_OUTSIDE)
        result.append(
            _expect(
                "column_values_to_be_between", severity,
                f"the bounds of cleaning; {bound.training_outside:,} of {len(values):,} training "
                "values lie beyond",
                column=name, mostly=mostly,
                min_value=_round_outward(bound.low, up=False),
                max_value=_round_outward(bound.high, up=True),
            )
        )  # fmt: skip
        low, high = (float(values.quantile(q)) for q in (0.25, 0.75))
        if high > low:
            result.append(
                _expect(
                    "column_median_to_be_between",
                    "critical" if pictures and name in LOOKS else "warning",
                    "the quartiles of the training values",
                    column=name,
                    min_value=_round_outward(low, up=False),
                    max_value=_round_outward(high, up=True),
                )
            )  # fmt: skip
    return result


def _suggest_classes(train: TrainSet) -> list[Expectation]:
    target = train.schema.target
    shares = train.frame[target].value_counts(normalize=True).sort_index()
    classes = [str(name) for name in shares.index]
    common = [name for name in classes if shares[name] * len(train.frame) >= 10]
    result = [
        _expect(
            "column_values_to_be_in_set", "critical", "the classes of the training rows",
            column=target, value_set=classes, mostly=0.99,
        ),
        _expect(
            "column_distinct_values_to_contain_set", "critical",
            "the classes with ten training rows or more", column=target, value_set=common,
        ),
        _expect(
            "column_kl_divergence_to_be_less_than", "warning",
            "the shares of the classes among the training rows", column=target, threshold=0.1,
            partition_object={"values": classes, "weights": _round_weights(shares)},
        ),
    ]  # fmt: skip
    largest = str(shares.idxmax())
    result.append(
        _expect(
            "column_values_to_not_be_in_set", "warning",
            f"the largest class has {100 * shares.max():.1f} % of the training rows",
            column=target, value_set=[largest],
            mostly=round(min(0.5, MIN_CLASS_SHARE * (len(classes) - 1)), 2),
        )
    )  # fmt: skip
    return result


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


def _round_down(value: float) -> int:
    unit = 10 ** max(0, int(math.log10(max(value, 1))) - 1)
    return int(value // unit * unit)


def _round_weights(shares: pd.Series) -> list[float]:
    """Round shares to four digits so that they still add up to one."""
    weights = np.maximum(shares.to_numpy(dtype=np.float64).round(4), 0.0001)
    weights[weights.argmax()] += 1 - weights.sum()
    return [round(float(weight), 4) for weight in weights]
