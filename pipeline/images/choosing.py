"""Which size and channels suit the pictures of a source: what ``assay init`` writes down."""

from __future__ import annotations

import random
from collections import Counter
from statistics import median

from pipeline.config.image import ImageConfig
from pipeline.errors import DataContractError
from pipeline.images.decoding import read_header
from pipeline.images.listing import PictureList
from pipeline.ingest.picture_facts import Unreadable

SAMPLED = 500
LARGEST, SMALLEST = 224, 4
NEARLY_ALL = 0.95
# Pictures whose aspects are within a fifth of the middle one lose little at the edges.
ALIKE = 1.2
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L"})


def choose_image_config(pictures: PictureList) -> ImageConfig:
    """Choose how pictures are shaped from the headers of at most 500 of them.

    One size for nearly all is kept, up to 224 pixels; else it is a square of the middle smaller
    side. Nearly all grey: one channel. Aspects that are alike: cropped; else padded.

    Raises
    ------
    DataContractError
        If none of the sampled pictures can be read.
    """
    config = ImageConfig()
    places = range(len(pictures.pictures))
    # Read in the list's order: a Parquet source is read forward.
    chosen = sorted(random.Random(0).sample(places, min(SAMPLED, len(places))))
    headers: list[tuple[int, int, str]] = []
    reasons: Counter[str] = Counter()
    for place in chosen:
        try:
            headers.append(read_header(pictures.pictures[place].read(), config))
        except Unreadable as fault:
            reasons[fault.reason] += 1
    if not headers:
        told = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(5))
        raise DataContractError(
            "ingest", f"none of {len(chosen)} sampled pictures can be read: {told}",
            "Give undamaged pictures",
        )  # fmt: skip
    width, height = _choose_size([(w, h) for w, h, _ in headers])
    grey = sum(mode in GREY_MODES for *_, mode in headers) >= NEARLY_ALL * len(headers)
    aspects = [w / h for w, h, _ in headers]
    middle = median(aspects)
    alike = sum(1 / ALIKE <= aspect / middle <= ALIKE for aspect in aspects)
    return ImageConfig(
        height=height,
        width=width,
        channels=1 if grey else 3,
        fit="crop" if alike >= NEARLY_ALL * len(aspects) else "pad",
    )


def _choose_size(sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """Choose width and height."""
    (width, height), count = Counter(sizes).most_common(1)[0]
    if count < NEARLY_ALL * len(sizes):
        width = height = round(median(min(size) for size in sizes))
    scale = min(1.0, LARGEST / max(width, height))
    return max(SMALLEST, round(width * scale)), max(SMALLEST, round(height * scale))
