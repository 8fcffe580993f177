"""Texts of definitions, written and read without loading a body model: recorder and player start with no more."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata
from typing import Any

import yaml

from .. import __version__
from ..errors import InputError
from ..files import YAML_DUMPER
from ..keypoints import KeypointSet
from .bags import BagReader
from .topic_roles import relative_name


def yaml_text(content: Any) -> str:
    """YAML in the order given."""
    return yaml.dump(
        content, Dumper=YAML_DUMPER, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True
    )


def keypoint_set_text(keypoint_set: KeypointSet) -> str:
    """As a keypoint set's file."""
    return yaml_text(keypoint_set.to_dict())


def versions() -> dict[str, str]:
    """Of what made a result: so that years later one knows what to install to get it again."""
    found = {"markerless_biomech": __version__, "python": platform.python_version()}
    for name in ("jax", "jaxlib", "mujoco", "numpy", "scipy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def read_definitions(bag: BagReader) -> dict[str, str]:
    """Newest text of each definitions/<name>; a simulation's truth is 'truth/<name>'.

    Raises InputError for a bag of several rigs: of two bodies one would be taken for both.
    """
    rigs = sorted(topic for topic in bag.topics if relative_name(topic) == "definitions/model")
    if len(rigs) > 1:
        places = [topic.removesuffix("definitions/model") for topic in rigs]
        raise InputError(
            f"{bag.path}: holds {len(rigs)} rigs, in the namespaces {', '.join(places)}; record each by itself, with "
            "a recorder in its namespace (--ros-args -r __ns:=/NAME)"
        )
    texts = {}
    for topic, message, _ in bag.messages(lambda topic: "/definitions/" in topic):
        texts[relative_name(topic).replace("definitions/", "")] = message.data
    return texts
