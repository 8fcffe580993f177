"""Nobody walks like the mean: a person's own offsets and excursions, and slow wandering of trunk and arms.

The spread is about that between healthy adults (Fukuchi et al. 2018; Perry & Burnfield 2010), less in the legs, whose
angles the footprints fix for the most part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..body.names import JOINT_NAMES
from ..settings import SimulationSettings
from .person import person_seed

_LEG_OFFSETS_DEG = {"hip_flexion": 1.5, "hip_adduction": 0.8, "hip_rotation": 2.0, "ankle_angle": 1.0, "mtp_angle": 1.0}
_TRUNK_OFFSETS_DEG = {"lumbar_extension": 3.0, "lumbar_bending": 0.7, "lumbar_rotation": 0.7, "neck_extension": 4.0}
_ARM_OFFSETS_DEG = {
    "arm_flex": 3.0,
    "arm_add": 2.0,
    "arm_rot": 4.0,
    "elbow_flex": 4.0,
    "pro_sup": 8.0,
    "wrist_flex": 4.0,
}
OFFSET_SD_DEG = {**_LEG_OFFSETS_DEG, **_TRUNK_OFFSETS_DEG, **_ARM_OFFSETS_DEG}
"""Of the mean angle between people, by joint without its side; 0.5 deg where none is given."""
EXCURSION_SD = {"leg": 0.02, "trunk": 0.15, "arm": 0.2}
"""Of the excursion, relative."""
WANDER_SD_DEG = {"leg": 0.0, "trunk": 0.6, "arm": 1.2}
"""From stride to stride."""
WANDER_HZ = (0.15, 1.6)
WANDER_SINES = 8
SIDE_SHARE = 0.3
"""Of the spread, between left and right of one person."""
LARGEST_SD = 2.0


@dataclass(frozen=True, eq=False)
class Style:
    """By JOINT_NAMES."""

    offset_rad: np.ndarray
    """(34,)"""
    excursion: np.ndarray
    """(34,) factor."""

    def applied(self, angles_rad: np.ndarray, rest_rad: np.ndarray) -> np.ndarray:
        """(N, 34) angles with the person's excursion about `rest_rad` (34,) and offset."""
        return rest_rad + self.excursion * (angles_rad - rest_rad) + self.offset_rad


def person_style(settings: SimulationSettings) -> Style:
    """Fixed by the person's seed."""
    rng = np.random.default_rng([person_seed(settings), 12])
    offset, excursion = (np.clip(_sided(rng), -LARGEST_SD, LARGEST_SD) for _ in range(2))
    spread_deg = np.array([OFFSET_SD_DEG.get(_motion(name), 0.5) for name in JOINT_NAMES])
    return Style(np.radians(spread_deg) * offset, 1.0 + _by_part(EXCURSION_SD) * excursion)


def wander_rad(settings: SimulationSettings, times_s: np.ndarray, period_s: float) -> np.ndarray:
    """(N, 34) slow deviations that repeat with the motion. Fixed by the seed."""
    rng = np.random.default_rng([settings.seed, 13])
    base_hz = 1.0 / period_s if math.isfinite(period_s) else 1.0 / 97.0
    frequency = rng.uniform(*WANDER_HZ, (WANDER_SINES, len(JOINT_NAMES)))
    frequency = np.maximum(1, np.round(frequency / base_hz)) * base_hz
    phase = rng.uniform(0.0, 2.0 * np.pi, frequency.shape)
    total = np.zeros((len(times_s), len(JOINT_NAMES)))
    for row_hz, row_phase in zip(frequency, phase, strict=True):
        total += np.sin(2.0 * np.pi * row_hz * times_s[:, None] + row_phase)
    return np.radians(_by_part(WANDER_SD_DEG)) * total * math.sqrt(2.0 / WANDER_SINES)


def _sided(rng: np.random.Generator) -> np.ndarray:
    """(34,) of variance 1: left and right of a joint alike but for SIDE_SHARE."""
    both, own = rng.standard_normal((2, len(JOINT_NAMES)))
    motions = [_motion(name) for name in JOINT_NAMES]
    shared = both[[motions.index(motion) for motion in motions]]
    return math.sqrt(1.0 - SIDE_SHARE**2) * shared + SIDE_SHARE * own


def _motion(name: str) -> str:
    return name[:-2] if name[-2:] in ("_r", "_l") else name


def _by_part(value_from_part: dict[str, float]) -> np.ndarray:
    """(34,) a part's value for each of its joints."""
    parts = ["leg"] * 14 + ["trunk"] * 6 + ["arm"] * 14
    return np.array([value_from_part[part] for part in parts])
