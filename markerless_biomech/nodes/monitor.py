"""Listens to a running system from the process that started it: what it says of itself, how far it is."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any

import rclpy
import rclpy.utilities
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ..recording.message_types import stamp_from_message
from . import quality
from .ros_types import TYPES


class Monitor:
    """A node of its own, in a thread. A context manager."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._context = Context()
        rclpy.init(
            context=self._context,
            domain_id=int(environment["ROS_DOMAIN_ID"]),
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.node = Node("monitor", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        # written by the executor's thread
        self.diagnosis = ""
        self.figures: dict[str, str] = {}
        self.ages_ms: list[tuple[int, float]] = []
        self.reports: list[Any] = []
        self.first_stamp_ns = 0
        self.last_stamp_ns = 0
        self.node.create_subscription(TYPES.DiagnosticArray, "/diagnostics", self._take_diagnostics, quality.RESULTS)
        self.node.create_subscription(TYPES.FitReport, "fit_report", self._take_report, quality.EVERY_RESULT)
        self.node.create_subscription(TYPES.JointState, "joint_states", self._take_joints, quality.EVERY_RESULT)
        self._thread = threading.Thread(target=self._spin, name="monitor", daemon=True)
        self._thread.start()

    @property
    def captured_s(self) -> float:
        """From the first fit report's stamp to the last's."""
        return (self.last_stamp_ns - self.first_stamp_ns) * 1e-9

    def _take_diagnostics(self, message: Any) -> None:
        for status in message.status:
            if status.name.endswith("motion_estimator: fit"):
                self.diagnosis = status.message
                self.figures = {pair.key: pair.value for pair in status.values}

    def _take_joints(self, message: Any) -> None:
        """(stamp, age at receipt): both by the system clock of this machine."""
        stamp_ns = stamp_from_message(message.header.stamp)
        self.ages_ms.append((stamp_ns, (time.time_ns() - stamp_ns) * 1e-6))

    def _take_report(self, message: Any) -> None:
        self.last_stamp_ns = stamp_from_message(message.header.stamp)
        self.first_stamp_ns = self.first_stamp_ns or self.last_stamp_ns
        self.reports.append(message)

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        rclpy.utilities.try_shutdown(context=self._context)
        self._thread.join()
        self.node.destroy_node()
