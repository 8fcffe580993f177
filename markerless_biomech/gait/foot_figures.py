"""Figures of single steps beside length and width: where the foot points, and how high it swings.

From the feet over a whole recording (arrays over F instants) and its final events. Everything is relative to the local
direction of progress, the pelvis' path over a stride around the instant, so that curves are right; on a treadmill the
belt's velocity is taken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .parameters import Stride, strides
from .values import SIDES, StepEvent

_FLAT = (0.25, 0.6)
"""Shares of stance between which the foot is flat (Perry & Burnfield 2010: from loading response to heel off)."""
_MID_SWING = (0.25, 0.85)
"""Shares of swing between which the toe passes its lowest point (Winter 1992: half way through the swing)."""


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
        ends = np.array([self._pelvis_at(stamp) for stamp in (start_ns, end_ns)])
        moved = ends[1] - ends[0] - (end_ns - start_ns) * 1e-9 * self.surface_m_s
        length = float(np.linalg.norm(moved))
        return moved / length if length > 0.05 else np.full(2, np.nan)

    def between(self, start_ns: float, end_ns: float) -> np.ndarray:
        """(F,) bool: instants from the one to the other."""
        return (self.stamps_ns >= start_ns) & (self.stamps_ns <= end_ns)

    def _pelvis_at(self, stamp_ns: int) -> np.ndarray:
        return np.array([np.interp(stamp_ns, self.stamps_ns, self.pelvis_m[:, axis]) for axis in (0, 1)])


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
