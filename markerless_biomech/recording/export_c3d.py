"""C3D by ezc3d: sites as points (mm, z up, as in world), joint angles as points listed in POINT:ANGLES, step events.

A point's residual says where it comes from, as the format has it: the site's standard deviation (mm) where it was
observed, 0 where it was inferred from the rest of the body, -1 (and no coordinates) where there is no state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..body.names import JOINT_NAMES
from ..errors import InputError
from .export_motion import Motion
from .opensim_axes import PELVIS_ANGLES, pelvis_angles_deg

ANGLE_NAMES = (*JOINT_NAMES, *PELVIS_ANGLES)
"""Labels of the points whose first coordinate is an angle (deg)."""

_MM = 1000.0
_LEAST_RESIDUAL_MM = 1e-3
"""An observed point's residual is above 0."""
_EVENT_LABEL = {"heel_strike": ("Foot Strike", 1), "toe_off": ("Foot Off", 2)}
"""Name and icon of each kind of event, as other programs write them."""


def write_c3d(motion: Motion, path: Path) -> None:
    """Write the file. Raises InputError when ezc3d is not installed."""
    content = _empty_c3d()
    points, residuals = _points(motion)
    content["data"]["points"] = points
    content["data"]["meta_points"]["residuals"] = residuals[None]
    content["data"]["meta_points"]["camera_masks"] = np.zeros((7, *residuals.shape), bool)
    _describe(content["parameters"], motion)
    _add_events(content, motion)
    content.write(str(path))


def _empty_c3d() -> Any:
    try:
        from ezc3d import c3d
    except ImportError as error:
        raise InputError("C3D files are written by ezc3d, which is not installed; run 'pip install ezc3d'") from error
    return c3d()


def _points(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """(4, K + A, F) homogeneous points and (K + A, F) residuals: sites (mm), then angles (deg)."""
    angles_deg = np.concatenate([np.degrees(motion.qpos[:, 7:]), pelvis_angles_deg(motion.qpos[:, 3:7])], axis=1)
    frames, sites, angles = len(motion.held), len(motion.site_names), len(ANGLE_NAMES)
    points = np.zeros((4, sites + angles, frames))
    points[3] = 1.0
    points[:3, :sites] = motion.sites_m.transpose(2, 1, 0) * _MM
    points[0, sites:] = angles_deg.T
    std_mm = np.maximum(np.nan_to_num(motion.sites_std_m) * _MM, _LEAST_RESIDUAL_MM)
    residuals = np.zeros((sites + angles, frames))
    residuals[:sites] = np.where(motion.site_seen, std_mm, 0.0).T
    missing = np.isnan(points[:3]).any(axis=0) | ~motion.held
    residuals[missing] = -1.0
    points[:3, missing] = np.nan
    return points, residuals


def _describe(parameters: Any, motion: Motion) -> None:
    """POINT's parameters."""
    point = parameters["POINT"]
    point["RATE"]["value"] = [motion.rate_hz]
    point["UNITS"]["value"] = ["mm"]
    point["LABELS"]["value"] = [*motion.site_names, *ANGLE_NAMES]
    of_the_model = "fitted by markerless_biomech"
    point["DESCRIPTIONS"]["value"] = [of_the_model] * (len(motion.site_names) + len(ANGLE_NAMES))
    for name, value in {
        "ANGLES": list(ANGLE_NAMES),
        "ANGLE_UNITS": ["deg"],
        "TYPE_GROUPS": ["ANGLES"],
        "X_SCREEN": ["+X"],
        "Y_SCREEN": ["+Z"],
    }.items():
        point[name] = {"type": -1, "description": "", "is_locked": False, "value": value}


def _add_events(content: Any, motion: Motion) -> None:
    """EVENT's parameters: steps, and pulses of a synchronisation line; (minutes, seconds) after the first frame."""
    steps = [(one.stamp_ns, one.side.capitalize(), *_EVENT_LABEL[one.type]) for one in motion.steps]
    held_ns = range(int(motion.stamps_ns[0]), int(motion.stamps_ns[-1]) + 1)
    pulses = [(one.stamp_ns, "General", one.name or "Sync", 0) for one in motion.pulses if one.stamp_ns in held_ns]
    events = sorted([*steps, *pulses])
    if not events:
        return
    stamps_ns, context, label, icon = zip(*events, strict=True)
    seconds = np.array([stamp_ns - int(motion.stamps_ns[0]) for stamp_ns in stamps_ns]) / 1e9
    for name, value in {
        "USED": [len(events)],
        "CONTEXTS": list(context),
        "LABELS": list(label),
        "DESCRIPTIONS": [""] * len(events),
        "TIMES": np.stack([seconds // 60.0, seconds % 60.0]),
        "SUBJECTS": [""] * len(events),
        "ICON_IDS": list(icon),
        "GENERIC_FLAGS": [0] * len(events),
    }.items():
        content.add_parameter("EVENT", name, value)
