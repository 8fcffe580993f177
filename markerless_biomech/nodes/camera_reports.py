"""Where the cameras stand, for the node: fitted_cameras at its own rate, slow refinement, service ~/accept_cameras.

Poses that were proposed are taken into use by the worker between two frame sets. What is ours of the calibration (the
rig's definition; /tf_static where the rig came from a file) is published again when that has happened.
"""

from __future__ import annotations

from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from std_srvs.srv import Trigger

from ..cameras.calibrated_camera import Rig
from ..capture import Capture
from ..keypoints import KeypointSet
from ..settings import EstimatorSettings
from .calibration import SubjectStatus
from .health import Health
from .publishing import ResultPublisher
from .slow_refinement import SlowRefinement
from .worker import FitWorker, Outcome, State


class CameraReports:
    """All in the executor's thread. Does something between `activate` and `deactivate`."""

    def __init__(self, node: Node, health: Health) -> None:
        self._node = node
        self._health = health
        # made in activate, gone after deactivate
        self._timer: Any = None
        self._service: Any = None
        self._configured: tuple[EstimatorSettings, FitWorker, ResultPublisher] | None = None
        self._keypoint_set: KeypointSet | None = None
        self._version = 1
        self._refinement: SlowRefinement | None = None
        self._refined_from: tuple[int, Any] | None = None
        """Calibration version and subject with which the refinement began."""

    def activate(
        self, settings: EstimatorSettings, worker: FitWorker, publisher: ResultPublisher, keypoint_set: KeypointSet
    ) -> None:
        """Begin to publish and to serve."""
        self._configured, self._keypoint_set = (settings, worker, publisher), keypoint_set
        if settings.camera_refinement != "off":
            self._refinement = SlowRefinement(settings.camera_memory_s, self._node.get_logger())
        self._version = worker.capture.estimator.calibration_version
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self._node.create_timer(1.0 / settings.camera_report_hz, self._report, clock=steady)
        self._service = self._node.create_service(Trigger, "~/accept_cameras", self._handle_accept)

    def deactivate(self) -> None:
        """End both."""
        if self._configured is not None:
            self._node.destroy_timer(self._timer)
            self._node.destroy_service(self._service)
        if self._refinement is not None:
            self._refinement.stop()
        self._timer = self._service = self._configured = self._refinement = self._refined_from = None

    def note(self, outcome: Outcome) -> None:
        """A frame set was fitted. Called by the worker thread."""
        refinement = self._refinement
        if refinement is not None:
            refinement.note(outcome)

    def keep_house(self) -> None:
        """Begin the slow refinement when there is a rig, anew when rig or subject have become others; take its rigs."""
        if self._configured is None or self._refinement is None or self._keypoint_set is None:
            return
        settings, worker, _ = self._configured
        estimator = worker.capture.estimator
        standing, rig = estimator.care.standing, estimator.rig
        if rig is None or worker.state is not State.READY or set(rig.cameras) != set(estimator.camera_names):
            return
        begun = (estimator.calibration_version, estimator.subject)
        if self._refined_from is None or begun[0] != self._refined_from[0] or begun[1] is not self._refined_from[1]:
            offsets_s = dict(zip(estimator.camera_names, settings.camera_time_offsets_s, strict=False))
            self._refinement.begin(rig, estimator.subject, self._keypoint_set, offsets_s)
            self._refined_from = begun
        if standing is not None and standing.moved.any():
            self._refinement.forget_batch()
        new = self._refinement.keep_house()
        if new and settings.camera_refinement == "accept" and self._refinement.worth_taking(rig):
            self._use_refined()

    def status(self) -> SubjectStatus:
        """What the slow refinement does, for diagnostics."""
        words = self._refinement.words() if self._refinement is not None else "off (parameter camera_refinement)"
        return SubjectStatus(self._refinement is None or self._refinement.well, words, {})

    def _use_refined(self) -> None:
        """The refined rig from the next frame set on; the refinement goes on where it is."""
        assert self._configured is not None and self._refinement is not None and self._refinement.fit is not None
        estimator = self._configured[1].capture.estimator
        rig: Rig = self._refinement.fit.rig
        version = estimator.calibration_version
        self._refined_from = (version + 1, estimator.subject)
        self._configured[1].exchange(lambda capture: _use(capture, rig, version))

    def _report(self) -> None:
        cameras = self._health.fitted_cameras()
        if cameras is None or self._configured is None:
            return
        settings, worker, publisher = self._configured
        publisher.publish_cameras(self._refinement.shown(cameras) if self._refinement is not None else cameras)
        estimator = worker.capture.estimator
        if estimator.calibration_version != self._version and estimator.rig is not None:
            self._version = estimator.calibration_version
            self._node.get_logger().info(f"calibration {self._version} is in use: cameras stand where they were found")
            publisher.take_rig(estimator.rig, ours=bool(settings.rig_file))

    def _handle_accept(self, _request: Any, response: Any) -> Any:
        """Take what is proposed into use with the next frame set."""
        assert self._configured is not None
        settings, worker, _ = self._configured
        standing = worker.capture.estimator.care.standing
        proposed = standing.proposed if standing is not None else ()
        moved = standing is not None and bool(standing.moved.any())
        rig, refinement = worker.capture.estimator.rig, self._refinement
        refined = not moved and refinement is not None and rig is not None and refinement.worth_taking(rig)
        response.success = bool(proposed) or refined
        if proposed:
            worker.exchange(_accept)
            response.message = f"taken into use from the next frame set on: {', '.join(proposed)}"
        elif refined:
            self._use_refined()
            response.message = "the refined rig is taken into use from the next frame set on"
        elif settings.camera_refinement == "off":
            response.message = "nothing is proposed: the parameter camera_refinement is off; set it to propose"
        elif moved:
            response.message = "a camera has moved, but its new pose is not known well enough yet; keep walking"
        else:
            response.message = "nothing is proposed: no camera has moved"
        return response


def _use(capture: Capture, rig: Rig, version: int) -> None:
    """Unless another calibration has come into use in between."""
    if capture.estimator.calibration_version == version:
        capture.estimator.exchange_rig(rig)


def _accept(capture: Capture) -> None:
    capture.estimator.accept_cameras()
