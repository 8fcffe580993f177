"""Records topics into a bag without decoding them, on machines where `ros2 bag record` may be missing.

Ends with its process, however that ends: what is older than a second is on its way to the disk. If the disk fills up,
recording stops with an error and nothing else does. docs/recording.md says what is recorded.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from ..keypoints import load_keypoint_set
from ..recording.bag_names import bag_path
from ..recording.bags import message_type
from ..recording.foreign_types import learn_type
from ..recording.live_bag import LiveBag, about_recording, given_definitions
from ..recording.topic_roles import is_latched, is_recorded
from . import quality
from .node_settings import RecorderSettings
from .parameters import declare_settings
from .running import run

LOOK_S = 0.2
"""How often new topics are looked for."""
DRAIN_S = 0.5
"""At most so long it goes on writing what has come before it was told to stop."""
FLUSH_S = 1.0
"""How often messages leave for the disk."""
COMPLAIN_S = 10.0
"""How often it is looked whether something is missing."""
DEPTH = 1000
"""Messages that may wait for the disk, a topic."""
NO_CLOCK = "no /clock came; start what publishes it, or unset use_sim_time"

REMEMBERED = 1000
"""Messages of a topic by which a second copy is known."""

Wish = tuple[bool, bool]
"""A subscription as asked for: latched, reliable."""


class Copies:
    """Tells the copy that a topic's other subscription hears: the same bytes, sent at the same moment."""

    def __init__(self) -> None:
        self._order: deque[tuple[int, bytes]] = deque()
        self._seen: set[tuple[int, bytes]] = set()

    def is_copy(self, sent_ns: int, data: bytes) -> bool:
        """Whether this has come before; never where the middleware does not say when it was sent (0)."""
        key = (sent_ns, blake2b(data, digest_size=16).digest())
        if key in self._seen:
            return True
        if sent_ns:
            self._order.append(key)
            self._seen.add(key)
        if len(self._order) > REMEMBERED:
            self._seen.remove(self._order.popleft())
        return False


