"""Somebody else, who walks straight through the volume again and again while the subject does what it does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .detector import detect
from .person import person_subject
from .skeleton import build_skeleton
from .virtual_rig import SimulatedSession, true_view
from .walker import walk

CROSSING_S = 8.0
"""From one end to the other, past the middle after half of it."""
SPEED_M_S = 1.25
OTHER_PERSON = 1_000_003
"""Added to the seed."""


@dataclass(frozen=True, eq=False)
class Bystander:
    """One crossing. F frames, C cameras, K keypoints."""

    keypoints: np.ndarray
    """(F, C, K, 3) u, v, confidence, as the subject's."""
    sites_m: np.ndarray
    """(F, K, 3)"""


@lru_cache(maxsize=4)
def bystander(session: SimulatedSession, beside_m: float) -> Bystander:
    """Who walks along x, `beside_m` to the left of the middle, before the session's cameras; fixed by its seed."""
    seed = (session.settings.seed + OTHER_PERSON) % 2**31
    settings = dataclasses.replace(
        session.settings, path="line", seconds=CROSSING_S, speed_m_s=SPEED_M_S, seed=seed, person_seed=-1, jitter_s=0.0
    )
    subject = person_subject(settings)
    motion = walk(settings, subject)
    motion.qpos[:, 1] += beside_m
    skeleton = build_skeleton(subject, session.keypoint_set)
    together = np.repeat(motion.stamps_s[:, None], settings.cameras, axis=1)
    view = true_view(settings, skeleton, motion, session.rig_true, together)
    return Bystander(detect(settings, session.keypoint_set, view)[0], skeleton.sites_m(motion.qpos))
