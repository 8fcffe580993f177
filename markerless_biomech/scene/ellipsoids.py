"""Ellipsoids of uncertainty: axes of covariances, and how a site's uncertainty lies between the cameras that see it."""

from __future__ import annotations

import numpy as np

from ..rotations import xyzw_from_matrix

SIGMAS_95 = 2.796
"""Semi-axes in standard deviations: the ellipsoid that holds 95 % of a Gaussian in space (chi square, 3 degrees)."""
_MIN_SHARE = 1e-3
"""Weakest direction's information, as a share of the strongest: one camera alone knows nothing along its sight."""


def ellipsoid_axes(covariance_m2: np.ndarray, sigmas: float = SIGMAS_95) -> tuple[np.ndarray, np.ndarray]:
    """Semi-axes (..., 3) m and quaternions x y z w (..., 4) (world from axes) of covariances (..., 3, 3)."""
    variances, axes = np.linalg.eigh(covariance_m2)
    axes[..., 2] *= np.sign(np.linalg.det(axes))[..., None]  # right-handed
    return sigmas * np.sqrt(np.maximum(variances, 0.0)), xyzw_from_matrix(axes)


def site_covariances(sites_m: np.ndarray, sites_std_m: np.ndarray, cameras_m: np.ndarray) -> np.ndarray:
    """(K, 3, 3) covariances in world of sites (K, 3) seen by cameras at (C, 3).

    BodyState says how large a site's uncertainty is (`sites_std_m` (K,), root mean square over the axes), not where it
    lies. It is taken to lie as that of lines of sight of the same angular precision that meet there: information
    sum (I - d d') / r^2 over the cameras, with d the unit direction and r the distance. The size is the fit's, the
    shape a sketch, because the skeleton ties sites together: see docs/rviz.md.
    """
    if not len(cameras_m):
        return np.eye(3) * np.asarray(sites_std_m, dtype=float)[:, None, None] ** 2
    offset = np.asarray(sites_m, dtype=float)[:, None] - cameras_m
    square = np.maximum(np.sum(offset**2, -1), 1e-6)
    across = np.eye(3) - offset[..., :, None] * offset[..., None, :] / square[..., None, None]
    information = np.sum(across / square[..., None, None], axis=1)
    floor = _MIN_SHARE * np.trace(information, axis1=-2, axis2=-1)
    shape = np.linalg.inv(information + floor[:, None, None] * np.eye(3))
    mean_square = np.trace(shape, axis1=-2, axis2=-1) / 3.0
    return shape * (np.asarray(sites_std_m, dtype=float) ** 2 / mean_square)[:, None, None]
