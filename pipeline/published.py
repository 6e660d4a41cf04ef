"""A published version in use: new raw rows, or pictures, to classes and their probabilities.

version = open_version("data/published/hypothyroid/current")
version.predict([{"age": "72", "sex": "M", "TSH": "30"}])
version.predict_proba([{"age": "72", "sex": "M", "TSH": "30"}])
open_version("data/published/emoji/current").predict(["cat.png"])
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from pipeline.errors import ConfigError
from pipeline.modality import find_published
from pipeline.storage.integrity import refuse_differences
from pipeline.storage.store import load_facts

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

    from pipeline.images.picture_preprocessor import PicturePreprocessor
    from pipeline.preprocessing.preprocessor import Preprocessor
    from pipeline.targets.decisions import Decision


NewRows: TypeAlias = (
    "Sequence[Mapping[str, Any] | str | Path | bytes | PIL.Image.Image | np.ndarray] | pd.DataFrame"
)


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version, wherever its folder lies."""

    path: Path
    preprocessor: Preprocessor | PicturePreprocessor = field(repr=False)
    model: Any = field(repr=False)
    decision: Decision | None = field(default=None, repr=False)

    def predict(self, rows: NewRows, *, strict: bool = False) -> pd.Series:
        """Predict a class for each row.

        It is the most probable one, unless the version was balanced by resampling, weights or
        threshold moving: then it is the one that would be if all classes were as frequent as they
        were made.

        Parameters
        ----------
        rows, strict
            See ``predict_proba``.

        Returns
        -------
        pandas.Series
            Shape ``(n,)``, text.
        """
        probabilities = self.predict_proba(rows, strict=strict)
        chosen = probabilities.to_numpy().argmax(axis=1)
        if self.decision is not None:
            from pipeline.targets.decisions import decide

            chosen = decide(probabilities.to_numpy(), self.decision)
        return pd.Series(probabilities.columns.to_numpy()[chosen], dtype="str", name="class")

    def predict_proba(self, rows: NewRows, *, strict: bool = False) -> pd.DataFrame:
        """Predict a probability for each class.

        Where training rows were resampled or weighted, it is corrected to the class shares before
        that: what comes out as 0.1 is right once in ten.

        Parameters
        ----------
        rows
            Raw values by column, see ``Preprocessor.transform``; or pictures, see
            ``PicturePreprocessor.transform``.
        strict
            Refuse values and columns that the source never had, instead of telling of them by an
            ``InputWarning``; of no effect on pictures.

        Returns
        -------
        pandas.DataFrame
            Shape ``(n, n_classes)``, float32, a column for each class; each row adds up to 1.
        """
        # Which rows fit is known by the version alone, not by the type checker.
        transform: Any = self.preprocessor.transform
        features = (
            transform(rows, strict=True) if strict and self._reads_columns() else transform(rows)
        )
        if len(features) == 0:
            return pd.DataFrame(columns=self.preprocessor.classes, dtype="float32")
        probabilities = self.model.predict(features, verbose=0)
        if self.decision is not None:
            from pipeline.targets.decisions import calibrate

            probabilities = calibrate(probabilities, self.decision)
        return pd.DataFrame(probabilities, columns=self.preprocessor.classes)

    def _reads_columns(self) -> bool:
        return hasattr(self.preprocessor, "rules")

    def classify(self, rows: NewRows) -> pd.Series:
        """Do what ``predict`` does; the name goes with the next release."""
        warnings.warn("classify is named predict now", FutureWarning, stacklevel=2)
        return self.predict(rows)


def open_version(path: str | Path, *, verify: bool = False) -> PublishedVersion:
    """Open a version with its preprocessor and its network.

    Parameters
    ----------
    path
        Its folder, or ``current``, which is followed once: a version that becomes current meanwhile
        does not mix in.
    verify
        Hash every file first and compare with the manifest.

    Raises
    ------
    ConfigError
        If the folder is not a published version.
    DataContractError
        If a file of it is not as it was published, and ``verify`` asks for that.
    """
    path = Path(path).resolve()
    if verify:
        refuse_differences(path)
    if not (path / "model" / "baseline.keras").is_file():
        raise ConfigError(
            "store", f"{path} holds no published version",
            "Name a folder such as data/published/DATASET/current",
        )  # fmt: skip
    from pipeline.training.loading import load_network

    folder = path / "preprocessor"
    preprocessor = find_published(folder).load_preprocessor(folder)
    network = load_network(path / "model" / "baseline.keras")
    return PublishedVersion(path, preprocessor, network, _load_decision(path / "model"))


def _load_decision(folder: Path) -> Decision | None:
    """Load how the outputs are read; versions from before that have none."""
    from pipeline.targets.decisions import Decision

    path = folder / "decision.json"
    return load_facts(path, Decision) if path.is_file() else None
