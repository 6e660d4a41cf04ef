"""The blocks that Great Expectations' aggregate metrics are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.validation.cardinality import Distinct, estimate, make_registers
from pipeline.validation.conditions import Where
from pipeline.validation.questions import WHERE, Block
from pipeline.validation.sketches import POINTS, choose_ranks, merge_sketches
from pipeline.validation.table import Column


def select(where: Where | None) -> pl.Expr | None:
    """Write a row condition as an expression over a chunk."""
    if where is None:
        return None
    return where.expression if where.expression is not None else pl.col(WHERE + where.key)


def values_of(column: Column, where: Where | None) -> pl.Expr:
    """Write the values of the rows in question."""
    condition = select(where)
    value = pl.col(column.name)
    return value if condition is None else value.filter(condition)


def finite_values(column: Column, where: Where | None) -> pl.Expr:
    """Write the numbers of the rows in question that are there and are not infinite."""
    values = values_of(column, where).drop_nulls()
    return values.filter(values.is_finite()) if column.kind == "float" else values


def name_block(kind: str, column: Column | None, where: Where | None) -> str:
    """Make the key of a block.

    Parameters
    ----------
    kind
        What is computed.
    column
        Of which column; None: of the rows.
    where
        Of which rows; None: all.
    """
    name = "" if column is None else column.name
    return f"{kind}|{name}|{'' if where is None else where.key}"


def reads(column: Column | None, where: Where | None) -> tuple[str, ...]:
    """Name the columns that a block reads."""
    return (*(() if column is None else (column.name,)), *(where.columns if where else ()))


def count_rows(where: Where | None) -> Block:
    """Count the rows that a condition holds for."""
    condition = select(where)
    expression = pl.len() if condition is None else condition.sum()
    return Block(
        name_block("rows", None, where), reads(None, where), (expression,),
        lambda parts: sum(int(part[0]) for part in parts),
    )  # fmt: skip


def count_values(column: Column, where: Where | None) -> Block:
    """Count the values that are there."""
    return Block(
        name_block("count", column, where), reads(column, where),
        (values_of(column, where).count(),), lambda parts: sum(int(part[0]) for part in parts),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and sum of squared deviations; mean is NaN where there are no values."""

    count: int
    mean: float
    squares: float

    @property
    def deviation(self) -> float:
        """Give the standard deviation with ``count - 1`` in its denominator, as pandas does."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else math.nan


def take_moments(values: np.ndarray[Any, Any]) -> Moments:
    """Take the moments of float64 values; NaN is missing."""
    missing = np.isnan(values)
    count = len(values) - int(missing.sum())
    if not count:
        return Moments(0, math.nan, 0.0)
    with np.errstate(all="ignore"):  # infinite values
        # numpy adds by pairs, and pandas has it add a 0 for each missing value.
        mean = float(np.where(missing, 0.0, values).sum() / count)
        distances = np.where(missing, 0.0, values - mean)
        return Moments(count, mean, float(distances @ distances))


def merge_moments(parts: Sequence[Moments]) -> Moments:
    """Merge moments by Chan, Golub and LeVeque (1979), in the order that is given."""
    whole = Moments(0, math.nan, 0.0)
    for part in parts:
        if not part.count:
            continue
        if not whole.count:
            whole = part
            continue
        count = whole.count + part.count
        delta = part.mean - whole.mean
        mean = (whole.count * whole.mean + part.count * part.mean) / count if delta else whole.mean
        between = delta * delta * (whole.count * part.count / count)
        squares = whole.squares + part.squares + between
        whole = Moments(count, mean, squares)
    return whole


def moments(column: Column, where: Where | None, *, finite: bool = False) -> Block:
    """Compute mean and standard deviation, of one chunk to the very digits of pandas.

    Polars' own are not used: its variance loses digits where the mean is far from 0.

    Parameters
    ----------
    finite
        Whether infinite numbers are left out.
    """

    def shrink(given: tuple[Any, ...]) -> Moments:
        return take_moments(given[0].cast(pl.Float64).to_numpy())

    values = finite_values(column, where) if finite else values_of(column, where)
    return Block(
        name_block("finite moments" if finite else "moments", column, where),
        reads(column, where), (values.implode(),), merge_moments, shrink,
    )  # fmt: skip


def total(column: Column, where: Where | None) -> Block:
    """Sum up; whole numbers wrap around at 64 bits, as they do for numpy."""

    def merge(parts: list[tuple[Any]]) -> Any:
        whole = sum((part[0] for part in parts), start=type(parts[0][0])(0))
        if column.kind != "int":
            return whole
        least = 0 if column.dtype.kind == "u" else -(2**63)
        return (whole - least) % 2**64 + least

    return Block(
        name_block("sum", column, where), reads(column, where),
        (values_of(column, where).sum(),), merge,
    )  # fmt: skip


def extremes(column: Column, where: Where | None) -> Block:
    """Find the least and the greatest value; None where there are none."""

    def merge(parts: list[tuple[Any, Any]]) -> tuple[Any, Any]:
        lows = [low for low, _ in parts if low is not None]
        highs = [high for _, high in parts if high is not None]
        return min(lows, default=None), max(highs, default=None)

    values = values_of(column, where)
    return Block(
        name_block("extremes", column, where),
        reads(column, where),
        (values.min(), values.max()),
        merge,
    )


def gather(column: Column, where: Where | None) -> Block:
    """Keep all values that are there, in their order: for quantiles."""
    return Block(
        name_block("values", column, where), reads(column, where),
        (values_of(column, where).drop_nulls().implode(),),
        lambda parts: pl.concat([part[0] for part in parts]), small=False,
    )  # fmt: skip


def sketch(
    column: Column, where: Where | None, points: int = POINTS, *, finite: bool = False
) -> Block:
    """Keep order statistics of what is there, so many of each chunk.

    Parameters
    ----------
    finite
        Whether infinite numbers are left out.
    """

    def shrink(given: tuple[Any, ...]) -> tuple[int, np.ndarray[Any, Any]]:
        values = given[0].to_numpy()
        return len(values), values[choose_ranks(len(values), points)]

    values = finite_values(column, where) if finite else values_of(column, where).drop_nulls()
    return Block(
        name_block(f"{'finite ' if finite else ''}sketch {points}", column, where),
        reads(column, where), (values.sort().implode(),), merge_sketches, shrink,
    )  # fmt: skip


def value_counts(column: Column, where: Where | None) -> Block:
    """Count each value."""

    def merge(parts: list[tuple[pl.Series]]) -> pl.DataFrame:
        frames = [part[0].struct.unnest() for part in parts]
        return pl.concat(frames).group_by("value").agg(pl.col("n").sum())

    counted = values_of(column, where).drop_nulls().alias("value").value_counts(name="n")
    return Block(
        name_block("counts", column, where), reads(column, where), (counted.implode(),), merge
    )


def distinct(column: Column, where: Where | None) -> Block:
    """Find the distinct values that are there."""
    return Block(
        name_block("distinct", column, where), reads(column, where),
        (values_of(column, where).drop_nulls().unique().implode(),),
        lambda parts: pl.concat([part[0] for part in parts]).unique(),
    )  # fmt: skip


def count_distinct(column: Column, where: Where | None, most: int | None) -> Block:
    """Count the distinct values that are there; of chunks with very many, estimate it.

    Parameters
    ----------
    most
        Of how many distinct values in a chunk all are held; None: of any number.
    """

    def shrink(given: tuple[Any, ...]) -> pl.Series | np.ndarray[Any, Any]:
        values: pl.Series = given[0]
        return values if most is None or len(values) <= most else make_registers(values)

    def merge(parts: list[pl.Series | np.ndarray[Any, Any]]) -> Distinct:
        held = [part for part in parts if isinstance(part, pl.Series)]
        if len(held) == len(parts):
            return Distinct(pl.concat(held).n_unique(), exact=True)
        registers = [p if isinstance(p, np.ndarray) else make_registers(p) for p in parts]
        return Distinct(estimate(np.maximum.reduce(registers)), exact=False)

    return Block(
        name_block(f"distinct {most}", column, where), reads(column, where),
        (values_of(column, where).drop_nulls().unique().implode(),), merge, shrink,
    )  # fmt: skip


def histogram(column: Column, where: Where | None, edges: Sequence[float]) -> Block:
    """Count the values between edges, as ``numpy.histogram`` does.

    Parameters
    ----------
    column
        A column of numbers.
    where
        Which rows count; None: all.
    edges
        Of the bins, ascending; the last bin holds its upper edge too.
    """
    bins = np.asarray(edges, dtype=np.float64)
    return Block(
        f"{name_block('histogram', column, where)}|{list(edges)}", reads(column, where),
        (values_of(column, where).drop_nulls().implode(),),
        lambda parts: list(np.sum(parts, axis=0)) if parts else [],
        lambda given: np.histogram(given[0].to_numpy(), bins, density=False)[0],
    )  # fmt: skip


def count_beyond(
    column: Column, where: Where | None, low: float | None, high: float | None, *, strict: bool
) -> Block:
    """Count the values on one side of a bound.

    Parameters
    ----------
    column
        A column of numbers.
    where
        Which rows count; None: all.
    low, high
        The bound; one of the two is None.
    strict
        Whether values on the bound are left out.
    """
    values = values_of(column, where)
    if low is not None:
        inside = values > low if strict else values >= low
    else:
        inside = values < high if strict else values <= high
    return Block(
        f"{name_block('beyond', column, where)}|{low!r}|{high!r}|{strict}", reads(column, where),
        (inside.sum(),), lambda parts: sum(int(part[0]) for part in parts),
    )  # fmt: skip
