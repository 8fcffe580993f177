"""The terms of the live objective, one function each.

A term gives its cost (half a sum of squares in standard deviations), its gradient and its Gauss-Newton information with
respect to the 40 tangent coordinates of each frame. Cameras fold into 3x3 blocks per site, so that the cost of the
normal equations does not depend on their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ..body.model import JOINT_LOWER_RAD, JOINT_UPPER_RAD, BodyParameters, difference, sites_with_jacobian
from ..cameras.camera import Cameras, project_with_jacobian
from . import priors


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Observations:
    """Keypoints of one person in all cameras; unseen ones have weight 0 and any finite position."""

    image_px: jax.Array | np.ndarray
    """(..., C, K, 2)"""
    weight: jax.Array | np.ndarray
    """(..., C, K) dimensionless: information relative to a point seen with certainty."""
    delay_s: jax.Array | np.ndarray
    """(..., C) the camera's stamp (offset added) minus the frame set's."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Quadratic:
    """A term near a pose: cost + gradient . step + step' information step / 2."""

    information: jax.Array
    """(..., 40, 40)"""
    gradient: jax.Array
    """(..., 40)"""
    cost: jax.Array
    """(...)"""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ReprojectionSummary:
    """How well the images were met, per camera."""

    residual_px: jax.Array
    """(..., C, K) distance between point and projected site."""
    used: jax.Array
    """(..., C, K) True for points that carried weight."""
    squares: jax.Array
    """(..., C) sum of the squared, clipped residuals in standard deviations, for the noise estimate."""
    count: jax.Array
    """(..., C) number of coordinates behind `squares`."""


def huber_weight(distance: jax.Array) -> jax.Array:
    """psi(e)/e of Huber's loss with a gate: 1 up to HUBER_DELTA, then delta/e, 0 beyond OUTLIER_GATE."""
    weight = priors.HUBER_DELTA / jnp.maximum(distance, priors.HUBER_DELTA)
    return jnp.where(distance < priors.OUTLIER_GATE, weight, 0.0)


def huber_cost(distance: jax.Array) -> jax.Array:
    """rho(e) of `huber_weight`: e^2 / 2, then delta e - delta^2 / 2, constant beyond the gate."""
    delta = priors.HUBER_DELTA
    within = jnp.minimum(distance, priors.OUTLIER_GATE)
    return jnp.where(within < delta, 0.5 * within**2, delta * within - 0.5 * delta**2)


def geman_mcclure_weight(distance: jax.Array, scale: jax.Array | float) -> jax.Array:
    """psi(e)/e of the Geman-McClure loss with the given scale (standard deviations): (s^2 / (s^2 + e^2))^2."""
    return (scale**2 / (scale**2 + distance**2)) ** 2


def geman_mcclure_cost(distance: jax.Array, scale: jax.Array | float) -> jax.Array:
    """rho(e) of `geman_mcclure_weight`: s^2 e^2 / (s^2 + e^2) / 2."""
    return 0.5 * scale**2 * distance**2 / (scale**2 + distance**2)


def pixels_per_metre(cameras: Cameras, qpos: jax.Array) -> jax.Array:
    """(..., C) focal length over depth of the pelvis: how large a metre at the person appears."""
    pelvis_m = jnp.einsum("cj,...j->...c", cameras.rotation[:, 2], qpos[..., :3]) + cameras.translation[:, 2]
    return cameras.focal.mean(-1) / jnp.maximum(pelvis_m, 0.3)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ImageBlocks:
    """The reprojection term with respect to the sites: all cameras folded into one quadratic a site."""

    information: jax.Array
    """(..., K, 3, 3) H = sum_c w P'P, 1/m^2"""
    gradient: jax.Array
    """(..., K, 3) g = sum_c w P'r, 1/m"""
    cost: jax.Array
    """(...)"""


def reprojection(
    parameters: BodyParameters,
    cameras: Cameras,
    qpos: jax.Array,
    velocity: jax.Array,
    observations: Observations,
    noise_m: jax.Array,
    robust_scale: jax.Array | float | None = None,
) -> tuple[Quadratic, ReprojectionSummary]:
    """sum w rho(|project(site + site velocity * delay) - u| / sigma), sigma = noise_m * pixels per metre.

    qpos (..., 41), velocity (..., 40), noise_m (C,). Huber's loss, or Geman-McClure's with `robust_scale`.
    """
    sites, jacobian = sites_with_jacobian(parameters, qpos)
    sigma_px = noise_px(cameras, qpos, noise_m)
    _, blocks, summary = image_residuals(cameras, sites, jacobian, velocity, observations, sigma_px, robust_scale)
    return folded(blocks, jacobian), summary


def noise_px(cameras: Cameras, qpos: jax.Array, noise_m: jax.Array) -> jax.Array:
    """(..., C) standard deviation of each camera's points."""
    return jnp.maximum(noise_m * pixels_per_metre(cameras, qpos), 0.3)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ImageResiduals:
    """Every point in every image against the projected site."""

    residual: jax.Array
    """(..., C, K, 2) px"""
    weight: jax.Array
    """(..., C, K) 1/px^2, robust"""
    by_site: jax.Array
    """(..., C, K, 2, 3) d image / d site, px/m"""
    speed_px_s: jax.Array
    """(..., C, K, 2) of the site in the image"""


