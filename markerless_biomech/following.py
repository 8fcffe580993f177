"""Who is the subject, through a whole recording: a first trajectory, and the subject's points in every image.

The live estimator follows the subject over some of the frame sets; for the others its poses are interpolated. Given
poses of every frame set, `observe` picks the person and puts left and right the right way round. F frame sets, C
cameras (those of the whole session, in one order), K keypoints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np

from .body.model import BodyParameters, body_parameters, difference, integrate, sites
from .body.subject import Subject
from .cameras.association import Prediction, Rays, nearest_people
from .cameras.calibrated_camera import Rig
from .cameras.camera import Cameras, project, undistort
from .cameras.frame_sets import FrameSet
from .cameras.rig import camera_arrays
from .estimator import FEWEST_VIEWS, MotionEstimator
from .fitting import priors
from .fitting.bundle import Piece, by_chunks
from .fitting.residuals import Observations, pixels_per_metre
from .keypoints import KeypointSet
from .results import Tracking
from .settings import EstimatorSettings
from .sightings import Lookout, Sighting

FOLLOWED_HZ = 30.0
"""Rate at which the live estimator looks at the frame sets; the others lie close enough for interpolation."""

LONGEST_GAP_S = 0.5
"""Without sight of the subject for longer, a new piece begins."""

SHORTEST_PIECE = 5
"""Frames."""

GATE = 6.0
"""A person further from the interpolated pose than this many standard deviations is not the subject."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Frame sets of one trial through which the subject was followed without a gap."""

    trial: int
    rows: np.ndarray
    """(F,) indices of the trial's frame sets"""
    piece: Piece
    confident: np.ndarray
    """(F, C, K) points that the detector was sure of."""
    seen: np.ndarray
    """(F,) seen by enough cameras."""


