"""Definitions: the YAML texts, latched live and kept in every bag, without which numbers have no names.

`model` names joints and sites in order; its hash is the `model_id` of every BodyState.
"""

from __future__ import annotations

import hashlib

from ..body.base import BASE_MODEL, BASE_MODEL_VERSION
from ..body.names import BODY_NAMES, JOINT_NAMES
from ..body.subject import Subject, subject_from_dict, subject_to_dict
from ..cameras.rig import Rig, rig_text
from ..files import yaml_content
from ..keypoints import KeypointSet
from ..settings import EstimatorSettings, to_dict
from .plain_definitions import keypoint_set_text, versions, yaml_text
from .topic_roles import DEFINITION_NAMES

__all__ = ["DEFINITION_NAMES", "keypoint_set_text", "versions", "yaml_text"]


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


def subject_text(subject: Subject) -> str:
    """As subject.yaml."""
    return yaml_text(subject_to_dict(subject))


def subject_from_text(text: str, where: str) -> Subject:
    """The inverse of `subject_text`."""
    return subject_from_dict(yaml_content(text, where), where)


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
