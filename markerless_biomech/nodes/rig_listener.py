"""Gathers the rig from CameraInfo and /tf_static, and says in words what is still missing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from rclpy.node import Node

from ..cameras.rig import Camera, Rig, camera_from_info
from ..cameras.static_transforms import StaticTransforms
from ..errors import InputError
from ..recording.messages import transforms_from_message
from . import quality
from .ros_types import TYPES

NOWHERE = (np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
"""A pose to check a CameraInfo with before its own is known."""


class RigListener:
    """Subscribes <camera>/camera_info, both volatile and latched, and /tf_static. Owned by the executor's thread."""

    def __init__(
        self,
        node: Node,
        cameras: tuple[str, ...],
        world_frame: str,
        refuse: Callable[[str], None],
        before: RigListener | None = None,
    ) -> None:
        """`before`: the listener of an earlier activation, whose cameras still stand."""
        self._node = node
        self._world_frame = world_frame
        self._refuse = refuse
        self._infos: dict[str, Any] = {} if before is None else before._infos
        self._transforms = StaticTransforms() if before is None else before._transforms
        self._refused: dict[str, str] = {}
        """Why a camera's newest CameraInfo was not taken."""
        self._changed = bool(self._infos)
        self._cameras = cameras
        self._subscriptions = [
            node.create_subscription(
                TYPES.CameraInfo,
                f"{name}/camera_info",
                partial(self._take_info, name),
                profile,
                event_callbacks=quality.NO_EVENTS,
            )
            for name in cameras
            for profile in (quality.KEYPOINTS, quality.LATCHED)
        ]
        self._subscriptions.append(
            node.create_subscription(TYPES.TFMessage, "/tf_static", self._take_transforms, quality.STATIC_TRANSFORMS)
        )

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def take_rig(self) -> Rig | None:
        """The cameras known so far if that changed since the last call, and at least one is known."""
        if not self._changed:
            return None
        self._changed = False
        cameras = {name: camera for name in self._cameras if (camera := self._camera(name)) is not None}
        return Rig(cameras, self._world_frame) if cameras else None

    def missing(self) -> list[str]:
        """One phrase for each thing that has not come."""
        phrases = []
        for name in self._cameras:
            info = self._infos.get(name)
            if info is None:
                phrases.append(self._refused.get(name, f"{name}/camera_info"))
            else:
                reason = self._transforms.reason(self._world_frame, info.header.frame_id)
                phrases += [f"the pose of camera {name} ({reason})"] if reason else []
        return phrases

    def _camera(self, name: str) -> Camera | None:
        """The camera, once both its info and its pose are there and can be used."""
        info = self._infos.get(name)
        pose = self._transforms.lookup(self._world_frame, info.header.frame_id) if info is not None else None
        if info is None or pose is None:
            return None
        try:
            return camera_from_info(name, info, pose, "camera_info and /tf_static")
        except InputError as error:
            self._refuse(str(error))
            return None

    def _take_info(self, name: str, message: Any) -> None:
        if _calibration(self._infos.get(name)) == _calibration(message):
            return
        try:
            camera_from_info(name, message, NOWHERE)
        except InputError as error:
            self._refused[name] = str(error)
            self._refuse(str(error))
            return
        self._refused.pop(name, None)
        self._infos[name] = message
        self._changed = True

    def _take_transforms(self, message: Any) -> None:
        for transform in transforms_from_message(message):
            problem = self._transforms.add(
                transform.parent, transform.child, transform.position_m, transform.orientation_xyzw
            )
            if problem:
                self._refuse(f"/tf_static: {problem}")
        self._changed = True


def _calibration(info: Any) -> tuple[Any, ...] | None:
    """What of a CameraInfo matters: its stamp changes with each message."""
    if info is None:
        return None
    lens = (info.distortion_model, tuple(info.d), tuple(info.k), tuple(info.r), tuple(info.p))
    return (info.header.frame_id, info.width, info.height, info.binning_x, info.binning_y, info.roi, *lens)
