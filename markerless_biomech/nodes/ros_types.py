"""The message classes of rclpy, for the conversions in `recording/messages.py`."""

from __future__ import annotations

import builtin_interfaces.msg
import diagnostic_msgs.msg
import geometry_msgs.msg
import sensor_msgs.msg
import std_msgs.msg
import tf2_msgs.msg  # pyright: ignore[reportMissingImports]  # built at installation where ROS 2 comes as wheels

import markerless_biomech.msg  # pyright: ignore[reportMissingImports]  # generated

from ..recording.message_types import rclpy_types

TYPES = rclpy_types(
    markerless_biomech.msg,
    std_msgs.msg,
    geometry_msgs.msg,
    sensor_msgs.msg,
    builtin_interfaces.msg,
    tf2_msgs.msg,
    diagnostic_msgs.msg,
)