class Follower:
    """Follows one subject through the recordings of one session."""

    def __init__(self, cameras: tuple[str, ...], keypoint_set: KeypointSet, settings: EstimatorSettings) -> None:
        # read-only after construction
        self.cameras = cameras
        self.keypoint_set = keypoint_set
        self._settings = replace(settings, cameras=cameras, camera_time_offsets_s=())
        self._lookout = Lookout(cameras, keypoint_set, ())
        self.noise_m = np.full(len(cameras), priors.DETECTOR_NOISE_M, np.float32)
        """(C,) where the noise starts."""
        # owned by the caller's thread
        self._estimator: MotionEstimator | None = None
        self.last_reason = ""
        """Why the last frame set without a pose had none."""

    def arrays(self, rig: Rig, frame_sets: Sequence[FrameSet]) -> Cameras:
        """The trial's cameras in the session's order; those it does not have see nothing."""
        rectified = {name: frame.rectified for frame_set in frame_sets[:1] for name, frame in frame_set.frames.items()}
        return jax.device_put(camera_arrays(rig, self.cameras, rectified))

    def rays(self, rig: Rig, frame_set: FrameSet) -> list[Rays]:
        """Everybody's lines of sight."""
        cameras = self.arrays(rig, [frame_set])
        rotation, translation = np.asarray(cameras.rotation), np.asarray(cameras.translation)
        world_from_camera = (rotation.transpose(0, 2, 1), -np.einsum("cji,cj->ci", rotation, translation))
        points, people = self._lookout.everybody(frame_set)
        normalised, reached = map(np.asarray, _undistort(cameras, points[..., :2]))
        return self._lookout.rays(points, people, normalised, reached, world_from_camera)

    def follow(
        self,
        rig: Rig,
        frame_sets: Sequence[FrameSet],
        subject: Subject,
        told: Callable[[float], None] = lambda _: None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(F, 41) poses of the live estimator's settled result, interpolated, and (F,) where they are to be trusted."""
        estimator = self._estimator_for(rig, subject)
        stamps_ns = np.array([frame_set.stamp_ns for frame_set in frame_sets], dtype=np.int64)
        chosen = frame_sets[:: _stride(stamps_ns)]
        known: dict[int, np.ndarray] = {}
        for index, frame_set in enumerate(chosen):
            estimate = estimator.update(frame_set)
            if estimate.report.result != "OK":
                self.last_reason = estimate.report.result
            known |= {b.stamp_ns: np.asarray(b.qpos) for b in estimate.settled if b.tracking == Tracking.TRACKED}
            told((index + 1) / len(chosen))
        known |= {b.stamp_ns: np.asarray(b.qpos) for b in estimator.finish() if b.tracking == Tracking.TRACKED}
        estimator.reset()
        return interpolated(known, stamps_ns)

    def _estimator_for(self, rig: Rig, subject: Subject) -> MotionEstimator:
        if self._estimator is None:
            self._estimator = MotionEstimator(self.cameras, self.keypoint_set, subject, self._settings)
            self._estimator.compile()
        self._estimator.reset()
        self._estimator.finish()
        self._estimator.set_rig(rig)
        self._estimator.set_subject(subject)
        return self._estimator

    def observe(
        self,
        cameras: Cameras,
        frame_sets: Sequence[FrameSet],
        qpos: np.ndarray,
        parameters: BodyParameters,
        noise_m: np.ndarray,
    ) -> list[Sighting]:
        """The subject's points in every frame set, given its pose (F, 41) in each."""
        expected_px, valid, scale = _expected(parameters, cameras, qpos)
        used = self.keypoint_set.weights > 0
        sightings = []
        for frame_set, pixels, seen, per_m in zip(frame_sets, expected_px, valid, scale, strict=True):
            prediction = Prediction(pixels, seen & used, per_m * np.hypot(noise_m, 0.03))
            frames = {name: frame for name, frame in frame_set.frames.items() if name in self._lookout.index}
            chosen = nearest_people(frames, self._lookout.index, prediction, GATE, self.keypoint_set.partners)
            sightings.append(self._lookout.right_way_round(self._lookout.gather(frame_set, chosen), prediction))
        return sightings


_undistort = jax.jit(undistort)


def _stride(stamps_ns: np.ndarray) -> int:
    """Frame sets from one that the estimator looks at to the next."""
    if len(stamps_ns) < 2:
        return 1
    period_s = float(np.median(np.diff(stamps_ns))) * 1e-9
    return max(1, round(1.0 / (FOLLOWED_HZ * max(period_s, 1e-6))))


def _expected(
    parameters: BodyParameters, cameras: Cameras, qpos: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(F, C, K, 2) px, (F, C, K) valid, (F, C) pixels per metre at poses (F, 41)."""

    def packed(poses: np.ndarray) -> jax.Array:
        return _pack(parameters, cameras, poses)

    values = by_chunks(packed, qpos.astype(np.float32))
    count = parameters.site_pos.shape[0]
    images = values[..., : 3 * count].reshape(*values.shape[:2], count, 3)
    return images[..., :2], images[..., 2] > 0.5, values[..., -1]


@jax.jit
def _pack(parameters: BodyParameters, cameras: Cameras, qpos: jax.Array) -> jax.Array:
    """(B, C, 3 K + 1) u, v, valid of every keypoint, then pixels per metre."""
    pixels, valid = project(cameras, sites(parameters, qpos))
    images = jax.numpy.concatenate([pixels, valid[..., None].astype(pixels.dtype)], -1)
    flat = images.reshape(*images.shape[:2], -1)
    return jax.numpy.concatenate([flat, pixels_per_metre(cameras, qpos)[..., None]], -1)


def interpolated(known: dict[int, np.ndarray], stamps_ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F, 41) poses at the stamps from those known at some, and (F,) whether a known one is near enough.

    Between two known poses on the way from one to the other; before the first and after the last they stay.
    """
    if not known:
        return np.zeros((len(stamps_ns), 41), np.float32), np.zeros(len(stamps_ns), bool)
    known_ns = np.array(sorted(known), dtype=np.int64)
    poses = np.array([known[stamp] for stamp in known_ns], dtype=np.float32)
    later = np.clip(np.searchsorted(known_ns, stamps_ns), 1, max(len(known_ns) - 1, 1))
    earlier = later - 1
    later = np.minimum(later, len(known_ns) - 1)
    span = np.maximum(known_ns[later] - known_ns[earlier], 1)
    share = np.clip((stamps_ns - known_ns[earlier]) / span, 0.0, 1.0).astype(np.float32)
    step = by_chunks(difference, poses[earlier], poses[later])
    gap_ns = round(LONGEST_GAP_S * 1e9)
    near = np.minimum(np.abs(stamps_ns - known_ns[earlier]), np.abs(stamps_ns - known_ns[later])) <= gap_ns
    return by_chunks(integrate, poses[earlier], share[:, None] * step), near


def stretches(
    trial: int,
    frame_sets: Sequence[FrameSet],
    qpos: np.ndarray,
    trusted: np.ndarray,
    sightings: Sequence[Sighting],
    cameras: Cameras,
    noise_m: np.ndarray,
) -> list[Stretch]:
    """The parts of a trial in which the subject is seen often enough to be fitted."""
    stamps_ns = np.array([frame_set.stamp_ns for frame_set in frame_sets], dtype=np.int64)
    seen = trusted & np.array([sighting.views >= FEWEST_VIEWS for sighting in sightings])
    rows = np.flatnonzero(seen)
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(stamps_ns[rows]) > LONGEST_GAP_S * 1e9)
    parts = zip(rows[np.r_[0, breaks + 1]], rows[np.r_[breaks, len(rows) - 1]], strict=True)
    found = []
    for first, last in parts:
        inside = np.arange(first, last + 1)
        if len(inside) < SHORTEST_PIECE:
            continue
        own = [sightings[row] if seen[row] else sightings[row].blind() for row in inside]
        piece = Piece((stamps_ns[inside] - stamps_ns[0]) * 1e-9, qpos[inside], _observations(own), cameras, noise_m)
        found.append(Stretch(trial, inside, piece, np.stack([s.confident for s in own]), seen[inside]))
    return found


def _observations(sightings: Sequence[Sighting]) -> Observations:
    """(F, C, ...)"""
    return Observations(
        *(np.stack([getattr(s, name) for s in sightings]) for name in ("image_px", "weight", "delay_s"))
    )


def body_of(subject: Subject, keypoint_set: KeypointSet) -> BodyParameters:
    """The subject's body on the device."""
    return jax.device_put(body_parameters(subject, keypoint_set))
