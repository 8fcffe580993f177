"""A pose from nothing: triangulated points place the pelvis, damped iterations from a few postures do the rest."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ..body.model import NEUTRAL_QPOS, BodyParameters, integrate
from ..body.names import JOINT_NAMES
from ..cameras.camera import Cameras
from ..keypoints import KeypointSet
from . import priors
from .residuals import Observations, ReprojectionSummary, joint_limits, pixels_per_metre, posture, reprojection

ITERATIONS = 30
ROBUST_SCALES = (40.0, 3.0)
"""Geman-McClure's scale at the first and the last iteration, in standard deviations."""
DAMPINGS = (1e-1, 1e-4)
"""Levenberg-Marquardt's damping, relative to the diagonal, at the first and the last iteration."""

_RIGIDITY = {"pelvis": 1.0, "torso": 1.0, "head": 0.3, "femur": 0.2, "humerus": 0.2}
"""How much a segment's points count for the pelvis' first pose; others 0.05."""


def _posture(**degrees: float) -> np.ndarray:
    """(41,) neutral pose with both sides' joints set."""
    qpos = np.array(NEUTRAL_QPOS, dtype=np.float32)
    for index, name in enumerate(JOINT_NAMES):
        qpos[7 + index] = np.radians(degrees.get(name.removesuffix("_r").removesuffix("_l"), 0.0))
    return qpos


START_POSTURES = (
    _posture(elbow_flex=20.0, pro_sup=70.0),
    _posture(hip_flexion=45.0, knee_angle=60.0, elbow_flex=60.0, pro_sup=70.0),
    _posture(hip_flexion=85.0, knee_angle=90.0, elbow_flex=60.0, pro_sup=70.0),
)
"""Standing, crouching, sitting."""


def rigidity(keypoint_set: KeypointSet) -> np.ndarray:
    """(K,) weight of each keypoint when the trunk is placed as a rigid body."""
    weights = [_RIGIDITY.get(body.rsplit("_", 1)[0], 0.05) if body else 0.0 for body in keypoint_set.bodies]
    return np.array(weights) * (keypoint_set.weights > 0)


def placed(qpos: np.ndarray, sites_m: np.ndarray, points_m: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(41,) `qpos` moved as a rigid body so that its sites (K, 3) lie nearest to the points (Kabsch's algorithm)."""
    share = weights / weights.sum()
    site_centre, point_centre = share @ sites_m, share @ points_m
    u, _, vt = np.linalg.svd((sites_m - site_centre).T @ ((points_m - point_centre) * share[:, None]))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    rotation = vt.T @ flip @ u.T
    moved = np.array(qpos, dtype=np.float32)
    moved[:3] = rotation @ (qpos[:3] - site_centre) + point_centre
    moved[3:7] = _quaternion_wxyz(rotation)
    return moved


def _quaternion_wxyz(rotation: np.ndarray) -> np.ndarray:
    """Unit quaternion of a rotation matrix: the eigenvector of Bar-Itzhack's symmetric 4x4 matrix."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = np.array(
        [
            [xx - yy - zz, yx + xy, zx + xz, zy - yz],
            [yx + xy, yy - xx - zz, zy + yz, xz - zx],
            [zx + xz, zy + yz, zz - xx - yy, yx - xy],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    x, y, z, w = np.linalg.eigh(symmetric)[1][:, -1]
    return np.array([w, x, y, z])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PoseFit:
    """The best of several starts."""

    qpos: jax.Array
    """(41,)"""
    agreeing: jax.Array
    """Share of the seen points within 4 standard deviations of their sites."""
    summary: ReprojectionSummary


def fit_pose(
    parameters: BodyParameters, cameras: Cameras, starts: jax.Array, observed: Observations, noise_m: jax.Array
) -> PoseFit:
    """Fit one frame (C, K observations) from starts (S, 41) with a graduated robust loss; the lowest cost wins."""
    count = starts.shape[0]
    everywhere = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *x.shape)), observed)
    still, duration = jnp.zeros((count, 40)), jnp.full(count, priors.POSTURE_TIME_S)

    def quadratic(qpos: jax.Array, scale: jax.Array | float) -> tuple[jax.Array, jax.Array, ReprojectionSummary]:
        images, summary = reprojection(parameters, cameras, qpos, still, everywhere, noise_m, scale)
        limit, bend = joint_limits(qpos), posture(qpos, duration)
        information = images.information + jax.vmap(jnp.diag)(limit[0] + bend[0])
        return information, images.gradient + limit[1] + bend[1], summary

    def iteration(index: int, qpos: jax.Array) -> jax.Array:
        share = index / (ITERATIONS - 1.0)
        scale = ROBUST_SCALES[0] * (ROBUST_SCALES[1] / ROBUST_SCALES[0]) ** share
        damping = DAMPINGS[0] * (DAMPINGS[1] / DAMPINGS[0]) ** share
        information, gradient, _ = quadratic(qpos, scale)
        diagonal = jnp.diagonal(information, axis1=-2, axis2=-1)
        damped = information + jax.vmap(jnp.diag)(damping * diagonal + 1e-3)
        step = -jnp.linalg.solve(damped, gradient[..., None])[..., 0]
        return integrate(qpos, jnp.clip(step, -0.3, 0.3))

    qpos = jax.lax.fori_loop(0, ITERATIONS, iteration, starts)
    _, _, summary = quadratic(qpos, ROBUST_SCALES[1])
    sigma_px = noise_m * pixels_per_metre(cameras, qpos)
    seen = everywhere.weight > 0
    near = seen & (summary.residual_px < 4.0 * sigma_px[..., None])
    agreeing = jnp.sum(near, (-1, -2)) / jnp.maximum(jnp.sum(seen, (-1, -2)), 1)
    best = jnp.argmax(agreeing)
    return PoseFit(qpos[best], agreeing[best], jax.tree.map(lambda x: x[best], summary))
