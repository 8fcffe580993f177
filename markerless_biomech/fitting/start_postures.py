"""Where the first pose starts from: triangulated points place the trunk, then each limb takes its best known posture.

A grid of limb postures goes through the kinematics once for each subject. Arms, legs and head hang on the trunk
independently of each other, so that a search limb by limb finds the best of all their combinations. NumPy only;
K keypoints, L limb postures of each of the trunk's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..body.model import NEUTRAL_QPOS
from ..body.names import JOINT_NAMES
from ..cameras.association import CONFIDENT, Group, Rays
from ..keypoints import KeypointSet

_TRUNKS_DEG = (0.0, -45.0)
"""Lumbar extension: upright, bent forward."""
_LEG_DEG = {
    "hip_flexion": (-15.0, 30.0, 75.0, 110.0),
    "hip_adduction": (-20.0, 5.0),
    "hip_rotation": (-30.0, 0.0, 30.0),
    "knee_angle": (5.0, 50.0, 100.0, 140.0),
}
_ARM_DEG = {
    "arm_flex": (-40.0, 10.0, 60.0, 110.0, 160.0),
    "arm_add": (-130.0, -85.0, -40.0, 0.0),
    "arm_rot": (-60.0, 0.0, 60.0),
    "elbow_flex": (10.0, 60.0, 120.0),
}
_NECK_DEG = {"neck_extension": (-40.0, 0.0), "neck_rotation": (-40.0, 0.0, 40.0)}
_USUAL_DEG = {"pro_sup": 70.0}

_SEGMENTS = {
    "arm": ("humerus", "ulna", "radius", "hand"),
    "leg": ("femur", "tibia", "talus", "calcn", "toes"),
    "head": ("head",),
}
_JOINTS = {"arm": ("arm_", "elbow_", "pro_", "wrist_"), "leg": ("hip_", "knee_", "ankle_", "subtalar_", "mtp_")}
_JOINTS["head"] = ("neck_",)

JOINT_CENTRE_M = 0.06
"""A site this near to the hip or shoulder moves with the trunk, whatever the limb does."""
HEAD_WEIGHT = 0.1
"""A head point's share in placing the trunk, relative to 1 of the trunk's own."""
LIMB_WEIGHT = 0.05
"""A limb's point's share where points of the trunk are few; it pulls to the limb's mean posture."""
WILD_M = 0.3
"""Distance from which a point counts no more: it may be somebody else's."""
FEWEST_TRUNK_POINTS = 3.0
"""With less weight on the trunk, its turn about its long axis is as good as unknown."""


@dataclass(frozen=True)
class Limb:
    """What is searched by itself once the trunk is placed."""

    name: str
    points: np.ndarray
    """(K,) bool"""
    coordinates: np.ndarray
    """Indices into qpos."""


def limbs(keypoint_set: KeypointSet) -> tuple[Limb, ...]:
    """Head, arms and legs, with the points that they carry."""
    found = []
    for kind, side, name in (
        ("head", "", "head"),
        *(
            (kind, side, f"{word} {kind}")
            for kind in ("arm", "leg")
            for side, word in (("_r", "right"), ("_l", "left"))
        ),
    ):
        carried = [f"{segment}{side}" for segment in _SEGMENTS[kind]]
        points = np.isin(keypoint_set.bodies, carried) & (keypoint_set.weights > 0)
        joints = [7 + i for i, j in enumerate(JOINT_NAMES) if j.startswith(_JOINTS[kind]) and j.endswith(side)]
        found.append(Limb(name, points, np.array(joints)))
    return tuple(found)


def trunk_weights(keypoint_set: KeypointSet) -> tuple[np.ndarray, np.ndarray]:
    """(K,) share of each point when pelvis and torso are placed as one rigid body: the lower end's, the upper end's."""
    segment = np.array([body.rsplit("_", 1)[0] for body in keypoint_set.bodies])
    centre = np.linalg.norm(keypoint_set.positions_m, axis=1) < JOINT_CENTRE_M
    lower = (segment == "pelvis") | ((segment == "femur") & centre)
    upper = (segment == "torso") | ((segment == "humerus") & centre)
    used = keypoint_set.weights > 0
    return 1.0 * (lower & used), (upper + HEAD_WEIGHT * (segment == "head")) * used


def _grid(angles_deg: dict[str, tuple[float, ...]]) -> list[dict[str, float]]:
    return [dict(zip(angles_deg, values, strict=True)) for values in product(*angles_deg.values())]


def _library() -> np.ndarray:
    """(trunks, L, 41): row i has entry i of the arms' grid, and of the shorter ones modulo their length."""
    arms, legs, necks = _grid(_ARM_DEG), _grid(_LEG_DEG), _grid(_NECK_DEG)
    count = max(len(arms), len(legs), len(necks))
    library = np.tile(np.asarray(NEUTRAL_QPOS, np.float32), (len(_TRUNKS_DEG), count, 1))
    for trunk, lumbar in enumerate(_TRUNKS_DEG):
        for row in range(count):
            angles = arms[row % len(arms)] | legs[row % len(legs)] | necks[row % len(necks)] | _USUAL_DEG
            angles |= {"lumbar_extension": lumbar}
            named = [angles.get(j, angles.get(j.removesuffix("_r").removesuffix("_l"), 0.0)) for j in JOINT_NAMES]
            library[trunk, row, 7:] = np.radians(named)
    return library


