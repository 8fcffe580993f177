"""What a topic is to us, and how it is offered, by its name and type: recorder, player and replay choose by this.

Light on purpose: a recorder starts with nothing but this and the bag's writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from .bag_types import MESSAGE_TYPES

TRIAL_TOPIC = "trial"
SYNC_TOPIC = "sync_pulse"
DEFINITION_NAMES = ("model", "subject", "keypoint_set", "rig", "settings")
OWN_DEFINITIONS = frozenset(f"definitions/{name}" for name in DEFINITION_NAMES)
"""What the estimator says of itself."""
RESULTS = frozenset(
    ("joint_states", "body_state", "body_state_settled", "body_state_refit", "fit_report", "fitted_cameras")
    + ("step_events", "gait_parameters")
)
INPUTS = frozenset(("keypoints", "camera_info", "tf_static"))
RECORDED = "recorded/"
"""Before the names of recorded results, where they are played beside new ones."""
OF_ROS = frozenset(("rosout", "parameter_events", "clock", "transition_event"))
"""Of a running ROS system, never of a capture."""


LATCHED = ("tf_static", "camera_info", "robot_description", TRIAL_TOPIC, "truth/fitted_cameras")


class Role(Enum):
    """Whose a topic is."""

    INPUT = "input"
    """Keypoints, CameraInfo, /tf_static."""
    MARK = "mark"
    """trial and sync_pulse: what people and devices say about the capture."""
    DEFINITION = "definition"
    """Latched texts without which numbers have no names."""
    RESULT = "result"
    TRUTH = "truth"
    """Of a simulation."""
    TRANSFORMS = "transforms"
    """/tf: frames of ours, and of others."""
    OF_ROS = "of ROS"
    OTHER = "other"
    """A lab's own, and what was played as recorded."""


def relative_name(topic: str) -> str:
    """A topic's name without the rig's namespace: the last part, with truth/, definitions/ or recorded/ before it."""
    parts = topic.strip("/").split("/")
    keep = 1
    while keep < len(parts) and parts[-keep - 1] in ("truth", "definitions"):
        keep += 1
    name = "/".join(parts[-keep:])
    return RECORDED + name if RECORDED.strip("/") in parts[:-keep] else name


def role_of(topic: str, kind: str) -> Role:
    """The role of a topic of type `kind`, such as 'std_msgs/msg/String'."""
    name = relative_name(topic)
    last = name.rsplit("/", 1)[-1]
    if last in OF_ROS:
        return Role.OF_ROS
    if name.startswith(RECORDED):
        return Role.OTHER
    if name.startswith("definitions/") or name.startswith("truth/definitions/"):
        return _if_type(kind, "std_msgs/msg/String", Role.TRUTH if name.startswith("truth/") else Role.DEFINITION)
    expected = MESSAGE_TYPES.get(last, "")
    if name.startswith("truth/"):
        return _if_type(kind, expected, Role.TRUTH)
    return _if_type(kind, expected, _ROLES.get(last, Role.OTHER))


def is_mark(topic: str, kind: str, name: str) -> bool:
    """Whether a topic of type `kind` is the mark of a name, TRIAL_TOPIC or SYNC_TOPIC."""
    return relative_name(topic) == name and role_of(topic, kind) is Role.MARK


def is_latched(topic: str) -> bool:
    """Whether a topic of ours is offered transient local: who joins late still gets what was said last."""
    name = relative_name(topic)
    return name in LATCHED or "definitions/" in name


def offered_qos(topic: str) -> list[Any]:
    """QoS profile with which our nodes offer `topic`: players offer it the same way."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    latched = is_latched(topic)
    keypoints = topic.endswith("/keypoints")
    forever = QosTime(9223372036, 854775807)
    return [
        Qos(
            history=QosHistory.KEEP_LAST,
            depth=100 if topic.endswith("/tf_static") else 1 if latched else 5 if keypoints else 10,
            reliability=QosReliability.BEST_EFFORT if keypoints else QosReliability.RELIABLE,
            durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
            deadline=forever,
            lifespan=forever,
            liveliness=QosLiveliness.AUTOMATIC,
            liveliness_lease_duration=forever,
            avoid_ros_namespace_conventions=False,
        )
    ]


def _if_type(kind: str, expected: str, role: Role) -> Role:
    """A topic that has our name but another type is another's."""
    return role if kind == expected else Role.OTHER


_ROLES: Mapping[str, Role] = {
    **dict.fromkeys(INPUTS, Role.INPUT),
    **dict.fromkeys(RESULTS, Role.RESULT),
    TRIAL_TOPIC: Role.MARK,
    SYNC_TOPIC: Role.MARK,
    "robot_description": Role.DEFINITION,
    "tf": Role.TRANSFORMS,
}

CAPTURE = frozenset((Role.INPUT, Role.MARK, Role.DEFINITION, Role.RESULT, Role.TRUTH, Role.TRANSFORMS))
"""What a refit years later needs, and what was found live."""


SHARED = ("/tf", "/tf_static", f"/{TRIAL_TOPIC}", f"/{SYNC_TOPIC}")
"""Topics of a capture that several rigs have in common."""


def is_recorded(topic: str, kind: str, everything: bool, namespace: str = "/") -> bool:
    """Whether a recorder takes a topic: those of a capture, or everything but what every ROS system says of itself.

    Of a capture, what is in the recorder's namespace and what rigs share: another rig has its own bag.
    """
    role = role_of(topic, kind)
    if role in CAPTURE:
        return topic in SHARED or topic.startswith(f"{namespace.rstrip('/')}/")
    return everything and role is Role.OTHER
