"""Can a person be where a rig puts one? Rigs that fit the images equally well differ in this."""

from __future__ import annotations

import numpy as np

from ..keypoints import KeypointSet
from .person import LEANING_DEG, leaning_deg, left_and_right, person
from .points import in_front, residuals_px, sightings, standard_cameras, triangulated
from .setup import Setup
from .streams import Seen, thinned

INSTANTS = 20

IN_FRONT = 0.9
"""Share of the points that must lie before the camera that saw them."""

WITHIN_PX = 30.0


def plausible(setup: Setup, seen: list[Seen], keypoint_set: KeypointSet) -> bool:
    """Whether the person is in front of the cameras, upright and not mirrored."""
    cameras = standard_cameras(setup)
    points_seen = sightings(setup, thinned(seen, INSTANTS, len(keypoint_set)))
    if not len(points_seen.weight):
        return False
    points = triangulated(cameras, points_seen)
    if np.median(in_front(cameras, points_seen, points)) < IN_FRONT:
        return False
    size = np.linalg.norm(residuals_px(cameras, points_seen, points), axis=-1)
    good = ((size < WITHIN_PX) & (points_seen.weight > 0)).sum(1) >= 2
    somebody = person(cameras, points_seen, points, good, keypoint_set)
    return not leaning_deg(somebody) > LEANING_DEG and not left_and_right(somebody)
