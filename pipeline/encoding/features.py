"""From repaired columns to model-ready features: scaling, one-hot or ordinal codes.

Numbers are scaled by what the training split shows; a date becomes its day count, and its places
in the year, the week and the day on a circle; a category that training did not show goes to a
bucket of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.settings import EncodingConfig
from pipeline.dataset import ORIGIN, ROW_ID, SAMPLE_WEIGHT, TrainSet

OTHER = "(other)"
RESERVED = (ROW_ID, ORIGIN, SAMPLE_WEIGHT)
DAY = 86_400_000_000
CIRCLES = {"year": 365.2425, "week": 7.0, "day": 1.0}


@dataclass(frozen=True, slots=True)
class NumericCode:
    """A number, scaled: ``(value - center) / scale``."""

    column: str
    center: float
    scale: float


@dataclass(frozen=True, slots=True)
class CategoryCode:
    """A category, one-hot or ordinal.

    Attributes
    ----------
    categories
        Those with a code of their own, in order; the bucket ``(other)`` comes last.
    folded
        Training rows of rarer categories, which share the bucket.
    """

    column: str
    categories: list[str]
    onehot: bool
    binary: bool
    folded: int


@dataclass(frozen=True, slots=True)
class DateCode:
    """A date: its day count, scaled, and its places on circles."""

    column: str
    center: float
    scale: float
    circles: list[str]


@dataclass(frozen=True, slots=True)
class FittedEncoding:
    """All that encoding learned on the training split; JSON-ready.

    Attributes
    ----------
    classes
        The labels in the order of the network's outputs.
    """

    target: str
    classes: list[str]
    numbers: list[NumericCode]
    categories: list[CategoryCode]
    dates: list[DateCode]

    @property
    def features(self) -> list[str]:
        """The names of the features in their order."""
        names = [code.column for code in self.numbers]
        for date in self.dates:
            names += [date.column]
            names += [
                f"{date.column} {part} of {c}" for c in date.circles for part in ("sin", "cos")
            ]
        for code in self.categories:
            names += _name_category(code)
        # A category may spell the bucket's name, and a column that of another one's category.
        taken = {*RESERVED, self.target}
        for position, name in enumerate(names):
            while name in taken:
                name = f"{name} (feature)"
            taken.add(name)
            names[position] = name
        return names

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The positions of the features of each categorical column."""
        position = len(self.numbers) + sum(1 + 2 * len(date.circles) for date in self.dates)
        blocks = []
        for code in self.categories:
            width = len(_name_category(code))
            blocks.append(tuple(range(position, position + width)))
            position += width
        return tuple(blocks)


def fit_encoding(train: TrainSet, config: EncodingConfig, classes: list[str]) -> FittedEncoding:
    """Learn scales, categories and date ranges.

    Parameters
    ----------
    train
        The cleaned and imputed training split; further numeric columns, such as missing indicators,
        are encoded as numbers.
    classes
        The labels in the order of the network's outputs.
    """
    frame, schema = train.frame, train.schema
    extra = [c for c in frame.columns if c not in schema.roles and frame[c].dtype == np.float64]
    return FittedEncoding(
        schema.target,
        classes,
        [_learn_number(frame[name], name, config) for name in [*schema.select("numbers"), *extra]],
        [
            _learn_category(frame[name], name, config, binary=schema.roles[name] == "boolean")
            for name in schema.select("categories")
        ],
        [_learn_date(frame[name], name) for name in schema.select("dates")],
    )


def encode(frame: pd.DataFrame, fitted: FittedEncoding) -> np.ndarray:
    """Encode repaired rows.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, n_features)``, float32, in the order of ``fitted.features``.
    """
    columns: list[np.ndarray] = []
    for number in fitted.numbers:
        columns.append((frame[number.column].to_numpy(np.float64) - number.center) / number.scale)
    for date in fitted.dates:
        days = _count_days(frame[date.column])
        columns.append((days - date.center) / date.scale)
        for circle in date.circles:
            angle = 2 * np.pi * days / CIRCLES[circle]
            columns += [np.sin(angle), np.cos(angle)]
    for code in fitted.categories:
        columns += _encode_category(frame[code.column], code)
    if not columns:
        return np.empty((len(frame), 0), dtype=np.float32)
    # Column by column in memory, as it is written.
    values = np.empty((len(frame), len(columns)), dtype=np.float32, order="F")
    for position, column in enumerate(columns):
        values[:, position] = column
    return values


def find_bucketed(frame: pd.DataFrame, fitted: FittedEncoding) -> dict[str, int]:
    """Count rows whose category has no code of its own, by column."""
    counts = {
        code.column: int((~frame[code.column].isin(code.categories)).sum())
        for code in fitted.categories
    }
    return {name: count for name, count in counts.items() if count}


def _learn_number(values: pd.Series, name: str, config: EncodingConfig) -> NumericCode:
    numbers = values.to_numpy(dtype=np.float64)
    if config.scaling == "standard":
        center, scale = float(numbers.mean()), float(numbers.std())
    elif config.scaling == "minmax":
        center, scale = float(numbers.min()), float(np.ptp(numbers))
    elif config.scaling == "robust":
        first, center, third = (float(q) for q in np.quantile(numbers, [0.25, 0.5, 0.75]))
        scale = third - first
    else:
        center, scale = 0.0, 1.0
    # A column that hardly varies by that measure is centred only.
    return NumericCode(name, center, scale if scale > 1e-12 * max(1.0, abs(center)) else 1.0)


def _learn_category(
    values: pd.Series, name: str, config: EncodingConfig, *, binary: bool
) -> CategoryCode:
    counts = values.value_counts()
    ranked = sorted(((-int(count), str(text)) for text, count in counts.items()))
    kept = sorted(text for _, text in ranked[: config.max_categories])
    folded = -sum(count for count, _ in ranked[config.max_categories :])
    onehot = config.categorical == "onehot" and not binary
    return CategoryCode(name, kept, onehot, binary, folded)


def _learn_date(values: pd.Series, name: str) -> DateCode:
    days = _count_days(values)
    span = float(np.ptp(days))
    circles = [c for c, length in CIRCLES.items() if span >= length and c != "day"]
    if (days % 1.0 != 0).any():
        circles.append("day")
    return DateCode(name, float(days.mean()), float(days.std()) or 1.0, circles)


def _count_days(values: pd.Series) -> np.ndarray:
    """Count days since 1970, as float64."""
    return np.asarray(values.to_numpy("datetime64[us]").astype(np.int64) / DAY)


def _name_category(code: CategoryCode) -> list[str]:
    if code.onehot:
        return [f"{code.column}={text}" for text in [*code.categories, OTHER]]
    return [f"{code.column}={code.categories[-1]}" if code.binary else code.column]


def _encode_category(values: pd.Series, code: CategoryCode) -> list[np.ndarray]:
    position = {text: index for index, text in enumerate(code.categories)}
    codes = values.map(position).fillna(len(position)).to_numpy(dtype=np.int64)
    if code.onehot:
        return [codes == level for level in range(len(position) + 1)]
    if code.binary:
        # Between the two values, where a third one was never seen.
        levels = (
            np.array([0.0, 1.0, 0.5])
            if len(position) == 2
            else np.linspace(0, 1, len(position) + 1)
        )
        return [levels[codes]]
    return [codes / max(1, len(position))]
