"""What goes into gait analysis and what comes out, as plain values. Arrays of two are [left, right]; world has z up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SIDES = ("left", "right")
TYPES_OF_EVENT = ("heel_strike", "toe_off")
_NAN = float("nan")


def _nowhere() -> np.ndarray:
    return np.full(3, _NAN)


@dataclass(frozen=True, eq=False)
class FootSample:
    """Both feet at one instant: live, or settled by what followed. NaN marks a point that is not known."""

    stamp_ns: int
    heel_m: np.ndarray
    """(2, 3) in world."""
    toe_m: np.ndarray
    """(2, 3) in world: tip of the toes, or a point on the forefoot."""
    heel_std_m: np.ndarray = field(default_factory=lambda: np.full(2, 0.002))
    """(2,) along each axis."""
    toe_std_m: np.ndarray = field(default_factory=lambda: np.full(2, 0.002))
    """(2,) along each axis."""
    pelvis_m: np.ndarray = field(default_factory=_nowhere)
    """(3,) any point that moves with the pelvis; NaN: the feet's mean stands for it."""
    settled: bool = True
    """False: a live sample, which a settled one of the same stamp will replace."""


@dataclass(frozen=True, eq=False)
class StepEvent:
    """One revision of one event; NaN where a figure is undefined."""

    stamp_ns: int
    side: str
    """'left' or 'right'."""
    type: str
    """'heel_strike' or 'toe_off'."""
    foot_position_m: np.ndarray
    """(3,) in world: the heel at a heel strike, the toe at a toe off."""
    id: int
    revision: int = 0
    final: bool = True
    """The event's time stays as it is; step length and width may still follow with the other foot's next strike."""
    withdrawn: bool = False
    time_std_s: float = 0.0
    confidence: float = 1.0
    step_length_m: float = _NAN
    step_width_m: float = _NAN
    stride_length_m: float = _NAN
    step_length_std_m: float = _NAN
    step_width_std_m: float = _NAN
    stride_length_std_m: float = _NAN
    step_time_s: float = _NAN
    stride_time_s: float = _NAN
    calibration_version: int = 1


@dataclass(frozen=True, eq=False)
class Stance:
    """How likely feet and points stand at N instants. Points: heel left, heel right, toe left, toe right."""

    stamps_ns: np.ndarray
    """(N,)"""
    foot: np.ndarray
    """(N, 2) probability that the foot is on the floor."""
    still: np.ndarray
    """(N, 4) probability that the point does not move on the floor (on the belt)."""
    floor_m: np.ndarray
    """(N, 4) height (z) at which the point stands, at its place; NaN: not known yet."""
    surface_m_s: np.ndarray
    """(2,) horizontal velocity of what the feet stand on: the belt's, 0 on a floor."""
