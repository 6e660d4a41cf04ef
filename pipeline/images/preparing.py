"""Pictures of a list, read, decoded, measured and shaped by threads, in the list's order."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.config.image import ImageConfig
from pipeline.images.decoding import Decoded, decode
from pipeline.images.listing import Picture
from pipeline.images.measures import Measures, measure
from pipeline.images.shaping import shape
from pipeline.ingest.picture_facts import Unreadable

CHUNK_PICTURES = 256
CHUNK_BYTES = 16_000_000
# Faster and smaller than level 1 alone; the level resets the strategy, so it comes first.
PNG_OPTIONS = (
    cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE,
)  # fmt: skip


class Seen(NamedTuple):
    """What was seen in a picture that could be decoded.

    Attributes
    ----------
    picture
        Encoded bytes that any reader sees as Assay does: the file's own, or PNG.
    raster
        Shape ``(height, width, channels)`` of the configuration, uint8.
    pixel_hash
        Of the raster, 32 hexadecimal digits: equal ones are the same picture to the network.
    """

    width: int
    height: int
    channels: int
    mode: str
    rules: tuple[str, ...]
    measures: Measures
    pixel_hash: str
    picture: bytes
    raster: np.ndarray


class Prepared(NamedTuple):
    """A picture with its digest (of its bytes and label), and what was seen, or why nothing was."""

    source: Picture
    digest: bytes
    file_size: int
    seen: Seen | None
    reason: str | None


Fetched = tuple[Picture, bytes, str | None]


def prepare_pictures(
    pictures: list[Picture], config: ImageConfig, threads: int = 2
) -> Iterator[Prepared]:
    """Prepare pictures in their order; what comes out is the same for any number of threads.

    Files are read by the calling thread, a bounded chunk ahead of each thread that decodes.

    Parameters
    ----------
    pictures
        Those of the source.
    config
        Size and channels that they are brought to, and pixels that are too many.
    threads
        How many decode at a time.

    Returns
    -------
    iterator of Prepared
        One for each picture, also for one that can't be read.
    """
    raster_bytes = config.height * config.width * config.channels
    most = max(1, min(CHUNK_PICTURES, CHUNK_BYTES // raster_bytes))
    waiting: deque[Future[list[Prepared]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for chunk in _fetch_chunks(pictures, most):
                waiting.append(pool.submit(_prepare_chunk, chunk, config))
                if len(waiting) > threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch_chunks(pictures: list[Picture], most: int) -> Iterator[list[Fetched]]:
    """Read files into chunks that are bounded in pictures and in bytes."""
    chunk: list[Fetched] = []
    size = 0
    for picture in pictures:
        try:
            content, reason = picture.read(), None
        except Unreadable as fault:
            content, reason = b"", fault.reason
        chunk.append((picture, content, reason))
        size += len(content)
        if len(chunk) == most or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _prepare_chunk(chunk: list[Fetched], config: ImageConfig) -> list[Prepared]:
    return [_prepare(picture, content, reason, config) for picture, content, reason in chunk]


def _prepare(picture: Picture, content: bytes, reason: str | None, config: ImageConfig) -> Prepared:
    if reason is not None:
        # Without bytes there is nothing but the name to tell pictures by.
        digest = hashlib.sha256(b"name\0" + picture.name.encode()).digest()
        return Prepared(picture, digest, 0, None, reason)
    label = b"\0" if picture.label is None else b"\1" + picture.label.encode()
    digest = hashlib.sha256(hashlib.sha256(content).digest() + label).digest()
    try:
        seen = look_at(content, config)
    except Unreadable as fault:
        return Prepared(picture, digest, len(content), None, fault.reason)
    return Prepared(picture, digest, len(content), seen, None)


def look_at(content: bytes, config: ImageConfig) -> Seen:
    """Decode, measure and shape a picture.

    Raises
    ------
    Unreadable
        With the reason, if it can't be decoded.
    """
    decoded = decode(content, config)
    raster = shape(decoded.raster, config)
    height, width, channels = decoded.raster.shape
    return Seen(
        width=width,
        height=height,
        channels=channels,
        mode=decoded.mode,
        rules=decoded.rules,
        measures=measure(decoded.raster),
        pixel_hash=hashlib.blake2b(raster.data, digest_size=16).hexdigest(),
        picture=content if decoded.ordinary else _encode(decoded),
        raster=raster,
    )


def _encode(decoded: Decoded) -> bytes:
    """Encode a raster as PNG."""
    raster = decoded.raster
    ordered = raster if raster.shape[2] == 1 else cv2.cvtColor(raster, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".png", ordered, PNG_OPTIONS)
    return encoded.tobytes()
