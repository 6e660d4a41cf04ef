"""Pictures that are nearly the same: proposed by perceptual hashes, judged by pixels."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.image import ImageConfig
from pipeline.config.settings import DatasetConfig
from pipeline.dataset import PIXEL_HASH, ROW_ID
from pipeline.images.picture_store import PictureStore
from pipeline.images.shaping import resize
from pipeline.splitting.split_facts import NearFacts, NearPair
from pipeline.storage.parts import read_all

SIDE = 24
SHOWN_PAIRS = 40
# Contrast that pictures are brought to before they are compared, as a share of the grey scale.
USUAL_CONTRAST = 0.25
# In grey levels; below it contrast is not raised, or noise in blank pictures would be content.
LEAST_CONTRAST = 6.0
MAX_BRIGHTNESS_STEP = 25.0
MAX_CONTRAST_RATIO = 1.5
# Among more, the hash says nothing of a picture; true copies are among the nearest.
MAX_CANDIDATES = 200
DOUBTFUL = 2.0
ROWS, COLUMNS = 256, 8192
BASES = 64


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Pairs of pictures that are nearly the same.

    Attributes
    ----------
    pairs
        Shape ``(m, 2)``, int64: row numbers, the smaller first, in order. Of pictures whose
        thumbnails are identical each is paired with the first, which alone is paired with others.
    bits
        Shape ``(m,)``, uint8: by how many bits their hashes differ.
    difference
        Shape ``(m,)``, float32: by how much their pixels differ, as a share of the grey scale.
    groups
        Shape ``(n,)``, int64: for each row the first row that hangs together with it by pairs.
    """

    pairs: np.ndarray
    bits: np.ndarray
    difference: np.ndarray
    groups: np.ndarray


def find_near_duplicates(
    hashes: np.ndarray, store: PictureStore, config: ImageConfig
) -> NearDuplicates:
    """Find pictures that are nearly the same.

    Candidates are pairs whose hashes differ in at most ``config.near_distance`` bits (of a picture
    with over 200, the nearest). They are judged by thumbnails of 24 × 24 pixels, in colour if the
    pictures have any: what brightness, contrast, a small shift and blur explain of one by the other
    is taken off (least squares on its value, gradients and Laplacian, after Lucas and Kanade 1981),
    and the rest, at a usual contrast, has a root mean square of at most ``config.near_difference``
    of the grey scale. Two trousers of the same cut keep the rest of their cloth.

    Parameters
    ----------
    hashes
        Shape ``(n,)``, uint64: the perceptual hash of each picture of the store.
    """
    thumbnails = _make_thumbnails(store)
    first_alike = _find_first_alike(thumbnails)
    apart = np.flatnonzero(first_alike == np.arange(len(hashes)))
    copies = np.flatnonzero(first_alike != np.arange(len(hashes)))
    views = _View.make(thumbnails[apart])
    found = _compare_all(hashes[apart], views, config)
    of_copies = np.stack([first_alike[copies], copies], axis=1)
    pairs = np.concatenate([of_copies, *(apart[pair] for pair, _, _ in found)])
    bits = np.concatenate([np.zeros(len(copies), np.uint8), *(bit for _, bit, _ in found)])
    none = np.zeros(len(copies), np.float32)
    difference = np.concatenate([none, *(far for _, _, far in found)])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return NearDuplicates(pairs[order], bits[order], difference[order], _group(pairs, len(hashes)))


def _make_thumbnails(store: PictureStore) -> np.ndarray:
    """Shrink all pictures: shape ``(n, SIDE, SIDE, channels)``, uint8."""
    thumbnails = np.empty((store.rows, SIDE, SIDE, store.shape[2]), np.uint8)
    for start, rasters in store.iter_rasters(ROWS):
        for place, raster in enumerate(rasters, start):
            thumbnails[place] = resize(raster, SIDE, SIDE).reshape(thumbnails.shape[1:])
    return thumbnails


