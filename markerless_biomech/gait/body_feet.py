"""Feet of the fitted body as samples for the detector: points of its soles, whatever the detector's keypoints are.

The soles' heel and tip of the big toe are landmarks of the body model, so that left and right are the same points of
the foot and no keypoint's offset enters a step length. A keypoint set that marks nothing on the toes cannot tell how
they are bent: then the forefoot, between the metatarsals, stands for the toe, and events are a force plate's.
"""

from __future__ import annotations

import numpy as np

from ..body.base import base_sites
from ..body.model import body_parameters, sites
from ..body.subject import Subject
from ..keypoints import KeypointSet
from ..results import BodyEstimate, Tracking
from .rules import FORCE_PLATE, STANDING, EventReference
from .values import FootSample

_POINTS = ("sole_heel", "sole_big_toe", "sole_first_metatarsal", "sole_fifth_metatarsal")
_LANDMARKS = base_sites(tuple(f"{point}_{side}" for side in "lr" for point in _POINTS))


class BodyFeet:
    """The soles of one subject, seen through one keypoint set."""

    def __init__(self, subject: Subject, keypoint_set: KeypointSet) -> None:
        used = keypoint_set.weights > 0
        bodies = np.array(keypoint_set.bodies)
        self.toes_seen = bool(np.any(used & np.isin(bodies, ("toes_l", "toes_r"))))
        self._foot_sites = [used & np.isin(bodies, (f"calcn_{side}", f"toes_{side}")) for side in "lr"]
        self._parameters = body_parameters(subject, _LANDMARKS)

    @property
    def reference(self) -> EventReference:
        """What counts as the instant of an event for these points."""
        return STANDING if self.toes_seen else FORCE_PLATE

    def sample(self, body: BodyEstimate) -> FootSample | None:
        """The feet of one estimate; None while nobody is tracked."""
        if body.tracking is Tracking.LOST:
            return None
        points = np.asarray(sites(self._parameters, np.asarray(body.qpos, np.float32)), dtype=float)
        heel, tip, first, fifth = np.swapaxes(points.reshape(2, len(_POINTS), 3), 0, 1)
        std_m = np.array([self._std_m(body, foot) for foot in (0, 1)])
        return FootSample(
            stamp_ns=body.stamp_ns,
            heel_m=heel,
            toe_m=tip if self.toes_seen else 0.5 * (first + fifth),
            heel_std_m=std_m,
            toe_std_m=std_m,
            pelvis_m=np.asarray(body.qpos[:3], dtype=float),
            settled=body.settled,
        )

    def _std_m(self, body: BodyEstimate, foot: int) -> float:
        """SD of the foot's keypoint sites; of all sites where the set has none there."""
        own = body.sites_std_m[self._foot_sites[foot]]
        return float(np.mean(own if own.size else body.sites_std_m))
