"""Cameras and free points adjusted together: what would one pose, one delay, one focal length explain?

Gauss-Newton on pixels with Cauchy's loss; the points are eliminated (Schur complement). C cameras, N points, D = 8
parameters a camera.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .points import BEHIND, Cameras, Sightings, camera_points, point_jacobian, residuals_px, triangulated

POSE, DELAY, FOCAL = slice(0, 6), slice(6, 7), slice(7, 8)
PARAMETERS = 8
"""Translation (3, standard units, camera axes), rotation (3, rad, camera axes), delay (s), log focal length."""

PRIOR_STD = np.array([0.5, 0.5, 0.5, 0.2, 0.2, 0.2, 0.3, 0.3])
"""Holds what the images leave open (the gauge); weak beside thousands of points."""

LONGEST_STEP = np.array([1.0, 1.0, 1.0, 0.3, 0.3, 0.3, 0.2, 0.3])
"""Where the linear range of each parameter ends."""

STEPS = 10


@dataclass(frozen=True, eq=False)
class Adjusted:
    """Cameras after adjustment."""

    cameras: Cameras
    change: np.ndarray
    """(C, 8) of each parameter, summed over the steps."""
    std: np.ndarray
    """(C, 8) by the sandwich over instants, in which points of one instant are not independent."""
    residual_px: np.ndarray
    """(C,) median distance, NaN without points."""
    cost: float
    """Sum of Cauchy's loss, (px / width)^2."""


def no_parameters(count: int) -> np.ndarray:
    """(C, 8) bool, none free."""
    return np.zeros((count, PARAMETERS), dtype=bool)


def free(count: int, which: slice, cameras: np.ndarray | list[int] | slice = slice(None)) -> np.ndarray:
    """(C, 8) bool: these parameters of these cameras."""
    mask = no_parameters(count)
    rows = np.arange(count)[cameras]
    mask[rows, which] = True
    return mask


def adjust(cameras: Cameras, seen: Sightings, mask: np.ndarray, width_px: float, steps: int = STEPS) -> Adjusted:
    """Fit the free parameters `mask` (C, 8) and all points."""
    points = triangulated(cameras, seen, width_px)
    change = np.zeros((len(cameras.focal_px), PARAMETERS))
    system = _System(cameras, seen, points, change, width_px)
    for _ in range(steps if mask.any() else 0):
        delta, points = system.solve(mask, points)
        cameras, change = moved(cameras, delta), change + delta
        system = _System(cameras, seen, points, change, width_px)
    return Adjusted(
        cameras,
        change,
        system.std(mask, seen.instant),
        camera_medians(system.size, seen.weight),
        system.cost,
    )


def moved(cameras: Cameras, delta: np.ndarray) -> Cameras:
    """p_camera becomes exp(rotation) p_camera + translation, for increments (C, 8)."""
    turn = np.stack([_exp(vector) for vector in delta[:, 3:6]])
    translation = np.einsum("cij,cj->ci", turn, cameras.translation) + delta[:, :3]
    return replace(cameras, rotation=turn @ cameras.rotation, translation=translation)


