"""What is done to training pictures: the configuration with its preset resolved, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.config.image import AugmentationConfig
from pipeline.errors import ConfigError

NEVER: tuple[float, float] = (1.0, 1.0)
OFF: Mapping[str, Any] = {
    "rotation_range": 0.0,
    "width_shift_range": 0.0,
    "height_shift_range": 0.0,
    "shear_range": 0.0,
    "zoom_range": NEVER,
    "crop": 1.0,
    "brightness_range": NEVER,
    "contrast_range": NEVER,
    "channel_shift_range": 0.0,
    "noise": 0.0,
    "blur": 0.0,
    "cutout": 0.0,
}
# No preset mirrors or covers so much that a class could change: a 6 turned by 25 degrees is a 6.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "light": {
        "rotation_range": 8.0,
        "width_shift_range": 0.05,
        "height_shift_range": 0.05,
        "zoom_range": (0.95, 1.05),
    },
    "medium": {
        "rotation_range": 15.0,
        "width_shift_range": 0.1,
        "height_shift_range": 0.1,
        "shear_range": 5.0,
        "zoom_range": (0.9, 1.1),
        "brightness_range": (0.85, 1.15),
        "contrast_range": (0.85, 1.15),
    },
    "strong": {
        "rotation_range": 25.0,
        "width_shift_range": 0.15,
        "height_shift_range": 0.15,
        "shear_range": 10.0,
        "zoom_range": (0.8, 1.2),
        "brightness_range": (0.7, 1.3),
        "contrast_range": (0.7, 1.3),
        "noise": 5.0,
        "cutout": 0.25,
    },
}


@dataclass(frozen=True, slots=True)
class TransformPlan:
    """All that `augment` and `mix_batch` need to know.

    Attributes
    ----------
    height, width, channels
        Of the pictures.
    horizontal_flip, vertical_flip
        Whether every other picture is mirrored.
    rotation, shear
        Largest angles, in degrees.
    width_shift, height_shift
        Largest shifts; below 1 a share of the side, else whole pixels.
    zoom, brightness, contrast
        Lowest and highest factor.
    crop
        Smallest share of the area that is kept.
    fill_mode, cval
        What lies outside of the picture.
    channel_shift, noise
        In grey levels.
    blur
        Largest sigma, in pixels.
    cutout
        Side of the covered square, as a share of the shorter side.
    mixup, cutmix
        Alpha of the Beta distributions; 0 is off.
    transforms
        Albumentations transforms, each a name with its parameters.
    """

    height: int
    width: int
    channels: int
    horizontal_flip: bool
    vertical_flip: bool
    rotation: float
    width_shift: float
    height_shift: float
    shear: float
    zoom: tuple[float, float]
    crop: float
    fill_mode: str
    cval: int
    brightness: tuple[float, float]
    contrast: tuple[float, float]
    channel_shift: float
    noise: float
    blur: float
    cutout: float
    mixup: float
    cutmix: float
    transforms: tuple[Mapping[str, Mapping[str, Any]], ...]

    @property
    def flips(self) -> bool:
        """Whether pictures are mirrored."""
        return self.horizontal_flip or self.vertical_flip

    @property
    def warps(self) -> bool:
        """Whether pictures are resampled, which a mirror image needs not."""
        moves = self.rotation + self.width_shift + self.height_shift + self.shear
        return moves > 0 or self.zoom != NEVER or self.crop < 1

    @property
    def tones(self) -> bool:
        """Whether grey levels are mapped to others."""
        return self.brightness != NEVER or self.contrast != NEVER or self.channel_shift > 0

    @property
    def mixes(self) -> bool:
        """Whether pictures of a batch are mixed, which needs one-hot targets."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def changes(self) -> bool:
        """Whether anything at all is done."""
        spoils = self.noise > 0 or self.blur > 0 or self.cutout > 0 or bool(self.transforms)
        return self.flips or self.warps or self.tones or self.mixes or spoils


