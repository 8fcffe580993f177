"""How well do the cameras foretell one that was left out? Needs no truth: every lab's bag can be judged by it.

Each camera in turn is left out, the trajectory is fitted with the others, and its sites are projected into the camera
left out (MuJoCo's C engine and OpenCV, `oracle.py`). Predicted variance of a point along u and along v:

    s^2 |J_axis|^2  +  (n focal / depth)^2

s: the site's std by the fit, the same along each axis; J (2, 3): pixels by metres, by OpenCV; n: the detector's noise
for this keypoint as a length at the person, 1.4826 median |residual| of the cameras that were NOT left out, each times
its depth / focal: the camera left out tells nothing about its own noise. `coverage` counts a point twice, u and v.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..cameras.rig import Camera, Rig
from ..errors import InputError
from ..session import Trial, fit_trajectories
from ..settings import SessionSettings
from . import metrics
from .evaluation import CONFIDENT
from .oracle import BodyOracle, project_px
from .recorded_session import RecordedSession
from .reprojection import CameraResiduals, reprojection_residuals
from .result_bag import BodyTrack, ResultBag, track_from_estimates
from .trials import trial_from_session

FEWEST_CAMERAS = 3
"""Two must be left to fit with."""

FEWEST_RESIDUALS = 60
"""A keypoint with fewer has the noise of all of them."""

_MAD_TO_STD = 1.4826
_STEP_M = 1e-3

Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class LeftOut:
    """The points (confidence >= 0.5) of one camera against what the others foretold; N points."""

    error_px: np.ndarray
    """(N, 2)"""
    std_px: np.ndarray
    """(N, 2) predicted"""


def leave_one_out(
    recorded: RecordedSession,
    bag: ResultBag,
    skip_s: float = 0.0,
    settings: SessionSettings | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """reprojection_px {mean, median, per_camera} and coverage of the cameras left out, with the bag's subject.

    `recorded` and `bag` are of one path. A camera without which nobody can be followed has null.
    """
    cameras = recorded.cameras
    if len(cameras) < FEWEST_CAMERAS:
        raise InputError(
            f"{bag.path}: {len(cameras)} cameras sent keypoints; --leave-one-out needs at least {FEWEST_CAMERAS}"
        )
    rig = Rig(bag.fitted_or_nominal_rig(), recorded.rig.world_frame)
    trial = replace(trial_from_session(recorded), rig=rig)
    found: dict[str, LeftOut] = {}
    for index, camera in enumerate(cameras):

        def told(share: float, words: str, index: int = index, camera: str = camera) -> None:
            progress((index + share) / len(cameras), f"without {camera}: {words}")

        found[camera] = left_out(trial, camera, bag, skip_s, settings, told)
    return _answer(found, bag)


def _answer(found: dict[str, LeftOut], bag: ResultBag) -> dict[str, Any]:
    error_px = np.concatenate([one.error_px for one in found.values()])
    std_px = np.concatenate([one.std_px for one in found.values()])
    if not len(error_px):
        raise InputError(f"{bag.path}: nobody could be followed without one of the cameras, so none can be judged")
    per_camera = {name: metrics.mean_and_median(np.linalg.norm(one.error_px, axis=-1)) for name, one in found.items()}
    distance_px = np.linalg.norm(error_px, axis=-1)
    return {
        "reprojection_px": {**metrics.mean_and_median(distance_px), "per_camera": per_camera},
        "coverage": metrics.coverage(error_px, std_px),
    }


def left_out(
    trial: Trial, camera: str, bag: ResultBag, skip_s: float, settings: SessionSettings | None, progress: Progress
) -> LeftOut:
    """One camera's points; none where the others cannot follow the subject."""
    try:
        fit = fit_trajectories([without(trial, camera)], bag.keypoint_set, bag.subject, settings, progress)
    except InputError:
        return LeftOut(np.zeros((0, 2)), np.zeros((0, 2)))
    track = track_from_estimates(fit.trials[0].bodies)
    assert track is not None
    start_ns = bag.frame_sets_ns()[0] + round(skip_s * 1e9)
    return foretold(bag, track.where(track.held() & (track.stamps_ns >= start_ns)), camera)


def without(trial: Trial, camera: str) -> Trial:
    """The trial as if the camera had seen nothing; frame sets that it alone saw are gone.

    It stays in the rig: a camera without points has no say, and the fit's programs, compiled for C cameras, serve.
    """
    frame_sets = (
        replace(one, frames={name: frame for name, frame in one.frames.items() if name != camera})
        for one in trial.frame_sets
    )
    return replace(trial, frame_sets=tuple(one for one in frame_sets if one.frames))


def foretold(bag: ResultBag, track: BodyTrack, camera: str) -> LeftOut:
    """What a trajectory (held frames only) that was fitted without `camera` says about its points."""
    rig = bag.fitted_or_nominal_rig()
    sites_m = BodyOracle(bag.subject, bag.keypoint_set).sites_m(track.qpos)
    residuals = reprojection_residuals(bag, rig, track.stamps_ns, sites_m)
    own = residuals.pop(camera)
    noise_m = keypoint_noise_m(rig, residuals)
    rectified = any(frame.rectified for frame in bag.keypoints[camera][:1])
    slope = _px_per_m(rig[camera], own.sites_m, rectified)
    site_px = track.sites_std_m[own.rows][..., None] * np.linalg.norm(slope, axis=-1)
    noise_px = noise_m[:, None] / _m_per_px(rig[camera], own.sites_m)[..., None]
    counted = (own.confidence >= CONFIDENT) & np.isfinite(own.distance_px)
    return LeftOut(own.residual_px[counted], np.sqrt(site_px**2 + noise_px**2)[counted])


def keypoint_noise_m(rig: dict[str, Camera], residuals: dict[str, CameraResiduals]) -> np.ndarray:
    """(K,) standard deviation of each keypoint's residuals as a length at the person, robust, of all these cameras."""
    lengths = []
    for name, one in residuals.items():
        confident = np.where((one.confidence >= CONFIDENT)[..., None], np.abs(one.residual_px), np.nan)
        length_m = confident * _m_per_px(rig[name], one.sites_m)[..., None]
        lengths.append(np.moveaxis(length_m, 1, 0).reshape(length_m.shape[1], -1))
    together = np.concatenate(lengths, axis=1)
    seen = np.isfinite(together)
    everyone = float(np.median(together[seen])) if seen.any() else 0.0
    own = [
        np.median(row[use]) if use.sum() >= FEWEST_RESIDUALS else everyone
        for row, use in zip(together, seen, strict=True)
    ]
    return _MAD_TO_STD * np.array(own)


def _m_per_px(camera: Camera, points_m: np.ndarray) -> np.ndarray:
    """(...) depth / focal at points (..., 3) in world: a pixel's length at the person."""
    rotation, position_m = camera.world_from_camera
    depth_m = (points_m - position_m) @ rotation[:, 2]
    return np.maximum(depth_m, 0.1) / (0.5 * (camera.k[0, 0] + camera.k[1, 1]))


def _px_per_m(camera: Camera, points_m: np.ndarray, rectified: bool) -> np.ndarray:
    """(..., 2, 3) derivative of the projection at points (..., 3) in world, by central differences."""
    columns = []
    for axis in range(3):
        step_m = _STEP_M * np.eye(3)[axis]
        high, low = (project_px(camera, points_m + sign * step_m, rectified) for sign in (1, -1))
        columns.append((high - low) / (2 * _STEP_M))
    return np.stack(columns, axis=-1)
