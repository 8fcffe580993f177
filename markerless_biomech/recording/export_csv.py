"""joints.csv and events.csv for spreadsheets; time is the header's stamp, to the nanosecond."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from ..body.names import JOINT_NAMES
from ..results import BodyEstimate, Tracking
from .opensim_axes import PELVIS_ANGLES, PELVIS_POSITION, pelvis_angles_deg
from .step_messages import StepRecord

JOINT_COLUMNS = ("time_s", *JOINT_NAMES, *PELVIS_POSITION, *PELVIS_ANGLES)
STEP_LENGTHS = ("step_length_m", "step_width_m", "stride_length_m")
EVENT_COLUMNS = ("time_s", "side", "type", *STEP_LENGTHS)


def joints_csv(bodies: Sequence[BodyEstimate]) -> str:
    """The text of joints.csv, a row a state that is not LOST: joints (deg), pelvis in world (m, axes of ROS), pelvis
    angles of OpenSim (deg)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(JOINT_COLUMNS)
    for body in bodies:
        if body.tracking is Tracking.LOST:
            continue
        joints_deg = np.degrees(body.qpos[7:])
        numbers = (*joints_deg, *body.qpos[:3], *pelvis_angles_deg(body.qpos[3:7]))
        writer.writerow([seconds_text(body.stamp_ns), *(f"{x:.6f}" for x in numbers)])
    return text.getvalue()


def events_csv(steps: Sequence[StepRecord]) -> str:
    """The text of events.csv, a row an event; lengths that are not defined are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(EVENT_COLUMNS)
    for step in steps:
        lengths_m = (getattr(step, name) for name in STEP_LENGTHS)
        numbers = ("" if np.isnan(length) else f"{length:.6f}" for length in lengths_m)
        writer.writerow([seconds_text(step.stamp_ns), step.side, step.type, *numbers])
    return text.getvalue()


def seconds_text(stamp_ns: int) -> str:
    """Seconds in words: a float would lose nanoseconds of a stamp."""
    seconds, nanoseconds = divmod(abs(stamp_ns), 1_000_000_000)
    return f"{'-' if stamp_ns < 0 else ''}{seconds}.{nanoseconds:09d}"
