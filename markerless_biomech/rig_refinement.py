"""The rig as it is known from minute to minute: slow bundle adjustment beside the live fit.

Batches of frame sets come with the poses that the live fit gave them. Each is fitted again with the cameras free, about
what the batches before have said; that is forgotten with a half-life, the nominal calibration never. What images cannot
tell (the rig's similarity) is taken out over the cameras that stood still, so that none of them moves because another
one does. A value in, a value out; C cameras.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from .body.shape import shape_covariance, shape_model, shape_vector
from .body.subject import Subject
from .cameras.alignment import steps_of_gauge, without_gauge, world_steps
from .cameras.calibrated_camera import Rig
from .cameras.increments import POSE, refined
from .cameras.refinement import RigFit, fitted_rig
from .fitting.bundle import Bundle, OuterPrior, Piece
from .fitting.judgement import Fitted, judge, measure
from .fitting.offline import Objective
from .following import Follower, Stretch, body_of, stretches
from .keypoints import KeypointSet
from .settings import EstimatorSettings

NEW_POSE_M = 0.08
"""A frame set counts when its pose lies so far from every one that counted before: standing tells nothing new, and what
a detector gets wrong of one pose must not be believed a thousand times."""

FRAMES_MOST = 150
"""Of a batch."""

FEWEST_FRAMES = 10
"""Poses that differ, below which a batch says nothing."""

PRIOR_DEG, PRIOR_M = 1.0, 0.02
"""How far the nominal calibration may be off (SD per axis)."""

ITERATIONS = 4

STRAYS, ALIGNMENTS = 3.0, 30
"""A camera so many standard deviations from where the others go counts a quarter in the alignment; its iterations."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Frame sets in order of time, and the poses (F, 41) that the live fit gave them."""

    frame_sets: tuple
    qpos: np.ndarray


@dataclass(frozen=True, eq=False)
class RigKnowledge:
    """What the batches' images have said of the increments of the reference rig's cameras; the nominal calibration is
    not in it."""

    information: np.ndarray
    """(C POSE, C POSE)"""
    weighted: np.ndarray
    """(C POSE,) information times increments, which sums up over batches as the information does."""


