"""OpenSim's axes and pelvis angles.

OpenSim's pelvis has x forward, y up, z right; its angles are a body-fixed rotation about z (tilt), then x (list), then
y (rotation) of the pelvis in a ground with y up. Ours has x forward, y left, z up, so OpenSim's (x, y, z) is our
(x, z, -y), for the pelvis and for the world alike.
"""

from __future__ import annotations

import numpy as np

from ..rotations import matrix_from_xyzw, xyzw_from_wxyz

PELVIS_ANGLES: tuple[str, ...] = ("pelvis_tilt", "pelvis_list", "pelvis_rotation")
PELVIS_POSITION: tuple[str, ...] = ("pelvis_tx", "pelvis_ty", "pelvis_tz")

OPENSIM_FROM_ROS = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""p_opensim = OPENSIM_FROM_ROS p_ros."""


def pelvis_angles_deg(quaternion_wxyz: np.ndarray) -> np.ndarray:
    """(..., 3) tilt, list, rotation (deg) of the pelvis: R = Rz(tilt) Rx(list) Ry(rotation) in OpenSim's axes.

    A forward lean has negative tilt; a pelvis whose right side is down has positive list; a turn to the left has
    positive rotation.
    """
    turn = matrix_from_xyzw(xyzw_from_wxyz(quaternion_wxyz))
    r = OPENSIM_FROM_ROS @ turn @ OPENSIM_FROM_ROS.T
    # Rz(t) Rx(l) Ry(r): row 3 is (-cos l sin r, sin l, cos l cos r), column 2 is (-sin t cos l, cos t cos l, sin l).
    tilt = np.arctan2(-r[..., 0, 1], r[..., 1, 1])
    obliquity = np.arcsin(np.clip(r[..., 2, 1], -1.0, 1.0))
    rotation = np.arctan2(-r[..., 2, 0], r[..., 2, 2])
    return np.degrees(np.stack([tilt, obliquity, rotation], axis=-1))
