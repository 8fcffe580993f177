"""Standing with sway, and rising from and sitting down on a seat: reference poses and where soles have to be.

Sway: a few millimetres to a centimetre below 1 Hz (Prieto et al., IEEE Trans. Biomed. Eng. 43:956, 1996). Rising: the
trunk leans forward before the seat is left, knees and hips extend after (Schenkman et al., Physical Therapy 70:638,
1990; Nuzik et al., Physical Therapy 66:1708, 1986), in about 2 s.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from ..body.names import JOINT_NAMES
from ..rotations import wxyz_from_xyzw
from ..settings import SimulationSettings
from .planting import Contacts
from .skeleton import Skeleton

SWAY_HZ = (0.13, 0.29, 0.47, 0.71)
REST_DEG = {
    "hip_flexion": 3.0,
    "knee_angle": 5.0,
    "ankle_angle": 2.0,
    "arm_add": -8.0,
    "arm_flex": -2.0,
    "elbow_flex": 12.0,
    "pro_sup": 72.0,
    "wrist_flex": 5.0,
    "wrist_dev": 2.0,
}
"""Arms hanging, palms towards the thighs."""
CYCLE_S = 6.0
"""Standing, sitting down, sitting, rising; shortened a little so that whole cycles fill the time."""
STAND_S, LOWER_S, RISE_S = 1.2, 2.1, 1.8
SEATED_DEG = {"hip_flexion": 82.0, "knee_angle": 90.0, "ankle_angle": 8.0, "arm_flex": 25.0, "elbow_flex": 45.0}
PELVIS_BACK_DEG = 6.0
"""Backward tilt of the pelvis when seated."""
LEAN_DEG = {
    "hip_flexion": 26.0,
    "ankle_angle": 8.0,
    "lumbar_extension": -20.0,
    "neck_extension": 14.0,
    "arm_flex": 40.0,
}
"""At seat off, on top of the seated pose; the pelvis leans forward by the hips' share."""
FEET_APART_M = 0.20


def plan(settings: SimulationSettings, skeleton: Skeleton, times_s: np.ndarray) -> tuple[np.ndarray, Contacts, float]:
    """(reference (N, 41), contacts, period)."""
    seated, lean = np.zeros_like(times_s), np.zeros_like(times_s)
    if settings.path == "sit-to-stand":
        seated, lean = _rising(settings, times_s)
    qpos = np.zeros((len(times_s), 7 + len(JOINT_NAMES)))
    sway = _sway(settings, times_s)
    for index, name in enumerate(JOINT_NAMES):
        motion = name[:-2] if name[-2:] in ("_r", "_l") else name
        degrees = REST_DEG.get(motion, 0.0) + SEATED_DEG.get(motion, 0.0) * seated + LEAN_DEG.get(motion, 0.0) * lean
        qpos[:, 7 + index] = np.radians(degrees + sway[:, index % sway.shape[1]])
    contacts = _both_feet(skeleton, times_s)
    _place_root(qpos, skeleton, seated, lean, sway)
    return qpos, contacts, settings.seconds


def _sway(settings: SimulationSettings, times_s: np.ndarray) -> np.ndarray:
    """(N, 12) slow sums of sines, rms about 0.5, that repeat after settings.seconds."""
    rng = np.random.default_rng([settings.seed, 2])
    cycles = np.maximum(1, np.round(np.array(SWAY_HZ) * settings.seconds))
    phase = rng.uniform(0.0, 2.0 * np.pi, (len(cycles), 12))
    gain = rng.uniform(0.5, 1.0, phase.shape) * 0.7 / np.sqrt(np.arange(1, len(cycles) + 1))[:, None]
    return (gain * np.sin(2 * np.pi * cycles[:, None] * times_s[:, None, None] / settings.seconds + phase)).sum(1)


def _rising(settings: SimulationSettings, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(seated 0..1, lean 0..1) over time; starts and ends standing."""
    cycle_s = settings.seconds / max(1, round(settings.seconds / CYCLE_S))
    speed_up = CYCLE_S / cycle_s
    time = np.mod(times_s, cycle_s) * speed_up
    down = (time - STAND_S) / LOWER_S
    up = (time - (CYCLE_S - RISE_S)) / RISE_S
    seated = _smooth_step(down) - _smooth_step(up)
    # the trunk is furthest forward a third of the way up (seat off), and less so on the way down
    lean = _hump((up - 0.25) / 0.55) + 0.8 * _hump((down - 0.55) / 0.6)
    return seated, lean


def _smooth_step(x: np.ndarray) -> np.ndarray:
    """Minimum-jerk rise from 0 to 1 (Flash & Hogan 1985)."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10.0 - 15.0 * x + 6.0 * x**2)


def _hump(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 1.0, (1.0 - np.clip(np.abs(x), 0.0, 1.0) ** 2) ** 3, 0.0)


def _both_feet(skeleton: Skeleton, times_s: np.ndarray) -> Contacts:
    """Both feet flat, all the time."""
    flat = skeleton.flat_foot_m()
    place = np.stack(
        [
            Rotation.from_euler("z", math.radians(side * 8.0)).apply(flat[foot]) + [0.0, side * FEET_APART_M / 2.0, 0.0]
            for foot, side in enumerate((-1, 1))
        ]
    )
    shape = (len(times_s), *place.shape[:2])
    return Contacts(np.ones(shape, bool), np.broadcast_to(place, (*shape, 3)), np.zeros(shape))


def _place_root(qpos: np.ndarray, skeleton: Skeleton, seated: np.ndarray, lean: np.ndarray, sway: np.ndarray) -> None:
    """Pelvis where the reference legs put it when both feet are on their places."""
    tilt = np.radians(-PELVIS_BACK_DEG * seated + LEAN_DEG["hip_flexion"] * lean + 0.3 * sway[:, 0])
    qpos[:, 3:7] = wxyz_from_xyzw(Rotation.from_euler("y", tilt[:, None]).as_quat())
    ankles = skeleton.ankles_m(qpos).mean(1)
    lowest = skeleton.soles_m(qpos)[..., 2].min((1, 2))
    qpos[:, 0] = -ankles[:, 0] + 0.006 * sway[:, 1]
    qpos[:, 1] = 0.004 * sway[:, 2]
    qpos[:, 2] = -gaussian_filter1d(lowest, 5.0, mode="nearest")
