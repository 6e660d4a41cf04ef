"""Faults planted in Fashion-MNIST: how many of each kind a user is told of, and what else is.

Found means named by the run: files that can't be read; pictures outside a bound whose outliers are
quarantined, in any split; near pairs; equal pixels with another label. The suites are learned on
the dirty data.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.measuring import run
from pipeline.cleaning.repairs import CleaningFacts
from pipeline.config.image import ImageConfig
from pipeline.images.near_duplicates import find_near_duplicates
from pipeline.images.picture_store import PictureStore
from pipeline.runs.run import prepare
from pipeline.steps.clean import clean
from pipeline.steps.ingest import ingest
from pipeline.steps.split import split
from pipeline.storage.parts import read_all, read_frame

SOURCE = Path(__file__).parents[1] / "data/fashion_mnist/fashion_mnist.zip"

Files = dict[str, bytes]
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Pair = frozenset[str]
# Near-duplicates as they come about: saved again, resized, brightened, scanned twice.
NEAR: dict[str, Change] = {
    "near: JPEG of quality 60": lambda p, _: _decode(_encode(p, 60)),
    "near: to 90 % and back": lambda p, _: _shrink(p, 0.9),
    "near: 8 % brighter": lambda p, _: _clip(1.08 * p),
    "near: slight noise": lambda p, draw: _clip(p + draw.normal(0, 4, p.shape)),
}
SPOILT: dict[str, tuple[int, Change]] = {
    "blurred": (15, lambda p, draw: cv2.GaussianBlur(p, (0, 0), draw.uniform(1.0, 2.5))),
    "dark": (15, lambda p, draw: _clip(draw.uniform(0.1, 0.4) * p)),
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

    def pair(self, name: str) -> Pair:
        """Pair a copy with its original."""
        return frozenset({name, self.originals[name]})


@dataclass(frozen=True, slots=True)
class Found:
    """What a run tells of its pictures, by file; of an outlier the measures that it lies far in."""

    unreadable: set[str]
    outliers: dict[str, list[str]]
    near: set[Pair]
    conflicts: set[Pair]


def measure(rounds: int) -> None:
    """Plant and look once for each round, with a seed of its own; print the sums."""
    with zipfile.ZipFile(SOURCE) as archive:
        whole = {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"}
    there, told, how, other = Counter(), Counter(), Counter(), Counter()
    for seed in range(rounds):
        planted = _plant(whole, np.random.default_rng(seed))
        found = _look(planted.files)
        there += Counter({kind: len(names) for kind, names in planted.names.items()})
        for kind, names in planted.names.items():
            reasons = [_find(kind, name, planted, found) for name in names]
            told[kind] += sum(map(bool, reasons))
            how += Counter((kind, reason) for all_ in reasons for reason in all_)
        other += _count_others(planted, found)
    print(f"  {'kind':<26} {'planted':>7} {'found':>6} {'missed':>7}  by, over {rounds} seeds")
    for kind, count in there.items():
        by = ", ".join(f"{reason} {n}" for (of, reason), n in how.most_common() if of == kind)
        print(f"  {kind:<26} {count:>7} {told[kind]:>6} {count - told[kind]:>7}  {by}")
    _print_others("flagged, not planted", other)
    plain = _look(whole)
    _print_others("the source itself, once", _count_others(Planted({}, {}, {}), plain))


def _plant(whole: Files, draw: np.random.Generator) -> Planted:
    """Spoil some pictures in place, and add copies of others under another class."""
    planted = Planted(dict(whole), {}, {})
    chosen = iter(draw.permutation(sorted(whole)).tolist())

    def take(kind: str, count: int) -> list[str]:
        planted.names[kind] = [next(chosen) for _ in range(count)]
        return planted.names[kind]

    for kind, (count, change) in SPOILT.items():
        for name in take(kind, count):
            planted.files[name] = _encode(change(_decode(whole[name]), draw))
    for name in take("truncated", TRUNCATED):
        planted.files[name] = whole[name][: len(whole[name]) // 2]
    for kind, change in NEAR.items():
        copies = {n: _encode(change(_decode(whole[n]), draw)) for n in take(kind, NEAR_EACH)}
        _add_copies(planted, kind, copies, draw)
    wrong = {name: whole[name] for name in take("wrong label", WRONG)}
    _add_copies(planted, "wrong label", wrong, draw)
    return planted


def _add_copies(planted: Planted, kind: str, copies: Files, draw: np.random.Generator) -> None:
    """Add copies of pictures, each under another class; the kind covers the copies."""
    classes = sorted({name.split("/")[0] for name in planted.files})
    planted.names[kind] = []
    for original, content in copies.items():
        other = draw.choice([label for label in classes if label != original.split("/")[0]])
        name = f"{other}/copy-{len(planted.originals)}.png"
        planted.files[name], planted.originals[name] = content, original
        planted.names[kind].append(name)


def _look(files: Files) -> Found:
    """Take the files as a user would, up to cleaning; gather what the run knows."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
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


