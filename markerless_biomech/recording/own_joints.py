"""Joint centres and axes of one's own: looked for, and kept only where cameras that were left out are foretold better.

The session is fitted with the base model's joints and with the subject's own. Then up to three cameras in turn are left
out, the trajectories of both bodies are fitted to the others, and their sites are compared with what the camera left
out saw: the same points for both. The bodies themselves come from all cameras.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..body.personal import PERSONAL
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
"""Points further off than so many medians say nothing about joints."""

GAIN = 2.0 * PERSONAL
"""By so much the squares of the points left out, in variances and as many as the noise leaves independent, must become
less. The bodies have seen the cameras left out, and 15 more numbers take about 15 off anybody's noise."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class JointsChoice:
    """Which joints were kept, and why: mean distance of the points in cameras left out."""

    kept: str
    """'personal' or 'base model'."""
    base_px: float
    personal_px: float
    gain: float
    """Squares of the base model's residuals less the personal joints', in variances; kept from GAIN = 30 on."""


def fit_session_with_own_joints(
    trials: Sequence[Trial],
    keypoint_set: KeypointSet,
    height_m: float | None = None,
    name: str = "subject",
    settings: SessionSettings | None = None,
    progress: Progress = lambda *_: None,
) -> tuple[SessionFit, JointsChoice]:
    """`fit_session` with and without joints of one's own, and the one that foretells better. Raises InputError."""
    cameras = left_out_cameras(trials)
    settings = settings or SessionSettings()

    def fitted(own: bool) -> SessionFit:
        start, words = (0.35, "own joints: ") if own else (0.0, "")
        asked = replace(settings, personal_joints=own)
        told = _part(progress, start, 0.35, words)
        return fit_session(trials, keypoint_set, height_m, name, asked, told)

    fits = {own: fitted(own) for own in (False, True)}
    judged = _shortened(trials)
    distances = []
    for index, camera in enumerate(cameras):
        told = _part(progress, 0.7 + 0.3 * index / len(cameras), 0.3 / len(cameras), f"without {camera}: ")
        distances.append(foretold_px(judged, camera, keypoint_set, [fits[own].subject for own in fits], settings, told))
    choice = chosen(np.concatenate(distances, axis=1), fits[True].noise_correlation)
    return fits[choice.kept == "personal"], choice


def chosen(distance_px: np.ndarray, noise_correlation: float) -> JointsChoice:
    """From the distances (2, N) of the same points, the base model's first."""
    base, personal = (distance_px**2).sum(1)
    variance = 0.5 * base / max(distance_px.shape[1], 1)
    gain = float((base - personal) / max(variance, 1e-12) / noise_correlation)
    base_px, personal_px = map(float, distance_px.mean(1))
    return JointsChoice("personal" if gain > GAIN else "base model", base_px, personal_px, gain)


def left_out_cameras(trials: Sequence[Trial]) -> list[str]:
    """Of those that sent keypoints in every trial. Raises InputError where two would not be left."""
    sent = [{name for one in trial.frame_sets for name in one.frames} & set(trial.rig.cameras) for trial in trials]
    cameras = sorted(set.intersection(*sent))
    if len(cameras) < FEWEST_CAMERAS:
        raise InputError(
            f"--personal-joints: {len(cameras)} cameras sent keypoints in every trial; expected at least "
            f"{FEWEST_CAMERAS}, because each is left out in turn"
        )
    chosen = np.linspace(0, len(cameras), CAMERAS_LEFT_OUT, endpoint=False).astype(int)
    return [cameras[index] for index in chosen]


def foretold_px(
    trials: Sequence[Trial],
    camera: str,
    keypoint_set: KeypointSet,
    subjects: Sequence[Subject],
    settings: SessionSettings,
    progress: Progress = lambda *_: None,
) -> np.ndarray:
    """(S, N) distances of N points of `camera` from the sites of S bodies that the other cameras follow."""
    fewer, fits = [without(trial, camera) for trial in trials], []
    for index, subject in enumerate(subjects):
        # Without a covariance and with numbers for every joint, so that all bodies share the compiled programs.
        own = np.zeros(PERSONAL) if subject.personal is None else subject.personal
        plain = replace(subject, covariance=None, personal=own)
        told = _part(progress, index / len(subjects), 1.0 / len(subjects), "")
        fits.append(fit_trajectories(fewer, keypoint_set, plain, settings, told).trials)
    oracles = [BodyOracle(subject, keypoint_set) for subject in subjects]
    parts = [_of_trial(trial, camera, oracles, of_bodies) for trial, *of_bodies in zip(trials, *fits, strict=True)]
    distance_px = np.concatenate(parts, axis=1)
    near = (distance_px < OUTLIER * np.median(distance_px)).all(0)
    return distance_px[:, near]


def _of_trial(trial: Trial, camera: str, oracles: Sequence[BodyOracle], fits: Sequence[TrialFit]) -> np.ndarray:
    """(S, N) for the instants that all bodies were tracked."""
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
