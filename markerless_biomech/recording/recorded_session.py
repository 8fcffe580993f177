"""What a bag holds, as values: cameras, keypoint set, keypoint frames in the order of arrival, results, truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..cameras.rig import Camera, Rig, StaticTransforms, rig_from_text
from ..errors import InputError
from ..files import short, yaml_content
from ..keypoints import SHIPPED_KEYPOINT_SETS, KeypointFrame, KeypointSet, keypoint_set_from_text, load_keypoint_set
from ..results import BodyEstimate
from ..settings import Group, from_dict
from .bags import BagReader
from .messages import camera_from_message, keypoint_frame_from_message, transforms_from_message
from .plain_definitions import read_definitions
from .result_messages import (
    FitRecord,
    FittedCameras,
    body_from_message,
    cameras_from_message,
    report_from_message,
)
from .step_messages import parameters_from_message, step_from_message
from .topic_roles import relative_name
from .trial_marks import open_recording

RESULT_READERS: dict[str, Callable[[Any], Any]] = {
    "body_state": body_from_message,
    "body_state_settled": body_from_message,
    "body_state_refit": body_from_message,
    "fitted_cameras": cameras_from_message,
    "fit_report": report_from_message,
    "truth/body_state": body_from_message,
    "truth/fitted_cameras": cameras_from_message,
    "step_events": step_from_message,
    "gait_parameters": parameters_from_message,
    "truth/step_events": step_from_message,
}


@dataclass(frozen=True, eq=False)
class RecordedSession:
    """Everything of a bag that we know how to read, in memory."""

    path: Path
    keypoint_set: KeypointSet
    rig: Rig
    """Nominal cameras: CameraInfo and /tf_static, or definitions/rig."""
    frames: list[KeypointFrame]
    """All cameras' frames in the order received."""
    definitions: dict[str, str]
    """YAML text by name, such as 'subject', and 'truth/subject' of a simulation."""
    results: dict[str, list[Any]]
    """Values by topic name, such as 'body_state' or 'truth/body_state', in the order recorded."""
    refused: dict[str, int] = field(default_factory=dict)
    """How often each sentence was the reason to refuse a keypoint message."""
    trial: str = ""
    """Which marked trial of the bag this is; empty: all of it."""

    @property
    def name(self) -> str:
        """The trial's name, else the bag's."""
        return self.trial or self.path.name

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that sent keypoints."""
        seen = {frame.camera for frame in self.frames}
        return tuple(name for name in self.rig.cameras if name in seen)

    def recorded_settings(self, name: str = "settings") -> dict[str, Any]:
        """Plain values of definitions/settings, or of 'truth/simulation'; empty where the bag has none."""
        where = f"{self.path}: definitions/{name}"
        content = yaml_content(self.definitions.get(name, ""), where)
        if content is not None and not isinstance(content, dict):
            raise InputError(f"{where} is {short(content)}; expected a map of settings")
        return content or {}

    def settings(self, kind: type[Group], name: str = "settings") -> Group:
        """Those of them that are settings of `kind`; the rest as by default. InputError as `settings.from_dict`."""
        known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
        values = {key: value for key, value in self.recorded_settings(name).items() if key in known}
        return from_dict(kind, values, f"{self.path}: definitions/{name}")

    def bodies(self, topic: str) -> list[BodyEstimate]:
        """BodyStates of 'body_state', 'body_state_settled', 'body_state_refit' or 'truth/body_state'."""
        return self.results.get(topic, [])

    @property
    def reports(self) -> list[FitRecord]:
        """Fit reports with their times."""
        return self.results.get("fit_report", [])

    def fitted_cameras(self, topic: str = "fitted_cameras") -> list[FittedCameras]:
        """Messages of 'fitted_cameras' or 'truth/fitted_cameras'."""
        return self.results.get(topic, [])


def read_session(path: str | Path, keypoint_set: KeypointSet | None = None, trial: str = "") -> RecordedSession:
    """Read a bag, or one trial that is marked in it.

    `keypoint_set`: for a bag that does not define its own and uses none of the shipped sets.
    """
    with open_recording(path, trial) as bag:
        topic_from_camera = keypoint_topics(bag)
        definitions = read_definitions(bag)
        keypoint_set = keypoint_set or find_keypoint_set(bag, topic_from_camera, definitions)
        rig = read_rig(bag, definitions, tuple(topic_from_camera))
        frames, refused = _read_frames(bag, topic_from_camera, keypoint_set, rig)
        return RecordedSession(bag.path, keypoint_set, rig, frames, definitions, _read_results(bag), refused, trial)


def keypoint_topics(bag: BagReader) -> dict[str, str]:
    """Topic of each camera's keypoints. A camera is named by the part before /keypoints, all of it where need be."""
    topics = sorted(topic for topic, kind in bag.topics.items() if kind.endswith("/Keypoints2D"))
    if not topics:
        raise InputError(
            f"{bag.path}: no keypoints; expected topics <camera>/keypoints of markerless_biomech/msg/Keypoints2D"
        )
    full = [topic.strip("/").removesuffix("/keypoints") for topic in topics]
    short = [_last_part(name) for name in full]
    return dict(zip(short if len(set(short)) == len(short) else full, topics, strict=True))