def image_residuals(
    cameras: Cameras,
    sites: jax.Array,
    jacobian: jax.Array,
    velocity: jax.Array,
    observations: Observations,
    sigma_px: jax.Array,
    robust_scale: jax.Array | float | None = None,
) -> tuple[ImageResiduals, ImageBlocks, ReprojectionSummary]:
    """`reprojection` for sites (..., K, 3), their Jacobian (..., K, 3, 40) and sigma_px (..., C), before folding; and
    the residuals that it sums, for those who ask how they depend on the cameras."""
    image_px, valid, d_image = project_with_jacobian(cameras, sites)
    site_velocity = jnp.einsum("...kiq,...q->...ki", jacobian, velocity)
    speed_px_s = jnp.einsum("...ckai,...ki->...cka", d_image, site_velocity)
    residual = image_px + speed_px_s * observations.delay_s[..., None, None] - observations.image_px
    distance = jnp.sqrt(jnp.sum(residual**2, -1) + 1e-12)
    seen = jnp.where(valid, observations.weight, 0.0)
    standard = distance * jnp.sqrt(seen) / sigma_px[..., None]
    if robust_scale is None:
        robust, loss = huber_weight(standard), huber_cost(standard)
    else:
        robust, loss = geman_mcclure_weight(standard, robust_scale), geman_mcclure_cost(standard, robust_scale)
    weight = seen * robust / sigma_px[..., None] ** 2
    weighted = d_image * weight[..., None, None]
    blocks = ImageBlocks(
        information=jnp.einsum("...ckai,...ckaj->...kij", weighted, d_image),
        gradient=jnp.einsum("...ckai,...cka->...ki", weighted, residual),
        cost=jnp.sum(jnp.where(seen > 0, loss, 0.0), (-1, -2)),
    )
    near = (seen > 0) & (standard < priors.OUTLIER_GATE)
    clipped = jnp.minimum(standard, priors.HUBER_DELTA) ** 2
    summary = ReprojectionSummary(distance, (weight > 0), jnp.sum(near * clipped, -1), 2.0 * jnp.sum(near, -1))
    return ImageResiduals(residual, weight, d_image, speed_px_s), blocks, summary


def folded(blocks: ImageBlocks, jacobian: jax.Array) -> Quadratic:
    """Sites into the 40 coordinates, by their Jacobian (..., K, 3, 40)."""
    rows = jacobian.reshape(*jacobian.shape[:-3], -1, jacobian.shape[-1])
    through = jnp.einsum("...kij,...kjq->...kiq", blocks.information, jacobian).reshape(rows.shape)
    information = jnp.einsum("...rq,...rp->...qp", rows, through)
    gradient = jnp.einsum("...rq,...r->...q", rows, blocks.gradient.reshape(rows.shape[:-1]))
    return Quadratic(information, gradient, blocks.cost)


def joint_limits(qpos: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Diagonal information (..., 40), gradient (..., 40) and cost of angles outside of their ranges."""
    angles = qpos[..., 7:]
    excess = jnp.maximum(angles - JOINT_UPPER_RAD, 0.0) + jnp.minimum(angles - JOINT_LOWER_RAD, 0.0)
    return _diagonal(excess, (excess != 0.0) / priors.LIMIT_STD_RAD**2)


def posture(qpos: jax.Array, duration_s: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Weak pull to usual angles, in proportion to the time (...,) that a frame stands for."""
    share = jnp.minimum(duration_s, priors.POSTURE_TIME_S)[..., None] / priors.POSTURE_TIME_S
    return _diagonal(qpos[..., 7:] - priors.POSTURE_MEAN_RAD, share / priors.POSTURE_STD_RAD**2)


def _diagonal(residual: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A term on the joints alone, widened to the 40 coordinates."""
    pad = [(0, 0)] * (residual.ndim - 1) + [(6, 0)]
    information = jnp.pad(jnp.broadcast_to(weight, residual.shape), pad)
    gradient = jnp.pad(weight * residual, pad)
    return information, gradient, 0.5 * jnp.sum(weight * residual**2, -1)


_ACCELERATION_DENSITY = np.square(priors.ACCELERATION_RMS) / priors.REFERENCE_RATE_HZ


def acceleration(
    qpos: jax.Array, hop_s: jax.Array, weight: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """White-noise acceleration with bursts: second divided differences of frames t, t+1, t+2, variance density / dt.

    qpos (T, 41), hop_s (T,) time since the frame before, weight (T,) 1 where the three frames exist. Huber's loss.
    Returns coefficients (T, 3) of the three frames, information (T, 40), residual (T, 40) m/s^2, rad/s^2, cost (T,).
    """
    hop_1, hop_2 = jnp.roll(hop_s, -1), jnp.roll(hop_s, -2)
    mean_s = 0.5 * (hop_1 + hop_2)
    coefficients = jnp.stack([1 / hop_1, -1 / hop_1 - 1 / hop_2, 1 / hop_2], -1) / mean_s[:, None]
    step = difference(qpos, jnp.roll(qpos, -1, 0))
    residual = (jnp.roll(step, -1, 0) / hop_2[:, None] - step / hop_1[:, None]) / mean_s[:, None]
    information = weight[:, None] * mean_s[:, None] / _ACCELERATION_DENSITY
    standard = jnp.sqrt(information * residual**2 + 1e-12)
    delta = priors.ACCELERATION_DELTA
    cost = jnp.where(standard < delta, 0.5 * standard**2, delta * standard - 0.5 * delta**2)
    return coefficients, information * jnp.minimum(1.0, delta / standard), residual, jnp.sum(cost, -1)


def velocity(qpos: jax.Array, hop_s: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Weak pull of the step from frame t to t+1 to zero: information (T, 40) of the step and the step (T, 40)."""
    hop = jnp.roll(hop_s, -1)[:, None]
    step = difference(qpos, jnp.roll(qpos, -1, 0))
    return weight[:, None] / (priors.VELOCITY_STD * hop) ** 2 * (hop * priors.REFERENCE_RATE_HZ), step
