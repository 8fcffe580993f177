"""Moments of a running estimator, of the values that its topics bring. Written by one thread, read by another."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from ..body.subject import Subject
from ..cameras.calibrated_camera import Rig
from ..cameras.rig import rig_from_text
from ..gait.parameters import GaitParameters
from ..gait.values import StepEvent
from ..recording.definitions import subject_from_text
from ..recording.export_motion import last_words
from ..recording.result_messages import FitRecord, FittedCameras
from ..results import BodyEstimate, Tracking
from ..scene.footprints import FOOT_BY_STATURE, Footprints, heading_rad
from .moment import Capture, Moment, Trace
from .recorded import PRINTS, TRACE_S

SILENT_S = 2.0
"""Longer without a word of the estimator, and it is said to be waited for."""
FORGOTTEN_S = 1.0
"""A pose older than this, while others come no more, is shown no longer."""
_STEPS_KEPT = 200


@dataclass
class _Newest:
    """What came last of each kind."""

    subject: Subject | None = None
    subject_text: str = ""
    rig: Rig | None = None
    rig_text: str = ""
    body: BodyEstimate | None = None
    body_s: float = 0.0
    """When it came, by the steady clock."""
    heard_s: float = 0.0
    """When anything came that says that the estimator is alive."""
    cameras: FittedCameras | None = None
    gait: GaitParameters | None = None
    reason: str = ""
    start_ns: int = 0
    """Stamp of the first body; 0 before it."""


class LiveFeed:
    """What is known of a running system."""

    def __init__(self, title: str = "live") -> None:
        self._title = title
        # guarded by the lock
        self._lock = threading.Lock()
        self._newest = _Newest()
        self._trace: deque[tuple[float, np.ndarray]] = deque()
        self._steps: list[StepEvent] = []
        self._footprints = Footprints(PRINTS)
        self._version = 0

    def take_subject(self, text: str) -> None:
        """definitions/subject. Raises InputError."""
        subject = subject_from_text(text, "definitions/subject")
        with self._lock:
            if text != self._newest.subject_text:
                self._newest.subject, self._newest.subject_text = subject, text
                self._version += 1

    def take_rig(self, text: str) -> None:
        """definitions/rig. Raises InputError."""
        rig = rig_from_text(text, "definitions/rig")
        with self._lock:
            if text != self._newest.rig_text:
                self._newest.rig, self._newest.rig_text = rig, text
                self._version += 1

    def take_body(self, body: BodyEstimate) -> None:
        """body_state."""
        with self._lock:
            new = self._newest
            if new.body is None or body.stamp_ns < new.body.stamp_ns:  # the first, or time has jumped back
                self._begin(body.stamp_ns)
            new.body, new.body_s = body, time.monotonic()
            new.heard_s = new.body_s
            if body.tracking != Tracking.LOST:
                new.reason = ""
            time_s = (body.stamp_ns - new.start_ns) * 1e-9
            self._trace.append((time_s, _angles_deg(body)))
            while self._trace and self._trace[0][0] < time_s - TRACE_S:
                self._trace.popleft()

    def take_cameras(self, cameras: FittedCameras) -> None:
        """fitted_cameras."""
        with self._lock:
            self._newest.cameras, self._newest.heard_s = cameras, time.monotonic()

    def take_report(self, record: FitRecord) -> None:
        """fit_report: why there is nobody."""
        with self._lock:
            self._newest.heard_s = time.monotonic()
            self._newest.reason = "" if record.report.result == "OK" else record.report.result

    def take_step(self, step: StepEvent) -> None:
        """step_events."""
        with self._lock:
            known = next((one for one in self._steps if one.id == step.id), None)
            if known is not None and abs(step.stamp_ns - known.stamp_ns) > 1e9:
                self._steps = []  # another estimator counts from the start
            self._steps = [*self._steps[-_STEPS_KEPT:], step]
            body, subject = self._newest.body, self._newest.subject
            qpos = None if body is None or body.tracking == Tracking.LOST else body.qpos
            height_m = 1.7 if subject is None else subject.height_m
            self._footprints.take(step, heading_rad(qpos), FOOT_BY_STATURE * height_m)

    def take_gait(self, gait: GaitParameters) -> None:
        """gait_parameters."""
        with self._lock:
            self._newest.gait = gait

    def capture(self) -> tuple[int, Capture | None]:
        """(which one, counted; who is captured with what), None until subject and rig have come."""
        with self._lock:
            subject, rig = self._newest.subject, self._newest.rig
            if subject is None or rig is None:
                return self._version, None
            return self._version, Capture(self._title, subject, rig.cameras)

    def moment(self) -> Moment:
        """What is known now."""
        with self._lock:
            new, now_s = self._newest, time.monotonic()
            tracking, qpos, words = _state(new, now_s)
            stamp_ns = new.body.stamp_ns if new.body is not None else 0
            return Moment(
                time_s=(stamp_ns - new.start_ns) * 1e-9,
                stamp_ns=stamp_ns,
                tracking=tracking,
                qpos=qpos,
                words=words,
                cameras=new.cameras,
                steps=last_words(self._steps),
                footprints=self._footprints.prints,
                progression_m=self._footprints.progression_m(),
                gait=new.gait,
            )

    def trace(self) -> Trace:
        """Angles of the newest seconds."""
        with self._lock:
            rows = list(self._trace)
        if not rows:
            return Trace(np.zeros(0), np.zeros((0, 34)))
        return Trace(np.array([time_s for time_s, _ in rows]), np.array([angles_deg for _, angles_deg in rows]))

    def _begin(self, start_ns: int) -> None:
        self._newest.start_ns = start_ns
        self._trace.clear()
        self._steps = []
        self._footprints.clear()


def _angles_deg(body: BodyEstimate) -> np.ndarray:
    """(34,) NaN while LOST."""
    if body.tracking == Tracking.LOST:
        return np.full(34, np.nan)
    return np.degrees(np.asarray(body.qpos[7:], dtype=float))


def _state(new: _Newest, now_s: float) -> tuple[Tracking | None, np.ndarray | None, str]:
    """(state, pose, words) of what is known at a reading of the steady clock."""
    if not new.heard_s:
        return None, None, "for an estimator: nothing has come on its topics yet"
    silent_s = now_s - new.heard_s
    if silent_s > SILENT_S:
        return None, None, f"for the estimator: it has said nothing for {silent_s:.0f} s"
    if new.subject is None or new.rig is None:
        missing = "definitions/subject" if new.subject is None else "definitions/rig"
        return None, None, f"for {missing}"
    body = new.body
    if body is None or body.tracking == Tracking.LOST or now_s - new.body_s > FORGOTTEN_S:
        return Tracking.LOST, None, new.reason
    return body.tracking, np.asarray(body.qpos, dtype=float), ""
