"""What a player shows of a bag and under which names; which frames of /tf and /tf_static are the estimator's own.

live: inputs as if they came now. refit: inputs and definitions as recorded, for an estimator that fits them again; so
nothing that it says itself is said twice. show: everything as recorded, and no estimator.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..files import yaml_content
from .bag_types import typestore
from .bags import BagReader
from .frame_names import fitted_frame
from .plain_definitions import read_definitions
from .topic_roles import RECORDED, Role, relative_name, role_of

LIVE, REFIT, SHOW = "live", "refit", "show"
TRANSFORMS = "tf2_msgs/msg/TFMessage"

_ALWAYS = (Role.INPUT, Role.TRUTH)
_OF_THE_ESTIMATOR = (Role.RESULT, Role.DEFINITION)


def played_names(topics: Mapping[str, str], mode: str, recorded_results: bool = False) -> dict[str, list[str]]:
    """Names under which each topic (name to type) is played; a topic may be played twice, or not at all.

    Names follow the player's namespace, but for TF's.
    """
    names: dict[str, list[str]] = {}
    for topic, kind in topics.items():
        role = role_of(topic, kind)
        found = [relative(topic)] if is_played(topic, kind, mode) else []
        if mode == REFIT and recorded_results and role in (*_OF_THE_ESTIMATOR, Role.TRANSFORMS):
            found.append(RECORDED + topic.removeprefix("/"))
        if found:
            names[topic] = found
    return names


def is_played(topic: str, kind: str, mode: str = LIVE) -> bool:
    """Whether a topic is played under its own name."""
    role = role_of(topic, kind)
    if mode == SHOW:
        return role is not Role.OF_ROS
    if mode == REFIT:
        return role in (*_ALWAYS, Role.MARK, Role.TRANSFORMS, Role.DEFINITION)
    has_a_header = not kind.startswith("std_msgs/")  # its stamp is moved; a text has none
    return role in _ALWAYS and has_a_header


def relative(topic: str) -> str:
    """Names of ours follow the node's namespace; TF's do not."""
    return topic if topic in ("/tf", "/tf_static") else topic.removeprefix("/")


def frames_of_ours(bag: BagReader) -> frozenset[str]:
    """Frames that the estimator published while the bag was recorded, and will publish again.

    Links of the body and fitted cameras; where the cameras came from a file, their optical frames.
    """
    definitions = read_definitions(bag)
    settings = _content(bag, definitions, "settings")
    prefix = str(settings.get("frame_prefix") or "")
    cameras = _content(bag, definitions, "rig").get("cameras") or {}
    optical = {str(camera.get("frame_id")) for camera in cameras.values() if isinstance(camera, dict)}
    links = {prefix + name for name in _links(bag, _content(bag, definitions, "model").get("base_model"))}
    fitted = {fitted_frame(frame, prefix) for frame in optical}
    return frozenset(links | fitted | (optical if settings.get("rig_file") else set()))


def without_frames(data: bytes, frames: frozenset[str]) -> bytes | None:
    """CDR bytes of a TFMessage less the transforms of these child frames; None where nothing is left."""
    message: Any = typestore().deserialize_cdr(data, TRANSFORMS)
    kept = [transform for transform in message.transforms if transform.child_frame_id not in frames]
    if len(kept) == len(message.transforms):
        return data
    message.transforms = kept
    return bytes(typestore().serialize_cdr(message, TRANSFORMS)) if kept else None


def _content(bag: BagReader, definitions: Mapping[str, str], name: str) -> dict[str, Any]:
    content = yaml_content(definitions.get(name, ""), f"{bag.path}: definitions/{name}")
    return content if isinstance(content, dict) else {}


def _links(bag: BagReader, base_model: Any) -> set[str]:
    """Of every robot_description of ours: a lab may have robots too."""
    names: set[str] = set()
    for _, message, _ in bag.messages(lambda topic: relative_name(topic) == "robot_description"):
        with suppress(ElementTree.ParseError):
            robot = ElementTree.fromstring(message.data)
            names |= {str(link.get("name")) for link in robot.iter("link") if robot.get("name") == base_model}
    return names
