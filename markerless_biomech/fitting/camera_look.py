"""One look at all cameras: what the subject's points in one frame set say of where each camera stands.

The points are those that the detector gave, also such as the fit refused: a camera that was bumped by a degree has them
all 20 px off. Each camera is compared with what the *other* cameras see: the fitted sites, moved to where the others
have them (one step of triangulation a site), so that neither the fit's lag nor the body's wrong lengths, nor the bumped
camera's own pull on the fit, look like a camera that moved. Everything is folded into small sums a camera.
C cameras, K keypoints; the values' arrays are JAX's within the program, and NumPy's outside.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..body.model import BodyParameters, integrate, sites
from ..cameras.camera import Cameras, project_with_jacobian
from ..cameras.increments import pose_jacobian
from .residuals import geman_mcclure_weight, pixels_per_metre

POSE, TIME, FOCAL = slice(0, 6), 6, 7
"""Columns of the changes: m (3) and rad (3) as `camera.moved` applies them, s by which it is exposed later than its
stamp says, and the relative change of its focal length."""

CHANGES = 8
"""Numbers by which a camera may have changed."""

ROBUST_SCALE = 6.0
"""Of the Geman-McClure loss about a camera's median point, in standard deviations: a swinging foot that is seen one
frame late is 4 of them off."""

MIRRORED_LOG_ODDS = 3.0
"""A point that its partner's site explains better by more than this says nothing: limbs are mistaken now and then."""

FROZEN_PX = 0.25
"""Standard deviation of what a detector makes of the same image again."""

OUTLIERS, FIELD_M = 0.05, 1.5
"""Share of points that may be anywhere in a square of this size: a hypothesis cannot lose more by one point."""

FAR_M = 0.1
"""A camera whose points are further off than this is not believed by the others."""

SITE_STD_M = 0.03
"""How far the other cameras may move a fitted site."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Seen:
    """The subject's points in every image, as the detectors gave them."""

    image_px: Any
    """(C, K, 2)"""
    weight: Any
    """(C, K) 0: not seen."""
    delay_s: Any
    """(C,) The camera's stamp minus the frame set's."""
    before_px: Any
    """(C, K, 2) The points of the look before; not a number: not seen."""
    expected_before_px: Any
    """(C, K, 2) Where they were expected."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Expected:
    """What a camera's points are compared with: its own habits."""

    bias_m: Any
    """(C, K, 2) Mean residual of each site, as a length at the person."""
    change: Any
    """(C, 8) What the camera is off by already."""
    noise_m: Any
    """(C,) Standard deviation of a coordinate."""
    trust: Any
    """(C,) 0 to 1: how much the other cameras believe this one."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Look:
    """Sums over the points of one frame set; r = point minus projected site minus the camera's habits."""

    information: Any
    """(C, 8, 8) sum w J'J / sigma^2"""
    gradient: Any
    """(C, 8) sum w J'r / sigma^2"""
    plain_gradient: Any
    """(C, 8) The same of the residual from which no habits were subtracted."""
    count: Any
    """(C,) sum w"""
    shift_px: Any
    """(C, 2) Weighted mean of r."""
    shift_jacobian: Any
    """(C, 2, 8) Weighted mean of J."""
    pixels_per_metre: Any
    """(C,) At the person."""
    frozen: Any
    """(C,) Log likelihood ratio: the points of the look before again, against the best explanation there can be."""
    swapped: Any
    """(C,) Log likelihood ratio: left and right exchanged, against as they should be."""
    residual_m: Any
    """(C, K, 2) r, the bias not subtracted, as a length at the person."""
    weight: Any
    """(C, K) w, robust."""
    expected_px: Any
    """(C, K, 2) Where the sites appear at the camera's own instant."""
    speed_m_s: Any
    """() Speed of the middle of the sites: whoever walks on the spot shows always the same views."""
    misfit_px: Any
    """(C,) Median distance of the points from the fitted sites."""


def nothing_seen(cameras: int, keypoints: int) -> Seen:
    """Before the first look."""
    points_px = np.zeros((cameras, keypoints, 2), np.float32)
    weight, delay_s = np.zeros((cameras, keypoints), np.float32), np.zeros(cameras, np.float32)
    return Seen(points_px, weight, delay_s, np.full_like(points_px, np.nan), points_px)


