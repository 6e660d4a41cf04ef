"""What a features directory holds, and in which order: ``layout.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import StageError
from pipeline.storage.disk import link_file
from pipeline.storage.store import dump_json

LAYOUT = "layout.json"


@dataclass(frozen=True, slots=True)
class Form:
    """The form of the values of one row, where they are more than a line of features.

    Attributes
    ----------
    shape
        The last number is that of the channels. Of pictures: height and width in pixels, channels
        (1 or 3).
    mean, std
        For each channel, over the training rows; of pictures in grey levels.
    """

    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns are features, and which class has which index.

    Attributes
    ----------
    target
        The column that holds the class as text.
    classes
        Class ``i`` is at position ``i``.
    features
        The feature columns, in the order the network sees them; none where it sees no features.
    form
        The form of a row; None where it is a line of features.
    priors, balanced
        Training rows of each class before resampling, and what they were brought to before any was
        cleaned away; None where nothing was resampled.
    even
        Whether a class is decided for as if all were equally frequent.
    blocks
        For each categorical column the positions of its features: several where it is one-hot.
    """

    target: str
    classes: tuple[str, ...]
    features: tuple[str, ...]
    form: Form | None = None
    priors: tuple[int, ...] | None = None
    balanced: tuple[int, ...] | None = None
    even: bool = False
    blocks: tuple[tuple[int, ...], ...] = ()


def write_layout(folder: Path, layout: Layout) -> None:
    """Write the target and its classes, the features, the form of pictures if there are any."""
    plain: dict[str, Any] = {
        "target": layout.target,
        "classes": layout.classes,
        "features": layout.features,
        "blocks": layout.blocks,
    }
    if layout.form is not None:
        plain["form"] = asdict(layout.form)
    dump_json(folder / LAYOUT, plain)


def load_layout(directory: Path) -> Layout:
    """Read ``layout.json``.

    Raises
    ------
    StageError
        If the directory holds none.
    """
    path = directory / LAYOUT
    if not path.is_file():
        raise StageError(
            "training", f"{path} was not found", "Publish the data set before training"
        )
    raw = json.loads(path.read_text(encoding="utf-8"))
    form = raw.get("form", raw.get("picture"))  # so it was named before
    return Layout(
        raw["target"],
        tuple(raw["classes"]),
        tuple(raw["features"]),
        None
        if form is None
        else Form(tuple(form["shape"]), tuple(form["mean"]), tuple(form["std"])),
        _read_counts(raw, "priors"),
        _read_counts(raw, "balanced"),
        bool(raw.get("even", False)),
        tuple(tuple(block) for block in raw.get("blocks", ())),
    )


def _read_counts(raw: dict[str, Any], name: str) -> tuple[int, ...] | None:
    counts = raw.get(name)
    return None if counts is None else tuple(counts.get(label, 0) for label in raw["classes"])


def complete_resampled(
    source: Path, folder: Path, before: dict[str, int], balanced: dict[str, int], *, even: bool
) -> None:
    """Complete a resampled features directory: the other splits, and a layout that tells of it.

    What classes were brought to is what a network's probabilities stand on.

    Parameters
    ----------
    source
        The features directory that was resampled.
    before, balanced
        Its training rows by class, and what they were brought to.
    even
        Whether classes are decided for as if they were equally frequent.
    """
    for name in ("validation.parquet", "test.parquet"):
        link_file(source / name, folder / name)
    layout = json.loads((source / LAYOUT).read_text(encoding="utf-8"))
    dump_json(folder / LAYOUT, layout | {"priors": before, "balanced": balanced, "even": even})
