"""The walk before its feet are held: reference poses from the curves along the path, and where soles have to be."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from ..body.names import JOINT_NAMES
from ..rotations import wxyz_from_xyzw
from ..settings import SimulationSettings
from . import gait_curves
from .paths import Footprints, Timeline
from .planting import Contacts
from .skeleton import Skeleton
from .style import person_style, wander_rad

SWAY_M = 0.018
"""Side to side, to the standing leg (Perry & Burnfield 2010: 4 cm from end to end at comfortable speed)."""
SURGE_M = 0.008
"""Forward and back, twice a stride (Winter 2009)."""
MIDDLE_OF_SUPPORT = 0.31
"""Phase of the right leg's stride half way through its single support."""
FOOT_FLAT, HEEL_OFF, TOES_ROLL = 0.16, 0.48, 0.82
"""Shares of stance (Perry & Burnfield 2010: foot flat at 7-12 % of the stride, heel off at 31-40 %)."""
SINK_M = 0.0015
"""The floor for points that do not stand is this much lower: its soft corner must not push off a foot that rolls."""
ROUNDING = 1e-5
"""In strides: a heel strike that falls on a solved instant stays on it in the next period."""
TOE_CLEARANCE_M = 0.012
"""Least height of a sole point in mid swing (Winter 1992: 1.3 cm)."""


def reference_motion(settings: SimulationSettings, timeline: Timeline, skeleton: Skeleton) -> np.ndarray:
    """(N, 41) normative joint angles along the path, lowest sole near the floor."""
    ratio = gait_curves.step_ratio(timeline.speed_m_s, settings.height_m)
    stance = gait_curves.stance_share(timeline.speed_m_s, settings.height_m)
    phases = {side: gait_curves.curve_phase(timeline.phase - 0.5 * (side == "l"), stance) for side in "rl"}
    qpos = np.zeros((len(timeline.times_s), 7 + len(JOINT_NAMES)))
    angles = np.stack([_joint_reference(settings, name, phases, ratio) for name in JOINT_NAMES], axis=-1)
    rest = np.radians([_curve(name).pivot_deg for name in JOINT_NAMES])
    wander = wander_rad(settings, timeline.times_s, timeline.period_s)
    qpos[:, 7:] = person_style(settings).applied(angles, rest) + wander
    place_pelvis(qpos, settings, timeline, phases["r"], ratio, skeleton)
    return qpos


def _joint_reference(
    settings: SimulationSettings, name: str, phases: dict[str, np.ndarray], ratio: np.ndarray
) -> np.ndarray:
    """(N,) one joint's angle."""
    if name in gait_curves.TRUNK_CURVES:
        return _curve(name).angle_rad(phases["r"], ratio)
    motion, side = name[:-2], name[-1]
    curve = _curve(name)
    smaller = 1.0 - settings.asymmetry if side == "l" and motion in gait_curves.LEG_CURVES else 1.0
    rest = np.radians(curve.pivot_deg)
    return rest + smaller * (curve.angle_rad(phases[side], ratio) - rest)


def _curve(name: str) -> gait_curves.Curve:
    """A joint's curve, by its name with or without side."""
    curves = {**gait_curves.LEG_CURVES, **gait_curves.TRUNK_CURVES, **gait_curves.ARM_CURVES}
    return curves[name] if name in curves else curves[name[:-2]]


def place_pelvis(
    qpos: np.ndarray,
    settings: SimulationSettings,
    timeline: Timeline,
    phase: np.ndarray,
    ratio: np.ndarray,
    skeleton: Skeleton,
) -> None:
    """Set the root: mid hip above the path with sway and surge, pelvis turned by its curves, leaning into the turn."""
    angle = {name: curve.angle_rad(phase, ratio) for name, curve in gait_curves.PELVIS_CURVES.items()}
    lean = timeline.lean_rad
    turned = np.stack([timeline.heading_rad + angle["rotation"], -lean - angle["obliquity"], angle["tilt"]], -1)
    rotation = Rotation.from_euler("ZXY", turned)
    qpos[:, 3:7] = wxyz_from_xyzw(rotation.as_quat())
    to_left = 0.5 * lean * skeleton.hip_height_m() - SWAY_M * np.cos(2 * np.pi * (timeline.phase - MIDDLE_OF_SUPPORT))
    forward = SURGE_M * ratio * np.sin(4 * np.pi * (timeline.phase - 0.06))
    cos, sin = np.cos(timeline.heading_rad), np.sin(timeline.heading_rad)
    qpos[:, 0] = timeline.position_m[:, 0] + forward * cos - to_left * sin
    qpos[:, 1] = timeline.position_m[:, 1] + forward * sin + to_left * cos
    qpos[:, :2] -= rotation.apply(skeleton.mid_hip_m)[:, :2]
    lowest = skeleton.soles_m(qpos)[..., 2].min((1, 2))
    qpos[:, 2] = -gaussian_filter1d(lowest, 0.06 / (timeline.times_s[1] - timeline.times_s[0]), mode="nearest")


def stance_contacts(timeline: Timeline, footprints: Footprints, skeleton: Skeleton) -> Contacts:
    """Heel, then whole foot, then toes, then the big toe alone stand still; a swinging foot clears the floor."""
    flat = skeleton.flat_foot_m()
    lean_m = 0.5 * skeleton.hip_height_m() * np.interp(footprints.start_phase, timeline.phase, timeline.lean_rad)
    outside = lean_m[:, None] * np.stack([np.sin(footprints.heading_rad), -np.cos(footprints.heading_rad)], -1)
    shape = (len(timeline.times_s), 2, flat.shape[1])
    held, place, lowest = np.zeros(shape, bool), np.zeros((*shape, 3)), np.full(shape, -SINK_M)
    ankles = footprints.ankle_m + outside
    rows = zip(footprints.side, footprints.start_phase, footprints.stance, ankles, footprints.yaw_rad, strict=True)
    for side, start, stance, ankle, yaw in rows:
        phase = timeline.phase - start + ROUNDING
        share = phase / stance
        standing = _standing_points(share)
        spot = Rotation.from_euler("z", yaw).apply(flat[side]) + [*ankle, 0.0]
        held[:, side] |= standing
        place[:, side] = np.where(((phase >= 0.0) & (phase < 1.0))[:, None, None], spot, place[:, side])
        swing = np.clip((phase - stance) / (1.0 - stance), 0.0, 1.0)
        lift = (TOE_CLEARANCE_M + SINK_M) * 4.0 * swing * (1.0 - swing)
        lowest[:, side] = np.maximum(lowest[:, side], np.where(phase < 1.0, lift - SINK_M, -1.0)[:, None])
    return Contacts(held, place, lowest)


def _standing_points(share: np.ndarray) -> np.ndarray:
    """(N, P) bool: which of SOLE_POINTS stand still at these shares of stance."""
    heel = (share >= 0.0) & (share <= HEEL_OFF)
    ball = (share >= FOOT_FLAT) & (share <= HEEL_OFF)
    toe_base = (share >= FOOT_FLAT) & (share <= TOES_ROLL)
    big_toe = (share >= FOOT_FLAT) & (share <= 1.0)
    columns = [heel, ball, ball, big_toe, ball, toe_base]
    return np.stack(columns, -1)
