"""TRC (markers) and MOT (coordinates) for OpenSim: y up, its models' coordinate names and signs, degrees and metres.

TRC lengths are in millimetres, as its header says. LOST frames are empty fields in TRC, which OpenSim reads as missing
markers; MOT has no such thing, so there they are left out.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..body.names import JOINT_NAMES
from .export_motion import Motion
from .opensim_axes import OPENSIM_FROM_ROS, PELVIS_ANGLES, PELVIS_POSITION, pelvis_angles_deg

_ARMS = ("arm_", "elbow_", "pro_sup_", "wrist_")
_MM = 1000.0
_TRC_KEYS = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units")
_TRC_KEYS += ("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames")

OPENSIM_MODELS = ("rajagopal", "gait2392")
"""Rajagopal 2016 and its descendants; gait2392 and gait2354, which have no arms. Neither has a neck."""

TURNED_ROUND = {"rajagopal": "mtp_angle_", "gait2392": "knee_angle_"}
"""Coordinates whose sign is not ours: Rajagopal's toes go down, gait2392's knee extends with a positive angle (measured
on the models' files by benchmarks/opensim_models.py)."""


def opensim_coordinates(motion: Motion, model: str = "rajagopal") -> dict[str, np.ndarray]:
    """(F,) of each of the model's coordinates, in its order: degrees; pelvis_tx, _ty, _tz in metres."""
    angles_deg = pelvis_angles_deg(motion.qpos[:, 3:7])
    position_m = motion.qpos[:, :3] @ OPENSIM_FROM_ROS.T
    columns: dict[str, np.ndarray] = dict(zip(PELVIS_ANGLES, angles_deg.T, strict=True))
    columns |= dict(zip(PELVIS_POSITION, position_m.T, strict=True))
    for name, angle_rad in zip(JOINT_NAMES, motion.qpos[:, 7:].T, strict=True):
        if name.startswith("neck_") or (model == "gait2392" and name.startswith(_ARMS)):
            continue
        sign = -1.0 if name.startswith(TURNED_ROUND[model]) else 1.0
        columns[name] = np.degrees(angle_rad) * sign
        if name.startswith("knee_angle_") and model == "rajagopal":
            columns[f"{name}_beta"] = columns[name]  # the patella follows its knee
    return columns


def mot_text(motion: Motion, model: str = "rajagopal") -> str:
    """The text of a motion file; time in seconds since the motion's first row."""
    columns = opensim_coordinates(motion, model)
    rows = np.flatnonzero(motion.held)
    table = np.column_stack([motion.time_s, *columns.values()])[rows]
    head = ("Coordinates", "version=1", f"nRows={len(rows)}", f"nColumns={table.shape[1]}", "inDegrees=yes")
    lines = [*head, "endheader", _tabs(["time", *columns])]
    lines += [_tabs(f"{value:.8f}" for value in row) for row in table]
    return "\n".join(lines) + "\n"


def trc_text(motion: Motion, name: str) -> str:
    """The text of a marker file called `name`: a marker a site, in millimetres."""
    count, frames = len(motion.site_names), len(motion.stamps_ns)
    rate = f"{motion.rate_hz:.6f}"
    points_mm = (motion.sites_m @ OPENSIM_FROM_ROS.T * _MM).reshape(frames, -1)
    axes = [f"{axis}{marker}" for marker in range(1, count + 1) for axis in "XYZ"]
    lines = [
        _tabs(["PathFileType", "4", "(X/Y/Z)", name]),
        _tabs(_TRC_KEYS),
        _tabs([rate, rate, str(frames), str(count), "mm", rate, "1", str(frames)]),
        _tabs(["Frame#", "Time", *(f"{marker}\t\t" for marker in motion.site_names)]),
        _tabs(["", "", *axes]),
        "",
    ]
    for frame, (time_s, row) in enumerate(zip(motion.time_s, points_mm, strict=True), start=1):
        numbers = ("" if np.isnan(x) else f"{x:.5f}" for x in row)
        lines.append(_tabs([str(frame), f"{time_s:.9f}", *numbers, ""]))  # else an empty last field is not counted
    return "\n".join(lines) + "\n"


def _tabs(words: Iterable[str]) -> str:
    return "\t".join(words)
