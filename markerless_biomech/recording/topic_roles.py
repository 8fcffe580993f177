"""What a topic is to us, by its name and type: recorder, player and replay choose by this.

Light on purpose: a recorder starts with nothing but this and the bag's writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

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
