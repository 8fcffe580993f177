"""Standing feet in the fit: a point that stands does not move on its surface, and has the height at which it stands.

Between two frames a point p that stands moves with the surface, up to a creep: r = p(t+1) - p(t) - v hop. Each
residual counts with the probability that the point stands in both frames, and robustly (Geman & McClure): a foot that
swings is not held however sure the detector was. T frames, P = 4 points.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ..body.model import BodyParameters, difference, sites_with_jacobian
from .smoother import Gaussian

Values = jax.Array | np.ndarray

POINTS = 4
"""Heel left, heel right, toe left, toe right."""

CREEP_M = 0.003
"""How far a standing point of the model wanders in `CREEP_S` (SD per axis): soles give way, and roll."""

CREEP_S = 0.3

SWINGING_M_S = 0.35
"""A point this fast on its surface is held a quarter as firmly as one that stands still."""

HEIGHT_STD_M = 0.006
"""Of a standing point about the height at which it was seen to stand before."""

LIFTED_M = 0.02
"""The same as SWINGING_M_S, for the height."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Standing:
    """What is known of the feet at T frames, oldest first."""

    still: Values
    """(T, 4) probability that the point does not move on its surface; 0 where nobody has looked yet."""
    floor_m: Values
    """(T, 4) height (z) at which it stands."""
    floor_known: Values
    """(T, 4) 0 or 1."""
    surface_m_s: Values
    """(2,) horizontal velocity of the surface in world."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FootPoints:
    """The points of T frames at the poses where they were placed last."""

    position_m: jax.Array
    """(T, 4, 3)"""
    jacobian: jax.Array
    """(T, 4, 3, 40)"""


def nothing_standing(frames: int) -> Standing:
    """No point is known to stand."""
    zeros = np.zeros((frames, POINTS), np.float32)
    return Standing(zeros, zeros, zeros, np.zeros(2, np.float32))


def unplaced(frames: int) -> FootPoints:
    """Points of frames that are not there yet."""
    return FootPoints(jnp.zeros((frames, POINTS, 3)), jnp.zeros((frames, POINTS, 3, 40)))


def placed(feet: BodyParameters, qpos: Values) -> FootPoints:
    """The points of `feet` (four sites) at poses (N, 41)."""
    return FootPoints(*sites_with_jacobian(feet, qpos))


def held(
    points: FootPoints, anchor: Values, qpos: Values, hop_s: Values, valid: Values, standing: Standing
) -> tuple[Gaussian, jax.Array, jax.Array]:
    """What holds neighbouring frames to each other, and information (T, 40, 40) and gradient (T, 40) of the heights.

    anchor (T, 41) is where `points` were placed, qpos (T, 41) where they are now; hop_s (T,) since the frame before.
    """
    moved = difference(anchor, qpos)
    position = points.position_m + jnp.einsum("tpij,tj->tpi", points.jacobian, moved)
    weight, residual = _pairs(position, hop_s, valid, standing)
    both = jnp.concatenate([-points.jacobian, jnp.roll(points.jacobian, -1, 0)], -1).reshape(len(hop_s), -1, 80)
    weighted = jnp.repeat(weight, 3, axis=1)[..., None] * both
    between = Gaussian(
        jnp.einsum("tri,trj->tij", weighted, both), jnp.einsum("tri,tr->ti", weighted, residual.reshape(len(hop_s), -1))
    )
    height = jnp.where(standing.floor_known > 0, position[..., 2] - standing.floor_m, 0.0)
    weight = standing.still * standing.floor_known * valid[:, None] * _believed(height, LIFTED_M) / HEIGHT_STD_M**2
    upward = points.jacobian[:, :, 2]
    information = jnp.einsum("tp,tpi,tpj->tij", weight, upward, upward)
    return between, information, jnp.einsum("tp,tpi,tp->ti", weight, upward, height)


def _pairs(position: jax.Array, hop_s: Values, valid: Values, standing: Standing) -> tuple[jax.Array, jax.Array]:
    """Weight (T, 4) and residual (T, 4, 3) of each frame's points against the frame after it."""
    frames = len(hop_s)
    hops = jnp.roll(hop_s, -1)[:, None]
    both = standing.still * jnp.roll(standing.still, -1, 0)
    there = (valid * jnp.roll(valid, -1) * (jnp.arange(frames) < frames - 1))[:, None]
    surface = jnp.append(standing.surface_m_s, 0.0) * hops[..., None]
    residual = jnp.roll(position, -1, 0) - position - surface
    speed = jnp.sqrt(jnp.sum(residual**2, -1)) / hops
    firmness = CREEP_S / (CREEP_M**2 * hops)
    return jnp.asarray(there * both * _believed(speed, SWINGING_M_S) * firmness), residual


def _believed(residual: jax.Array, scale: float) -> jax.Array:
    """Weight of Geman and McClure's loss."""
    return 1.0 / (1.0 + (residual / scale) ** 2) ** 2
