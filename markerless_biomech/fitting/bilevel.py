"""The offline objective near a trajectory and a shape, chunk by chunk: linearise, eliminate, substitute back.

Trajectories are inside: eliminated frame by frame, banded, exactly (chunks hand on what is left). The subject's shape
and the cameras' calibration are outside: their coupling with the frames rides along as further right-hand sides, and
what the frames take away from their own information is their Schur complement. Pure functions of arrays, compiled once
for B frames a chunk; B frames, C cameras, K keypoints, X numbers of shape, P of each camera, N = 1 + X + C P columns:
the gradient first, then those of the shape and of the cameras that are unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from ..body.model import difference, integrate, sites_with_jacobian
from ..body.shape import ShapeModel, SiteDerivatives, shape_parameters, site_derivatives
from ..cameras.camera import Cameras, project
from .columns import Unknown, outer_columns
from .residuals import (
    ImageBlocks,
    ImageResiduals,
    Observations,
    ReprojectionSummary,
    folded,
    image_residuals,
    joint_limits,
    noise_px,
    posture,
)
from .smoother import Band, Factor, Gaussian, Q, covariances_before, eliminate, substitute_back
from .trajectory import couplings, site_states

CHUNK = 64
"""B, frames of a chunk."""

BEFORE, AFTER = 1, 2
"""Frames around a chunk that its velocities and accelerations reach for."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Frames:
    """B + 3 frames in order: one before the chunk, the chunk, two after it. Those that are not there have valid 0."""

    qpos: jax.Array
    """(B + 3, 41)"""
    hop_s: jax.Array
    """(B + 3,) since the frame before."""
    posture_s: jax.Array
    """How long each frame counts for the posture prior."""
    valid: jax.Array
    """(B + 3,) 0 or 1"""
    observed: Observations
    """(B, C, ...) of the chunk itself."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Linear:
    """The objective's quadratic in a chunk."""

    image: jax.Array
    """(B, 40, 40) information of the images."""
    own: jax.Array
    """(B, 40) diagonal information of joint limits and posture."""
    gradient: jax.Array
    """(B, 40, N) of each frame alone, then its coupling with the outside."""
    coupling: jax.Array
    """(B, 3, 3, 40)"""
    coupling_gradient: jax.Array
    """(B, 3, 40)"""
    outer: jax.Array
    """(N, N) of the outside alone: information, its gradient in row and column 0."""
    cost: dict[str, jax.Array]
    """Sum over the chunk of each term."""
    squares: jax.Array
    """(C,) clipped squares of the residuals, for the noise"""
    count: jax.Array
    """(C,) coordinates behind them"""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Noise:
    """Of the images, as lengths at the person."""

    noise_m: jax.Array
    """(C,)"""
    cameras: Cameras
    """Those that make pixels of it: the nominal ones, so that a camera gains nothing by coming nearer."""


def chunk_velocity(frames: Frames) -> jax.Array:
    """(B, 40) central difference; one-sided where a neighbour is missing, zero where both are."""
    qpos, valid = frames.qpos[:-1], frames.valid[:-1]
    earlier = jnp.where(valid[:-2, None] > 0, qpos[:-2], qpos[1:-1])
    later = jnp.where(valid[2:, None] > 0, qpos[2:], qpos[1:-1])
    hops = frames.hop_s[1:-2] * valid[:-2] + frames.hop_s[2:-1] * valid[2:]
    return difference(earlier, later) / jnp.maximum(hops, 1e-6)[:, None]


@partial(jax.jit, static_argnames="unknown")
def linearise(
    model: ShapeModel, shape: jax.Array, cameras: Cameras, noise: Noise, frames: Frames, unknown: Unknown
) -> Linear:
    """The quadratic of a chunk, with a column for each number that is unknown."""
    qpos, valid = frames.qpos[BEFORE:-AFTER], frames.valid[BEFORE:-AFTER]
    derivatives, residuals, blocks, summary = _images(model, shape, cameras, noise, frames)
    images = folded(blocks, derivatives.by_pose)
    limit_information, limit_gradient, limit_cost = joint_limits(qpos)
    posture_information, posture_gradient, posture_cost = posture(qpos, jnp.broadcast_to(frames.posture_s, valid.shape))
    own = (limit_information + posture_information) * valid[:, None] + (1.0 - valid[:, None])
    gradient = images.gradient + (limit_gradient + posture_gradient) * valid[:, None]
    blocks_between, gradient_between, cost_between = (
        x[BEFORE:-AFTER] for x in couplings(frames.qpos, frames.hop_s, frames.valid)
    )
    cross, outer = outer_columns(derivatives, residuals, blocks, cameras, unknown)
    cost = {"reprojection": images.cost, "acceleration": cost_between, "limits": limit_cost * valid}
    return Linear(
        image=images.information,
        own=own,
        gradient=jnp.concatenate([gradient[..., None], cross], -1),
        coupling=blocks_between,
        coupling_gradient=gradient_between,
        outer=outer,
        cost={name: jnp.sum(value) for name, value in (cost | {"posture": posture_cost * valid}).items()},
        squares=jnp.sum(summary.squares, 0),
        count=jnp.sum(summary.count, 0),
    )


