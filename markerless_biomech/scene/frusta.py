"""A camera as it is drawn: a pyramid from the optical centre to the image's corners, a roof over the upper edge."""

from __future__ import annotations

import math

import numpy as np

from ..cameras.calibrated_camera import Camera
from ..rotations import matrix_from_xyzw
from .colours import CAMERA_STATUSES

DEPTH_M = 0.3
"""Length of the pyramid along the optical axis."""
EDGES = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1), (1, 5), (5, 2))
"""Pairs of corners that a line joins."""
FACES = ((0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 1))
"""Triangles of the pyramid's sides."""


def frustum_m(camera: Camera, pose: np.ndarray | None = None, depth_m: float = DEPTH_M) -> np.ndarray:
    """(6, 3) in world: optical centre, image corners (top left, top right, bottom right, bottom left), tip of the roof.

    The lens is drawn as a pinhole. `pose` (7,): position (m) and quaternion x y z w, where it is not the camera's own.
    """
    width, height = camera.width, camera.height
    corners_px = [[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1], [width / 2, -0.25 * height, 1]]
    inward = np.linalg.solve(np.asarray(camera.k, dtype=float), np.array(corners_px, dtype=float).T).T
    rotation, position_m = camera.world_from_camera
    if pose is not None:
        rotation, position_m = matrix_from_xyzw(pose[3:]), np.asarray(pose[:3], dtype=float)
    return np.concatenate([position_m[None], position_m + depth_m * inward @ rotation.T])


def camera_words(name: str, status: int, residual_px: float, correction_deg: float = 0, correction_m: float = 0) -> str:
    """What is written at a camera: its residual while all is well, and what is wrong where something is."""
    word = CAMERA_STATUSES[status]
    residual = "" if math.isnan(residual_px) else f"{residual_px:.1f} px"
    if word == "OK":
        return f"{name}\n{residual}".strip()
    if word == "MOVED" and (correction_deg > 0 or correction_m > 0):
        return f"{name} MOVED\n{correction_deg:.1f} deg, {1e3 * correction_m:.0f} mm"
    return f"{name} {word}\n{residual}".strip()
