"""What a data set is: its columns' roles, its splits, and its model-ready features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.config.settings import Role

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ROW_ID = "row_id"
SPLIT = "split"
ORIGIN = "origin"
SAMPLE_WEIGHT = "sample_weight"
IMAGE = "image"
PARENT = "parent"
PIXEL_HASH = "pixel_hash"
FLAGS = ("duplicate", "conflict", "majority", "unit")
REASON = "reason"
SPLITS = ("train", "validation", "test")
# The split of rows that belong to none: left out by configuration, or by a fold.
UNUSED = "unused"
Values = Literal["numbers", "categories", "dates", "texts", "labels", "nothing"]


@dataclass(frozen=True, slots=True)
class RoleTraits:
    """What follows from the role of a column; everybody asks here.

    Attributes
    ----------
    values
        What it holds once it is read.
    learned
        Whether a network learns from it.
    """

    values: Values
    learned: bool


ROLES: Mapping[Role, RoleTraits] = {
    "numeric": RoleTraits("numbers", learned=True),
    "categorical": RoleTraits("categories", learned=True),
    "boolean": RoleTraits("categories", learned=True),
    "datetime": RoleTraits("dates", learned=True),
    "text": RoleTraits("texts", learned=False),
    "identifier": RoleTraits("texts", learned=False),
    "constant": RoleTraits("nothing", learned=False),
    "target": RoleTraits("labels", learned=False),
}
FEATURE_ROLES: frozenset[Role] = frozenset(role for role in ROLES if ROLES[role].learned)


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a data set and what each of them is.

    Attributes
    ----------
    target
        The column to predict.
    roles
        Each column of the source in its order, without ``row_id``, with its role.
    """

    target: str
    roles: Mapping[str, Role]

    def select(self, *values: Values) -> list[str]:
        """Name the columns that hold one kind of values or another, in the source's order."""
        return [name for name, role in self.roles.items() if ROLES[role].values in values]

    @property
    def features(self) -> list[str]:
        """Columns that a network may learn from."""
        return [name for name, role in self.roles.items() if role in FEATURE_ROLES]

    def keep(self, columns: list[str]) -> Schema:
        """Narrow the schema to some columns and the target."""
        wanted = {*columns, self.target}
        return Schema(self.target, {n: role for n, role in self.roles.items() if n in wanted})


@dataclass(frozen=True, slots=True)
class TrainSet:
    """The training split, and nothing else: all that a stage may learn from.

    Attributes
    ----------
    frame
        ``row_id``, the schema's columns and the target, in the source's order of rows.
    schema
        The roles of the columns.
    """

    frame: pd.DataFrame
    schema: Schema


@dataclass(frozen=True, slots=True)
class Features:
    """Model-ready rows of one split.

    Attributes
    ----------
    row_ids
        Shape ``(n,)``, text.
    values
        Shape ``(n, n_features)``, float32, without missing values.
    labels
        Shape ``(n,)``, text: the class of each row.
    """

    row_ids: np.ndarray
    values: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class TrainFeatures:
    """Model-ready rows of the training split: all that resampling may touch.

    Attributes
    ----------
    rows
        The rows.
    blocks
        For each categorical column the positions of its features: one position when it is coded
        as an ordinal, several when it is one-hot. Features in no block are numeric.
    """

    rows: Features
    blocks: tuple[tuple[int, ...], ...]


def add_unlabelled(train: TrainSet, unlabelled: pd.DataFrame, labelled: int) -> pd.DataFrame:
    """Add rows without a label to training rows, in the proportion that the source has them.

    Suites judge all rows of a source, and may be learned from all but validation and test rows.

    Parameters
    ----------
    unlabelled
        All rows without a label; chosen among by their ids.
    labelled
        How many rows of the source have one, whatever their split.
    """
    import pandas as pd

    share = len(train.frame) / max(1, labelled)
    chosen = unlabelled[draw_uniform(unlabelled[ROW_ID], "unlabelled", 0) < share]
    names = [name for name in train.frame.columns if name in unlabelled.columns]
    if chosen.empty:
        return train.frame[names]
    return pd.concat([train.frame[names], chosen[names]], ignore_index=True)


def draw_uniform(row_ids: pd.Series, purpose: str, seed: int) -> np.ndarray:
    """Draw a number in [0, 1) for each row from its id, a purpose and the root seed.

    Nothing else enters, so a row draws the same number in any partition, file or refresh.

    Parameters
    ----------
    row_ids
        Shape ``(n,)``, text.
    purpose
        What the draw is for: each purpose has draws of its own.
    seed
        The root seed, ``seed`` of dataset.yaml.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, float64.
    """
    import hashlib

    import numpy as np
    import pandas as pd

    # pandas asks for a hash key of 16 bytes.
    key = hashlib.sha256(f"{purpose}:{seed}".encode()).hexdigest()[:16]
    hashes = pd.util.hash_array(row_ids.to_numpy(dtype=object), hash_key=key, categorize=False)
    uniform: np.ndarray = (hashes >> np.uint64(11)).astype(np.float64) / 2.0**53
    return uniform


def mix_bits(values: np.ndarray) -> np.ndarray:
    """Scramble 64-bit values (finaliser of splitmix64, Steele, Lea and Flood 2014).

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, uint64: each bit depends on all bits of its value.
    """
    import numpy as np

    mixed = values.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
