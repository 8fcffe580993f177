"""The points of one person in all cameras: who it is, and where the points are in space.

The rig is brought to a standard size first, so that nothing depends on its units. C cameras, N points (a keypoint at an
instant each).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..cameras.association import Rays, groups
from .setup import Setup
from .streams import Seen

STANDARD_M = 4.0
"""Median distance of the cameras from their middle, after scaling."""

MOST_POINTS = 1200
"""More make nothing surer."""

TRIANGULATION_STEPS = 8

BEHIND = 0.05
"""Depth, in units of the standard size, below which a point is not in front of a camera."""


@dataclass(frozen=True, eq=False)
class Cameras:
    """The cameras as arrays, in a world of standard size: p_camera = rotation p_world + translation."""

    rotation: np.ndarray
    """(C, 3, 3) camera from world."""
    translation: np.ndarray
    """(C, 3)"""
    focal_px: np.ndarray
    """(C,)"""
    unit_m: float
    """One unit of this world, in the rig's own unit."""
    origin_m: np.ndarray
    """(3,) of this world, in the rig's."""

    @property
    def centre(self) -> np.ndarray:
        """(C, 3) optical centres."""
        return -np.einsum("cij,ci->cj", self.rotation, self.translation)


def standard_cameras(setup: Setup) -> Cameras:
    """The rig moved to its middle and scaled to STANDARD_M."""
    centre = setup.centre_m
    origin = centre.mean(0)
    spread = float(np.median(np.linalg.norm(centre - origin, axis=1)))
    unit = spread / STANDARD_M if spread > 0 else 1.0
    rotation = setup.rotation.transpose(0, 2, 1)
    translation = -np.einsum("cij,cj->ci", rotation, (centre - origin) / unit)
    return Cameras(rotation, translation, setup.focal_px, unit, origin)


@dataclass(frozen=True, eq=False)
class Sightings:
    """N points in C cameras, in normalised coordinates."""

    x: np.ndarray
    """(N, C, 2)"""
    velocity: np.ndarray
    """(N, C, 2) 1/s"""
    weight: np.ndarray
    """(N, C) 1: seen."""
    instant: np.ndarray
    """(N,) index of the instant."""
    keypoint: np.ndarray
    """(N,)"""
    person_px: float
    """Median size of the person in the images (px)."""

    def only(self, cameras: np.ndarray) -> Sightings:
        """What the cameras (C,) bool saw; the others nothing."""
        return Sightings(self.x, self.velocity, self.weight * cameras, self.instant, self.keypoint, self.person_px)


def sightings(setup: Setup, seen: list[Seen]) -> Sightings:
    """Points that two cameras or more see; with several people in view, those of the person seen best."""
    alone = [one.pick(person) for one, person in zip(seen, _persons(setup, seen), strict=True)]
    x = np.stack([setup.normalised(c, one.image_px[:, 0]) for c, one in enumerate(alone)], axis=2)
    ahead = [one.image_px[:, 0] + 0.01 * one.velocity_px_s[:, 0] for one in alone]
    velocity = (np.stack([setup.normalised(c, px) for c, px in enumerate(ahead)], axis=2) - x) / 0.01
    weight = np.stack([one.weight[:, 0] for one in alone], axis=2) * (np.abs(x).max(-1) < 10.0)
    instants, keypoints = np.nonzero((weight > 0).sum(-1) >= 2)
    if len(instants) > MOST_POINTS:
        some = np.linspace(0, len(instants) - 1, MOST_POINTS).round().astype(int)
        instants, keypoints = instants[some], keypoints[some]
    rows = (instants, keypoints)
    return Sightings(x[rows], velocity[rows], weight[rows], instants, keypoints, _person_px(alone))


def _person_px(seen: list[Seen]) -> float:
    """Median over cameras and instants of the diagonal of the box around the person's points."""
    sizes = []
    for one in seen:
        for image_px, weight in zip(one.image_px[:, 0], one.weight[:, 0], strict=True):
            if (weight > 0).sum() >= 2:
                sizes.append(np.linalg.norm(np.ptp(image_px[weight > 0], axis=0)))
    return float(np.median(sizes)) if sizes else 0.0


def _persons(setup: Setup, seen: list[Seen]) -> list[np.ndarray]:
    """(F,) per camera: index of the person; those who agree across views, else the largest in the image."""
    choice = [np.where(one.weight.sum(-1)[:, 0] > 0, 0, -1) for one in seen]
    crowded = np.any([(one.weight.sum(-1) > 0).sum(1) > 1 for one in seen], axis=0)
    cameras = standard_cameras(setup)
    for instant in np.flatnonzero(crowded):
        found = groups(_lines_of_sight(setup, cameras, seen, int(instant)))
        if found:
            for c in range(len(seen)):
                choice[c][instant] = -1
            for view in found[0].views:
                choice[view.camera][instant] = view.person
    return choice


