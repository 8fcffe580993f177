"""The columns of what is outside: how shape and cameras couple with the frames of a chunk and with each other.

B frames, C cameras, K keypoints, X numbers of shape, P of each camera, N = 1 + X + C P.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ..body.shape import SiteDerivatives
from ..cameras.camera import Cameras
from ..cameras.increments import camera_jacobian
from .residuals import ImageBlocks, ImageResiduals
from .smoother import Q


@dataclass(frozen=True)
class Unknown:
    """What of the outside is unknown. Static: programs are compiled for it."""

    shape: bool
    numbers: int = 0
    """P of each camera."""


@dataclass(frozen=True)
class _Columns:
    """Some numbers of the outside: S of the shape or C P of the cameras."""

    cross: jax.Array
    """(B, 40, S) with the poses"""
    information: jax.Array
    """(S, S)"""
    gradient: jax.Array
    """(S,)"""


def outer_columns(
    derivatives: SiteDerivatives, residuals: ImageResiduals, blocks: ImageBlocks, cameras: Cameras, unknown: Unknown
) -> tuple[jax.Array, jax.Array]:
    """Coupling (B, 40, N - 1) of frames and outside, and the outside's own (N, N)."""
    columns = _Columns(jnp.zeros((*derivatives.by_pose.shape[:1], Q, 0)), jnp.zeros((0, 0)), jnp.zeros(0))
    if unknown.shape:
        columns = _shape_columns(derivatives, blocks)
    if unknown.numbers:
        own, through = _camera_columns(derivatives, residuals, cameras, unknown.numbers)
        between = _shape_and_cameras(derivatives, through)[: len(columns.gradient)]
        columns = _Columns(
            jnp.concatenate([columns.cross, own.cross], -1),
            jnp.block([[columns.information, between], [between.T, own.information]]),
            jnp.concatenate([columns.gradient, own.gradient]),
        )
    gradient = columns.gradient
    outer = jnp.block([[jnp.zeros((1, 1)), gradient[None]], [gradient[:, None], columns.information]])
    return columns.cross, outer


def _shape_columns(derivatives: SiteDerivatives, blocks: ImageBlocks) -> _Columns:
    """Those of the shape. An offset moves one site only."""
    scales, turned = derivatives.by_body, derivatives.by_offset
    through_scales = jnp.einsum("bkij,bkjp->bkip", blocks.information, scales)
    through_offset = jnp.einsum("bkij,bkjo->bkio", blocks.information, turned)
    frames, keypoints = turned.shape[:2]
    cross_scales = jnp.einsum("bkiq,bkip->bqp", derivatives.by_pose, through_scales)
    cross_offset = jnp.einsum("bkiq,bkio->bqko", derivatives.by_pose, through_offset).reshape(frames, Q, -1)
    between = jnp.einsum("bkip,bkio->pko", scales, through_offset).reshape(scales.shape[-1], -1)
    one = jnp.einsum("bkip,bkio->kpo", turned, through_offset)
    own = jnp.einsum("kl,kpo->kplo", jnp.eye(keypoints), one).reshape(3 * keypoints, -1)
    top = jnp.concatenate([jnp.einsum("bkip,bkir->pr", scales, through_scales), between], 1)
    by_scales = jnp.einsum("bkip,bki->p", scales, blocks.gradient)
    by_offset = jnp.einsum("bkio,bki->ko", turned, blocks.gradient).ravel()
    return _Columns(
        jnp.concatenate([cross_scales, cross_offset], -1),
        jnp.concatenate([top, jnp.concatenate([between.T, own], 1)], 0),
        jnp.concatenate([by_scales, by_offset]),
    )


def _camera_columns(
    derivatives: SiteDerivatives, residuals: ImageResiduals, cameras: Cameras, numbers: int
) -> tuple[_Columns, jax.Array]:
    """Those of the cameras, and (B, C, K, 3, P) information between each site and each camera."""
    by_camera = camera_jacobian(cameras, derivatives.position, residuals.speed_px_s, numbers)
    weighted = by_camera * residuals.weight[..., None, None]
    through = jnp.einsum("bckai,bckap->bckip", residuals.by_site, weighted)
    count = through.shape[1]
    own = jnp.einsum("bckap,bckar->cpr", weighted, by_camera)
    cross = jnp.einsum("bkiq,bckip->bqcp", derivatives.by_pose, through)
    gradient = jnp.einsum("bckap,bcka->cp", weighted, residuals.residual)
    information = jnp.einsum("cd,cpr->cpdr", jnp.eye(count), own).reshape(count * numbers, -1)
    return _Columns(cross.reshape(*cross.shape[:2], -1), information, gradient.ravel()), through


def _shape_and_cameras(derivatives: SiteDerivatives, through: jax.Array) -> jax.Array:
    """(X, C P) information between them."""
    by_scales = jnp.einsum("bkid,bckip->dcp", derivatives.by_body, through)
    by_offset = jnp.einsum("bkio,bckip->kocp", derivatives.by_offset, through)
    columns = by_scales.shape[1] * by_scales.shape[2]
    return jnp.concatenate([by_scales.reshape(-1, columns), by_offset.reshape(-1, columns)])
