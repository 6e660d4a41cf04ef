"""A lasting name for each row, from its content."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.dataset import mix_bits
from pipeline.sources.number_forms import parse_numbers
from pipeline.sources.reading import TextColumn

LANES = (b"assay row lane A", b"assay row lane B")


def hash_rows(columns: list[TextColumn], rows: int) -> np.ndarray:
    """Name rows by their content: 128 bits as 32 hexadecimal digits.

    The same content has the same name in any file, in any order of rows and columns; equal rows are
    told apart by counting them.
    """
    lanes = np.zeros((2, rows), dtype=np.uint64)
    for column in columns:
        texts = np.append(_normalise_numbers(column.values), column.name)
        for lane, key in enumerate(LANES):
            hashes = pd.util.hash_array(texts, hash_key=key.decode(), categorize=False)
            # A sum does not depend on the order of columns; the name's hash tells them apart.
            lanes[lane] += mix_bits(hashes[:-1] ^ mix_bits(hashes[-1:]))[column.codes]
    lanes = mix_bits(lanes)
    occurrence = pd.DataFrame(lanes.T).groupby([0, 1]).cumcount().to_numpy(dtype=np.uint64)
    lanes = np.where(occurrence > 0, mix_bits(lanes + occurrence), lanes)
    text = lanes.T.astype(">u8").tobytes().hex()
    return np.array([text[i : i + 32] for i in range(0, len(text), 32)], dtype=object)


def _normalise_numbers(values: np.ndarray) -> np.ndarray:
    """Write equal numbers equally, so that 0.60 in CSV and 0.6 in Parquet are the same content."""
    numbers = parse_numbers(values)
    texts = values.copy()
    is_number = np.isfinite(numbers)
    texts[is_number] = [repr(number) for number in (numbers[is_number] + 0.0).tolist()]
    return texts
