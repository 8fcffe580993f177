"""READ SECOND. The offline fit: from one or several trials of one person to the subject and the best trajectories.

`fit_session` reads like the method: follow the subject with the live estimator, fit shape and trajectories together on
few frames, find the subject's points again, fit on all frames, say how sure it all is. `fit_trajectories` does the same
with a subject that is known. Values in, values out: no files, no ROS, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from .body.model import standing_height_m
from .body.personal import PERSONAL
from .body.shape import shape_covariance, shape_model, shape_vector, with_shape
from .body.soft_tissue import slides_at_zero
from .body.subject import Subject, subject_from_height
from .cameras.calibrated_camera import same_rig
from .cameras.camera import Cameras
from .cameras.refinement import RigFit, fitted_rig, numbers_std
from .errors import InputError
from .fitting.bundle import Bundle, OuterPrior
from .fitting.judgement import Fitted, judge, measure
from .fitting.offline import Objective
from .fitting.shape_prior import open_zeros_std_rad, shape_prior, surprise
from .fitting.soft_tissue_prior import with_soft_tissue
from .following import Follower, Stretch, body_of, interpolated, stretches
from .keypoints import KeypointSet
from .session_fit import Determined, SessionFit, Trial, TrialFit, determined_by, trial_fit
from .settings import EstimatorSettings, SessionSettings
from .stature import guess_stature_m

__all__ = ["Determined", "SessionFit", "Trial", "TrialFit", "fit_session", "fit_trajectories"]

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
    shape = shape_vector(subject, keypoint_set)
    fitted = session.descend(session.bundle(found, COARSE_FRAMES, shape, session.no_step()), prior, 0)
    found = session.find_again(found, fitted.bundle)
    most = session.settings.frames_most
    fitted = session.descend(session.bundle(found, most, fitted.bundle.shape, fitted.bundle.rig), prior, 1)
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
    every, shape, rig = sum(len(trial.frame_sets) for trial in trials), shape_vector(subject, keypoint_set), None
    if session.rig_prior is not None:
        rough = session.descend(session.bundle(found, COARSE_FRAMES, shape, session.no_step()), None, 0)
        found, rig = session.find_again(found, rough.bundle), rough.bundle.rig
    fitted = session.descend(session.bundle(found, every, shape, rig), None, 1)
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
        self.rig_prior = self._rig_prior() if settings.refine_cameras else None
        self._stride = 1
        self._doubt = 1.0
        """So much less than their noise allows the images are believed, since the body they ask for is nobody's."""

    def _rig_prior(self) -> OuterPrior:
        """Every camera is about where its calibration says. One rig for all trials."""
        if self.settings.trajectory == "implicit":
            raise InputError("settings refine_cameras and trajectory implicit exclude each other; use the smoother")
        rigs = [trial.rig for trial in self.trials]
        for trial in self.trials[1:]:
            if not same_rig(rigs[0], trial.rig):
                raise InputError(
                    f"{self.trials[0].name} and {trial.name} were recorded with different calibrations; "
                    "refine the cameras of one recording at a time"
                )
        std = np.tile(numbers_std(self.settings), len(self.cameras))
        return OuterPrior(np.zeros(len(std)), np.diag(1.0 / std**2))

    def no_step(self) -> np.ndarray | None:
        """(C, P) of cameras that are where their calibration says; None where they are not looked for."""
        return None if self.rig_prior is None else self.rig_prior.mean.reshape(len(self.cameras), -1)

    def follow(self, subject: Subject) -> list[Stretch]:
        """The subject's first trajectory and points in all trials."""
        found, poses = [], []
        for index, trial in enumerate(self.trials):
            share = STAGES[0][0] / len(self.trials)

            def told(done: float, index: int = index, share: float = share) -> None:
                self.progress(share * (index + done), "following the subject")

            poses.append(self.follower.follow(trial.rig, trial.frame_sets, subject, told))
        for index, (qpos, trusted) in enumerate(poses):
            found += self._observed(index, self.arrays[index], qpos, trusted, subject, self.follower.noise_m)
        if not found:
            reason = f" ({self.follower.last_reason})" if self.follower.last_reason else ""
            names = ", ".join(trial.name for trial in self.trials)
            raise InputError(f"{names}: nobody could be followed{reason}; check the calibration and the keypoints")
        return found

    def _observed(
        self,
        index: int,
        cameras: Cameras,
        qpos: np.ndarray,
        trusted: np.ndarray,
        subject: Subject,
        noise_m: np.ndarray,
    ) -> list[Stretch]:
        """The subject's points where `cameras` see them; the pieces keep the trial's own cameras."""
        trial = self.trials[index]
        body = body_of(subject, self.keypoint_set)
        sightings = self.follower.observe(cameras, trial.frame_sets, qpos, body, noise_m)
        return stretches(index, trial.frame_sets, qpos, trusted, sightings, self.arrays[index], noise_m)

    def find_again(self, found: list[Stretch], bundle: Bundle) -> list[Stretch]:
        """The subject's points by a body, cameras and trajectories that fit better."""
        subject = with_shape(subject_from_height(1.75, self.keypoint_set), self.keypoint_set, bundle.shape)
        again = []
        for index, trial in enumerate(self.trials):
            known, noise_m, cameras = {}, self.follower.noise_m, self.arrays[index]
            for stretch, piece in zip(found, bundle.pieces, strict=True):
                if stretch.trial == index:
                    rows, noise_m, cameras = stretch.rows[:: self._stride], piece.noise_m, bundle.cameras(piece)
                    known |= {trial.frame_sets[row].stamp_ns: pose for row, pose in zip(rows, piece.qpos, strict=True)}
            stamps_ns = np.array([frame_set.stamp_ns for frame_set in trial.frame_sets], dtype=np.int64)
            again += self._observed(index, cameras, *interpolated(known, stamps_ns), subject, noise_m)
        return again

    def bundle(self, found: list[Stretch], most: int, shape: np.ndarray, rig: np.ndarray | None) -> Bundle:
        """At most so many frames of all stretches together, evenly spaced."""
        period_s = min(float(np.median(np.diff(stretch.piece.times_s))) for stretch in found)
        total = sum(len(stretch.piece) for stretch in found)
        self._stride = max(1, min(-(-total // most), round(COARSEST_HOP_S / period_s)))
        return Bundle(tuple(stretch.piece.every(self._stride) for stretch in found), shape, rig)

    def descend(self, bundle: Bundle, prior: OuterPrior | None, stage: int) -> Fitted:
        """Gauss-Newton in rounds; noise, its correlation and the poses' uncertainty are measured in between."""
        if stage == 1 and self.settings.trajectory == "implicit":
            return self._trained(bundle.taken(), prior)
        start, rounds = STAGES[stage]
        width = (STAGES[1][0] if stage == 0 else 0.95) - start
        objective, correlation = Objective(self.model, prior, len(bundle), self.rig_prior), 1.0
        if stage == 1 and objective.prior is not None:
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

    def _trained(self, bundle: Bundle, prior: OuterPrior | None) -> Fitted:
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
        self, found: list[Stretch], fitted: Fitted, subject: Subject, prior: OuterPrior | None, height_m: float | None
    ) -> SessionFit:
        """Posterior, residuals and results."""
        self.progress(0.95, "how sure it is")
        known = shape_covariance(subject, self.keypoint_set) if prior is None else None
        zeros = None
        if prior is not None or subject.covariance is not None:
            piece = fitted.bundle.pieces[0]
            zeros = open_zeros_std_rad(self.keypoint_set, self.model, fitted.bundle.shape, piece.qpos[len(piece) // 2])
        covariance, rig_covariance, states = judge(self.model, fitted, prior, known, self.rig_prior, zeros)
        size = len(self.cameras), len(self.keypoint_set)
        results = tuple(
            trial_fit(index, trial, found, fitted.bundle, states, self._stride, size)
            for index, trial in enumerate(self.trials)
        )
        sure = CONFIDENT**2 * np.maximum(self.keypoint_set.weights, 1e-9)
        confident = np.concatenate([trial.residual_px[trial.weight >= sure] for trial in results])
        reprojection_px = float(np.nanmean(confident)) if np.isfinite(confident).any() else float("nan")
        determined = ()
        if prior is not None:
            subject = with_shape(subject, self.keypoint_set, fitted.bundle.shape, covariance)
            tall_m = height_m or standing_height_m(subject)
            mass_kg = subject.mass_kg * (tall_m / subject.height_m) ** 2
            subject = replace(subject, height_m=tall_m, mass_kg=mass_kg, residual_px=reprojection_px)
            determined = determined_by(self.keypoint_set, fitted.bundle.shape, covariance, prior)
        rig = self._rig_fit(fitted.bundle, rig_covariance) if len(rig_covariance) else None
        self.progress(1.0, "done")
        return SessionFit(
            subject, results, self.cameras, determined, fitted.terms, fitted.correlation, reprojection_px, rig
        )

    def _rig_fit(self, bundle: Bundle, covariance: np.ndarray) -> RigFit:
        assert bundle.rig is not None
        piece = bundle.pieces[0]
        rig, cameras = self.trials[0].rig, bundle.cameras(piece)
        return fitted_rig(rig, self.cameras, cameras, piece.cameras, bundle.rig, covariance)
