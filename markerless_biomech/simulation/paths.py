"""Where the walker goes, when, and where the feet land: centre line, stride phase and footprints.

Paths are given by curvature and speed over arc length, so that lines, loops and turns are one case. Everything is in
the frame of the floor that the feet stand on (the belt's, on a treadmill), z up, metres, seconds.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..settings import SimulationSettings
from . import gait_curves

STRAIGHT_M = 3.0
"""Straight part of the there-and-back path."""
TURN_RADIUS_M = 0.45
TURN_SPEED_M_S, TURN_SPEED_SHARE = 0.65, 0.5
"""The turn is taken at the former, or at this share of the speed if that is faster; never faster than the speed."""
TOE_OUT_RAD = math.radians(7.0)
MIDSTANCE_PHASE = 0.25
"""Phase of a leg's stride at which the hip passes over its ankle: feet are as far ahead at heel strike as behind half a
stride later."""
STEP_LENGTH_SD_M = 0.008
STEP_WIDTH_SD_M = 0.006
GRAVITY_M_S2 = 9.81
LEAN_SHARE = 0.6
"""Of the lean that balances the centrifugal force; the trunk stays more upright than that in slow turns."""
SMALL_CADENCE_CHANGE, LARGEST_CADENCE_CHANGE = 0.015, 0.035
"""By which the stride frequency may be changed so that a closed path holds a whole number of strides."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """The walk's plan over time."""

    times_s: np.ndarray
    """(N,) uniform."""
    phase: np.ndarray
    """(N,) strides of the right leg; whole at its heel strikes."""
    speed_m_s: np.ndarray
    """(N,)"""
    position_m: np.ndarray
    """(N, 2) on the centre line."""
    heading_rad: np.ndarray
    """(N,) continuous, about z from x."""
    lean_rad: np.ndarray
    """(N,) of the whole body to the left, into the turn; pelvis and feet give way by half of it each."""
    period_s: float
    """After which place and phase repeat (in place on a treadmill); infinite if they do not."""


@dataclass(frozen=True, eq=False)
class Footprints:
    """Where feet stand, one row a step."""

    side: np.ndarray
    """(S,) 0 right, 1 left."""
    start_phase: np.ndarray
    """(S,) phase of the right leg's stride at heel strike."""
    stance: np.ndarray
    """(S,) stance share of the stride."""
    ankle_m: np.ndarray
    """(S, 2) floor point below the ankle of the flat foot."""
    heading_rad: np.ndarray
    """(S,) of the path at the footprint."""
    yaw_rad: np.ndarray
    """(S,) of the foot's long axis."""


def plan_walk(settings: SimulationSettings, times_s: np.ndarray) -> Timeline:
    """Speed, place and stride phase of the settings' path at `times_s` (uniform)."""
    margin_m = 0.5 + 2.0 * settings.speed_m_s
    first, last = times_s[0] * settings.speed_m_s - margin_m, times_s[-1] * settings.speed_m_s + margin_m
    distance = np.arange(first, last, 0.002)
    distance -= distance[np.argmin(np.abs(distance))]
    curvature, speed = _profile(settings, distance)
    clock = _integral(1.0 / speed, distance)
    rate = gait_curves.stride_frequency_hz(speed, settings.height_m)
    phase = _integral(rate / speed, distance)
    heading = _integral(curvature, distance)
    # chord of an arc: exact for constant curvature
    middle = 0.5 * (heading[1:] + heading[:-1])
    steps = np.diff(distance)[:, None] * np.stack([np.cos(middle), np.sin(middle)], -1)
    position = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)])
    position -= position[np.argmin(np.abs(distance))]
    at = np.interp(times_s, clock, distance)
    phase, period_s = _closed(settings, np.interp(times_s, clock, phase), distance, clock, phase)
    place, turned = _centred(settings, np.stack([np.interp(at, distance, position[:, i]) for i in (0, 1)], -1), times_s)
    return Timeline(
        times_s=times_s,
        phase=phase,
        speed_m_s=np.interp(at, distance, speed),
        position_m=place,
        heading_rad=np.interp(at, distance, heading) + turned,
        lean_rad=_lean(np.interp(at, distance, curvature), np.interp(at, distance, speed), times_s[1] - times_s[0]),
        period_s=period_s,
    )


