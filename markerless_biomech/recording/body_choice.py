"""What else of the body is looked for where it is asked for (joints of one's own, skin that slides), and kept only
where cameras that were left out are foretold better.

The session is fitted without and with it. Then up to three cameras in turn are left out, the trajectories of both
bodies are fitted to the others, and their sites are compared with what the camera left out saw: the same points for
both. The bodies themselves come from all cameras. One thing after the other: skin is tried on the joints that are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..body.personal import PERSONAL
from ..body.soft_tissue import slides_at_zero
from ..body.subject import Subject
from ..errors import InputError
from ..keypoints import KeypointFrame, KeypointSet
from ..results import Tracking
from ..session import CONFIDENT, SessionFit, Trial, TrialFit, fit_session, fit_trajectories
from ..settings import SessionSettings
from .leave_one_out import FEWEST_CAMERAS, without
from .oracle import BodyOracle
from .reprojection import CameraResiduals, camera_residuals

CAMERAS_LEFT_OUT = 3
"""In turn, evenly chosen."""

FRAMES_JUDGED = 900
"""Frame sets of all trials together."""

OUTLIER = 6.0
"""Points further off than so many medians say nothing about bodies."""

GAIN = 2.0
"""For each number that is looked for the squares of the points left out, in variances and as many as the noise leaves
independent, must become less by so much. The bodies have seen the cameras left out, and a number takes about one off
anybody's noise."""

OPTIONS = {"personal_joints": "joints of one's own", "soft_tissue": "skin that slides"}
"""What may be looked for, in the order in which it is tried: setting, and what it is called."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Choice:
    """Whether something was kept, and why: mean distance of the points in cameras left out."""

    kept: bool
    without_px: float
    with_px: float
    gain: float
    """Squares of the residuals without it less those with it, in variances."""
    gain_needed: float

    def in_words(self, option: str) -> str:
        """One sentence on what became of `option`."""
        return (
            f"{OPTIONS[option]}: {'kept' if self.kept else 'not kept'}; cameras left out are foretold to "
            f"{self.without_px:.3f} px without and {self.with_px:.3f} px with it, a gain of {self.gain:.0f} variances "
            f"where {self.gain_needed:.0f} are asked for"
        )


@dataclass(frozen=True, eq=False)
class Candidate:
    """A body, and where the other cameras see it go."""

    fit: SessionFit
    followed: dict[str, tuple[TrialFit, ...]]
    """All trials by the camera that was left out."""


def fit_best_body(
    trials: Sequence[Trial],
    keypoint_set: KeypointSet,
    height_m: float | None = None,
    name: str = "subject",
    settings: SessionSettings | None = None,
    progress: Progress = lambda *_: None,
) -> tuple[SessionFit, dict[str, Choice]]:
    """`fit_session` with what is worth keeping of what `settings` ask for, and the choices by setting.

    Raises InputError.
    """
    settings = settings or SessionSettings()
    if settings.soft_tissue:
        slides_at_zero(keypoint_set)  # refuses before the long work, not after it
    wanted = [option for option in OPTIONS if getattr(settings, option)]
    cameras, judged = left_out_cameras(trials), _shortened(trials)
    as_calibrated = replace(settings, refine_cameras=False)  # a camera left out could not follow the others
    share = 1.0 / (1 + len(wanted))

    def candidate(index: int, options: Sequence[str]) -> Candidate:
        words = f"{OPTIONS[options[-1]]}: " if index else ""
        asked = replace(settings, **{option: option in options for option in OPTIONS})
        told = _part(progress, share * index, 0.5 * share, words)
        fit = fit_session(trials, keypoint_set, height_m, name, asked, told)
        told = _part(progress, share * (index + 0.5), 0.5 * share, words)
        body = _comparable(fit.subject, keypoint_set, settings)
        return Candidate(fit, followed_without(judged, cameras, keypoint_set, body, as_calibrated, told))

    best, kept, choices = candidate(0, ()), (), {}
    for index, option in enumerate(wanted, 1):
        other = candidate(index, (*kept, option))
        numbers = len(other.fit.determined) - len(best.fit.determined)
        distance_px = foretold_px(judged, keypoint_set, (best, other))
        choices[option] = chosen(distance_px, other.fit.noise_correlation, numbers)
        if choices[option].kept:
            best, kept = other, (*kept, option)
    return best.fit, choices


def chosen(distance_px: np.ndarray, noise_correlation: float, numbers: int) -> Choice:
    """From the distances (2, N) of the same points, without and with so many more numbers of the body."""
    before, after = (distance_px**2).sum(1)
    variance = 0.5 * before / max(distance_px.shape[1], 1)
    gain = float((before - after) / max(variance, 1e-12) / noise_correlation)
    without_px, with_px = map(float, distance_px.mean(1))
    return Choice(gain > GAIN * numbers, without_px, with_px, gain, GAIN * numbers)


def left_out_cameras(trials: Sequence[Trial]) -> list[str]:
    """Of those that sent keypoints in every trial. Raises InputError where two would not be left."""
    sent = [{name for one in trial.frame_sets for name in one.frames} & set(trial.rig.cameras) for trial in trials]
    cameras = sorted(set.intersection(*sent))
    if len(cameras) < FEWEST_CAMERAS:
        raise InputError(
            f"--personal-joints, --soft-tissue: {len(cameras)} cameras sent keypoints in every trial; expected at "
            f"least {FEWEST_CAMERAS}, because each is left out in turn"
        )
    chosen = np.linspace(0, len(cameras), CAMERAS_LEFT_OUT, endpoint=False).astype(int)
    return [cameras[index] for index in chosen]


def _comparable(subject: Subject, keypoint_set: KeypointSet, settings: SessionSettings) -> Subject:
    """Without a covariance and with zeros for what it lacks, so that all bodies share the compiled programs."""
    joints, slides = subject.personal, subject.soft_tissue_m_per_rad
    if settings.personal_joints and joints is None:
        joints = np.zeros(PERSONAL)
    if settings.soft_tissue and not slides:
        slides = slides_at_zero(keypoint_set)
    return replace(subject, covariance=None, personal=joints, soft_tissue_m_per_rad=slides)


def followed_without(
    trials: Sequence[Trial],
    cameras: Sequence[str],
    keypoint_set: KeypointSet,
    subject: Subject,
    settings: SessionSettings,
    progress: Progress = lambda *_: None,
) -> dict[str, tuple[TrialFit, ...]]:
    """The body's trajectories by the camera that was left out."""
    followed = {}
    for index, camera in enumerate(cameras):
        fewer = [without(trial, camera) for trial in trials]
        told = _part(progress, index / len(cameras), 1.0 / len(cameras), f"without {camera}: ")
        followed[camera] = fit_trajectories(fewer, keypoint_set, subject, settings, told).trials
    return followed


