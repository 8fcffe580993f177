"""How the estimator fares, in words: /diagnostics once a second, and log lines that never flood."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from rclpy.clock import ROSClock
from rclpy.node import Node

from ..cameras.frame_sets import DROP_CAUSES
from ..cameras.rig import Rig
from ..gait.step_watch import StepNews
from ..recording.camera_health import fitted_cameras
from ..recording.result_messages import FittedCameras
from ..results import FitReport, Tracking
from ..settings import EstimatorSettings
from . import diagnoses, quality
from .calibration import SubjectStatus
from .diagnoses import Diagnosis
from .memory import resident_mb
from .ros_types import TYPES
from .worker import FitWorker, Outcome, State

REMEMBERED = 1024
"""Frame sets that latency figures are taken over."""


class Health:
    """Counts and says. Methods named `note` and `report` may be called by the worker thread."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._diagnostics = node.create_publisher(TYPES.DiagnosticArray, "/diagnostics", quality.RESULTS)
        self._settings: EstimatorSettings | None = None
        self._worker: FitWorker | None = None
        self._failure = ""
        # shared: guarded by the lock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}
        self._refused = 0
        self._overruns = 0
        self._frame_sets = 0
        self._latency_s: deque[float] = deque(maxlen=REMEMBERED)
        self._report: FitReport | None = None
        self._tracking = Tracking.LOST
        self._refusal = ""
        """The newest sentence with which a message was refused."""
        self._steps = {"final": 0, "withdrawn": 0}
        self._last_step_ns = 0
        self._age_s: float | None = None
        # of the executor's thread
        self._dropped_before: dict[str, int] = {}
        self._began_s = time.monotonic()
        self._settled_mb: float | None = None
        self._deaf: dict[str, str] = {}
        """Why a topic's publishers cannot be heard, in words."""

    def configured(self, settings: EstimatorSettings, worker: FitWorker) -> None:
        """From now on this worker is what diagnostics tell of."""
        self._settings, self._worker, self._failure = settings, worker, ""
        self._dropped_before, self._began_s, self._settled_mb = {}, time.monotonic(), None
        with self._lock:
            self._report, self._tracking, self._frame_sets, self._age_s = None, Tracking.LOST, 0, None
            self._steps, self._last_step_ns = {"final": 0, "withdrawn": 0}, 0
            self._latency_s.clear()
            self._refused, self._refusal, self._overruns = 0, "", 0

    def released(self) -> None:
        """Nothing is configured any more."""
        self._worker = None

    def failed_to_configure(self, sentence: str) -> None:
        """Say why, now and in every diagnostics until it works."""
        self._failure, self._worker = sentence, None
        self._node.get_logger().error(sentence)

    def refuse(self, sentence: str) -> None:
        """A message was bad: count it, and say so once a second at most."""
        with self._lock:
            self._refused += 1
            self._refusal = sentence
        self._say(f"refused {sentence.split(':')[0]}", sentence)

    def report(self, sentence: str) -> None:
        """Something went wrong in the worker."""
        self._say("worker", sentence)

    def note(self, outcome: Outcome, published_s: float) -> None:
        """Take in one frame set's result."""
        came = bool(outcome.frame_set.frames)  # else it was silence: nothing came late, and nothing is stamped
        with self._lock:
            self._frame_sets += came
            self._report = outcome.estimate.report
            if came:
                self._age_s = self._stamp_age_s(outcome)
            if outcome.estimate.live is not None:
                self._tracking = outcome.estimate.live.tracking
            if came and published_s:
                self._latency_s.append(published_s - outcome.frame_set.last_arrival_ns * 1e-9)
            self._overruns += not outcome.newest
        if outcome.estimate.reset:
            self._node.get_logger().warning("time jumped back: reset")

    def _stamp_age_s(self, outcome: Outcome) -> float:
        """How far its stamp is behind the node's clock, less what the fit and its queue took."""
        waited_s = time.monotonic() - outcome.frame_set.last_arrival_ns * 1e-9
        return (self._node.get_clock().now().nanoseconds - outcome.frame_set.stamp_ns) * 1e-9 - waited_s

    def note_steps(self, news: StepNews) -> None:
        """Take in what was said of steps."""
        with self._lock:
            for event in news.events:
                self._steps["final"] += event.final and not event.withdrawn
                self._steps["withdrawn"] += event.withdrawn
                self._last_step_ns = event.stamp_ns

    def cannot_hear(self, problems: Mapping[str, str]) -> None:
        """Topics that somebody publishes, but not so that we may hear it; each new one is said."""
        for topic, sentence in problems.items():
            if self._deaf.get(topic) != sentence:
                self._node.get_logger().warning(sentence)
        self._deaf = dict(problems)

    def dropped(self) -> dict[str, int]:
        """Camera frames and messages dropped since the start, by cause."""
        if self._worker is None:
            return {}
        counters = self._worker.capture.assembler.counters
        counts = {cause: int(counters[cause]) for cause in DROP_CAUSES}
        ours = {"queue_full": self._worker.queue_overflows, "no_rig": self._worker.without_rig}
        return counts | ours | {"refused": self._refused}

    def publish(self, active: bool, missing: list[str], in_words: Mapping[str, SubjectStatus]) -> None:
        """Publish diagnostics, with what others say under these names, and say what is missing."""
        statuses = [self._overall(active, missing)]
        statuses += [self._in_words(name, status) for name, status in in_words.items()]
        worker = self._worker
        if worker is not None and active:
            statuses += map(self._status, self._tasks(worker))
            cameras = worker.capture.assembler.status(time.monotonic_ns())
            waiting = missing + [f"{name}/keypoints" for name, status in cameras.items() if status == "DEAD"]
            nothing_yet = self._frame_sets == 0 and worker.state is State.READY
            if waiting and (missing or nothing_yet):
                self._node.get_logger().info(f"waiting for {', '.join(waiting)}")
        message = TYPES.DiagnosticArray(status=statuses)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def _tasks(self, worker: FitWorker) -> list[Diagnosis]:
        """All that is looked at while frames may come."""
        assembler, now_ns = worker.capture.assembler, time.monotonic_ns()
        status, complaints, found = assembler.status(now_ns), assembler.complaints(now_ns), self._found()
        dropped, before = self.dropped(), self._dropped_before
        self._dropped_before = dropped
        with self._lock:
            refusal, steps, last_step_ns, report = self._refusal, dict(self._steps), self._last_step_ns, self._report
        newest_ns = 0 if report is None else report.stamp_ns
        memory_mb = resident_mb(os.getpid())
        if self._settled_mb is None and time.monotonic() - self._began_s > diagnoses.SETTLED_S:
            self._settled_mb = memory_mb
        return [
            diagnoses.of_assembly(before, dropped, refusal),
            diagnoses.of_events(steps["final"], steps["withdrawn"], last_step_ns, newest_ns),
            diagnoses.of_memory(memory_mb, self._settled_mb),
            self._clock(int(assembler.counters["reset"])),
            diagnoses.of_inputs(self._deaf),
            *(diagnoses.of_camera(name, status[name], complaints[name], found.get(name, "")) for name in status),
        ]

    def _clock(self, resets: int) -> Diagnosis:
        """Of the node's clock; a replay that is late by design is not compared."""
        clock, patient = self._node.get_clock(), self._settings is not None and self._settings.replay_mode
        simulated = isinstance(clock, ROSClock) and clock.ros_time_is_active
        starting = simulated and not clock.now().nanoseconds
        return diagnoses.of_clock(None if patient else self._age_s, resets, simulated, starting)

    def _overall(self, active: bool, missing: list[str]) -> Any:
        """The node's own line."""
        worker = self._worker
        level, text = diagnoses.OK, self._tracking.name.lower()
        if self._failure:
            level, text = diagnoses.ERROR, f"not configured: {self._failure}"
        elif worker is None:
            level, text = diagnoses.STALE, "unconfigured"
        elif worker.state is State.FAILED:
            level, text = diagnoses.ERROR, worker.problem
        elif worker.state is State.COMPILING:
            level, text = diagnoses.WARN, "compiling"
        elif not active:
            level, text = diagnoses.STALE, "inactive"
        elif missing:
            level, text = diagnoses.WARN, f"waiting for {', '.join(missing)}"
        elif self._tracking is Tracking.LOST:
            level, text = diagnoses.WARN, "waiting for keypoints" if self._report is None else self._report.result
        return self._status(Diagnosis("fit", level, text, self._figures()))

    def _figures(self) -> dict[str, str]:
        with self._lock:
            latency_ms = 1000 * np.array(self._latency_s or [np.nan])
            report = self._report
        values = {"frame sets": str(self._frame_sets), "overruns": str(self._overruns)}
        values |= {f"latency p{q} [ms]": f"{np.percentile(latency_ms, q):.1f}" for q in (50, 95, 99)}
        if self._worker is not None:
            values["compiling took [s]"] = f"{self._worker.compile_s:.1f}"
        if report is not None:
            values |= {"result": report.result, "residual [px]": f"{report.residual_px:.2f}"}
        return values

    def _in_words(self, name: str, said: SubjectStatus) -> Any:
        return self._status(Diagnosis(name, diagnoses.OK if said.well else diagnoses.WARN, said.text, said.values))

    def _found(self) -> dict[str, str]:
        """What happened to each camera, in words with the odds."""
        if self._worker is None:
            return {}
        estimator = self._worker.capture.estimator
        standing = estimator.care.standing
        return {} if standing is None else dict(zip(estimator.camera_names, standing.words, strict=True))

    def _status(self, diagnosis: Diagnosis) -> Any:
        pairs = [TYPES.KeyValue(key=key, value=value) for key, value in diagnosis.values.items()]
        name = f"{self._node.get_fully_qualified_name()}: {diagnosis.name}"
        level = bytes([diagnosis.level])
        return TYPES.DiagnosticStatus(level=level, name=name, message=diagnosis.text, values=pairs)

    def fitted_cameras(self) -> FittedCameras | None:
        """How the cameras stand and fare, once a rig is known."""
        if self._worker is None or self._worker.capture.estimator.rig is None:
            return None
        estimator = self._worker.capture.estimator
        report, now_ns = self._report, self._node.get_clock().now().nanoseconds
        return fitted_cameras(
            estimator.rig or Rig({}),
            report.stamp_ns if report is not None else now_ns,
            estimator.camera_names,
            report,
            self._worker.capture.assembler.status(time.monotonic_ns()),
            estimator.calibration_version,
            estimator.care.standing,
        )

    def _say(self, kind: str, sentence: str) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._said.get(kind, -1.0) < 1.0:
                return
            self._said[kind] = now
        self._node.get_logger().warning(sentence)