def lap_m(settings: SimulationSettings) -> float:
    """Length after which the path repeats; 0 for a treadmill (anywhere), infinite for a line."""
    if settings.path == "loop":
        return 2.0 * math.pi * settings.radius_m
    if settings.path == "there-and-back":
        return 2.0 * (STRAIGHT_M + math.pi * TURN_RADIUS_M)
    return 0.0 if settings.path == "treadmill" else math.inf


def _lap_totals(settings: SimulationSettings) -> tuple[float, float]:
    """(seconds, strides) that one lap takes; one stride on a treadmill."""
    lap = lap_m(settings)
    if lap == 0.0:
        return 1.0 / float(gait_curves.stride_frequency_hz(settings.speed_m_s, settings.height_m)), 1.0
    distance_m = np.linspace(0.0, lap, 20001)
    _, speed = _profile(settings, distance_m)
    rate = gait_curves.stride_frequency_hz(speed, settings.height_m)
    return float(_integral(1.0 / speed, distance_m)[-1]), float(_integral(rate / speed, distance_m)[-1])


def seamless(settings: SimulationSettings) -> SimulationSettings:
    """Settings near to these whose session repeats without a jump: whole laps and strides in whole frames.

    For the endless simulator. Laps are added (three at most), speed changes by less than 1 %, the stride frequency by
    LARGEST_CADENCE_CHANGE at most. On a line the person jumps back to the start.
    """
    if settings.path in ("line", "stand", "sit-to-stand"):
        return settings
    lap_s, lap_strides = _lap_totals(settings)
    fewest = max(1, math.ceil(settings.seconds / lap_s - 0.1))
    candidates = range(fewest, fewest + 4)
    small = [count for count in candidates if _cadence_change(count * lap_strides) < SMALL_CADENCE_CHANGE]
    laps = small[0] if small else min(candidates, key=lambda count: _cadence_change(count * lap_strides))
    seconds = round(laps * lap_s * settings.fps) / settings.fps
    if lap_m(settings) == 0.0:
        return dataclasses.replace(settings, seconds=seconds)
    speed_m_s = settings.speed_m_s
    for _ in range(8):  # turns are slower than the rest, so that this is a fixed point and not a quotient
        lap_s, _ = _lap_totals(dataclasses.replace(settings, speed_m_s=speed_m_s))
        speed_m_s *= laps * lap_s / seconds
    return dataclasses.replace(settings, seconds=seconds, speed_m_s=speed_m_s)


def _cadence_change(strides: float) -> float:
    """Relative change that makes the strides whole; 1 for less than half a stride."""
    return abs(round(strides) / strides - 1.0)


