"""The subject's points in every image of one frame set, and lines of sight of everybody for a cold start."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .cameras.association import CONFIDENT, FEWEST_KEYPOINTS, Prediction, Rays, right_way_round
from .cameras.frame_sets import FrameSet
from .errors import InputError
from .keypoints import KeypointSet

PEOPLE = 8
"""People of one camera that a cold start considers, the most confident ones."""


@dataclass(frozen=True)
class Sighting:
    """One person's points in C cameras."""

    image_px: np.ndarray
    """(C, K, 2)"""
    weight: np.ndarray
    """(C, K) confidence^2 times the keypoint's own; 0: not seen."""
    delay_s: np.ndarray
    """(C,) the camera's stamp, offset added, minus the frame set's."""
    confident: np.ndarray
    """(C, K) points that the detector was sure of, used or not."""
    mirrored: int = 0
    """Points whose side was exchanged."""

    @property
    def views(self) -> int:
        """Cameras with enough points."""
        return int(((self.weight > 0).sum(1) >= FEWEST_KEYPOINTS).sum())

    @property
    def seen(self) -> np.ndarray:
        """(K,) seen by any camera."""
        return np.any(self.weight > 0, axis=0)

    def blind(self) -> Sighting:
        """The same, with nothing seen."""
        return replace(self, weight=np.zeros_like(self.weight))


class Lookout:
    """Gathers people from frame sets in the order of the configured cameras."""

    def __init__(self, camera_names: tuple[str, ...], keypoint_set: KeypointSet, time_offsets_s: tuple[float, ...]):
        """Raises InputError for a camera that is named twice, and for offsets that are not one for each camera."""
        if len(set(camera_names)) < len(camera_names):
            raise InputError(f"setting cameras names a camera twice: {', '.join(camera_names)}")
        if len(time_offsets_s) not in (0, len(camera_names)):
            raise InputError(
                f"setting camera_time_offsets_s has {len(time_offsets_s)} values; expected one for each of "
                f"{len(camera_names)} cameras"
            )
        # read-only after construction
        self._keypoint_set = keypoint_set
        self._offsets_s = dict(zip(camera_names, time_offsets_s or (0.0,) * len(camera_names), strict=True))
        self._limbs = _limb_masks(keypoint_set)
        self.index = {name: index for index, name in enumerate(camera_names)}

    def gather(self, frame_set: FrameSet, person_of_camera: dict[str, int]) -> Sighting:
        """The chosen person of each camera; -1: nobody there."""
        points = np.zeros((len(self.index), len(self._keypoint_set), 3), np.float32)
        delay_s = np.zeros(len(self.index), np.float32)
        for name, person in person_of_camera.items():
            if person >= 0:
                frame, row = frame_set.frames[name], self.index[name]
                points[row] = frame.points[person]
                delay_s[row] = (frame.stamp_ns - frame_set.stamp_ns) * 1e-9 + self._offsets_s[name]
        confidence = np.clip(points[..., 2], 0.0, 1.0)
        weight = (confidence**2 * self._keypoint_set.weights).astype(np.float32)
        return Sighting(points[..., :2], weight, delay_s, (confidence >= CONFIDENT) & (self._keypoint_set.weights > 0))

    def right_way_round(self, sighting: Sighting, prediction: Prediction) -> Sighting:
        """Limbs whose sides the detector exchanged are put right; ambiguous ones lose their weight."""
        sides = right_way_round(
            sighting.image_px, sighting.weight, prediction, self._keypoint_set.partners, self._limbs
        )
        return replace(
            sighting,
            image_px=sides.image_px.astype(np.float32),
            weight=sides.weight.astype(np.float32),
            mirrored=sides.mirrored,
        )

    def everybody(self, frame_set: FrameSet) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
        """(PEOPLE, C, K, 3) points, and (camera, slot, person) of each of them."""
        padded = np.zeros((PEOPLE, len(self.index), len(self._keypoint_set), 3), np.float32)
        people = []
        for name, frame in frame_set.frames.items():
            certain = frame.points[..., 2] @ self._keypoint_set.weights
            ranked = np.argsort(-certain, kind="stable")[:PEOPLE]
            for slot, person in enumerate(ranked):
                padded[slot, self.index[name]] = frame.points[person]
                people.append((self.index[name], slot, int(person)))
        return padded, people

    def rays(
        self,
        points: np.ndarray,
        people: list[tuple[int, int, int]],
        normalised: np.ndarray,
        reached: np.ndarray,
        world_from_camera: tuple[np.ndarray, np.ndarray],
    ) -> list[Rays]:
        """Lines of sight in world of `everybody`, from undistorted image coordinates (PEOPLE, C, K, 2)."""
        rotation, centre_m = world_from_camera
        directions = np.concatenate([normalised, np.ones_like(normalised[..., :1])], -1)
        directions = np.einsum("cij,pckj->pcki", rotation, directions)
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        confidence = points[..., 2] * reached * (self._keypoint_set.weights > 0)
        return [Rays(c, person, centre_m[c], directions[slot, c], confidence[slot, c]) for c, slot, person in people]


def _limb_masks(keypoint_set: KeypointSet) -> np.ndarray:
    """(2, K): points of both arms, of both legs, that have a partner on the other side."""
    segments = [body.rsplit("_", 1)[0] for body in keypoint_set.bodies]
    paired = keypoint_set.partners != np.arange(len(keypoint_set))
    arms = np.isin(segments, ["humerus", "ulna", "radius", "hand"])
    legs = np.isin(segments, ["femur", "tibia", "talus", "calcn", "toes"])
    return np.stack([arms & paired, legs & paired])
