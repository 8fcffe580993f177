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
from ..body.subject import Subject
from ..cameras.rig import Camera
from ..errors import InputError
from ..keypoints import KeypointFrame
from ..results import Tracking
from . import metrics
from .oracle import BodyOracle, body_positions_m, project_px
from .reference import compare_with_reference
from .result_bag import BodyTrack, ResultBag, read_result_bag

CONFIDENT = 0.5
"""Points of at least this confidence count in reprojection_px and gc."""

SEGMENTS = {
    **{f"thigh_{s}": ("tibia_" + s,) for s in "rl"},
    **{f"shank_{s}": ("talus_" + s,) for s in "rl"},
    **{f"foot_{s}": ("toes_" + s,) for s in "rl"},
    "trunk": ("head",),
    **{f"upper_arm_{s}": ("ulna_" + s,) for s in "rl"},
    **{f"forearm_{s}": ("hand_" + s,) for s in "rl"},
    "pelvis_width": ("femur_r", "femur_l"),
    "shoulder_width": ("humerus_r", "humerus_l"),
}
"""Length of one body's origin from its parent's, or distance between two bodies with one parent."""


def evaluate(
    bag: str | Path, result: str = "settled", skip_s: float = 0.0, reference: str | Path | None = None
) -> dict[str, Any]:
    """All keys of the command `evaluate` for the 'settled' or the 'live' result in `bag`.

    `reference`: a joints.csv of another program; its comparison comes under the key 'reference'.
    """
    return evaluate_bag(read_result_bag(bag), result, skip_s, reference)


