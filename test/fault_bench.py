"""One small live system without ROS (3 cameras, coco_17, 30 Hz) that is shown a walk with faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.cameras.frame_sets import FrameSetAssembler
from markerless_biomech.capture import Capture
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import KeypointFrame
from markerless_biomech.recording.bags import types
from markerless_biomech.recording.messages import keypoint_frame_from_message, keypoint_frame_to_message
from markerless_biomech.results import MotionEstimate, Tracking
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.faulted_frames import Sent, sent_in_order
from markerless_biomech.simulation.faults import parse_faults
from markerless_biomech.simulation.virtual_rig import START_NS, SimulatedSession, seamless, simulate

CAMERAS = ("cam0", "cam1", "cam2")
FPS = 30.0
SECOND_NS = 1_000_000_000
SEEN_WELL = [
    JOINT_NAMES.index(f"{name}_{side}")
    for name in ("hip_flexion", "hip_adduction", "knee_angle", "arm_flex", "elbow_flex")
    for side in "rl"
]
"""Joints that COCO's 17 keypoints determine; it has no point on feet, hands and neck."""


@dataclass
class Shown:
    """What the system made of what it was shown."""

    estimates: list[tuple[int, MotionEstimate]] = field(default_factory=list)
    """(now in ns, estimate)"""
    refused: Counter[str] = field(default_factory=Counter)
    """How often each sentence was said."""
    statuses: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    """(s since the start, status by camera), every tenth of a second."""
    words: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    """(s since the start, what is wrong with each camera), every tenth of a second."""
    counters: dict[str, int] = field(default_factory=dict)


@cache
def walk() -> SimulatedSession:
    """A walk on a treadmill, closed to whole strides."""
    settings = SimulationSettings(cameras=3, fps=FPS, seconds=4.0, keypoint_set="coco_17", path="treadmill")
    return simulate(seamless(settings))


@cache
def system() -> Capture:
    """Compiled once."""
    session = walk()
    capture = Capture(EstimatorSettings(cameras=CAMERAS, keypoint_set="coco_17"), session.keypoint_set, session.subject)
    capture.estimator.set_rig(session.rig_nominal)
    capture.estimator.compile()
    return capture


def show(*texts: str, seconds: float, tamper: Callable[[Any, KeypointFrame], Any] = lambda m, _: m) -> Shown:
    """The system, from its start, before the walk with these faults; `tamper` changes each message on the way."""
    capture, shown = system(), Shown()
    capture.assembler = FrameSetAssembler(CAMERAS)
    capture.estimator.reset()
    capture.estimator.finish()
    capture.estimator.lost_is_said = True
    faults = parse_faults(texts, CAMERAS)
    asked_ns = START_NS
    for sent in sent_in_order(walk(), lambda: faults, range(round(seconds * FPS))):
        now_ns = sent.frame.arrival_ns
        while (deadline_ns := capture.next_deadline_ns()) is not None and deadline_ns <= now_ns:
            shown.estimates += [(deadline_ns, estimate) for estimate in capture.poll(deadline_ns)]
        while asked_ns <= now_ns:
            shown.statuses.append(((asked_ns - START_NS) * 1e-9, capture.assembler.status(asked_ns)))
            shown.words.append(((asked_ns - START_NS) * 1e-9, capture.assembler.complaints(asked_ns)))
            asked_ns += SECOND_NS // 10
        frame = _received(sent, shown, tamper)
        if frame is not None:
            shown.estimates += [(now_ns, estimate) for estimate in capture.push(frame)]
    shown.counters = dict(capture.assembler.counters)
    return shown


def _received(sent: Sent, shown: Shown, tamper: Callable[[Any, KeypointFrame], Any]) -> KeypointFrame | None:
    """As the nodes convert and check a message."""
    camera = walk().rig_nominal.cameras[sent.frame.camera]
    message = tamper(keypoint_frame_to_message(types(), sent.frame, sent.keypoint_set, camera.frame_id), sent.frame)
    try:
        return keypoint_frame_from_message(
            camera.name, message, sent.frame.arrival_ns, walk().keypoint_set, (camera.width, camera.height)
        )
    except InputError as error:
        shown.refused[str(error)] += 1
        return None


def tracked(shown: Shown, start_s: float, end_s: float) -> list[MotionEstimate]:
    """Live results that were tracked, by when they came."""
    return [
        estimate
        for now_ns, estimate in shown.estimates
        if start_s <= (now_ns - START_NS) * 1e-9 < end_s
        and estimate.live is not None
        and estimate.live.tracking is Tracking.TRACKED
    ]


def joint_error_deg(shown: Shown, start_s: float, end_s: float) -> float:
    """RMS over the joints that are seen well and the live results of a time."""
    session, errors = walk(), []
    for estimate in tracked(shown, start_s, end_s):
        assert estimate.live is not None
        time_s = (estimate.live.stamp_ns - START_NS) * 1e-9 % (session.period_ns * 1e-9)
        true_rad = session.motion.sample(np.array([time_s]))[0, 7:]
        errors.append((np.asarray(estimate.live.qpos)[7:] - true_rad)[SEEN_WELL])
    return float(np.degrees(np.sqrt(np.mean(np.square(errors))))) if errors else float("nan")