class Recorder(Node):
    """Subscribes the topics it was given, or those of the capture that it finds, raw."""

    def __init__(self, **options: Any) -> None:
        super().__init__("recorder", **options)
        self.settings = declare_settings(self, RecorderSettings)
        self._bag = _open_bag(self.settings)
        self._subscriptions_by_topic: dict[str, dict[Wish, Any]] = {}
        self._kinds: dict[str, str] = {}
        """By topic, the type that it had first."""
        self._copies: dict[str, Copies] = {}
        """Of topics that had several subscriptions once."""
        self._leaving: list[Any] = []
        """Subscriptions in whose place others have come."""
        self._refused: set[str] = set()
        """Topics that cannot be recorded."""
        self._retyped: set[str] = set()
        """Topics of which another type has been named."""
        for topic in self.settings.topics:
            self._subscribe(topic, message_type(topic), {(is_latched(topic), True)})
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        if not self.settings.topics:
            self.create_timer(LOOK_S, self._look, clock=steady)
        self.create_timer(FLUSH_S, self._flush, clock=steady)
        self._complaint = self.create_timer(COMPLAIN_S, self._complain, clock=steady)
        self.get_logger().info(f"recording into {self._bag.path}")

    def drain(self, spin: Callable[[], None]) -> None:
        """Write what has come before the end was asked for: it waits in the subscriptions, and would go with them."""
        end_s, idle = time.monotonic() + DRAIN_S, 0
        while idle < 3 and time.monotonic() < end_s:
            before = self._bag.came
            spin()
            idle = idle + 1 if self._bag.came == before else 0

    def close(self) -> None:
        """Complete the bag."""
        if not self._bag.is_open:
            return
        try:
            self._bag.close()
        except OSError as error:
            self._give_up(error)
            return
        if self._bag.unclocked:
            self.get_logger().warning(f"{NO_CLOCK}; {self._bag.unclocked} messages are recorded at this machine's time")
        if self._bag.count:
            self._say_missing()
            self.get_logger().info(f"recorded {self._bag.count} messages into {self._bag.path}")
        else:
            self.get_logger().warning("no message came, so there is no bag")

    def _look(self) -> None:
        """Subscribe what is new, as it is offered; again where others offer it otherwise."""
        self._let_go()
        for topic, kinds in self.get_topic_names_and_types():
            kind = self._kinds.get(topic, kinds[0])
            self._name_other_type(topic, kind, kinds)
            offers = [one.qos_profile for one in self.get_publishers_info_by_topic(topic) if one.topic_type == kind]
            if offers and is_recorded(topic, kind, self.settings.everything, self.get_namespace()):
                self._subscribe(topic, kind, wishes(offers))

    def _name_other_type(self, topic: str, kind: str, kinds: Iterable[str]) -> None:
        """Once: a bag has one type for a topic."""
        others = sorted(set(kinds) - {kind})
        if others and topic in self._kinds and topic not in self._retyped:
            self._retyped.add(topic)
            self.get_logger().warning(
                f"{topic} has messages of type {others[0]} too, which are not recorded: it began with {kind}; "
                "give them another name, or start another recording"
            )

    def _let_go(self) -> None:
        """End subscriptions that were replaced at the last look; what waits in them is written first."""
        for subscription in self._leaving:
            with subscription.handle:
                while (taken := subscription.handle.take_message(subscription.msg_type, True)) is not None:
                    subscription.callback(*taken)
            self.destroy_subscription(subscription)
        self._leaving.clear()

    def _subscribe(self, topic: str, kind: str, wanted: set[Wish]) -> None:
        held = self._subscriptions_by_topic.setdefault(topic, {})
        if wanted == set(held) or topic in self._refused:
            return
        self._kinds.setdefault(topic, kind)
        message = _message_class(kind)
        if message is None:
            self._refused.add(topic)
            self.get_logger().warning(f"{topic} is not recorded: messages of type {kind} are not installed here")
            return
        if len(wanted | set(held)) > 1:
            self._copies.setdefault(topic, Copies())
        replaced = set(held) - wanted
        try:
            for wish in wanted - set(held):
                held[wish] = self._subscription(message, topic, kind, wish)
        except rclpy_implementation.RCLError as error:
            self._refused.add(topic)
            self.get_logger().warning(f"{topic} cannot be subscribed as it is offered now: {error}")
            return
        self._leaving += [held.pop(wish) for wish in replaced]

    def _subscription(self, message: Any, topic: str, kind: str, wish: Wish) -> Any:
        """Raw, with the moment at which each message was sent."""
        write: Any = partial(self._write, topic, kind)  # rclpy's types know callbacks of one argument only
        return self.create_subscription(
            message,
            topic,
            write,
            _profile(*wish),
            raw=True,
            event_callbacks=quality.NO_EVENTS,
        )

    def _write(self, topic: str, kind: str, data: bytes, about: Mapping[str, int]) -> None:
        copies = self._copies.get(topic)
        if copies is not None and copies.is_copy(about["source_timestamp"], data):
            return
        try:
            self._bag.write(topic, kind, data, self.get_clock().now().nanoseconds)
        except OSError as error:
            self._give_up(error)

    def _flush(self) -> None:
        try:
            self._bag.flush()
        except OSError as error:
            self._give_up(error)

    def _complain(self) -> None:
        """Once, when keypoints have come: what a refit will miss if it goes on so; until /clock comes, that."""
        if self._bag.waiting:
            self.get_logger().warning(f"{NO_CLOCK}; {self._bag.waiting} messages wait for it")
        if any(topic.endswith("/keypoints") for topic in self._bag.topics):
            self._complaint.cancel()
            self._say_missing()

    def _say_missing(self) -> None:
        missing = self._bag.missing()
        if missing and not self.settings.topics:
            self.get_logger().warning(f"not recorded, but needed for a refit: {', '.join(missing)}")

    def _give_up(self, error: OSError) -> None:
        """The disk is full, or gone: what was written stays."""
        self.get_logger().error(f"recording has stopped: {error.strerror or error}")
        self._bag.abort()


def wishes(offers: Iterable[QoSProfile]) -> set[Wish]:
    """How to subscribe a topic so that every publisher is heard, with what it has latched, and nothing is lost."""
    offers = list(offers)
    latched = {offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers}
    reliable = all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
    return {(durable, reliable) for durable in latched}


def _message_class(kind: str) -> Any | None:
    """Of a type, if its class and its definition are installed."""
    package, _, name = kind.rpartition("/msg/")
    try:
        message = getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError):
        return None
    return message if learn_type(kind) else None


def _open_bag(settings: RecorderSettings) -> LiveBag:
    now = datetime.now()
    path = Path(settings.bag) if settings.bag else bag_path(settings.folder, settings.subject, settings.trial, now)
    about = about_recording(settings.subject, settings.trial, now)
    own_set = load_keypoint_set(settings.keypoint_set) if settings.keypoint_set else None
    return LiveBag(path, about, given_definitions(settings.subject_file, settings.rig_file), own_set)


def _profile(latched: bool, reliable: bool) -> QoSProfile:
    return QoSProfile(
        depth=DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def main() -> None:
    run(Recorder)


if __name__ == "__main__":
    main()
