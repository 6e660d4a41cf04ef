"""A file's bytes to a raster of 8 bits, by rules that are counted, or a reason why not.

The network, at inference too, sees what this module returns: one decoding for all.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np

# Image.open tries only what is registered; WebP, TIFF and MPO would be found at the second attempt.
from PIL import Image, MpoImagePlugin, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401

from pipeline.config.image import ImageConfig
from pipeline.ingest.picture_facts import Unreadable

# Named, so that no other of Pillow's readers (one of them runs Ghostscript) sees a user's file.
# A phone's MPO is opened as the JPEG that it begins with.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
# What any reader of pictures takes as it is.
KEPT_FORMATS = frozenset({"PNG", "JPEG", "MPO", "WEBP", "BMP"})
ORIENTATION = 0x0112
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_DEPTH = 24  # where a PNG's header holds the bits of a sample

# The size is checked here, by config.max_pixels, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None
# What Pillow warns of is either got over or an error that is counted.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
Image.preinit()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as a raster of its native size.

    Attributes
    ----------
    raster
        Shape ``(h, w, 1)`` if its mode is grey, else ``(h, w, 3)`` RGB; uint8.
    mode, format
        The file's own, in Pillow's words: ``RGBA``, ``PNG``.
    rules
        What was done to it, in order: ``palette``, ``alpha``, ``CMYK``, ``16-bit``, ``1-bit``,
        ``colour space``, ``animated``, ``rotated by EXIF``.
    ordinary
        Whether the file is an upright single picture of 8 bits that any reader sees the same.
    """

    raster: np.ndarray
    mode: str
    format: str
    rules: tuple[str, ...]
    ordinary: bool


def decode(content: bytes, config: ImageConfig) -> Decoded:
    """Decode a picture.

    Parameters
    ----------
    content
        The bytes of a PNG, JPEG, WebP, GIF, BMP or TIFF file.

    Raises
    ------
    Unreadable
        If there are no bytes, they are no picture, are truncated or damaged, or hold more than
        ``config.max_pixels``, which is checked before they are decoded.
    """
    image = _open(content, config.max_pixels)
    mode, form = image.mode, str(image.format)
    depth = content[PNG_DEPTH] if content[:8] == PNG_SIGNATURE else 8
    try:
        # Pillow turns a TIFF upright as it loads it, and then forgets that it did.
        turned = form == "TIFF" and image.getexif().get(ORIENTATION, 1) != 1
        image.load()
        rules: list[str] = []
        flat = _flatten(image, config.background, depth, rules)
        if has_frames(image):
            rules.append("animated")
        upright = _turn(flat, image)
        if turned or upright is not flat:
            rules.append("rotated by EXIF")
        raster = np.asarray(upright)
    # Pillow's readers raise whatever their parsing trips over, IndexError and SyntaxError included.
    except Exception as error:
        raise Unreadable(_name_fault(error)) from None
    ordinary = not rules and depth == 8 and form in KEPT_FORMATS and mode in ("L", "RGB")
    raster = raster[:, :, None] if raster.ndim == 2 else raster
    return Decoded(raster, mode, "JPEG" if form == "MPO" else form, tuple(rules), ordinary)


def read_header(content: bytes, config: ImageConfig) -> tuple[int, int, str]:
    """Read a picture's width, height and mode, without decoding it.

    Raises
    ------
    Unreadable
        As ``decode``, for what the header can tell.
    """
    image = _open(content, config.max_pixels)
    return image.width, image.height, image.mode


def has_frames(image: Image.Image) -> bool:
    """Tell whether a picture has several frames; a phone's JPEG with a preview has one."""
    if image.format not in ("GIF", "WEBP", "PNG", "TIFF"):
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # the frames after the first one may be damaged in any way
        return False


def _open(content: bytes, max_pixels: int) -> Image.Image:
    """Read a picture's header, and refuse what need not be decoded to be refused."""
    if not content:
        raise Unreadable("empty file")
    # Pillow would call a WebP that ends early no picture at all.
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    if is_webp and len(content) < int.from_bytes(content[4:8], "little") + 8:
        raise Unreadable("truncated")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise Unreadable(_name_unidentified(content)) from None
    except Exception as error:
        raise Unreadable(_name_fault(error)) from None
    if image.width * image.height > max_pixels:
        raise Unreadable(f"more than {max_pixels} pixels")
    return image


def _name_unidentified(content: bytes) -> str:
    """Tell a picture with a broken header from what never was one."""
    starts = (PNG_SIGNATURE, b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    return "damaged" if is_webp or content.startswith(starts) else "not a picture"


def _name_fault(error: Exception) -> str:
    text = str(error).lower()
    return "truncated" if isinstance(error, EOFError) or "truncated" in text else "damaged"


def _flatten(image: Image.Image, background: int, depth: int, rules: list[str]) -> Image.Image:
    """Bring a loaded picture to mode L or RGB, opaque."""
    mode = image.mode
    if mode == "P":
        rules.append("palette")
    if mode in ("I", "F") or mode.startswith("I;16"):
        rules.append("16-bit")
        return Image.fromarray(_scale_deep(np.asarray(image)))
    if depth == 16:
        rules.append("16-bit")  # Pillow has kept the upper 8 bits of each sample
    if image.has_transparency_data:
        return _lay(image, background, rules)
    if mode in ("L", "RGB"):
        return image
    if mode == "1":
        rules.append("1-bit")
        return image.convert("L")
    if mode != "P":
        rules.append("CMYK" if mode == "CMYK" else "colour space")
    return image.convert("RGB")


def _lay(image: Image.Image, background: int, rules: list[str]) -> Image.Image:
    """Lay a picture with transparent pixels on a grey ground."""
    is_grey = image.mode in ("L", "LA", "La", "1")
    layered = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    alpha = layered.getchannel("A")
    opaque = layered.convert("L" if is_grey else "RGB")
    lowest = alpha.getextrema()[0]
    if lowest == 255:
        return opaque
    rules.append("alpha")
    ground = Image.new(opaque.mode, opaque.size, background if is_grey else (background,) * 3)
    ground.paste(opaque, mask=alpha)
    return ground


def _scale_deep(values: np.ndarray) -> np.ndarray:
    """Scale deep samples to 8 bits by what their kind can hold, never by the picture's own range.

    Floats are shares of white if none is above 1; integers are of 16 bits.
    """
    if values.dtype.kind == "f":
        finite = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
        scaled = finite * 255.0 if finite.max(initial=0.0) <= 1.0 else finite
        return np.asarray(np.clip(np.rint(scaled), 0, 255), dtype=np.uint8)
    return np.asarray(np.clip(values, 0, 65_535).astype(np.uint32) >> 8, dtype=np.uint8)


def _turn(flat: Image.Image, image: Image.Image) -> Image.Image:
    """Turn a picture upright as its EXIF says; the same object if it is upright."""
    if image.format == "TIFF" or not any("exif" in str(k).lower() or "xmp" in str(k).lower()
                                         for k in image.info):  # fmt: skip
        return flat
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    # Broken EXIF is no reason to lose a picture.
    except (ValueError, KeyError, TypeError, SyntaxError, OSError, struct.error):
        return flat
    method = TURNS.get(orientation)
    return flat if method is None else flat.transpose(method)


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
