"""A motion that can be sampled at any time, and the events of its feet."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import CubicSpline

from .skeleton import EVENT_POINTS, Skeleton

FLOOR_TOLERANCE_M = 1e-3
"""A sole point not higher than this is at floor height."""
STANDING_SPEED_M_S = 0.01
"""A sole point slower than this, over the floor (the belt), stands."""
EVENT_INTERVAL_S = 1e-3
SHORTEST_SWING_S = 0.12
"""A foot that stands again sooner has not left the floor: one stance, from its first to its last standing instant."""


@dataclass(frozen=True)
class GaitEvent:
    """A true event: first or last instant at which a sole point stands on the floor."""

    time_s: float
    side: str
    """'left' or 'right'."""
    type: str
    """'heel_strike' or 'toe_off'."""
    foot_position_m: tuple[float, float, float]
    """The heel's floor point in world while the foot stands; on a treadmill, where it is at that instant."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Poses of one person over time."""

    stamps_s: np.ndarray
    """(F,)"""
    qpos: np.ndarray
    """(F, 41) at the stamps."""
    events: tuple[GaitEvent, ...]
    """From the first to the last stamp (to the end of the period, where there is one), in order of time."""
    period_s: float
    """After which the motion repeats without a jump; infinite if it does not."""
    belt_speed_m_s: float
    """Of a treadmill, whose surface moves towards -x; 0 on the floor."""
    curve: CubicSpline = field(repr=False)

    def sample(self, times_s: np.ndarray) -> np.ndarray:
        """(..., 41) poses at any times within the stamps (and a little beyond)."""
        return sampled(self.curve, times_s)

    def velocity(self, times_s: np.ndarray) -> np.ndarray:
        """(..., 40) m/s in world axes, rad/s about pelvis axes, rad/s."""
        rate = self.curve(times_s, 1)
        w, x, y, z = np.moveaxis(self.sample(times_s)[..., 3:7], -1, 0)
        dw, dx, dy, dz = np.moveaxis(rate[..., 3:7], -1, 0)
        # 2 conj(q) dq/dt
        turn = 2.0 * np.stack(
            [w * dx - x * dw - y * dz + z * dy, w * dy - y * dw - z * dx + x * dz, w * dz - z * dw - x * dy + y * dx],
            -1,
        )
        return np.concatenate([rate[..., :3], turn, rate[..., 7:]], -1)


def motion_curve(times_s: np.ndarray, qpos: np.ndarray) -> CubicSpline:
    """Twice differentiable curve through poses; quaternions are made continuous first."""
    continuous = qpos.copy()
    flips = np.sign(np.einsum("ni,ni->n", qpos[1:, 3:7], qpos[:-1, 3:7]))
    continuous[1:, 3:7] *= np.cumprod(np.where(flips == 0.0, 1.0, flips))[:, None]
    return CubicSpline(times_s, continuous)


def sampled(curve: CubicSpline, times_s: np.ndarray) -> np.ndarray:
    """Poses with unit quaternions."""
    qpos = curve(times_s)
    qpos[..., 3:7] /= np.linalg.norm(qpos[..., 3:7], axis=-1, keepdims=True)
    return qpos


def find_events(
    skeleton: Skeleton, curve: CubicSpline, start_s: float, end_s: float, belt_speed_m_s: float = 0.0
) -> tuple[GaitEvent, ...]:
    """True heel strikes and toe offs from the soles alone; `curve` reaches a stride beyond both ends."""
    times_s = np.arange(curve.x[0], curve.x[-1], EVENT_INTERVAL_S)
    points = skeleton.soles_m(sampled(curve, times_s))[:, :, :EVENT_POINTS]
    points[..., 0] += belt_speed_m_s * times_s[:, None, None]
    speed = np.linalg.norm(np.gradient(points, times_s, axis=0), axis=-1)
    standing = (points[..., 2] < FLOOR_TOLERANCE_M) & (speed < STANDING_SPEED_M_S)
    events: list[GaitEvent] = []
    for side, name in enumerate(("right", "left")):
        events += _side_events(times_s, points[:, side], speed[:, side], standing[:, side], name, belt_speed_m_s)
    return tuple(sorted((event for event in events if start_s <= event.time_s < end_s), key=lambda event: event.time_s))


def _side_events(
    times_s: np.ndarray, points: np.ndarray, speed: np.ndarray, standing: np.ndarray, side: str, belt_speed_m_s: float
) -> list[GaitEvent]:
    """Events of one foot from its points (N, P, 3), their speeds and whether they stand (N, P)."""
    instants = np.flatnonzero(standing.any(1))
    if not instants.size:
        return []
    gaps = np.flatnonzero(np.diff(instants) > SHORTEST_SWING_S / EVENT_INTERVAL_S)
    starts, ends = instants[[0, *(gaps + 1)]], instants[[*gaps, -1]]
    events = []
    for start, end in zip(starts, ends, strict=True):
        for index, kind in ((start, "heel_strike"), (end, "toe_off")):
            if index in (0, len(times_s) - 1):
                continue
            x, y, z = _standing_heel(points[start : end + 1, 0], speed[start : end + 1, 0])
            place = (float(x - belt_speed_m_s * times_s[index]), float(y), float(z))
            events.append(GaitEvent(float(times_s[index]), side, kind, place))
    return events


def _standing_heel(heel_m: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Median place of the heel while it is slow; where it is slowest if it never stands (walking on the toes)."""
    slow = speed < max(STANDING_SPEED_M_S, float(speed.min()) * 1.5)
    return np.median(heel_m[slow], axis=0)
