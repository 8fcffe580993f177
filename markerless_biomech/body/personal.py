"""Joint centres and axes of one's own: small numbers that move hips, tilt the hinges of knees and ankles, and tilt the
pelvis against its joints. All 0 is the base model.

Left and right mean the same: values mirror each other. The pelvis' tilt moves the origins of femurs and torso about the
pelvis' y axis and turns no frame: turning them as well would only add a constant to hip flexion and lumbar extension.
Works on NumPy arrays and, to be differentiated, on JAX's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import base_mujoco_model
from .names import BODY_NAMES, JOINT_NAMES

_HIP_DIRECTIONS = {"forward": (1.0, 0.0, 0.0), "outward": (0.0, -1.0, 0.0), "up": (0.0, 0.0, 1.0)}
"""Of the right hip, in the pelvis' frame."""

_TILT_PLANES = {"frontal": (1.0, 0.0, 0.0), "transverse": (0.0, 0.0, 1.0)}
"""What a right hinge's axis turns about, in its body's frame, by the plane in which it turns."""

_TILTED_JOINTS = ("knee", "ankle")

PERSONAL_NAMES = (
    *(f"hip_centre_{direction}_{side}_m" for side in "rl" for direction in _HIP_DIRECTIONS),
    *(f"{joint}_axis_{plane}_{side}_rad" for side in "rl" for joint in _TILTED_JOINTS for plane in _TILT_PLANES),
    "pelvis_tilt_rad",
)
"""The numbers in the order of every array of them: hip centres (m) in the pelvis' frame, unscaled; tilts (rad; their
tangents, to be exact). Frontal: the medial end goes up; transverse: the medial end of the axis goes back; pelvis: the
joints go forward where they lie above its origin."""

PERSONAL = len(PERSONAL_NAMES)
"""15."""


def personal_positions(body_pos: Any, personal: Any) -> Any:
    """(22, 3) positions of the bodies in their parents (m), from those of the scaled model and the numbers (15,)."""
    tilted = body_pos + personal[-1] * (body_pos @ _ABOUT_Y.T) * _ON_PELVIS
    return tilted + _HIP_SHIFT @ personal


def personal_axes(personal: Any) -> Any:
    """(34, 3) unit axis of each hinge in its body's frame, for the numbers (15,)."""
    tilted = _BASE_AXES + _AXIS_TILT @ personal
    return tilted / ((tilted * tilted).sum(-1, keepdims=True)) ** 0.5


def personal_unit(name: str) -> str:
    """'m' or 'rad'."""
    return name.rsplit("_", 1)[1]


def _hip_shift() -> np.ndarray:
    """(22, 3, 15) derivative of the bodies' positions."""
    shift = np.zeros((1 + len(BODY_NAMES), 3, PERSONAL))
    for side, mirror in (("r", (1.0, 1.0, 1.0)), ("l", (1.0, -1.0, 1.0))):
        for name, direction in _HIP_DIRECTIONS.items():
            column = PERSONAL_NAMES.index(f"hip_centre_{name}_{side}_m")
            shift[1 + BODY_NAMES.index(f"femur_{side}"), :, column] = np.multiply(direction, mirror)
    return shift


def _axis_tilt() -> np.ndarray:
    """(34, 3, 15) derivative of the axes: turned about an axis in the sagittal plane, which a mirror image turns the
    other way."""
    tilt = np.zeros((len(JOINT_NAMES), 3, PERSONAL))
    for side, sign in (("r", 1.0), ("l", -1.0)):
        for joint in _TILTED_JOINTS:
            row = JOINT_NAMES.index(f"{joint}_angle_{side}")
            for plane, about in _TILT_PLANES.items():
                column = PERSONAL_NAMES.index(f"{joint}_axis_{plane}_{side}_rad")
                tilt[row, :, column] = sign * np.cross(about, _BASE_AXES[row])
    return tilt


_BASE_AXES = base_mujoco_model().jnt_axis[1:].copy()
_ABOUT_Y = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
_ON_PELVIS = np.array([[body in ("femur_r", "femur_l", "torso")] for body in ("world", *BODY_NAMES)], dtype=float)
_HIP_SHIFT = _hip_shift()
_AXIS_TILT = _axis_tilt()
