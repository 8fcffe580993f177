"""Centre of mass of the whole body, and the margin of stability at heel strikes.

Segment masses and centres are de Leva's (1996, `body/inertias.py`). The margin is that of Hof, Gazendam & Sinke,
J. Biomech. 38:1, 2005: the body falls like an inverted pendulum of length l, so its extrapolated centre of mass is
XcoM = x + v / sqrt(g / l), and the margin is the distance from there to the edge of the foot that has just landed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..body.base import base_sites
from ..body.subject import Subject
from .body_path import BodyPath, body_path
from .values import SIDES, StepEvent

GRAVITY_M_S2 = 9.81
_VELOCITY_S = 0.05
"""Half of the time over which the centre's velocity is taken."""
_PROGRESS_S = 0.5
_EDGE = ("sole_heel", "sole_first_metatarsal", "sole_fifth_metatarsal", "sole_big_toe")


@dataclass(frozen=True)
class MarginOfStability:
    """At one heel strike; positive: the extrapolated centre of mass is inside the foot's edge."""

    stamp_ns: int
    side: str
    sideways_m: float
    """To the foot's outer edge, across the direction of progress."""
    forward_m: float
    """To the foot's foremost point, along it; in walking mostly negative: one falls forward onto the next step."""


def centre_of_mass_m(subject: Subject, qpos: np.ndarray) -> np.ndarray:
    """(F, 3) in world, at poses (F, 41)."""
    return body_path(subject, qpos).centre_of_mass_m()


def margins_of_stability(
    subject: Subject,
    stamps_ns: np.ndarray,
    qpos: np.ndarray,
    events: Sequence[StepEvent],
    surface_m_s: np.ndarray | None = None,
) -> list[MarginOfStability]:
    """At every heel strike that the poses (F, 41) at `stamps_ns` (F,) reach around; `surface_m_s` (2,) is a belt's."""
    return margins_of_body(body_path(subject, qpos), stamps_ns, events, surface_m_s)


def margins_of_body(
    body: BodyPath, stamps_ns: np.ndarray, events: Sequence[StepEvent], surface_m_s: np.ndarray | None = None
) -> list[MarginOfStability]:
    """The same of a body whose path is known."""
    belt = np.zeros(2) if surface_m_s is None else surface_m_s
    centre_m = body.centre_of_mass_m()
    names = tuple([f"{point}_{side}" for side in "lr" for point in _EDGE])
    soles = body.points_m(base_sites(names)).reshape(len(stamps_ns), 2, len(_EDGE), 3)
    margins = []
    for event in events:
        inside = stamps_ns[0] + _PROGRESS_S * 1e9 <= event.stamp_ns <= stamps_ns[-1] - _PROGRESS_S * 1e9
        if event.type == "heel_strike" and inside:
            row = int(np.argmin(np.abs(stamps_ns - event.stamp_ns)))
            velocity = _slope(stamps_ns, centre_m, event.stamp_ns, _VELOCITY_S)[:2] - belt
            progress = _slope(stamps_ns, centre_m, event.stamp_ns, _PROGRESS_S)[:2] - belt
            foot = SIDES.index(event.side)
            margins.append(_margin(event, centre_m[row], velocity, progress, soles[row, foot]))
    return margins


def _margin(
    event: StepEvent, centre_m: np.ndarray, velocity_m_s: np.ndarray, progress_m_s: np.ndarray, sole_m: np.ndarray
) -> MarginOfStability:
    """Margins of one foot (P, 3)."""
    length_m = float(centre_m[2] - sole_m[:, 2].min())
    extrapolated = centre_m[:2] + velocity_m_s * np.sqrt(length_m / GRAVITY_M_S2)
    forward = progress_m_s / max(float(np.linalg.norm(progress_m_s)), 1e-6)
    outward = np.array([-forward[1], forward[0]]) * (1.0 if event.side == "left" else -1.0)
    reach = sole_m[:, :2] - extrapolated
    return MarginOfStability(event.stamp_ns, event.side, float((reach @ outward).max()), float((reach @ forward).max()))


def _slope(stamps_ns: np.ndarray, path: np.ndarray, at_ns: int, half_s: float) -> np.ndarray:
    """(3,) mean velocity of `path` (F, 3) from `half_s` before to after."""
    ends_ns = np.array([at_ns - half_s * 1e9, at_ns + half_s * 1e9])
    ends = np.stack([np.interp(ends_ns, stamps_ns, path[:, axis]) for axis in range(3)], axis=-1)
    return (ends[1] - ends[0]) / (2.0 * half_s)