def _find_first_alike(thumbnails: np.ndarray) -> np.ndarray:
    """Name for each row the first one with the same thumbnail.

    A thousand blank pictures would otherwise make half a million pairs.
    """
    first: dict[bytes, int] = {}
    digests = (hashlib.blake2b(thumb.data, digest_size=16).digest() for thumb in thumbnails)
    alike = [first.setdefault(digest, row) for row, digest in enumerate(digests)]
    return np.array(alike, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _View:
    """Thumbnails as they are compared.

    Attributes
    ----------
    pixels
        Shape ``(n, SIDE, SIDE, channels)``, uint8.
    mean, contrast
        Shape ``(n,)``, float32, in grey levels; the contrast has a lower bound.
    """

    pixels: np.ndarray
    mean: np.ndarray
    contrast: np.ndarray

    @classmethod
    def make(cls, pixels: np.ndarray) -> _View:
        """Measure thumbnails, some at a time: floats take four times the space."""
        mean, contrast = np.empty(len(pixels), np.float32), np.empty(len(pixels), np.float32)
        for at in range(0, len(pixels), ROWS):
            flat = pixels[at : at + ROWS].reshape(-1, pixels[0].size).astype(np.float32)
            mean[at : at + ROWS] = flat.mean(axis=1)
            contrast[at : at + ROWS] = flat.std(axis=1)
        return cls(pixels, mean, np.maximum(contrast, LEAST_CONTRAST))


Found = tuple[np.ndarray, np.ndarray, np.ndarray]


def _compare_all(hashes: np.ndarray, views: _View, config: ImageConfig) -> list[Found]:
    """Compare all pairs, a block of rows at a time; what is kept comes in order."""

    def compare(start: int) -> Found:
        pairs, bits = _propose(hashes, start, config.near_distance)
        return _judge(views, pairs, bits, config.near_difference)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(compare, range(0, len(hashes), ROWS)))