def camera_medians(size_px: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(C,) medians of distances (N, C) where weight is positive; NaN with fewer than 20."""
    columns = [size_px[weight[:, c] > 0, c] for c in range(size_px.shape[1])]
    return np.array([np.median(column) if len(column) >= 20 else np.nan for column in columns])


class _System:
    """The normal equations at one state."""

    def __init__(
        self,
        cameras: Cameras,
        seen: Sightings,
        points: np.ndarray,
        change: np.ndarray,
        width_px: float,
    ) -> None:
        local = camera_points(cameras, points)
        depth = np.maximum(local[..., 2], BEHIND)
        scale = np.exp(change[:, 7])
        x = local[..., :2] / depth[..., None]
        focal = cameras.focal_px[:, None]
        error = focal * (x * scale[:, None] - seen.x + seen.velocity * change[:, 6:7])
        error = np.where((local[..., 2] > BEHIND)[..., None], error, 1e4)
        self.size = np.linalg.norm(error, axis=-1)
        self.weight = seen.weight / (1.0 + (self.size / width_px) ** 2) * (local[..., 2] > BEHIND)
        self.cost = float(np.sum(seen.weight * np.log1p((self.size / width_px) ** 2)))
        self.error = error
        self.by_point = point_jacobian(cameras, local, depth) * scale[:, None, None]
        self.by_camera = _camera_jacobian(local, depth, x, focal, scale, seen.velocity)
        self.prior = np.diag(width_px**2 / PRIOR_STD**2)
        self.change = change

    def solve(self, mask: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Increments (C, 8) of the cameras, and the new points."""
        use = np.flatnonzero(mask.ravel())
        reduced, gradient, _ = self._reduced(use)
        delta = np.zeros(mask.size)
        delta[use] = -np.linalg.solve(reduced, gradient)
        delta = delta.reshape(mask.shape)
        delta = delta / max(1.0, float(np.abs(delta / LONGEST_STEP).max()))
        own = self._point_gradient + (self._cross @ delta.ravel()[use])
        return delta, points - (self._inverse @ own[..., None])[..., 0]

    def _reduced(self, use: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The equations of the parameters `use` (U,) after elimination of the points, and each point's share.

        (U, U), (U,) and (N, U): the gradient without the prior is the sum of the shares.
        """
        count, cameras = len(self.weight), self.weight.shape[1]
        root = np.sqrt(self.weight)[..., None, None]
        by_point, by_camera = root * self.by_point, root * self.by_camera
        error = (root[..., 0] * self.error)[..., None]
        stacked = by_point.reshape(count, -1, 3)
        normal = stacked.transpose(0, 2, 1) @ stacked
        normal += (1e-6 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-9) * np.eye(3)
        self._inverse = np.linalg.inv(normal)
        self._point_gradient = (stacked.transpose(0, 2, 1) @ error.reshape(count, -1, 1))[..., 0]
        cross = by_point.transpose(0, 1, 3, 2) @ by_camera
        self._cross = cross.transpose(0, 2, 1, 3).reshape(count, 3, -1)[..., use]
        lowered = self._inverse @ self._cross
        shares = (by_camera * error).sum(2).reshape(count, -1)[:, use]
        shares = shares - (self._point_gradient[:, None] @ lowered)[:, 0]
        blocks = np.zeros((cameras, PARAMETERS, cameras, PARAMETERS))
        for camera in range(cameras):
            columns = by_camera[:, camera].reshape(-1, PARAMETERS)
            blocks[camera, :, camera] = columns.T @ columns + self.prior
        full = blocks.reshape(cameras * PARAMETERS, -1)[np.ix_(use, use)]
        reduced = full - self._cross.reshape(-1, len(use)).T @ lowered.reshape(-1, len(use))
        return reduced, shares.sum(0) + (self.change @ self.prior).ravel()[use], shares

    def std(self, mask: np.ndarray, instant: np.ndarray) -> np.ndarray:
        """(C, 8) standard deviations of the free parameters, clustered by instant; 0 for the others.

        With g_t the gradient of instant t's points after elimination: cov = H^-1 (sum g_t g_t') H^-1.
        """
        use = np.flatnonzero(mask.ravel())
        result = np.zeros(mask.size)
        if len(use):
            reduced, _, shares = self._reduced(use)
            inverse = np.linalg.inv(reduced)
            sums = np.zeros((int(instant.max()) + 1, len(use)))
            np.add.at(sums, instant, shares)
            result[use] = np.sqrt(np.maximum(np.diagonal(inverse @ (sums.T @ sums) @ inverse), 0.0))
        return result.reshape(mask.shape)


def _camera_jacobian(
    local: np.ndarray, depth: np.ndarray, x: np.ndarray, focal: np.ndarray, scale: np.ndarray, velocity: np.ndarray
) -> np.ndarray:
    """(N, C, 2, 8) d residual / d parameters of the camera."""
    per_metre = np.zeros((*depth.shape, 2, 3))
    per_metre[..., 0, 0] = per_metre[..., 1, 1] = 1.0
    per_metre[..., 2] = -x
    per_metre *= (scale / depth * focal[:, 0])[..., None, None]
    # row . (turn x point) = turn . (point x row)
    by_turn = np.cross(local[..., None, :], per_metre)
    by_delay = (focal * velocity)[..., None]
    by_focal = (focal * x * scale[:, None])[..., None]
    return np.concatenate([per_metre, by_turn, by_delay, by_focal], axis=-1)


def _exp(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross


__all__ = ["Adjusted", "adjust", "camera_medians", "free", "moved", "no_parameters", "residuals_px"]
