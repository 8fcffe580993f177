"""How tall the person in view is, compared with the subject, from lengths that no posture changes. K keypoints."""

from __future__ import annotations

import numpy as np

from ..cameras.association import Group

SHORTEST_M = 0.2
"""Lengths below this say little about the stature."""
STRETCH = 0.01
"""SD over the postures, relative to the length, up to which two points keep their distance."""
FEWEST_LENGTHS = 3


def rigid_pairs(sites_m: np.ndarray, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of keypoints (N, 2) that keep their distance over postures (..., K, 3), and the distances (N,) m."""
    some = sites_m.reshape(-1, *sites_m.shape[-2:])[::7]
    first, second = np.triu_indices(len(used), 1)
    both = used[first] & used[second]
    first, second = first[both], second[both]
    lengths_m = np.linalg.norm(some[:, first] - some[:, second], axis=-1)
    mean = lengths_m.mean(0)
    keep = (mean > SHORTEST_M) & (lengths_m.std(0) < STRETCH * mean)
    return np.stack([first[keep], second[keep]], axis=1), mean[keep]


def stature_ratio(group: Group, pairs: np.ndarray, lengths_m: np.ndarray) -> float:
    """Median of the person's lengths over the subject's; NaN when fewer than three are known."""
    known = group.known[pairs].all(1)
    if known.sum() < FEWEST_LENGTHS:
        return float("nan")
    ends = group.points_m[pairs[known]]
    return float(np.median(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1) / lengths_m[known]))
