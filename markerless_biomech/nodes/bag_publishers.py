"""Publishers for what is in a bag: classes by name, QoS by what a topic is to us."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

from rclpy.duration import Duration
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from ..recording.playing import REFIT
from ..recording.topic_roles import Role, is_latched, relative_name, role_of
from . import quality

MATCHES_EVERY_SUBSCRIBER = QoSProfile(
    depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
"""For a lab's own topics."""


class PatientPublisher:
    """A publisher that waits while its subscribers do not keep up: nothing is lost, messages are late."""

    def __init__(self, publisher: Any, stopping: threading.Event) -> None:
        self.publisher = publisher
        self._stopping = stopping

    def publish(self, message: Any) -> None:
        """Publish, again and again where the history is full: the middleware waits 0.1 s each time."""
        while not self._stopping.is_set():
            try:
                self.publisher.publish(message)
                return
            except rclpy_implementation.RCLError:
                continue

    def wait_until_received(self) -> None:
        """Return when every subscriber's middleware has everything."""
        while not self._stopping.is_set() and not self.publisher.wait_for_all_acked(Duration(seconds=0.1)):
            continue


def make_publisher(node: Node, kind: str, topic: str, name: str, mode: str, stopping: threading.Event) -> Any | None:
    """A publisher of the bag's `topic` under `name`; None, with a warning, where its type is not installed."""
    package, _, short = kind.split("/")
    try:
        message = getattr(import_module(f"{package}.msg"), short)
    except (ImportError, AttributeError):
        node.get_logger().warning(f"{topic} is not played: messages of type {kind} are not installed here")
        return None
    publisher = node.create_publisher(message, name, offered(topic, kind, mode))
    return PatientPublisher(publisher, stopping) if mode == REFIT else publisher


def offered(topic: str, kind: str, mode: str) -> QoSProfile:
    """QoS of a topic of a bag."""
    name, role = relative_name(topic), role_of(topic, kind)
    if kind.endswith("/Keypoints2D"):
        return quality.EVERY_KEYPOINT if mode == REFIT else quality.KEYPOINTS_OFFERED
    if name == "tf_static":
        return quality.STATIC_TRANSFORMS
    if name == "tf":
        return quality.TRANSFORMS
    if role is Role.OTHER:
        return MATCHES_EVERY_SUBSCRIBER
    return quality.LATCHED if is_latched(topic) else quality.RESULTS
