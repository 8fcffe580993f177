"""Figures of merit on plain arrays: angles, pixels, intervals, cameras. No files, no fit; closed-form tests.

F frames, J joints, K keypoints, C cameras. NaN marks what was not seen and is left out of every mean.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

COVERAGE_LEVELS = (0.5, 0.8, 0.9, 0.95)
CONSISTENCY_PX = (5, 10, 20)
_CALIBRATION_LEVELS = np.arange(0.05, 1.0, 0.05)


def joint_rmse_deg(fitted_rad: np.ndarray, true_rad: np.ndarray) -> np.ndarray:
    """(J,) root mean square difference of (F, J) angles, in degrees."""
    return np.degrees(np.sqrt(np.mean((fitted_rad - true_rad) ** 2, axis=0)))


def joint_rmse_debiased_deg(fitted_rad: np.ndarray, true_rad: np.ndarray) -> np.ndarray:
    """(J,) the same after removing each joint's mean difference, in degrees."""
    error_rad = fitted_rad - true_rad
    return np.degrees(np.sqrt(np.mean((error_rad - error_rad.mean(axis=0)) ** 2, axis=0)))


def max_jump_excess_deg(fitted_rad: np.ndarray, true_rad: np.ndarray, consecutive: np.ndarray) -> float | None:
    """Largest |fitted step| - |true step| from frame to frame, over all joints, in degrees; at least 0.

    `consecutive` (F-1,) is False where frames are missing between two rows.
    """
    excess = np.abs(np.diff(fitted_rad, axis=0)) - np.abs(np.diff(true_rad, axis=0))
    excess = excess[consecutive]
    return float(np.degrees(max(excess.max(), 0.0))) if excess.size else None


def pose_noise_deg(angles_rad: np.ndarray, consecutive: np.ndarray) -> float | None:
    """sqrt(mean((theta_t+1 - theta_t)^2)) over consecutive frames and all joints, in degrees."""
    steps = np.diff(angles_rad, axis=0)[consecutive]
    return float(np.degrees(np.sqrt(np.mean(steps**2)))) if steps.size else None


def geometric_consistency(error_px: np.ndarray) -> dict[str, float | None]:
    """Share of the points whose reprojection error is within 5, 10 and 20 px."""
    error_px = error_px[np.isfinite(error_px)]
    return {str(limit): share(error_px <= limit) for limit in CONSISTENCY_PX}


def coverage(error: np.ndarray, std: np.ndarray) -> dict[str, float | None]:
    """Share of |error| within the central normal interval of each level, by percent."""
    normal = _normalised(error, std)
    return {str(round(100 * level)): share(normal <= _half_width(level)) for level in COVERAGE_LEVELS}


def expected_calibration_error(error: np.ndarray, std: np.ndarray) -> float | None:
    """Mean over the levels 5, 10, ... 95 % of |observed coverage - level|."""
    normal = _normalised(error, std)
    if not normal.size:
        return None
    return float(np.mean([abs(np.mean(normal <= _half_width(level)) - level) for level in _CALIBRATION_LEVELS]))


def share(inside: np.ndarray) -> float | None:
    """Share of True; None for no values."""
    return float(np.mean(inside)) if inside.size else None


def _normalised(error: np.ndarray, std: np.ndarray) -> np.ndarray:
    """|error| in standard deviations, flat, without what is not finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        normal = np.abs(error / std).ravel()
    return normal[~np.isnan(normal)]


def _half_width(level: float) -> float:
    """Half width, in standard deviations, of the central normal interval with that probability."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def site_rmse_mm(fitted_m: np.ndarray, true_m: np.ndarray) -> float:
    """Root mean square distance of (F, K, 3) sites, in mm."""
    squared = np.sum((fitted_m - true_m) ** 2, axis=-1)
    return float(1000 * np.sqrt(np.nanmean(squared)))


def mean_and_median(values: np.ndarray) -> dict[str, float | None]:
    """Both over the finite values; None for no values."""
    values = values[np.isfinite(values)]
    if not values.size:
        return {"mean": None, "median": None}
    return {"mean": float(values.mean()), "median": float(np.median(values))}


def rig_errors(
    fitted_rotation: np.ndarray, fitted_m: np.ndarray, true_rotation: np.ndarray, true_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(C,) rotation errors (deg) and (C,) position errors (mm) of a rig, after similarity alignment.

    Rotations (C, 3, 3) are world from camera, positions (C, 3) in world. The world of the fitted rig is turned by the
    mean rotation between the rigs, then scaled and moved by least squares on the camera positions.
    """
    turn = nearest_rotation(np.sum(true_rotation @ np.swapaxes(fitted_rotation, -1, -2), axis=0))
    turned_m = fitted_m @ turn.T
    from_centre, true_from_centre = turned_m - turned_m.mean(axis=0), true_m - true_m.mean(axis=0)
    spread = np.sum(from_centre**2)
    scale = np.sum(from_centre * true_from_centre) / spread if spread > 0 else 1.0
    error_mm = 1000 * np.linalg.norm(scale * from_centre - true_from_centre, axis=-1)
    return rotation_angle_deg(turn @ fitted_rotation, true_rotation), error_mm


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to a 3x3 matrix, by singular value decomposition."""
    left, _, right = np.linalg.svd(matrix)
    return left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right


def rotation_angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...) angle between rotations (..., 3, 3), in degrees; exact for small angles too."""
    # |a - b|_F = 2 sqrt(2) sin(angle / 2): well conditioned near 0, where arccos of the trace is not.
    chord = np.linalg.norm(a - b, axis=(-2, -1)) / (2 * np.sqrt(2))
    return np.degrees(2 * np.arcsin(np.clip(chord, 0, 1)))
