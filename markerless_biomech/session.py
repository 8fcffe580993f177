"""READ SECOND. The offline fit: from one or several trials of one person to the subject and the best trajectories.

`fit_session` reads like the method: follow the subject with the live estimator, fit shape and trajectories together on
few frames, find the subject's points again, fit on all frames, say how sure it all is. `fit_trajectories` does the same
with a subject that is known. Values in, values out: no files, no ROS, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .body.model import standing_height_m
from .body.personal import PERSONAL
from .body.shape import shape_covariance, shape_model, shape_names, shape_vector, with_shape
from .body.soft_tissue import slides_at_zero
from .body.subject import Subject, subject_from_height
from .cameras.calibrated_camera import Rig
from .cameras.frame_sets import FrameSet
from .errors import InputError
from .fitting.judgement import Fitted, judge, measure
from .fitting.offline import Bundle, Objective, ShapePrior
from .fitting.shape_prior import shape_prior, surprise
from .fitting.soft_tissue_prior import with_soft_tissue
from .following import Follower, Stretch, body_of, interpolated, stretches
from .keypoints import KeypointSet
from .results import BodyEstimate, Tracking, lost
from .settings import EstimatorSettings, SessionSettings
from .stature import guess_stature_m

Progress = Callable[[float, str], None]
"""Told the share that is done, 0 to 1, and in words what is going on."""

COARSE_FRAMES = 400
"""Frames of all trials together on which the shape is found first."""

COARSEST_HOP_S = 0.25
"""Further apart, frames say nothing about each other."""

STAGES = ((0.35, 6), (0.6, 3))
"""Where each of the two stages starts in the progress, and its rounds: in each the shape and the trajectories are
fitted to what the round before knew of noise and uncertainty."""

ITERATIONS = (8, 3)
"""At most so many in the first round, where nothing is known, and in the others."""

SURPRISING = 8.0
"""Offsets of a segment's keypoints that are so many standard deviations too large together come from what the model
does not know (skin that slides, hinges that are none), not from the person: the images are believed less. Of 2000
people made by the prior none is surprising."""

CONVINCING = 2.0
"""Once surprised, that is how far the offsets must come back: as large as an ordinary person's."""

CONFIDENT = 0.5
"""Points of at least this confidence count in the reprojection error."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One recording of the subject."""

    name: str
    rig: Rig
    frame_sets: tuple[FrameSet, ...]
    """In order of time."""


@dataclass(frozen=True, eq=False)
class TrialFit:
    """Results of one trial. F frame sets that were fitted, C cameras, K keypoints."""

    name: str
    bodies: tuple[BodyEstimate, ...]
    """One for each frame set; those without the subject are LOST."""
    residual_px: np.ndarray
    """(F, C, K) distance of point and site; NaN: not used."""
    weight: np.ndarray
    """(F, C, K) of the points, 0: not seen."""


@dataclass(frozen=True)
class Determined:
    """How well the data determined one parameter of the subject."""

    name: str
    """'overall', 'thigh_r', ..., 'hip_centre_up_r_m', ..., 'soft tissue <keypoint> x', or 'offset <keypoint> x'."""
    unit: str
    """'1', 'm', 'rad' or 'm/rad'."""
    value: float
    prior_mean: float
    prior_std: float
    posterior_std: float


@dataclass(frozen=True, eq=False)
class SessionFit:
    """The subject, the trajectories, and how much to trust them."""

    subject: Subject
    trials: tuple[TrialFit, ...]
    cameras: tuple[str, ...]
    determined: tuple[Determined, ...]
    """Empty where the subject was known."""
    objective: dict[str, float]
    """Terms by name: half sums of squares in standard deviations."""
    noise_correlation: float
    """So many observations say what one would that had independent noise."""
    reprojection_px: float
    """Mean over points of confidence 0.5 or more."""


def fit_session(
    trials: Sequence[Trial],
    keypoint_set: KeypointSet,
    height_m: float | None = None,
    name: str = "subject",
    settings: SessionSettings | None = None,
    progress: Progress = lambda *_: None,
) -> SessionFit:
    """Shape, of which `settings` say how much is looked for, and trajectories together; `height_m` is an observation.

    Raises InputError in words when nobody can be followed.
    """
    session = _Session(trials, keypoint_set, settings or SessionSettings(), progress)
    guess_m = height_m or guess_stature_m(session.follower, trials)
    subject = subject_from_height(guess_m, keypoint_set, name)
    prior = shape_prior(keypoint_set, height_m, session.settings.height_std_m, session.settings.personal_joints)
    if session.settings.personal_joints:
        subject = replace(subject, personal=np.zeros(PERSONAL))
    if session.settings.soft_tissue:
        subject = replace(subject, soft_tissue_m_per_rad=slides_at_zero(keypoint_set))
        prior = with_soft_tissue(prior, keypoint_set)
    found = session.follow(subject)
    fitted = session.descend(session.bundle(found, COARSE_FRAMES, shape_vector(subject, keypoint_set)), prior, 0)
    found = session.find_again(found, fitted.bundle)
    fitted = session.descend(session.bundle(found, session.settings.frames_most, fitted.bundle.shape), prior, 1)
    return session.judged(found, fitted, subject, prior, height_m)


