"""Simulated walks as samples of the feet, with the true events: for tests of gait analysis without cameras."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from markerless_biomech.gait.events import GaitDetector
from markerless_biomech.gait.values import FootSample, StepEvent
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.step_judgement import EDGE_S, StepComparison, compare_steps, true_step_sizes
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.person import person_subject
from markerless_biomech.simulation.skeleton import build_skeleton
from markerless_biomech.simulation.walker import walk

START_NS = 1_000_000_000_000
LAG_S = 0.1
WHITE_M, CORRELATED_M, CORRELATION_S = 0.002, 0.0015, 0.15
"""Of the feet's points: somewhat more than the settled fit errs with 8 cameras and 3 px (1.5 mm)."""
LIVE_M = 0.0015
"""By which the live fit errs more than the settled one."""


@dataclass(frozen=True, eq=False)
class Feet:
    """Points of both feet at 60 Hz."""

    times_s: np.ndarray
    """(F,)"""
    points_m: np.ndarray
    """(F, 5, 3) heel left, heel right, toe left, toe right, pelvis"""
    events: tuple[StepEvent, ...] = ()
    """True ones."""


@cache
def simulated_feet(**settings: object) -> Feet:
    """Soles of a simulated walker, without noise."""
    asked = SimulationSettings(**settings)  # type: ignore[arg-type]
    subject = person_subject(asked)
    motion = walk(asked, subject)
    skeleton = build_skeleton(subject, load_keypoint_set("coco_17"))
    soles = skeleton.soles_m(motion.qpos)
    points = np.stack([soles[:, 1, 0], soles[:, 0, 0], soles[:, 1, 3], soles[:, 0, 3], motion.qpos[:, :3]], 1)
    return Feet(motion.stamps_s, points, _true_events(motion.events, motion.belt_speed_m_s))


def _true_events(events, belt_speed_m_s: float) -> tuple[StepEvent, ...]:
    strikes = [event for event in events if event.type == "heel_strike"]
    sizes = true_step_sizes(
        [event.time_s for event in strikes],
        [event.side for event in strikes],
        np.array([event.foot_position_m for event in strikes]).reshape(-1, 3),
        np.array([-belt_speed_m_s, 0.0]),
    )
    size_from_strike = {strike: pair for strike, *pair in zip(strikes, *sizes, strict=True)}
    nothing = (float("nan"), float("nan"))
    return tuple(
        StepEvent(
            stamp_ns=START_NS + round(event.time_s * 1e9),
            side=event.side,
            type=event.type,
            foot_position_m=np.array(event.foot_position_m),
            id=number,
            step_length_m=size_from_strike.get(event, nothing)[0],
            step_width_m=size_from_strike.get(event, nothing)[1],
        )
        for number, event in enumerate(events)
    )


def noisy(feet: Feet, seed: int = 0, scale: float = 1.0) -> Feet:
    """With white and correlated noise on every point."""
    rng = np.random.default_rng(seed)
    keep = np.exp(-np.diff(feet.times_s, prepend=feet.times_s[0]) / CORRELATION_S)
    slow = CORRELATED_M * rng.standard_normal(feet.points_m.shape)
    for row in range(1, len(slow)):
        slow[row] = keep[row] * slow[row - 1] + np.sqrt(1.0 - keep[row] ** 2) * slow[row]
    white = WHITE_M * rng.standard_normal(feet.points_m.shape)
    return Feet(feet.times_s, feet.points_m + scale * (white + slow), feet.events)


def sample(feet: Feet, row: int, settled: bool) -> FootSample:
    """One instant."""
    points, std_m = feet.points_m[row], np.full(2, WHITE_M)
    stamp_ns = START_NS + round(float(feet.times_s[row]) * 1e9)
    return FootSample(stamp_ns, points[:2], points[2:4], std_m, std_m, points[4], settled)


def told_live(settled: Feet, seed: int = 1, detector: GaitDetector | None = None) -> list[tuple[float, StepEvent]]:
    """(time at which it was told, event) when live samples come at once and settled ones LAG_S later."""
    detector = detector or GaitDetector()
    rng = np.random.default_rng(seed)
    live = Feet(settled.times_s, settled.points_m + LIVE_M * rng.standard_normal(settled.points_m.shape))
    told, next_settled = [], 0
    for row, now_s in enumerate(settled.times_s):
        while settled.times_s[next_settled] <= now_s - LAG_S + 1e-6:
            told += [(float(now_s), event) for event in detector.update(sample(settled, next_settled, True))]
            next_settled += 1
        told += [(float(now_s), event) for event in detector.update(sample(live, row, False))]
    for row in range(next_settled, len(settled.times_s)):
        told += [(float(settled.times_s[-1]), event) for event in detector.update(sample(settled, row, True))]
    return told + [(float(settled.times_s[-1]), event) for event in detector.finish()]


def compared(found: list[StepEvent], feet: Feet) -> StepComparison:
    """Against the true events further than EDGE_S from both ends."""
    ends_ns = START_NS + np.round(1e9 * (feet.times_s[[0, -1]] + [EDGE_S, -EDGE_S])).astype(np.int64)
    return compare_steps(found, feet.events, int(ends_ns[0]), int(ends_ns[1]))
