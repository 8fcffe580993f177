"""Figures of single steps beside length and width: where the foot points, and how high it swings.

From the feet over a whole recording (arrays over F instants) and its final events. Everything is relative to the local
direction of progress, the pelvis' path over a stride around the instant, so that curves are right; on a treadmill the
belt's velocity is taken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .parameters import Stride, strides
from .surface import Belt
from .unbroken import way
from .values import SIDES, StepEvent

_FLAT = (0.25, 0.6)
"""Shares of stance between which the foot is flat (Perry & Burnfield 2010: from loading response to heel off)."""
_MID_SWING = (0.25, 0.85)
"""Shares of swing between which the toe passes its lowest point (Winter 1992: half way through the swing)."""
_LEAST_PROGRESS_M = 0.05
"""Who moves less than this over a stride walks in place."""


@dataclass(frozen=True, eq=False)
class FeetPath:
    """Both feet and the pelvis over a recording."""

    stamps_ns: np.ndarray
    """(F,)"""
    heel_m: np.ndarray
    """(F, 2, 3) left, right."""
    toe_m: np.ndarray
    """(F, 2, 3)"""
    pelvis_m: np.ndarray
    """(F, 3)"""
    surface_m_s: np.ndarray
    """(2,) velocity of the belt; 0 on a floor."""

    def direction(self, start_ns: int, end_ns: int) -> np.ndarray:
        """(2,) unit vector of the progress over the surface between two instants; NaN for a person in place."""
        return self.directions(np.array([start_ns]), np.array([end_ns]))[0]

    def directions(self, start_ns: np.ndarray, end_ns: np.ndarray) -> np.ndarray:
        """(N, 2) the same between (N,) and (N,) instants; what lies beyond an end or a gap of the recording is not
        counted."""
        moved, passed_s = way(self.stamps_ns, self.pelvis_m[:, :2], start_ns, end_ns)
        moved = moved - passed_s[:, None] * self.surface_m_s
        length = np.linalg.norm(moved, axis=-1, keepdims=True)
        return np.where(length > _LEAST_PROGRESS_M, moved / np.maximum(length, _LEAST_PROGRESS_M), np.nan)

    def between(self, start_ns: float, end_ns: float) -> np.ndarray:
        """(F,) bool: instants from the one to the other."""
        return (self.stamps_ns >= start_ns) & (self.stamps_ns <= end_ns)


@dataclass(frozen=True)
class FootFigures:
    """Of one stride of one foot; NaN where it cannot be told."""

    side: str
    start_ns: int
    """The heel strike that begins the stride."""
    foot_progression_deg: float
    """Angle of heel to toe, in foot flat, with the direction of progress; positive: toes out."""
    toe_clearance_m: float
    """Least height of the toe point in mid swing above its height in foot flat."""


def with_surface(path: FeetPath, events: Sequence[StepEvent]) -> FeetPath:
    """`path` with the velocity of what the feet stand on: the heels' in foot flat, median of the strides; a velocity
    too small for a belt's counts as a floor's."""
    velocities = [_standing_velocity_m_s(path, stride) for stride in strides(events) if stride.toe_off_ns]
    known = np.array([velocity for velocity in velocities if velocity is not None]).reshape(-1, 2)
    surface_m_s = np.median(known, axis=0) if len(known) else np.zeros(2)
    moving = float(np.linalg.norm(surface_m_s)) >= Belt.LEAST_SPEED_M_S
    return replace(path, surface_m_s=surface_m_s if moving else np.zeros(2))


def _standing_velocity_m_s(path: FeetPath, stride: Stride) -> np.ndarray | None:
    """(2,) mean velocity of the heel in foot flat; None without two samples."""
    rows = np.flatnonzero(path.between(*_shares(stride.start_ns, stride.toe_off_ns, _FLAT)))
    if len(rows) < 2:
        return None
    heel_m = path.heel_m[rows[[0, -1]], SIDES.index(stride.side), :2]
    return (heel_m[1] - heel_m[0]) / ((path.stamps_ns[rows[-1]] - path.stamps_ns[rows[0]]) * 1e-9)


def foot_figures(path: FeetPath, events: Sequence[StepEvent]) -> list[FootFigures]:
    """One for each stride, in order of the strides' ends."""
    return [_figures(path, stride) for stride in strides(events)]


def _figures(path: FeetPath, stride: Stride) -> FootFigures:
    nan = float("nan")
    if not stride.toe_off_ns:
        return FootFigures(stride.side, stride.start_ns, nan, nan)
    foot = SIDES.index(stride.side)
    flat = path.between(*_shares(stride.start_ns, stride.toe_off_ns, _FLAT))
    swing = path.between(*_shares(stride.toe_off_ns, stride.end_ns, _MID_SWING))
    if not flat.any() or not swing.any():
        return FootFigures(stride.side, stride.start_ns, nan, nan)
    axis = np.median(path.toe_m[flat, foot] - path.heel_m[flat, foot], axis=0)[:2]
    middle_ns, half_ns = int(np.median(path.stamps_ns[flat])), (stride.end_ns - stride.start_ns) // 2
    direction = path.direction(middle_ns - half_ns, middle_ns + half_ns)
    direction *= np.sign(direction @ axis)  # backwards, feet point against the progress
    turn = np.degrees(np.arctan2(direction[0] * axis[1] - direction[1] * axis[0], direction @ axis))
    height = path.toe_m[:, foot, 2]
    return FootFigures(
        stride.side,
        stride.start_ns,
        float(turn if stride.side == "left" else -turn),
        float(height[swing].min() - np.median(height[flat])),
    )


def _shares(start_ns: int, end_ns: int, shares: tuple[float, float]) -> tuple[float, float]:
    return start_ns + shares[0] * (end_ns - start_ns), start_ns + shares[1] * (end_ns - start_ns)
