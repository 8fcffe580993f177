"""A person's stature from how far apart their keypoints are, before any fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .body.base import JOINT_LOWER_RAD, JOINT_UPPER_RAD, NEUTRAL_QPOS, NEUTRAL_VERTEX_M
from .body.model import sites
from .body.subject import subject_from_height
from .cameras.association import groups
from .following import Follower, body_of
from .keypoints import KeypointSet

if TYPE_CHECKING:
    from .session import Trial

INSTANTS = 12
"""Frame sets of each trial that are looked at."""
RIGID = 0.03
"""Pairs of keypoints whose distance varies by less than this share over postures."""
SHORTEST_M = 0.12
LIMITS_M = (0.6, 2.4)


def rigid_pairs(keypoint_set: KeypointSet) -> tuple[np.ndarray, np.ndarray]:
    """(P, 2) pairs of keypoints whose distance hardly depends on the posture, and (P,) that distance on the base model
    (m)."""
    rng = np.random.default_rng(0)
    poses = np.tile(np.asarray(NEUTRAL_QPOS, np.float32), (64, 1))
    share = rng.uniform(0.0, 0.6, (64, len(JOINT_LOWER_RAD)))
    upward = rng.random((64, len(JOINT_LOWER_RAD))) < 0.5
    poses[:, 7:] = np.where(upward, share * JOINT_UPPER_RAD, share * np.minimum(JOINT_LOWER_RAD, 0.0))
    places = np.asarray(sites(body_of(subject_from_height(NEUTRAL_VERTEX_M, keypoint_set), keypoint_set), poses))
    apart = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1)
    mean, spread = apart.mean(0), apart.std(0)
    used = np.asarray(keypoint_set.weights) > 0
    good = (spread < RIGID * mean) & (mean > SHORTEST_M) & used[:, None] & used[None]
    pairs = np.argwhere(np.triu(good, 1))
    return pairs, mean[pairs[:, 0], pairs[:, 1]]


def guess_stature_m(follower: Follower, trials: Sequence[Trial]) -> float:
    """Stature (m) of the base model whose rigid pairs are as far apart as those triangulated; 1.75 without any."""
    pairs, base_m = rigid_pairs(follower.keypoint_set)
    ratios = []
    for trial in trials:
        step = max(1, len(trial.frame_sets) // INSTANTS)
        for frame_set in trial.frame_sets[::step]:
            for group in groups(follower.rays(trial.rig, frame_set))[:1]:
                both = group.known[pairs].all(1)
                ends_m = group.points_m[pairs[both]]
                ratios.extend(np.linalg.norm(ends_m[:, 0] - ends_m[:, 1], axis=-1) / base_m[both])
    if not ratios:
        return NEUTRAL_VERTEX_M
    return float(np.clip(np.median(ratios) * NEUTRAL_VERTEX_M, *LIMITS_M))
