"""Publishers that cannot be heard although their topic's name is right: another type, or QoS that does not fit ours.

ROS 2 delivers nothing then and says so in terms of policies. Here it is said of whom, and what to change. The graph is
asked again and again, so that the words go away when it has been mended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy


@dataclass(frozen=True)
class Wanted:
    """A topic that we subscribe."""

    topic: str
    kind: str
    """Its type, such as 'tf2_msgs/msg/TFMessage'."""
    profile: QoSProfile


def unheard(node: Node, wanted: Iterable[Wanted]) -> dict[str, str]:
    """One sentence for each topic that has a publisher whom we cannot hear."""
    found = {}
    for one in wanted:
        topic = node.resolve_topic_name(one.topic)
        reasons = [reason for info in node.get_publishers_info_by_topic(topic) if (reason := _reason(info, one))]
        if reasons:
            found[topic] = f"{topic}: {reasons[0]}"
    return found


def _reason(info: Any, wanted: Wanted) -> str:
    """Why this publisher cannot be heard; '': it can be."""
    who, offered = f"{info.node_namespace.rstrip('/')}/{info.node_name}", info.qos_profile
    if info.topic_type != wanted.kind:
        return f"{who} publishes {info.topic_type}, expected {wanted.kind}; remap it, or change the parameter cameras"
    asked = wanted.profile
    if asked.reliability == ReliabilityPolicy.RELIABLE and offered.reliability == ReliabilityPolicy.BEST_EFFORT:
        return f"{who} offers it best effort, but here none may be lost; publish it reliable"
    if asked.durability == DurabilityPolicy.TRANSIENT_LOCAL and offered.durability == DurabilityPolicy.VOLATILE:
        return f"{who} does not keep it for those who come late (volatile); publish it transient local (latched)"
    return ""
