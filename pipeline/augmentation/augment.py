"""The room's door: plan an augmentation, and change pictures one by one as planned."""

from __future__ import annotations

import numpy as np

from pipeline.augmentation import geometry, tones
from pipeline.augmentation.draws import Draws, key_rows
from pipeline.augmentation.transform_plan import TransformPlan, describe_plan, plan_augmentation

__all__ = ["TransformPlan", "augment", "describe_plan", "key_rows", "plan_augmentation"]


def augment(
    pictures: np.ndarray,
    keys: np.ndarray,
    plan: TransformPlan,
    *,
    seed: int,
    epoch: int,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Change pictures at random as planned.

    In this order: geometry, tones, blur, noise, cutout, ``transforms``. A picture's changes depend
    on its key, the seed and the epoch alone: any batching or order of rows gives the same pictures.

    Parameters
    ----------
    pictures
        Shape ``(n, height, width, channels)``, uint8; never changed.
    keys
        Shape ``(n,)``, uint64, from `draws.key_rows`.
    plan
        From `plan_augmentation`, for pictures of this shape.
    seed, epoch
        Root seed, and the pass over the data, which varies the draw.
    out
        Where to write the result: C-contiguous, apart from ``pictures``; left out: a new array.

    Returns
    -------
    numpy.ndarray
        Of the shape and type of ``pictures``.

    Raises
    ------
    ValueError
        If shapes or types are not those of the plan.
    StageError
        If a transform drawn at random changed the shape or type of a picture.
    """
    _check(pictures, keys, plan)
    pictures = np.ascontiguousarray(pictures)
    result = np.empty_like(pictures) if out is None else out
    draws = Draws(keys, seed, epoch)
    if plan.warps:
        moves = geometry.draw_moves(plan, draws)
        matrices = geometry.build_matrices(moves, plan.height, plan.width)
        geometry.warp(pictures, matrices, plan.fill_mode, plan.cval, result)
    elif plan.flips:
        geometry.flip(pictures, *geometry.draw_flips(plan, draws), result)
    else:
        np.copyto(result, pictures)
    for wanted, change in (
        (plan.tones, tones.map_tones),
        (plan.blur, tones.blur),
        (plan.noise, tones.add_noise),
        (plan.cutout, tones.cut_out),
    ):
        if wanted:
            change(result, plan, draws)
    if plan.transforms:
        from pipeline.augmentation.transforms import apply_transforms

        apply_transforms(result, plan.transforms, draws)
    return result


def _check(pictures: np.ndarray, keys: np.ndarray, plan: TransformPlan) -> None:
    shape = (len(keys), plan.height, plan.width, plan.channels)
    if pictures.shape != shape or pictures.dtype != np.uint8:
        msg = f"pictures are {pictures.dtype} {pictures.shape}, the plan and keys say uint8 {shape}"
        raise ValueError(msg)
