"""What one rig's topics say of a capture just now, for those who show it. Whatever is missing is None or empty.

Everything is learnt from the topics of one namespace: the definitions name the cameras and the keypoint set, so that a
viewer needs no parameters, and a bag that is played looks like a live capture.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.serialization import deserialize_message

from ..cameras.calibrated_camera import Rig
from ..cameras.rig import camera_from_info, rig_from_text
from ..errors import InputError
from ..files import yaml_content
from ..gait.values import StepEvent
from ..keypoints import KeypointFrame, KeypointSet, keypoint_set_from_text
from ..recording.messages import keypoint_frame_from_message
from ..recording.result_messages import FittedCameras, body_from_message, cameras_from_message
from ..recording.step_messages import step_from_message
from ..results import BodyEstimate, Tracking
from ..scene.footprints import FOOT_BY_STATURE, LENGTH_M, Footprints, heading_rad
from ..scene.observed import Observed, observe
from . import quality
from .header_stamp import stamp_of
from .newest import Newest
from .ros_types import TYPES

TOGETHER_NS = 250_000_000
"""Frames of several cameras show about the same instant within this."""
KEPT_FRAMES = 60
"""Of each camera, undecoded: a second, so that those of the fitted instant are still there."""
SILENT_S = {"body": 1.0, "keypoints": 1.0, "cameras": 12.0}
"""What has said nothing for longer than this is no news any more; cameras are told of ten times a second to once in
ten."""


class CaptureView:
    """`look` takes in what has come; the fields hold what was understood last."""

    def __init__(self, node: Node, footprints: int, refuse: Callable[[str], None]) -> None:
        """`footprints`: how many stay; `refuse` is told in a sentence what could not be understood."""
        self.rig: Rig | None = None
        self.cameras: FittedCameras | None = None
        self.body: BodyEstimate | None = None
        self.world_frame = "world"
        self.footprints = Footprints(footprints)
        self.foot_length_m = LENGTH_M
        self.place_m = np.array([0.0, 0.0, 1.0])
        """(3,) of the pelvis when it was seen last."""
        # not for others
        self._node, self._refuse = node, refuse
        self._keypoint_set: KeypointSet | None = None
        self._rectified_known: set[str] = set()
        self._definitions = {
            name: Newest(node, TYPES.String, f"definitions/{name}", quality.LATCHED)
            for name in ("rig", "subject", "keypoint_set")
        }
        self._body = Newest(node, TYPES.BodyState, "body_state")
        self._cameras = Newest(node, TYPES.FittedCameras, "fitted_cameras")
        self._steps = Newest(node, TYPES.StepEvent, "step_events", quality.EVERY_RESULT)
        self._keypoints: dict[str, Newest] = {}
        self._infos: dict[str, tuple[Newest, Newest]] = {}
        self._raw_frames: dict[str, deque[tuple[int, bytes]]] = {}
        self._heard_s = dict.fromkeys(SILENT_S, -math.inf)

    def silent(self, name: str) -> bool:
        """Whether nothing has been heard of 'body', 'keypoints' or 'cameras' lately."""
        return time.monotonic() - self._heard_s[name] > SILENT_S[name]

    def look(self) -> set[str]:
        """Take in what has come; the names of the fields that are new."""
        new = {name for name, newest in self._definitions.items() if self._take(newest, getattr(self, f"_take_{name}"))}
        new |= {"body"} if self._take(self._body, self._take_body) else set()
        new |= {"cameras"} if self._take(self._cameras, self._take_cameras) else set()
        changed = [self._understood(message, self._take_step) for message in self._steps.take_all()]
        return new | ({"footprints"} if any(changed) else set())

    def observed(self) -> Observed | None:
        """What the detectors saw of the subject when it was as in `body`; just now, where there is nobody.

        Keypoints are listened to from the first call on.
        """
        if self.rig is None or self._keypoint_set is None:
            return None
        for name in self.rig.cameras:
            self._hear_keypoints(name)
        newest_ns = max((frames[-1][0] for frames in self._raw_frames.values() if frames), default=None)
        if newest_ns is None or self.silent("keypoints"):
            return None
        body = self._fitted(len(self._keypoint_set.names))
        frames = self._frames_near(newest_ns if body is None else body.stamp_ns)
        self._know_rectification(frames)
        return observe(self.rig, frames, None if body is None else body.sites_m)

    def _fitted(self, sites: int) -> BodyEstimate | None:
        """The body, while it is there and has the sites of the keypoint set, as many as that names."""
        body = self.body
        if body is None or body.tracking is Tracking.LOST or self.silent("body"):
            return None
        return body if len(body.sites_m) == sites else None

    def _hear_keypoints(self, name: str) -> None:
        if name not in self._keypoints:
            self._keypoints[name] = Newest(
                self._node, TYPES.Keypoints2D, f"{name}/keypoints", quality.KEYPOINTS, raw=True
            )
            self._raw_frames[name] = deque(maxlen=KEPT_FRAMES)
        for data in self._keypoints[name].take_all():
            if self._understood(data, lambda data, name=name: self._raw_frames[name].append((stamp_of(data), data))):
                self._heard_s["keypoints"] = time.monotonic()

    def _hear_no_more(self, name: str) -> None:
        for newest in (self._keypoints.pop(name), *self._infos.pop(name, ())):
            newest.close()
        del self._raw_frames[name]

    def _frames_near(self, stamp_ns: int) -> dict[str, KeypointFrame]:
        """Of each camera the frame nearest to an instant, by name."""
        found = {}
        for name, frames in [(name, frames) for name, frames in self._raw_frames.items() if frames]:
            nearest_ns, data = min(frames, key=lambda frame: abs(frame[0] - stamp_ns))
            if abs(nearest_ns - stamp_ns) < TOGETHER_NS:
                message = deserialize_message(data, TYPES.Keypoints2D)
                self._understood(message, lambda message, name=name: found.update({name: self._frame(name, message)}))
        return found

    def _frame(self, name: str, message: Any) -> KeypointFrame:
        assert self._keypoint_set is not None
        return keypoint_frame_from_message(name, message, 0, self._keypoint_set)

    def _take(self, newest: Newest, understand: Callable[[Any], Any]) -> bool:
        message = newest.take()
        return message is not None and self._understood(message, understand)

    def _understood(self, message: Any, understand: Callable[[Any], Any]) -> bool:
        """Whether it was; a message that is not is left out."""
        try:
            return understand(message) is not False
        except InputError as error:
            self._refuse(str(error))
            return False

    def _take_rig(self, message: Any) -> None:
        self.rig = rig_from_text(message.data, "definitions/rig")
        self.world_frame = self.rig.world_frame
        self._rectified_known.clear()
        for gone in self._keypoints.keys() - self.rig.cameras.keys():
            self._hear_no_more(gone)

    def _take_subject(self, message: Any) -> None:
        content = yaml_content(message.data, "definitions/subject")
        height_m = content.get("height_m") if isinstance(content, dict) else None
        self.foot_length_m = FOOT_BY_STATURE * height_m if isinstance(height_m, float) else LENGTH_M

    def _take_keypoint_set(self, message: Any) -> None:
        self._keypoint_set = keypoint_set_from_text(message.data, "definitions/keypoint_set")

    def _take_body(self, message: Any) -> None:
        self.body = body_from_message(message)
        self._heard_s["body"] = time.monotonic()
        self.world_frame = message.header.frame_id
        if self.body.tracking is not Tracking.LOST:
            self.place_m = np.asarray(self.body.qpos[:3], dtype=float)

    def _take_cameras(self, message: Any) -> None:
        self.cameras = cameras_from_message(message)
        self._heard_s["cameras"] = time.monotonic()

    def _take_step(self, message: Any) -> bool:
        event: StepEvent = step_from_message(message)
        body = self.body
        qpos = None if body is None or body.tracking is Tracking.LOST else body.qpos
        return self.footprints.take(event, heading_rad(qpos), self.foot_length_m)

    def _know_rectification(self, frames: dict[str, KeypointFrame]) -> None:
        """Rectified pixels need CameraInfo's R and P, which rig.yaml has no place for."""
        for name in [
            one.camera for one in frames.values() if one.rectified and one.camera not in self._rectified_known
        ]:
            if name not in self._infos:
                topic = f"{name}/camera_info"
                profiles = (quality.NEWEST, quality.LATCHED)
                self._infos[name] = tuple(Newest(self._node, TYPES.CameraInfo, topic, one) for one in profiles)  # type: ignore[assignment]
            for newest in self._infos[name]:
                self._take(newest, lambda message, name=name: self._take_info(name, message))

    def _take_info(self, name: str, message: Any) -> None:
        assert self.rig is not None
        before = self.rig.cameras[name]
        camera = camera_from_info(name, message, (before.position_m, before.orientation_xyzw))
        self.rig = replace(self.rig, cameras={**self.rig.cameras, name: replace(before, r=camera.r, p=camera.p)})
        self._rectified_known.add(name)
