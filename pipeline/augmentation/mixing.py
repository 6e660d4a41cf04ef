"""MixUp and CutMix: pictures and targets of a batch mixed in pairs."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.augmentation.draws import Draws
from pipeline.augmentation.transform_plan import TransformPlan


def mix_batch(
    pictures: np.ndarray,
    targets: np.ndarray,
    keys: np.ndarray,
    plan: TransformPlan,
    *,
    seed: int,
    epoch: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Mix each picture of a batch with a partner, and their targets by the same shares.

    MixUp (Zhang et al. 2018) blends the two; CutMix (Yun et al. 2019) pastes a rectangle of the
    partner, whose share of the area is the partner's share of the target. Where both are on, a coin
    decides for each picture. Each share is drawn from Beta(alpha, alpha) by the row's key, and the
    partner depends on the keys in the batch, not on their order.

    Parameters
    ----------
    pictures
        Shape ``(n, height, width, channels)``, uint8; never changed.
    targets
        Shape ``(n, classes)``, float32, one-hot; mixing is linear, so they may be weighted.
    keys
        Shape ``(n,)``, uint64.

    Returns
    -------
    tuple of numpy.ndarray
        New pictures and targets, of the same shapes and types.

    Raises
    ------
    ValueError
        If targets are not one-hot.
    """
    if targets.ndim != 2 or len(targets) != len(pictures):
        msg = f"mixing needs one-hot targets of {len(pictures)} rows, got shape {targets.shape}"
        raise ValueError(msg)
    if not plan.mixes or len(pictures) < 2:
        return pictures.copy(), targets.astype(np.float32)
    draws = Draws(keys, seed, epoch)
    partners = _pair(draws)
    cuts = _choose_cuts(plan, draws)
    own = np.where(cuts, _draw_beta(draws, plan.cutmix), _draw_beta(draws, plan.mixup))
    mixed = np.empty_like(pictures)
    boxes = _draw_boxes(own, plan, draws)
    for row, partner in enumerate(partners.tolist()):
        if cuts[row]:
            top, bottom, left, right = boxes[row].tolist()
            mixed[row] = pictures[row]
            mixed[row, top:bottom, left:right] = pictures[partner, top:bottom, left:right]
            own[row] = 1 - (bottom - top) * (right - left) / (plan.height * plan.width)
        else:
            share = float(own[row])
            cv2.addWeighted(pictures[row], share, pictures[partner], 1 - share, 0, mixed[row])
    shares = own.astype(np.float32)[:, None]
    return mixed, np.asarray(shares * targets + (1 - shares) * targets[partners], np.float32)


def _pair(draws: Draws) -> np.ndarray:
    """Arrange the rows in a random circle; each one's partner is its neighbour, never itself."""
    circle = np.argsort(draws.bits("partner"), kind="stable")
    partners = np.empty_like(circle)
    partners[circle] = np.roll(circle, -1)
    return partners


def _choose_cuts(plan: TransformPlan, draws: Draws) -> np.ndarray:
    """Decide which rows are cut instead of blended."""
    if plan.mixup > 0 and plan.cutmix > 0:
        return draws.coins("mix")
    return np.full(len(draws.keys), plan.cutmix > 0)


def _draw_beta(draws: Draws, alpha: float) -> np.ndarray:
    """Draw from Beta(alpha, alpha) by its inverse distribution function: one number, one draw."""
    if alpha <= 0:
        return np.ones(len(draws.keys))
    from scipy.special import betaincinv

    return np.asarray(betaincinv(alpha, alpha, draws.uniform("share")))


def _draw_boxes(own: np.ndarray, plan: TransformPlan, draws: Draws) -> np.ndarray:
    """Draw rectangles of the picture's aspect and of the area 1 - own, cut at the picture's edge.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, 4)``, int64: top, bottom, left, right.
    """
    boxes = []
    for purpose, side in (("box_y", plan.height), ("box_x", plan.width)):
        half = (side * np.sqrt(1 - own)).astype(np.int64) // 2
        centre = draws.integers(purpose, side)
        boxes += [np.clip(centre - half, 0, side), np.clip(centre + half, 0, side)]
    return np.stack(boxes, axis=1)
