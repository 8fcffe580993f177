"""Whose points: which person of each camera is the subject, and whether left and right are the right way round.

While tracking, the prediction decides. At a cold start the group of people that agrees best across views does.
NumPy only; C cameras, K keypoints, P people (any number, in any order).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..keypoints import KeypointFrame

CONFIDENT = 0.3
"""Keypoints below this confidence take no part in deciding whose they are."""

FEWEST_KEYPOINTS = 4
"""A person with fewer confident keypoints in a view is not used there."""

CONSISTENT = 9.0
"""Mean square, in standard deviations, up to which a limb agrees with its prediction."""

CAP = 50.0
"""Squares are clipped here, so that one wild point decides nothing."""


@dataclass(frozen=True)
class Prediction:
    """Where the subject's keypoints are expected."""

    image_px: np.ndarray
    """(C, K, 2)"""
    valid: np.ndarray
    """(C, K)"""
    std_px: np.ndarray
    """(C,) standard deviation of a keypoint about its prediction."""


def nearest_people(
    frames: Mapping[str, KeypointFrame],
    index: Mapping[str, int],
    prediction: Prediction,
    gate: float,
    partners: np.ndarray | None = None,
) -> dict[str, int]:
    """For each camera the person with the least median distance from the prediction; -1: none is within the gate.

    With `partners` somebody whose left and right are exchanged is as near as if they were not.
    """
    chosen = dict.fromkeys(frames, -1)
    cameras = [name for name, frame in frames.items() if len(frame.points)]
    if not cameras:
        return chosen
    counts = [len(frames[name].points) for name in cameras]
    people = np.concatenate([frames[name].points for name in cameras])
    rows = np.repeat([index[name] for name in cameras], counts)
    usable = (people[..., 2] >= CONFIDENT) & prediction.valid[rows]
    ways = [prediction.image_px] if partners is None else [prediction.image_px, prediction.image_px[:, partners]]
    offset_px = people[:, None, :, :2] - np.stack(ways, 1)[rows]
    squared = offset_px[..., 0] ** 2 + offset_px[..., 1] ** 2
    median_px = np.sqrt(_median_where(squared, usable[:, None]).min(1))
    median_px[usable.sum(1) < FEWEST_KEYPOINTS] = np.inf
    begin = 0
    for name, count in zip(cameras, counts, strict=True):
        best = int(np.argmin(median_px[begin : begin + count]))
        if median_px[begin + best] < gate * prediction.std_px[index[name]]:
            chosen[name] = best
        begin += count
    return chosen


