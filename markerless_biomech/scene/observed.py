"""What the detectors saw, in space and without the model: lines of sight of the subject, and where they meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..cameras.association import CONFIDENT, Rays, triangulate
from ..cameras.calibrated_camera import Camera, Rig
from ..keypoints import KeypointFrame
from ..rig_check.setup import undistorted

NEAR_M = 0.3
"""A person whose lines of sight pass the fitted sites at this distance (median) or nearer is the subject."""


@dataclass(frozen=True, eq=False)
class Observed:
    """The subject's keypoints as triangulated from the newest frame of each camera."""

    points_m: np.ndarray
    """(K, 3) in world."""
    known: np.ndarray
    """(K,) seen by two cameras that agree."""
    rays: tuple[Rays, ...]
    """One a camera that saw the subject."""


def observe(rig: Rig, frames: Mapping[str, KeypointFrame], sites_m: np.ndarray | None) -> Observed | None:
    """Points and lines of sight; None while fewer than two cameras see the subject.

    `frames`: by camera, of about the same instant. `sites_m` (K, 3): where the fit has the subject, which tells whose
    points to take; None: the surest person of each image.
    """
    rays = []
    for index, (name, camera) in enumerate(rig.cameras.items()):
        frame = frames.get(name)
        if frame is not None and len(frame.points):
            everybody = [sight(camera, index, person, frame) for person in range(len(frame.points))]
            chosen = _subject(everybody, sites_m)
            rays += [] if chosen is None else [chosen]
    if len(rays) < 2:
        return None
    points_m, known, _ = triangulate(rays)
    return Observed(points_m, known, tuple(rays))


def sight(camera: Camera, index: int, person: int, frame: KeypointFrame) -> Rays:
    """Lines of sight of one person in one image; good to a pixel in the corners of a wide lens."""
    points = np.asarray(frame.points[person], dtype=float)
    normalised = undistorted(camera, points[:, :2], frame.rectified, polishing=0)
    rotation, position_m = camera.world_from_camera
    turn = rotation @ camera.r.T if frame.rectified else rotation
    inward = np.concatenate([normalised, np.ones((len(points), 1))], axis=-1)
    direction = (inward / np.linalg.norm(inward, axis=-1, keepdims=True)) @ turn.T
    return Rays(index, person, np.asarray(position_m, dtype=float), direction, points[:, 2])


def _subject(everybody: list[Rays], sites_m: np.ndarray | None) -> Rays | None:
    """The person nearest to the fitted sites, or the surest one where there are none."""
    if sites_m is None or not len(sites_m):
        return max(everybody, key=lambda rays: float(rays.confidence.sum()))
    distances = [_distance_m(rays, sites_m) for rays in everybody]
    best = int(np.argmin(distances))
    return everybody[best] if distances[best] <= NEAR_M else None


def _distance_m(rays: Rays, sites_m: np.ndarray) -> float:
    """Median distance of the lines of sight from their sites; infinite where nothing is seen."""
    seen = rays.confidence >= CONFIDENT
    if not seen.any():
        return np.inf
    offset = sites_m[seen] - rays.origin_m
    along = np.sum(offset * rays.direction[seen], -1, keepdims=True)
    return float(np.median(np.linalg.norm(offset - along * rays.direction[seen], axis=-1)))
