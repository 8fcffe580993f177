"""Results as tables: joints.csv for spreadsheets and OpenSim users.

OpenSim's pelvis has x forward, y up, z right; its angles are a body-fixed rotation about z (tilt), then x (list), then
y (rotation) of the pelvis in a ground with y up. Ours has x forward, y left, z up, so OpenSim's (x, y, z) is our
(x, z, -y), for the pelvis and for the world alike.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..body.names import JOINT_NAMES
from ..errors import InputError
from ..files import refuse_existing, write_text
from ..results import BodyEstimate, Tracking
from ..rotations import matrix_from_xyzw, xyzw_from_wxyz
from .bags import open_bag
from .recorded_session import RESULT_READERS, relative_name

PELVIS_COLUMNS = ("pelvis_tx", "pelvis_ty", "pelvis_tz", "pelvis_tilt", "pelvis_list", "pelvis_rotation")
JOINT_COLUMNS = ("time_s", *JOINT_NAMES, *PELVIS_COLUMNS)

OPENSIM_FROM_ROS = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""p_opensim = OPENSIM_FROM_ROS p_ros."""

TOPIC_FROM_RESULT = {"live": "body_state", "settled": "body_state_settled", "truth": "truth/body_state"}


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


def joints_csv(bodies: Sequence[BodyEstimate]) -> str:
    """The text of joints.csv: one row a state, LOST left out; time is the header's stamp."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(JOINT_COLUMNS)
    for body in bodies:
        if body.tracking is Tracking.LOST:
            continue
        joints_deg = np.degrees(body.qpos[7:])
        numbers = (*joints_deg, *body.qpos[:3], *pelvis_angles_deg(body.qpos[3:7]))
        seconds, nanoseconds = divmod(body.stamp_ns, 1_000_000_000)
        writer.writerow([f"{seconds}.{nanoseconds:09d}", *(f"{x:.6f}" for x in numbers)])
    return text.getvalue()


def export_joints(bag: str | Path, out: str | Path, result: str = "settled", force: bool = False) -> int:
    """Write joints.csv of a bag's 'settled', 'live' or 'truth' states; returns the number of rows."""
    refuse_existing(Path(out), force)
    bodies = read_bodies(bag, result)
    text = joints_csv(bodies)
    write_text(out, text, force)
    return text.count("\n") - 1


def read_bodies(bag: str | Path, result: str) -> list[BodyEstimate]:
    """States of one result, in the order of their stamps."""
    topic = TOPIC_FROM_RESULT[result]
    with open_bag(bag) as reader:
        messages = reader.messages(lambda name: relative_name(name) == topic)
        bodies = [RESULT_READERS[topic](message) for _, message, _ in messages]
    if not bodies:
        raise InputError(f"{bag}: no {result} result in the bag (/{topic}); run replay on it first")
    return sorted(bodies, key=lambda body: body.stamp_ns)
