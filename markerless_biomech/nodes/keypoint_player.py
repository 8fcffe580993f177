"""Plays a bag's keypoints, CameraInfo and /tf_static (and a simulation's truth) as live topics.

Stamps are moved by one constant, so that the recording's first message is stamped as if received when playing starts:
latencies mean what they mean live, and the motion keeps its speed whatever `rate` is. Bytes are not decoded.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from typing import Any

from rclpy.node import Node

from ..errors import InputError
from ..recording.bags import open_bag
from ..settings import PlayerSettings
from . import quality
from .parameters import declare_settings
from .ros_types import TYPES
from .running import run
from .timetable import Departure, Timetable, wait_for_subscribers

PLAYED_TYPES = ("Keypoints2D", "CameraInfo", "TFMessage", "BodyState", "FittedCameras", "StepEvent")
_HEADER_STAMP = struct.Struct("<iI")
_STAMP_OFFSET = 4
"""CDR: four bytes of encapsulation, then the message, which begins with its header, which begins with its stamp."""
SECOND_NS = 1_000_000_000


class KeypointPlayer(Node):
    """One bag, once or in a loop."""

    def __init__(self, **options: Any) -> None:
        super().__init__("keypoint_player", **options)
        self.settings = declare_settings(self, PlayerSettings)
        if not self.settings.bag:
            raise InputError("parameter bag is empty; give the folder of a bag, such as -p bag:=session")
        self.finished = False
        self.exit_code = 0
        self._stopping = threading.Event()
        self._publishers_by_topic = self._make_publishers()
        self._timetable = Timetable(self._departures(), self._done)
        self._timetable.start()

    def close(self) -> None:
        """Stop playing."""
        self._stopping.set()
        self._timetable.stop()

    def _make_publishers(self) -> dict[str, Any]:
        with open_bag(self.settings.bag) as bag:
            topics = {topic: kind.rsplit("/", 1)[-1] for topic, kind in bag.topics.items() if is_played(topic, kind)}
        if not any(kind == "Keypoints2D" for kind in topics.values()):
            raise InputError(f"{self.settings.bag}: holds no keypoints; expected topics named <camera>/keypoints")
        return {
            topic: self.create_publisher(getattr(TYPES, kind), relative(topic), offered(kind))
            for topic, kind in topics.items()
        }

    def _departures(self) -> Iterator[Departure]:
        """The bag's messages at their times, again and again when looping."""
        settings = self.settings
        heard = [publisher for topic, publisher in self._publishers_by_topic.items() if topic.endswith("/keypoints")]
        self._stopping.wait(settings.start_delay_s)
        shown = self._show_cameras()
        wait_for_subscribers(self, heard, settings.wait_for_subscribers_s, self._stopping)
        self.get_logger().info(f"playing {settings.bag}")
        begin_ns, start_ns = 0, self.get_clock().now().nanoseconds
        while True:
            length_ns = 0
            for topic, since_first_ns, first_ns, data in self._messages():
                length_ns = since_first_ns
                if (topic, since_first_ns) in shown:
                    continue
                message = self._shifted(topic, data, start_ns + begin_ns - first_ns)
                due_ns = round((begin_ns + since_first_ns) / settings.rate)
                yield Departure(due_ns, self._publishers_by_topic[topic], message)
            begin_ns += length_ns + SECOND_NS // 60
            if not settings.loop:
                return

    def _show_cameras(self) -> set[tuple[str, int]]:
        """Publish each camera's first CameraInfo and the first /tf_static before anything else, as drivers do.

        Returns (topic, time) of what has been published, which is not played again.
        """
        shown: dict[str, int] = {}
        cameras = {topic for topic in self._publishers_by_topic if topic.endswith(("/camera_info", "/tf_static"))}
        for topic, since_first_ns, first_ns, data in self._messages():
            if topic in cameras and topic not in shown:
                shown[topic] = since_first_ns
                shift_ns = self.get_clock().now().nanoseconds - first_ns
                self._publishers_by_topic[topic].publish(self._shifted(topic, data, shift_ns))
            if len(shown) == len(cameras):
                break
        return set(shown.items())

    def _messages(self) -> Iterator[tuple[str, int, int, bytes]]:
        """(topic, time since the first message, the first message's time, CDR bytes)."""
        first_ns = None
        with open_bag(self.settings.bag) as bag:
            for connection, time_ns, data in bag.raw_messages(self._publishers_by_topic):
                first_ns = time_ns if first_ns is None else first_ns
                yield connection.topic, time_ns - first_ns, first_ns, data

    def _shifted(self, topic: str, data: bytes, shift_ns: int) -> bytes:
        return bytes(data) if topic.endswith("/tf_static") else shifted_stamp(data, shift_ns)

    def _done(self, problem: str) -> None:
        if problem:
            self.get_logger().error(problem)
            self.exit_code = 1
        elif not self._stopping.is_set():
            self.get_logger().info(f"played {self._timetable.sent} messages, {self._timetable.late} of them late")
            # Let the middleware deliver the last ones before the process ends.
            self._stopping.wait(0.5)
        self.finished = True


def is_played(topic: str, kind: str) -> bool:
    """Inputs of the estimator, and the truth of a simulation; never recorded results."""
    name = kind.rsplit("/", 1)[-1]
    inputs = topic.endswith(("/keypoints", "/camera_info", "/tf_static"))
    return name in PLAYED_TYPES and (inputs or topic.startswith("/truth/"))


def relative(topic: str) -> str:
    """Names of ours follow the node's namespace; TF's do not."""
    return topic if topic.startswith("/tf") else topic.removeprefix("/")


def offered(kind: str) -> Any:
    """QoS by kind of message."""
    profiles = {"Keypoints2D": quality.KEYPOINTS_OFFERED, "TFMessage": quality.STATIC_TRANSFORMS}
    latched = {"CameraInfo": quality.LATCHED, "FittedCameras": quality.LATCHED}
    return (profiles | latched).get(kind, quality.RESULTS)


def shifted_stamp(data: bytes, shift_ns: int) -> bytes:
    """CDR bytes of a message that starts with a header, its stamp moved."""
    moved = bytearray(data)
    if moved[1] != 1:
        raise InputError("the bag holds big-endian messages; record it again on this machine")
    seconds, nanoseconds = _HEADER_STAMP.unpack_from(moved, _STAMP_OFFSET)
    stamp_ns = seconds * SECOND_NS + nanoseconds + shift_ns
    _HEADER_STAMP.pack_into(moved, _STAMP_OFFSET, stamp_ns // SECOND_NS, stamp_ns % SECOND_NS)
    return bytes(moved)


def main() -> None:
    run(KeypointPlayer)


if __name__ == "__main__":
    main()
