"""The live trajectory: a window of frames, the Gaussian that older frames left behind, and one step of the fit.

`advance` takes in one frame set: the oldest frame is eliminated onto the two that follow, the newest starts where its
velocity carries it, and Gauss-Newton moves the whole window. Only the newest frames are projected again; older ones
keep the quadratic they had.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from ..body.model import BodyParameters, difference, integrate, sites_with_jacobian
from ..cameras.camera import Cameras
from . import priors
from .residuals import Observations, ReprojectionSummary, acceleration, joint_limits, posture, reprojection, velocity
from .smoother import Band, Factor, Gaussian, covariance_of, eliminate, factorise, newest_covariance, solve
from .stance import FootPoints, Standing, held, placed, unplaced

RELINEARISED_FRAMES = 4
"""The newest frames, projected again in every iteration."""

LARGEST_STEP = 0.5
"""rad, m: no coordinate moves further in one iteration."""

DAMPING = 1e-3
"""Levenberg-Marquardt's, of the newest frames, relative to the images' own diagonal. What hardly any point shows (a
pelvis of which only the hips are seen) has less curvature than the terms that Gauss-Newton leaves out, and would swing
to and fro without."""

NOISE_TIME_S = 0.5
"""Time over which a camera's noise is averaged."""

NOISE_BOUNDS_M = (0.001, 0.08)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Window:
    """T frames, oldest first. A frame that is not there yet has valid 0, no information and the first frame's pose."""

    qpos: jax.Array
    """(T, 41)"""
    hop_s: jax.Array
    """(T,) time since the frame before."""
    valid: jax.Array
    """(T,) 0 or 1."""
    information: jax.Array
    """(T, 40, 40) of the images alone, at `anchor`."""
    gradient: jax.Array
    """(T, 40) of the images alone, at `anchor`."""
    anchor: jax.Array
    """(T, 41) where each frame was projected last."""
    newest: Observations
    """Of the newest RELINEARISED_FRAMES frames."""
    prior: Gaussian
    """What older frames left on frames 0 and 1."""
    prior_anchor: jax.Array
    """(2, 41) where the prior was taken; its Jacobians stay frozen there."""
    noise_m: jax.Array
    """(C,) each camera's noise as a length at the person."""
    feet: FootPoints
    """At `anchor`."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LiveFit:
    """What the newest frame's result is made of."""

    qpos: jax.Array
    """(41,)"""
    qvel: jax.Array
    """(40,)"""
    covariance: jax.Array
    """(40, 40)"""
    sites_m: jax.Array
    """(K, 3)"""
    sites_std_m: jax.Array
    """(K,)"""
    summary: ReprojectionSummary
    """Of the newest frame."""
    cost: dict[str, jax.Array]
    """Each term's value over the window."""


def start_window(qpos: jax.Array, noise_m: jax.Array, keypoints: int, frames: int, hop_s: float) -> Window:
    """A window that knows nothing but the pose `qpos` (41,) from which its first frame will start."""
    count, cameras = RELINEARISED_FRAMES, noise_m.shape[0]
    return Window(
        qpos=jnp.tile(qpos, (frames, 1)),
        hop_s=jnp.full(frames, hop_s),
        valid=jnp.zeros(frames),
        information=jnp.zeros((frames, 40, 40)),
        gradient=jnp.zeros((frames, 40)),
        anchor=jnp.tile(qpos, (frames, 1)),
        newest=Observations(
            jnp.zeros((count, cameras, keypoints, 2)),
            jnp.zeros((count, cameras, keypoints)),
            jnp.zeros((count, cameras)),
        ),
        prior=Gaussian(jnp.zeros((80, 80)), jnp.zeros(80)),
        prior_anchor=jnp.tile(qpos, (2, 1)),
        noise_m=noise_m,
        feet=unplaced(frames),
    )


def frame_velocities(window: Window) -> jax.Array:
    """(T, 40) velocity of each frame: the step that led to it, over its hop; zero before the second frame."""
    steps = difference(jnp.roll(window.qpos, 1, 0), window.qpos)
    known = (window.valid * jnp.roll(window.valid, 1)).at[0].set(0.0)
    rates = steps / window.hop_s[:, None] * known[:, None]
    return rates.at[0].set(rates[1] * known[1])


def predict(window: Window, hop_s: jax.Array) -> jax.Array:
    """(41,) the newest pose moved on by its velocity for `hop_s`."""
    return integrate(window.qpos[-1], frame_velocities(window)[-1] * hop_s)


