"""Sending messages at their times, from a thread of its own so that the executor keeps answering."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node

LATE_S = 0.1
"""A departure that is later than this is worth a word."""
DISCOVERY_S = 1.0
"""How long subscribers may need to find each publisher after the first has."""
NOT_YET_NAMED = "_NODE_NAME_UNKNOWN_"
"""What ROS 2 calls a node that it has not discovered yet."""
RECORDERS = ("recorder", "rosbag2_recorder")
"""Nodes for which nobody waits."""


@dataclass(frozen=True)
class Departure:
    """One message and when it leaves."""

    due_ns: int
    """After the first departure."""
    publisher: Any
    """None: nothing leaves; time goes on."""
    message: Any
    """A message, its CDR bytes, or a function that makes either when it is time."""


class Timetable:
    """Publishes departures, which come in the order of their times."""

    def __init__(self, departures: Iterable[Departure], done: Callable[[str], None]) -> None:
        """`departures` may be a generator: it runs in the thread, and may wait. `done` gets '' or a problem."""
        self._departures = departures
        self._done = done
        self._stopping = threading.Event()
        self.sent = 0
        self.late = 0
        self._thread = threading.Thread(target=self._run, name="timetable", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End at once."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        problem = ""
        try:
            start_ns = 0
            for departure in self._departures:
                start_ns = start_ns or time.monotonic_ns() - departure.due_ns
                self._wait_until(start_ns + departure.due_ns)
                if self._stopping.is_set():
                    break
                if departure.publisher is None:
                    continue
                message = departure.message() if callable(departure.message) else departure.message
                departure.publisher.publish(message)
                self.sent += 1
                self.late += time.monotonic_ns() - start_ns - departure.due_ns > LATE_S * 1e9
        except Exception as error:  # the node must end, with these words
            problem = str(error) or type(error).__name__
        self._done(problem)

    def _wait_until(self, due_ns: int) -> None:
        wait_s = (due_ns - time.monotonic_ns()) * 1e-9
        if wait_s > 0.05:
            self._stopping.wait(wait_s)
        elif wait_s > 0:
            time.sleep(wait_s)


def wait_for_subscribers(node: Node, publishers: Iterable[Any], limit_s: float, stop: threading.Event) -> None:
    """Return when every publisher has a subscriber, or after `limit_s`; says once a second what is awaited."""
    deadline, said = time.monotonic() + limit_s, 0.0
    topics = [publisher.topic_name for publisher in publishers]
    while not stop.is_set() and time.monotonic() < deadline:
        alone = [topic for topic in topics if not _is_heard(node, topic)]
        if not alone:
            # Others, such as a recorder, may still be on their way of being discovered.
            stop.wait(DISCOVERY_S)
            return
        if time.monotonic() - said > 1.0:
            said = time.monotonic()
            node.get_logger().info(f"waiting for a subscriber of {', '.join(alone)}")
        stop.wait(0.05)


def _is_heard(node: Node, topic: str) -> bool:
    """Whether anybody but a recorder, who is there from the beginning, subscribes.

    A subscription may be discovered before its node is; who has no name yet may still be a recorder.
    """
    names = {info.node_name for info in node.get_subscriptions_info_by_topic(topic)}
    return bool(names - {*RECORDERS, NOT_YET_NAMED})
