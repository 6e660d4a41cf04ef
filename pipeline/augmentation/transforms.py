"""Albumentations transforms by their own names and parameters."""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np

from pipeline.augmentation.draws import Draws
from pipeline.errors import ConfigError, StageError, name_near_misses

# It looks for a newer version of itself on the network as it is imported.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations  # type: ignore[import-untyped] # it ships no types

cv2.setNumThreads(0)

Declared = Iterable[Mapping[str, Mapping[str, Any]]]
GROUPS = ("OneOf", "SomeOf", "Sequential", "RandomOrder")


def check_transforms(declared: Declared, height: int, width: int, channels: int) -> None:
    """Check names and parameters, and try all transforms on a picture of this shape.

    Parameters
    ----------
    declared
        albumentations transforms by name, each with its parameters, in their order.
    height, width, channels
        Of the pictures that the network is to see.

    Raises
    ------
    ConfigError
        If a transform is unknown, has an unknown parameter or a wrong value, needs more than a
        picture, or changes the picture's shape or type.
    """
    declared = list(declared)
    ramp = np.linspace(0, 255, height * width * channels).reshape(height, width, channels)
    picture = ramp.astype(np.uint8)
    for end, item in enumerate(declared, start=1):
        name = next(iter(item))
        # With those before it: a crop, say, is fine where its result is resized.
        chain = _compose(declared[:end])
        _always(chain)
        try:
            result = chain(image=picture)["image"]
        except Exception as error:
            raise _refuse(
                f"{name} fails on a picture of {height} × {width} × {channels}: "
                f"{_first_line(error)}",
                f"Correct its parameters, or remove {name} from augmentation.transforms",
            ) from error
    if declared and (result.shape != picture.shape or result.dtype != np.uint8):
        raise _refuse(
            f"{name} leaves a picture of {result.dtype} {result.shape}, "
            f"but the network is to see uint8 {picture.shape}",
            f"Remove {name} from augmentation.transforms, or add Resize: "
            f"{{height: {height}, width: {width}}} after it",
        )


def apply_transforms(pictures: np.ndarray, declared: Declared, draws: Draws) -> None:
    """Apply the transforms to each picture in place, seeded by its key.

    Parameters
    ----------
    pictures
        Shape ``(n, height, width, channels)``, uint8; changed in place.
    declared
        albumentations transforms by name, each with its parameters, in their order.
    draws
        Random numbers, of each picture its own.

    Raises
    ------
    StageError
        If a transform that was drawn changed the picture's shape or type.
    """
    chain = _compose(declared)
    for row, bits in enumerate(draws.bits("transforms").tolist()):
        # One generator for the whole chain: by set_random_seed each transform would have a copy,
        # and all of them would draw the same numbers.
        chain.set_random_state(np.random.default_rng(bits), random.Random(bits))
        result = chain(image=pictures[row])["image"]
        if result.shape != pictures[row].shape or result.dtype != np.uint8:
            raise StageError(
                "augmentation",
                f"transforms made {result.dtype} {result.shape} of a picture of "
                f"uint8 {pictures[row].shape}",
                "Set p: 1 on the last transform that restores the size",
            )
        pictures[row] = result


def _compose(declared: Declared) -> albumentations.Compose:
    return albumentations.Compose([_build(*pair) for item in declared for pair in item.items()])


def _build(name: str, parameters: Mapping[str, Any]) -> Any:
    """Build one transform, or a group of them, from its name and parameters."""
    kind = _find(name)
    given = dict(parameters)
    known = [item for item in inspect.signature(kind).parameters if item != "self"]
    for wrong in [item for item in given if item not in known]:
        raise _refuse(
            f"{name} has no parameter {wrong!r}",
            f"Correct it in augmentation.transforms: {name_near_misses(str(wrong), known)}",
        )
    if name in GROUPS:
        given["transforms"] = [
            _build(*pair)
            for item in given.get("transforms", [])
            for pair in ({item: {}} if isinstance(item, str) else item).items()
        ]
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise _refuse(
            f"{name} refuses {_quote(given)}: {_first_line(error)}",
            f"Correct the parameters of {name} in augmentation.transforms",
        ) from error


def _find(name: str) -> Any:
    """Find a transform of pictures by its name."""
    kinds = {
        item: kind
        for item, kind in vars(albumentations).items()
        if item in GROUPS
        or (inspect.isclass(kind) and issubclass(kind, albumentations.BasicTransform))
    }
    abstract = ("BasicTransform", "ImageOnlyTransform", "DualTransform", "Transform3D", "Lambda")
    known = [item for item in kinds if item not in abstract]
    if name not in known:
        raise _refuse(
            f"transforms names {name!r}, which albumentations {albumentations.__version__} lacks",
            f"Correct it: {name_near_misses(name, known)}",
        )
    return kinds[name]


def _always(chain: Any) -> None:
    """Let every transform of a chain happen, so that a trial sees each of them."""
    for transform in getattr(chain, "transforms", []):
        transform.p = 1.0
        _always(transform)


def _refuse(problem: str, fix: str) -> ConfigError:
    return ConfigError("augmentation", problem, fix)


def _quote(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value!r:.40}" for name, value in given.items()) or "no parameters"


def _first_line(error: BaseException) -> str:
    """Say what pydantic, inside of albumentations, found first; else the first line."""
    from pydantic import ValidationError

    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, ValidationError):
        found = cause.errors()[0]
        return f"{found['loc'][0] if found['loc'] else 'it'}: {found['msg']}"
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
