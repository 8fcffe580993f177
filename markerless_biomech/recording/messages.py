"""Message <-> value, in pairs: plain functions without ROS, the same for live messages and for bags.

Incoming messages are checked here, once; what is wrong raises InputError with a sentence that names the camera, what
was found, what was expected and how to mend it. Results are in `result_messages.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cameras.rig import Camera, camera_from_info
from ..errors import InputError
from ..keypoints import KeypointFrame, KeypointSet
from .message_types import (
    Types,
    header_to_message,
    quaternion_to_message,
    stamp_from_message,
    stamp_to_message,
    vector_to_message,
    xyz_from_message,
    xyzw_from_message,
)

LARGEST_PX = 1e6
"""No image has a point further out."""


def keypoint_frame_to_message(types: Types, frame: KeypointFrame, keypoint_set: str, frame_id: str) -> Any:
    """Keypoints2D of what one camera saw; `frame_id` is its optical frame."""
    return types.Keypoints2D(
        header=header_to_message(types, frame.stamp_ns, frame_id),
        keypoint_set=keypoint_set,
        width=frame.size_px[0],
        height=frame.size_px[1],
        rectified=frame.rectified,
        frame_number=frame.frame_number,
        person_ids=types.array(frame.person_ids, "int32"),
        points=types.array(frame.points, "float32"),
    )


def keypoint_frame_from_message(
    camera: str, message: Any, arrival_ns: int, keypoint_set: KeypointSet, size_px: tuple[int, int] = (0, 0)
) -> KeypointFrame:
    """What `camera` saw; `size_px` is the calibration's image size, (0, 0) while it is not known."""
    if message.keypoint_set != keypoint_set.name:
        raise InputError(
            f"camera {camera}: keypoints of the set '{message.keypoint_set}', expected '{keypoint_set.name}'; "
            "set the parameter keypoint_set, or the field keypoint_set of the detector's messages"
        )
    size = (int(message.width), int(message.height))
    if all(size_px) and size != tuple(size_px):
        raise InputError(
            f"camera {camera}: keypoints in an image of {size[0]} x {size[1]} px, but its calibration is for "
            f"{size_px[0]} x {size_px[1]} px; scale the keypoints or calibrate at the detector's image size"
        )
    points = _checked_points(camera, np.asarray(message.points, dtype=np.float32), keypoint_set)
    ids = tuple(int(i) for i in message.person_ids)
    if ids and len(ids) != len(points):
        raise InputError(
            f"camera {camera}: {len(ids)} person_ids for {len(points)} people; send one for each person, or none at all"
        )
    return KeypointFrame(
        camera=camera,
        stamp_ns=stamp_from_message(message.header.stamp),
        arrival_ns=int(arrival_ns),
        points=points,
        person_ids=ids,
        frame_number=int(message.frame_number),
        rectified=bool(message.rectified),
        size_px=size,
    )


def _checked_points(camera: str, flat: np.ndarray, keypoint_set: KeypointSet) -> np.ndarray:
    """(P, K, 3) of a message's flat points."""
    person = 3 * len(keypoint_set)
    if flat.size % person:
        raise InputError(
            f"camera {camera}: {flat.size} numbers in points, expected a multiple of {person} "
            f"(u, v, confidence of the {len(keypoint_set)} keypoints of '{keypoint_set.name}' for each person)"
        )
    points = flat.reshape(-1, len(keypoint_set), 3)
    if not np.isfinite(points).all():
        person_index, keypoint, axis = np.argwhere(~np.isfinite(points))[0]
        raise InputError(
            f"camera {camera}: {('u', 'v', 'confidence')[axis]} of keypoint '{keypoint_set.names[keypoint]}' of person "
            f"{person_index} is {points[person_index, keypoint, axis]}; "
            "send finite numbers, with confidence 0 for a keypoint that is not seen"
        )
    far = (np.abs(points[..., :2]) > LARGEST_PX) & (points[..., 2:] > 0)
    if far.any():
        person_index, keypoint, axis = np.argwhere(far)[0]
        raise InputError(
            f"camera {camera}: {'uv'[axis]} of keypoint '{keypoint_set.names[keypoint]}' of person {person_index} is "
            f"{points[person_index, keypoint, axis]:g}; expected pixels"
        )
    if points.size and points[..., 2].min() < 0:
        raise InputError(f"camera {camera}: a confidence is {points[..., 2].min():g}; expected 0 (not seen) to 1")
    return points


def camera_to_message(types: Types, camera: Camera, stamp_ns: int) -> Any:
    """sensor_msgs/CameraInfo of a camera; its pose goes to /tf_static (`transforms_to_message`)."""
    projection = camera.p if camera.p is not None else np.hstack([camera.k, np.zeros((3, 1))])
    return types.CameraInfo(
        header=header_to_message(types, stamp_ns, camera.frame_id),
        height=int(camera.height),
        width=int(camera.width),
        distortion_model=camera.distortion_model,
        d=types.array(camera.d, "float64"),
        k=np.asarray(camera.k, dtype=float).reshape(9),
        r=np.asarray(camera.r, dtype=float).reshape(9),
        p=np.asarray(projection, dtype=float).reshape(12),
        binning_x=0,
        binning_y=0,
        roi=types.RegionOfInterest(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
    )


def camera_from_message(name: str, message: Any, position_m: np.ndarray, orientation_xyzw: np.ndarray) -> Camera:
    """Camera of a CameraInfo and the pose of its optical frame in world; InputError names the camera."""
    return camera_from_info(name, message, (position_m, orientation_xyzw))


@dataclass(frozen=True, eq=False)
class Transform:
    """Pose of a child frame in its parent."""

    parent: str
    child: str
    position_m: np.ndarray
    """(3,)"""
    orientation_xyzw: np.ndarray
    """(4,)"""


def transforms_to_message(
    types: Types,
    stamp_ns: int,
    parents: Sequence[str],
    children: Sequence[str],
    positions_m: np.ndarray,
    orientations_xyzw: np.ndarray,
) -> Any:
    """TFMessage of L links; positions_m (L, 3), orientations_xyzw (L, 4)."""
    stamp = stamp_to_message(types, stamp_ns)
    return types.TFMessage(
        transforms=[
            types.TransformStamped(
                header=types.Header(stamp=stamp, frame_id=parent),
                child_frame_id=child,
                transform=types.Transform(
                    translation=vector_to_message(types, position), rotation=quaternion_to_message(types, turn)
                ),
            )
            for parent, child, position, turn in zip(
                parents, children, np.asarray(positions_m).tolist(), np.asarray(orientations_xyzw).tolist(), strict=True
            )
        ]
    )


def transforms_from_message(message: Any) -> list[Transform]:
    """Transforms of a TFMessage, in its order."""
    return [
        Transform(
            parent=entry.header.frame_id,
            child=entry.child_frame_id,
            position_m=xyz_from_message(entry.transform.translation),
            orientation_xyzw=xyzw_from_message(entry.transform.rotation),
        )
        for entry in message.transforms
    ]