def _propose(hashes: np.ndarray, start: int, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Propose the pairs of a block of rows with later ones, ordered by row, then by bits."""
    rows = hashes[start : start + ROWS, None]
    pairs, bits = [], []
    for column in range(start, len(hashes), COLUMNS):
        near = np.bitwise_count(rows ^ hashes[None, column : column + COLUMNS])
        left, right = np.divmod(np.flatnonzero(near <= distance), near.shape[1])
        later = left + start < right + column
        left, right = left[later], right[later]
        pairs.append(np.stack([left + start, right + column], axis=1))
        bits.append(near[left, right])
    pair, bit = np.concatenate(pairs), np.concatenate(bits)
    order = np.lexsort((bit, pair[:, 0]))
    pair, bit = pair[order], bit[order]
    _, first, count = np.unique(pair[:, 0], return_index=True, return_counts=True)
    kept = np.arange(len(pair)) - np.repeat(first, count) < MAX_CANDIDATES
    return pair[kept], bit[kept]


def _judge(views: _View, pairs: np.ndarray, bits: np.ndarray, most: float) -> Found:
    """Keep the pairs whose pixels differ little; ``pairs`` are ordered by their first row."""
    a, b = pairs.T
    ratio = views.contrast[a] / views.contrast[b]
    kept = np.abs(views.mean[a] - views.mean[b]) <= MAX_BRIGHTNESS_STEP
    kept &= np.maximum(ratio, 1 / ratio) <= MAX_CONTRAST_RATIO
    pairs, bits = pairs[kept], bits[kept]
    difference = _measure_all(views, pairs[:, 0], pairs[:, 1])
    # A blurred picture explains the sharp one less well than the other way round.
    doubtful = np.flatnonzero((difference > most) & (difference <= DOUBTFUL * most))
    turned = doubtful[np.argsort(pairs[doubtful, 1], kind="stable")]
    other_way = _measure_all(views, pairs[turned, 1], pairs[turned, 0])
    difference[turned] = np.minimum(difference[turned], other_way)
    kept = difference <= most
    return pairs[kept], bits[kept], difference[kept]


def _measure_all(views: _View, by: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Measure pairs by their first pictures ``by``, equal ones of which lie together."""
    rows, firsts = np.unique(by, return_index=True)
    ends = np.append(firsts, len(by))[1:].tolist()
    difference = np.empty(len(by), np.float32)
    for at in range(0, len(rows), BASES):
        bases = _make_bases(views.pixels[rows[at : at + BASES]])
        for basis, start, end in zip(bases, firsts[at : at + BASES], ends[at:], strict=False):
            difference[start:end] = _measure_rest(views, basis, others[start:end])
    return difference


def _measure_rest(views: _View, basis: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Measure what one picture, changed slightly, leaves unexplained of others."""
    seen = views.pixels[others].reshape(len(others), -1).astype(np.float32)
    seen -= 128.0  # near zero, squares in single precision lose nothing that counts
    explained = seen @ basis
    rest = np.einsum("ij,ij->i", seen, seen) - np.einsum("ij,ij->i", explained, explained)
    deviation = np.sqrt(np.maximum(rest, 0.0) / seen.shape[1])
    return np.asarray(USUAL_CONTRAST * deviation / views.contrast[others])


def _make_bases(pixels: np.ndarray) -> np.ndarray:
    """Make an orthonormal basis of slight changes of each picture.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, SIDE² × channels, 5)``, float32.
    """
    padded = np.pad(pixels.astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    values = padded[:, 1:-1, 1:-1]
    up, down = padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]
    left, right = padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]
    curvature = up + down + left + right - 4.0 * values
    changes = [np.ones_like(values), values, right - left, down - up, curvature]
    flat = np.stack([change.reshape(len(pixels), -1) for change in changes], axis=2)
    return np.asarray(np.linalg.qr(flat)[0])


def _group(pairs: np.ndarray, rows: int) -> np.ndarray:
    """Give each row the first row that hangs together with it."""
    parents = list(range(rows))

    def find(row: int) -> int:
        """Go up to the first row, halving the way for the next time."""
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    for a, b in pairs.tolist():
        first, second = sorted((find(a), find(b)))
        parents[second] = first
    return np.array([find(row) for row in range(rows)], dtype=np.int64)


def group_near_duplicates(rows: Path, config: DatasetConfig) -> tuple[np.ndarray, NearFacts]:
    """Group pictures that are nearly the same, so that no two splits share them.

    Parameters
    ----------
    rows
        What the step of ingest wrote.

    Returns
    -------
    groups
        Shape ``(n,)``: near-duplicates have the same number.
    facts
        How many there are, with examples; those of different labels first.
    """
    frame = read_all(rows, [ROW_ID, config.target, PIXEL_HASH, "perceptual_hash"])
    hashes = np.array([int(text, 16) for text in frame["perceptual_hash"]], np.uint64)
    near = find_near_duplicates(hashes, PictureStore(rows), config.image)
    pixels = frame[PIXEL_HASH].to_numpy(dtype=object)
    labels = frame[config.target].to_numpy(dtype=object)
    first, second = near.pairs[:, 0], near.pairs[:, 1]
    unlike = pixels[first] != pixels[second]
    first, second = first[unlike], second[unlike]
    bits, difference = near.bits[unlike], near.difference[unlike]
    across = labels[first] != labels[second]
    order = np.lexsort((difference, ~across))[:SHOWN_PAIRS]
    ids = frame[ROW_ID].to_numpy(dtype=object)
    examples = [
        NearPair(
            str(ids[first[i]]),
            str(ids[second[i]]),
            int(bits[i]),
            float(difference[i]),
            (str(labels[first[i]]), str(labels[second[i]])),
        )
        for i in order
    ]
    groups = len(np.unique(near.groups[first]))
    return near.groups, NearFacts(len(first), groups, int(across.sum()), examples)
