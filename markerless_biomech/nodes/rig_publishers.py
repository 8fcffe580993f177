"""The topics of a virtual rig: each camera's keypoints and CameraInfo, and the cameras' poses on /tf_static."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rclpy.node import Node

from ..cameras.rig import Rig
from ..recording.messages import camera_to_message, transforms_to_message
from . import quality
from .ros_types import TYPES


class RigPublishers:
    """Publishers of a node that plays the cameras."""

    def __init__(self, node: Node, cameras: Iterable[str]) -> None:
        names = tuple(cameras)
        self.keypoints = {
            name: node.create_publisher(TYPES.Keypoints2D, f"{name}/keypoints", quality.KEYPOINTS_OFFERED)
            for name in names
        }
        """By camera."""
        self._infos = {
            name: node.create_publisher(TYPES.CameraInfo, f"{name}/camera_info", quality.LATCHED) for name in names
        }
        self._static_transforms = node.create_publisher(TYPES.TFMessage, "/tf_static", quality.STATIC_TRANSFORMS)

    def publish_rig(self, rig: Rig, stamp_ns: int) -> None:
        """Latch the calibration of the cameras."""
        for name, publisher in self._infos.items():
            publisher.publish(camera_to_message(TYPES, rig.cameras[name], stamp_ns))
        cameras = list(rig.cameras.values())
        self._static_transforms.publish(
            transforms_to_message(
                TYPES,
                stamp_ns,
                [rig.world_frame] * len(cameras),
                [camera.frame_id for camera in cameras],
                np.array([camera.position_m for camera in cameras]),
                np.array([camera.orientation_xyzw for camera in cameras]),
            )
        )
