from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.augmentation.augment import key_rows, plan_augmentation
from pipeline.augmentation.mixing import mix_batch
from pipeline.config.image import AugmentationConfig

Make = Callable[..., Any]


def one_hot(count: int) -> np.ndarray:
    """Give each row a class of its own, so that its parts can be told."""
    return np.eye(count, dtype=np.float32)


@pytest.mark.parametrize("settings", [{"mixup": 0.4}, {"cutmix": 1}, {"mixup": 1, "cutmix": 1}])
def test_targets_are_shares(make: Make, plan: Make, settings: dict[str, float]) -> None:
    """Targets sum to 1, have at most two classes, and arguments are unchanged."""
    pictures, keys = make(40)
    targets = one_hot(40)
    before = pictures.copy()
    mixed, shares = mix_batch(pictures, targets, keys, plan(**settings), seed=0, epoch=0)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert ((shares > 0).sum(axis=1) <= 2).all()
    assert mixed.dtype == np.uint8
    assert shares.dtype == np.float32
    assert not np.array_equal(mixed, pictures)
    np.testing.assert_array_equal(pictures, before)
    np.testing.assert_array_equal(targets, one_hot(40))


def test_mixup_blends_by_the_targets(make: Make, plan: Make) -> None:
    """A MixUp picture is the blend of all pictures by the shares of its target."""
    pictures, keys = make(30)
    mixed, shares = mix_batch(pictures, one_hot(30), keys, plan(mixup=1), seed=1, epoch=0)
    expected = np.tensordot(shares, pictures.astype(np.float32), axes=1)
    np.testing.assert_allclose(mixed, expected, atol=0.51)


def test_cutmix_pastes_by_the_targets(make: Make, plan: Make) -> None:
    """A CutMix picture holds a rectangle of its partner, of the partner's share of the area."""
    pictures, keys = make(30)
    mixed, shares = mix_batch(pictures, one_hot(30), keys, plan(cutmix=1), seed=1, epoch=0)
    for row in range(30):
        foreign = (mixed[row] != pictures[row]).any(axis=2)
        share = np.delete(shares[row], row).sum()
        box = foreign.any(axis=1).sum() * foreign.any(axis=0).sum()
        assert box == pytest.approx(share * 20 * 28, abs=1e-3)
        if box:
            partner = int(np.delete(np.arange(30), row)[np.delete(shares[row], row).argmax()])
            np.testing.assert_array_equal(mixed[row][foreign], pictures[partner][foreign])


def test_mixup_draws_from_beta(plan: Make) -> None:
    """Own shares follow Beta(alpha, alpha): mean 1/2, variance 1 / (8 alpha + 4)."""
    count = 1000
    pictures = np.zeros((count, 20, 28, 3), np.uint8)
    keys = key_rows(np.arange(count).astype(str))
    _, shares = mix_batch(pictures, one_hot(count), keys, plan(mixup=0.4), seed=0, epoch=0)
    own = np.diag(shares)
    variance = 1 / (8 * 0.4 + 4)
    assert abs(own.mean() - 0.5) < 5 * np.sqrt(variance / count)
    assert own.var() == pytest.approx(variance, rel=0.1)


@given(st.permutations(range(9)))
def test_order_in_the_batch_does_not_matter(order: list[int]) -> None:
    """A row is mixed alike wherever it is in its batch."""
    plan = plan_augmentation(AugmentationConfig(mixup=0.5, cutmix=1), 6, 7, 1)
    pictures = np.random.default_rng(0).integers(0, 256, (9, 6, 7, 1), dtype=np.uint8)
    keys = key_rows(np.arange(9).astype(str))
    whole, targets = mix_batch(pictures, one_hot(9), keys, plan, seed=0, epoch=3)
    other, shares = mix_batch(
        pictures[order], one_hot(9)[order], keys[order], plan, seed=0, epoch=3
    )
    np.testing.assert_array_equal(other, whole[order])
    np.testing.assert_array_equal(shares, targets[order])


def test_labels_are_refused(make: Make, plan: Make) -> None:
    """Mixing needs one-hot targets; a batch of one row stays as it is."""
    pictures, keys = make(2)
    with pytest.raises(ValueError, match="one-hot targets of 2 rows"):
        mix_batch(pictures, np.zeros(2), keys, plan(mixup=1), seed=0, epoch=0)
    alone, _ = mix_batch(pictures[:1], one_hot(1), keys[:1], plan(mixup=1), seed=0, epoch=0)
    np.testing.assert_array_equal(alone, pictures[:1])
