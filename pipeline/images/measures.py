"""What is measured of a picture, so that suites can judge it as they judge any number."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.images.shaping import resize, to_luminance

SHARPNESS_SIDE = 256
HASH_SIDE = 32


class Measures(NamedTuple):
    """Figures of one picture.

    Attributes
    ----------
    brightness
        Mean luminance, 0 to 255.
    contrast
        Standard deviation of the luminance.
    sharpness
        ``log10(1 + v)`` with ``v`` the variance of the Laplacian (Pech-Pacheco et al. 2000) of the
        luminance, its longer side at most 256 pixels. The variance is so skewed that no fence
        would ever find a blurred picture; its logarithm is nearly symmetric.
    entropy
        Of the luminance's histogram, in bits, 0 to 8.
    perceptual_hash
        64 bits: see ``hash_luminance``.
    """

    brightness: float
    contrast: float
    sharpness: float
    entropy: float
    perceptual_hash: int


def measure(raster: np.ndarray) -> Measures:
    """Measure a picture.

    Parameters
    ----------
    raster
        Shape ``(h, w, 1)`` or ``(h, w, 3)``, uint8.
    """
    luminance = to_luminance(raster)
    counts = cv2.calcHist([luminance], [0], None, [256], [0, 256])
    shares = counts.ravel().astype(np.float64) / luminance.size
    mean = float(shares @ LEVELS)
    variance = float(shares @ (LEVELS - mean) ** 2)
    present = shares[shares > 0]
    return Measures(
        brightness=mean,
        contrast=variance**0.5,
        sharpness=_measure_sharpness(luminance),
        entropy=max(0.0, -float(present @ np.log2(present))),
        perceptual_hash=hash_luminance(luminance),
    )


def hash_luminance(luminance: np.ndarray) -> int:
    """Hash what a picture looks like: like pictures differ in few bits.

    Each bit tells whether one of the 64 lowest frequencies of the 32 × 32 luminance (in the order
    of JPEG's zigzag, without the mean) lies above their median: the DCT hash of Zauner (2010).
    A picture of one colour hashes to 0, so equal hashes alone don't make a near-duplicate.

    Parameters
    ----------
    luminance
        Shape ``(h, w)``, uint8.
    """
    small = resize(luminance, HASH_SIDE, HASH_SIDE).astype(np.float32)
    frequencies = (COSINES @ small @ COSINES.T)[ZIGZAG]
    # What is fainter than the rounding to 8 bits is noise, and would decide bits by chance.
    frequencies[np.abs(frequencies) < FAINT] = 0.0
    middle = np.partition(frequencies, 32)[31:33].mean()
    return int.from_bytes(np.packbits(frequencies > middle).tobytes(), "big")


def _measure_sharpness(luminance: np.ndarray) -> float:
    height, width = luminance.shape
    scale = SHARPNESS_SIDE / max(height, width)
    if scale < 1:
        luminance = resize(luminance, max(1, round(height * scale)), max(1, round(width * scale)))
    _, deviation = cv2.meanStdDev(cv2.Laplacian(luminance, cv2.CV_32F))
    return float(np.log10(1.0 + deviation[0, 0] ** 2))


def _make_cosines() -> np.ndarray:
    """Make the first rows of the orthonormal DCT-II."""
    rows, columns = np.arange(HASH_SIDE)[:, None], np.arange(HASH_SIDE)[None, :]
    basis = np.cos(np.pi * (2 * columns + 1) * rows / (2 * HASH_SIDE)) * np.sqrt(2 / HASH_SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis[:REACH], dtype=np.float32)


def _make_zigzag() -> tuple[np.ndarray, np.ndarray]:
    """List the 64 lowest frequencies but the mean, by the sum of their row and column."""
    places = sorted((r + c, r, c) for r in range(REACH) for c in range(REACH) if r + c > 0)[:64]
    return np.array([r for _, r, _ in places]), np.array([c for _, _, c in places])


REACH = 11
FAINT = 0.5
LEVELS = np.arange(256.0)
COSINES = _make_cosines()
ZIGZAG = _make_zigzag()
