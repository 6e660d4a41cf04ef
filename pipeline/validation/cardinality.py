"""How many distinct values there are, from registers that merge: HyperLogLog.

Sources: Flajolet, Fusy, Gandouet and Meunier (2007), "HyperLogLog: the analysis of a near-optimal
cardinality estimation algorithm"; the estimator is that of Ertl (2017), "New cardinality
estimation algorithms for HyperLogLog sketches", algorithm 6, which needs no tables of bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

BITS = 14  # of a hash, that choose a register
REST = 64 - BITS
ERROR = 1.04 / math.sqrt(1 << BITS)  # standard error of an estimate, as a share of it


@dataclass(frozen=True, slots=True)
class Distinct:
    """How many distinct values there are; ``exact`` tells whether they were counted."""

    count: int
    exact: bool


def make_registers(values: pl.Series) -> np.ndarray[Any, Any]:
    """Make the registers of some values; shape ``(16384,)``, uint8."""
    hashes = values.hash(seed=0).to_numpy()
    place = hashes >> np.uint64(REST)
    rest = (hashes << np.uint64(BITS)) >> np.uint64(BITS)
    # The place of the first 1 among the bits that are left; float64 holds 50 bits exactly.
    rank = REST + 1 - np.frexp(rest.astype(np.float64))[1]
    registers = np.zeros(1 << BITS, dtype=np.uint8)
    np.maximum.at(registers, place, rank.astype(np.uint8))
    return registers


def estimate(registers: np.ndarray[Any, Any]) -> int:
    """Estimate the number of distinct values from merged registers."""
    size = len(registers)
    counts = np.bincount(registers, minlength=REST + 2)
    total = size * _tau(1 - counts[REST + 1] / size)
    for rank in range(REST, 0, -1):
        total = 0.5 * (total + counts[rank])
    total += size * _sigma(counts[0] / size)
    return round(size * size / (2 * math.log(2)) / total)


def _sigma(share: float) -> float:
    if share == 1.0:
        return math.inf
    power, step, total = share, 1.0, share
    while True:
        power *= power
        before, total = total, total + power * step
        step *= 2
        if total == before:
            return total


def _tau(share: float) -> float:
    if share in (0.0, 1.0):
        return 0.0
    power, step, total = share, 1.0, 1 - share
    while True:
        power = math.sqrt(power)
        step /= 2
        before, total = total, total - (1 - power) ** 2 * step
        if total == before:
            return total / 3