def find_keypoint_set(bag: BagReader, topic_from_camera: dict[str, str], definitions: dict[str, str]) -> KeypointSet:
    """The bag's own definition, else the shipped set that its messages name."""
    if "keypoint_set" in definitions:
        return keypoint_set_from_text(definitions["keypoint_set"], f"{bag.path}: definitions/keypoint_set")
    refused: dict[str, int] = {}
    _, message, _ = next(bag.readable(set(topic_from_camera.values()), refused), (None, None, None))
    if message is None:
        reason = next(iter(refused), "no keypoint message in the bag; record it again with the detectors running")
        raise InputError(f"{bag.path}: {reason}")
    if message.keypoint_set not in SHIPPED_KEYPOINT_SETS:
        raise InputError(
            f"{bag.path}: keypoints of the set '{message.keypoint_set}', which is neither shipped nor defined "
            "in the bag; give its file with --keypoint-set"
        )
    return load_keypoint_set(message.keypoint_set)


def read_rig(bag: BagReader, definitions: dict[str, str], cameras: tuple[str, ...]) -> Rig:
    """Each camera from its CameraInfo and /tf_static, else from definitions/rig; InputError names the one without."""
    defined = rig_from_text(definitions["rig"], f"{bag.path}: definitions/rig") if "rig" in definitions else Rig({})
    transforms = static_transforms(bag)
    infos = {_full_name(topic): message for topic, message, _ in bag.messages(lambda t: t.endswith("/camera_info"))}
    found: dict[str, Camera] = {}
    full_from_name = {name: _full_name(topic) for name, topic in keypoint_topics(bag).items()}
    for name in dict.fromkeys([*defined.cameras, *cameras]):
        info = _info_of(full_from_name.get(name, name), infos, full_from_name.values())
        pose = transforms.lookup(defined.world_frame, info.header.frame_id) if info is not None else None
        if info is not None and pose is not None:
            found[name] = _camera(bag, name, info, pose)
        elif name in defined.cameras:
            found[name] = defined.cameras[name]
        elif info is None:
            raise InputError(
                f"{bag.path}: no camera_info for camera {name}; record {name}/camera_info, or definitions/rig"
            )
        else:
            reason = transforms.reason(defined.world_frame, info.header.frame_id)
            raise InputError(f"{bag.path}: no pose of camera {name}: {reason}; record /tf_static, or definitions/rig")
    return Rig(found, defined.world_frame)


def _camera(bag: BagReader, name: str, info: Any, pose: tuple[np.ndarray, np.ndarray]) -> Camera:
    """A camera from its CameraInfo; one that cannot be says which bag it is in."""
    try:
        return camera_from_message(name, info, *pose)
    except InputError as error:
        raise InputError(f"{bag.path}: camera_info: {error}") from error


def _info_of(camera: str, infos: Mapping[str, Any], cameras: Iterable[str]) -> Any | None:
    """CameraInfo of a full name; of another's that ends alike only where neither name could be a second camera's."""
    last = _last_part(camera)
    alike = [message for name, message in infos.items() if _last_part(name) == last]
    is_alone = len(alike) == 1 and sum(_last_part(name) == last for name in cameras) <= 1
    return infos.get(camera) or (alike[0] if is_alone else None)


def _full_name(topic: str) -> str:
    """A camera's name with its namespace."""
    return topic.strip("/").rpartition("/")[0]


def _last_part(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def static_transforms(bag: BagReader) -> StaticTransforms:
    """All of /tf_static."""
    transforms = StaticTransforms()
    for _, message, _ in bag.messages(lambda topic: topic.endswith("/tf_static")):
        for one in transforms_from_message(message):
            transforms.add(one.parent, one.child, one.position_m, one.orientation_xyzw)
    return transforms


def _read_frames(
    bag: BagReader, topic_from_camera: dict[str, str], keypoint_set: KeypointSet, rig: Rig
) -> tuple[list[KeypointFrame], dict[str, int]]:
    """Frames in the order received, and how many messages were refused by reason, as the live nodes refuse them."""
    camera_from_topic = {topic: camera for camera, topic in topic_from_camera.items()}
    frames: list[KeypointFrame] = []
    refused: dict[str, int] = {}
    for topic, message, time_ns in bag.readable(camera_from_topic, refused):
        camera = rig.cameras[camera_from_topic[topic]]
        size_px = (camera.width, camera.height)
        try:
            frames.append(keypoint_frame_from_message(camera.name, message, time_ns, keypoint_set, size_px))
        except InputError as error:
            refused[str(error)] = refused.get(str(error), 0) + 1
    if not frames:
        reason = next(iter(refused), "the topics are there, but empty")
        raise InputError(f"{bag.path}: no usable keypoints: {reason}")
    return frames, refused


def _read_results(bag: BagReader) -> dict[str, list[Any]]:
    """Values of every topic that holds results or truth."""
    results: dict[str, list[Any]] = {}
    for topic, message, _ in bag.messages(lambda topic: relative_name(topic) in RESULT_READERS):
        name = relative_name(topic)
        try:
            results.setdefault(name, []).append(RESULT_READERS[name](message))
        except InputError as error:
            raise InputError(f"{bag.path}: {topic}: {error}; record or replay it again") from error
    return results
