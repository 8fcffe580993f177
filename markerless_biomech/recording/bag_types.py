"""Message types of bags: our definitions are those of the msg/ files that are installed beside us."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import markerless_biomech

from ..errors import InputError
from .message_types import Types, bag_types

PACKAGE = "markerless_biomech"

MESSAGE_TYPES = {
    "keypoints": f"{PACKAGE}/msg/Keypoints2D",
    "camera_info": "sensor_msgs/msg/CameraInfo",
    "tf": "tf2_msgs/msg/TFMessage",
    "tf_static": "tf2_msgs/msg/TFMessage",
    "joint_states": "sensor_msgs/msg/JointState",
    "body_state": f"{PACKAGE}/msg/BodyState",
    "body_state_settled": f"{PACKAGE}/msg/BodyState",
    "body_state_refit": f"{PACKAGE}/msg/BodyState",
    "fitted_cameras": f"{PACKAGE}/msg/FittedCameras",
    "step_events": f"{PACKAGE}/msg/StepEvent",
    "gait_parameters": f"{PACKAGE}/msg/GaitParameters",
    "fit_report": f"{PACKAGE}/msg/FitReport",
    "robot_description": "std_msgs/msg/String",
    "trial": "std_msgs/msg/String",
    "sync_pulse": "std_msgs/msg/Header",
}
"""Type by the last part of a topic's name; definitions/* are strings."""


def message_directory() -> Path:
    """Where our .msg files are: beside the package in a source tree, under share/ in an install (pip or colcon)."""
    packages = [Path(path) for path in markerless_biomech.__path__]
    prefixes = [package.parents[3] for package in packages if len(package.parents) > 3] + [Path(sys.prefix)]
    prefixes += [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    candidates = [package.parent / "msg" for package in packages]
    candidates += [prefix / "share" / PACKAGE / "msg" for prefix in prefixes]
    for folder in candidates:
        if (folder / "Keypoints2D.msg").is_file():
            return folder
    raise InputError(f"the message definitions of {PACKAGE} are not installed (share/{PACKAGE}/msg); install it again")


@cache
def typestore() -> Any:
    """rosbags' types of ROS 2 Jazzy (with tf2_msgs) and ours."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    for path in sorted(message_directory().glob("*.msg")):
        store.register(get_types_from_msg(path.read_text(), f"{PACKAGE}/msg/{path.stem}"))
    return store


@cache
def types() -> Types:
    """Message classes for bags."""
    return bag_types(typestore().types)


def message_type(topic: str) -> str:
    """Full type name of one of our topics."""
    if "/definitions/" in f"/{topic}":
        return "std_msgs/msg/String"
    return MESSAGE_TYPES[topic.rsplit("/", 1)[-1]]
