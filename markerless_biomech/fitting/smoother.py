"""The banded solve: a trajectory whose neighbouring triples of frames are coupled.

Frames are eliminated oldest first. Eliminating one leaves a dense Gaussian on the two that follow, so one function
serves the factorisation of the window and the prior of what leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

Q = 40


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gaussian:
    """Information on two neighbouring frames: gradient . step + step' information step / 2."""

    information: jax.Array
    """(80, 80)"""
    gradient: jax.Array
    """(80,), or (80, N): further columns couple the frames with unknowns outside of the trajectory."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Band:
    """The quadratic of a trajectory in its frames' tangent steps; coupling t belongs to frames t, t+1, t+2."""

    information: jax.Array
    """(T, 40, 40) of each frame alone."""
    gradient: jax.Array
    """(T, 40), or (T, 40, N)"""
    coupling: jax.Array
    """(T, 3, 3, 40) diagonals of the 40x40 blocks between the three frames."""
    coupling_gradient: jax.Array
    """(T, 3, 40), or (T, 3, 40, N)"""
    held: Gaussian | None = None
    """(T, 80, 80), (T, 80): what couples whole poses of frames t and t+1, if anything does."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Factor:
    """One eliminated frame: lower (40, 40) of its own block; ahead (40, 80) and offset (40,) or (40, N) = lower^-1 of
    the rest."""

    lower: jax.Array
    ahead: jax.Array
    offset: jax.Array


def eliminate(prior: Gaussian, band_at_t: Band) -> tuple[Gaussian, Factor]:
    """Eliminate frame t, of which `prior` holds what came before, on frames t and t+1: what is left on t+1 and t+2."""
    blocks = jnp.eye(Q) * band_at_t.coupling[..., None]
    if band_at_t.held is not None:
        prior = jax.tree.map(jnp.add, prior, band_at_t.held)
    old, cross, new = prior.information[:Q, :Q], prior.information[:Q, Q:], prior.information[Q:, Q:]
    own = old + band_at_t.information + blocks[0, 0]
    own = own + jnp.eye(Q) * (8.0 * jnp.finfo(own.dtype).eps * jnp.diag(own))  # keeps what nobody sees positive
    gradient = prior.gradient[:Q] + band_at_t.gradient + band_at_t.coupling_gradient[0]
    right = jnp.concatenate([cross + blocks[0, 1], blocks[0, 2], gradient.reshape(Q, -1)], 1)
    lower = jnp.linalg.cholesky(own)
    solved = solve_triangular(lower, right, lower=True)
    ahead, offset = solved[:, : 2 * Q], solved[:, 2 * Q :].reshape(gradient.shape)
    rest = jnp.block([[new + blocks[1, 1], blocks[1, 2]], [blocks[2, 1], blocks[2, 2]]]) - ahead.T @ ahead
    rest_gradient = jnp.concatenate(
        [prior.gradient[Q:] + band_at_t.coupling_gradient[1], band_at_t.coupling_gradient[2]]
    )
    return Gaussian(0.5 * (rest + rest.T), rest_gradient - ahead.T @ offset), Factor(lower, ahead, offset)


def factorise(prior: Gaussian, band: Band, damping: jax.Array) -> tuple[Factor, Factor]:
    """Factors of all T frames, stacked; and the same with `damping` (N, 40) on the diagonal of the newest N frames' own
    information. The frames before those are eliminated once for both."""
    newest = damping.shape[0]
    early, late = jax.tree.map(lambda x: x[:-newest], band), jax.tree.map(lambda x: x[-newest:], band)
    left, head = jax.lax.scan(eliminate, prior, early)
    damped = replace(late, information=late.information + jnp.eye(Q) * damping[..., None])
    tails = (jax.lax.scan(eliminate, left, tail)[1] for tail in (late, damped))
    factor, damped_factor = (jax.tree.map(lambda *x: jnp.concatenate(x), head, tail) for tail in tails)
    return factor, damped_factor


def solve(factor: Factor) -> jax.Array:
    """(T, 40) the step that minimises the quadratic, by back-substitution."""
    return substitute_back(jnp.zeros(2 * Q), factor)[1]


def substitute_back(following: jax.Array, factor: Factor) -> tuple[jax.Array, jax.Array]:
    """Steps (T, 40) or (T, 40, N) before the two frames whose steps are `following` (80,) or (80, N); those of the
    first two frames come first, to go on with the frames before."""

    def back(following: jax.Array, at_t: Factor) -> tuple[jax.Array, jax.Array]:
        step = -solve_triangular(at_t.lower.T, at_t.offset + at_t.ahead @ following, lower=False)
        return jnp.concatenate([step, following[:Q]]), step

    return jax.lax.scan(back, following, factor, reverse=True)


def newest_covariance(factor: Factor) -> jax.Array:
    """(40, 40) marginal covariance of the last frame."""
    inverse = solve_triangular(factor.lower[-1], jnp.eye(Q), lower=True)
    return inverse.T @ inverse


def covariance_of(factor: Factor, index: jax.Array | int) -> jax.Array:
    """(40, 40) marginal covariance of frame `index`; only newer frames are gone through."""
    last = factor.lower.shape[0] - 1

    def back(done: jax.Array, joint: jax.Array) -> jax.Array:
        return _joint_before(joint, jax.tree.map(lambda x: x[last - done], factor))

    return jax.lax.fori_loop(0, last + 1 - index, back, jnp.zeros((2 * Q, 2 * Q)))[:Q, :Q]


def covariances_before(joint: jax.Array, factor: Factor) -> tuple[jax.Array, jax.Array]:
    """Marginal covariances (T, 40, 40) of frames before two whose `joint` covariance (80, 80) is known (the selected
    inverse, newest to oldest); the joint covariance of the first two comes first."""

    def back(joint: jax.Array, at_t: Factor) -> tuple[jax.Array, jax.Array]:
        joint = _joint_before(joint, at_t)
        return joint, joint[:Q, :Q]

    return jax.lax.scan(back, joint, factor, reverse=True)


def _joint_before(joint: jax.Array, at_t: Factor) -> jax.Array:
    """(80, 80) joint covariance of frames t and t+1, given that of t+1 and t+2."""
    inverse = solve_triangular(at_t.lower, jnp.eye(Q), lower=True)
    regression = -inverse.T @ at_t.ahead
    cross = regression @ joint
    own = inverse.T @ inverse + cross @ regression.T
    own = 0.5 * (own + own.T)  # or its skew part grows fourfold with every frame
    following = cross[:, :Q]
    return jnp.block([[own, following], [following.T, joint[:Q, :Q]]])
