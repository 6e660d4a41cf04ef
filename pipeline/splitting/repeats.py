"""Which rows belong together: repeats that chance explains, and rows of one patient."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.dataset import ROW_ID, Schema, draw_uniform
from pipeline.sources.guesses import Guess
from pipeline.splitting.assignment import hash_content

MOST_ROWS = 20_000
SHUFFLES = 3
FEWEST_REPEATS = 0.01  # share of rows, below which repeats are not worth a word
LEAST_REPEATS = 10
EXPLAINED = 0.5  # of the repeats, that chance has to make, so that they are no copies
NAMED = re.compile(
    r"(^|[\s_.-])(id|ids|uuid|guid|patient|subject|person|user|customer|client|session|visit|"
    r"household|family|site|animal|participant|case|group|batch)([\s_.-]?(id|no|nr|number|key))?$|"
    r"[a-z](Id|ID)$",
    re.I,
)
LEAST_GROUPS = 10
CONSTANT = 0.95  # share of groups with one label
BEYOND_CHANCE = 0.3


def count_repeats(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[int, float]:
    """Count rows that repeat an earlier one, and those that chance makes.

    Chance: the columns of as many rows, each shuffled by itself. At most 20,000 rows are looked at,
    chosen by their ids.

    Parameters
    ----------
    frame
        Canonical rows.
    columns
        Features and target.

    Returns
    -------
    tuple
        Both numbers, of the rows looked at; the second one is a mean.
    """
    order = np.argsort(draw_uniform(frame[ROW_ID], "repeats", 0), kind="stable")[:MOST_ROWS]
    rows = frame.iloc[order].reset_index(drop=True)
    seen = int(pd.Series(hash_content(rows, list(columns))).duplicated().sum())
    if seen == 0:
        return 0, 0.0
    generator = np.random.default_rng(0)
    expected = []
    for _ in range(SHUFFLES):
        shuffled = pd.DataFrame(
            {
                name: rows[name].take(generator.permutation(len(rows))).reset_index(drop=True)
                for name in columns
            }
        )
        expected.append(pd.Series(hash_content(shuffled, list(columns))).duplicated().sum())
    return seen, float(np.mean(expected))


def judge_repeats(frame: pd.DataFrame, schema: Schema) -> Guess | None:
    """Tell of repeats that are other rows and happen to be alike; None where they are copies."""
    columns = [*schema.features, schema.target]
    seen, expected = count_repeats(frame, columns)
    rows = min(len(frame), MOST_ROWS)
    few = max(FEWEST_REPEATS * rows, LEAST_REPEATS)
    if seen < few or expected < EXPLAINED * seen:
        return None
    return Guess(
        "repeats", None,
        "rows that repeat an earlier one are kept, and each is split by itself",
        "they are copies",
        f"{seen} of {rows} rows repeat one, and chance alone would make {expected:.0f}",
        change={"cleaning.duplicates": "drop", "split.repeats": "together"},
    )  # fmt: skip


def find_group(frame: pd.DataFrame, schema: Schema) -> tuple[str, Guess] | None:
    """Find a column that names what several rows belong to, such as a patient.

    By its name, by values that repeat, and by labels that are the same within a value more often
    than chance makes them.
    """
    labels = frame[schema.target]
    shares = labels.value_counts(normalize=True).to_numpy()
    for name in schema.features:
        if not NAMED.search(name):
            continue
        sizes = frame[name].value_counts()
        many = sizes[sizes > 1]
        if len(many) < LEAST_GROUPS or len(sizes) > len(frame) / 2 or len(sizes) < LEAST_GROUPS:
            continue
        kinds = labels.groupby(frame[name]).nunique()[many.index]
        constant = float((kinds == 1).mean())
        chance = float(np.mean([(shares**size).sum() for size in many]))
        if constant < CONSTANT or constant - chance < BEYOND_CHANCE:
            continue
        evidence = (
            f"{len(sizes)} values in {len(frame)} rows; {constant:.0%} of those that repeat have "
            f"one label, and chance would make {chance:.0%}"
        )
        return name, Guess(
            "split", name, "its rows stay in one split, and it is not learned from",
            "each row is by itself", evidence, change={"split.by": "hash"},
        )  # fmt: skip
    return None
