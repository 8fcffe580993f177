"""A bag as `check-rig` reads it: nothing is refused for a wrong image size, for that is what is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..cameras.rig import Rig
from ..errors import InputError
from ..keypoints import KeypointFrame, KeypointSet
from .bags import open_bag
from .messages import keypoint_frame_from_message
from .recorded_session import find_keypoint_set, keypoint_topics, read_definitions, read_rig


@dataclass(frozen=True, eq=False)
class RigRecording:
    """Cameras, and what their detectors sent."""

    rig: Rig
    keypoint_set: KeypointSet
    frames: list[KeypointFrame]
    refused: dict[str, int]
    """How often each sentence was the reason to refuse a message."""


def read_rig_recording(
    path: str | Path, keypoint_set: KeypointSet | None = None, rig: Rig | None = None
) -> RigRecording:
    """Read a bag's keypoints, and its cameras unless `rig` is given. Raises InputError where there are none."""
    with open_bag(path) as bag:
        topic_from_camera = keypoint_topics(bag)
        definitions = read_definitions(bag)
        keypoint_set = keypoint_set or find_keypoint_set(bag, topic_from_camera, definitions)
        rig = rig or read_rig(bag, definitions, tuple(topic_from_camera))
        if not set(rig.cameras) & set(topic_from_camera):
            raise InputError(
                f"{bag.path}: keypoints of {', '.join(topic_from_camera)}, but the rig has {', '.join(rig.cameras)}; "
                "give the rig.yaml of these cameras"
            )
        camera_from_topic = {topic: camera for camera, topic in topic_from_camera.items()}
        frames: list[KeypointFrame] = []
        refused: dict[str, int] = {}
        for topic, message, time_ns in bag.readable(camera_from_topic, refused):
            try:
                frames.append(keypoint_frame_from_message(camera_from_topic[topic], message, time_ns, keypoint_set))
            except InputError as error:
                refused[str(error)] = refused.get(str(error), 0) + 1
        if not frames:
            raise InputError(f"{bag.path}: no usable keypoints: {next(iter(refused), 'the topics are empty')}")
        return RigRecording(rig, keypoint_set, frames, refused)
