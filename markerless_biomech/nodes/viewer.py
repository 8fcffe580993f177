"""Brings what the estimator publishes to the page of `markerless-biomech view`; holds no picture of its own.

It only listens, so that any number may be started, before or after the estimator.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node

from ..errors import InputError
from ..recording.result_messages import body_from_message, cameras_from_message, report_from_message
from ..recording.step_messages import parameters_from_message, step_from_message
from ..viewing.live_feed import LiveFeed
from ..viewing.server import address, close_server, open_server
from ..viewing.watch import LivePage, turn_pages
from . import quality
from .node_settings import ViewerSettings
from .parameters import declare_settings
from .ros_types import TYPES
from .running import run

REFUSED_S = 1.0
"""Of messages that are not understood one is told of in this time."""


class Viewer(Node):
    """Subscribes to results and definitions; a thread of its own draws the page."""

    def __init__(self, server: Any = None, **options: Any) -> None:
        """`server`: one that is running already; without it, one is started where the parameters say."""
        super().__init__("viewer", **options)
        settings = declare_settings(self, ViewerSettings)
        self._server = server or open_server(settings.host, settings.port)
        self.feed = LiveFeed()
        for topic, kind, read, take in (
            ("body_state", "BodyState", body_from_message, self.feed.take_body),
            ("fit_report", "FitReport", report_from_message, self.feed.take_report),
            ("fitted_cameras", "FittedCameras", cameras_from_message, self.feed.take_cameras),
            ("step_events", "StepEvent", step_from_message, self.feed.take_step),
            ("gait_parameters", "GaitParameters", parameters_from_message, self.feed.take_gait),
        ):
            self._listen(kind, topic, partial(self._hand_on, read, take), quality.RESULTS)
        self._listen("String", "definitions/subject", partial(self._define, self.feed.take_subject), quality.LATCHED)
        self._listen("String", "definitions/rig", partial(self._define, self.feed.take_rig), quality.LATCHED)
        self._page = LivePage(self._server, self.feed)
        self._stop = threading.Event()
        self._painter = threading.Thread(target=turn_pages, args=(self._page.advance, self._stop), daemon=True)
        self._painter.start()
        self.get_logger().info(f"the page is at {address(self._server)}")

    def close(self) -> None:
        """Take the page away."""
        self._stop.set()
        self._painter.join()
        close_server(self._server)

    def _listen(self, kind: str, topic: str, take: Callable[[Any], None], profile: Any) -> None:
        self.create_subscription(getattr(TYPES, kind), topic, take, profile, event_callbacks=quality.NO_EVENTS)

    def _hand_on(self, read: Callable[[Any], Any], take: Callable[[Any], None], message: Any) -> None:
        """A result, or a warning: what another version or another estimator says may not be understood."""
        try:
            take(read(message))
        except InputError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=REFUSED_S)

    def _define(self, take: Callable[[str], None], message: Any) -> None:
        try:
            take(message.data)
        except InputError as error:
            self.get_logger().error(str(error))


def run_viewer(server: Any, namespace: str) -> None:
    """Show a rig live on a running server, until told to stop; ends the process."""
    run(partial(Viewer, server), ["--ros-args", "-r", f"__ns:=/{namespace.strip('/')}"] if namespace else [])


def main() -> None:
    run(Viewer)


if __name__ == "__main__":
    main()
