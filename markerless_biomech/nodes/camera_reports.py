"""Where the cameras stand, for the node: fitted_cameras at its own rate, and the service ~/accept_cameras.

Poses that were proposed are taken into use by the worker between two frame sets. What is ours of the calibration (the
rig's definition; /tf_static where the rig came from a file) is published again when that has happened.
"""

from __future__ import annotations

from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from std_srvs.srv import Trigger

from ..capture import Capture
from ..settings import EstimatorSettings
from .health import Health
from .publishing import ResultPublisher
from .worker import FitWorker


class CameraReports:
    """All in the executor's thread. Does something between `activate` and `deactivate`."""

    def __init__(self, node: Node, health: Health) -> None:
        self._node = node
        self._health = health
        # made in activate, gone after deactivate
        self._timer: Any = None
        self._service: Any = None
        self._configured: tuple[EstimatorSettings, FitWorker, ResultPublisher] | None = None
        self._version = 1

    def activate(self, settings: EstimatorSettings, worker: FitWorker, publisher: ResultPublisher) -> None:
        """Begin to publish and to serve."""
        self._configured = (settings, worker, publisher)
        self._version = worker.capture.estimator.calibration_version
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self._node.create_timer(1.0 / settings.camera_report_hz, self._report, clock=steady)
        self._service = self._node.create_service(Trigger, "~/accept_cameras", self._handle_accept)

    def deactivate(self) -> None:
        """End both."""
        if self._configured is not None:
            self._node.destroy_timer(self._timer)
            self._node.destroy_service(self._service)
        self._timer = self._service = self._configured = None

    def _report(self) -> None:
        cameras = self._health.fitted_cameras()
        if cameras is None or self._configured is None:
            return
        settings, worker, publisher = self._configured
        publisher.publish_cameras(cameras)
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
        response.success = bool(proposed)
        if proposed:
            worker.exchange(_accept)
            response.message = f"taken into use from the next frame set on: {', '.join(proposed)}"
        elif settings.camera_refinement == "off":
            response.message = "nothing is proposed: the parameter camera_refinement is off; set it to propose"
        elif standing is not None and standing.moved.any():
            response.message = "a camera has moved, but its new pose is not known well enough yet; keep walking"
        else:
            response.message = "nothing is proposed: no camera has moved"
        return response


def _accept(capture: Capture) -> None:
    capture.estimator.accept_cameras()
