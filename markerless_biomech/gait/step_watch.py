"""The detector beside the live estimator: each estimate in, what is to be said about steps out.

No event is told across the end of a track, a jump of time or an exchange of the body: what had settled is decided, the
rest withdrawn, and the next walk begins; ids go on. A pure function of the estimates, live or replayed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..body.subject import Subject
from ..keypoints import KeypointSet
from ..results import BodyEstimate, MotionEstimate, Tracking
from .body_feet import BodyFeet
from .events import GaitDetector
from .parameters import GaitParameters, gait_parameters
from .rules import GaitRule
from .values import StepEvent

_REMEMBERED = 80
"""Final events of a walk: the newest ten strides of both feet have 44."""


@dataclass(frozen=True, eq=False)
class StepNews:
    """What one frame set brought."""

    events: tuple[StepEvent, ...] = ()
    """In the order told."""
    parameters: GaitParameters | None = None
    """Over the newest strides of this walk; None: as before."""
    calibration_version: int = 1


class StepWatch:
    """Steps of the one subject that is tracked."""

    def __init__(
        self, keypoint_set: KeypointSet, subject: Subject, belt_speed_m_s: float, longest_gap_s: float
    ) -> None:
        # read-only after construction
        self._keypoint_set = keypoint_set
        feet = BodyFeet(subject, keypoint_set)
        belt_m_s = belt_speed_m_s if belt_speed_m_s >= 0.0 else float("nan")
        rule = GaitRule(reference=feet.reference, belt_speed_m_s=belt_m_s)
        self._longest_gap_ns = round(min(longest_gap_s, rule.break_s) * 1e9)
        # the body in use
        self._subject, self._feet = subject, feet
        # the walk so far
        self.detector = GaitDetector(rule)
        self._begin_ns: int | None = None
        self._live_ns = 0
        self._final: dict[int, StepEvent] = {}

    def take(self, estimate: MotionEstimate, subject: Subject, calibration_version: int = 1) -> StepNews:
        """The next estimate, fitted with `subject`."""
        live = estimate.live
        now = [body for body in estimate.settled if live is not None and body.stamp_ns == live.stamp_ns]
        told: list[StepEvent] = []
        for body in estimate.settled:
            told += [] if body in now else self._settled(body)
        if live is not None:
            if self._is_new_walk(estimate, live, subject):
                told += self._end_walk()
                self._take_subject(subject)
            told += self._live(now[0] if now else live)
        return self._news(told, calibration_version)

    def finish(self, settled: tuple[BodyEstimate, ...], calibration_version: int = 1) -> StepNews:
        """The recording has ended with these states."""
        told = [event for body in settled for event in self._settled(body)]
        return self._news(told + self._end_walk(), calibration_version)

    def abandon(self, calibration_version: int = 1) -> StepNews:
        """`take` raised an exception: withdraw what is open and begin anew with the next estimate."""
        self._begin_ns = None
        self._final.clear()
        return self._news(self.detector.abandon(), calibration_version)

    def _is_new_walk(self, estimate: MotionEstimate, live: BodyEstimate, subject: Subject) -> bool:
        hop_ns = live.stamp_ns - self._live_ns
        ended = estimate.reset or estimate.fresh or live.tracking is Tracking.LOST
        return ended or subject is not self._subject or not 0 < hop_ns <= self._longest_gap_ns

    def _end_walk(self) -> list[StepEvent]:
        self._begin_ns = None
        told = self.detector.break_off()
        self._keep(told)
        return told

    def _take_subject(self, subject: Subject) -> None:
        if subject is not self._subject:
            self._subject, self._feet = subject, BodyFeet(subject, self._keypoint_set)

    def _settled(self, body: BodyEstimate) -> list[StepEvent]:
        """A state of this walk; what came before it says nothing of this one."""
        if self._begin_ns is None or body.stamp_ns < self._begin_ns:
            return []
        return self._sample(body)

    def _live(self, body: BodyEstimate) -> list[StepEvent]:
        if body.tracking is Tracking.LOST:
            return []
        self._live_ns = body.stamp_ns
        if self._begin_ns is None:
            self._begin_ns = body.stamp_ns
            self._final.clear()
        return self._sample(body)

    def _sample(self, body: BodyEstimate) -> list[StepEvent]:
        sample = self._feet.sample(body)
        told = [] if sample is None else self.detector.update(sample)
        self._keep(told)
        return told

    def _keep(self, told: list[StepEvent]) -> None:
        """Final events, of which the rolling figures are made."""
        self._final.update({event.id: event for event in told if event.final and not event.withdrawn})
        while len(self._final) > _REMEMBERED:
            del self._final[next(iter(self._final))]

    def _news(self, told: list[StepEvent], calibration_version: int) -> StepNews:
        """The figures change with each final strike and when its length becomes known."""
        strikes = any(event.final and not event.withdrawn and event.type == "heel_strike" for event in told)
        events = tuple(replace(event, calibration_version=calibration_version) for event in told)
        parameters = gait_parameters(list(self._final.values())) if strikes else None
        return StepNews(events, parameters, calibration_version)