def _images(
    model: ShapeModel, shape: jax.Array, cameras: Cameras, noise: Noise, frames: Frames
) -> tuple[SiteDerivatives, ImageResiduals, ImageBlocks, ReprojectionSummary]:
    qpos = frames.qpos[BEFORE:-AFTER]
    derivatives = site_derivatives(model, shape, qpos)
    sigma_px = noise_px(noise.cameras, qpos, noise.noise_m)
    velocity = chunk_velocity(frames)
    return derivatives, *image_residuals(
        cameras, derivatives.position, derivatives.by_pose, velocity, frames.observed, sigma_px
    )


@partial(jax.jit, static_argnames="every")
def add_spread(
    linear: Linear,
    model: ShapeModel,
    shape: jax.Array,
    cameras: Cameras,
    noise: Noise,
    frames: Frames,
    covariance: jax.Array,
    every: int,
) -> Linear:
    """What the poses' own uncertainty (B, 40, 40) costs on average: half the trace of covariance times the images'
    information, as a function of shape and poses.

    Without it the shape would be the one whose best poses fit best, which has long levers where the noise is: what is
    wanted is the shape that fits best on average over the poses that may be true (the expectation step of EM; its fixed
    point minimises objective + log det / 2 of the poses' information, their marginal likelihood by Laplace). Taken from
    every so many frames for all.
    """
    rows = slice(None, None, every)
    thin = jax.tree.map(lambda x: x[rows], frames.observed)
    qpos, valid = frames.qpos[BEFORE:-AFTER][rows], frames.valid[BEFORE:-AFTER][rows]
    parameters = shape_parameters(model, shape)
    sites_m, jacobian = sites_with_jacobian(parameters, qpos)
    still = jnp.zeros((qpos.shape[0], Q))
    _, blocks, _ = image_residuals(
        cameras, sites_m, jacobian, still, thin, noise_px(noise.cameras, qpos, noise.noise_m)
    )
    information = blocks.information * (every * valid)[:, None, None, None]

    def cost(shape: jax.Array, step: jax.Array) -> jax.Array:
        _, jacobian = sites_with_jacobian(shape_parameters(model, shape), integrate(qpos, step))
        through = jnp.einsum("bkij,bkjq->bkiq", information, jacobian)
        return 0.5 * jnp.einsum("bkip,bpq,bkiq->", through, covariance[rows], jacobian)

    value, (by_shape, by_pose) = jax.value_and_grad(cost, argnums=(0, 1))(shape, still)
    gradient = linear.gradient.at[rows, :, 0].add(by_pose)
    own = slice(1, 1 + shape.shape[0])
    outer = linear.outer.at[0, own].add(by_shape).at[own, 0].add(by_shape)
    return replace(linear, gradient=gradient, outer=outer, cost=linear.cost | {"spread": value})


def nothing_before(columns: int) -> Gaussian:
    """What the frames before the first know of it, for N columns. Called with 64-bit floats enabled."""
    return Gaussian(jnp.zeros((2 * Q, 2 * Q)), jnp.zeros((2 * Q, columns)))


@jax.jit
def eliminate_chunk(before: Gaussian, linear: Linear, damping: jax.Array) -> tuple[Gaussian, Factor, jax.Array]:
    """What is left for the frames that follow, the factors (their many columns in 32 bits) and the frames' share (N, N)
    of the outer matrix, to be taken off `linear.outer`. In 64 bits: what the frames take away leaves little of the
    shape's information."""
    wide = jax.tree.map(lambda x: x.astype(before.information.dtype), linear)
    diagonal = wide.own + damping * jnp.diagonal(wide.image, axis1=1, axis2=2)
    columns = wide.gradient.shape[-1]

    def step(prior: Gaussian, at_t: tuple[jax.Array, ...]) -> tuple[Gaussian, Factor]:
        image, own, gradient, coupling, slopes = at_t
        alone = jnp.zeros((3, Q, columns), image.dtype).at[..., 0].set(slopes)
        return eliminate(prior, Band(image + jnp.diag(own), gradient, coupling, alone))

    rows = (wide.image, diagonal, wide.gradient, wide.coupling, wide.coupling_gradient)
    left, factor = jax.lax.scan(step, before, rows)
    taken = jnp.einsum("tqn,tqm->nm", factor.offset, factor.offset)
    return left, Factor(factor.lower, factor.ahead, factor.offset.astype(jnp.float32)), taken


