"""Pictures with structure, so that a wrong move shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.augmentation.augment import TransformPlan, key_rows, plan_augmentation
from pipeline.config.image import AugmentationConfig


@pytest.fixture(scope="session")
def make() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Give random pictures and their keys."""

    def make(
        count: int, height: int = 20, width: int = 28, channels: int = 3
    ) -> tuple[np.ndarray, np.ndarray]:
        shape = (count, height, width, channels)
        pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        return pictures, key_rows(np.arange(count).astype(str))

    return make


@pytest.fixture(scope="session")
def plan() -> Callable[..., TransformPlan]:
    """TransformPlan from settings, for the pictures of ``make``."""

    def plan(
        height: int = 20, width: int = 28, channels: int = 3, **settings: object
    ) -> TransformPlan:
        config = AugmentationConfig.model_validate(settings)
        return plan_augmentation(config, height, width, channels)

    return plan