def fit_trajectories(
    trials: Sequence[Trial],
    keypoint_set: KeypointSet,
    subject: Subject,
    settings: SessionSettings | None = None,
    progress: Progress = lambda *_: None,
) -> SessionFit:
    """The best trajectories of a subject that is known. Raises InputError in words when nobody can be followed."""
    session = _Session(trials, keypoint_set, settings or SessionSettings(), progress)
    found = session.follow(subject)
    every = sum(len(trial.frame_sets) for trial in trials)
    fitted = session.descend(session.bundle(found, every, shape_vector(subject, keypoint_set)), None, 1)
    return session.judged(found, fitted, subject, None, None)


class _Session:
    """What the steps of a fit share. Its methods are the steps."""

    def __init__(
        self, trials: Sequence[Trial], keypoint_set: KeypointSet, settings: SessionSettings, progress: Progress
    ) -> None:
        self.trials = tuple(trials)
        self.keypoint_set = keypoint_set
        self.settings = settings
        self.progress = progress
        self.cameras = tuple(dict.fromkeys(name for trial in trials for name in trial.rig.cameras))
        live = EstimatorSettings(
            association_gate=settings.association_gate,
            capture_volume_m=settings.capture_volume_m,
            device=settings.device,
        )
        self.follower = Follower(self.cameras, keypoint_set, live)
        self.arrays = [self.follower.arrays(trial.rig, trial.frame_sets) for trial in trials]
        self.model = shape_model(keypoint_set)
        self._stride = 1
        self._doubt = 1.0
        """So much less than their noise allows the images are believed, since the body they ask for is nobody's."""

    def follow(self, subject: Subject) -> list[Stretch]:
        """The subject's first trajectory and points in all trials."""
        found, poses = [], []
        for index, trial in enumerate(self.trials):
            share = STAGES[0][0] / len(self.trials)

            def told(done: float, index: int = index, share: float = share) -> None:
                self.progress(share * (index + done), "following the subject")

            poses.append(self.follower.follow(trial.rig, trial.frame_sets, subject, told))
        for index, (qpos, trusted) in enumerate(poses):
            found += self._observed(index, qpos, trusted, subject, self.follower.noise_m)
        if not found:
            reason = f" ({self.follower.last_reason})" if self.follower.last_reason else ""
            names = ", ".join(trial.name for trial in self.trials)
            raise InputError(f"{names}: nobody could be followed{reason}; check the calibration and the keypoints")
        return found

    def _observed(
        self, index: int, qpos: np.ndarray, trusted: np.ndarray, subject: Subject, noise_m: np.ndarray
    ) -> list[Stretch]:
        trial, cameras = self.trials[index], self.arrays[index]
        body = body_of(subject, self.keypoint_set)
        sightings = self.follower.observe(cameras, trial.frame_sets, qpos, body, noise_m)
        return stretches(index, trial.frame_sets, qpos, trusted, sightings, cameras, noise_m)

    def find_again(self, found: list[Stretch], bundle: Bundle) -> list[Stretch]:
        """The subject's points by a body and trajectories that fit better."""
        subject = with_shape(subject_from_height(1.75, self.keypoint_set), self.keypoint_set, bundle.shape)
        again = []
        for index, trial in enumerate(self.trials):
            known, noise_m = {}, self.follower.noise_m
            for stretch, piece in zip(found, bundle.pieces, strict=True):
                if stretch.trial == index:
                    rows, noise_m = stretch.rows[:: self._stride], piece.noise_m
                    known |= {trial.frame_sets[row].stamp_ns: pose for row, pose in zip(rows, piece.qpos, strict=True)}
            stamps_ns = np.array([frame_set.stamp_ns for frame_set in trial.frame_sets], dtype=np.int64)
            again += self._observed(index, *interpolated(known, stamps_ns), subject, noise_m)
        return again

    def bundle(self, found: list[Stretch], most: int, shape: np.ndarray) -> Bundle:
        """At most so many frames of all stretches together, evenly spaced."""
        period_s = min(float(np.median(np.diff(stretch.piece.times_s))) for stretch in found)
        total = sum(len(stretch.piece) for stretch in found)
        self._stride = max(1, min(-(-total // most), round(COARSEST_HOP_S / period_s)))
        return Bundle(tuple(stretch.piece.every(self._stride) for stretch in found), shape)

    def descend(self, bundle: Bundle, prior: ShapePrior | None, stage: int) -> Fitted:
        """Gauss-Newton in rounds; noise, its correlation and the poses' uncertainty are measured in between."""
        if stage == 1 and self.settings.trajectory == "implicit":
            return self._trained(bundle, prior)
        start, rounds = STAGES[stage]
        width = (STAGES[1][0] if stage == 0 else 0.95) - start
        objective, correlation = Objective(self.model, prior, len(bundle)), 1.0
        if stage == 1 and prior is not None:
            bundle, correlation = measure(self.model, bundle)
        for index in range(rounds):

            def told(iteration: int, value: float, index: int = index) -> None:
                share = (index + iteration / ITERATIONS[min(index, 1)]) / rounds
                self.progress(start + width * share, f"objective {value:.6g}")

            descent = objective.descend(bundle, correlation * self._doubt, ITERATIONS[min(index, 1)], told=told)
            bundle, correlation = measure(self.model, descent.bundle)
            if prior is not None and index > 0:
                limit = SURPRISING if self._doubt == 1.0 else CONVINCING
                self._doubt *= 2.0 if surprise(prior, bundle.shape, self.keypoint_set) > limit else 1.0
        return Fitted(bundle, correlation * self._doubt, descent.terms)

    def _trained(self, bundle: Bundle, prior: ShapePrior | None) -> Fitted:
        """Networks of time instead of frames, from the poses found so far (fitting/implicit.py)."""
        from .fitting.implicit import fit_implicit

        start = STAGES[1][0]
        bundle, correlation = measure(self.model, bundle)
        correlation *= self._doubt

        def told(share: float, words: str) -> None:
            self.progress(start + (0.95 - start) * share, words)

        fit = fit_implicit(self.model, bundle, prior, correlation=correlation, progress=told)
        return Fitted(fit.bundle, correlation, {"reprojection": fit.data_term})

    def judged(
        self, found: list[Stretch], fitted: Fitted, subject: Subject, prior: ShapePrior | None, height_m: float | None
    ) -> SessionFit:
        """Posterior, residuals and results."""
        self.progress(0.95, "how sure it is")
        known = shape_covariance(subject, self.keypoint_set) if prior is None else None
        covariance, states = judge(self.model, fitted, prior, known)
        results = tuple(self._trial_fit(index, found, fitted, states) for index in range(len(self.trials)))
        confident = np.concatenate(
            [
                trial.residual_px[(trial.weight >= CONFIDENT**2 * np.maximum(self.keypoint_set.weights, 1e-9))]
                for trial in results
            ]
        )
        reprojection_px = float(np.nanmean(confident)) if np.isfinite(confident).any() else float("nan")
        if prior is not None:
            subject = with_shape(subject, self.keypoint_set, fitted.bundle.shape, covariance)
            tall_m = height_m or standing_height_m(subject)
            mass_kg = subject.mass_kg * (tall_m / subject.height_m) ** 2
            subject = replace(subject, height_m=tall_m, mass_kg=mass_kg, residual_px=reprojection_px)
        determined = self._determined(fitted.bundle.shape, covariance, prior) if prior is not None else ()
        self.progress(1.0, "done")
        return SessionFit(subject, results, self.cameras, determined, fitted.terms, fitted.correlation, reprojection_px)

    def _determined(self, shape: np.ndarray, covariance: np.ndarray, prior: ShapePrior) -> tuple[Determined, ...]:
        prior_std = np.sqrt(np.diagonal(np.linalg.inv(prior.information)))
        std = np.sqrt(np.diagonal(covariance))
        return tuple(
            Determined(name, unit, *map(float, (shape[row], prior.mean[row], prior_std[row], std[row])))
            for row, name, unit in shape_names(self.keypoint_set, len(shape))
        )

    def _trial_fit(self, index: int, found: list[Stretch], fitted: Fitted, states: list) -> TrialFit:
        """One BodyEstimate for each frame set of the trial that was looked at."""
        trial = self.trials[index]
        cameras, keypoints = len(self.cameras), len(self.keypoint_set)
        bodies: dict[int, BodyEstimate] = {}
        residual_px = np.full((len(trial.frame_sets), cameras, keypoints), np.nan, np.float32)
        weight = np.zeros_like(residual_px)
        for stretch, piece, state in zip(found, fitted.bundle.pieces, states, strict=True):
            if stretch.trial != index:
                continue
            rows = stretch.rows[:: self._stride]
            distance = np.linalg.norm(state.residual_px, axis=-1)
            residual_px[rows] = np.where(state.used, distance, np.nan)
            weight[rows] = piece.observed.weight
            tracked = stretch.seen[:: self._stride]
            for t, row in enumerate(rows):
                bodies[int(row)] = BodyEstimate(
                    stamp_ns=trial.frame_sets[row].stamp_ns,
                    settled=True,
                    tracking=Tracking.TRACKED if tracked[t] else Tracking.COASTING,
                    qpos=piece.qpos[t],
                    qvel=state.qvel[t],
                    covariance=state.covariance[t],
                    sites_m=state.sites_m[t],
                    sites_std_m=state.sites_std_m[t],
                    site_seen=np.any(piece.observed.weight[t] > 0, axis=0),
                )
        rows = range(0, len(trial.frame_sets)) if self._stride == 1 else sorted(bodies)
        whole = [bodies.get(row) or lost(trial.frame_sets[row].stamp_ns, keypoints) for row in rows]
        kept = np.array(list(rows), dtype=int)
        return TrialFit(trial.name, tuple(whole), residual_px[kept], weight[kept])