def band(window: Window, standing: Standing, limited: float = 1.0) -> Band:
    """The quadratic of the whole window at its present poses; joint limits count `limited`."""
    moved = difference(window.anchor, window.qpos)
    limit_information, limit_gradient, _ = joint_limits(window.qpos)
    posture_information, posture_gradient, _ = posture(window.qpos, window.hop_s)
    own = (limited * limit_information + posture_information) * window.valid[:, None] + (1.0 - window.valid[:, None])
    information = window.information + jax.vmap(jnp.diag)(own)
    gradient = window.gradient + jnp.einsum("tij,tj->ti", window.information, moved)
    gradient = gradient + (limited * limit_gradient + posture_gradient) * window.valid[:, None]
    coupling, coupling_gradient, _ = couplings(window.qpos, window.hop_s, window.valid)
    between, height_information, height_gradient = held(
        window.feet, window.anchor, window.qpos, window.hop_s, window.valid, standing
    )
    return Band(information + height_information, gradient + height_gradient, coupling, coupling_gradient, between)


def couplings(qpos: jax.Array, hop_s: jax.Array, valid: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Acceleration of each triple and velocity of each pair of T frames: blocks (T, 3, 3, 40), gradients (T, 3, 40) and
    cost (T,). qpos (T, 41), hop_s (T,) since the frame before, valid (T,)."""
    frames = valid.shape[0]
    pair = valid * jnp.roll(valid, -1) * (jnp.arange(frames) < frames - 1)
    triple = pair * jnp.roll(valid, -2) * (jnp.arange(frames) < frames - 2)
    coefficients, weight, residual, cost = acceleration(qpos, hop_s, triple)
    blocks = coefficients[:, :, None, None] * coefficients[:, None, :, None] * weight[:, None, None, :]
    gradient = coefficients[:, :, None] * (weight * residual)[:, None, :]
    slow, step = velocity(qpos, hop_s, pair)
    signs = jnp.array([-1.0, 1.0, 0.0])
    blocks = blocks + (signs[:, None] * signs[None, :])[None, :, :, None] * slow[:, None, None, :]
    cost = cost + 0.5 * jnp.sum(slow * step**2, -1)
    return blocks, gradient + signs[None, :, None] * (slow * step)[:, None, :], cost


def prior_here(window: Window) -> Gaussian:
    """The prior of what left the window, moved to the present poses of frames 0 and 1."""
    moved = difference(window.prior_anchor, window.qpos[:2]).reshape(-1)
    return Gaussian(window.prior.information, window.prior.gradient + window.prior.information @ moved)


def _first(window: Window, count: int) -> Window:
    """The oldest frames alone."""
    frames = ("qpos", "hop_s", "valid", "information", "gradient", "anchor", "feet")
    return replace(window, **jax.tree.map(lambda x: x[:count], {name: getattr(window, name) for name in frames}))


def shift(window: Window, hop_s: jax.Array, observed: Observations, standing: Standing) -> Window:
    """Let the oldest frame go, leaving its Gaussian, and take in a frame that starts at its predicted pose."""
    # A limit pushes from outside only; as a Gaussian it would hold the joint there for good.
    oldest = jax.tree.map(lambda x: x[0], band(_first(window, 3), _frames(standing, slice(3)), limited=0.0))
    left, _ = eliminate(prior_here(window), oldest)
    left = jax.tree.map(lambda x: x * window.valid[0], left)
    start = predict(window, hop_s)

    def append(array: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.concatenate([array[1:], new[None]])

    return replace(
        window,
        qpos=append(window.qpos, start),
        hop_s=append(window.hop_s, hop_s),
        valid=append(window.valid, jnp.ones(())),
        information=append(window.information, jnp.zeros((40, 40))),
        gradient=append(window.gradient, jnp.zeros(40)),
        anchor=append(window.anchor, start),
        newest=jax.tree.map(append, window.newest, observed),
        feet=jax.tree.map(lambda x: append(x, x[-1]), window.feet),
        prior=left,
        prior_anchor=window.qpos[1:3],
    )


def project_newest(
    window: Window, parameters: BodyParameters, feet: BodyParameters, cameras: Cameras
) -> tuple[Window, ReprojectionSummary, jax.Array]:
    """Project the newest frames again where they are now; their quadratics replace the old ones."""
    count = RELINEARISED_FRAMES
    poses = window.qpos[-count:]
    quadratic, summary = reprojection(
        parameters, cameras, poses, frame_velocities(window)[-count:], window.newest, window.noise_m
    )
    window = replace(
        window,
        information=window.information.at[-count:].set(quadratic.information),
        gradient=window.gradient.at[-count:].set(quadratic.gradient),
        anchor=window.anchor.at[-count:].set(poses),
        feet=jax.tree.map(lambda old, new: old.at[-count:].set(new), window.feet, placed(feet, poses)),
    )
    return window, summary, quadratic.cost


def iterate(
    window: Window, parameters: BodyParameters, feet: BodyParameters, cameras: Cameras, standing: Standing
) -> tuple[Window, Factor]:
    """One damped Gauss-Newton iteration over the window; the factor is of the undamped matrix, for covariances."""
    window, _, _ = project_newest(window, parameters, feet, cameras)
    prior, whole = prior_here(window), band(window, standing)
    size = jnp.diagonal(window.information[-RELINEARISED_FRAMES:], axis1=1, axis2=2)
    factor, damped = factorise(prior, whole, DAMPING * size)
    step = jnp.clip(solve(damped), -LARGEST_STEP, LARGEST_STEP) * window.valid[:, None]
    return replace(window, qpos=integrate(window.qpos, step)), factor


def advance(
    window: Window,
    parameters: BodyParameters,
    feet: BodyParameters,
    cameras: Cameras,
    observed: Observations,
    hop_s: jax.Array,
    standing: Standing,
    iterations: int,
) -> tuple[Window, Factor, LiveFit]:
    """Take in one frame (C, K observations, `hop_s` after the newest) and refit the window.

    `standing` is of T + 1 frames: the window's as it was, and the new one.
    """
    feet = replace(feet, body_pos=parameters.body_pos, hinge_axis=parameters.hinge_axis)  # one pass of kinematics
    window = shift(window, hop_s, observed, _frames(standing, slice(None, -1)))
    standing = _frames(standing, slice(1, None))
    for _ in range(iterations):
        window, factor = iterate(window, parameters, feet, cameras, standing)
    covariance = newest_covariance(factor)
    newest = jax.tree.map(lambda x: x[-1:], window.newest)
    speeds = frame_velocities(window)[-1:]
    image, summary = reprojection(parameters, cameras, window.qpos[-1:], speeds, newest, window.noise_m)
    summary = jax.tree.map(lambda x: x[0], summary)
    sites_m, sites_std_m = site_states(parameters, window.qpos[-1], covariance)
    fit = LiveFit(window.qpos[-1], speeds[0], covariance, sites_m, sites_std_m, summary, _costs(window, image.cost[0]))
    absorbed = jnp.sum(image.information[0] * covariance)
    return replace(window, noise_m=_noise(window, summary, absorbed, hop_s)), factor, fit


def _frames(standing: Standing, part: slice) -> Standing:
    return replace(
        standing,
        still=standing.still[part],
        floor_m=standing.floor_m[part],
        floor_known=standing.floor_known[part],
    )


def _costs(window: Window, newest_reprojection: jax.Array) -> dict[str, jax.Array]:
    """Each term's value: reprojection of the newest frame, the others over the window."""
    *_, acceleration_cost = acceleration(window.qpos, window.hop_s, window.valid.at[-2:].set(0.0))
    return {
        "reprojection": newest_reprojection,
        "acceleration": jnp.sum(acceleration_cost),
        "joint_limits": jnp.sum(joint_limits(window.qpos)[2]),
        "posture": jnp.sum(posture(window.qpos, window.hop_s)[2]),
    }


# Mean of min(|z|, delta)^2 / 2 over a unit normal in the plane: what clipped squares are short of.
CLIPPED_SHARE = 1.0 - math.exp(-0.5 * priors.HUBER_DELTA**2)


def _noise(window: Window, summary: ReprojectionSummary, absorbed: jax.Array, hop_s: jax.Array) -> jax.Array:
    """(C,) follow each camera's noise: clipped squares over their number, less what the fit itself absorbed."""
    total = jnp.maximum(jnp.sum(summary.count), 1.0)
    freedom = jnp.clip(1.0 - absorbed / total, 0.2, 1.0)
    ratio = summary.squares / jnp.maximum(summary.count, 1e-6) / (CLIPPED_SHARE * freedom)
    gain = jnp.minimum(hop_s / NOISE_TIME_S, 0.2) * (summary.count > 8.0)
    noise = window.noise_m * jnp.sqrt(1.0 + gain * (jnp.clip(ratio, 0.1, 10.0) - 1.0))
    return jnp.clip(noise, *NOISE_BOUNDS_M)


def site_states(parameters: BodyParameters, qpos: jax.Array, covariance: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sites (K, 3) and their standard deviation (K,), root mean square over the axes."""
    sites_m, jacobian = sites_with_jacobian(parameters, qpos)
    variance = jnp.einsum("kiq,qp,kip->k", jacobian, covariance, jacobian) / 3.0
    return sites_m, jnp.sqrt(jnp.maximum(variance, 0.0))


def settled_state(
    window: Window, factor: Factor, parameters: BodyParameters, index: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
    """qpos, qvel (central difference, one-sided at the ends), covariance, sites and their std of frame `index`."""
    last = window.valid.shape[0] - 1
    earlier = jnp.where(window.valid[index - 1] > 0, index - 1, index)
    later = jnp.minimum(index + 1, last)
    hops = window.hop_s[index] * (earlier < index) + window.hop_s[later] * (later > index)
    here = window.qpos[index]
    qvel = difference(window.qpos[earlier], window.qpos[later]) / jnp.maximum(hops, 1e-6)
    covariance = covariance_of(factor, index)
    return here, qvel, covariance, *site_states(parameters, here, covariance)
