"""From picture files to what the network saw in training."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.image import ImageConfig
from pipeline.errors import DataContractError
from pipeline.images.decoding import decode
from pipeline.images.shaping import shape
from pipeline.ingest.picture_facts import Unreadable
from pipeline.storage.store import load_facts

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "picture.json"


@dataclass(frozen=True, slots=True)
class PicturePreprocessor:
    """How pictures are read, turned upright, and brought to their size.

    Attributes
    ----------
    classes
        In the order of the network's outputs.
    """

    image: ImageConfig
    classes: list[str]

    def transform(
        self, pictures: Sequence[str | Path | bytes | Image | np.ndarray] | np.ndarray
    ) -> np.ndarray:
        """Turn pictures into what the network takes.

        Parameters
        ----------
        pictures
            Paths, the bytes of files, pictures of Pillow, or uint8 arrays ``(height, width)`` or
            ``(height, width, 1 or 3)``.

        Returns
        -------
        numpy.ndarray
            Shape ``(n, height, width, channels)``, uint8, as the training saw it.

        Raises
        ------
        DataContractError
            If one of them can't be read, or no sequence of pictures was given.
        """
        # An array (height, width, 3) would be taken for as many grey pictures of 3 columns.
        single = isinstance(pictures, np.ndarray) and (
            pictures.ndim < 3 or (pictures.ndim == 3 and pictures.shape[2] in (1, 3))
        )
        if single or _is_pillow(pictures) or isinstance(pictures, str | Path | bytes):
            raise DataContractError(
                "preprocessor", "one picture was given where a list of them is wanted",
                "Put it in a list: [picture]",
            )  # fmt: skip
        form = (self.image.height, self.image.width, self.image.channels)
        result = np.empty((len(pictures), *form), np.uint8)
        for number, picture in enumerate(pictures):
            result[number] = shape(self._read(picture, number), self.image)
        return result

    def _read(self, picture: str | Path | bytes | Image | np.ndarray, number: int) -> np.ndarray:
        if not isinstance(picture, str | Path | bytes | np.ndarray):
            picture = _write_picture(picture)
        if isinstance(picture, np.ndarray):
            _check_array(picture, number)
            return picture if picture.ndim == 3 else picture[:, :, None]
        name = f"number {number}" if isinstance(picture, bytes) else str(picture)
        try:
            content = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
            return decode(content, self.image).raster
        except (Unreadable, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataContractError(
                "preprocessor", f"the picture {name} can't be read: {reason}",
                "Give a picture file, or leave it out",
            ) from None  # fmt: skip


def _is_pillow(value: object) -> bool:
    """Tell a picture of Pillow, without an import of it where nobody has made one."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def _write_picture(picture: Image) -> bytes:
    """Write a picture of Pillow as a file, without loss: files are read in one way."""
    content = BytesIO()
    known = picture.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I")
    (picture if known else picture.convert("RGB")).save(content, "PNG", exif=picture.getexif())
    return content.getvalue()


def _check_array(picture: np.ndarray, number: int) -> None:
    """Refuse what is no raster of 8 bits: shares of white, say, would all become black."""
    shaped = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (1, 3))
    if picture.dtype != np.uint8 or not shaped or not picture.size:
        raise DataContractError(
            "preprocessor",
            f"the picture number {number} can't be read: an array of {picture.dtype} of shape "
            f"{picture.shape}",
            "Give uint8 from 0 to 255 of shape (height, width) or (height, width, 1 or 3)",
        )


def load_picture_preprocessor(folder: Path) -> PicturePreprocessor:
    """Load a preprocessor of pictures from the ``preprocessor`` folder of a version."""
    return load_facts(folder / FILE, PicturePreprocessor)