def nothing_known(cameras: int, keypoints: int) -> Expected:
    """Cameras without habits."""
    values = (
        np.zeros((cameras, keypoints, 2)),
        np.zeros((cameras, CHANGES)),
        np.full(cameras, 0.012),
        np.ones(cameras),
    )
    return Expected(*(value.astype(np.float32) for value in values))


def camera_look(
    qpos: Float[Array, " 41"],
    qvel: Float[Array, " 40"],
    parameters: BodyParameters,
    cameras: Cameras,
    partners: Int[Array, " K"],
    seen: Seen,
    expected: Expected,
) -> Look:
    """Look at the pose `qpos` that moves with `qvel`; `partners`: each keypoint's index on the other side."""
    points_m, velocity_m_s = jax.jvp(
        lambda time_s: sites(parameters, integrate(qpos, qvel * time_s)), (jnp.zeros(()),), (jnp.ones(()),)
    )
    image_px, valid, d_image = project_with_jacobian(cameras, points_m)
    jacobian = _changes_jacobian(cameras, points_m, velocity_m_s, image_px, valid, d_image)
    expected_px = image_px + jacobian[..., TIME] * seen.delay_s[:, None, None]
    scale = pixels_per_metre(cameras, qpos)
    sigma_px = (expected.noise_m * scale)[:, None]
    given = jnp.where(valid, seen.weight, 0.0)
    plain = seen.image_px - expected_px
    middle = masked_median(plain, given > 0)
    apart = jnp.sqrt(jnp.sum((plain - middle[:, None]) ** 2, -1) + 1e-9) / sigma_px
    mirrored = seen.image_px - expected_px[:, partners] - middle[:, None]
    better = _log_density(mirrored, sigma_px, scale) - _log_density(plain - middle[:, None], sigma_px, scale)
    weight = given * geman_mcclure_weight(apart, ROBUST_SCALE) * jax.nn.sigmoid(MIRRORED_LOG_ODDS - better)
    # What is learned of the cameras takes no part here: learning from what it changes, it would wander off.
    far = jnp.linalg.norm(middle, axis=-1) / (FAR_M * scale)
    believed = weight * (expected.trust * geman_mcclure_weight(far, 1.0))[:, None]
    others = _others(d_image, plain, believed / sigma_px**2)
    plain = plain - jnp.einsum("ckai,cki->cka", d_image, others)
    usual = plain - jnp.einsum("ckai,ci->cka", jacobian, expected.change)
    residual = usual - expected.bias_m * scale[:, None, None]
    weighted = jacobian * (weight / sigma_px**2)[..., None, None]
    share = weight / jnp.maximum(jnp.sum(weight, 1), 1e-9)[:, None]
    return Look(
        information=jnp.einsum("ckai,ckaj->cij", weighted, jacobian),
        gradient=jnp.einsum("ckai,cka->ci", weighted, residual),
        plain_gradient=jnp.einsum("ckai,cka->ci", weighted, plain),
        count=jnp.sum(weight, 1),
        shift_px=jnp.einsum("ck,cka->ca", share, residual),
        shift_jacobian=jnp.einsum("ck,ckai->cai", share, jacobian),
        pixels_per_metre=scale,
        frozen=_frozen(seen, expected_px, given > 0, sigma_px, scale),
        swapped=_swapped(seen, expected_px, given > 0, partners, sigma_px, scale),
        residual_m=usual / scale[:, None, None],
        weight=weight,
        expected_px=expected_px,
        speed_m_s=jnp.linalg.norm(jnp.mean(velocity_m_s, 0)),
        misfit_px=masked_median(jnp.linalg.norm(seen.image_px - expected_px, axis=-1)[..., None], given > 0)[:, 0],
    )


def in_numpy(look: Look) -> Look:
    """The same, computed and outside of JAX."""
    return Look(**{field.name: np.asarray(getattr(look, field.name)) for field in fields(Look)})


