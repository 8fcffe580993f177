"""The whole live path without ROS: camera frames in, in order of arrival, motion estimates out.

The node's worker thread and `replay` drive the same object, so that a recording behaves as the capture did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .body.subject import Subject
from .cameras.frame_sets import FrameSet, FrameSetAssembler
from .estimator import MotionEstimator, longest_gap_s
from .gait.body_feet import feet_seen
from .gait.step_watch import StepNews, StepWatch
from .keypoints import KeypointFrame, KeypointSet
from .results import BodyEstimate, MotionEstimate, Tracking
from .settings import EstimatorSettings


class Capture:
    """Assembles frame sets and fits them; its output is a pure function of the calls and their arguments."""

    def __init__(self, settings: EstimatorSettings, keypoint_set: KeypointSet, subject: Subject):
        self.assembler = FrameSetAssembler(
            settings.cameras,
            tolerance_s=settings.frame_set_tolerance_s,
            deadline_s=settings.frame_set_deadline_s,
            offsets_s=dict(zip(settings.cameras, settings.camera_time_offsets_s, strict=False)),
            replay_mode=settings.replay_mode,
        )
        self.estimator = MotionEstimator(settings.cameras, keypoint_set, subject, settings)
        self._holds_feet = settings.hold_feet and feet_seen(keypoint_set)
        self.step_watch = StepWatch(keypoint_set, subject, settings.belt_speed_m_s, longest_gap_s(settings))

    def compile(self) -> None:
        """Compile every program and run each once; takes seconds with a warm cache."""
        self.estimator.compile()

    def push(self, frame: KeypointFrame) -> Iterator[MotionEstimate]:
        """Take one camera's frame; an estimate for each frame set that it completes, fitted when it is asked for: the
        steps of one go into the fit of the next."""
        return map(self.estimate, self.assembler.push(frame))

    def poll(self, now_ns: int) -> Iterator[MotionEstimate]:
        """Close the frame sets whose deadline has passed."""
        return map(self.estimate, self.assembler.poll(now_ns))

    def flush(self) -> Iterator[MotionEstimate]:
        """Close what is open, at the end of a recording."""
        return map(self.estimate, self.assembler.flush())

    def next_deadline_ns(self) -> int | None:
        """When `poll` has something to do; None while nothing is open."""
        return self.assembler.next_deadline_ns()

    def estimate(self, frame_set: FrameSet) -> MotionEstimate:
        """Fit one frame set; the node's worker, which needs each set's times, calls this by itself."""
        fresh = self.estimator.tracking is Tracking.LOST
        return replace(self.estimator.update(frame_set, reset=frame_set.jumped), fresh=fresh)

    def steps(self, estimate: MotionEstimate) -> StepNews:
        """What the newest estimate says of steps. Every estimate has to come, in order; whoever waits for the pose may
        be served first."""
        news = self.step_watch.take(estimate, self.estimator.subject, self.estimator.calibration_version)
        if self._holds_feet:
            self.estimator.live.hold(self.step_watch.detector.stance())
        return news

    def last_steps(self, settled: tuple[BodyEstimate, ...]) -> StepNews:
        """The same at the end of a recording, with the states that were settled last."""
        return self.step_watch.finish(settled, self.estimator.calibration_version)
