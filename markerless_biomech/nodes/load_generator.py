"""Sends keypoints made beforehand at a fixed rate, for `benchmark`: nothing is computed or encoded while it sends.

All cameras of a frame carry the instant just before its first message was published as their stamp, so that a result's
age at its receiver is the whole way from here.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.serialization import serialize_message

from ..recording.messages import keypoint_frame_to_message
from ..settings import SimulationSettings
from ..simulation.virtual_rig import SimulatedSession, seamless, simulate
from .node_settings import LoadSettings
from .parameters import declare_settings
from .rig_publishers import RigPublishers
from .ros_types import TYPES
from .running import run
from .timetable import Departure, Timetable, wait_for_subscribers

_STAMP = struct.Struct("<iI")
_STAMP_OFFSET = 4
"""In CDR bytes: after the encapsulation comes the header's stamp."""
SECOND_NS = 1_000_000_000
WALK_S = 5.0
"""Length of the walk that is sent again and again."""


class LoadGenerator(Node):
    """The cameras of a benchmark."""

    def __init__(self, **options: Any) -> None:
        super().__init__("load_generator", **options)
        self.settings = declare_settings(self, LoadSettings)
        self.finished = False
        self.exit_code = 0
        self._stopping = threading.Event()
        names = [f"cam{index}" for index in range(self.settings.cameras)]
        self._rig = RigPublishers(self, names)
        self._stamp_ns = 0
        self._timetable = Timetable(self._departures(), self._done)
        self._timetable.start()

    def close(self) -> None:
        """Stop sending."""
        self._stopping.set()
        self._timetable.stop()

    def _departures(self) -> Iterator[Departure]:
        """Every camera's message of a frame, one after the other, frame after frame."""
        settings = self.settings
        walk = SimulationSettings(
            cameras=settings.cameras, fps=settings.fps, keypoint_set=settings.keypoint_set, seconds=WALK_S
        )
        session = simulate(seamless(walk))
        rows = [self._encoded(session, row) for row in range(len(session.stamps_ns))]
        publishers = list(self._rig.keypoints.values())
        self._rig.publish_rig(session.rig_nominal, time.time_ns())
        wait_for_subscribers(self, publishers, settings.wait_for_subscribers_s, self._stopping)
        for index in range(round(settings.seconds * settings.fps)):
            due_ns = round(index / settings.fps * SECOND_NS)
            for camera, message in enumerate(rows[index % len(rows)]):
                yield Departure(due_ns, publishers[camera], partial(self._stamped, message, first=camera == 0))

    def _encoded(self, session: SimulatedSession, row: int) -> list[bytearray]:
        """CDR bytes of one frame, by camera in their order."""
        frames = {frame.camera: frame for frame in session.frame(row)}
        messages = [
            keypoint_frame_to_message(TYPES, frames[name], session.keypoint_set.name, camera.frame_id)
            for name, camera in session.rig_nominal.cameras.items()
        ]
        return [bytearray(serialize_message(message)) for message in messages]

    def _stamped(self, message: bytearray, first: bool) -> bytes:
        if first:
            self._stamp_ns = time.time_ns()
        _STAMP.pack_into(message, _STAMP_OFFSET, self._stamp_ns // SECOND_NS, self._stamp_ns % SECOND_NS)
        return bytes(message)

    def _done(self, problem: str) -> None:
        if problem:
            self.get_logger().error(problem)
            self.exit_code = 1
        elif not self._stopping.is_set():
            self.get_logger().info(f"sent {self._timetable.sent} messages, {self._timetable.late} of them late")
            self._stopping.wait(0.5)
        self.finished = True


def main() -> None:
    run(LoadGenerator)


if __name__ == "__main__":
    main()
