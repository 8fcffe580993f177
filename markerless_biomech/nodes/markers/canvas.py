"""A MarkerArray that is drawn anew each time: what is not drawn again is deleted, what nobody renews fades by itself.

Message objects are kept and filled in place, because making one takes longer than filling it. RViz marks a display red
for a marker without points, without text or without size: those are left out here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Quaternion, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from ...recording.message_types import stamp_to_message
from ...scene.colours import rgb
from ..ros_types import TYPES

SMALLEST_M = 1e-4
"""RViz refuses markers without size."""
DISC_M = 0.004
"""Thickness of what lies flat: RViz draws it as a cylinder, and this much is seen as none."""


@lru_cache(maxsize=256)
def colour_to_message(colour: str, alpha: float = 1.0) -> ColorRGBA:
    """Of '#rrggbb'. Shared: not to be changed."""
    red, green, blue = rgb(colour)
    return ColorRGBA(r=red, g=green, b=blue, a=float(alpha))


class Canvas:
    """Markers of one topic. Coordinates are of `frame_id`, in metres."""

    def __init__(self, lifetime_s: float) -> None:
        """`lifetime_s`: how long a marker stays that is not renewed; longer than the time between two drawings."""
        nanoseconds = round(lifetime_s * 1e9)
        self._lifetime = Duration(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)
        self._markers: dict[tuple[str, int], Marker] = {}
        self._drawn: dict[tuple[str, int], Marker] = {}
        self._shown: set[tuple[str, int]] = set()
        self._stamp: Any = stamp_to_message(TYPES, 0)
        self._frame_id = ""

    def begin(self, stamp_ns: int, frame_id: str) -> None:
        """A new drawing."""
        self._stamp, self._frame_id = stamp_to_message(TYPES, stamp_ns), frame_id
        self._drawn = {}

    def finish(self) -> MarkerArray:
        """What was drawn, and the deletion of what was drawn the last time and no more."""
        gone = self._shown - set(self._drawn)
        self._shown = set(self._drawn)
        deletions = [self._deletion(*key) for key in sorted(gone)]
        for key in gone:
            self._markers.pop(key, None)
        return MarkerArray(markers=[*deletions, *self._drawn.values()])

    def spheres(self, namespace: str, points_m: np.ndarray, size_m: float, colours: str | list[str]) -> None:
        """(N, 3) points as balls of one size; one colour for all, or one each."""
        marker = self._list(namespace, 0, Marker.SPHERE_LIST, points_m, (size_m, size_m, size_m))
        if marker is None:
            return
        if isinstance(colours, str):
            marker.color, marker.colors = colour_to_message(colours), []
        else:
            marker.colors = [colour_to_message(colour) for colour in colours]

    def lines(
        self, namespace: str, number: int, points_m: np.ndarray, width_m: float, colour: str, alpha: float = 1.0
    ) -> None:
        """(2 N, 3) points: N lines."""
        marker = self._list(namespace, number, Marker.LINE_LIST, points_m, (width_m, 0.0, 0.0))
        if marker is not None:
            marker.color = colour_to_message(colour, alpha)

    def path(self, namespace: str, number: int, points_m: np.ndarray, width_m: float, colour: str) -> None:
        """(N, 3) points joined in their order."""
        if len(points_m) < 2:
            return
        marker = self._list(namespace, number, Marker.LINE_STRIP, points_m, (width_m, 0.0, 0.0))
        if marker is not None:
            marker.color = colour_to_message(colour)

    def triangles(self, namespace: str, number: int, corners_m: np.ndarray, colour: str, alpha: float = 1.0) -> None:
        """(3 N, 3) or (N, 3, 3) corners of N triangles."""
        marker = self._list(namespace, number, Marker.TRIANGLE_LIST, corners_m.reshape(-1, 3), (1.0, 1.0, 1.0))
        if marker is not None:
            marker.color = colour_to_message(colour, alpha)

    def ellipsoid(
        self,
        namespace: str,
        number: int,
        centre_m: np.ndarray,
        semi_axes_m: np.ndarray,
        turn_xyzw: np.ndarray,
        colour: str,
        alpha: float = 1.0,
    ) -> None:
        """One, by its centre (3,), semi-axes (3,) and quaternion (4,)."""
        self._solid(namespace, number, Marker.SPHERE, centre_m, 2.0 * semi_axes_m, turn_xyzw, colour, alpha)

    def disc(
        self, namespace: str, number: int, centre_m: np.ndarray, radius_m: float, colour: str, alpha: float = 1.0
    ) -> None:
        """Flat on the floor."""
        size = np.array([2.0 * radius_m, 2.0 * radius_m, DISC_M])
        self._solid(namespace, number, Marker.CYLINDER, centre_m, size, np.array([0, 0, 0, 1.0]), colour, alpha)

    def text(
        self, namespace: str, number: int, position_m: np.ndarray, words: str, height_m: float, colour: str
    ) -> None:
        """Words that face the viewer; nothing when there are none."""
        if not words.strip():
            return
        marker = self._marker(namespace, number, Marker.TEXT_VIEW_FACING)
        marker.text, marker.color = words, colour_to_message(colour)
        marker.scale.z = max(float(height_m), SMALLEST_M)
        _place(marker.pose.position, position_m)

    def _solid(
        self,
        namespace: str,
        number: int,
        kind: int,
        centre_m: np.ndarray,
        size_m: np.ndarray,
        turn_xyzw: np.ndarray,
        colour: str,
        alpha: float,
    ) -> None:
        marker = self._marker(namespace, number, kind)
        marker.color = colour_to_message(colour, alpha)
        _place(marker.pose.position, centre_m)
        _place(marker.scale, np.maximum(size_m, SMALLEST_M))
        turn: Quaternion = marker.pose.orientation
        turn.x, turn.y, turn.z, turn.w = turn_xyzw.tolist()

    def _list(
        self, namespace: str, number: int, kind: int, points_m: np.ndarray, size_m: tuple[float, float, float]
    ) -> Marker | None:
        if not len(points_m):
            return None
        marker = self._marker(namespace, number, kind)
        marker.points = [Point(x=x, y=y, z=z) for x, y, z in np.asarray(points_m, dtype=float).tolist()]
        marker.scale.x, marker.scale.y, marker.scale.z = size_m
        return marker

    def _marker(self, namespace: str, number: int, kind: int) -> Marker:
        """The kept message of this name, now part of the drawing."""
        key = namespace, number
        marker = self._markers.get(key)
        if marker is None:
            marker = Marker(ns=namespace, id=number, type=kind, action=Marker.ADD, lifetime=self._lifetime)
            self._markers[key] = marker
        marker.header.stamp, marker.header.frame_id = self._stamp, self._frame_id
        self._drawn[key] = marker
        return marker

    def _deletion(self, namespace: str, number: int) -> Marker:
        marker = Marker(ns=namespace, id=number, action=Marker.DELETE)
        marker.header.stamp, marker.header.frame_id = self._stamp, self._frame_id
        return marker


def _place(target: Point | Vector3, xyz: np.ndarray) -> None:
    target.x, target.y, target.z = map(float, xyz)
