"""Compile the search, so that its first use need not wait: ``python -m pipeline.neighbours``.

The machine code is kept beside the source, or where ``NUMBA_CACHE_DIR`` says.
"""

from __future__ import annotations

import numpy as np

from pipeline.neighbours import kernels, search
from pipeline.neighbours.index import build_index


def main() -> None:
    """Search once in each way; kernels that were imported are used for any size."""
    assert kernels
    index = build_index(np.eye(3))
    search.find_neighbours(index, np.eye(3), 1)
    search.find_own_neighbours(index, 1)


if __name__ == "__main__":
    main()
