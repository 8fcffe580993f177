"""What the person in view says of the world: lengths tell the unit, feet the floor, nose and toes left from right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import mujoco
import numpy as np

from ..body.base import NEUTRAL_QPOS, base_mujoco_model
from ..fitting.start_postures import LIBRARY
from ..fitting.stature import rigid_pairs
from ..keypoints import KeypointSet
from .findings import ALL_CAMERAS, Finding
from .points import Cameras, Sightings

SMALLEST, LARGEST = 0.45, 1.4
"""Times the base model's 1.75 m: from a small child to taller than anybody."""

UNITS = {
    100.0: "centimetres",
    1000.0: "millimetres",
    39.37: "inches",
    3.281: "feet",
    0.01: "hundreds of metres",
    0.001: "kilometres",
}
"""A person's lengths over the base model's when the rig is in these, read as metres."""

WITHIN = 1.45
"""Factor about a unit's figure that still is a person."""

LEANING_DEG = 40.0
"""Nobody leans this far through half of a recording, but some lie: the sentence says so."""

FLOOR_M = 0.15
"""Feet are this far off z = 0: more than a treadmill's deck or a step."""

FEWEST_INSTANTS = 8

SURE_VOTES = 0.8
"""Share of instants that must show a mirrored person."""

FOOT = ("talus", "calcn", "toes")


@dataclass(frozen=True, eq=False)
class Person:
    """Points of the person at the instants, in the rig's world and unit."""

    points: np.ndarray
    """(F, K, 3), NaN: not known."""
    keypoint_set: KeypointSet

    @property
    def base_m(self) -> np.ndarray:
        """(K, 3) the base model in neutral, upright, facing x, soles on z = 0."""
        return neutral_m(self.keypoint_set)


def person(
    cameras: Cameras, seen: Sightings, points: np.ndarray, good: np.ndarray, keypoint_set: KeypointSet
) -> Person:
    """Points (N, 3) of standard size, sorted by instant and keypoint; those not `good` (N,) are left out."""
    placed = np.full((int(seen.instant.max(initial=-1)) + 1, len(keypoint_set), 3), np.nan)
    placed[seen.instant[good], seen.keypoint[good]] = points[good] * cameras.unit_m + cameras.origin_m
    return Person(placed, keypoint_set)


def stature_factor(person: Person) -> float:
    """Median of the person's lengths over the base model's; NaN when too few are known."""
    pairs, lengths_m = _lengths(person.keypoint_set)
    ends = person.points[:, pairs]
    ratios = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1) / lengths_m
    known = np.isfinite(ratios).sum(0) >= FEWEST_INSTANTS
    return float(np.median(np.nanmedian(ratios[:, known], axis=0))) if known.any() else float("nan")


def units(person: Person) -> list[Finding]:
    """Whether a person of this size exists, and if not in which unit the rig was written."""
    factor = stature_factor(person)
    if not np.isfinite(factor) or SMALLEST < factor < LARGEST:
        return []
    height = f"the person would be {1.75 * factor:.3g} m tall"
    match = [name for value, name in UNITS.items() if 1 / WITHIN < factor / value < WITHIN]
    if match:
        text = f"the rig is in {match[0]}, expected metres: {height}; divide all positions by {_nearest(factor):g}."
    else:
        text = (
            f"the rig has the wrong scale: {height}; measure a length in the room and scale all positions, by about "
            f"{1 / factor:.3g}."
        )
    return [Finding(ALL_CAMERAS, "units", factor, "", text)]


def _nearest(factor: float) -> float:
    return min(UNITS, key=lambda value: abs(np.log(factor / value)))


def leaning_deg(person: Person) -> float:
    """Of the person from z, by feet and shoulders; NaN: not seen."""
    up = _up(person)
    return float("nan") if up is None else float(np.degrees(np.arccos(np.clip(up[2], -1.0, 1.0))))


def upright(person: Person) -> list[Finding]:
    """Whether z is up."""
    up, angle_deg = _up(person), leaning_deg(person)
    if up is None or angle_deg < LEANING_DEG:
        return []
    axis = int(np.argmax(np.abs(up)))
    name = f"{'' if up[axis] > 0 else '-'}{'xyz'[axis]}"
    text = (
        f"the world's z is not up: the person stands {angle_deg:.0f} deg away from it, along {name}; run convert-rig "
        f"with --up {name} (unless the person lies or hangs)."
    )
    return [Finding(ALL_CAMERAS, "up", angle_deg, "deg", text)]


def floor(person: Person) -> list[Finding]:
    """Whether the feet come down to z = 0."""
    height_m = floor_height(person)
    if not np.isfinite(height_m) or abs(height_m) < FLOOR_M:
        return []
    way = "above" if height_m > 0 else "below"
    text = (
        f"the floor is not z = 0: the person's feet stand {1e3 * abs(height_m):.0f} mm {way} it; run convert-rig with "
        "--floor-from-feet (unless the person stands on something)."
    )
    return [Finding(ALL_CAMERAS, "floor", 1e3 * height_m, "mm", text)]