class RigRefiner:
    """Holds the reference and what compiled programs need; `take` is a pure step of knowledge."""

    def __init__(
        self, reference: Rig, subject: Subject, keypoint_set: KeypointSet, half_life_s: float, device: str = "cpu"
    ) -> None:
        self.reference = reference
        self.half_life_s = half_life_s
        self._names = tuple(reference.cameras)
        self._keypoint_set = keypoint_set
        self._subject = subject
        self._follower = Follower(self._names, keypoint_set, EstimatorSettings(device=device))
        self._model = shape_model(keypoint_set)
        std = np.tile([PRIOR_M] * 3 + [float(np.radians(PRIOR_DEG))] * 3, len(self._names))
        self._nominal = np.diag(1.0 / std**2)

    def nothing(self) -> RigKnowledge:
        """The reference, and no more than that."""
        size = len(self._names) * POSE
        return RigKnowledge(np.zeros((size, size)), np.zeros(size))

    def numbers(self, knowledge: RigKnowledge) -> np.ndarray:
        """(C, POSE) increments of the cameras, with the nominal calibration as prior."""
        return np.linalg.solve(self._nominal + knowledge.information, knowledge.weighted).reshape(-1, POSE)

    def take(self, knowledge: RigKnowledge, batch: Batch) -> tuple[RigKnowledge, RigFit | None]:
        """What is known after a batch, and the rig; None where the batch says nothing new."""
        piece = self._piece(knowledge, batch)
        if piece is None:
            return knowledge, None
        fitted, batch_covariance = self._fitted(knowledge, piece)
        assert fitted.rig is not None
        # A batch is fitted without what is remembered: tension between the two would look like correlated noise.
        believed = np.linalg.inv(batch_covariance)
        kept = 0.5 ** (float(np.ptp(piece.times_s)) / self.half_life_s)
        after = RigKnowledge(
            kept * knowledge.information + 0.5 * (believed + believed.T) - self._nominal,
            kept * knowledge.weighted + believed @ fitted.rig.ravel(),
        )
        covariance = np.linalg.inv(self._nominal + after.information)
        numbers = self._without_gauge(self.numbers(after), np.asarray(piece.cameras.rotation), covariance)
        cameras = jax.device_put(refined(piece.cameras, jnp.asarray(numbers, jnp.float32)))
        return after, fitted_rig(self.reference, self._names, cameras, piece.cameras, numbers, covariance)

    def _fitted(self, knowledge: RigKnowledge, piece: Piece) -> tuple[Bundle, np.ndarray]:
        """The batch alone with the cameras free about the nominal calibration, and their covariance."""
        prior = OuterPrior(np.zeros(len(self._nominal)), self._nominal)
        objective = Objective(self._model, None, len(piece), prior)
        shape = shape_vector(self._subject, self._keypoint_set)
        bundle, correlation = measure(self._model, Bundle((piece,), shape, self.numbers(knowledge)))
        for _ in range(2):
            descent = objective.descend(bundle, correlation, ITERATIONS)
            bundle, correlation = measure(self._model, descent.bundle)
        known = shape_covariance(self._subject, self._keypoint_set)
        return bundle, judge(self._model, Fitted(bundle, correlation, descent.terms), None, known, prior)[1]

    def _piece(self, knowledge: RigKnowledge, batch: Batch) -> Piece | None:
        """The subject's points in the frame sets whose poses differ; None: too few."""
        body = body_of(self._subject, self._keypoint_set)
        nominal = self._follower.arrays(self.reference, batch.frame_sets)
        now = jax.device_put(refined(nominal, jnp.asarray(self.numbers(knowledge), jnp.float32)))
        sightings = self._follower.observe(now, batch.frame_sets, batch.qpos, body, self._follower.noise_m)
        everywhere = np.ones(len(batch.frame_sets), bool)
        found = stretches(0, batch.frame_sets, batch.qpos, everywhere, sightings, nominal, self._follower.noise_m)
        longest = max(found, key=len_of, default=None)
        if longest is None:
            return None
        rows = new_poses(_pelvis_and_limbs_m(longest.piece), NEW_POSE_M)
        if len(rows) < FEWEST_FRAMES:
            return None
        rows = rows[:: -(-len(rows) // FRAMES_MOST)]
        piece = longest.piece
        observed = jax.tree.map(lambda x: x[rows], piece.observed)
        return replace(piece, times_s=piece.times_s[rows], qpos=piece.qpos[rows], observed=observed)

    def _without_gauge(self, numbers: np.ndarray, rotation: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """Increments less the similarity that fits most cameras best, each by how well it is known: one that has moved
        does not take the others along."""
        if len(numbers) < 3:
            return numbers
        position_m = np.array([camera.position_m for camera in self.reference.cameras.values()])
        gauge, to_world = steps_of_gauge(position_m), world_steps(rotation)
        left = steps = to_world @ numbers.ravel()
        apart = without_gauge(position_m) @ to_world
        spread = apart @ covariance @ apart.T
        rows = [slice(POSE * index, POSE * index + POSE) for index in range(len(numbers))]
        information = [np.linalg.inv(spread[own, own]) for own in rows]
        scale = np.inf
        for _ in range(ALIGNMENTS):
            strays = np.array([left[own] @ known @ left[own] for own, known in zip(rows, information, strict=True)])
            # At first wide, so that the farthest is found before it is left out.
            scale = max(STRAYS**2 * POSE, min(0.5 * scale, strays.max()))
            weight = np.zeros_like(spread)
            for own, known, stray in zip(rows, information, strays, strict=True):
                weight[own, own] = known / (1.0 + stray / scale) ** 2
            left = steps - gauge @ np.linalg.solve(gauge.T @ weight @ gauge, gauge.T @ weight @ steps)
        return (to_world.T @ left).reshape(numbers.shape)


def len_of(stretch: Stretch) -> int:
    """Frames."""
    return len(stretch.piece)


def _pelvis_and_limbs_m(piece: Piece) -> np.ndarray:
    """(F, 40) a pose as lengths: the pelvis' place, and a third of a metre for every radian."""
    return np.concatenate([piece.qpos[:, :3], 0.3 * piece.qpos[:, 3:]], axis=1)


def new_poses(poses_m: np.ndarray, step_m: float) -> np.ndarray:
    """Rows of the poses that lie at least `step_m` from every one that was chosen before."""
    chosen: list[int] = []
    for row, pose in enumerate(poses_m):
        if not chosen or np.linalg.norm(poses_m[chosen] - pose, axis=1).min() >= step_m:
            chosen.append(row)
    return np.array(chosen, dtype=int)
