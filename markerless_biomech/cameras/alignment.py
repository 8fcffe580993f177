"""What images alone cannot tell of a rig, its similarity, taken out of poses and covariances.

Moving, turning and scaling all cameras with everything they see changes no image. Rigs are compared after that is
undone: turned by the mean rotation between them, then scaled and moved by least squares on the cameras' positions (as
`evaluate` does it; Umeyama 1991 but for the rotation). Here is the same to first order, as matrices. C cameras; a
camera's step is that of its pose in world: position (m), then rotation about the world's axes (rad).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

GAUGE_NAMES = ("x_m", "y_m", "z_m", "x_rad", "y_rad", "z_rad", "log_scale")
"""Of a similarity: of the cameras' centre, about the world's axes, and the logarithm of the scale."""


def world_steps(rotation: Float[np.ndarray, "C 3 3"]) -> Float[np.ndarray, "6C 6C"]:
    """Steps of poses in world by increments in optical axes (cameras/increments.py); rotation: camera_from_world."""
    count = len(rotation)
    matrix = np.zeros((count, 2, 3, count, 2, 3))
    for index, turn in enumerate(rotation):
        for half in range(2):
            matrix[index, half, :, index, half, :] = -turn.T
    return matrix.reshape(6 * count, 6 * count)


def gauge_of(position_m: Float[np.ndarray, "C 3"]) -> Float[np.ndarray, "7 6C"]:
    """The similarity (GAUGE_NAMES) by which the cameras at these positions have moved together, from their steps."""
    count, arms_m = len(position_m), position_m - position_m.mean(0)
    turn = np.zeros((3, count, 6))
    turn[:, :, 3:] = np.eye(3)[:, None] / count
    shift = np.zeros((3, count, 6))
    shift[:, :, :3] = np.eye(3)[:, None] / count
    grow = np.zeros((1, count, 6))
    grow[0, :, :3] = arms_m / max(float(np.sum(arms_m**2)), 1e-12)
    # A turn about the centre moves no camera along its arm and the centre not at all: the three do not mix.
    return np.concatenate([shift, turn, grow]).reshape(7, 6 * count)


def steps_of_gauge(position_m: Float[np.ndarray, "C 3"]) -> Float[np.ndarray, "6C 7"]:
    """Steps of all cameras when a similarity moves them."""
    count, arms_m = len(position_m), position_m - position_m.mean(0)
    steps = np.zeros((count, 6, 7))
    steps[:, :3, :3] = np.eye(3)
    steps[:, 3:, 3:6] = np.eye(3)
    for axis in range(3):
        steps[:, :3, 3 + axis] = np.cross(np.eye(3)[axis], arms_m)
    steps[:, :3, 6] = arms_m
    return steps.reshape(6 * count, 7)


def without_gauge(position_m: Float[np.ndarray, "C 3"]) -> Float[np.ndarray, "6C 6C"]:
    """What is left of the cameras' steps after alignment."""
    return np.eye(6 * len(position_m)) - steps_of_gauge(position_m) @ gauge_of(position_m)
