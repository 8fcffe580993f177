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
from .body_path import BodyPath
from .unbroken import mean_velocity, run_around
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


def centre_velocity_m_s(stamps_ns: np.ndarray, centre_m: np.ndarray, at_ns: np.ndarray) -> np.ndarray:
    """(N, 3) velocity at instants (N,) of a centre of mass that is at (F, 3); NaN in gaps of the stamps (F,)."""
    return mean_velocity(stamps_ns, centre_m, at_ns, _VELOCITY_S)


def margins_of_stability(
    body: BodyPath, stamps_ns: np.ndarray, events: Sequence[StepEvent], surface_m_s: np.ndarray | None = None
) -> list[MarginOfStability]:
    """At every heel strike that the body at rising stamps (F,) reaches around without a gap; `surface_m_s` (2,) is a
    belt's."""
    belt = np.zeros(2) if surface_m_s is None else surface_m_s
    strikes = [event for event in events if event.type == "heel_strike" and _reached(stamps_ns, event.stamp_ns)]
    at_ns = np.array([event.stamp_ns for event in strikes], dtype=np.int64)
    centre_m = body.centre_of_mass_m()
    velocity_m_s = centre_velocity_m_s(stamps_ns, centre_m, at_ns)[:, :2] - belt
    progress_m_s = mean_velocity(stamps_ns, centre_m, at_ns, _PROGRESS_S)[:, :2] - belt
    names = tuple([f"{point}_{side}" for side in "lr" for point in _EDGE])
    soles_m = body.points_m(base_sites(names)).reshape(len(stamps_ns), 2, len(_EDGE), 3)
    margins = []
    for event, velocity, progress in zip(strikes, velocity_m_s, progress_m_s, strict=True):
        row = int(np.argmin(np.abs(stamps_ns - event.stamp_ns)))
        margins.append(_margin(event, centre_m[row], velocity, progress, soles_m[row, SIDES.index(event.side)]))
    return margins


def _reached(stamps_ns: np.ndarray, at_ns: int) -> bool:
    """Whether the direction of progress is known from both sides of an instant."""
    first_ns, last_ns = run_around(stamps_ns, np.array([at_ns]))[:, 0]
    return bool(min(at_ns - first_ns, last_ns - at_ns) >= _PROGRESS_S * 1e9)


def _margin(
    event: StepEvent, centre_m: np.ndarray, velocity_m_s: np.ndarray, progress_m_s: np.ndarray, sole_m: np.ndarray
) -> MarginOfStability:
    """Margins of one foot (P, 3)."""
    length_m = float(centre_m[2] - sole_m[:, 2].min())
    extrapolated = centre_m[:2] + velocity_m_s * np.sqrt(length_m / GRAVITY_M_S2)
    forward = progress_m_s / max(float(np.linalg.norm(progress_m_s)), 1e-6)
    toes = (sole_m[1:].mean(axis=0) - sole_m[0])[:2]
    backwards = bool(forward @ toes < 0.0)
    outward = np.array([-forward[1], forward[0]]) * (1.0 if (event.side == "left") != backwards else -1.0)
    reach = sole_m[:, :2] - extrapolated
    return MarginOfStability(event.stamp_ns, event.side, float((reach @ outward).max()), float((reach @ forward).max()))
