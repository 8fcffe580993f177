"""A pose from nothing: damped iterations from a few postures (`start_postures.py`) under a loss that grows strict."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ..body.model import BodyParameters, integrate
from ..cameras.camera import Cameras
from . import priors
from .residuals import (
    Observations,
    ReprojectionSummary,
    joint_limits,
    pixels_per_metre,
    posture,
    reprojection,
)

STARTS = 4
"""Postures that are fitted side by side."""

ITERATIONS = 30
ROBUST_SCALES = (40.0, 3.0)
"""Geman-McClure's scale at the first and the last iteration, in standard deviations."""
DAMPINGS = (1e-1, 1e-4)
"""Levenberg-Marquardt's damping, relative to the diagonal, at the first and the last iteration."""
NEAR_M = 0.1
"""A site that lies further from its point is on another limb, or the point is wild. Wide enough for a subject whose
limbs are a tenth longer or shorter than the model's."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PoseFit:
    """The best of several starts."""

    qpos: jax.Array
    """(41,)"""
    agreeing: jax.Array
    """Share of the seen points within `NEAR_M` of their sites, as a length at the person."""
    cost: jax.Array
    """Of images, joint limits and posture: half a sum of squares in standard deviations."""


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
    distance_m = summary.residual_px / pixels_per_metre(cameras, qpos)[..., None]
    near = jnp.sum(everywhere.weight * (distance_m < NEAR_M) > 0, (-1, -2))
    standard = distance_m / noise_m[:, None] * jnp.sqrt(everywhere.weight)
    cost = jnp.sum(_geman_mcclure(standard, ROBUST_SCALES[1]), (-1, -2))
    cost = cost + joint_limits(qpos)[2] + posture(qpos, duration)[2]
    best = jnp.argmin(jnp.nan_to_num(cost, nan=jnp.inf))
    agreeing = near / jnp.maximum(jnp.sum(everywhere.weight > 0, (-1, -2)), 1)
    return PoseFit(qpos[best], agreeing[best], cost[best])


def _geman_mcclure(distance: jax.Array, scale: float) -> jax.Array:
    """Geman-McClure's loss with the given scale (standard deviations): s^2 e^2 / (s^2 + e^2) / 2."""
    return 0.5 * (scale * distance) ** 2 / (scale**2 + distance**2)