@jax.jit
def step_chunk(following: jax.Array, factor: Factor, shape_step: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Steps (B, 40) of a chunk, given those (80,) of the two frames after it and the shape's (N - 1,); first (80,)."""
    offset = factor.offset[..., 0] + factor.offset[..., 1:] @ shape_step
    return substitute_back(following, _narrow(factor, offset))


def _narrow(factor: Factor, offset: jax.Array) -> Factor:
    return Factor(factor.lower.astype(offset.dtype), factor.ahead.astype(offset.dtype), offset)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Uncertainty:
    """What the covariance of earlier frames follows from."""

    joint: jax.Array
    """(80, 80) covariance of two neighbouring frames, the shape known."""
    sensitivity: jax.Array
    """(80, N - 1) how far they move with the shape."""


def certain_after(columns: int) -> Uncertainty:
    """After the last frame of all. Called with 64-bit floats enabled."""
    return Uncertainty(jnp.zeros((2 * Q, 2 * Q)), jnp.zeros((2 * Q, columns - 1), jnp.float32))


@jax.jit
def covariance_chunk(
    after: Uncertainty, factor: Factor, image: jax.Array, shape_root: jax.Array
) -> tuple[Uncertainty, jax.Array, jax.Array]:
    """Covariances (B, 40, 40) of a chunk's frames with the shape's uncertainty (its root (N - 1, N - 1)) in them, and
    how many of the images' coordinates (B,) the frames absorb: trace of information times covariance."""
    joint, own = covariances_before(after.joint, factor)
    own = own.astype(jnp.float32)
    absorbed = jnp.einsum("bqp,bqp->b", image, own)
    if not shape_root.size:
        return Uncertainty(joint, after.sensitivity), own, absorbed
    sensitivity, moved = substitute_back(after.sensitivity, _narrow(factor, factor.offset[..., 1:]))
    spread = moved @ shape_root
    return Uncertainty(joint, sensitivity), own + jnp.einsum("bqx,bpx->bqp", spread, spread), absorbed


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ChunkStates:
    """What results are made of."""

    qvel: jax.Array
    """(B, 40)"""
    sites_m: jax.Array
    """(B, K, 3)"""
    sites_std_m: jax.Array
    """(B, K)"""
    residual_px: jax.Array
    """(B, C, K, 2)"""
    standard: jax.Array
    """(B, C, K, 2) residual in standard deviations, clipped; 0 where unused"""
    used: jax.Array
    """(B, C, K)"""
    pull: jax.Array
    """(B, K, 3) where all cameras together would have each site, in standard deviations; 0 seen by fewer than two"""


@jax.jit
def states_chunk(
    model: ShapeModel,
    shape: jax.Array,
    cameras: Cameras,
    noise: Noise,
    frames: Frames,
    covariance: jax.Array,
) -> ChunkStates:
    """Velocities, sites and residuals of a chunk."""
    parameters = shape_parameters(model, shape)
    qpos, observed = frames.qpos[BEFORE:-AFTER], frames.observed
    velocity = chunk_velocity(frames)
    sites_m, sites_std_m = jax.vmap(partial(site_states, parameters))(qpos, covariance)
    _, jacobian = sites_with_jacobian(parameters, qpos)
    speed = jnp.einsum("bkiq,bq->bki", jacobian, velocity)
    moved = sites_m[:, None] + speed[:, None] * observed.delay_s[:, :, None, None]
    # Each camera sees the sites at a time of its own.
    image_px, valid = jax.vmap(_project_one, in_axes=(0, 1), out_axes=1)(cameras, moved)
    residual = image_px - observed.image_px
    sigma_px = noise_px(noise.cameras, qpos, noise.noise_m)[..., None]
    weight = jnp.where(valid, observed.weight, 0.0) * frames.valid[BEFORE:-AFTER, None, None]
    used = weight > 0
    standard = jnp.clip(residual * jnp.sqrt(weight)[..., None] / sigma_px[..., None], -3.0, 3.0)
    _, blocks, _ = image_residuals(cameras, sites_m, jacobian, velocity, observed, sigma_px[..., 0])
    often = (jnp.sum(used, 1) > 1)[..., None]
    information = jnp.where(often[..., None], blocks.information, jnp.eye(3))
    pull = solve_triangular(jnp.linalg.cholesky(information), blocks.gradient[..., None], lower=True)[..., 0]
    pull = jnp.where(often, jnp.clip(pull, -4.0, 4.0), 0.0)
    return ChunkStates(velocity, sites_m, sites_std_m, residual, standard * used[..., None], used, pull)


def _project_one(camera: Cameras, points: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(B, K, 2) pixels of points (B, K, 3) in one camera."""
    image_px, valid = project(jax.tree.map(lambda x: x[None], camera), points)
    return image_px[:, 0], valid[:, 0]
