"""A capture as MarkerArrays for RViz, one topic a layer: markers/body, keypoints, cameras and steps.

It only listens: keypoints and states are read `rate_hz` times a second, whatever their own rate, and a layer that
nobody has subscribed is not drawn. Everything is in the world frame; cameras and keypoint set come from the
definitions of the estimator in the same namespace.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from visualization_msgs.msg import MarkerArray

from ..cameras.calibrated_camera import Rig
from . import quality
from .capture_view import CaptureView
from .markers.body import draw_body, draw_flashes, draw_status
from .markers.cameras import draw_cameras
from .markers.canvas import Canvas
from .markers.keypoints import draw_keypoints
from .markers.steps import draw_steps
from .node_settings import RvizMarkersSettings
from .parameters import accept_changes, declare_settings
from .running import run

SELDOM_S, RENEWED_S = 0.25, 1.0
"""Cameras and steps are drawn when they change, at most once in the first, and at least once in the second: for whoever
comes late."""
SHORT_LIFE_S, LONG_LIFE_S = 0.5, 3.0
"""How long markers outlive this node: those of every drawing, and cameras and steps."""
GIVES_WAY = 5
"""Niceness of the process: the fit comes first."""
REFUSED_S = 1.0
"""Of messages that are not understood one is told of in this time."""


class Layer:
    """One MarkerArray topic, drawn only while somebody looks."""

    def __init__(self, node: Node, topic: str, lifetime_s: float) -> None:
        self._publisher = node.create_publisher(
            MarkerArray, topic, quality.RESULTS, event_callbacks=quality.NO_PUBLISHER_EVENTS
        )
        self._canvas = Canvas(lifetime_s)
        self._news, self._drawn_s = True, -RENEWED_S

    def due(self, news: bool, now_s: float) -> bool:
        """Whether what stays is to be drawn now: it has changed, or late comers may be waiting for it."""
        self._news |= news
        since_s = now_s - self._drawn_s
        if since_s < (SELDOM_S if self._news else RENEWED_S):
            return False
        self._news, self._drawn_s = False, now_s
        return True

    def draw(self, stamp_ns: int, frame_id: str, paint: Callable[[Canvas], None]) -> None:
        """Publish what `paint` draws."""
        if self._publisher.get_subscription_count():
            self._canvas.begin(stamp_ns, frame_id)
            paint(self._canvas)
            self._publisher.publish(self._canvas.finish())


class RvizMarkers(Node):
    """Looks, draws, publishes; all in the executor's thread."""

    def __init__(self, **options: Any) -> None:
        super().__init__("rviz_markers", **options)
        self.settings = declare_settings(self, RvizMarkersSettings)
        accept_changes(self, RvizMarkersSettings, self._change)
        self._view = CaptureView(self, self.settings.footprints, self._refuse)
        short_s = max(SHORT_LIFE_S, 3.0 / self.settings.rate_hz)
        lives_s = {"body": short_s, "keypoints": short_s, "cameras": LONG_LIFE_S, "steps": LONG_LIFE_S}
        self._layers = {name: Layer(self, f"markers/{name}", life_s) for name, life_s in lives_s.items()}
        self._refused_s = 0.0
        self.create_timer(1.0 / self.settings.rate_hz, self._draw, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _change(self, changes: dict[str, Any]) -> None:
        """Looks, from the next drawing on."""
        self.settings = replace(self.settings, **changes)

    def _refuse(self, sentence: str) -> None:
        """A message was bad."""
        if time.monotonic() - self._refused_s > REFUSED_S:
            self._refused_s = time.monotonic()
            self.get_logger().warning(sentence)

    def _draw(self) -> None:
        """What moves, each time; what stays, now and then."""
        new, now_s = self._view.look(), time.monotonic()
        self._draw_body()
        if self._view.rig is not None and self._layers["cameras"].due(bool(new & {"rig", "cameras"}), now_s):
            self._draw_cameras(self._view.rig)
        if self._layers["steps"].due(bool(new & {"subject", "footprints"}), now_s):
            self._draw_steps()

    def _draw_body(self) -> None:
        view, settings = self._view, self.settings
        stamp_ns = view.body.stamp_ns if view.body is not None else 0

        def paint(canvas: Canvas) -> None:
            silent = view.silent("body")
            if view.body is not None and not silent:
                draw_body(canvas, view.body, view.rig, settings.ellipsoid_sigmas)
                draw_flashes(canvas, view.footprints, stamp_ns, settings.flash_s)
            draw_status(canvas, view.body, silent, view.place_m)

        self._layers["body"].draw(stamp_ns, view.world_frame, paint)
        self._layers["keypoints"].draw(
            stamp_ns, view.world_frame, lambda canvas: draw_keypoints(canvas, view.observed(), settings.rays)
        )

    def _draw_cameras(self, rig: Rig) -> None:
        """Without a stamp: what stands still does so at any instant of the transforms."""
        view = self._view
        cameras = None if view.silent("cameras") else view.cameras
        self._layers["cameras"].draw(0, view.world_frame, lambda canvas: draw_cameras(canvas, rig, cameras))

    def _draw_steps(self) -> None:
        view = self._view
        self._layers["steps"].draw(
            0, view.world_frame, lambda canvas: draw_steps(canvas, view.footprints, view.foot_length_m)
        )


def main() -> None:
    os.nice(GIVES_WAY)
    run(RvizMarkers)


if __name__ == "__main__":
    main()