LIBRARY = _library()
"""(trunks, L, 41) postures at the origin."""


def start_poses(
    sites_m: np.ndarray, group: Group, trunk: np.ndarray, parts: tuple[Limb, ...], count: int, thorough: bool = False
) -> np.ndarray:
    """(count, 41) the poses from LIBRARY that the group's lines of sight meet best, the best first.

    sites_m (trunks, L, K, 3) of LIBRARY, trunk (K,) weights. The trunk is tried as its points place it and turned
    back to front, in case of sides that the detector exchanged; where its points are few, or `thorough`, all the way
    round.
    """
    weights = trunk * group.known
    sure = weights.sum() >= FEWEST_TRUNK_POINTS
    if not sure:
        weights = np.maximum(weights, LIMB_WEIGHT * group.known)
    turns = 2 if sure and not thorough else 8
    found = []
    for library, sites in zip(LIBRARY, sites_m, strict=True):
        placed = placement(sites.mean(0), group.points_m, weights)
        for turn in range(turns):
            found.append(
                composed(library, sites, group, _spun(*placed, 2.0 * np.pi * turn / turns, weights, group), parts)
            )
    order = np.argsort([cost for _, cost in found], kind="stable")
    return np.stack([found[index][0] for index in order[:count]])


def _spun(
    rotation: np.ndarray, shift_m: np.ndarray, angle_rad: float, weights: np.ndarray, group: Group
) -> tuple[np.ndarray, np.ndarray]:
    """The placement turned about the trunk's long axis (its own z) through the middle of its points."""
    middle = weights @ np.where(group.known[:, None], group.points_m, 0.0) / weights.sum()
    sine, cosine = np.sin(angle_rad), np.cos(angle_rad)
    spin = rotation @ np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]) @ rotation.T
    return spin @ rotation, spin @ (shift_m - middle) + middle


def composed(
    library: np.ndarray,
    sites_m: np.ndarray,
    group: Group,
    placed: tuple[np.ndarray, np.ndarray],
    parts: tuple[Limb, ...],
) -> tuple[np.ndarray, float]:
    """(41,) the placed trunk with each limb in the posture that the lines of sight meet best, and what misses (m^2).

    library (L, 41) and its sites (L, K, 3) share the trunk's posture.
    """
    rotation, shift_m = placed
    distance = sight_distances(sites_m @ rotation.T + shift_m, group.views)
    confident = np.stack([view.confidence >= CONFIDENT for view in group.views])
    cost = np.sum(np.minimum(distance, WILD_M) ** 2 * confident, axis=1)
    qpos = np.array(library[0], dtype=np.float32)
    qpos[:3] = rotation @ qpos[:3] + shift_m
    qpos[3:7] = quaternion_wxyz(rotation)
    missed = float(cost[0, ~np.any([limb.points for limb in parts], axis=0)].sum())
    for limb in parts:
        of_limb = cost @ limb.points
        best = int(np.argmin(of_limb))
        qpos[limb.coordinates] = library[best, limb.coordinates]
        missed += float(of_limb[best])
    return qpos, missed


def sight_distances(points_m: np.ndarray, views: tuple[Rays, ...]) -> np.ndarray:
    """(L, V, K) distance of points (L, K, 3) from V people's lines of sight: |p - o|^2 - (d . (p - o))^2."""
    origins = np.stack([view.origin_m for view in views])
    directions = np.stack([view.direction for view in views])
    square = np.sum(points_m**2, -1)[:, None] - 2.0 * np.einsum("lki,vi->lvk", points_m, origins)
    along = np.einsum("lki,vki->lvk", points_m, directions) - np.einsum("vki,vi->vk", directions, origins)
    return np.sqrt(np.maximum(square + np.sum(origins**2, -1)[:, None] - along**2, 0.0))


def placement(sites_m: np.ndarray, points_m: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and shift (3,) that carry the sites (K, 3) nearest to the points; wild points fade out."""
    robust = weights
    for _ in range(6):
        rotation, shift_m = _kabsch(sites_m, points_m, robust / robust.sum())
        distance = np.linalg.norm(sites_m @ rotation.T + shift_m - points_m, axis=-1)
        robust = weights / (1.0 + (distance / (0.5 * WILD_M)) ** 2)
    return rotation, shift_m


def _kabsch(sites_m: np.ndarray, points_m: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares without reflection (Kabsch's algorithm)."""
    site_centre, point_centre = share @ sites_m, share @ points_m
    u, _, vt = np.linalg.svd((sites_m - site_centre).T @ ((points_m - point_centre) * share[:, None]))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    rotation = vt.T @ flip @ u.T
    return rotation, point_centre - rotation @ site_centre


def quaternion_wxyz(rotation: np.ndarray) -> np.ndarray:
    """Unit quaternion of a rotation matrix: the eigenvector of Bar-Itzhack's symmetric 4x4 matrix."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = np.array(
        [
            [xx - yy - zz, yx + xy, zx + xz, zy - yz],
            [yx + xy, yy - xx - zz, zy + yz, xz - zx],
            [zx + xz, zy + yz, zz - xx - yy, yx - xy],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    x, y, z, w = np.linalg.eigh(symmetric)[1][:, -1]
    return np.array([w, x, y, z])
