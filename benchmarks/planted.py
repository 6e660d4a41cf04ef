"""Faults planted in Fashion-MNIST: how many of each kind a user is told of, and what else is."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.measuring import run
from pipeline.cleaning import CleaningFacts
from pipeline.image_config import ImageConfig
from pipeline.images.duplicates import find_near_duplicates
from pipeline.images.pictures import PictureStore
from pipeline.plan import prepare
from pipeline.steps import clean, ingest, split
from pipeline.tables import read_all, read_frame

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "data/fashion_mnist/fashion_mnist.zip"
SEED = 7

Files = dict[str, bytes]
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
# Near-duplicates as they come about: saved again, resized, brightened, scanned twice.
NEAR: dict[str, Change] = {
    "as JPEG of quality 60": lambda p, _: _decode(
        cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()
    ),
    "to 90 % and back": lambda p, _: cv2.resize(
        cv2.resize(p, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA), p.shape[::-1]
    ),
    "8 % brighter": lambda p, _: _clip(1.08 * p),
    "with slight noise": lambda p, draw: _clip(p + draw.normal(0, 4, p.shape)),
}
SPOILT: dict[str, tuple[int, Change]] = {
    "blurred": (15, lambda p, _: cv2.GaussianBlur(p, (0, 0), 2.0)),
    "dark": (15, lambda p, _: _clip(0.2 * p)),
    "blank": (10, lambda p, draw: np.full_like(p, draw.integers(0, 256))),
}
NEAR_EACH, TRUNCATED, WRONG = 5, 10, 5


@dataclass(frozen=True, slots=True)
class Planted:
    """The dirty source, and what was planted in it.

    Attributes
    ----------
    names
        Files by kind.
    originals
        Of each copy the file that it was made from.
    """

    files: Files
    names: dict[str, list[str]]
    originals: dict[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What a run tells of its pictures, by file."""

    unreadable: set[str]
    outliers: dict[str, list[str]]
    near: set[frozenset[str]]
    conflicts: set[frozenset[str]]


