"""How far from the line on which the other camera sees it does a point lie? Needs no scale and no triangulation."""

from __future__ import annotations

import numpy as np

from .setup import Setup
from .streams import Seen

FEWEST_POINTS = 40
"""Seen by both cameras; a pair with fewer is not judged."""

NO_BASELINE = 1e-4
"""Distance of two optical centres, as a share of theirs from the origin, below which there is no epipolar line."""


def distances_px(
    x_a: np.ndarray, x_b: np.ndarray, pose_a: tuple[np.ndarray, np.ndarray], pose_b: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """(..., K) of normalised points x_a, x_b (..., K, 2) from each other's lines, in units of the focal length.

    With rays d = R (x, y, 1) and baseline b = o_b - o_a: the line in a is a_n = R_a' (b x d_b), distance
    |a_n . x_a| / |a_n,xy|.
    """
    d_a, d_b = _rays(x_a, pose_a[0]), _rays(x_b, pose_b[0])
    baseline = pose_b[1] - pose_a[1]
    volume = np.abs(np.sum(np.cross(d_a, d_b) * baseline, axis=-1))
    found = []
    for rotation, other, own in ((pose_a[0], d_b, x_a), (pose_b[0], d_a, x_b)):
        line = np.cross(baseline, other) @ rotation
        size = np.linalg.norm(line[..., :2], axis=-1)
        far = np.linalg.norm(own, axis=-1) > 10.0
        found.append(np.where(far, np.inf, volume / np.maximum(size, 1e-12)))
    return found[0], found[1]


def pair_px(x_a: np.ndarray, x_b: np.ndarray, both: np.ndarray, a: Pose, b: Pose) -> float:
    """Median distance (px) over (F, P, Q, K) combinations of people, the best combination at each instant.

    x_a (F, P, K, 2), x_b (F, Q, K, 2), both (F, P, Q, K) bool. NaN with too few points.
    """
    best = agreeing_px(both, x_a, x_b, a, b)
    return float(np.median(best)) if len(best) >= FEWEST_POINTS else float("nan")


class Pose:
    """Rotation (3, 3) world from camera, centre (3,) and focal length (px) of a camera."""

    __slots__ = ("centre", "focal_px", "rotation")

    def __init__(self, rotation: np.ndarray, centre: np.ndarray, focal: float) -> None:
        self.rotation, self.centre, self.focal_px = rotation, centre, focal


def poses(setup: Setup) -> list[Pose]:
    """Of each camera."""
    rows = zip(setup.rotation, setup.centre_m, setup.focal_px, strict=True)
    return [Pose(rotation, centre, float(focal)) for rotation, centre, focal in rows]


def pair_matrix(setup: Setup, seen: list[Seen], only: int | None = None) -> np.ndarray:
    """(C, C) symmetric, NaN where not judged; `only`: the row and column of one camera, the rest NaN."""
    count = len(setup.cameras)
    points = [setup.normalised(index, one.image_px) for index, one in enumerate(seen)]
    pose = poses(setup)
    matrix = np.full((count, count), np.nan)
    for a in range(count):
        for b in range(a + 1, count):
            if only is None or only in (a, b):
                both = together(seen[a], seen[b])
                matrix[a, b] = matrix[b, a] = pair_px(points[a], points[b], both, pose[a], pose[b])
    return matrix


def together(a: Seen, b: Seen) -> np.ndarray:
    """(F, P, Q, K) bool: seen by both."""
    return (a.weight[:, :, None] > 0) & (b.weight[:, None] > 0)


def agreeing_px(both: np.ndarray, x_a: np.ndarray, x_b: np.ndarray, a: Pose, b: Pose) -> np.ndarray:
    """(N,) distances (px) of the points of the two people that agree best, at each instant."""
    apart_a, apart_b = distances_px(x_a[:, :, None], x_b[:, None], (a.rotation, a.centre), (b.rotation, b.centre))
    apart = 0.5 * (a.focal_px * apart_a + b.focal_px * apart_b)
    scale = max(float(np.linalg.norm(a.centre)), float(np.linalg.norm(b.centre)), 1e-9)
    if np.linalg.norm(a.centre - b.centre) < NO_BASELINE * scale:
        return np.zeros(0)
    if both.shape[1] == both.shape[2] == 1:
        return apart[both]
    hidden = np.where(both, apart, np.nan)
    enough = both.sum(-1) > 0
    medians = np.full(both.shape[:-1], np.inf)
    medians[enough] = np.nanmedian(hidden[enough], axis=-1)
    flat = medians.reshape(len(medians), -1)
    rows, best = np.arange(len(flat)), flat.argmin(1)
    chosen = hidden.reshape(len(flat), -1, both.shape[-1])[rows, best]
    return chosen[np.isfinite(chosen)]


def _rays(x: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    return x @ rotation[:, :2].T + rotation[:, 2]
