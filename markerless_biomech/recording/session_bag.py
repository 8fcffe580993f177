"""Writes the inputs of a capture: definitions, cameras, keypoints. Imports, simulation and replay share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..cameras.rig import Rig
from ..gait.step_watch import StepNews
from ..keypoints import KeypointFrame, KeypointSet
from .bags import BagWriter
from .definitions import definition_texts
from .messages import camera_to_message, keypoint_frame_to_message, transforms_to_message
from .step_messages import news_messages


def write_definitions(writer: BagWriter, texts: Mapping[str, str], time_ns: int, prefix: str = "") -> None:
    """definitions/<name>; `prefix` 'truth/' for those of a simulation."""
    for name, text in texts.items():
        writer.write_text(f"/{prefix}definitions/{name}", text, time_ns)


def write_cameras(writer: BagWriter, rig: Rig, time_ns: int) -> None:
    """CameraInfo of every camera, and /tf_static with the poses of their optical frames."""
    for name, camera in rig.cameras.items():
        writer.write(f"/{name}/camera_info", camera_to_message(writer.types, camera, time_ns), time_ns)
    cameras = list(rig.cameras.values())
    message = transforms_to_message(
        writer.types,
        time_ns,
        [rig.world_frame] * len(cameras),
        [camera.frame_id for camera in cameras],
        np.array([camera.position_m for camera in cameras]),
        np.array([camera.orientation_xyzw for camera in cameras]),
    )
    writer.write("/tf_static", message, time_ns)


def write_frame(
    writer: BagWriter, frame: KeypointFrame, keypoint_set: KeypointSet, rig: Rig, set_name: str = ""
) -> None:
    """One camera's keypoints, as received at the frame's arrival; `set_name` is another set that the message names."""
    frame_id = rig.cameras[frame.camera].frame_id
    message = keypoint_frame_to_message(writer.types, frame, set_name or keypoint_set.name, frame_id)
    writer.write(f"/{frame.camera}/keypoints", message, frame.arrival_ns)


def write_steps(writer: BagWriter, news: StepNews, time_ns: int, world_frame: str) -> None:
    """What is new about steps, as the live node publishes it."""
    events, parameters = news_messages(writer.types, news, world_frame)
    for event in events:
        writer.write("/step_events", event, time_ns)
    if parameters is not None:
        writer.write("/gait_parameters", parameters, time_ns)


def write_inputs(
    path: str | Path, keypoint_set: KeypointSet, rig: Rig, frames: Iterable[KeypointFrame], force: bool = False
) -> Path:
    """A bag with everything that the live estimator would be given. `frames` are in the order of arrival."""
    with BagWriter(path, force) as writer:
        for index, frame in enumerate(frames):
            if index == 0:
                write_definitions(writer, definition_texts(keypoint_set, rig), frame.arrival_ns)
                write_cameras(writer, rig, frame.arrival_ns)
            write_frame(writer, frame, keypoint_set, rig)
    return writer.path
