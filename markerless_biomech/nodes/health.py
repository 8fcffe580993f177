"""How the estimator fares, in words: /diagnostics once a second, and log lines that never flood."""

from __future__ import annotations

import resource
import threading
import time
from collections import deque
from typing import Any

import numpy as np
from rclpy.node import Node

from ..cameras.frame_sets import DROP_CAUSES
from ..recording.camera_health import fitted_cameras
from ..recording.result_messages import FittedCameras
from ..results import FitReport, Tracking
from ..settings import EstimatorSettings
from . import quality
from .calibration import SubjectStatus
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

    def configured(self, settings: EstimatorSettings, worker: FitWorker) -> None:
        """From now on this worker is what diagnostics tell of."""
        self._settings, self._worker, self._failure = settings, worker, ""
        with self._lock:
            self._report, self._tracking, self._frame_sets = None, Tracking.LOST, 0
            self._latency_s.clear()

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
        self._say(f"refused {sentence.split(':')[0]}", sentence)

    def report(self, sentence: str) -> None:
        """Something went wrong in the worker."""
        self._say("worker", sentence)

    def note(self, outcome: Outcome, published_s: float) -> None:
        """Take in one frame set's result."""
        with self._lock:
            self._frame_sets += 1
            self._report = outcome.estimate.report
            if outcome.estimate.live is not None:
                self._tracking = outcome.estimate.live.tracking
            if published_s:
                self._latency_s.append(published_s - outcome.frame_set.last_arrival_ns * 1e-9)
            self._overruns += not outcome.newest
        if outcome.estimate.reset:
            self._node.get_logger().warning("time jumped back: reset")

    def dropped(self) -> dict[str, int]:
        """Camera frames and messages dropped since the start, by cause."""
        if self._worker is None:
            return {}
        counters = self._worker.capture.assembler.counters
        counts = {cause: int(counters[cause]) for cause in DROP_CAUSES}
        ours = {"queue_full": self._worker.queue_overflows, "no_rig": self._worker.without_rig}
        return counts | ours | {"refused": self._refused}

    def publish(
        self, active: bool, missing: list[str], subject: SubjectStatus, rig: SubjectStatus
    ) -> FittedCameras | None:
        """Publish diagnostics and say what is missing; returns how the cameras fare, once a rig is known."""
        statuses = [self._overall(active, missing), self._in_words("subject", subject)]
        statuses += [self._in_words("rig check", rig)]
        worker = self._worker
        cameras: dict[str, str] = {}
        if worker is not None and active:
            cameras = worker.capture.assembler.status(time.monotonic_ns())
            statuses += [self._camera(name, status) for name, status in cameras.items()]
            waiting = missing + [f"{name}/keypoints" for name, status in cameras.items() if status == "DEAD"]
            nothing_yet = self._frame_sets == 0 and worker.state is State.READY
            if waiting and (missing or nothing_yet):
                self._node.get_logger().info(f"waiting for {', '.join(waiting)}")
        message = TYPES.DiagnosticArray(status=statuses)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        return self._fitted_cameras(cameras) if cameras else None

    def _overall(self, active: bool, missing: list[str]) -> Any:
        """The node's own line."""
        status, worker = TYPES.DiagnosticStatus, self._worker
        level, text = status.OK, self._tracking.name.lower()
        if self._failure:
            level, text = status.ERROR, f"not configured: {self._failure}"
        elif worker is None:
            level, text = status.STALE, "unconfigured"
        elif worker.state is State.FAILED:
            level, text = status.ERROR, worker.problem
        elif worker.state is State.COMPILING:
            level, text = status.WARN, "compiling"
        elif not active:
            level, text = status.STALE, "inactive"
        elif missing:
            level, text = status.WARN, f"waiting for {', '.join(missing)}"
        elif self._tracking is Tracking.LOST:
            level, text = status.WARN, "waiting for keypoints" if self._report is None else self._report.result
        return self._status(level, "fit", text, self._figures())

    def _figures(self) -> dict[str, str]:
        with self._lock:
            latency_ms = 1000 * np.array(self._latency_s or [np.nan])
            report = self._report
        values = {"frame sets": str(self._frame_sets), "overruns": str(self._overruns)}
        values |= {f"latency p{q} [ms]": f"{np.percentile(latency_ms, q):.1f}" for q in (50, 95, 99)}
        values |= {f"dropped: {cause}": str(count) for cause, count in self.dropped().items()}
        values["peak memory [MB]"] = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"
        if self._worker is not None:
            values["compiling took [s]"] = f"{self._worker.compile_s:.1f}"
        if report is not None:
            values |= {"result": report.result, "residual [px]": f"{report.residual_px:.2f}"}
        return values

    def _in_words(self, name: str, said: SubjectStatus) -> Any:
        level = TYPES.DiagnosticStatus.OK if said.well else TYPES.DiagnosticStatus.WARN
        return self._status(level, name, said.text, said.values)

    def _camera(self, name: str, camera_status: str) -> Any:
        status = TYPES.DiagnosticStatus
        level = {"OK": status.OK, "LATE": status.WARN, "STALE": status.WARN}.get(camera_status, status.ERROR)
        return self._status(level, f"camera {name}", camera_status, {})

    def _status(self, level: bytes, name: str, text: str, values: dict[str, str]) -> Any:
        pairs = [TYPES.KeyValue(key=key, value=value) for key, value in values.items()]
        full_name = f"{self._node.get_fully_qualified_name()}: {name}"
        return TYPES.DiagnosticStatus(level=level, name=full_name, message=text, values=pairs)

    def _fitted_cameras(self, statuses: dict[str, str]) -> FittedCameras | None:
        """The cameras as the estimator uses them: those of the nominal calibration."""
        assert self._worker is not None
        estimator = self._worker.capture.estimator
        report, now_ns = self._report, self._node.get_clock().now().nanoseconds
        if estimator.rig is None:
            return None
        return fitted_cameras(
            estimator.rig,
            report.stamp_ns if report is not None else now_ns,
            estimator.camera_names,
            report,
            statuses,
            estimator.calibration_version,
        )

    def _say(self, kind: str, sentence: str) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._said.get(kind, -1.0) < 1.0:
                return
            self._said[kind] = now
        self._node.get_logger().warning(sentence)