def evaluate_bag(
    session: ResultBag, result: str = "settled", skip_s: float = 0.0, reference: str | Path | None = None
) -> dict[str, Any]:
    """The same for a bag in memory."""
    track = session.track(result)
    frame_sets_ns = session.frame_sets_ns()
    start_ns = frame_sets_ns[0] + round(skip_s * 1e9)
    track = track.where((track.stamps_ns >= start_ns) & (track.tracking != Tracking.LOST))
    if not len(track):
        raise InputError(
            f"{session.path}: no {result} result {skip_s:g} s after the start or later; "
            "the subject was never tracked, or skip_s is too long"
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
    errors = reprojection_errors(session, session.fitted_or_nominal_rig(), track.stamps_ns, sites_m)
    consecutive = np.diff(track.stamps_ns) < 3 * session.half_frame_ns
    true_stamps_ns = session.truth.stamps_ns if session.truth else np.zeros(0, np.int64)
    pairs = matched(track.stamps_ns, true_stamps_ns, session.half_frame_ns)
    return {
        **_reprojection(errors),
        "pose_noise_deg": metrics.pose_noise_deg(track.qpos[:, 7:], consecutive),
        "truth": _against_truth(session, track, sites_m, *pairs) if len(pairs[0]) else None,
        **_intervals(session, track, sites_m, *pairs),
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


def matched(stamps_ns: np.ndarray, other_ns: np.ndarray, within_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (i, j) with other_ns[j] nearest to stamps_ns[i] and at most `within_ns` away; both sorted by time."""
    if not len(other_ns) or not len(stamps_ns):
        return np.zeros(0, int), np.zeros(0, int)
    after = np.clip(np.searchsorted(other_ns, stamps_ns), 1, max(len(other_ns) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(other_ns) - 1)
    nearest = np.where(np.abs(other_ns[after] - stamps_ns) < np.abs(other_ns[before] - stamps_ns), after, before)
    close = np.abs(other_ns[nearest] - stamps_ns) <= within_ns
    return np.flatnonzero(close), nearest[close]


# --- in the images ---------------------------------------------------------------------------------------------------


def reprojection_errors(
    session: ResultBag, rig: dict[str, Camera], stamps_ns: np.ndarray, sites_m: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By camera: (N, K) distance in px from each keypoint to its site (NaN: none), and (N, K) confidence.

    N: the camera's messages that have a result. With several people in view, the one nearest to the result counts.
    Sites are moved by their velocity to the camera's own stamp.
    """
    velocity = _velocity_m_s(stamps_ns, sites_m)
    errors = {}
    for name, frames in session.keypoints.items():
        frame_stamps = np.array([frame.stamp_ns for frame in frames], dtype=np.int64)
        rows, indices = matched(frame_stamps, stamps_ns, session.half_frame_ns)
        later_s = (frame_stamps[rows] - stamps_ns[indices]) / 1e9
        moved = sites_m[indices] + velocity[indices] * later_s[:, None, None]
        errors[name] = _camera_errors(rig[name], [frames[row] for row in rows], moved)
    return errors


def _velocity_m_s(stamps_ns: np.ndarray, sites_m: np.ndarray) -> np.ndarray:
    """(F, K, 3) of sites, by central differences."""
    if len(stamps_ns) < 2:
        return np.zeros_like(sites_m)
    return np.gradient(sites_m, (stamps_ns - stamps_ns[0]) / 1e9, axis=0)


def _camera_errors(camera: Camera, frames: list[KeypointFrame], sites_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    projected = project_px(camera, sites_m, rectified=bool(frames) and frames[0].rectified)
    error_px, confidence = np.full(sites_m.shape[:2], np.nan), np.zeros(sites_m.shape[:2])
    for row, frame in enumerate(frames):
        if len(frame.points):
            errors = person_errors_px(frame.points, projected[row])
            person = nearest_person(errors)
            error_px[row], confidence[row] = errors[person], frame.points[person, :, 2]
    return error_px, confidence


def person_errors_px(points: np.ndarray, projected_px: np.ndarray) -> np.ndarray:
    """(P, K) distance of (P, K, 3) points from (K, 2) projected sites; NaN for points not seen."""
    error_px = np.linalg.norm(points[..., :2] - projected_px, axis=-1)
    return np.where(points[..., 2] > 0, error_px, np.nan)


def nearest_person(error_px: np.ndarray) -> int:
    """Index of the person with the least median of (P, K) errors; people without any come last."""
    medians = [np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.inf for row in error_px]
    return int(np.argmin(medians))


def _reprojection(errors: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    confident = {name: error[confidence >= CONFIDENT] for name, (error, confidence) in errors.items()}
    together = np.concatenate([*confident.values(), np.zeros(0)])
    everything = np.concatenate([*(error.ravel() for error, _ in errors.values()), np.zeros(0)])
    per_camera = {name: metrics.mean_and_median(error) for name, error in confident.items()}
    return {
        "reprojection_px": {**metrics.mean_and_median(together), "per_camera": per_camera},
        "reprojection_all_px": metrics.mean_and_median(everything),
        "gc": metrics.geometric_consistency(together),
    }


# --- against the truth -----------------------------------------------------------------------------------------------


def _against_truth(
    session: ResultBag, track: BodyTrack, sites_m: np.ndarray, rows: np.ndarray, true_rows: np.ndarray
) -> dict[str, Any]:
    truth = session.truth
    assert truth is not None
    angles, true_angles = track.qpos[rows, 7:], truth.qpos[true_rows, 7:]
    stamps_ns, true_sites_m = track.stamps_ns[rows], truth.sites_m[true_rows]
    true_errors = reprojection_errors(session, session.true_rig or session.rig, stamps_ns, true_sites_m)
    return {
        "joint_rmse_deg": by_joint(metrics.joint_rmse_deg(angles, true_angles)),
        "joint_rmse_debiased_deg": by_joint(metrics.joint_rmse_debiased_deg(angles, true_angles)),
        "max_jump_excess_deg": metrics.max_jump_excess_deg(
            angles, true_angles, np.diff(stamps_ns) < 3 * session.half_frame_ns
        ),
        "gc": _reprojection(true_errors)["gc"],
        "segment_length_mm": segment_errors_mm(session.subject, session.true_subject),
        "site_rmse_mm": metrics.site_rmse_mm(sites_m[rows], true_sites_m),
        **_camera_truth(session),
        "events": {
            "detected": None,
            "missed": None,
            "false": None,
            "timing_ms": {"heel_strike": None, "toe_off": None},
        },
        "step_length_mm": None,
        "step_width_mm": None,
    }


def by_joint(values_deg: np.ndarray) -> dict[str, Any]:
    """Mean over the joints, and each by name."""
    per_joint = dict(zip(JOINT_NAMES, map(float, values_deg), strict=True))
    return {"mean": float(np.mean(values_deg)), "per_joint": per_joint}


def segment_errors_mm(subject: Subject, true_subject: Subject | None) -> dict[str, Any]:
    """|length - true length| of each of SEGMENTS and their median; null without the true subject."""
    if true_subject is None:
        return {"median": None, "per_segment": None}
    lengths, true_lengths = (segment_lengths_m(person) for person in (subject, true_subject))
    errors_mm = {name: 1000 * abs(length - true_lengths[name]) for name, length in lengths.items()}
    return {"median": float(np.median(list(errors_mm.values()))), "per_segment": errors_mm}


def segment_lengths_m(subject: Subject) -> dict[str, float]:
    """Length of each of SEGMENTS of this person."""
    position = body_positions_m(subject)
    ends = {name: [position[body] for body in bodies] for name, bodies in SEGMENTS.items()}
    return {name: float(np.linalg.norm(end[0] - (end[1] if len(end) > 1 else 0))) for name, end in ends.items()}


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
    session: ResultBag, track: BodyTrack, sites_m: np.ndarray, rows: np.ndarray, true_rows: np.ndarray
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
            "events": None,
            "steps": None,
        },
    }
