"""The subject as URDF and as transforms for /tf: a link for each body, one revolute joint for each hinge.

Bodies keep OpenSim's names. Where a body has several hinges, links without mass stand between them, named after the
hinge that moves them (`hip_flexion_r_link`). The root link is the pelvis. The meshes are those of meshes.py, stretched
by the URDF's own scale attribute: a new subject needs no new files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from .base import BASE_MODEL, base_mujoco_model
from .inertias import centres_of_mass_m, segment_inertias_kg_m2, segment_masses_kg
from .kinematics import JOINT_BODY
from .meshes import mesh_colour, mesh_path
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
    """URDF of the scaled subject: names, limits, inertias (de Leva's), and meshes by their place in a ROS install."""
    tree, model = link_tree(subject), base_mujoco_model()
    stretch = body_scales(subject.scales)[1:]
    inertials = segment_masses_kg(subject.mass_kg), centres_of_mass_m(subject), segment_inertias_kg_m2(subject)
    robot = ElementTree.Element("robot", name=BASE_MODEL)
    for link in tree.children:
        element = ElementTree.SubElement(robot, "link", name=link)
        if link in BODY_NAMES:
            body = BODY_NAMES.index(link)
            _add_inertial(element, *(values[body] for values in inertials))
            _add_visual(element, link, stretch[body])
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


def _add_inertial(link: ElementTree.Element, mass_kg: float, centre_m: np.ndarray, inertia: np.ndarray) -> None:
    inertial = ElementTree.SubElement(link, "inertial")
    ElementTree.SubElement(inertial, "origin", xyz=_text(centre_m), rpy="0 0 0")
    ElementTree.SubElement(inertial, "mass", value=_text([mass_kg]))
    entries = {f"i{a}{b}": _text([inertia[i, j]]) for i, a in enumerate("xyz") for j, b in enumerate("xyz") if i <= j}
    ElementTree.SubElement(inertial, "inertia", entries)


def _add_visual(link: ElementTree.Element, body: str, stretch: np.ndarray) -> None:
    """The segment's mesh, stretched; its file is the same for everybody."""
    visual = ElementTree.SubElement(link, "visual")
    ElementTree.SubElement(visual, "origin", xyz="0 0 0", rpy="0 0 0")
    geometry = ElementTree.SubElement(visual, "geometry")
    ElementTree.SubElement(geometry, "mesh", filename=mesh_path(body), scale=_text(stretch))
    material = ElementTree.SubElement(visual, "material", name=f"{body}_skin")
    ElementTree.SubElement(material, "color", rgba=_text([*mesh_colour(body), 1.0]))


def _body_name(body: int) -> str:
    return BODY_NAMES[body - 1]


def _text(numbers: Iterable[float]) -> str:
    return " ".join(f"{x:.9g}" for x in numbers)
