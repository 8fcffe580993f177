"""The base model as MuJoCo reads it, and what never changes with the subject: order, tree, ranges, neutral pose."""

from __future__ import annotations

from functools import cache
from importlib import resources

import mujoco
import numpy as np

from ..keypoints import KeypointSet
from .names import BODY_NAMES, JOINT_NAMES

BASE_MODEL = "markerless_biomech"
"""Name of the base model, as in base_model.xml and in subject files."""

PELVIS = 1
"""MuJoCo's id of the pelvis; 0 is the world."""

QPOS_SIZE = 7 + len(JOINT_NAMES)
"""41: pelvis position (m, world), pelvis quaternion w x y z (world from pelvis), joint angles (rad)."""

TANGENT_SIZE = 6 + len(JOINT_NAMES)
"""40: pelvis translation (m, world), pelvis rotation (rad, pelvis axes), joint angles (rad)."""

ASIS_PSIS_TILT_DEG = 12.0
"""Forward tilt of the ASIS-PSIS plane in the pelvis' frame; reported beside pelvis_tilt."""


def base_model_text() -> str:
    """The MJCF."""
    return (resources.files("markerless_biomech") / "body" / "base_model.xml").read_text()


def load_spec() -> mujoco.MjSpec:
    """The base model as an editable specification, a new one at each call."""
    return mujoco.MjSpec.from_string(base_model_text())


@cache
def base_mujoco_model() -> mujoco.MjModel:
    """The base model, compiled once; do not change it."""
    model = mujoco.MjModel.from_xml_string(base_model_text())
    bodies = tuple(model.body(i).name for i in range(1, model.nbody))
    joints = tuple(model.joint(i).name for i in range(1, model.njnt))
    if bodies != BODY_NAMES or joints != JOINT_NAMES or model.nq != QPOS_SIZE or model.nv != TANGENT_SIZE:
        raise RuntimeError("base_model.xml does not have the bodies and joints of body/names.py in their order")
    if model.jnt_pos.any() or (model.body_quat != [1, 0, 0, 0]).any() or model.body_jntnum.max() > 3:
        raise RuntimeError("base_model.xml has a hinge off its body's origin, a turned body or a body with four hinges")
    return model


def base_sites(names: tuple[str, ...] | None = None) -> KeypointSet:
    """Sites of base_model.xml (all, or those named) as a keypoint set, so that `sites` finds them on any subject."""
    model = base_mujoco_model()
    names = names or tuple(model.site(i).name for i in range(model.nsite))
    found = [model.site(name) for name in names]
    return KeypointSet(
        name="base_sites",
        names=names,
        bodies=tuple(BODY_NAMES[int(site.bodyid[0]) - PELVIS] for site in found),
        positions_m=np.array([site.pos for site in found]),
        partners=np.array(
            [names.index(_other_side(name)) if _other_side(name) in names else i for i, name in enumerate(names)]
        ),
        weights=np.ones(len(names)),
    )


def _other_side(name: str) -> str:
    """`heel_l` for `heel_r` and back; other names as they are."""
    return name[:-1] + {"r": "l", "l": "r"}[name[-1]] if name.endswith(("_r", "_l")) else name


def _version() -> str:
    model = base_mujoco_model()
    start = model.text_adr[mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_TEXT, "version")]
    return bytes(model.text_data[start:]).split(b"\0")[0].decode()


def _carried_by_joint() -> np.ndarray:
    """(22, 34) True where the body moves with the joint: the joint belongs to the body or to one of its ancestors."""
    model = base_mujoco_model()
    carried = np.zeros((model.nbody, len(JOINT_NAMES)), dtype=bool)
    for body in range(PELVIS + 1, model.nbody):
        carried[body] = carried[model.body_parentid[body]]
        first = model.body_jntadr[body] - 1
        carried[body, first : first + model.body_jntnum[body]] = True
    return carried


def _constant(values: np.ndarray) -> np.ndarray:
    values = np.array(values)
    values.setflags(write=False)
    return values


BASE_MODEL_VERSION = _version()
"""Version of base_model.xml, as in subject files."""

CARRIED_BY_JOINT = _constant(_carried_by_joint())
"""(22, 34) bool: does the body (MuJoCo's id, world first) move with the joint (JOINT_NAMES)?"""

JOINT_LOWER_RAD = _constant(base_mujoco_model().jnt_range[1:, 0])
"""(34,) lower end of each joint's range."""

JOINT_UPPER_RAD = _constant(base_mujoco_model().jnt_range[1:, 1])
"""(34,) upper end of each joint's range."""

NEUTRAL_QPOS = _constant(base_mujoco_model().qpos0)
"""(41,) the base model upright at the origin, facing x, soles on z = 0."""

NEUTRAL_VERTEX_M = 1.75
"""Height of the base model's vertex above its soles in neutral."""
