"""joints.csv for spreadsheets: one row a state that is not LOST; time is the header's stamp, to the nanosecond."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from ..body.names import JOINT_NAMES
from ..results import BodyEstimate, Tracking
from .opensim_axes import PELVIS_ANGLES, PELVIS_POSITION, pelvis_angles_deg

JOINT_COLUMNS = ("time_s", *JOINT_NAMES, *PELVIS_POSITION, *PELVIS_ANGLES)


def joints_csv(bodies: Sequence[BodyEstimate]) -> str:
    """The text of joints.csv: joints (deg), pelvis in world (m, axes of ROS), pelvis angles of OpenSim (deg)."""
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
