"""Where the paper's method starts without a trajectory: a neutral posture, the pelvis placed by the trunk's points.

The paper starts from a constant neutral pose. Of people who turn, that would put half the frames back to front, which
gradient descent does not undo; so the pelvis' rough pose is taken from triangulated points. Neutral are the usual
angles of `priors`: a straight arm does not say which way its elbow will bend. F frames, K keypoints.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from ..body.model import NEUTRAL_QPOS, sites
from ..body.shape import ShapeModel, shape_parameters
from ..cameras.camera import undistort
from ..errors import InputError
from . import priors
from .bundle import Piece
from .start_postures import placement, quaternion_wxyz

FEWEST_TRUNK_POINTS = 3
"""Points of the trunk that two cameras see, without which a frame does not say where the pelvis is."""


def neutral_start(model: ShapeModel, shape: np.ndarray, piece: Piece, trunk: np.ndarray) -> np.ndarray:
    """(F, 41) every joint at its usual angle, the pelvis where triangulated points of the trunk place it in each frame.

    `trunk` (K,): their weights (`start_postures.trunk_weights`). Frames that see too few take the nearest one's.
    """
    neutral = np.concatenate([NEUTRAL_QPOS[:7], priors.POSTURE_MEAN_RAD]).astype(np.float32)
    neutral_m = np.asarray(sites(shape_parameters(model, jnp.asarray(shape, jnp.float32)), jnp.asarray(neutral)))
    points_m, known = triangulated(piece)
    weights = known * trunk
    placed = np.flatnonzero((weights > 0).sum(1) >= FEWEST_TRUNK_POINTS)
    if not placed.size:
        raise InputError(f"no frame shows {FEWEST_TRUNK_POINTS} points of the trunk to two cameras")
    qpos = np.tile(neutral, (len(piece), 1))
    for row in placed:
        rotation, shift_m = placement(neutral_m, points_m[row], weights[row])
        qpos[row, :3] = rotation @ qpos[row, :3] + shift_m
        qpos[row, 3:7] = quaternion_wxyz(rotation)
    nearest = placed[np.abs(np.arange(len(piece))[:, None] - placed).argmin(1)]
    return qpos[nearest]


def triangulated(piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Points (F, K, 3) nearest to their lines of sight, by least squares, and which (F, K) two cameras see."""
    image_px = np.asarray(piece.observed.image_px, np.float32)
    normalised, reached = (np.asarray(x) for x in undistort(piece.cameras, jnp.asarray(image_px)))
    rotation, translation = np.asarray(piece.cameras.rotation), np.asarray(piece.cameras.translation)
    origin_m = -np.einsum("cji,cj->ci", rotation, translation)
    ray = np.concatenate([normalised, np.ones_like(normalised[..., :1])], -1)
    ray = np.einsum("cji,fckj->fcki", rotation, ray / np.linalg.norm(ray, axis=-1, keepdims=True))
    weight = np.asarray(piece.observed.weight) * reached
    # (I - d d') keeps what is across the line of sight.
    across = (np.eye(3) - ray[..., :, None] * ray[..., None, :]) * weight[..., None, None]
    known = (weight > 0).sum(1) >= 2
    matrix = np.where(known[..., None, None], across.sum(1), np.eye(3))
    return np.linalg.solve(matrix, np.einsum("fckij,cj->fki", across, origin_m)[..., None])[..., 0], known
