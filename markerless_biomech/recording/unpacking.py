"""What a bag says of itself, as files, and the parameters with which an estimator fits it again."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..cameras.rig import Rig, rig_text
from ..errors import InputError
from ..files import write_text, yaml_content
from ..settings import EstimatorSettings, from_dict, to_dict
from .bags import BagReader, open_bag
from .plain_definitions import keypoint_set_text, read_definitions, yaml_text
from .recorded_session import find_keypoint_set, keypoint_topics, read_rig, static_transforms

OF_THE_MACHINE = ("subject_file", "rig_file", "device", "gpu_memory_fraction", "calibration_folder", "queue_frames")
"""Settings that were right where the bag was recorded."""


@dataclass(frozen=True)
class Unpacked:
    """Files written from a bag."""

    params_file: Path
    """Parameters of motion_estimator, with the paths of the other files."""
    namespace: str
    """Of the rig in the bag: cameras' names are relative to it."""
    keypoint_set: Path
    rig: Path
    subject: Path | None
    """None: the bag defines no subject; the parameters have a height."""


def unpack(bag_path: str | Path, out: str | Path, force: bool = False) -> Unpacked:
    """Write a bag's keypoint set, rig, subject and settings into the folder `out`.

    Raises InputError where the bag lacks what a fit needs, or a file is there already and `force` is not set.
    """
    out = Path(out).absolute()
    with open_bag(bag_path) as bag:
        definitions = read_definitions(bag)
        recorded = _recorded_settings(bag, definitions)
        topic_from_camera = keypoint_topics(bag)
        namespace, cameras = rig_namespace(list(topic_from_camera.values()), recorded.cameras)
        keypoint_set = find_keypoint_set(bag, topic_from_camera, definitions)
        rig = _unprefixed(read_rig(bag, definitions, tuple(topic_from_camera)), recorded)
        needs_rig_file = bool(recorded.rig_file) or not _says_cameras(bag, topic_from_camera, rig.world_frame)
    texts = {"keypoint_set": keypoint_set_text(keypoint_set), "rig": rig_text(rig)}
    texts |= {"subject": definitions["subject"]} if "subject" in definitions else {}
    files = {name: out / f"{name}.yaml" for name in texts}
    settings = replace(
        recorded,
        cameras=cameras,
        world_frame=rig.world_frame,
        keypoint_set=str(files["keypoint_set"]),
        rig_file=str(files["rig"]) if needs_rig_file else "",
        subject_file=str(files.get("subject", "")),
        replay_mode=True,
        autostart=True,
    )
    for name, text in texts.items():
        write_text(files[name], text, force)
    params_file = out / "motion_estimator.yaml"
    write_text(params_file, params_text(settings), force)
    return Unpacked(params_file, namespace, files["keypoint_set"], files["rig"], files.get("subject"))


def rig_namespace(topics: list[str], cameras: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Namespace of an estimator, and its cameras' names in it, from keypoint topics and the names that were set.

    Without names each camera is the part before /keypoints, and the namespace what is the same for all before that.
    """
    for topic in topics:
        for camera in cameras:
            if topic.endswith(f"/{camera}/keypoints"):
                return topic.removesuffix(f"{camera}/keypoints").strip("/"), cameras
    full = [topic.removesuffix("/keypoints").strip("/") for topic in topics]
    places = {name.rpartition("/")[0] for name in full}
    if len(places) > 1:
        return "", tuple(full)
    return places.pop(), tuple(name.rpartition("/")[2] for name in full)


def params_text(settings: EstimatorSettings) -> str:
    """A parameter file; an empty list, which has no type in ROS 2, is left out."""
    given = {name: value for name, value in to_dict(settings).items() if value != []}
    return yaml_text({"/**": {"ros__parameters": given}})


def _recorded_settings(bag: BagReader, definitions: dict[str, str]) -> EstimatorSettings:
    """Of the estimator that ran while it was recorded, as far as they are not this machine's business."""
    where = f"{bag.path}: definitions/settings"
    content: Any = yaml_content(definitions.get("settings", ""), where) or {}
    if not isinstance(content, dict):
        raise InputError(f"{where} is no map of settings; record or replay it again")
    known = {field.name for field in fields(EstimatorSettings)} - set(OF_THE_MACHINE)
    settings = from_dict(EstimatorSettings, {key: value for key, value in content.items() if key in known}, where)
    return replace(settings, rig_file=str(content.get("rig_file") or ""))


def _says_cameras(bag: BagReader, topic_from_camera: dict[str, str], world_frame: str) -> bool:
    """Whether CameraInfo and /tf_static, which are played, say all of every camera."""
    transforms = static_transforms(bag)
    wanted = {f"{topic.removesuffix('/keypoints')}/camera_info" for topic in topic_from_camera.values()}
    frames = {topic: message.header.frame_id for topic, message, _ in bag.messages(wanted)}
    known = all(transforms.lookup(world_frame, frame) is not None for frame in frames.values())
    return known and wanted == set(frames)


def _unprefixed(rig: Rig, settings: EstimatorSettings) -> Rig:
    """The rig of a file: the estimator puts the prefix before its frames again."""
    if not settings.rig_file or not settings.frame_prefix:
        return rig
    cameras = {
        name: replace(camera, frame_id=camera.frame_id.removeprefix(settings.frame_prefix))
        for name, camera in rig.cameras.items()
    }
    return replace(rig, cameras=cameras)
