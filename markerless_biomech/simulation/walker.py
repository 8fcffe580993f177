"""A person who walks, stands or rises from a seat: normative joint angles, with feet that neither slide nor float.

`walk` is all that others need: the reference motion along the path (`walking.py`, `standing.py`) is corrected so that
every stance foot holds (`planting.py`); events come from the soles of the finished motion (`motion.py`). It knows
nothing of the fit and nothing of gait detection.
"""

from __future__ import annotations

import math

import numpy as np

from ..body.subject import Subject
from ..keypoints import load_keypoint_set
from ..settings import SimulationSettings
from . import standing
from .gait_curves import stride_frequency_hz
from .motion import Motion, find_events, motion_curve, sampled
from .paths import plan_footprints, plan_walk
from .planting import plant_feet
from .skeleton import Skeleton, build_skeleton
from .walking import reference_motion, stance_contacts

INTERVAL_S = 0.01
"""Between the poses that are solved for, at most; cubic splines between them."""
MARGIN_STRIDES = 1.2
"""Solved before the first and after the last stamp, so that both ends are as the middle."""


def walk(settings: SimulationSettings, subject: Subject) -> Motion:
    """The motion of `subject` at settings.fps for settings.seconds. Deterministic."""
    skeleton = build_skeleton(subject, load_keypoint_set(settings.keypoint_set))
    frames = max(2, round(settings.seconds * settings.fps))
    stamps_s = np.arange(frames) / settings.fps
    # whole intervals in the session, so that a period begins as the last one did
    interval_s = settings.seconds / math.ceil(settings.seconds / INTERVAL_S)
    margin = math.ceil(MARGIN_STRIDES / (stride_frequency_hz(settings.speed_m_s, settings.height_m) * interval_s))
    times_s = interval_s * np.arange(-margin, round(settings.seconds / interval_s) + margin + 1)
    belt_speed_m_s = settings.speed_m_s if settings.path == "treadmill" else 0.0
    qpos, period_s = _motion_on_floor(settings, skeleton, times_s)
    qpos[:, 0] -= belt_speed_m_s * times_s
    curve = motion_curve(times_s, qpos)
    end_s = frames / settings.fps if math.isfinite(period_s) else float(stamps_s[-1])
    return Motion(
        stamps_s=stamps_s,
        qpos=sampled(curve, stamps_s),
        events=find_events(skeleton, curve, 0.0, end_s, belt_speed_m_s),
        period_s=period_s,
        belt_speed_m_s=belt_speed_m_s,
        curve=curve,
    )


def _motion_on_floor(settings: SimulationSettings, skeleton: Skeleton, times_s: np.ndarray) -> tuple[np.ndarray, float]:
    """(poses (N, 41), period) over the floor that the feet stand on."""
    if settings.path in ("stand", "sit-to-stand"):
        reference, contacts, period_s = standing.plan(settings, skeleton, times_s)
    else:
        timeline = plan_walk(settings, times_s)
        footprints = plan_footprints(settings, timeline, np.random.default_rng([settings.seed, 1]))
        reference = reference_motion(settings, timeline, skeleton)
        contacts, period_s = stance_contacts(timeline, footprints, skeleton), timeline.period_s
    return plant_feet(skeleton, reference, contacts, times_s[1] - times_s[0]), period_s
