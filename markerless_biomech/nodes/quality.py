"""QoS of every topic, in one place (README has the table)."""

from __future__ import annotations

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

KEYPOINTS = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
"""What we subscribe keypoints and CameraInfo with: it matches every publisher."""
KEYPOINTS_OFFERED = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
"""What the simulator and the player offer, so that a recorder may ask for every message."""
EVERY_KEYPOINT = QoSProfile(depth=1, history=HistoryPolicy.KEEP_ALL, reliability=ReliabilityPolicy.RELIABLE)
"""What replay_mode subscribes keypoints with: nothing may be lost."""
RESULTS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""Definitions, robot_description, CameraInfo of ours."""
STATIC_TRANSFORMS = QoSProfile(
    depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
TRANSFORMS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
"""As tf2 has it."""
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
"""For viewers: it matches every publisher, and none waits for a viewer's acknowledgement."""
EVERY_RESULT = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
"""For listeners that must not miss one while they are busy."""
NO_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)
"""For subscriptions that match every publisher. rclpy's executor visits each event handler at each wait: with two or
three for each of 25 subscriptions and 15 publishers that took more time than the messages did."""
NO_PUBLISHER_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
"""The subscriber is told by its own side when the profiles do not match."""
