"""Plays a bag as live topics, without decoding it; bags of ours and of `ros2 bag record`.

live: keypoints, CameraInfo and /tf_static (and a simulation's truth). Stamps are moved by one constant, so that the
recording's first message is stamped as if received when playing starts: latencies mean what they mean live, and the
motion keeps its speed whatever `rate` is. refit, show: stamps as recorded, and /clock (`recording/playing.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from ..errors import InputError
from ..recording.bags import PACKAGE, decode_errors, open_bag
from ..recording.message_types import stamp_to_message
from ..recording.playing import LIVE, REFIT, SHOW, TRANSFORMS, frames_of_ours, played_names, without_frames
from ..recording.topic_roles import RECORDED, Role, role_of
from ..settings import PlayerSettings
from . import quality
from .bag_publishers import PatientPublisher, make_publisher
from .header_stamp import shifted_stamp
from .parameters import declare_settings
from .ros_types import TYPES
from .running import run
from .timetable import Departure, Timetable, wait_for_subscribers

KEYPOINTS, REPORTS = (f"{PACKAGE}/msg/{name}" for name in ("Keypoints2D", "FitReport"))
SECOND_NS = 1_000_000_000
CLOCK_NS = SECOND_NS // 40
"""How often /clock is published, whatever the speed: as often as `ros2 bag play --clock`."""


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
        self._as_recorded = self.settings.mode != LIVE
        """Stamps stay what they are, and /clock says what time it is."""
        with open_bag(self.settings.bag) as bag:
            self._kinds = bag.topics
            self._ours = frames_of_ours(bag) if self.settings.mode == REFIT else frozenset()
        self._left_out: set[str] = set()
        """Topics with messages that could not be played, and are not."""
        self._publishers_by_topic: dict[str, dict[str, Any]] = {}
        """By topic of the bag, then by the name it is played under."""
        self._make_publishers(lambda role: role is not Role.DEFINITION)
        self._time_publisher = self.create_publisher(Clock, "/clock", quality.RESULTS) if self._as_recorded else None
        self._timetable = Timetable(self._departures(), self._done)
        self._timetable.start()

    def close(self) -> None:
        """Stop playing."""
        self._stopping.set()
        self._timetable.stop()

    # ---------------------------------------------------------------- publishers

    def _make_publishers(self, wanted: Callable[[Role], bool]) -> None:
        """Of topics of the wanted roles."""
        settings = self.settings
        names_by_topic = played_names(self._kinds, settings.mode, settings.recorded_results)
        if settings.mode != SHOW and not any(self._kinds[topic] == KEYPOINTS for topic in names_by_topic):
            raise InputError(f"{settings.bag}: holds no keypoints; expected topics named <camera>/keypoints")
        for topic, names in names_by_topic.items():
            if wanted(role_of(topic, self._kinds[topic])):
                self._publishers_by_topic[topic] = self._publishers_of(topic, names)

    def _publishers_of(self, topic: str, names: list[str]) -> dict[str, Any]:
        """By name. What an estimator defines itself, which is up by then, is left to it."""
        kind, mode = self._kinds[topic], self.settings.mode
        if mode == REFIT and role_of(topic, kind) is Role.DEFINITION:
            names = [name for name in names if not self.count_publishers(self.resolve_topic_name(name))]
        made = {name: make_publisher(self, kind, topic, name, mode, self._stopping) for name in names}
        return {name: publisher for name, publisher in made.items() if publisher is not None}

    def _wait_for_subscribers(self) -> None:
        """Of all keypoints; of a patient publisher its own."""
        keypoints = [found for topic, found in self._publishers_by_topic.items() if self._kinds[topic] == KEYPOINTS]
        heard = [next(iter(found.values())) for found in keypoints if found]
        plain = [one.publisher if isinstance(one, PatientPublisher) else one for one in heard]
        wait_for_subscribers(self, plain, self.settings.wait_for_subscribers_s, self._stopping)

    # ---------------------------------------------------------------- messages

    def _departures(self) -> Iterator[Departure]:
        """The bag's messages at their times, again and again when looping."""
        settings = self.settings
        self._stopping.wait(settings.start_delay_s)
        shown = self._show_cameras()
        if settings.mode != SHOW:
            self._wait_for_subscribers()
        self._make_publishers(lambda role: role is Role.DEFINITION)
        self.get_logger().info(f"playing {settings.bag}")
        begin_ns, start_ns = 0, self.get_clock().now().nanoseconds
        while not self._stopping.is_set():
            since_ns = None
            for topic, before_ns, since_ns, first_ns, data in self._messages():
                yield from self._ticks(begin_ns, before_ns, since_ns, first_ns)
                due_ns = round((begin_ns + since_ns) / settings.rate)
                yield Departure(due_ns, None, None)  # time goes on where nothing leaves, and the end is noticed
                if topic in shown:
                    shown.remove(topic)
                    continue
                for publisher, message in self._copies(topic, data, start_ns + begin_ns - first_ns):
                    yield Departure(due_ns, publisher, message)
            if since_ns is None or not settings.loop:
                return
            begin_ns += since_ns + SECOND_NS // 60

    def _ticks(self, begin_ns: int, before_ns: int, since_ns: int, first_ns: int) -> Iterator[Departure]:
        """/clock from one message to the next, whose times are since the first."""
        if self._time_publisher is None:
            return
        step_ns = round(CLOCK_NS * self.settings.rate)
        for tick in range(before_ns // step_ns + (before_ns > 0), since_ns // step_ns + 1):
            due_ns = round((begin_ns + tick * step_ns) / self.settings.rate)
            yield Departure(due_ns, self._time_publisher, clock_message(first_ns + tick * step_ns))

    def _show_cameras(self) -> set[str]:
        """Publish each camera's first CameraInfo and the first /tf_static before anything else, as drivers do.

        Returns their topics: of each, the first message is not played again.
        """
        shown: set[str] = set()
        cameras = {topic for topic in self._publishers_by_topic if topic.endswith(("/camera_info", "/tf_static"))}
        for topic, _, since_ns, first_ns, data in self._messages():
            if topic in cameras and topic not in shown:
                shown.add(topic)
                for publisher, message in self._copies(topic, data, self.get_clock().now().nanoseconds - first_ns):
                    publisher.publish(message)
            if self._time_publisher is not None and not since_ns:
                self._time_publisher.publish(clock_message(first_ns))
            if len(shown) == len(cameras):
                break
        return shown

    def _messages(self) -> Iterator[tuple[str, int, int, int, bytes]]:
        """(topic, times of the message before and of this since the first, the first's time, CDR bytes)."""
        first_ns = before_ns = None
        with open_bag(self.settings.bag) as bag:
            for connection, time_ns, data in bag.raw_messages(self._publishers_by_topic):
                first_ns = time_ns if first_ns is None else first_ns
                yield connection.topic, (before_ns or first_ns) - first_ns, time_ns - first_ns, first_ns, bytes(data)
                before_ns = time_ns

    def _copies(self, topic: str, data: bytes, shift_ns: int) -> Iterator[tuple[Any, bytes]]:
        """Publishers of a message, each with the bytes that it gets."""
        for name, publisher in self._publishers_by_topic[topic].items():
            try:
                played = data if name.startswith(RECORDED) else self._as_played(topic, data, shift_ns)
            except (InputError, *decode_errors()) as error:
                played = None
                self._say_left_out(topic, error)
            if played is not None:
                yield publisher, played

    def _say_left_out(self, topic: str, error: Exception) -> None:
        """Once a topic."""
        if topic not in self._left_out:
            self._left_out.add(topic)
            self.get_logger().warning(f"messages of {topic} are left out: {error}")

    def _as_played(self, topic: str, data: bytes, shift_ns: int) -> bytes | None:
        """With its stamp moved, or without the estimator's frames; None where nothing is left."""
        if self._ours and self._kinds[topic] == TRANSFORMS:
            return without_frames(data, self._ours)
        return data if self._as_recorded or topic.endswith("/tf_static") else shifted_stamp(data, shift_ns)

    # ---------------------------------------------------------------- the end

    def _done(self, problem: str) -> None:
        if problem:
            self.get_logger().error(problem)
            self.exit_code = 1
        elif not self._stopping.is_set():
            self.get_logger().info(f"played {self._timetable.sent} messages, {self._timetable.late} of them late")
            # Let the middleware deliver the last ones before the process ends.
            self._stopping.wait(0.5)
            if self.settings.mode == REFIT:
                self._wait_for_results()
        self.finished = True

    def _wait_for_results(self) -> None:
        """Return when everything is delivered and no estimator has reported anything for `settle_s`."""
        found = [publisher for names in self._publishers_by_topic.values() for publisher in names.values()]
        for publisher in found:
            publisher.wait_until_received()
        offered = {topic: kinds for topic, kinds in self.get_topic_names_and_types() if RECORDED not in topic}
        heard = [time.monotonic()]
        for topic in (topic for topic, kinds in offered.items() if kinds == [REPORTS]):
            self.create_subscription(TYPES.FitReport, topic, lambda _: heard.append(time.monotonic()), quality.RESULTS)
        while not self._stopping.is_set() and time.monotonic() - heard[-1] < self.settings.settle_s:
            self._stopping.wait(0.1)


def clock_message(now_ns: int) -> Clock:
    """/clock at a time."""
    return Clock(clock=stamp_to_message(TYPES, now_ns))


def main() -> None:
    run(KeypointPlayer)


if __name__ == "__main__":
    main()
