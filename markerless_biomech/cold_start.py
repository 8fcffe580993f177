"""From nothing to a pose: which detections are one person, where their trunk is, which pose they show, is it credible.

Every way not to find a start has its sentence; nothing is guessed quietly. Frame sets that fail in a row are tried in
turn with other people and with more starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .body.model import BodyParameters
from .cameras.association import CONFIDENT, FEWEST_KEYPOINTS, Group, Prediction, Rays, closest_m, groups, inside
from .cameras.camera import Cameras
from .cameras.frame_sets import FrameSet
from .errors import InputError
from .fitting import priors
from .fitting.first_pose import STARTS
from .fitting.programs import Programs
from .fitting.residuals import Observations
from .fitting.start_postures import LIBRARY, limbs, start_poses, trunk_weights
from .fitting.stature import rigid_pairs, stature_ratio
from .keypoints import KeypointSet
from .sightings import Lookout, Sighting
from .trust import beyond_range, disagreement

FEWEST_VIEWS = 2
"""Views without which there is no depth."""

FEWEST_KNOWN = 6
"""Points in two views without which a person, at the border of the images perhaps, is not started on."""

FARTHEST_M = 0.2
"""A limb whose points lie further from the model than this (median) is in another posture than was found."""

PATIENCE = 12
"""Frame sets in a row for which one limb may be in the way; after that the rest of the body decides."""

START_STD_M = 0.04
"""How far a keypoint may lie from the first pose when left and right are told apart."""

STATURE_RATIO = (0.6, 1.6)
"""Nobody is this much smaller or larger than the subject; the calibration is in other units."""


@dataclass(frozen=True)
class Found:
    """A start: the pose of one frame, and the points that it was found with."""

    qpos: np.ndarray
    """(41,)"""
    sighting: Sighting
    stature_ratio: float
    """The person's lengths over the subject's; NaN: too little was seen."""


class ColdStart:
    """Looks for a person and a first pose in one frame set after the other."""

    def __init__(self, lookout: Lookout, keypoint_set: KeypointSet, volume_m: tuple[float, ...]):
        """Raises InputError for too few cameras, and for a volume that is none."""
        # read-only after construction
        self._lookout = lookout
        self._camera_names = tuple(lookout.index)
        if len(self._camera_names) < FEWEST_VIEWS:
            raise InputError(f"setting cameras names {len(self._camera_names)}; expected at least {FEWEST_VIEWS}")
        pairs = zip(volume_m[::2], volume_m[1::2], strict=False)
        if len(volume_m) not in (0, 6) or any(low >= high for low, high in pairs):
            raise InputError(
                f"setting capture_volume_m is {list(volume_m)}; expected xmin, xmax, ymin, ymax, zmin, zmax "
                "with min below max"
            )
        self._volume_m = volume_m
        self._parts = limbs(keypoint_set)
        self._lower, self._upper = trunk_weights(keypoint_set)
        self._trunk = self._lower + self._upper
        self._weighed = keypoint_set.weights > 0
        # of the subject in use
        self._parameters: BodyParameters | None = None
        self._sites_m = np.zeros((0, 0, 0, 3))
        self._pairs = np.zeros((0, 2), int)
        self._lengths_m = np.zeros(0)
        # the search
        self._attempt = 0

    def take(self, parameters: BodyParameters, programs: Programs) -> None:
        """Put the library of postures through the kinematics, once for each subject."""
        if self._parameters is not parameters:
            self._parameters = parameters
            self._sites_m = np.asarray(programs.library_sites(parameters, LIBRARY))
            self._pairs, self._lengths_m = rigid_pairs(self._sites_m, self._weighed)

    def find(
        self, frame_set: FrameSet, rays: list[Rays], programs: Programs, parameters: BodyParameters, cameras: Cameras
    ) -> Found | str:
        """A start, or the reason why there is none. `rays` are the lines of sight of everybody in the frame set."""
        self.take(parameters, programs)
        chosen = self._choose(frame_set, rays)
        found = chosen if isinstance(chosen, str) else self._fit(frame_set, chosen, programs, cameras)
        if isinstance(found, str):
            self.failed()
        return found

    def failed(self) -> None:
        """Try another way in the next frame set: nothing was found, or what was found did not hold."""
        self._attempt += 1

    def held(self) -> None:
        """What was found has proved itself."""
        self._attempt = 0

    # ---------------------------------------------------------------- whose points

    def _choose(self, frame_set: FrameSet, rays: list[Rays]) -> Group | str:
        """The person to try: the one seen best, another one after each failure."""
        people = groups(rays)
        if not people:
            return self._nobody(frame_set, rays)
        present = [group for group in people if inside(group, self._volume_m)]
        if not present:
            return "no person inside capture_volume_m"
        whole = [group for group in present if not self._too_little(group)]
        return whole[self._attempt % len(whole)] if whole else self._too_little(present[0])

    def _nobody(self, frame_set: FrameSet, rays: list[Rays]) -> str:
        """Why no two views make a person."""
        reporting = [name for name, frame in frame_set.frames.items() if len(frame.points)]
        if not reporting:
            return "no camera sees a person"
        usable = {ray.camera for ray in rays if (ray.confidence >= CONFIDENT).sum() >= FEWEST_KEYPOINTS}
        if len(usable) < FEWEST_VIEWS:
            names = ", ".join(self._camera_names[camera] for camera in sorted(usable)) or "no camera"
            return (
                f"{names} sees a person with {FEWEST_KEYPOINTS} sure points within a known calibration; "
                f"expected {FEWEST_VIEWS} cameras ({len(reporting)} report people)"
            )
        return (
            f"no person that {FEWEST_VIEWS} cameras agree on: lines of sight pass at {closest_m(rays):.2f} m; "
            "check that the calibration is that of these cameras"
        )

    def _too_little(self, group: Group) -> str:
        """What is missing for a start; empty: nothing."""
        seen = np.any([view.confidence >= CONFIDENT for view in group.views], axis=0)
        hips, shoulders = ((weights[seen] > 0).sum() for weights in (self._lower, self._upper))
        known, trunk = group.known.sum(), (self._trunk[group.known] > 0).sum()
        if hips and shoulders and trunk and known >= FEWEST_KNOWN:
            return ""
        return (
            f"too little of the person is seen: {hips} points of the hips, {shoulders} of shoulders and head, "
            f"{known} in two views ({trunk} of the trunk); expected 1, 1, {FEWEST_KNOWN} (1)"
        )

    # ---------------------------------------------------------------- which pose

    def _fit(self, frame_set: FrameSet, group: Group, programs: Programs, cameras: Cameras) -> Found | str:
        """Fit the chosen person from several starts, sides put right, and judge the result."""
        ratio = stature_ratio(group, self._pairs, self._lengths_m)
        if not STATURE_RATIO[0] < (ratio if np.isfinite(ratio) else 1.0) < STATURE_RATIO[1]:
            return f"the person is {ratio:.2g} times as tall as the subject; check the units of the calibration"
        people = {self._camera_names[view.camera]: view.person for view in group.views}
        sighting = self._lookout.gather(frame_set, people)
        starts = start_poses(self._sites_m, group, self._trunk, self._parts, STARTS, thorough=self._attempt % 2 == 1)
        noise_m = np.full(len(self._camera_names), priors.DETECTOR_NOISE_M, np.float32)
        for _ in range(2):
            observed = Observations(sighting.image_px, sighting.weight, sighting.delay_s)
            pose: Any = programs.fit_pose(self._parameters, cameras, starts, observed, noise_m)
            qpos = np.asarray(pose.qpos)
            expected = programs.expect(programs.start(qpos, noise_m), self._parameters, cameras, np.float32(0.0))
            std_px = np.asarray(expected.pixels_per_metre) * START_STD_M
            prediction = Prediction(np.asarray(expected.image_px), np.asarray(expected.valid) & self._weighed, std_px)
            righted = self._lookout.right_way_round(sighting, prediction)
            if not righted.mirrored:
                break
            sighting = righted
        objection = self._objection(qpos, float(pose.agreeing), np.asarray(expected.sites_m), group)
        return objection or Found(qpos, sighting, ratio)

    def _objection(self, qpos: np.ndarray, agreeing: float, sites_m: np.ndarray, group: Group) -> str:
        """Why the pose cannot be believed; empty: it can."""
        if not np.isfinite(qpos).all():
            return "the first fit diverged"
        objection = disagreement(agreeing) or beyond_range(qpos)
        if objection:
            return objection
        distance_m = np.linalg.norm(sites_m - group.points_m, axis=1)
        for limb in self._parts if self._attempt < PATIENCE else ():
            points = limb.points & group.known
            if points.sum() >= 2 and np.median(distance_m[points]) > FARTHEST_M:
                return f"the {limb.name} is {np.median(distance_m[points]):.2f} m from its points"
        return ""
