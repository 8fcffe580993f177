"""What is known of human movement before any image: accelerations, postures, joint ranges."""

from __future__ import annotations

import numpy as np

from ..body.names import JOINT_NAMES

# Per joint: acceleration rms (rad/s^2, of one frame at REFERENCE_RATE_HZ), usual angle (rad), its std (rad).
# Accelerations: order of magnitude seen in walking, hip to toe faster than trunk, rounded up for other movements.
_TABLE = {
    "hip_flexion": (20.0, 0.0, 1.0),
    "hip_adduction": (10.0, 0.0, 0.5),
    "hip_rotation": (10.0, 0.0, 0.3),
    "knee_angle": (37.0, 0.2, 1.0),
    "ankle_angle": (37.0, 0.0, 0.5),
    "subtalar_angle": (12.0, 0.0, 0.25),
    "mtp_angle": (50.0, 0.1, 0.4),
    "lumbar_extension": (7.0, 0.0, 0.5),
    "lumbar_bending": (7.0, 0.0, 0.3),
    "lumbar_rotation": (7.0, 0.0, 0.3),
    "neck_extension": (7.0, 0.0, 0.4),
    "neck_bending": (7.0, 0.0, 0.3),
    "neck_rotation": (7.0, 0.0, 0.4),
    "arm_flex": (10.0, 0.0, 1.0),
    "arm_add": (10.0, -0.1, 0.8),
    "arm_rot": (12.0, 0.0, 0.5),
    "elbow_flex": (14.0, 0.5, 1.0),
    "pro_sup": (12.0, 1.2, 0.6),
    "wrist_flex": (14.0, 0.0, 0.3),
    "wrist_dev": (12.0, 0.0, 0.2),
}


def _column(index: int, root: list[float]) -> np.ndarray:
    """(40,) one column of the table, after six values for the pelvis."""
    joints = [_TABLE[name[:-2] if name[-2:] in ("_r", "_l") else name][index] for name in JOINT_NAMES]
    return np.array(root + joints, dtype=np.float32)


REFERENCE_RATE_HZ = 60.0
"""Rate at which the accelerations of the table hold for one frame; their variance is q / dt at any other."""

ACCELERATION_RMS = _column(0, [3.0] * 3 + [10.0] * 3)
"""(40,) m/s^2 for the pelvis' position, rad/s^2 for its rotation and the joints."""

ACCELERATION_DELTA = 0.3
"""Huber's threshold for accelerations, in units of the table: movements are calm with bursts, as when a foot lands."""

VELOCITY_STD = np.array([3.0] * 3 + [10.0] * 3 + [12.0] * 34, dtype=np.float32)
"""(40,) m/s, rad/s: weak, only felt by what no camera sees."""

POSTURE_MEAN_RAD = _column(1, [0.0] * 6)[6:]
POSTURE_STD_RAD = _column(2, [1.0] * 6)[6:]
POSTURE_TIME_S = 0.2
"""The posture prior counts as one observation of POSTURE_STD_RAD every so many seconds."""

LIMIT_STD_RAD = 0.05
"""A joint this far outside of its range costs as much as an observation one standard deviation off."""

HUBER_DELTA = 2.0
"""Standard deviations up to which the reprojection term is quadratic."""

OUTLIER_GATE = 12.0
"""Points further off than this many standard deviations get no weight at all."""

DETECTOR_NOISE_M = 0.015
"""Where the detector's noise starts, as a length at the person; each camera's own is measured while tracking."""
