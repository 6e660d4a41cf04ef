"""One fitted preprocessor: from raw values to what the network saw in training.

It is saved beside the version as JSON and npz, without pickle, and applied to new rows by one call:

    preprocessor = load_preprocessor("data/published/hypothyroid/current/preprocessor")
    features = preprocessor.transform([{"age": "72", "sex": "M", "TSH": "30"}])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cleaning.repairs import FittedCleaning, clean_values
from pipeline.encoding.features import FittedEncoding, encode
from pipeline.errors import (
    ConfigError,
    DataContractError,
)
from pipeline.imputation.filling import FittedImputation, impute
from pipeline.imputation.saving import load_imputation, save_imputation
from pipeline.ingest.columns import ColumnRules, read_rows
from pipeline.storage.store import dump_json, load_facts


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

    def transform(
        self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, *, strict: bool = False
    ) -> np.ndarray:
        """Turn raw rows into features.

        Parameters
        ----------
        rows
            Raw values by column, as text or as numbers. A column that is left out, None, or one of
            the declared tokens, or that can't be read as its role asks, is missing and is imputed;
            the target is not looked at. What is not as in the source is told once, as an
            ``InputWarning``.
        strict
            Refuse what would be told.

        Returns
        -------
        numpy.ndarray
            Shape ``(n, n_features)``, float32, as the training saw it.

        Raises
        ------
        DataContractError
            If one row is given in place of a list, or ``strict`` finds what would be told.
        """
        if isinstance(rows, Mapping):
            raise DataContractError(
                "preprocessor", "one row was given where a list of them is wanted",
                "Put it in a list: [row]",
            )  # fmt: skip
        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
        return self.encode_repaired(self.repair(read_rows(frame, self.rules, strict=strict)))

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
    """Load a preprocessor from the ``preprocessor`` folder of a version, wherever it was copied.

    Raises
    ------
    ConfigError
        If the folder does not hold the preprocessor of a table.
    """
    folder = Path(folder)
    if not (folder / "columns.json").is_file():
        raise ConfigError(
            "preprocessor", f"{folder} holds no preprocessor of a table",
            "Name a folder such as data/published/DATASET/current/preprocessor; of pictures, "
            "open_version(path).preprocessor is it",
        )  # fmt: skip
    return Preprocessor(
        load_facts(folder / "columns.json", ColumnRules),
        load_facts(folder / "cleaning.json", FittedCleaning),
        load_imputation(folder),
        load_facts(folder / "encoding.json", FittedEncoding),
    )