def measure(rounds: int) -> None:
    """Print for each kind what was planted, found, missed, and what else was flagged."""
    del rounds  # seeded: each round would find the same
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(SOURCE) as archive:
            whole = {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"}
        planted = _plant(whole, np.random.default_rng(SEED))
        before = _look(Path(folder) / "before", whole)
        found = _look(Path(folder) / "dirty", planted.files)
    _tell(planted, found)
    print(f"  the source itself, {len(whole):,} pictures, before anything was planted: "
          f"{len(before.outliers)} outliers, {len(before.near)} near pairs, "
          f"{len(before.conflicts)} conflicts, {len(before.unreadable)} unreadable")  # fmt: skip


def _plant(whole: Files, draw: np.random.Generator) -> Planted:
    """Spoil some pictures in place, and add copies of others under another class."""
    files, names, originals = dict(whole), {}, {}
    classes = sorted({name.split("/")[-2] for name in whole})
    chosen = iter(draw.permutation(sorted(whole)).tolist())
    for kind, (count, change) in SPOILT.items():
        names[kind] = [next(chosen) for _ in range(count)]
        for name in names[kind]:
            files[name] = _encode(change(_decode(whole[name]), draw))
    names["truncated"] = [next(chosen) for _ in range(TRUNCATED)]
    for name in names["truncated"]:
        files[name] = whole[name][: len(whole[name]) // 2]

    def copy(original: str, number: int, content: bytes) -> str:
        *above, label, _ = original.split("/")
        other = str(draw.choice([name for name in classes if name != label]))
        name = "/".join([*above, other, f"copy-{number}.png"])
        files[name], originals[name] = content, original
        return name

    for kind, change in NEAR.items():
        made = [next(chosen) for _ in range(NEAR_EACH)]
        names[f"near: {kind}"] = [
            copy(name, len(originals), _encode(change(_decode(whole[name]), draw))) for name in made
        ]
    made = [next(chosen) for _ in range(WRONG)]
    names["wrong label"] = [copy(name, len(originals), whole[name]) for name in made]
    return Planted(files, names, originals)


def _look(home: Path, files: Files) -> Found:
    """Take the files as a user would, up to cleaning; gather what the run knows."""
    home.mkdir()
    with zipfile.ZipFile(home / "fashion.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    run([sys.executable, "-m", "flows.cli", "init", "fashion.zip"], home)
    plan = prepare(home, "fashion")
    rows = ingest(plan)
    assignment = split(plan, rows)
    fitted = clean(plan, rows, assignment).facts(CleaningFacts).fitted
    frame = read_all(rows.path)
    assigned = read_frame(assignment.path / "assignment.parquet")
    outliers: dict[str, list[str]] = {}
    for column, bound in fitted.bounds.items():
        if bound.action == "quarantine":
            for name in frame.loc[bound.is_outside(frame[column]), "file"]:
                outliers.setdefault(name, []).append(column)
    return Found(
        set(read_frame(rows.path / "unlabelled.parquet")["file"]),
        outliers,
        _pair_near(rows.path, frame, plan.config.image),
        _pair_equal(frame[assigned["conflict"]]),
    )


def _pair_near(folder: Path, frame: pd.DataFrame, config: ImageConfig) -> set[frozenset[str]]:
    """List all near pairs, of which a run tells the number and shows the first."""
    hashes = np.array([int(text, 16) for text in frame["perceptual_hash"]], np.uint64)
    pairs = find_near_duplicates(hashes, PictureStore(folder), config).pairs
    names, pixels = frame["file"].to_numpy(), frame["pixel_hash"].to_numpy()
    return {frozenset(names[pair]) for pair in pairs if pixels[pair[0]] != pixels[pair[1]]}


def _pair_equal(frame: pd.DataFrame) -> set[frozenset[str]]:
    """List the rows of equal pixels that stand with several labels."""
    groups: Iterable[pd.DataFrame] = (own for _, own in frame.groupby("pixel_hash"))
    return {frozenset(own["file"]) for own in groups if own["label"].nunique() > 1}


def _tell(planted: Planted, found: Found) -> None:
    """Print the figures."""
    strip = {name: "/".join(name.split("/")[-2:]) for name in planted.files}
    print(f"  {'kind':<28} {'planted':>8} {'found':>6} {'missed':>7}  found by")
    for kind, names in planted.names.items():
        pairs = [frozenset({strip[n], strip[planted.originals.get(n, n)]}) for n in names]
        if kind.startswith("near"):
            hits, how = sum(pair in found.near for pair in pairs), "near pairs"
        elif kind == "wrong label":
            hits, how = sum(pair in found.conflicts for pair in pairs), "equal, other label"
        elif kind == "truncated":
            hits, how = sum(strip[n] in found.unreadable for n in names), "unreadable"
        else:
            told = [found.outliers.get(strip[n], []) for n in names]
            hits = sum(map(bool, told))
            by = pd.Series([column for columns in told for column in columns]).value_counts()
            how = "outliers: " + ", ".join(f"{column} {count}" for column, count in by.items())
        print(f"  {kind:<28} {len(names):>8} {hits:>6} {len(names) - hits:>7}  {how}")
    spoilt = {strip[n] for kind in SPOILT for n in planted.names[kind]}
    copies = {
        frozenset({strip[name], strip[original]}) for name, original in planted.originals.items()
    }
    among_blank = {strip[n] for n in planted.names["blank"]}
    other_near = {pair for pair in found.near - copies if not pair <= among_blank}
    print("  flagged, but not planted: "
          f"{len(set(found.outliers) - spoilt)} outliers, {len(other_near)} near pairs, "
          f"{len(found.conflicts - copies)} conflicts, "
          f"{len(found.unreadable - {strip[n] for n in planted.names['truncated']})} "
          "unreadable")  # fmt: skip


def _decode(content: bytes) -> np.ndarray:
    raster = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    return np.asarray(raster)


def _encode(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1].tobytes())


def _clip(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
