"""BVH for animation programs: y up, z forward, x left; centimetres, degrees; bodies keep OpenSim's names.

A BVH joint turns about its own x, then z, then y, which are flexion, adduction and rotation of the hips and shoulders;
what oblique hinges do is written in these three. The format knows no missing frames: there the last pose stays.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.spatial.transform import Rotation

from ..body.base import base_mujoco_model, base_sites
from ..body.kinematics import JOINT_BODY
from ..body.names import BODY_NAMES
from ..body.scaling import body_scales, subject_axes, subject_positions
from ..body.subject import Subject
from ..rotations import xyzw_from_wxyz
from .export_motion import Motion

BVH_FROM_ROS = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
"""p_bvh = BVH_FROM_ROS p_ros."""

_CM = 100.0
_TURNS = "Xrotation Zrotation Yrotation"
_ENDS = {"toes": "big_toe", "head": "vertex", "hand": "knuckle"}
"""Site of base_model.xml where each last body ends."""


def bvh_text(motion: Motion) -> str:
    """The text of the file: the subject's skeleton, then a line for each row of the motion."""
    channels = _channels(motion)
    lines = ["HIERARCHY", *_hierarchy(motion.subject), "MOTION"]
    lines += [f"Frames: {len(channels)}", f"Frame Time: {1.0 / motion.rate_hz:.9f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in channels]
    return "\n".join(lines) + "\n"


def _hierarchy(subject: Subject) -> list[str]:
    """Lines of the skeleton, in the order of BODY_NAMES, which is depth first."""
    offsets_cm = subject_positions(subject) @ BVH_FROM_ROS.T * _CM
    offsets_cm[1] = 0.0
    parent = base_mujoco_model().body_parentid
    lines: list[str] = []

    def add(body: int, depth: int) -> None:
        pad, name = "  " * depth, BODY_NAMES[body - 1]
        root = depth == 0
        lines.append(f"{pad}{'ROOT' if root else 'JOINT'} {name}")
        lines.append(f"{pad}{{")
        lines.append(f"{pad}  OFFSET {_triple(offsets_cm[body])}")
        position = "6 Xposition Yposition Zposition " if root else "3 "
        lines.append(f"{pad}  CHANNELS {position}{_TURNS}")
        for child in np.flatnonzero(parent == body):
            add(int(child), depth + 1)
        if not (parent == body).any():
            end_cm = BVH_FROM_ROS @ _end_m(subject, body) * _CM
            lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET {_triple(end_cm)}", f"{pad}  }}"])
        lines.append(f"{pad}}}")

    add(1, 0)
    return lines


def _end_m(subject: Subject, body: int) -> np.ndarray:
    """(3,) where a last body ends, in its frame."""
    part, side = BODY_NAMES[body - 1], ""
    if part.endswith(("_r", "_l")):
        part, side = part[:-2], part[-2:]
    return base_sites((f"{_ENDS[part]}{side}",)).positions_m[0] * body_scales(subject.scales)[body]


def _channels(motion: Motion) -> np.ndarray:
    """(F, 3 + 3 * 21) pelvis position (cm), then the three angles (deg) of each body; without jumps of 360."""
    qpos = motion.qpos[_last_held(motion.held)]
    turns = [_local_rotations(qpos, motion.subject, body) for body in range(1, 1 + len(BODY_NAMES))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gimbal lock: the rotation is the same, its angles are not the only ones
        angles = [_in_bvh(turn).as_euler("XZY") for turn in turns]
    together = np.unwrap(np.concatenate(angles, axis=1), axis=0)
    return np.concatenate([qpos[:, :3] @ BVH_FROM_ROS.T * _CM, np.degrees(together)], axis=1)


def _local_rotations(qpos: np.ndarray, subject: Subject, body: int) -> Rotation:
    """(F,) rotation of a body in its parent, of the pelvis in world; in axes of ROS."""
    if body == 1:
        return Rotation.from_quat(xyzw_from_wxyz(qpos[:, 3:7]))
    turn = Rotation.identity(len(qpos))
    for joint in np.flatnonzero(np.isin(JOINT_BODY, body)):
        turn = turn * Rotation.from_rotvec(qpos[:, 7 + joint, None] * subject_axes(subject)[joint])
    return turn


def _in_bvh(turn: Rotation) -> Rotation:
    return Rotation.from_matrix(BVH_FROM_ROS @ turn.as_matrix() @ BVH_FROM_ROS.T)


def _last_held(held: np.ndarray) -> np.ndarray:
    """(F,) row of the last state at each row; the first row is held."""
    return np.maximum.accumulate(np.where(held, np.arange(len(held)), 0))


def _triple(numbers: np.ndarray) -> str:
    return " ".join(f"{x:.6f}" for x in numbers)
