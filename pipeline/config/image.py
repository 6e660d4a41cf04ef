"""The knobs of image data: how pictures are read and shaped, and how they are augmented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from pipeline.config.sections import Fraction, Section

Range = Annotated[tuple[float, float], AfterValidator(lambda given: _order(given))]
# ImageDataGenerator takes 0.2 for [0.8, 1.2].
Zoom = Annotated[Range, BeforeValidator(lambda given: _spread(given))]
# A list of albumentations transforms; a name alone stands for its defaults.
Transforms = Annotated[
    tuple[Mapping[str, Mapping[str, Any]], ...],
    BeforeValidator(lambda given: _list_transforms(given)),
]


def _order(given: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= given[0] <= given[1] <= 10:
        raise ValueError("it must be [low, high] with 0 <= low <= high <= 10")
    return given


def _spread(given: object) -> object:
    alone = isinstance(given, int | float) and not isinstance(given, bool)
    return (1 - given, 1 + given) if alone else given  # type: ignore[operator]


def _list_transforms(given: object) -> object:
    if not isinstance(given, list | tuple):
        raise ValueError("it must be a list of albumentations transforms")
    named = [{item: {}} if isinstance(item, str) else item for item in given]
    for item in named:
        if not isinstance(item, Mapping) or len(item) != 1:
            raise ValueError(
                "each item must be one transform with its parameters, "
                "such as `- Affine: {rotate: [-10, 10], p: 0.5}`"
            )
    return [{name: values or {} for name, values in item.items()} for item in named]


class ImageConfig(Section):
    """Pictures as the network is to see them."""

    height: int = Field(64, ge=4, le=1024, description="in pixels")
    width: int = Field(64, ge=4, le=1024, description="in pixels")
    channels: Literal[1, 3] = Field(3, description="1 grey, 3 RGB")
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="what happens to a picture of another aspect"
    )
    background: int = Field(
        255, ge=0, le=255, description="grey under transparent pixels and around padded ones"
    )
    max_pixels: int = Field(
        50_000_000, ge=1_000, description="pictures with more pixels are not decoded"
    )
    column: str | None = Field(None, description="the image column of a Parquet source")
    near_distance: int = Field(
        6, ge=0, le=16, description="near-duplicates differ in so many of 64 hash bits at most"
    )
    near_difference: Fraction = Field(
        0.03, description="and in their pixels by so much of the grey scale, root mean square"
    )


class AugmentationConfig(Section):
    """Random changes of training pictures; what is left out is as the preset says.

    The names of Keras' ImageDataGenerator mean what they mean there, with three differences:
    ``width_shift_range`` moves along the width and ``height_shift_range`` along the height (Keras
    3.15 swaps them), ``channel_shift_range`` is clipped to 0..255, and a shift is one number.
    """

    preset: Literal["none", "light", "medium", "strong"] = Field(
        "none",
        description="a set of defaults; keys below override it. No preset mirrors pictures: "
        "digits, letters and traffic signs lose their class by it",
    )
    horizontal_flip: bool = Field(False, description="mirror every other picture left to right")
    vertical_flip: bool = Field(False, description="mirror every other picture upside down")
    rotation_range: float | None = Field(
        None, ge=0, le=180, description="turn by up to so many degrees either way"
    )
    width_shift_range: float | None = Field(
        None,
        ge=0,
        le=1024,
        description="move sideways by up to this share of the width; from 1 on, by whole pixels",
    )
    height_shift_range: float | None = Field(
        None,
        ge=0,
        le=1024,
        description="move up or down by up to this share of the height; from 1 on, by whole pixels",
    )
    shear_range: float | None = Field(
        None, ge=0, le=80, description="slant by up to so many degrees either way"
    )
    zoom_range: Zoom | None = Field(
        None,
        description="[low, high] of the share of width and of height that is seen, drawn apart: "
        "below 1 enlarges; a number z stands for [1 - z, 1 + z]",
    )
    crop: float | None = Field(
        None, gt=0, le=1, description="smallest share of the area that a random crop keeps; 1 off"
    )
    fill_mode: Literal["nearest", "constant", "reflect", "wrap"] = Field(
        "nearest", description="what lies outside of the picture"
    )
    cval: int = Field(0, ge=0, le=255, description="grey of fill_mode 'constant' and of cutout")
    brightness_range: Range | None = Field(
        None, description="[low, high] of the factor on all values"
    )
    contrast_range: Range | None = Field(
        None, description="[low, high] of the factor on the distance to the picture's mean"
    )
    channel_shift_range: float | None = Field(
        None, ge=0, le=255, description="add up to so many grey levels either way"
    )
    noise: float | None = Field(
        None, ge=0, le=128, description="standard deviation of Gaussian noise, in grey levels"
    )
    blur: float | None = Field(
        None, ge=0, le=16, description="largest sigma of a Gaussian blur, in pixels"
    )
    cutout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="side of the square that is covered, as a share of the shorter side",
    )
    mixup: float = Field(
        0.0, ge=0, le=10, description="alpha of MixUp's Beta distribution; 0 off, 0.2 is usual"
    )
    cutmix: float = Field(
        0.0, ge=0, le=10, description="alpha of CutMix's Beta distribution; 0 off, 1 is usual"
    )
    transforms: Transforms = Field(
        (), description="albumentations transforms by their names, applied last, in their order"
    )