def _lines_of_sight(setup: Setup, cameras: Cameras, seen: list[Seen], instant: int) -> list[Rays]:
    rays = []
    for c, one in enumerate(seen):
        for person in np.flatnonzero(one.weight[instant].sum(-1) > 0):
            x = setup.normalised(c, one.image_px[instant, person])
            directions = np.concatenate([x, np.ones_like(x[:, :1])], -1) @ cameras.rotation[c]
            directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
            rays.append(Rays(c, int(person), cameras.centre[c], directions, one.weight[instant, person]))
    return rays


def camera_points(cameras: Cameras, points: np.ndarray) -> np.ndarray:
    """(N, C, 3) points (N, 3) in the cameras' axes."""
    return np.einsum("cij,nj->nci", cameras.rotation, points) + cameras.translation


def residuals_px(cameras: Cameras, seen: Sightings, points: np.ndarray) -> np.ndarray:
    """(N, C, 2) px: projected point minus what was seen, before lens distortion. Huge behind a camera."""
    local = camera_points(cameras, points)
    depth = np.where(local[..., 2:] > BEHIND, local[..., 2:], np.nan)
    error = (local[..., :2] / depth - seen.x) * cameras.focal_px[:, None]
    return np.nan_to_num(error, nan=1e4)


def triangulated(cameras: Cameras, seen: Sightings, scale_px: float = 0.0) -> np.ndarray:
    """(N, 3) points by Gauss-Newton on the pixels with Cauchy's loss; starts from the nearest to all rays.

    scale_px: width of the loss; 0: from the residuals (1.5 times their median, at least 2 px).
    """
    points = _nearest_to_rays(cameras, seen)
    for step in range(TRIANGULATION_STEPS):
        local = camera_points(cameras, points)
        depth = np.maximum(local[..., 2], BEHIND)
        error = residuals_px(cameras, seen, points)
        size = np.linalg.norm(error, axis=-1)
        # The loss narrows down: wide at first, so that a start far off is not taken for outliers.
        width = np.maximum(scale_px or _width(size, seen.weight), 64.0 / 4.0**step)
        weight = seen.weight / (1.0 + (size / width) ** 2) * (local[..., 2] > BEHIND)
        jacobian = point_jacobian(cameras, local, depth)
        normal = np.einsum("nc,ncai,ncaj->nij", weight, jacobian, jacobian)
        gradient = np.einsum("nc,ncai,nca->ni", weight, jacobian, error)
        damping = 1e-6 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-9
        points = points - np.linalg.solve(normal + damping * np.eye(3), gradient[..., None])[..., 0]
    return points


def point_jacobian(cameras: Cameras, local: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(N, C, 2, 3) d residual / d point: focal / z [r1 - x r3; r2 - y r3] with the rows of the rotation."""
    x = local[..., :2] / depth[..., None]
    rows = cameras.rotation[None, :, :2] - x[..., None] * cameras.rotation[None, :, 2:]
    return rows * (cameras.focal_px / depth)[..., None, None]


def in_front(cameras: Cameras, seen: Sightings, points: np.ndarray) -> np.ndarray:
    """(C,) share of what a camera saw that lies in front of it."""
    front = (camera_points(cameras, points)[..., 2] > 0) & (seen.weight > 0)
    return front.sum(0) / np.maximum((seen.weight > 0).sum(0), 1)


def _width(size: np.ndarray, weight: np.ndarray) -> float:
    used = size[weight > 0]
    return max(2.0, 1.5 * float(np.median(used))) if len(used) else 2.0


def _nearest_to_rays(cameras: Cameras, seen: Sightings) -> np.ndarray:
    """(N, 3) minimising the sum of squared distances from the lines of sight."""
    direction = np.concatenate([seen.x, np.ones_like(seen.x[..., :1])], -1)
    direction = np.einsum("cij,nci->ncj", cameras.rotation, direction)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    planes = np.eye(3) - direction[..., :, None] * direction[..., None, :]
    normal = np.einsum("nc,ncij->nij", seen.weight, planes) + 1e-9 * np.eye(3)
    moment = np.einsum("nc,ncij,cj->ni", seen.weight, planes, cameras.centre)
    return np.linalg.solve(normal, moment[..., None])[..., 0]
