"""Moments of a bag with results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..recording.export_motion import last_words
from ..recording.recorded_session import RecordedSession, read_session
from ..recording.result_bag import BodyTrack, ResultBag, result_bag
from ..results import Tracking
from ..scene.footprints import FOOT_BY_STATURE, Footprints, heading_rad
from .moment import Capture, Moment, Trace

SILENT_S = 0.3
"""A state older than this is none."""
PRINTS = 60
"""Footprints that stay."""
TRACE_S = 5.0
"""Length of the traces."""


class RecordedMotion:
    """A bag in memory; `moment` and `trace` are pure functions of time and result."""

    def __init__(self, session: RecordedSession) -> None:
        self._bag = bag = result_bag(session)
        if not bag.held_results():
            raise InputError(bag.never_tracked())
        self.results = bag.held_results()
        """The best first."""
        self._tracks = {name: bag.track(name) for name in self.results}
        sets_ns = bag.frame_sets_ns()
        self._start_ns = int(sets_ns[0])
        self.length_s = float(sets_ns[-1] - sets_ns[0]) * 1e-9
        self._cameras = session.fitted_cameras()
        self._gait = session.results.get("gait_parameters", [])
        self._steps = last_words(bag.steps)
        self._step_ns = np.array([step.stamp_ns for step in self._steps], dtype=np.int64)
        self._camera_ns = np.array([cameras.stamp_ns for cameras in self._cameras], dtype=np.int64)
        self._gait_ns = np.array([gait.stamp_ns for gait in self._gait], dtype=np.int64)
        self._traces = {name: _trace(track, self._start_ns) for name, track in self._tracks.items()}
        self._reasons = [record.report for record in bag.records if record.report.result != "OK"]
        self._reason_ns = np.array([report.stamp_ns for report in self._reasons], dtype=np.int64)
        self._floor = _Floor(bag, self._tracks[self.results[0]], self._steps)
        self.capture = _capture(bag, self._tracks[self.results[0]])

    def moment(self, time_s: float, result: str) -> Moment:
        """What was at `time_s` since the start, as `result` has it."""
        now_ns = self._start_ns + round(time_s * 1e9)
        tracking, qpos = _state(self._tracks[result], now_ns)
        count = _until(self._step_ns, now_ns)
        return Moment(
            time_s=time_s,
            stamp_ns=now_ns,
            tracking=tracking,
            qpos=qpos,
            words="" if qpos is not None else self._reason(now_ns),
            cameras=_newest(self._cameras, self._camera_ns, now_ns),
            steps=self._steps[:count],
            footprints=self._floor.at(count).prints,
            progression_m=self._floor.at(count).progression_m(),
            gait=_newest(self._gait, self._gait_ns, now_ns),
        )

    def trace(self, time_s: float, result: str) -> Trace:
        """Angles of the seconds before `time_s`."""
        trace = self._traces[result]
        first, last = np.searchsorted(trace.times_s, [time_s - TRACE_S, time_s + 1e-6])
        return Trace(trace.times_s[first:last], trace.angles_deg[first:last])

    def _reason(self, now_ns: int) -> str:
        """What the fit said when it had nobody, lately."""
        report = _newest(self._reasons, self._reason_ns, now_ns)
        return report.result if report is not None and now_ns - report.stamp_ns < SILENT_S * 1e9 else ""


def read_motion(path: str | Path) -> RecordedMotion:
    """Of a bag. Raises InputError for one that cannot be read, or in which nobody was ever tracked."""
    return RecordedMotion(read_session(path))


def _capture(bag: ResultBag, track: BodyTrack) -> Capture:
    return Capture(bag.path.resolve().name, bag.subject, bag.rig, track.where(track.held()).qpos[:, :3])


def _until(stamps_ns: np.ndarray, now_ns: int) -> int:
    """How many of them are not later than now."""
    return int(np.searchsorted(stamps_ns, now_ns, side="right"))


def _newest(values: Sequence, stamps_ns: np.ndarray, now_ns: int):
    """The last value that was told by now; None before the first."""
    count = _until(stamps_ns, now_ns)
    return values[count - 1] if count else None


def _state(track: BodyTrack, now_ns: int) -> tuple[Tracking, np.ndarray | None]:
    """The newest state of a track by now; LOST where it is too old."""
    row = _until(track.stamps_ns, now_ns) - 1
    if row < 0 or now_ns - track.stamps_ns[row] > SILENT_S * 1e9 or track.tracking[row] == Tracking.LOST:
        return Tracking.LOST, None
    return Tracking(track.tracking[row]), track.qpos[row]


def _trace(track: BodyTrack, start_ns: int) -> Trace:
    angles_deg = np.degrees(track.qpos[:, 7:])
    angles_deg[track.tracking == Tracking.LOST] = np.nan
    return Trace((track.stamps_ns - start_ns) * 1e-9, angles_deg)


class _Floor:
    """Footprints after each number of events; going back begins anew."""

    def __init__(self, bag: ResultBag, track: BodyTrack, steps: Sequence) -> None:
        self._steps = steps
        self._track = track
        self._length_m = FOOT_BY_STATURE * bag.subject.height_m
        self._taken, self._footprints = 0, Footprints(PRINTS)

    def at(self, count: int) -> Footprints:
        """After the first `count` events."""
        if count < self._taken:
            self._taken, self._footprints = 0, Footprints(PRINTS)
        for step in self._steps[self._taken : count]:
            _, qpos = _state(self._track, step.stamp_ns)
            self._footprints.take(step, heading_rad(qpos), self._length_m)
        self._taken = count
        return self._footprints
