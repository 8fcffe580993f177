"""How good is a result? Judges a bag with results; `evaluate` is the command's whole answer.

Kinematics come from MuJoCo's C engine and projection from OpenCV (`oracle.py`), never from the fit. Conventions:
- a result counts when it is TRACKED or COASTING and at least `skip_s` after the bag's first keypoints;
- a *frame set* is a group of keypoint messages whose stamps lie within half a frame; it is lost when no TRACKED result
  has its stamp within half a frame. Settled results are not expected for the last `lag_s`;
- truth is matched by stamp, within half a frame; `mean` of joint errors is over the 34 joints;
- a null says: this bag cannot tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..body.names import JOINT_NAMES
from ..cameras.rig import Camera
from ..errors import InputError
from ..results import Tracking
from . import metrics
from .oracle import BodyOracle
from .reference import compare_with_reference
from .reprojection import CameraResiduals, reprojection_residuals
from .result_bag import BodyTrack, ResultBag, matched, read_result_bag
from .segments import segment_errors_mm
from .step_evaluation import compare_bag_steps, step_calibration, step_figures
from .step_judgement import StepComparison

CONFIDENT = 0.5
"""Points of at least this confidence count in reprojection_px and gc."""


def evaluate(
    bag: str | Path, result: str | None = None, skip_s: float = 0.0, reference: str | Path | None = None
) -> dict[str, Any]:
    """All keys of the command `evaluate` for one result in `bag`; without a name the best: refit, settled, live.

    `reference`: a joints.csv of another program; its comparison comes under the key 'reference'.
    """
    return evaluate_bag(read_result_bag(bag), result, skip_s, reference)


def evaluate_bag(
    session: ResultBag, result: str | None = None, skip_s: float = 0.0, reference: str | Path | None = None
) -> dict[str, Any]:
    """The same for a bag in memory."""
    result = result or session.best_result()
    track = session.track(result)
    frame_sets_ns = session.frame_sets_ns()
    start_ns = frame_sets_ns[0] + round(skip_s * 1e9)
    track = track.where((track.stamps_ns >= start_ns) & track.held())
    if not len(track):
        raise InputError(
            f"{session.path}: no {result} result {skip_s:g} s after the start or later; give --skip-s less than the "
            f"{(session.track(result).stamps_ns[-1] - frame_sets_ns[0]) / 1e9:.2f} s that the result lasts"
        )
    expected_ns = _expected(session, result, frame_sets_ns[frame_sets_ns >= start_ns])
    answer = {
        "frames": len(track),
        "frames_lost": _lost(expected_ns, track, session.half_frame_ns),
        "result": result,
        **judge(session, track),
    }
    if reference is not None:
        answer["reference"] = compare_with_reference(Path(reference), track.stamps_ns / 1e9, track.qpos[:, 7:])
    return answer


def judge(session: ResultBag, track: BodyTrack) -> dict[str, Any]:
    """Everything that is measured on the counted results."""
    oracle = BodyOracle(session.subject, session.keypoint_set)
    sites_m = oracle.sites_m(track.qpos)
    residuals = reprojection_residuals(session, session.fitted_or_nominal_rig(), track.stamps_ns, sites_m)
    consecutive = np.diff(track.stamps_ns) < 3 * session.half_frame_ns
    true_stamps_ns = session.truth.stamps_ns if session.truth else np.zeros(0, np.int64)
    pairs = matched(track.stamps_ns, true_stamps_ns, session.half_frame_ns)
    steps = compare_bag_steps(session, track)
    return {
        **_reprojection(residuals),
        "pose_noise_deg": metrics.pose_noise_deg(track.qpos[:, 7:], consecutive),
        "truth": _against_truth(session, track, sites_m, *pairs, steps) if len(pairs[0]) else None,
        **_intervals(session, track, sites_m, *pairs, steps),
        "leave_one_out": None,
    }


def _expected(session: ResultBag, result: str, frame_sets_ns: np.ndarray) -> np.ndarray:
    """Frame sets for which a result of that kind is due."""
    if result != "settled" or not frame_sets_ns.size:
        return frame_sets_ns
    return frame_sets_ns[frame_sets_ns <= frame_sets_ns[-1] - round(session.lag_s * 1e9) - session.half_frame_ns]


def _lost(expected_ns: np.ndarray, track: BodyTrack, half_frame_ns: int) -> int:
    """Number of frame sets without a TRACKED result."""
    tracked = track.where(track.tracking == Tracking.TRACKED)
    return len(expected_ns) - len(matched(expected_ns, tracked.stamps_ns, half_frame_ns)[0])


# --- in the images ---------------------------------------------------------------------------------------------------


def _reprojection(residuals: dict[str, CameraResiduals]) -> dict[str, Any]:
    confident = {name: one.distance_px[one.confidence >= CONFIDENT] for name, one in residuals.items()}
    together = np.concatenate([*confident.values(), np.zeros(0)])
    everything = np.concatenate([*(one.distance_px.ravel() for one in residuals.values()), np.zeros(0)])
    per_camera = {name: metrics.mean_and_median(error) for name, error in confident.items()}
    return {
        "reprojection_px": {**metrics.mean_and_median(together), "per_camera": per_camera},
        "reprojection_all_px": metrics.mean_and_median(everything),
        "gc": metrics.geometric_consistency(together),
    }


# --- against the truth -----------------------------------------------------------------------------------------------


def _against_truth(
    session: ResultBag,
    track: BodyTrack,
    sites_m: np.ndarray,
    rows: np.ndarray,
    true_rows: np.ndarray,
    steps: StepComparison | None,
) -> dict[str, Any]:
    truth = session.truth
    assert truth is not None
    angles, true_angles = track.qpos[rows, 7:], truth.qpos[true_rows, 7:]
    stamps_ns, true_sites_m = track.stamps_ns[rows], truth.sites_m[true_rows]
    true_residuals = reprojection_residuals(session, session.true_rig or session.rig, stamps_ns, true_sites_m)
    return {
        "joint_rmse_deg": by_joint(metrics.joint_rmse_deg(angles, true_angles)),
        "joint_rmse_debiased_deg": by_joint(metrics.joint_rmse_debiased_deg(angles, true_angles)),
        "max_jump_excess_deg": metrics.max_jump_excess_deg(
            angles, true_angles, np.diff(stamps_ns) < 3 * session.half_frame_ns
        ),
        "gc": _reprojection(true_residuals)["gc"],
        "segment_length_mm": segment_errors_mm(session.subject, session.true_subject),
        "site_rmse_mm": metrics.site_rmse_mm(sites_m[rows], true_sites_m),
        **_camera_truth(session),
        **step_figures(steps),
    }


def by_joint(values_deg: np.ndarray) -> dict[str, Any]:
    """Mean over the joints, and each by name."""
    per_joint = dict(zip(JOINT_NAMES, map(float, values_deg), strict=True))
    return {"mean": float(np.mean(values_deg)), "per_joint": per_joint}


def _camera_truth(session: ResultBag) -> dict[str, float | None]:
    """Mean rotation and position error of the fitted cameras after similarity alignment."""
    fitted, true = session.fitted_rig or session.rig, session.true_rig
    names = sorted(set(fitted) & set(true or {}))
    if true is None or len(names) < 3:
        return {"camera_deg": None, "camera_mm": None}
    rotations, positions = zip(*(_poses(rig, names) for rig in (fitted, true)), strict=True)
    error_deg, error_mm = metrics.rig_errors(rotations[0], positions[0], rotations[1], positions[1])
    return {"camera_deg": float(error_deg.mean()), "camera_mm": float(error_mm.mean())}


def _poses(rig: dict[str, Camera], names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(C, 3, 3) world from camera and (C, 3) positions (m)."""
    poses = [rig[name].world_from_camera for name in names]
    return np.array([rotation for rotation, _ in poses]), np.array([position for _, position in poses])


def _intervals(
    session: ResultBag,
    track: BodyTrack,
    sites_m: np.ndarray,
    rows: np.ndarray,
    true_rows: np.ndarray,
    steps: StepComparison | None,
) -> dict[str, Any]:
    """Coverage of the joints' intervals; calibration error of joints and (each axis of) sites."""
    truth = session.truth if len(rows) else None
    nothing = np.zeros((0, 1))
    error = track.qpos[rows, 7:] - truth.qpos[true_rows, 7:] if truth else nothing
    std = track.joint_std_rad[rows] if truth else nothing
    site_error = sites_m[rows] - truth.sites_m[true_rows] if truth else nothing[..., None]
    site_std = track.sites_std_m[rows] if truth else nothing
    return {
        "coverage": metrics.coverage(error, std),
        "ece": {
            "joints": metrics.expected_calibration_error(error, std),
            "sites": metrics.expected_calibration_error(site_error, site_std[..., None]),
            **step_calibration(steps),
        },
    }