def floor_height(person: Person) -> float:
    """z of the floor by the lowest places of the feet's points (m, rig's world); NaN without feet."""
    feet = [k for k, body in enumerate(person.keypoint_set.bodies) if body.rsplit("_", 1)[0] in FOOT]
    lowest = []
    for keypoint in feet:
        z = person.points[:, keypoint, 2]
        if np.isfinite(z).sum() >= FEWEST_INSTANTS:
            lowest.append(np.nanpercentile(z, 10) - person.base_m[keypoint, 2])
    return float(np.median(lowest)) if lowest else float("nan")


def left_and_right(person: Person) -> list[Finding]:
    """Whether the person's left is on the left, seen from nose, trunk and toes."""
    votes = np.array([_mirrored_vote(person.base_m, points, person.keypoint_set) for points in person.points])
    votes = votes[np.isfinite(votes)]
    if len(votes) < FEWEST_INSTANTS or np.mean(votes > 0) < SURE_VOTES:
        return []
    text = (
        f"the person is mirrored: left and right are exchanged at {np.mean(votes > 0):.0%} of the instants, judged by "
        "trunk, face and feet; correct the keypoint set's names, or images that are mirrored in every camera."
    )
    return [Finding(ALL_CAMERAS, "left_right", float(np.mean(votes > 0)), "", text)]


def _mirrored_vote(base_m: np.ndarray, points: np.ndarray, keypoint_set: KeypointSet) -> float:
    """How much better the neutral body fits with left and right exchanged (m^2, positive: better); NaN: cannot tell."""
    segment = [body.rsplit("_", 1)[0] for body in keypoint_set.bodies]
    steady = np.isin(segment, ["pelvis", "torso", "head", "femur", "tibia", "talus", "calcn", "toes"])
    steady |= np.isin(segment, ["humerus"]) & (np.linalg.norm(keypoint_set.positions_m, axis=1) < 0.02)
    use = steady & np.isfinite(points).all(1)
    if use.sum() < 8:
        return float("nan")
    return _misfit(base_m[use], points[use]) - _misfit(base_m[keypoint_set.partners][use], points[use])


def _misfit(base_m: np.ndarray, points: np.ndarray) -> float:
    """Mean square distance after the best similarity (proper rotation), in units of the base model."""
    a, b = base_m - base_m.mean(0), points - points.mean(0)
    u, s, vt = np.linalg.svd(a.T @ b)
    sign = np.sign(np.linalg.det(u @ vt))
    size_a, size_b = np.sum(a * a), np.sum(b * b)
    agree = float(s[0] + s[1] + sign * s[2])
    return float(size_a * (1.0 - agree**2 / (size_a * size_b))) / len(a)


def _up(person: Person) -> np.ndarray | None:
    """(3,) unit vector from the feet to the shoulders, median over the instants."""
    base = person.base_m
    used = person.keypoint_set.weights > 0
    low, high = used & (base[:, 2] < 0.25), used & (base[:, 2] > 1.3)
    vectors = []
    for points in person.points:
        known = np.isfinite(points).all(1)
        if (low & known).any() and (high & known).sum() >= 2:
            vectors.append(points[high & known].mean(0) - points[low & known].mean(0))
    if len(vectors) < FEWEST_INSTANTS:
        return None
    middle = np.median(vectors, axis=0)
    return middle / np.linalg.norm(middle)


def neutral_m(keypoint_set: KeypointSet) -> np.ndarray:
    """(K, 3) keypoints on the base model in neutral; 0 for those that are not used."""
    return _placed(keypoint_set, np.asarray(NEUTRAL_QPOS)[None])[0]


def _lengths(keypoint_set: KeypointSet) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (N, 2) that keep their distance in any posture, and the base model's lengths (N,) m."""
    postures = np.asarray(LIBRARY).reshape(-1, np.shape(LIBRARY)[-1])
    some = postures[np.linspace(0, len(postures) - 1, 7 * 12).astype(int)]
    return rigid_pairs(_placed(keypoint_set, some), keypoint_set.weights > 0)


@cache
def _data() -> mujoco.MjData:
    return mujoco.MjData(base_mujoco_model())


def _placed(keypoint_set: KeypointSet, qpos: np.ndarray) -> np.ndarray:
    """(L, K, 3) of postures (L, 41)."""
    model, data = base_mujoco_model(), _data()
    ids = [model.body(body).id if body else 0 for body in keypoint_set.bodies]
    found = []
    for row in qpos:
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        turns = data.xmat[ids].reshape(-1, 3, 3)
        found.append(data.xpos[ids] + np.einsum("kij,kj->ki", turns, keypoint_set.positions_m))
    return np.array(found)