def _profile(settings: SimulationSettings, distance_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(curvature, speed) at arc lengths."""
    curvature, speed = np.zeros_like(distance_m), np.full_like(distance_m, settings.speed_m_s)
    if settings.path == "loop":
        curvature += 1.0 / settings.radius_m
    elif settings.path == "there-and-back":
        half_m = 0.5 * lap_m(settings)
        turn_m = half_m - STRAIGHT_M
        along = np.mod(distance_m, half_m) - STRAIGHT_M / 2.0 - turn_m / 2.0
        # raised cosines: the turn is spread over 1.6 times its arc, and slowed down over 2.8 times
        curvature = math.pi / (0.8 * turn_m) * _bump(along / (0.8 * turn_m))
        slow = min(settings.speed_m_s, max(TURN_SPEED_M_S, TURN_SPEED_SHARE * settings.speed_m_s))
        speed = settings.speed_m_s + (slow - settings.speed_m_s) * _bump(along / (1.4 * turn_m))
    return curvature, speed


def _lean(curvature_1_m: np.ndarray, speed_m_s: np.ndarray, interval_s: float) -> np.ndarray:
    """Share of what balances the centrifugal force, smooth over 0.15 s."""
    lean = np.arctan(LEAN_SHARE * speed_m_s**2 * curvature_1_m / GRAVITY_M_S2)
    return gaussian_filter1d(lean, 0.15 / interval_s, mode="nearest")


def _bump(x: np.ndarray) -> np.ndarray:
    """Raised cosine: 1 at 0, 0 from |x| = 1 on, area 1."""
    return np.where(np.abs(x) < 1.0, 0.5 * (1.0 + np.cos(np.pi * x)), 0.0)


def _integral(rate: np.ndarray, distance_m: np.ndarray) -> np.ndarray:
    """Trapezoidal integral over arc length, 0 at distance 0."""
    total = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(distance_m))])
    return total - total[np.argmin(np.abs(distance_m))]


def _closed(
    settings: SimulationSettings, phase: np.ndarray, distance_m: np.ndarray, clock: np.ndarray, phase_at: np.ndarray
) -> tuple[np.ndarray, float]:
    """(phase, period): where the path closes after `seconds`, the phase is stretched to whole strides."""
    lap = lap_m(settings)
    travelled_m = float(np.interp(settings.seconds, clock, distance_m))
    if math.isinf(lap) or (lap > 0 and abs(travelled_m / lap - round(travelled_m / lap)) * lap > 1e-3):
        return phase, math.inf
    strides = float(np.interp(settings.seconds, clock, phase_at))
    if _cadence_change(strides) > LARGEST_CADENCE_CHANGE:
        return phase, math.inf
    return phase * (round(strides) / strides), settings.seconds


def _centred(settings: SimulationSettings, position_m: np.ndarray, times_s: np.ndarray) -> tuple[np.ndarray, float]:
    """Move the path so that the volume's middle is the world's origin: (position, rotation that was applied)."""
    if settings.path == "loop":
        # starts at (radius, 0), heading to +y, around the origin
        return np.stack([settings.radius_m - position_m[:, 1], position_m[:, 0]], -1), math.pi / 2
    if settings.path == "there-and-back":
        return position_m - [0.0, 0.5 * np.ptp(position_m[:, 1])], 0.0
    if settings.path == "line":
        return position_m - [0.5 * settings.speed_m_s * settings.seconds, 0.0], 0.0
    return position_m, 0.0


def plan_footprints(settings: SimulationSettings, timeline: Timeline, rng: np.random.Generator) -> Footprints:
    """Footprints of every stance that touches the timeline; step length and width vary a little from step to step."""
    first, last = timeline.phase[0], timeline.phase[-1]
    steps = np.arange(math.floor(2.0 * (first - 1.0)), math.ceil(2.0 * last) + 1)
    side = steps % 2
    start_phase = steps / 2.0
    ahead, sideways, toe_out = _variation(timeline, settings, steps, rng)
    step_m = timeline.speed_m_s / (2.0 * gait_curves.stride_frequency_hz(timeline.speed_m_s, settings.height_m))
    shorter = np.where(side == 1, -1.0, 0.0) * settings.asymmetry / 2.0
    midstance = start_phase + MIDSTANCE_PHASE
    centre, heading, local_step_m, speed = _at_phase(timeline, midstance, step_m)
    left = np.where(side == 1, 1.0, -1.0)
    across = left * (settings.step_width_m / 2.0 + sideways)
    along = ahead + shorter * local_step_m
    forward = np.stack([np.cos(heading), np.sin(heading)], -1)
    leftward = np.stack([-np.sin(heading), np.cos(heading)], -1)
    return Footprints(
        side=side,
        start_phase=start_phase,
        stance=gait_curves.stance_share(speed, settings.height_m),
        ankle_m=centre + along[:, None] * forward + across[:, None] * leftward,
        heading_rad=heading,
        yaw_rad=heading + left * (TOE_OUT_RAD + toe_out),
    )


def _variation(
    timeline: Timeline, settings: SimulationSettings, steps: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(along m, across m, toe out rad) of each step; the same after a period."""
    count = max(1, int(np.ptp(steps)) + 1)
    if math.isfinite(timeline.period_s):
        ends = np.interp([0.0, timeline.period_s], timeline.times_s, timeline.phase)
        count = 2 * round(float(ends[1] - ends[0]))
    rows = rng.standard_normal((count, 3))[steps % count] * [STEP_LENGTH_SD_M, STEP_WIDTH_SD_M, math.radians(1.0)]
    return rows[:, 0], rows[:, 1], rows[:, 2]


def _at_phase(
    timeline: Timeline, phase: np.ndarray, step_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(position, heading, step length, speed) where the timeline has these phases, straight on beyond its ends."""
    inside = np.clip(phase, timeline.phase[0], timeline.phase[-1])
    x, y, heading, step, speed = (
        np.interp(inside, timeline.phase, value)
        for value in (*timeline.position_m.T, timeline.heading_rad, step_m, timeline.speed_m_s)
    )
    beyond_m = (phase - inside) * 2.0 * step
    position = np.stack([x + beyond_m * np.cos(heading), y + beyond_m * np.sin(heading)], -1)
    return position, heading, step, speed