def _median_where(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(...) upper median over the last axis of what is known; infinite where nothing is."""
    ordered = np.sort(np.where(known, values, np.inf), axis=-1)
    middle = np.minimum(known.sum(-1, keepdims=True) // 2, values.shape[-1] - 1)
    return np.take_along_axis(ordered, np.broadcast_to(middle, (*ordered.shape[:-1], 1)), -1)[..., 0]


@dataclass(frozen=True)
class Sides:
    """Keypoints after the test of left against right."""

    image_px: np.ndarray
    """(C, K, 2)"""
    weight: np.ndarray
    """(C, K)"""
    mirrored: int
    """Points whose side was exchanged."""
    ambiguous: int
    """Points that lost their weight."""


def right_way_round(
    image_px: np.ndarray, weight: np.ndarray, prediction: Prediction, partners: np.ndarray, limbs: np.ndarray
) -> Sides:
    """Test each limb pair (L, K masks) of each camera as given and mirrored against the prediction.

    Clearly better mirrored: exchanged. Bad as given and not clearly better mirrored: no weight.
    """
    seen = ((weight > 0) & prediction.valid)[:, None, :] & limbs
    count = np.maximum(seen.sum(-1), 1)
    given = _mean_square(image_px, prediction.image_px, prediction.std_px, seen, count)
    mirrored = _mean_square(image_px, prediction.image_px[:, partners], prediction.std_px, seen, count)
    swap = (given > CONSISTENT) & (mirrored < CONSISTENT) & (mirrored < given / 4.0) & (count > 1)
    drop = (given > CONSISTENT) & ~swap & (mirrored < given)
    swapped = (swap[..., None] & limbs).any(1)
    dropped = (drop[..., None] & limbs).any(1)
    image_px = np.where(swapped[..., None], image_px[:, partners], image_px)
    weight = np.where(swapped, weight[:, partners], weight)
    mirrored_points, lost_points = int((swapped & (weight > 0)).sum()), int((dropped & (weight > 0)).sum())
    return Sides(image_px, np.where(dropped, 0.0, weight), mirrored_points, lost_points)


def _mean_square(
    image_px: np.ndarray, expected_px: np.ndarray, std_px: np.ndarray, seen: np.ndarray, count: np.ndarray
) -> np.ndarray:
    """(C, L) mean clipped square of the standardised distance over the seen points of each limb pair."""
    square = np.sum((image_px - expected_px) ** 2, -1) / (2.0 * std_px[:, None] ** 2)
    return np.where(seen, np.minimum(square, CAP)[:, None, :], 0.0).sum(-1) / count


@dataclass(frozen=True)
class Rays:
    """One line of sight per keypoint, of one person in one camera."""

    camera: int
    person: int
    origin_m: np.ndarray
    """(3,)"""
    direction: np.ndarray
    """(K, 3) unit vectors in world."""
    confidence: np.ndarray
    """(K,)"""


@dataclass(frozen=True)
class Group:
    """One person seen in several views."""

    views: tuple[Rays, ...]
    """Of the person, at most one a camera."""
    points_m: np.ndarray
    """(K, 3)"""
    known: np.ndarray
    """(K,) seen in at least two views that agree."""
    spread_m: float
    """Median distance of the lines of sight from the points."""


def triangulate(rays: list[Rays], tolerance_m: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points nearest to the lines of sight, robustly: (K, 3) m, known (K,), distances (len(rays), K) m.

    Minimises sum w |(I - d d')(x - o)|^2 by reweighting with Cauchy's loss.
    """
    origins = np.stack([ray.origin_m for ray in rays])[:, None]
    directions = np.stack([ray.direction for ray in rays])
    confidence = np.stack([ray.confidence for ray in rays])
    planes = np.eye(3) - directions[..., :, None] * directions[..., None, :]
    weight = np.where(confidence >= CONFIDENT, confidence, 0.0)
    distances = np.zeros_like(weight)
    for _ in range(6):
        robust = weight / (1.0 + (distances / tolerance_m) ** 2)
        normal = np.einsum("rk,rkij->kij", robust, planes) + 1e-9 * np.eye(3)
        moment = np.einsum("rk,rkij,rkj->ki", robust, planes, np.broadcast_to(origins, directions.shape))
        points = np.linalg.solve(normal, moment[..., None])[..., 0]
        offset = points - origins
        along = np.sum(offset * directions, -1)
        distances = np.linalg.norm(offset - along[..., None] * directions, axis=-1)
        distances = np.where(along > 0.05, distances, 10.0)
    known = ((distances < 2.0 * tolerance_m) & (weight > 0)).sum(0) >= 2
    return points, known, distances


def groups(candidates: list[Rays], tolerance_m: float = 0.1) -> list[Group]:
    """Groups of detections, at most one a camera, that agree across views; the best first.

    Every pair of views that agrees is grown by the views that agree with it; most views, then most keypoints, then
    least spread wins.
    """
    found: list[Group] = []
    taken: set[tuple[int, int]] = set()
    for disagreement, a, b in sorted(_disagreements(candidates), key=lambda pair: pair[0]):
        if disagreement > tolerance_m:
            break
        if {(a.camera, a.person), (b.camera, b.person)} <= taken:
            continue
        group = _grown([a, b], candidates, tolerance_m)
        if group is not None:
            taken |= {(view.camera, view.person) for view in group.views}
            found.append(group)
    return sorted(found, key=lambda g: (-len(g.views), -g.known.sum(), g.spread_m))


def closest_m(candidates: list[Rays]) -> float:
    """Least median distance (m) of two people's lines of sight in different cameras; infinite without two views."""
    return min((disagreement for disagreement, _, _ in _disagreements(candidates)), default=np.inf)


def _disagreements(candidates: list[Rays]) -> list[tuple[float, Rays, Rays]]:
    """Each pair of people in different cameras, with the median distance (m) of their lines of sight."""
    origins = np.array([ray.origin_m for ray in candidates])
    directions = np.array([ray.direction for ray in candidates])
    confident = np.array([ray.confidence >= CONFIDENT for ray in candidates])
    cameras = np.array([ray.camera for ray in candidates])
    pairs = []
    for first, ray in enumerate(candidates[:-1]):
        rest = slice(first + 1, None)
        apart = _line_distances(origins[rest, None] - ray.origin_m, ray.direction, directions[rest])
        common = confident[rest] & confident[first]
        usable = (common.sum(1) >= FEWEST_KEYPOINTS) & (cameras[rest] != ray.camera)
        for index in np.flatnonzero(usable):
            pairs.append((float(np.median(apart[index][common[index]])), ray, candidates[first + 1 + index]))
    return pairs


def _line_distances(offset_m: np.ndarray, direction: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N, K) shortest distance of lines `direction` (K, 3) and `other` (N, K, 3), whose origins are (N, 1, 3) apart."""
    normal = np.cross(direction, other)
    size = np.linalg.norm(normal, axis=-1)
    along = np.sum(offset_m * direction, -1, keepdims=True)
    parallel = np.linalg.norm(offset_m - along * direction, axis=-1)
    crossing = np.abs(np.sum(offset_m * normal, -1)) / np.maximum(size, 1e-9)
    return np.where(size > 0.02, crossing, parallel)


def _grown(seed: list[Rays], candidates: list[Rays], tolerance_m: float) -> Group | None:
    """Add to a pair of views, nearest first, one person of each other camera that agrees with it."""
    members = list(seed)
    while True:
        points, known, distances = triangulate(members, tolerance_m)
        others = [c for c in candidates if c.camera not in {m.camera for m in members}]
        scored = [(_distance_to(c, points, known), i) for i, c in enumerate(others)]
        best, index = min(scored, default=(np.inf, -1))
        if best > tolerance_m:
            break
        members.append(others[index])
    if known.sum() < FEWEST_KEYPOINTS:
        return None
    seen = np.stack([m.confidence >= CONFIDENT for m in members]) & known
    return Group(tuple(members), points, known, float(np.median(distances[seen])))


def _distance_to(ray: Rays, points_m: np.ndarray, known: np.ndarray) -> float:
    """Median distance (m) of a view's lines of sight from triangulated points."""
    usable = known & (ray.confidence >= CONFIDENT)
    if usable.sum() < FEWEST_KEYPOINTS:
        return np.inf
    offset = points_m[usable] - ray.origin_m
    direction = ray.direction[usable]
    return float(np.median(np.linalg.norm(offset - np.sum(offset * direction, -1, keepdims=True) * direction, axis=-1)))


def inside(group: Group, volume_m: tuple[float, ...]) -> bool:
    """Whether the middle of the person is inside xmin, xmax, ymin, ymax, zmin, zmax."""
    if not volume_m:
        return True
    middle = np.median(group.points_m[group.known], axis=0)
    low, high = np.array(volume_m[::2]), np.array(volume_m[1::2])
    return bool(np.all((middle >= low) & (middle <= high)))
