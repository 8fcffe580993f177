"""The simulated person: stature as asked, segment lengths and keypoint sites of their own. The seed fixes both."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np

from ..body.names import SCALE_NAMES
from ..body.soft_tissue import sliding_keypoints
from ..body.subject import Subject, subject_from_height
from ..keypoints import KeypointSet, load_keypoint_set
from ..settings import SimulationSettings
from .skeleton import build_skeleton

HARD_SCALE = 0.12
"""Half width of the uniform distribution of a hard person's segment lengths."""
HARD_OFFSET_SD_M = 0.015
SIDE_SHARE = 0.1
"""Left and right differ by this share of the spread between people (Auerbach & Ruff, J. Hum. Evol. 50:203, 2006)."""


def person_subject(settings: SimulationSettings) -> Subject:
    """The true subject: scales about those of the stature, offsets of every used keypoint."""
    keypoint_set = load_keypoint_set(settings.keypoint_set)
    seed = person_seed(settings)
    scale_rng, offset_rng = (np.random.default_rng([seed, stream]) for stream in (10, 11))
    person = dataclasses.replace(
        subject_from_height(settings.height_m, keypoint_set, name=f"simulated_{seed}"),
        scales=_segment_scales(settings, scale_rng),
        offsets_m=_offsets_m(settings, keypoint_set, offset_rng),
        soft_tissue_m_per_rad=_slides(settings, keypoint_set, np.random.default_rng([seed, 12])),
    )
    return _with_stature(person, keypoint_set, settings.height_m)


def person_seed(settings: SimulationSettings) -> int:
    """What fixes the person's body and manner."""
    return settings.seed if settings.person_seed < 0 else settings.person_seed


def _segment_scales(settings: SimulationSettings, rng: np.random.Generator) -> np.ndarray:
    """(10,) by SCALE_NAMES, `overall` 0: the sides of a limb nearly equal."""
    if settings.hard_person:
        both, own = (rng.uniform(-HARD_SCALE, HARD_SCALE, len(SCALE_NAMES)) for _ in range(2))
    else:
        both, own = (settings.scale_sd * rng.standard_normal(len(SCALE_NAMES)) for _ in range(2))
    limbs = [name.removesuffix("_r").removesuffix("_l") for name in SCALE_NAMES]
    scales = both[[limbs.index(limb) for limb in limbs]]
    paired = np.array([limbs.count(limb) > 1 for limb in limbs])
    scales = np.where(paired, scales + SIDE_SHARE * own, scales)
    scales[SCALE_NAMES.index("overall")] = 0.0
    return scales


def _offsets_m(
    settings: SimulationSettings, keypoint_set: KeypointSet, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """(3,) by keypoint name."""
    spread_m = HARD_OFFSET_SD_M if settings.hard_person else settings.offset_sd_mm / 1e3
    offsets_m = spread_m * rng.standard_normal((len(keypoint_set), 3))
    named = zip(keypoint_set.names, keypoint_set.bodies, offsets_m, strict=True)
    return {name: offset for name, body, offset in named if body}


def _slides(settings: SimulationSettings, keypoint_set: KeypointSet, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """(3,) in m/rad by keypoint name; none where no skin is to slide."""
    if settings.soft_tissue_mm == 0.0:
        return {}
    sliding = sliding_keypoints(keypoint_set)
    slides = settings.soft_tissue_mm / 1e3 * rng.standard_normal((len(sliding), 3))
    return {keypoint_set.names[index]: slide for index, slide in zip(sliding, slides, strict=True)}


def _with_stature(person: Subject, keypoint_set: KeypointSet, height_m: float) -> Subject:
    """`overall` such that the person is as tall as asked; stature is linear in it."""

    def scaled(overall: float) -> Subject:
        scales = person.scales.copy()
        scales[SCALE_NAMES.index("overall")] = overall
        return dataclasses.replace(person, scales=scales)

    at_zero, at_one = (stature_m(scaled(overall), keypoint_set) for overall in (0.0, 1.0))
    return scaled((height_m - at_zero) / (at_one - at_zero))


def stature_m(subject: Subject, keypoint_set: KeypointSet) -> float:
    """Vertex above the soles in neutral standing (mean of both feet)."""
    skeleton = build_skeleton(subject, keypoint_set)
    position, _ = skeleton.poses(skeleton.model.qpos0[None])
    head = mujoco.mj_name2id(skeleton.model, mujoco.mjtObj.mjOBJ_BODY, "head")
    vertex = position[0, head, 2] + skeleton.body_scale[head, 2] * skeleton.model.site("vertex").pos[2]
    return float(vertex - skeleton.soles_m(skeleton.model.qpos0[None])[0, :, :, 2].mean())
