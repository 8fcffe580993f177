"""Skin that slides: a keypoint on a thigh or a shank moves in its body's frame with the flexion of the joint above it.

    site = position + slide * (flexion - usual flexion)        slide (3,) in m/rad, along the body's axes

Linear, as in Bonci et al., J. Biomech. 47:2354, 2014. The thigh follows the hip (Camomilla et al., J. Biomech. 46:625,
2013), the shank the knee, over which its skin is drawn: each site depends on joints only that carry it anyway. The
usual flexion is fixed, the mean over a walking cycle: there the term is zero, so that a keypoint's offset is where it
sits in the mean, and means the same in every recording; where the mean is another, the offset takes up the difference.
"""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..keypoints import KeypointSet
from .names import BODY_NAMES, JOINT_NAMES
from .personal import PERSONAL

_DRIVING = {"femur": ("hip_flexion", 0.15), "tibia": ("knee_angle", 0.4)}
"""By segment: the joint that drives its skin, and the joint's usual flexion (rad; 9 and 23 degrees)."""

SLIDING_BODIES = tuple(f"{segment}_{side}" for side in "rl" for segment in _DRIVING)
"""Bodies whose skin slides."""

DRIVING_JOINT = np.zeros(1 + len(BODY_NAMES), dtype=np.int32)
"""(22,) index of the joint that drives each body's skin, by MuJoCo's id; 0, which never counts, for the others."""

USUAL_FLEXION_RAD = np.zeros(1 + len(BODY_NAMES), dtype=np.float32)
"""(22,) where that joint usually stands."""

for _body in SLIDING_BODIES:
    _joint, _usual_rad = _DRIVING[_body[:-2]]
    DRIVING_JOINT[1 + BODY_NAMES.index(_body)] = JOINT_NAMES.index(f"{_joint}{_body[-2:]}")
    USUAL_FLEXION_RAD[1 + BODY_NAMES.index(_body)] = _usual_rad


def sliding_keypoints(keypoint_set: KeypointSet) -> list[int]:
    """Indices of the keypoints on thighs and shanks."""
    return [index for index, body in enumerate(keypoint_set.bodies) if body in SLIDING_BODIES]


def slides_at_zero(keypoint_set: KeypointSet) -> dict[str, np.ndarray]:
    """Where a search for slides begins. Raises InputError in words where the set has no such keypoints."""
    names = [keypoint_set.names[index] for index in sliding_keypoints(keypoint_set)]
    if not names or 3 * len(names) == PERSONAL:  # so many numbers could not be told from those of personal joints
        raise InputError(
            f"--soft-tissue: keypoint set '{keypoint_set.name}' has {len(names)} keypoints on thighs and shanks; "
            f"expected some, and not {PERSONAL // 3}; leave the option out"
        )
    return {name: np.zeros(3) for name in names}


def slides_of(slides_m_per_rad: dict[str, np.ndarray], keypoint_set: KeypointSet) -> np.ndarray:
    """(K, 3) of all keypoints (m/rad); 0 where skin does not slide or nothing is known of it."""
    slides = np.zeros((len(keypoint_set), 3))
    for index in sliding_keypoints(keypoint_set):
        slides[index] = slides_m_per_rad.get(keypoint_set.names[index], np.zeros(3))
    return slides


def slid_m(slides: np.ndarray, site_body: np.ndarray, qpos: np.ndarray) -> np.ndarray:
    """(F, K, 3) how far sites with `slides` (K, 3) on bodies (K,) are from where they usually sit, at poses (F, 41)."""
    past_rad = qpos[:, 7 + DRIVING_JOINT[site_body]] - USUAL_FLEXION_RAD[site_body]
    return past_rad[..., None] * slides
