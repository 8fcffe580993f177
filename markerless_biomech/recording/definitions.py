"""Definitions: the YAML texts, latched live and kept in every bag, without which numbers have no names.

`model` names joints and sites in order; its hash is the `model_id` of every BodyState.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
from importlib import metadata
from typing import Any

import yaml

from .. import __version__
from ..body.base import BASE_MODEL, BASE_MODEL_VERSION
from ..body.names import BODY_NAMES, JOINT_NAMES
from ..body.subject import Subject, subject_from_dict, subject_to_dict
from ..cameras.rig import Rig, rig_text
from ..files import YAML_DUMPER, YAML_LOADER
from ..keypoints import KeypointSet
from ..settings import EstimatorSettings, to_dict

DEFINITION_NAMES = ("model", "subject", "keypoint_set", "rig", "settings")


def definition_texts(
    keypoint_set: KeypointSet,
    rig: Rig | None = None,
    subject: Subject | None = None,
    settings: EstimatorSettings | None = None,
) -> dict[str, str]:
    """YAML by name of the topic definitions/<name>, for whatever is given."""
    texts = {"keypoint_set": keypoint_set_text(keypoint_set)}
    if rig is not None:
        texts["rig"] = rig_text(rig)
    if subject is not None:
        texts["model"] = model_text(keypoint_set)
        texts["subject"] = subject_text(subject)
    if settings is not None:
        texts["settings"] = yaml_text({**to_dict(settings), "versions": versions()})
    return texts


def versions() -> dict[str, str]:
    """Of what made a result: so that years later one knows what to install to get it again."""
    found = {"markerless_biomech": __version__, "python": platform.python_version()}
    for name in ("jax", "jaxlib", "mujoco", "numpy", "scipy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def yaml_text(content: Any) -> str:
    """YAML in the order given."""
    return yaml.dump(
        content, Dumper=YAML_DUMPER, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True
    )


def keypoint_set_text(keypoint_set: KeypointSet) -> str:
    """As a keypoint set's file."""
    return yaml_text(keypoint_set.to_dict())


def subject_text(subject: Subject) -> str:
    """As subject.yaml."""
    return yaml_text(subject_to_dict(subject))


def subject_from_text(text: str, where: str) -> Subject:
    """The inverse of `subject_text`."""
    return subject_from_dict(yaml.load(text, YAML_LOADER), where)


def model_text(keypoint_set: KeypointSet) -> str:
    """Whose numbers BodyState holds: joints (rad), sites and bodies in order."""
    return yaml_text(
        {
            "base_model": BASE_MODEL,
            "base_model_version": BASE_MODEL_VERSION,
            "joints": list(JOINT_NAMES),
            "sites": list(keypoint_set.names),
            "bodies": list(BODY_NAMES),
        }
    )


def model_id(keypoint_set: KeypointSet) -> str:
    """Hash of definitions/model, 16 hexadecimal digits."""
    return hashlib.sha256(model_text(keypoint_set).encode()).hexdigest()[:16]
