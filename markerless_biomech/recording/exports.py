"""Results as tables: joints.csv for spreadsheets and OpenSim users.

OpenSim's pelvis has x forward, y up, z right; its angles are a body-fixed rotation about z (tilt), then x (list), then
y (rotation) of the pelvis in a ground with y up. Ours has x forward, y left, z up, so OpenSim's (x, y, z) is our
(x, z, -y), for the pelvis and for the world alike.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..body.names import JOINT_NAMES
from ..errors import InputError
from ..files import refuse_existing, refuse_folder, write_text
from ..results import BodyEstimate, Tracking
from ..rotations import matrix_from_xyzw, xyzw_from_wxyz
from .bags import open_bag
from .recorded_session import RESULT_READERS, relative_name
from .result_bag import RESULTS

PELVIS_COLUMNS = ("pelvis_tx", "pelvis_ty", "pelvis_tz", "pelvis_tilt", "pelvis_list", "pelvis_rotation")
JOINT_COLUMNS = ("time_s", *JOINT_NAMES, *PELVIS_COLUMNS)

OPENSIM_FROM_ROS = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""p_opensim = OPENSIM_FROM_ROS p_ros."""

TOPIC_FROM_RESULT = {
    "refit": "body_state_refit",
    "settled": "body_state_settled",
    "live": "body_state",
    "truth": "truth/body_state",
}
"""The best result comes first."""


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


def export_joints(bag: str | Path, out: str | Path, result: str | None = None, force: bool = False) -> tuple[str, int]:
    """Write joints.csv of a bag's 'refit', 'settled', 'live' or 'truth' states; without a name the best result.

    Returns the result's name and the number of rows.
    """
    refuse_folder(Path(out))
    refuse_existing(Path(out), force)
    result, bodies = read_bodies(bag, result)
    text = joints_csv(bodies)
    write_text(out, text, force)
    return result, text.count("\n") - 1


def read_bodies(bag: str | Path, result: str | None = None) -> tuple[str, list[BodyEstimate]]:
    """Name and states, in the order of their stamps, of one result; without a name the best that is there."""
    with open_bag(bag) as reader:
        counts = Counter(relative_name(topic) for topic in reader.topics if reader.count(topic))
        held = [name for name, topic in TOPIC_FROM_RESULT.items() if counts[topic]]
        wanted = [result] if result else [name for name in held if name != "truth"]
        for name in wanted:
            topic = TOPIC_FROM_RESULT[name]
            messages = reader.messages(lambda full, topic=topic: relative_name(full) == topic)
            bodies = [RESULT_READERS[topic](message) for _, message, _ in messages]
            if any(body.tracking is not Tracking.LOST for body in bodies):
                return name, sorted(bodies, key=lambda body: body.stamp_ns)
    if any(name in held for name in wanted) or (not held and counts["fit_report"]):
        raise InputError(
            f"{bag}: the subject was never tracked, so nothing can be written; 'markerless-biomech evaluate' says why"
        )
    raise InputError(_nothing_held(bag, result, held))


def _nothing_held(bag: str | Path, result: str | None, held: list[str]) -> str:
    """The sentence that says so, and what to do."""
    wanted = f"{result} result" if result else "result"
    there = f" (only {', '.join(held)})" if held else ""
    if result == "truth":
        return f"{bag}: holds no truth{there}; only bags of 'markerless-biomech simulate' do"
    return f"{bag}: holds no {wanted}{there}; run 'markerless-biomech {RESULTS[result or 'live']}' on it first"