def foretold_px(trials: Sequence[Trial], keypoint_set: KeypointSet, candidates: Sequence[Candidate]) -> np.ndarray:
    """(B, N) distances of N points of the cameras left out from the sites of B bodies that the others follow."""
    oracles = [BodyOracle(one.fit.subject, keypoint_set) for one in candidates]
    found = []
    for camera in candidates[0].followed:
        fits = zip(*(one.followed[camera] for one in candidates), strict=True)
        parts = [_of_trial(trial, camera, oracles, of_bodies) for trial, of_bodies in zip(trials, fits, strict=True)]
        distance_px = np.concatenate(parts, axis=1)
        found.append(distance_px[:, (distance_px < OUTLIER * np.median(distance_px)).all(0)])
    return np.concatenate(found, axis=1)


def _of_trial(trial: Trial, camera: str, oracles: Sequence[BodyOracle], fits: Sequence[TrialFit]) -> np.ndarray:
    """(B, N) for the instants that all bodies were tracked."""
    tracked = [{b.stamp_ns: b.qpos for b in fit.bodies if b.tracking == Tracking.TRACKED} for fit in fits]
    stamps_ns = np.array(sorted(set.intersection(*map(set, tracked))), dtype=np.int64)
    if not len(stamps_ns):
        return np.zeros((len(fits), 0))
    frames = sorted((f for one in trial.frame_sets for f in one.frames.values() if f.camera == camera), key=_stamp)
    within_ns = int(np.median(np.diff(stamps_ns)) / 2) if len(stamps_ns) > 1 else 0
    found: list[CameraResiduals] = []
    for oracle, qpos in zip(oracles, tracked, strict=True):
        sites_m = oracle.sites_m(np.array([qpos[stamp] for stamp in stamps_ns]))
        found.append(camera_residuals(trial.rig.cameras[camera], frames, stamps_ns, sites_m, within_ns))
    distance_px = np.array([one.distance_px for one in found])
    sure = np.all([one.confidence >= CONFIDENT for one in found], axis=0)
    return distance_px[:, sure & np.isfinite(distance_px).all(0)]


def _stamp(frame: KeypointFrame) -> int:
    return frame.stamp_ns


def _shortened(trials: Sequence[Trial]) -> list[Trial]:
    """The middle of each trial."""
    most = max(2, FRAMES_JUDGED // len(trials))

    def middle(trial: Trial) -> Trial:
        start = max(0, (len(trial.frame_sets) - most) // 2)
        return replace(trial, frame_sets=trial.frame_sets[start : start + most])

    return [middle(trial) for trial in trials]


def _part(progress: Progress, start: float, width: float, words: str) -> Progress:
    """Progress of a step as a share of the whole."""
    return lambda share, text: progress(start + width * share, words + text)
