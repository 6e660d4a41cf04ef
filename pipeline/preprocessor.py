"""One fitted preprocessor: from raw values to what the network saw in training.

It is saved beside the version as JSON and npz, without pickle, and applied to new rows by one call:

    preprocessor = load_preprocessor("data/published/hypothyroid/current/preprocessor")
    features = preprocessor.transform([{"age": "72", "sex": "M", "TSH": "30"}])
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cleaning import FittedCleaning, clean_values
from pipeline.columns import ColumnRules, read_rows
from pipeline.dataset import Schema
from pipeline.encoding import FittedEncoding, encode
from pipeline.errors import DataContractError, name_examples, name_near_misses, write_count
from pipeline.imputation import Donors, Fill, FittedImputation, impute
from pipeline.store import dump_json, load_facts


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """Everything that was learned on the training split to make features of raw rows."""

    rules: ColumnRules
    cleaning: FittedCleaning
    imputation: FittedImputation
    encoding: FittedEncoding

    @property
    def features(self) -> list[str]:
        """The names of the features in their order."""
        return self.encoding.features

    @property
    def classes(self) -> list[str]:
        """The classes in the order of the network's outputs."""
        return self.encoding.classes

    def transform(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> np.ndarray:
        """Turn raw rows into features.

        Parameters
        ----------
        rows
            Raw values by column, as text or as numbers. A column that is left out, None, or one of
            the declared tokens, or that can't be read as its role asks (which warns), is missing
            and is imputed; the target is not looked at.

        Returns
        -------
        numpy.ndarray
            Shape ``(n, n_features)``, float32, as the training saw it.

        Raises
        ------
        DataContractError
            If the rows have a column that the source does not have.
        """
        if isinstance(rows, Mapping):
            raise DataContractError(
                "preprocessor", "one row was given where a list of them is wanted",
                "Put it in a list: [row]",
            )  # fmt: skip
        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
        unknown = [str(name) for name in frame.columns if str(name) not in self.rules.roles]
        if unknown:
            raise DataContractError(
                "preprocessor", f"{write_count(len(unknown), 'column is', 'columns are')} unknown: "
                f"{name_examples(unknown)}",
                f"Correct the name, or leave it out: "
                f"{name_near_misses(unknown[0], self.rules.roles)}",
            )  # fmt: skip
        return self.encode_repaired(self.repair(read_rows(frame, self.rules)))

    def repair(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Clean and impute the values of canonical rows; no row is left out."""
        return impute(clean_values(frame, self.cleaning).frame, self.imputation).frame

    def encode_repaired(self, frame: pd.DataFrame) -> np.ndarray:
        """Encode repaired rows, float32."""
        return encode(frame, self.encoding)

    def save(self, folder: Path) -> None:
        """Write the preprocessor as JSON and, for KNN, npz."""
        folder.mkdir(parents=True, exist_ok=True)
        dump_json(folder / "columns.json", self.rules)
        dump_json(folder / "cleaning.json", self.cleaning)
        save_imputation(folder, self.imputation)
        dump_json(folder / "encoding.json", self.encoding)


def load_preprocessor(folder: str | Path) -> Preprocessor:
    """Load a preprocessor from the ``preprocessor`` folder of a version, wherever it was copied."""
    folder = Path(folder)
    return Preprocessor(
        load_facts(folder / "columns.json", ColumnRules),
        load_facts(folder / "cleaning.json", FittedCleaning),
        load_imputation(folder),
        load_facts(folder / "encoding.json", FittedEncoding),
    )


def save_imputation(folder: Path, fitted: FittedImputation) -> None:
    """Write a fitted imputation: fills as JSON, donors as npz."""
    dump_json(
        folder / "imputation.json",
        {"fills": [asdict(fill) for fill in fitted.fills], "indicators": fitted.indicators},
    )
    if fitted.donors is not None:
        donors = fitted.donors
        np.savez_compressed(
            folder / "donors.npz",
            columns=np.array(donors.columns, dtype=np.str_),
            means=donors.means,
            scales=donors.scales,
            ranges=donors.ranges,
            # As JSON, since numpy's texts lose zeros at their end.
            levels=np.array(json.dumps(donors.levels)),
            rows=donors.rows,
        )


def load_imputation(folder: Path) -> FittedImputation:
    """Read what ``save_imputation`` wrote."""
    plain = load_facts(folder / "imputation.json", _PlainImputation)
    fitted = FittedImputation(plain.fills, plain.indicators, None)
    if not (folder / "donors.npz").is_file():
        return fitted
    with np.load(folder / "donors.npz", allow_pickle=False) as stored:
        if "k_neighbors" in stored:  # a version from before categories were compared
            k = int(stored["k_neighbors"])
            fills = [replace(f, neighbours=k if f.method == "knn" else 0) for f in plain.fills]
            fitted = replace(fitted, fills=fills)
        donors = Donors(
            [str(name) for name in stored["columns"]],
            stored["means"],
            stored["scales"],
            stored["ranges"],
            json.loads(str(stored["levels"])) if "levels" in stored else [],
            stored["rows"],
        )
    return replace(fitted, donors=donors)


def narrow_schema(schema: Schema, cleaning: FittedCleaning) -> Schema:
    """Take the dropped columns out of a schema."""
    gone = {column.name for column in cleaning.dropped}
    return schema.keep([name for name in schema.roles if name not in gone])


@dataclass(frozen=True, slots=True)
class _PlainImputation:
    fills: list[Fill]
    indicators: list[str]
