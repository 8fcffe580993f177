"""The body as REP-155 (ROS4HRI) has it: 20 joints of a simpler human, projected from ours, and their URDF.

REP-155's human (its section "Kinematic Model of the Human", package human_description) has the frame body_<id> midway
between the hips, a trunk that only bends forward, and limbs of z-x-z (arms) and z-x-y (legs) joints that hang along -z
at zero. Thighs, shanks and upper arms point where ours do, at any pose, and so do forearms at elbows that are bent by
more than `_STRAIGHT` (11.5 degrees); at straighter ones the elbow's axis follows the humerus instead, and a forearm is
up to 12 degrees off. What that model cannot do (bend the trunk sideways, turn forearms and feet) is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from ..rotations import matrix_from_xyzw
from .subject import Subject
from .urdf import LinkTree, link_tree

_SIDES = (("l", 1), ("r", -1))
"""REP-155's axes are mirrored: the left side's sign is +1."""
_STRAIGHT = 0.2
"""Sine of the elbow's angle below which the humerus' own rotation counts more and more, not the plane of the arm."""
_HEAD_M = 0.1
"""From the neck's joint to the middle of the head."""
_THIN_M = 0.03
_LIMITS = {"lower": "-3.2", "upper": "3.2", "effort": "1000", "velocity": "100"}
"""URDF wants them."""

Pose = tuple[np.ndarray, np.ndarray]
"""Rotation (3, 3) and position (3,) in world."""


@dataclass(frozen=True)
class HriJoint:
    """One joint of REP-155's human; names without the suffix _<id>."""

    name: str
    parent: str
    child: str
    axis: tuple[int, int, int] | None
    """None: fixed."""


def _limbs() -> list[HriJoint]:
    """Arms, then legs; the left side first."""
    found = []
    for root, first, second, last, turns in (
        ("torso", "shoulder", "elbow", "wrist", lambda s: ((0, 0, -s), (s, 0, 0), (0, 0, s))),
        ("body", "hip", "knee", "ankle", lambda s: ((0, 0, -1), (s, 0, 0), (0, -1, 0))),
    ):
        for side, sign in _SIDES:
            links = (root, *(f"{side}_{link}" for link in (f"y_{first}", f"p_{first}", first, second, last)))
            names = [f"{side}_{name}" for name in (f"y_{first}", f"p_{first}", f"r_{first}", second, last)]
            axes = (*turns(sign), (0, -1, 0), None)
            found += [HriJoint(*row) for row in zip(names, links, links[1:], axes, strict=False)]
    return found


HRI_TREE = (
    HriJoint("waist", "body", "waist", (0, 1, 0)),
    HriJoint("torso", "waist", "torso", None),
    HriJoint("r_head", "torso", "r_head", (1, 0, 0)),
    HriJoint("y_head", "r_head", "y_head", (0, 0, 1)),
    HriJoint("p_head", "y_head", "p_head", (0, -1, 0)),
    HriJoint("head", "p_head", "head", None),
    *_limbs(),
)
HRI_JOINTS = tuple(joint.name for joint in HRI_TREE if joint.axis is not None)
"""The 20 that move, in the order of `HriBody.angles`."""


