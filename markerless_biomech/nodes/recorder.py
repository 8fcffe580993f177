"""Records topics into a bag without decoding them, on machines where `ros2 bag record` may be missing.

Used by `demo`. Ends with its process, however that ends: what is older than a second is on its way to the disk. If the
disk fills up, recording stops with an error and nothing else does.
"""

from __future__ import annotations

import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from ..errors import InputError
from ..recording.bags import LATCHED_TOPICS, BagWriter, message_type
from . import quality
from .node_settings import RecorderSettings
from .parameters import declare_settings
from .running import run

LOOK_S = 0.2
"""How often new topics are looked for."""
FLUSH_S = 1.0
"""How often messages leave for the disk."""
DEPTH = 1000
"""Messages that may wait for the disk, a topic."""


class Recorder(Node):
    """Subscribes the topics it was given, or every topic it finds, raw."""

    def __init__(self, **options: Any) -> None:
        super().__init__("recorder", **options)
        settings = declare_settings(self, RecorderSettings)
        if not settings.bag:
            raise InputError("parameter bag is empty; give the folder of the bag to write")
        self._writer: BagWriter | None = BagWriter(Path(settings.bag), live=True)
        self._subscriptions_by_topic: dict[str, Any] = {}
        self.recorded = 0
        for topic in settings.topics:
            latched = topic.endswith(LATCHED_TOPICS) or "definitions/" in topic
            self._subscribe(topic, message_type(topic), latched, reliable=True)
        if not settings.topics:
            self.create_timer(LOOK_S, self._look)
        self.create_timer(FLUSH_S, self._flush)

    def close(self) -> None:
        """Complete the bag."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()

    def _look(self) -> None:
        """Subscribe what is new as it is offered."""
        for topic, kinds in self.get_topic_names_and_types():
            offers = [offer.qos_profile for offer in self.get_publishers_info_by_topic(topic)]
            if topic not in self._subscriptions_by_topic and offers and not _is_of_ros(topic):
                latched = any(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
                reliable = all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
                self._subscribe(topic, kinds[0], latched, reliable)

    def _subscribe(self, topic: str, kind: str, latched: bool, reliable: bool) -> None:
        package, _, name = kind.split("/")
        profile = QoSProfile(
            depth=DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        self._subscriptions_by_topic[topic] = self.create_subscription(
            getattr(import_module(f"{package}.msg"), name),
            topic,
            partial(self._write, topic, kind),
            profile,
            raw=True,
            event_callbacks=quality.NO_EVENTS,
        )

    def _write(self, topic: str, kind: str, data: bytes) -> None:
        if self._writer is None:
            return
        try:
            self._writer.write_raw(topic, kind, data, time.time_ns())
            self.recorded += 1
        except OSError as error:
            self._give_up(error)

    def _flush(self) -> None:
        if self._writer is None:
            return
        try:
            self._writer.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """The disk is full, or gone: what was written stays."""
        self.get_logger().error(f"recording has stopped: {error.strerror}")
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.abort()


def _is_of_ros(topic: str) -> bool:
    return topic in ("/rosout", "/parameter_events") or topic.endswith("/transition_event")


def main() -> None:
    run(Recorder)


if __name__ == "__main__":
    main()
