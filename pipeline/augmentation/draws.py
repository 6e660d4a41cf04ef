"""Random numbers that depend on a row, an epoch and a purpose, and on nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.dataset import mix_bits

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def key_rows(row_ids: np.ndarray | pd.Series) -> np.ndarray:
    """Turn row ids into the keys that all draws start from.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, uint64; the same id has the same key everywhere.
    """
    texts = np.asarray(row_ids, dtype=object)
    return np.asarray(pd.util.hash_array(texts, categorize=False), dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Draws:
    """The draws of some rows in one epoch.

    They are counter-based (Salmon et al. 2011), so no draw depends on how many came before it.

    Attributes
    ----------
    keys
        Shape ``(n,)``, uint64.
    seed, epoch
        Root seed, and the pass over the data.
    """

    keys: np.ndarray
    seed: int
    epoch: int

    def bits(self, purpose: str) -> np.ndarray:
        """Draw 64 bits for each row: shape ``(n,)``, uint64."""
        digest = hashlib.sha256(f"{purpose}:{self.seed}:{self.epoch}".encode()).digest()
        stream = np.uint64(int.from_bytes(digest[:8], "little"))
        return mix_bits(self.keys * GOLDEN + stream)

    def uniform(self, purpose: str, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Draw a number in [low, high) for each row: shape ``(n,)``, float64.

        Parameters
        ----------
        purpose
            What the number is for: each purpose has draws of its own.
        low, high
            Bounds of the numbers; ``high`` is left out.
        """
        share = (self.bits(purpose) >> np.uint64(11)).astype(np.float64) / 2.0**53
        return np.asarray(low + (high - low) * share)

    def integers(self, purpose: str, below: int) -> np.ndarray:
        """Draw a whole number in [0, below) for each row: shape ``(n,)``, int64."""
        return np.asarray(self.uniform(purpose) * below).astype(np.int64)

    def coins(self, purpose: str) -> np.ndarray:
        """Toss a fair coin for each row: shape ``(n,)``, bool."""
        return np.asarray(self.bits(purpose) >> np.uint64(63)).astype(bool)
