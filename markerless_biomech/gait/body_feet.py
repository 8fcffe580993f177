"""Feet of the fitted body as samples for the detector.

Where the keypoint set marks the toes, the points are the soles' heel and tip of the big toe, landmarks of the body
model: left and right are then the same points of the foot, and no keypoint's offset enters a step length. A set that
marks nothing on the toes cannot tell how they are bent: then the rearmost and foremost keypoints of the rigid foot are
taken as they are, and events are those of a force plate, to which such points were fitted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..body.base import base_sites
from ..body.soles import FootPoints
from ..body.subject import Subject
from ..keypoints import KeypointSet
from ..results import BodyEstimate, Tracking
from .rules import FORCE_PLATE, STANDING, EventReference
from .values import FootSample

_POINTS = ("sole_heel", "sole_big_toe", "sole_first_metatarsal")
_LANDMARKS = base_sites(tuple([f"{point}_{side}" for side in "lr" for point in _POINTS]))
_HEEL_ENDS_M, _FOREFOOT_BEGINS_M = 0.03, 0.10
"""Forward of the heel bone's origin: a keypoint behind the one is at the heel, one before the other on the forefoot."""


def feet_seen(keypoint_set: KeypointSet) -> bool:
    """Whether the set tells how both feet lie: two points on each. With an ankle alone nothing but the posture prior
    does, and a sole that is held would bend the ankle."""
    used = keypoint_set.weights > 0
    return all(np.count_nonzero(used & _on_foot(keypoint_set, side)) >= 2 for side in "lr")


def standing_points(keypoint_set: KeypointSet) -> KeypointSet:
    """Landmarks of the soles that stand when a foot does: heel left, right, toe left, right."""
    toe = _POINTS[1] if toes_seen(keypoint_set) else _POINTS[2]
    return base_sites(tuple(f"{point}_{side}" for point in (_POINTS[0], toe) for side in "lr"))


def toes_seen(keypoint_set: KeypointSet) -> bool:
    """Whether the set tells how the toes are bent."""
    return bool(np.any((keypoint_set.weights > 0) & np.isin(keypoint_set.bodies, ("toes_l", "toes_r"))))


def _on_foot(keypoint_set: KeypointSet, side: str) -> np.ndarray:
    """(K,) bool: keypoints on the foot's rigid part and the toes."""
    return np.isin(keypoint_set.bodies, (f"calcn_{side}", f"toes_{side}"))


class BodyFeet:
    """Heels and toes of one subject, seen through one keypoint set."""

    def __init__(self, subject: Subject, keypoint_set: KeypointSet) -> None:
        used = keypoint_set.weights > 0
        bodies = np.array(keypoint_set.bodies)
        self.toes_seen = toes_seen(keypoint_set)
        self._foot_sites = [np.flatnonzero(used & _on_foot(keypoint_set, side)) for side in "lr"]
        forward_m = keypoint_set.positions_m[:, 0]
        on_heel_bone = [used & (bodies == f"calcn_{side}") for side in "lr"]
        self._heel_site = [_extreme(-forward_m, here & (forward_m < _HEEL_ENDS_M)) for here in on_heel_bone]
        self._front_site = [_extreme(forward_m, here & (forward_m > _FOREFOOT_BEGINS_M)) for here in on_heel_bone]
        self._soles = FootPoints(subject, _LANDMARKS)

    @property
    def reference(self) -> EventReference:
        """What counts as the instant of an event for these points."""
        return STANDING if self.toes_seen else FORCE_PLATE

    def sample(self, body: BodyEstimate) -> FootSample | None:
        """The feet of one estimate; None while nobody is tracked."""
        if body.tracking is Tracking.LOST:
            return None
        # A settled state's arrays are the device's; indexed there they would cost more than the whole detector.
        qpos, sites_m, sites_std_m = (np.asarray(x, np.float32) for x in (body.qpos, body.sites_m, body.sites_std_m))
        heel, tip, forefoot = np.swapaxes(self._soles.at(qpos), 0, 1)
        if not self.toes_seen:
            heel = self._sites_or(self._heel_site, heel, sites_m)
            tip = self._sites_or(self._front_site, forefoot, sites_m)
        std_m = np.array([self._std_m(sites_std_m, foot) for foot in (0, 1)])
        pelvis_m = qpos[:3].astype(float)
        return FootSample(body.stamp_ns, heel, tip, std_m, std_m, pelvis_m, body.settled)

    @staticmethod
    def _sites_or(index: Sequence[int | None], soles_m: np.ndarray, sites_m: np.ndarray) -> np.ndarray:
        """(2, 3) keypoint sites, or points of the soles where the set has none."""
        if None in index:
            return soles_m
        return sites_m[np.array(index, dtype=int)].astype(float)

    def _std_m(self, sites_std_m: np.ndarray, foot: int) -> float:
        """SD of the foot's keypoint sites; of all sites where the set has none there."""
        own = sites_std_m[self._foot_sites[foot]]
        return float((own if own.size else sites_std_m).mean())


def _extreme(value: np.ndarray, allowed: np.ndarray) -> int | None:
    """Index of the greatest allowed value; None where none is allowed."""
    return int(np.argmax(np.where(allowed, value, -np.inf))) if allowed.any() else None
