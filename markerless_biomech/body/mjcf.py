"""The scaled subject as MJCF for MuJoCo: base_model.xml with this person's lengths, joint axes, inertias and sites."""

from __future__ import annotations

import mujoco
import numpy as np

from ..keypoints import KeypointSet
from .base import BASE_MODEL, base_mujoco_model, load_spec
from .inertias import centres_of_mass_m, segment_inertias_kg_m2, segment_masses_kg
from .names import BODY_NAMES, JOINT_NAMES
from .scaling import body_scales, neutral_qpos, subject_axes, subject_positions
from .subject import Subject


def mjcf_text(subject: Subject, keypoint_set: KeypointSet | None = None) -> str:
    """A file that stands by itself: joints, ranges and names of the base model, and a site `keypoint NAME` for each
    keypoint of the set that the subject's offsets are for."""
    spec = load_spec()
    spec.modelname = BASE_MODEL
    spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE
    _place_bodies(spec, subject)
    _set_inertias(spec, subject)
    _stretch_geometry(spec, subject)
    if keypoint_set is not None:
        _add_keypoints(spec, subject, keypoint_set)
    spec.compile()
    return spec.to_xml()


def _place_bodies(spec: mujoco.MjSpec, subject: Subject) -> None:
    for name, position in zip(BODY_NAMES, subject_positions(subject)[1:], strict=True):
        spec.body(name).pos = position
    spec.body("pelvis").pos = neutral_qpos(subject)[:3]
    for name, axis in zip(JOINT_NAMES, subject_axes(subject), strict=True):
        spec.joint(name).axis = axis


def _set_inertias(spec: mujoco.MjSpec, subject: Subject) -> None:
    inertials = segment_masses_kg(subject.mass_kg), centres_of_mass_m(subject), segment_inertias_kg_m2(subject)
    for name, mass_kg, centre_m, inertia in zip(BODY_NAMES, *inertials, strict=True):
        body = spec.body(name)
        body.explicitinertial = True
        body.mass, body.ipos = float(mass_kg), centre_m
        body.fullinertia = [inertia[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]


def _stretch_geometry(spec: mujoco.MjSpec, subject: Subject) -> None:
    """Capsules and sites with their body."""
    scale, model = body_scales(subject.scales), base_mujoco_model()
    for geom in spec.geoms:
        stretch = scale[model.body(geom.parent.name).id]
        geom.fromto = np.concatenate([geom.fromto[:3] * stretch, geom.fromto[3:] * stretch])
        geom.size = geom.size * stretch.mean()
        geom.mass = 0.0  # the bodies have theirs
    for site in spec.sites:
        site.pos = site.pos * scale[model.body(site.parent.name).id]


def _add_keypoints(spec: mujoco.MjSpec, subject: Subject, keypoint_set: KeypointSet) -> None:
    scale = body_scales(subject.scales)
    for name, body, position in zip(keypoint_set.names, keypoint_set.bodies, keypoint_set.positions_m, strict=True):
        if body:
            offset_m = subject.offsets_m.get(name, np.zeros(3))
            place = position * scale[1 + BODY_NAMES.index(body)] + offset_m
            spec.body(body).add_site(name=f"keypoint {name}", pos=place)