def _changes_jacobian(
    cameras: Cameras,
    points_m: jax.Array,
    velocity_m_s: jax.Array,
    image_px: jax.Array,
    valid: jax.Array,
    d_image: jax.Array,
) -> jax.Array:
    """(C, K, 2, 8) d image / d change; the image of a pinhole with any distortion is focal length times something."""
    velocity_px_s = jnp.einsum("ckai,ki->cka", d_image, velocity_m_s)
    zoom_px = jnp.where(valid[..., None], image_px - cameras.center[:, None], 0.0)
    return jnp.concatenate([pose_jacobian(cameras, points_m), velocity_px_s[..., None], zoom_px[..., None]], axis=-1)


def masked_median(values: jax.Array, seen: jax.Array) -> jax.Array:
    """(C, N) median over K of values (C, K, N) where seen (C, K); 0 without any."""
    ordered = jnp.sort(jnp.where(seen[..., None], values, jnp.inf), axis=1)
    middle = jnp.maximum(seen.sum(1) - 1, 0) // 2
    found = jnp.take_along_axis(ordered, middle[:, None, None], axis=1)[:, 0]
    return jnp.where(jnp.isfinite(found), found, 0.0)


def _others(d_image: jax.Array, residual: jax.Array, weight: jax.Array) -> jax.Array:
    """(C, K, 3) where all cameras but one see each site, minus where it was fitted (m): (sum w P'P) x = sum w P'r."""
    weighted = d_image * weight[..., None, None]
    information = jnp.einsum("ckai,ckaj->ckij", weighted, d_image)
    gradient = jnp.einsum("ckai,cka->cki", weighted, residual)
    rest = jnp.sum(information, 0) - information + jnp.eye(3) / SITE_STD_M**2
    return _solve_3x3(rest, jnp.sum(gradient, 0) - gradient)


def _solve_3x3(matrix: jax.Array, right: jax.Array) -> jax.Array:
    """By Cramer's rule for symmetric matrices (..., 3, 3): a library's solver would take longer than all the rest."""
    rows = [jnp.cross(matrix[..., i, :], matrix[..., j, :]) for i, j in ((1, 2), (2, 0), (0, 1))]
    determinant = jnp.sum(matrix[..., 0, :] * rows[0], -1)
    return jnp.stack([jnp.sum(row * right, -1) for row in rows], -1) / determinant[..., None]


def _frozen(seen: Seen, expected_px: jax.Array, now: jax.Array, sigma_px: jax.Array, scale: jax.Array) -> jax.Array:
    """(C,) only where the body has moved in the image since the look before."""
    again = now & jnp.isfinite(seen.before_px[..., 0])
    stayed = jnp.where(again[..., None], seen.image_px - seen.before_px, 0.0)
    travel = jnp.sqrt(jnp.mean(jnp.sum((expected_px - seen.expected_before_px) ** 2, -1), -1))
    same = _log_density(stayed, FROZEN_PX * jnp.ones_like(sigma_px), scale)
    ratio = same - _log_density(jnp.zeros_like(stayed), sigma_px, scale)
    return jnp.where(travel > 4.0 * FROZEN_PX, jnp.sum(jnp.where(again, ratio, 0.0), 1), 0.0)


def _swapped(
    seen: Seen, expected_px: jax.Array, now: jax.Array, partners: jax.Array, sigma_px: jax.Array, scale: jax.Array
) -> jax.Array:
    """(C,) over the points that have a partner."""
    paired = now & (partners != jnp.arange(partners.shape[0]))
    given = _log_density(seen.image_px - expected_px, sigma_px, scale)
    other = _log_density(seen.image_px - expected_px[:, partners], sigma_px, scale)
    return jnp.sum(jnp.where(paired, other - given, 0.0), 1)


def _log_density(residual: jax.Array, sigma_px: jax.Array, scale: jax.Array) -> jax.Array:
    """(C, K) of a normal point (1/px^2), or with `OUTLIERS` one that lies anywhere near the person."""
    square = jnp.sum(residual**2, -1) / sigma_px**2
    normal = (1.0 - OUTLIERS) * jnp.exp(-0.5 * square) / (2.0 * jnp.pi * sigma_px**2)
    return jnp.log(normal + OUTLIERS / (FIELD_M * scale[:, None]) ** 2)
