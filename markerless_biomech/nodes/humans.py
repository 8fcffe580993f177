"""The tracked person for tools that follow REP-155 (ROS4HRI), as one of its bodies.

/humans/bodies/<id>/joint_states  the 20 joints of REP-155's human, projected from ours (body/rep155.py)
/humans/bodies/<id>/urdf          that human in this person's lengths, latched, as ROS 2's ROS4HRI tools publish it; the
                                  same text is the parameter human_description_<id> of this node
/tf                               body_<id> in the estimator's world; a robot_state_publisher adds the links, given the
                                  two topics above
/humans/bodies/tracked            hri_msgs/IdsList, only where the package hri_msgs is installed

An id is good for one track: after LOST the person has another, unless the parameter body_id fixes it. Not there: roi,
cropped and skeleton2d, which are of one camera's image, and everything of faces, voices and persons. These names are
global: run it for one rig.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from ..body.rep155 import HRI_JOINTS, HriBody
from ..errors import InputError
from ..recording.definitions import subject_from_text
from ..recording.message_types import header_to_message, string_to_message
from ..recording.messages import transforms_to_message
from ..recording.result_messages import body_from_message
from ..results import BodyEstimate, Tracking
from ..rotations import xyzw_from_matrix
from . import quality
from .newest import Newest
from .node_settings import HumansSettings
from .parameters import declare_settings
from .ros_types import TYPES
from .running import run

BODIES = "/humans/bodies"
SILENT_S = 1.0
"""Without a body_state for this long nobody is tracked any more."""
REFUSED_S = 1.0
"""Of messages that are not understood one is told of in this time."""
SECOND_NS = 1_000_000_000


class Humans(Node):
    """One person at a time."""

    def __init__(self, **options: Any) -> None:
        super().__init__("humans", **options)
        self._settings = declare_settings(self, HumansSettings)
        if self._settings.body_id and not re.fullmatch(r"[A-Za-z]\w*", self._settings.body_id, re.ASCII):
            raise InputError(
                f"parameter body_id is '{self._settings.body_id}'; expected a letter, then letters, digits and "
                "underscores, because it becomes part of topic names"
            )
        self._bodies = Newest(self, TYPES.BodyState, "body_state")
        self._subjects = Newest(self, TYPES.String, "definitions/subject", quality.LATCHED)
        self._transforms = self.create_publisher(TYPES.TFMessage, "/tf", quality.TRANSFORMS)
        self._tracked = self._make_tracked()
        self._model: HriBody | None = None
        self._human: Human | None = None
        self._heard_ns = 0
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0 / self._settings.rate_hz, self._look, clock=self._steady)

    def _make_tracked(self) -> Any:
        """Publisher of the list of bodies, where its type is there."""
        if importlib.util.find_spec("hri_msgs") is None:
            self.get_logger().info(f"hri_msgs is not installed: {BODIES}/tracked is not published")
            return None
        return self.create_publisher(
            importlib.import_module("hri_msgs.msg").IdsList, f"{BODIES}/tracked", quality.LATCHED
        )

    def _look(self) -> None:
        """Take in the newest subject and state, and tell of them; what is not understood is as good as silence."""
        self._take(self._subjects, self._take_subject)
        self._take(self._bodies, self._take_body)
        if self._steady.now().nanoseconds - self._heard_ns > SILENT_S * SECOND_NS:
            self._forget()

    def _take(self, newest: Newest, understand: Callable[[Any], None]) -> None:
        message = newest.take()
        try:
            if message is not None:
                understand(message)
        except InputError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=REFUSED_S)

    def _take_subject(self, message: Any) -> None:
        self._model = HriBody(subject_from_text(message.data, "definitions/subject"))
        self._forget()

    def _take_body(self, message: Any) -> None:
        body = body_from_message(message)
        self._heard_ns = self._steady.now().nanoseconds
        self._tell(body, message.header.frame_id)

    def _tell(self, body: BodyEstimate, world_frame: str) -> None:
        if body.tracking is Tracking.LOST or self._model is None:
            self._forget()
            return
        if self._human is None:
            identity = self._settings.body_id or new_identity()
            self._human = Human(self, identity, self._model.urdf(identity))
            self._list(body.stamp_ns)
        rotation, position_m = self._model.root(body.qpos)
        pose = np.array([position_m]), np.array([xyzw_from_matrix(rotation)])
        frames = [world_frame], [f"body_{self._human.identity}"]
        self._transforms.publish(transforms_to_message(TYPES, body.stamp_ns, *frames, *pose))
        self._human.publish(self._model.angles(body.qpos), body.stamp_ns)

    def _forget(self) -> None:
        """Nobody is tracked."""
        if self._human is not None:
            self._human.close()
            self._human = None
            self._list(self.get_clock().now().nanoseconds)

    def _list(self, stamp_ns: int) -> None:
        if self._tracked is not None:
            ids = [] if self._human is None else [self._human.identity]
            self._tracked.publish(self._tracked.msg_type(header=header_to_message(TYPES, stamp_ns, ""), ids=ids))


def new_identity() -> str:
    """Five characters, as REP-155 suggests; the first is a letter, which ROS 2 wants of a topic's name."""
    return f"b{uuid.uuid4().hex[:4]}"


class Human:
    """One body's topics, and its parameter."""

    def __init__(self, node: Node, identity: str, urdf: str) -> None:
        self.identity = identity
        self._node = node
        self._names = [f"{joint}_{identity}" for joint in HRI_JOINTS]
        self._joints = node.create_publisher(TYPES.JointState, f"{BODIES}/{identity}/joint_states", quality.RESULTS)
        self._urdf = node.create_publisher(TYPES.String, f"{BODIES}/{identity}/urdf", quality.LATCHED)
        self._urdf.publish(string_to_message(TYPES, urdf))
        self._parameter = f"human_description_{identity}"
        node.declare_parameter(self._parameter, urdf)

    def publish(self, angles_rad: np.ndarray, stamp_ns: int) -> None:
        """(20,) angles by HRI_JOINTS."""
        header, position = header_to_message(TYPES, stamp_ns, ""), TYPES.array(angles_rad, "float64")
        self._joints.publish(TYPES.JointState(header=header, name=self._names, position=position))

    def close(self) -> None:
        """Take the topics and the parameter away."""
        self._node.destroy_publisher(self._joints)
        self._node.destroy_publisher(self._urdf)
        self._node.undeclare_parameter(self._parameter)


def main() -> None:
    run(Humans)


if __name__ == "__main__":
    main()
