"""The subject as URDF and as transforms for /tf: a link for each body, one revolute joint for each hinge.

Bodies keep OpenSim's names. Where a body has several hinges, links without mass stand between them, named after the
hinge that moves them (`hip_flexion_r_link`). The root link is the pelvis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from ..rotations import matrix_from_xyzw, xyzw_from_wxyz
from .base import BASE_MODEL, base_mujoco_model
from .kinematics import JOINT_BODY
from .names import BODY_NAMES, JOINT_NAMES
from .scaling import body_scales, subject_axes, subject_positions
from .subject import Subject

_EFFORT_NM = 1000.0
_VELOCITY_RAD_S = 100.0
"""URDF wants both; nothing of ours uses them."""


@dataclass(frozen=True, eq=False)
class LinkTree:
    """The transforms that place every link: the pelvis in world, then one for each joint in JOINT_NAMES' order."""

    parents: tuple[str, ...]
    """(35,) parent link; 'world' for the pelvis."""
    children: tuple[str, ...]
    """(35,) child link."""
    origins_m: np.ndarray
    """(34, 3) position of each joint in its parent link."""
    axes: np.ndarray
    """(34, 3) unit axis of each joint in its own frame."""

    def transforms(self, qpos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions (35, 3) (m) and quaternions x y z w (35, 4) of the children in their parents at a pose (41,)."""
        qpos = np.asarray(qpos, dtype=float)
        position = np.concatenate([qpos[None, :3], self.origins_m])
        half = 0.5 * qpos[7:, None]
        quaternion = np.empty((len(self.children), 4))
        quaternion[0, :3], quaternion[0, 3] = qpos[4:7], qpos[3]
        quaternion[1:, :3], quaternion[1:, 3:] = np.sin(half) * self.axes, np.cos(half)
        return position, quaternion


def link_tree(subject: Subject) -> LinkTree:
    """The scaled subject's links; made once for a subject."""
    body_pos, model = subject_positions(subject), base_mujoco_model()
    parents, children, origins = ["world"], ["pelvis"], np.zeros((len(JOINT_NAMES), 3))
    for joint, (name, body) in enumerate(zip(JOINT_NAMES, JOINT_BODY, strict=True)):
        first, last = (
            edge in (0, len(JOINT_NAMES)) or JOINT_BODY[edge - 1] != JOINT_BODY[edge] for edge in (joint, joint + 1)
        )
        if first:
            origins[joint] = body_pos[body]
        parents.append(_body_name(model.body_parentid[body]) if first else children[-1])
        children.append(_body_name(body) if last else f"{name}_link")
    return LinkTree(tuple(parents), tuple(children), origins, subject_axes(subject))


def urdf_text(subject: Subject) -> str:
    """URDF of the scaled subject: names, limits, inertias, and its capsules as visual geometry."""
    tree, model = link_tree(subject), base_mujoco_model()
    robot = ElementTree.Element("robot", name=BASE_MODEL)
    material = ElementTree.SubElement(robot, "material", name="skin")
    ElementTree.SubElement(material, "color", rgba="0.8 0.7 0.6 1")
    for link in tree.children:
        element = ElementTree.SubElement(robot, "link", name=link)
        if link in BODY_NAMES:
            _add_inertial(element, subject, 1 + BODY_NAMES.index(link))
            _add_visuals(element, subject, 1 + BODY_NAMES.index(link))
    for joint, name in enumerate(JOINT_NAMES):
        element = ElementTree.SubElement(robot, "joint", name=name, type="revolute")
        ElementTree.SubElement(element, "parent", link=tree.parents[1 + joint])
        ElementTree.SubElement(element, "child", link=tree.children[1 + joint])
        ElementTree.SubElement(element, "origin", xyz=_text(tree.origins_m[joint]), rpy="0 0 0")
        ElementTree.SubElement(element, "axis", xyz=_text(tree.axes[joint]))
        lower, upper = model.jnt_range[1 + joint]
        limits = {"lower": lower, "upper": upper, "effort": _EFFORT_NM, "velocity": _VELOCITY_RAD_S}
        ElementTree.SubElement(element, "limit", {key: _text([value]) for key, value in limits.items()})
    ElementTree.indent(robot)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(robot, encoding="unicode") + "\n"


def scaled_inertia(subject: Subject, body: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Mass (kg), centre of mass (3,) (m) and inertia about it (3, 3) (kg m^2) in the body's frame, for a MuJoCo id.

    Density is uniform under scaling: the second moments of mass M = tr(I)/2 - I stretch as S M S.
    """
    model, stretch = base_mujoco_model(), body_scales(subject.scales)[body]
    share = subject.mass_kg / model.body_mass.sum()
    principal = _matrix(model.body_iquat[body])
    inertia = principal @ np.diag(model.body_inertia[body]) @ principal.T
    moments = 0.5 * np.trace(inertia) * np.eye(3) - inertia
    moments = share * stretch[:, None] * moments * stretch[None, :]
    return share * model.body_mass[body], model.body_ipos[body] * stretch, np.trace(moments) * np.eye(3) - moments


def scaled_capsules(subject: Subject, body: int) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Ends (3,), (3,) and radius (m) of each capsule of a body (MuJoCo's id), in its frame."""
    model, stretch = base_mujoco_model(), body_scales(subject.scales)[body]
    capsules = []
    for geom in np.flatnonzero(model.geom_bodyid == body):
        half = model.geom_size[geom, 1] * _matrix(model.geom_quat[geom])[:, 2]
        ends = (model.geom_pos[geom] - half) * stretch, (model.geom_pos[geom] + half) * stretch
        capsules.append((*ends, float(model.geom_size[geom, 0] * stretch.mean())))
    return capsules


def _add_inertial(link: ElementTree.Element, subject: Subject, body: int) -> None:
    mass, centre, inertia = scaled_inertia(subject, body)
    inertial = ElementTree.SubElement(link, "inertial")
    ElementTree.SubElement(inertial, "origin", xyz=_text(centre), rpy="0 0 0")
    ElementTree.SubElement(inertial, "mass", value=_text([mass]))
    entries = {f"i{a}{b}": _text([inertia[i, j]]) for i, a in enumerate("xyz") for j, b in enumerate("xyz") if i <= j}
    ElementTree.SubElement(inertial, "inertia", entries)


def _add_visuals(link: ElementTree.Element, subject: Subject, body: int) -> None:
    """Each capsule as a cylinder and two spheres, which is what URDF has."""
    for start, end, radius in scaled_capsules(subject, body):
        along = end - start
        length = float(np.linalg.norm(along))
        x, y, z = along / length
        turn = (-np.arcsin(np.clip(y, -1.0, 1.0)), np.arctan2(x, z), 0.0)  # takes the cylinder's z to `along`
        _add_visual(link, (start + end) / 2, turn, "cylinder", radius=_text([radius]), length=_text([length]))
        for ball in (start, end):
            _add_visual(link, ball, (0.0, 0.0, 0.0), "sphere", radius=_text([radius]))


def _add_visual(
    link: ElementTree.Element, centre: np.ndarray, turn_rad: tuple[float, float, float], shape: str, **size: str
) -> None:
    visual = ElementTree.SubElement(link, "visual")
    ElementTree.SubElement(visual, "origin", xyz=_text(centre), rpy=_text(turn_rad))
    ElementTree.SubElement(ElementTree.SubElement(visual, "geometry"), shape, size)
    ElementTree.SubElement(visual, "material", name="skin")


def _body_name(body: int) -> str:
    return BODY_NAMES[body - 1]


def _matrix(quaternion_wxyz: np.ndarray) -> np.ndarray:
    return matrix_from_xyzw(xyzw_from_wxyz(quaternion_wxyz))


def _text(numbers: Iterable[float]) -> str:
    return " ".join(f"{x:.9g}" for x in numbers)
