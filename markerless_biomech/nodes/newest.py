"""Subscriptions that are read when their reader wants to, such as 15 times a second, and cost nothing in between.

A callback for each of eight cameras' keypoints at 60 Hz would take a tenth of a core, for messages of which most are
never looked at. Here the middleware keeps the newest (queue of one) and nothing is decoded before it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from . import quality


class Unattended(CallbackGroup):
    """The executor never looks at the subscriptions of this group."""

    def can_execute(self, entity: Any) -> bool:
        """Never."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Never."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Does not happen."""


class Newest:
    """One topic's messages, taken when asked."""

    def __init__(
        self, node: Node, kind: Any, topic: str, profile: QoSProfile = quality.NEWEST, raw: bool = False
    ) -> None:
        """`raw`: CDR bytes, not decoded."""
        self._node, self._raw = node, raw
        self._subscription: Any = node.create_subscription(
            kind,
            topic,
            lambda _: None,
            profile,
            callback_group=Unattended(),
            raw=raw,
            event_callbacks=quality.NO_EVENTS,
        )

    def take_all(self) -> Iterator[Any]:
        """Messages that have come since the last call, oldest first, as many as the queue keeps."""
        while (message := self._take()) is not None:
            yield message

    def take(self) -> Any | None:
        """The newest of them; None: nothing new."""
        message = None
        for message in self.take_all():  # noqa: B007  # the last one is wanted
            pass
        return message

    def close(self) -> None:
        """Stop listening."""
        self._node.destroy_subscription(self._subscription)

    def _take(self) -> Any | None:
        with self._subscription.handle:
            taken = self._subscription.handle.take_message(self._subscription.msg_type, self._raw)
        return None if taken is None else taken[0]
