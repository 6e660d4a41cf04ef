"""A published version in use: new raw rows to class probabilities.

version = open_version("data/published/hypothyroid/current")
version.predict([{"age": "72", "sex": "M", "TSH": "30"}])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import ConfigError
from pipeline.preprocessor import Preprocessor, load_preprocessor


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version, wherever its folder lies."""

    path: Path
    preprocessor: Preprocessor
    model: Any

    def predict(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
        """Predict a probability for each class.

        Parameters
        ----------
        rows
            Raw values by column; see ``Preprocessor.transform``.

        Returns
        -------
        pandas.DataFrame
            Shape ``(n, n_classes)``, float32, a column for each class; each row adds up to 1.
        """
        features = self.preprocessor.transform(rows)
        if len(features) == 0:
            return pd.DataFrame(columns=self.preprocessor.classes, dtype="float32")
        probabilities = self.model.predict(features, verbose=0)
        return pd.DataFrame(probabilities, columns=self.preprocessor.classes)


def open_version(path: str | Path) -> PublishedVersion:
    """Open a version with its preprocessor and its network.

    Raises
    ------
    ConfigError
        If the folder is not a published version.
    """
    path = Path(path)
    if not (path / "model" / "baseline.keras").is_file():
        raise ConfigError(
            "store", f"{path} holds no published version",
            "Name a folder such as data/published/DATASET/current",
        )  # fmt: skip
    from pipeline.training.loading import load_network

    return PublishedVersion(
        path,
        load_preprocessor(path / "preprocessor"),
        load_network(path / "model" / "baseline.keras"),
    )