def _pair_near(folder: Path, frame: pd.DataFrame, config: ImageConfig) -> set[Pair]:
    """List all near pairs, of which a run tells the number and shows the first."""
    hashes = np.array([int(text, 16) for text in frame["perceptual_hash"]], np.uint64)
    pairs = find_near_duplicates(hashes, PictureStore(folder), config).pairs
    names, pixels = frame["file"].to_numpy(), frame["pixel_hash"].to_numpy()
    return {frozenset(names[pair]) for pair in pairs if pixels[pair[0]] != pixels[pair[1]]}


def _pair_equal(frame: pd.DataFrame) -> set[Pair]:
    """List the files of equal pixels that stand with several labels."""
    groups = (own for _, own in frame.groupby("pixel_hash"))
    return {frozenset(own["file"]) for own in groups if own["label"].nunique() > 1}


def _find(kind: str, name: str, planted: Planted, found: Found) -> list[str]:
    """Tell by what a planted file was found; by nothing if it was missed."""
    if kind == "truncated":
        return ["unreadable"] * (name in found.unreadable)
    if kind == "wrong label":
        return ["equal pixels, other label"] * (planted.pair(name) in found.conflicts)
    if kind in NEAR:
        return ["near pair"] * (planted.pair(name) in found.near)
    return found.outliers.get(name, [])


def _count_others(planted: Planted, found: Found) -> Counter[str]:
    """Count what was flagged without having been planted."""
    spoilt = {name for kind in SPOILT for name in planted.names.get(kind, [])}
    copies = {planted.pair(name) for name in planted.originals}
    blank = set(planted.names.get("blank", []))  # of one colour all, so they are near each other
    return Counter(
        {
            "outliers": len(set(found.outliers) - spoilt),
            "near pairs": sum(not pair <= blank for pair in found.near - copies),
            "conflicts": sum(not pair <= blank for pair in found.conflicts - copies),
            "unreadable": len(found.unreadable - set(planted.names.get("truncated", []))),
        }
    )


def _print_others(what: str, counts: Counter[str]) -> None:
    kinds = ("outliers", "near pairs", "conflicts", "unreadable")
    print(f"  {what}: " + ", ".join(f"{counts[kind]} {kind}" for kind in kinds))


def _decode(content: bytes) -> np.ndarray:
    buffer = np.frombuffer(content, np.uint8)
    return np.asarray(cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE), np.uint8)


def _encode(picture: np.ndarray, jpeg_quality: int | None = None) -> bytes:
    if jpeg_quality is None:
        return cv2.imencode(".png", picture)[1].tobytes()
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])[1].tobytes()


def _shrink(picture: np.ndarray, share: float) -> np.ndarray:
    small = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, picture.shape[::-1]), np.uint8)


def _clip(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