class HriBody:
    """One subject's body in REP-155's terms."""

    def __init__(self, subject: Subject) -> None:
        self._tree: LinkTree = link_tree(subject)

    def root(self, qpos: np.ndarray) -> Pose:
        """Frame body_<id> at a pose (41,): midway between the hips, turned as the pelvis."""
        bodies = self._poses(qpos)
        return bodies["pelvis"][0], _middle(bodies, "femur")

    def angles(self, qpos: np.ndarray) -> np.ndarray:
        """(20,) joint angles (rad) by HRI_JOINTS at a pose (41,)."""
        bodies = self._poses(qpos)
        pelvis = bodies["pelvis"][0]
        up = pelvis.T @ bodies["torso"][0][:, 2]
        waist = math.atan2(up[0], up[2])
        cos, sin = math.cos(waist), math.sin(waist)
        trunk = pelvis @ np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
        angles = [waist, *_head(trunk.T @ bodies["head"][0])]
        for side, sign in _SIDES:
            angles += _arm(trunk, bodies, side, sign)
        for side, sign in _SIDES:
            angles += _leg(pelvis, bodies, side, sign)
        return np.array(angles)

    def urdf(self, identity: str) -> str:
        """URDF of REP-155's links and joints, each suffixed with _<identity>, in the subject's lengths."""
        origins, lengths = self._sizes()
        robot = ElementTree.Element("robot", name=f"human_{identity}")
        for link in ("body", *(joint.child for joint in HRI_TREE)):
            _add_link(robot, f"{link}_{identity}", lengths.get(link))
        for joint in HRI_TREE:
            origin = origins.get(joint.name, np.zeros(3))
            kind = "fixed" if joint.axis is None else "revolute"
            element = ElementTree.SubElement(robot, "joint", name=f"{joint.name}_{identity}", type=kind)
            ElementTree.SubElement(element, "parent", link=f"{joint.parent}_{identity}")
            ElementTree.SubElement(element, "child", link=f"{joint.child}_{identity}")
            ElementTree.SubElement(element, "origin", xyz=" ".join(f"{x:.6g}" for x in origin), rpy="0 0 0")
            if joint.axis is not None:
                ElementTree.SubElement(element, "axis", xyz=" ".join(map(str, joint.axis)))
                ElementTree.SubElement(element, "limit", _LIMITS)
        ElementTree.indent(robot)
        return '<?xml version="1.0"?>\n' + ElementTree.tostring(robot, encoding="unicode") + "\n"

    def _sizes(self) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Origins (3,) of joints by name where they are not zero, and lengths of limbs (m) by link."""
        bodies = self._poses(np.eye(1, 41, 3)[0])
        hips, shoulders = _middle(bodies, "femur"), _middle(bodies, "humerus")
        up, trunk_m = np.array([0.0, 0.0, 1.0]), shoulders[2] - hips[2]
        origins = {"torso": trunk_m * up, "r_head": (bodies["head"][1][2] - shoulders[2]) * up, "head": _HEAD_M * up}
        lengths = {"torso": -trunk_m}
        limbs = (("hip", "knee", "ankle", "femur tibia talus"), ("shoulder", "elbow", "wrist", "humerus ulna hand"))
        for side, sign in _SIDES:
            for first, second, last, parts in limbs:
                places = [bodies[f"{part}_{side}"][1] for part in parts.split()]
                upper_m, lower_m = (float(np.linalg.norm(b - a)) for a, b in zip(places, places[1:], strict=False))
                origins[f"{side}_y_{first}"] = np.array([0.0, sign * abs(places[0][1] - hips[1]), 0.0])
                origins[f"{side}_{second}"], origins[f"{side}_{last}"] = -upper_m * up, -lower_m * up
                lengths[f"{side}_{first}"], lengths[f"{side}_{second}"] = -upper_m, -lower_m
        return origins, lengths

    def _poses(self, qpos: np.ndarray) -> dict[str, Pose]:
        """Every link in world, by name."""
        found = {"world": (np.eye(3), np.zeros(3))}
        positions_m, turns = self._tree.transforms(qpos)
        rows = zip(self._tree.parents, self._tree.children, positions_m, matrix_from_xyzw(turns), strict=True)
        for parent, child, position, turn in rows:
            rotation, origin = found[parent]
            found[child] = rotation @ turn, origin + rotation @ position
        return found


def _middle(bodies: dict[str, Pose], part: str) -> np.ndarray:
    """(3,) midway between the left and the right one."""
    return (bodies[f"{part}_l"][1] + bodies[f"{part}_r"][1]) / 2.0


def _head(turn: np.ndarray) -> list[float]:
    """roll, yaw, pitch of Rx(roll) Rz(yaw) Ry(-pitch)."""
    roll, yaw = math.atan2(turn[2, 1], turn[1, 1]), math.asin(np.clip(-turn[0, 1], -1.0, 1.0))
    return [roll, yaw, -math.atan2(turn[0, 2], turn[0, 0])]


def _arm(trunk: np.ndarray, bodies: dict[str, Pose], side: str, sign: int) -> list[float]:
    """y, p, r of Rz(-s y) Rx(s p) Rz(s r), p >= 0, and the elbow: the forearm's direction decides the rotation."""
    humerus = trunk.T @ _hanging(bodies, f"humerus_{side}", f"ulna_{side}")
    forearm = humerus.T @ trunk.T @ (bodies[f"hand_{side}"][1] - bodies[f"ulna_{side}"][1])
    forearm /= np.linalg.norm(forearm)
    bent = math.hypot(forearm[0], forearm[1])
    spin = math.atan2(forearm[1], forearm[0]) * min(1.0, (bent / _STRAIGHT) ** 2)
    cos, sin = math.cos(spin), math.sin(spin)
    turn = humerus @ np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    pitch = math.acos(np.clip(turn[2, 2], -1.0, 1.0))
    if math.sin(pitch) < 1e-3:
        first, last = 0.0, math.atan2(turn[1, 0], turn[0, 0])
    else:
        first = math.atan2(sign * turn[0, 2], -sign * turn[1, 2])
        last = math.atan2(sign * turn[2, 0], sign * turn[2, 1])
    return [-sign * first, pitch, sign * last, math.atan2(bent, -forearm[2])]


def _leg(pelvis: np.ndarray, bodies: dict[str, Pose], side: str, sign: int) -> list[float]:
    """y, p, r of Rz(-y) Rx(s p) Ry(-r), and the knee, bent below zero."""
    turn = pelvis.T @ _hanging(bodies, f"femur_{side}", f"tibia_{side}")
    shank = turn.T @ pelvis.T @ (bodies[f"talus_{side}"][1] - bodies[f"tibia_{side}"][1])
    yaw, pitch = -math.atan2(-turn[0, 1], turn[1, 1]), sign * math.asin(np.clip(turn[2, 1], -1.0, 1.0))
    return [yaw, pitch, -math.atan2(-turn[2, 0], turn[2, 2]), math.atan2(shank[0], -shank[2])]


def _hanging(bodies: dict[str, Pose], upper: str, lower: str) -> np.ndarray:
    """(3, 3) world from a limb whose -z runs from one joint to the next, its y as near to the body's as can be."""
    down = bodies[lower][1] - bodies[upper][1]
    up = -down / np.linalg.norm(down)
    forward = np.cross(bodies[upper][0][:, 1], up)
    forward /= np.linalg.norm(forward)
    return np.stack([forward, np.cross(up, forward), up], axis=1)


def _add_link(robot: ElementTree.Element, name: str, length_m: float | None) -> None:
    """With a length: a thin bar along z, from the joint on."""
    link = ElementTree.SubElement(robot, "link", name=name)
    if length_m is not None:
        visual = ElementTree.SubElement(link, "visual")
        ElementTree.SubElement(visual, "origin", xyz=f"0 0 {length_m / 2:.6g}", rpy="0 0 0")
        geometry = ElementTree.SubElement(visual, "geometry")
        ElementTree.SubElement(geometry, "cylinder", length=f"{abs(length_m):.6g}", radius=str(_THIN_M))
