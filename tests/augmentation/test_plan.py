from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.augmentation.augment import describe_plan
from pipeline.augmentation.transform_plan import PRESETS
from pipeline.config.image import AugmentationConfig
from pipeline.errors import ConfigError

Make = Callable[..., Any]


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_never_mirror(plan: Make, preset: str) -> None:
    """No preset flips pictures, and each but 'none' changes them."""
    chosen = plan(preset=preset)
    assert not chosen.flips
    assert chosen.changes == (preset != "none")


def test_declared_keys_override_the_preset(plan: Make) -> None:
    """A declared key counts, also when it switches something off; null is as the preset says."""
    chosen = plan(preset="light", rotation_range=0, zoom_range=None, shear_range=4)
    assert chosen.rotation == 0
    assert chosen.zoom == PRESETS["light"]["zoom_range"]
    assert chosen.shear == 4
    assert chosen.width_shift == PRESETS["light"]["width_shift_range"]


def test_config_survives_json() -> None:
    """A configuration written as JSON, as a worker gets it, reads back equal."""
    config = AugmentationConfig.model_validate(
        {"zoom_range": 0.25, "transforms": ["HorizontalFlip", {"Affine": {"rotate": [-5, 5]}}]}
    )
    assert config.zoom_range == (0.75, 1.25)
    assert AugmentationConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"zoom_range": [1.2, 0.8]}, "low <= high"),
        ({"zoom_range": 1.5}, "low <= high"),
        ({"rotation_range": -1}, "greater than or equal to 0"),
        ({"fill_mode": "mirror"}, "fill_mode"),
        ({"cutout": 1}, "less than 1"),
        ({"transforms": {"Affine": {}}}, "must be a list"),
        ({"transforms": [{"Affine": {}, "Blur": {}}]}, "one transform"),
        ({"rotation": 5}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], match: str) -> None:
    """Values out of bounds, unknown keys and wrong forms are refused."""
    with pytest.raises(ValidationError, match=match):
        AugmentationConfig.model_validate(settings)


def test_what_leaves_nothing_in_sight_is_refused(plan: Make) -> None:
    """A shift as wide as the picture and a zoom from 0 are refused with the fix."""
    with pytest.raises(ConfigError, match=r"width_shift_range is 28 pixels .* Set augmentation"):
        plan(width_shift_range=28)
    with pytest.raises(ConfigError, match="zoom_range starts at 0"):
        plan(zoom_range=1)


@pytest.mark.parametrize(
    ("transforms", "match"),
    [
        ([{"Afine": {}}], "augmentation: transforms names 'Afine'.* did you mean 'Affine'"),
        ([{"Affine": {"rotat": 3}}], "no parameter 'rotat'.* did you mean 'rotate'"),
        ([{"Affine": {"p": 4}}], "Affine refuses p: 4: p: Input should be less than"),
        ([{"Affine": {"rotate": "far"}}], "Affine refuses rotate: 'far'"),
        ([{"OneOf": {"transforms": [{"Blurr": {}}]}}], "'Blurr'.* did you mean 'Blur'"),
        (["Normalize"], r"Normalize leaves a picture of float32 .*Remove Normalize"),
        ([{"RandomCrop": {"height": 9, "width": 9}}], r"uint8 \(9, 9, 3\).*add Resize"),
        ([{"RandomCrop": {"height": 99, "width": 99}}], "RandomCrop fails on a picture of 20"),
        (["BasicTransform"], "transforms names 'BasicTransform'"),
    ],
)
def test_wrong_transforms_are_refused(plan: Make, transforms: list[Any], match: str) -> None:
    """Unknown names and parameters, wrong values, other shapes and types: each with its fix."""
    with pytest.raises(ConfigError, match=match):
        plan(transforms=transforms)


def test_transforms_that_restore_the_size_are_fine(plan: Make) -> None:
    """A transform may change the size if a later one restores it; groups may hold transforms."""
    crop = {"RandomCrop": {"height": 16, "width": 16}}
    resize = {"Resize": {"height": 20, "width": 28}}
    either = {"OneOf": {"transforms": ["Blur", {"GaussNoise": {"std_range": [0.1, 0.2]}}]}}
    assert plan(transforms=[crop, resize, either]).changes


def test_description_names_what_is_applied(plan: Make) -> None:
    """Facts name each change with its values, and nothing that is off."""
    assert describe_plan(plan()) == {}
    settings = {"horizontal_flip": True, "mixup": 0.2, "width_shift_range": 2}
    facts = describe_plan(plan(preset="strong", transforms=["Blur"], **settings))
    assert facts["flips"] == "left to right, every other picture"
    assert facts["rotation"] == "up to 25° either way"
    assert facts["width shift"] == "up to 2 pixels either way"
    assert facts["height shift"] == "up to 15% of the height either way"
    assert facts["brightness"] == "× 0.7 to 1.3"
    assert facts["MixUp"] == "in the batch, alpha 0.2"
    assert facts["transforms"] == "Blur"
    assert "blur" not in facts


def test_albumentations_is_loaded_on_demand() -> None:
    """A plan without transforms loads no albumentations, and the feeder no TensorFlow."""
    code = (
        "import sys; import pipeline.augmentation.feeding, pipeline.augmentation.augment as a; "
        "from pipeline.config.image import AugmentationConfig as C; "
        "a.plan_augmentation(C(preset='strong'), 8, 8, 1); "
        "print({'albumentations', 'tensorflow', 'keras', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
