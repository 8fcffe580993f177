"""Quaternions in ROS's order (x y z w) and MuJoCo's (w x y z), and rotation matrices; NumPy, any leading axes."""

from __future__ import annotations

import numpy as np


def wxyz_from_xyzw(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) from ROS's order to MuJoCo's."""
    return np.roll(np.asarray(quaternion), 1, axis=-1)


def xyzw_from_wxyz(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) from MuJoCo's order to ROS's."""
    return np.roll(np.asarray(quaternion), -1, axis=-1)


def matrix_from_xyzw(quaternion: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotation matrix of a quaternion (..., 4) of any length but zero."""
    quaternion = np.asarray(quaternion, dtype=float)
    unit = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    x, y, z, w = np.moveaxis(unit, -1, 0)
    matrix = np.empty((*unit.shape[:-1], 3, 3))
    matrix[..., 0, 0], matrix[..., 1, 1] = 1.0 - 2.0 * (y * y + z * z), 1.0 - 2.0 * (x * x + z * z)
    matrix[..., 2, 2] = 1.0 - 2.0 * (x * x + y * y)
    matrix[..., 0, 1], matrix[..., 1, 0] = 2.0 * (x * y - z * w), 2.0 * (x * y + z * w)
    matrix[..., 0, 2], matrix[..., 2, 0] = 2.0 * (x * z + y * w), 2.0 * (x * z - y * w)
    matrix[..., 1, 2], matrix[..., 2, 1] = 2.0 * (y * z - x * w), 2.0 * (y * z + x * w)
    return matrix


def xyzw_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternion with w >= 0 of a rotation matrix (..., 3, 3)."""
    m = np.asarray(matrix, dtype=float)
    a, b, c = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    xw, yw, zw = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    # Row i of 4 q q^T; the longest row is the one far from zero, so it loses no digits.
    rows = [
        [1.0 + a - b - c, xy, xz, xw],
        [xy, 1.0 - a + b - c, yz, yw],
        [xz, yz, 1.0 - a - b + c, zw],
        [xw, yw, zw, 1.0 + a + b + c],
    ]
    outer = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    best = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    row = np.take_along_axis(outer, best[..., None, None], axis=-2)[..., 0, :]
    unit = row / np.linalg.norm(row, axis=-1, keepdims=True)
    return np.where(unit[..., 3:] < 0.0, -unit, unit)
