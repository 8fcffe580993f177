"""Where each camera stands now: its pose by resection from the sites that the others see, gathered over many looks.

Normal equations are added up with a forgetting factor; the pose moves along as it becomes known (Gauss-Newton with a
memory). Detectors repeat their errors, so that a look counts only in part, and hardly at all while the person stands
still: standing still tells nothing new. C cameras; increments as `camera.moved` applies them.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from .cameras.camera import Cameras
from .fitting.camera_look import POSE, Look

MEMORY_S = 15.0
"""Time over which looks are forgotten."""

CALIBRATED = np.array([0.0015] * 3 + [np.radians(0.06)] * 3)
"""(6,) m, rad: how well a camera that nobody touched is known to stand where the calibration says."""

ANYWHERE = np.array([0.2] * 3 + [np.radians(8.0)] * 3)
"""(6,) the same of one that was bumped."""

NEW_VIEW_M_S = 0.6
"""A body that moves faster than this shows the detector something new from look to look."""


class Resection:
    """The pose of every camera against the calibration in use."""

    def __init__(self, cameras: int):
        self.increment = np.zeros((cameras, 6))
        """(C, 6) by which the cameras that are looked through differ from those in use: m, rad in optical axes."""
        self._information = np.zeros((cameras, 6, 6))
        self._gradient = np.zeros((cameras, 6))
        self._spread = np.tile(CALIBRATED, (cameras, 1))

    def forget(self, camera: int, spread: np.ndarray) -> None:
        """Begin anew: the camera stands where it is looked through, give or take `spread` (6,)."""
        self._information[camera], self._gradient[camera], self._spread[camera] = 0.0, 0.0, spread

    def settle(self, camera: int) -> None:
        """What is looked through has been taken into use."""
        self.increment[camera] = 0.0
        self.forget(camera, CALIBRATED)

    def add(self, look: Look, hop_s: float, share: np.ndarray, without_habits: np.ndarray) -> None:
        """Take in a look that counts `share` (C,). `without_habits` (C,): by what it shows, whatever is usual."""
        keep = np.where(share > 0, np.exp(-hop_s / MEMORY_S), 1.0)
        share = share * min(1.0, float(look.speed_m_s) / NEW_VIEW_M_S) ** 2
        gradient = np.where(without_habits[:, None], look.plain_gradient, look.gradient)[:, POSE]
        self._information = (
            keep[:, None, None] * self._information + share[:, None, None] * look.information[:, POSE, POSE]
        )
        self._gradient = keep[:, None] * self._gradient + share[:, None] * gradient

    def estimate(self) -> tuple[np.ndarray, np.ndarray]:
        """Increments (C, 6) against the calibration in use, and their covariance (C, 6, 6)."""
        covariance = self.covariance()
        found = (covariance @ self._gradient[..., None])[..., 0]
        for camera in np.flatnonzero(self.increment.any(1)):
            found[camera] = combined(self.increment[camera], found[camera])
        return found, covariance

    def covariance(self) -> np.ndarray:
        """(C, 6, 6) of the increments."""
        spread = self._spread
        scaled = self._information * spread[:, :, None] * spread[:, None, :] + np.eye(6)
        return np.linalg.inv(scaled) * spread[:, :, None] * spread[:, None, :]

    def follow(self, camera: int) -> None:
        """Look through the pose as it is known now; what is remembered is moved along."""
        further = self.covariance()[camera] @ self._gradient[camera]
        self.increment[camera] = combined(self.increment[camera], further)
        self._gradient[camera] -= self._information[camera] @ further

    def applied(self, cameras: Cameras) -> Cameras:
        """The cameras that are looked through, in NumPy, of those in use."""
        turn = Rotation.from_rotvec(self.increment[:, 3:]).as_matrix()
        rotation, translation = np.asarray(cameras.rotation), np.asarray(cameras.translation)
        shifted = np.einsum("cij,cj->ci", turn, translation) + self.increment[:, :3]
        return dataclasses.replace(
            cameras,
            rotation=(turn @ rotation).astype(np.float32),  # type: ignore[arg-type]
            translation=shifted.astype(np.float32),  # type: ignore[arg-type]
        )


def combined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(6,) the increment that is `first`, then `second`: p -> exp(w2) (exp(w1) p + m1) + m2."""
    turn_1, turn_2 = Rotation.from_rotvec(first[3:]), Rotation.from_rotvec(second[3:])
    return np.r_[turn_2.apply(first[:3]) + second[:3], (turn_2 * turn_1).as_rotvec()]
