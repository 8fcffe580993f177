"""The 3-D scene of one capture: floor, cameras, the subject, what happens under the feet."""

from __future__ import annotations

from typing import Any

import numpy as np

from .body_nodes import BodyNodes
from .camera_nodes import CameraNodes
from .floor_nodes import FloorNodes
from .moment import Capture, Moment
from .views import Views

_REACH = 1.1
"""Height to which the view reaches, by the stature: over the head, where the word for the state is."""


class Stage:
    """Made once for a capture."""

    def __init__(self, server: Any, capture: Capture, views: Views) -> None:
        self._server = server
        self._views = views
        self._body = BodyNodes(server, capture.subject)
        self._cameras = CameraNodes(server, capture.cameras)
        corners_m = _corners_m(capture)
        self._floor = FloorNodes(server, corners_m, capture.subject.height_m)
        server.scene.configure_environment_map("studio", environment_intensity=0.35)
        views.frame(corners_m)

    def show(self, moment: Moment) -> None:
        """Put everything where it is at a moment."""
        self._body.show(moment.tracking, moment.qpos)
        self._cameras.show(moment.cameras)
        self._floor.show(moment.footprints, moment.progression_m, self._views.anybody_near())
        self._floor.flash(moment.steps, moment.stamp_ns)
        self._views.follow(moment.qpos)

    def remove(self) -> None:
        """Empty the scene."""
        self._server.scene.reset()


def _corners_m(capture: Capture) -> np.ndarray:
    """(N, 3) what the view must take in: cameras, and the walker from the floor to the head."""
    cameras = [camera.position_m for camera in capture.cameras.values()]
    path = capture.walked_m if len(capture.walked_m) else np.zeros((1, 3))
    low, high = path.min(axis=0), path.max(axis=0)
    height_m = _REACH * capture.subject.height_m
    walker = [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (0.0, height_m)]
    return np.array([*cameras, *walker], dtype=float)
