"""Rotations in NumPy: MuJoCo writes quaternions w x y z, ROS writes x y z w; here is the one place that knows both."""

from __future__ import annotations

import numpy as np


def xyzw_from_wxyz(quaternion: np.ndarray) -> np.ndarray:
    """ROS's order of MuJoCo's quaternion (..., 4)."""
    return np.roll(np.asarray(quaternion), -1, axis=-1)


def wxyz_from_xyzw(quaternion: np.ndarray) -> np.ndarray:
    """MuJoCo's order of ROS's quaternion (..., 4)."""
    return np.roll(np.asarray(quaternion), 1, axis=-1)


def matrix_from_wxyz(quaternion: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotation matrix of a quaternion, which is normalised first; the zero quaternion gives NaN."""
    quaternion = np.asarray(quaternion, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def wxyz_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternion with w >= 0 of a rotation matrix (..., 3, 3), stable at every angle."""
    m = np.asarray(matrix, dtype=float)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # Four candidates, each scaled by one component; the one with the largest component is accurate.
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    candidates = np.stack(
        [
            np.stack([1 + xx + yy + zz, wx, wy, wz], axis=-1),
            np.stack([wx, 1 + xx - yy - zz, xy, xz], axis=-1),
            np.stack([wy, xy, 1 - xx + yy - zz, yz], axis=-1),
            np.stack([wz, xz, yz, 1 - xx - yy + zz], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(np.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz]), axis=0)
    chosen = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    chosen = chosen / np.linalg.norm(chosen, axis=-1, keepdims=True)
    return np.where(chosen[..., :1] < 0, -chosen, chosen)
