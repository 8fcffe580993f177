"""Feet of walks that are not textbook, put together from stances and swings: true events by construction.

A foot is a line from heel to toe. In stance it turns about the heel (landing on it), lies flat, then turns about the
toe; in swing it goes from footprint to footprint along a minimum-jerk path with a bump of height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from made_steps import START_NS, Feet

from markerless_biomech.gait.values import StepEvent

FOOT_M = 0.22
FPS = 60.0


@dataclass(frozen=True)
class Manner:
    """How somebody walks."""

    speed_m_s: float = 1.2
    stride_s: float = 1.1
    stance: float = 0.62
    """Share of the stride."""
    landing_deg: float = 20.0
    """Pitch at heel strike, toes up; negative: the toes land first and the heel follows."""
    leaving_deg: float = -45.0
    """Pitch at toe off, heel up."""
    flat_deg: float = 0.0
    """Pitch in mid stance; negative: on the toes."""
    clearance_m: float = 0.06
    toe_out_deg: float = 7.0
    width_m: float = 0.12
    start_s: float = 0.0
    """The person stands before."""
    stop_s: float = 8.0
    """And after."""
    seconds: float = 8.0


def made_feet(manner: Manner) -> Feet:
    """Points and true events of one person who walks along x (backwards for a negative speed)."""
    times_s = np.arange(0.0, manner.seconds, 1.0 / FPS)
    points, events = np.zeros((len(times_s), 5, 3)), []
    for foot, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
        stances = _stances(manner, 0.5 * foot)
        yaw = sign * np.radians(manner.toe_out_deg)
        rows = [_foot_at(manner, stances, time_s) for time_s in times_s]
        along, height, pitch = np.array(rows).T
        axis = np.stack([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)], -1)
        heel = np.stack([along, np.full_like(along, 0.5 * sign * manner.width_m), height], -1)
        points[:, foot], points[:, 2 + foot] = heel, heel + FOOT_M * axis
        for begin_s, end_s, _ in stances:
            events += [(begin_s, side, "heel_strike")] if begin_s > 0.0 else []
            events += [(end_s, side, "toe_off")] if end_s < manner.seconds else []
    middle = 0.5 * (points[:, 0] + points[:, 1])
    kernel = np.hanning(round(manner.stride_s * FPS))
    for axis in (0, 1):
        padded = np.pad(middle[:, axis], len(kernel) // 2, mode="edge")
        points[:, 4, axis] = np.convolve(padded, kernel / kernel.sum(), mode="same")[len(kernel) // 2 :][: len(middle)]
    points[:, 4, 2] = 0.95
    nowhere = np.full(3, np.nan)
    return Feet(
        times_s,
        points,
        tuple(
            StepEvent(START_NS + round(time_s * 1e9), side, kind, nowhere, number)
            for number, (time_s, side, kind) in enumerate(sorted(events))
        ),
    )


def _stances(manner: Manner, phase: float) -> list[tuple[float, float, float]]:
    """(begin, end, place along x) of one foot's stances; it stands before start_s and after stop_s."""
    first_off_s = manner.start_s + (phase + 0.05) * manner.stride_s
    step_m, swing_s = manner.speed_m_s * manner.stride_s, (1.0 - manner.stance) * manner.stride_s
    stances, begin_s, place_m, off_s = [], 0.0, phase * step_m, first_off_s
    while off_s + swing_s < manner.stop_s:
        stances.append((begin_s, off_s, place_m))
        begin_s, place_m = off_s + swing_s, place_m + step_m
        off_s += manner.stride_s
    return [*stances, (begin_s, np.inf, place_m)]


def _foot_at(manner: Manner, stances: list[tuple[float, float, float]], time_s: float) -> tuple[float, float, float]:
    """(heel along x, heel height, pitch) of one foot."""
    k = max(i for i, (begin_s, _, _) in enumerate(stances) if begin_s <= time_s)
    begin_s, end_s, place_m = stances[k]
    if time_s <= end_s:
        return _standing(manner, begin_s, end_s, place_m, time_s)
    next_s = stances[k + 1][0]
    share = (time_s - end_s) / (next_s - end_s)
    start = np.array(_standing(manner, begin_s, end_s, place_m, end_s))
    goal = np.array(_standing(manner, *stances[k + 1], next_s))
    moved = start + share**3 * (10.0 - 15.0 * share + 6.0 * share**2) * (goal - start)
    return moved[0], moved[1] + manner.clearance_m * (4.0 * share * (1.0 - share)) ** 2, moved[2]


def _standing(
    manner: Manner, begin_s: float, end_s: float, place_m: float, time_s: float
) -> tuple[float, float, float]:
    """Turning about the heel after landing, about the toe before leaving."""
    landing, leaving, flat = (np.radians(x) for x in (manner.landing_deg, manner.leaving_deg, manner.flat_deg))
    landing = flat if begin_s == 0.0 else landing
    contact_s = end_s - begin_s if np.isfinite(end_s) else manner.stance * manner.stride_s
    down = np.clip((time_s - begin_s) / (0.15 * contact_s), 0.0, 1.0)
    up = np.clip((time_s - end_s) / (0.4 * contact_s) + 1.0, 0.0, 1.0) if np.isfinite(end_s) else 0.0
    pitch = landing + (flat - landing) * down**2 * (3.0 - 2.0 * down) + (leaving - flat) * up**2
    if pitch >= 0.0:
        return place_m, 0.0, pitch
    # about the toe, which stays where it is flat
    return place_m + FOOT_M * (1.0 - np.cos(pitch)), -FOOT_M * np.sin(pitch), pitch
