"""Scaling: how the subject's ten scale factors stretch the base model. Plain NumPy, done once per subject.

A body's scale is s = 1 + sum_k mix[:, k] beta_k, one number per axis of its own frame. Its position in the parent is
multiplied by the PARENT's s, what it carries (sites, geoms) by its OWN. Then come the subject's own joint centres.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from .base import NEUTRAL_QPOS, base_mujoco_model, base_sites
from .names import BODY_NAMES, SCALE_NAMES
from .personal import PERSONAL, personal_axes, personal_positions

if TYPE_CHECKING:
    from .subject import Subject

SOLE_SITES = tuple(
    f"{site}_{side}"
    for side in "rl"
    for site in ("sole_heel", "sole_first_metatarsal", "sole_fifth_metatarsal", "sole_big_toe")
)
"""Sites of the base model where the soles meet the floor, by side."""

_LEG = ("tibia", "talus", "calcn", "toes")
_ARM = ("humerus", "ulna", "radius", "hand")


@cache
def scale_mix() -> np.ndarray:
    """(22, 3, 10) derivative of each body's scale (world first, then BODY_NAMES; axes of the body) by each factor."""
    mix = np.zeros((1 + len(BODY_NAMES), 3, len(SCALE_NAMES)))

    def stretch(factor: str, bodies: tuple[str, ...], axes: slice = slice(None)) -> None:
        for body in bodies:
            mix[1 + BODY_NAMES.index(body), axes, SCALE_NAMES.index(factor)] = 1.0

    stretch("overall", BODY_NAMES)
    stretch("pelvis", ("pelvis",))
    for side in "rl":
        stretch(f"thigh_{side}", (f"femur_{side}",))
        stretch(f"leg_{side}", tuple(f"{body}_{side}" for body in _LEG))
        stretch(f"arm_{side}", tuple(f"{body}_{side}" for body in _ARM))
    stretch("trunk_length", ("torso",), slice(2, 3))
    stretch("shoulder_width", ("torso",), slice(1, 2))
    mix.setflags(write=False)
    return mix


def body_scales(scales: np.ndarray) -> np.ndarray:
    """(22, 3) scale of each body along its own axes, world first, for factors `scales` (10,) by SCALE_NAMES."""
    return 1.0 + scale_mix() @ np.asarray(scales, dtype=float)


def scaled_body_positions(scales: np.ndarray) -> np.ndarray:
    """(22, 3) position of each body in its parent's frame (m), MuJoCo's ids, world first."""
    model = base_mujoco_model()
    return model.body_pos * body_scales(scales)[model.body_parentid]


def subject_positions(subject: Subject) -> np.ndarray:
    """(22, 3) position of each body in its parent's frame (m): scaled, with the subject's own joint centres."""
    scaled = scaled_body_positions(subject.scales)
    return scaled if subject.personal is None else personal_positions(scaled, subject.personal)


def subject_axes(subject: Subject) -> np.ndarray:
    """(34, 3) unit axis of each hinge in its body's frame, the subject's own."""
    return personal_axes(np.zeros(PERSONAL) if subject.personal is None else subject.personal)


def standing_pelvis_height_m(subject: Subject) -> float:
    """Height of the pelvis' origin above the lower sole, upright with every joint at 0."""
    return -float(_neutral_sites(subject, SOLE_SITES)[:, 2].min())


def standing_height_m(subject: Subject) -> float:
    """Stature by the scaled model: vertex above the lower sole, upright with every joint at 0."""
    return float(_neutral_sites(subject, ("vertex",))[0, 2]) + standing_pelvis_height_m(subject)


def neutral_qpos(subject: Subject) -> np.ndarray:
    """(41,) the subject upright at the origin of world, facing x, soles on z = 0."""
    qpos = NEUTRAL_QPOS.copy()
    qpos[2] = standing_pelvis_height_m(subject)
    return qpos


def _neutral_sites(subject: Subject, names: tuple[str, ...]) -> np.ndarray:
    """Positions (N, 3) of sites relative to the pelvis in neutral, where every body is parallel to world."""
    scale, origin = body_scales(subject.scales), subject_positions(subject)
    origin[:2] = 0.0
    for body in range(2, len(origin)):
        origin[body] += origin[base_mujoco_model().body_parentid[body]]
    landmarks = base_sites(names)
    body = np.array([1 + BODY_NAMES.index(name) for name in landmarks.bodies])
    return origin[body] + landmarks.positions_m * scale[body]