def plan_augmentation(
    config: AugmentationConfig, height: int, width: int, channels: int
) -> TransformPlan:
    """Resolve the preset and check the configuration against the pictures' shape.

    Only where ``transforms`` are declared is albumentations imported, and each of them tried.

    Parameters
    ----------
    config
        The section ``augmentation`` of dataset.yaml.
    height, width, channels
        Shape of the pictures, which are 8-bit with 1 or 3 channels.

    Raises
    ------
    ConfigError
        If a shift leaves nothing of a picture in sight, ``zoom_range`` starts at 0, or a transform
        is unknown, has a wrong parameter, fails, or changes shape or type of a picture.

    Examples
    --------
    >>> plan = plan_augmentation(AugmentationConfig(preset="light", zoom_range=0.2), 28, 28, 1)
    >>> plan.rotation, plan.zoom
    (8.0, (0.8, 1.2))
    """
    declared = {name: getattr(config, name) for name in OFF}
    own = {name: value for name, value in declared.items() if value is not None}
    values = {**OFF, **PRESETS[config.preset], **own}
    values = {name.removesuffix("_range"): value for name, value in values.items()}
    same = ("horizontal_flip", "vertical_flip", "fill_mode", "cval", "mixup", "cutmix")
    plan = TransformPlan(
        height,
        width,
        channels,
        **values,
        **{name: getattr(config, name) for name in same},
        transforms=config.transforms,
    )
    _check(plan)
    if plan.transforms:
        from pipeline.augmentation.transforms import check_transforms

        check_transforms(plan.transforms, height, width, channels)
    return plan


def _check(plan: TransformPlan) -> None:
    """Refuse what would leave nothing to see."""
    for name, shift, side in (
        ("width", plan.width_shift, plan.width),
        ("height", plan.height_shift, plan.height),
    ):
        if shift >= side:
            raise ConfigError(
                "augmentation",
                f"{name}_shift_range is {shift:g} pixels but the pictures' {name} is {side}",
                f"Set augmentation.{name}_shift_range to a share below 1, such as 0.1",
            )
    if plan.zoom[0] <= 0:
        raise ConfigError(
            "augmentation",
            f"zoom_range starts at {plan.zoom[0]:g}, where a picture is one pixel of itself",
            "Set augmentation.zoom_range to [low, high] with low above 0, such as [0.9, 1.1]",
        )


def describe_plan(plan: TransformPlan) -> dict[str, str]:
    """List what is applied, with its values, for people.

    Examples
    --------
    >>> describe_plan(plan_augmentation(AugmentationConfig(rotation_range=9), 28, 28, 1))
    {'rotation': 'up to 9° either way', 'fill': 'nearest'}
    """
    facts: dict[str, str] = {}
    flips = {"left to right": plan.horizontal_flip, "upside down": plan.vertical_flip}
    if plan.flips:
        facts["flips"] = " and ".join(n for n, on in flips.items() if on) + ", every other picture"
    facts |= _describe_geometry(plan)
    if plan.warps:
        facts["fill"] = plan.fill_mode + (f" {plan.cval}" if plan.fill_mode == "constant" else "")
    for name, pair in (("brightness", plan.brightness), ("contrast", plan.contrast)):
        if pair != NEVER:
            facts[name] = f"× {pair[0]:g} to {pair[1]:g}"
    levels = {
        "channel shift": (plan.channel_shift, "up to {:g} grey levels either way"),
        "blur": (plan.blur, "sigma up to {:g} pixels"),
        "noise": (plan.noise, "standard deviation {:g} grey levels"),
        "cutout": (plan.cutout, "a square of {:.0%} of the shorter side"),
        "MixUp": (plan.mixup, "in the batch, alpha {:g}"),
        "CutMix": (plan.cutmix, "in the batch, alpha {:g}"),
    }
    facts |= {name: text.format(value) for name, (value, text) in levels.items() if value}
    if plan.transforms:
        facts["transforms"] = ", ".join(name for item in plan.transforms for name in item)
    return facts


def _describe_geometry(plan: TransformPlan) -> dict[str, str]:
    facts = {}
    if plan.rotation:
        facts["rotation"] = f"up to {plan.rotation:g}° either way"
    for name, shift in (("width", plan.width_shift), ("height", plan.height_shift)):
        if shift:
            amount = f"{shift:.0%} of the {name}" if shift < 1 else f"{int(shift)} pixels"
            facts[f"{name} shift"] = f"up to {amount} either way"
    if plan.shear:
        facts["shear"] = f"up to {plan.shear:g}° either way"
    if plan.zoom != NEVER:
        facts["zoom"] = f"{plan.zoom[0]:g} to {plan.zoom[1]:g} of each side seen"
    if plan.crop < 1:
        facts["random crop"] = f"{plan.crop:.0%} to 100% of the area kept"
    return facts
