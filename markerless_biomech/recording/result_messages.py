"""Results <-> messages, in pairs: body, joints, cameras, reports, steps.

Inside, the pelvis' rotation is perturbed about its own axes and its velocity is in world; in messages, REP-103 wants
covariances about the fixed axes of the header's frame and twists in the child's frame. That change is made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..body.names import JOINT_NAMES
from ..errors import InputError
from ..results import BodyEstimate, FitReport, Tracking
from ..rotations import matrix_from_xyzw, wxyz_from_xyzw, xyzw_from_wxyz
from .message_checks import check_code, check_lengths
from .message_types import (
    Types,
    header_to_message,
    point_to_message,
    quaternion_to_message,
    stamp_from_message,
    vector_to_message,
    xyz_from_message,
    xyzw_from_message,
)

NO_ROTATION_WXYZ = (1.0, 0.0, 0.0, 0.0)


def body_to_message(
    types: Types,
    estimate: BodyEstimate,
    world_frame: str = "world",
    pelvis_frame: str = "pelvis",
    model_id: str = "",
    calibration_version: int = 1,
) -> Any:
    """BodyState of an estimate; LOST has empty arrays and an identity pose."""
    estimate = _in_numpy(estimate)
    lost = estimate.tracking == Tracking.LOST
    joints = np.zeros(0) if lost else estimate.qpos[7:]
    return types.BodyState(
        header=header_to_message(types, estimate.stamp_ns, world_frame),
        child_frame_id=pelvis_frame,
        model_id=model_id,
        calibration_version=int(calibration_version),
        settled=bool(estimate.settled),
        tracking=int(estimate.tracking),
        pose=_pose_to_message(types, estimate, lost),
        twist=_twist_to_message(types, estimate, lost),
        position=types.array(joints),
        velocity=types.array(joints if lost else estimate.qvel[6:]),
        position_std=types.array(joints if lost else np.sqrt(np.diagonal(estimate.covariance)[6:])),
        sites_xyz=types.array(joints if lost else estimate.sites_m),
        sites_std=types.array(joints if lost else estimate.sites_std_m),
        site_seen=types.array(joints if lost else estimate.site_seen, "uint8"),
    )


def _in_numpy(estimate: BodyEstimate) -> BodyEstimate:
    """The same with NumPy arrays: slicing an array of JAX costs a millisecond."""
    arrays = {name: np.asarray(value) for name, value in vars(estimate).items() if hasattr(value, "shape")}
    return replace(estimate, **arrays)


def _pose_to_message(types: Types, estimate: BodyEstimate, lost: bool) -> Any:
    position = np.zeros(3) if lost else estimate.qpos[:3]
    turn = np.array(NO_ROTATION_WXYZ) if lost else np.asarray(estimate.qpos[3:7], dtype=float)
    covariance = np.zeros((6, 6)) if lost else world_covariance(estimate.covariance[:6, :6], turn)
    pose = types.Pose(
        position=point_to_message(types, position), orientation=quaternion_to_message(types, xyzw_from_wxyz(turn))
    )
    return types.PoseWithCovariance(pose=pose, covariance=covariance.reshape(36))


def _twist_to_message(types: Types, estimate: BodyEstimate, lost: bool) -> Any:
    linear, angular = np.zeros(3), np.zeros(3)
    if not lost:
        linear = matrix_from_xyzw(xyzw_from_wxyz(estimate.qpos[3:7])).T @ np.asarray(estimate.qvel[:3], dtype=float)
        angular = estimate.qvel[3:6]
    twist = types.Twist(linear=vector_to_message(types, linear), angular=vector_to_message(types, angular))
    return types.TwistWithCovariance(twist=twist, covariance=np.zeros(36))


def world_covariance(covariance: np.ndarray, turn_wxyz: np.ndarray) -> np.ndarray:
    """(6, 6) about the world's axes of one about the body's: a small turn w in the body is R w in the world."""
    change = np.eye(6)
    change[3:, 3:] = matrix_from_xyzw(xyzw_from_wxyz(turn_wxyz))
    return change @ np.asarray(covariance, dtype=float) @ change.T


def body_covariance(covariance: np.ndarray, turn_wxyz: np.ndarray) -> np.ndarray:
    """(6, 6) about the body's axes of one about the world's: the inverse of `world_covariance`."""
    inverse = np.asarray(turn_wxyz, dtype=float) * (1, -1, -1, -1)
    return world_covariance(covariance, inverse)


def body_from_message(message: Any) -> BodyEstimate:
    """Estimate of a BodyState. Joint covariances off the diagonal are not in the message; LOST gives NaN."""
    joints = np.asarray(message.position, dtype=float)
    lost = joints.size == 0
    check_lengths(message, 0 if lost else len(JOINT_NAMES), position=1, velocity=1, position_std=1)
    check_lengths(message, len(message.site_seen), sites_xyz=3, sites_std=1)
    tracking = Tracking(check_code(message, "tracking", len(Tracking)))
    if lost and tracking is not Tracking.LOST:
        raise InputError(f"BodyState: position is empty while tracking is {tracking.name}; expected {len(JOINT_NAMES)}")
    turn = wxyz_from_xyzw(xyzw_from_message(message.pose.pose.orientation))
    covariance = np.diag(np.r_[np.zeros(6), np.full(34, np.nan) if lost else np.asarray(message.position_std) ** 2.0])
    covariance[:6, :6] = body_covariance(np.asarray(message.pose.covariance).reshape(6, 6), turn)
    linear = matrix_from_xyzw(xyzw_from_wxyz(turn)) @ xyz_from_message(message.twist.twist.linear)
    velocity = np.full(34, np.nan) if lost else np.asarray(message.velocity)
    qpos = np.r_[xyz_from_message(message.pose.pose.position), turn, np.full(34, np.nan) if lost else joints]
    return BodyEstimate(
        stamp_ns=stamp_from_message(message.header.stamp),
        settled=bool(message.settled),
        tracking=tracking,
        qpos=np.full(41, np.nan) if lost else qpos,
        qvel=np.r_[linear, xyz_from_message(message.twist.twist.angular), velocity],
        covariance=covariance,
        sites_m=np.asarray(message.sites_xyz, dtype=float).reshape(-1, 3),
        sites_std_m=np.asarray(message.sites_std, dtype=float),
        site_seen=np.asarray(message.site_seen, dtype=np.uint8).astype(bool),
    )


def joints_to_message(types: Types, estimate: BodyEstimate, frame_id: str = "") -> Any:
    """sensor_msgs/JointState: the 34 joints, rad and rad/s."""
    return types.JointState(
        header=header_to_message(types, estimate.stamp_ns, frame_id),
        name=list(JOINT_NAMES),
        position=types.array(np.asarray(estimate.qpos)[7:], "float64"),
        velocity=types.array(np.asarray(estimate.qvel)[6:], "float64"),
        effort=types.array((), "float64"),
    )


def joints_from_message(message: Any) -> tuple[int, dict[str, float]]:
    """Stamp (ns) and angle (rad) by joint name of a JointState."""
    check_lengths(message, len(message.name), position=1)
    return stamp_from_message(message.header.stamp), dict(zip(message.name, map(float, message.position), strict=True))


@dataclass(frozen=True, eq=False)
class FittedCameras:
    """How each of C cameras stands and how it fares, as in the message of this name."""

    OK, LATE, STALE, DEAD, MOVED = range(5)

    stamp_ns: int
    names: tuple[str, ...]
    frame_ids: tuple[str, ...]
    poses: np.ndarray
    """(C, 7) position (m) and quaternion x y z w of the optical frame in world."""
    covariance: np.ndarray
    """(C, 6, 6) position, rotation about the world's axes; 0: held fixed."""
    correction_deg: np.ndarray
    """(C,) from the nominal pose."""
    correction_m: np.ndarray
    """(C,)"""
    residual_px: np.ndarray
    """(C,) NaN: no points."""
    share_used: np.ndarray
    """(C,)"""
    status: np.ndarray
    """(C,) OK, LATE, STALE, DEAD or MOVED."""
    calibration_version: int = 1


def cameras_to_message(types: Types, cameras: FittedCameras, world_frame: str = "world") -> Any:
    """FittedCameras message."""
    return types.FittedCameras(
        header=header_to_message(types, cameras.stamp_ns, world_frame),
        names=list(cameras.names),
        frame_ids=list(cameras.frame_ids),
        poses=types.array(cameras.poses, "float64"),
        covariance=types.array(cameras.covariance, "float64"),
        correction_deg=types.array(cameras.correction_deg),
        correction_m=types.array(cameras.correction_m),
        residual_px=types.array(cameras.residual_px),
        share_used=types.array(cameras.share_used),
        status=types.array(cameras.status, "uint8"),
        calibration_version=int(cameras.calibration_version),
    )


def cameras_from_message(message: Any) -> FittedCameras:
    """Value of a FittedCameras message."""
    _check_statuses(message)
    figures = dict.fromkeys(("correction_deg", "correction_m", "residual_px", "share_used", "status"), 1)
    check_lengths(message, len(message.names), frame_ids=1, poses=7, covariance=36, **figures)
    return FittedCameras(
        stamp_ns=stamp_from_message(message.header.stamp),
        names=tuple(message.names),
        frame_ids=tuple(message.frame_ids),
        poses=np.asarray(message.poses, dtype=float).reshape(-1, 7),
        covariance=np.asarray(message.covariance, dtype=float).reshape(-1, 6, 6),
        correction_deg=np.asarray(message.correction_deg),
        correction_m=np.asarray(message.correction_m),
        residual_px=np.asarray(message.residual_px),
        share_used=np.asarray(message.share_used),
        status=np.asarray(message.status, dtype=np.uint8),
        calibration_version=int(message.calibration_version),
    )


def _check_statuses(message: Any) -> None:
    """Whoever shows cameras has a word and a colour for each of these."""
    status = np.asarray(message.status, dtype=np.uint8)
    strange = np.flatnonzero(status > FittedCameras.MOVED)
    if len(strange):
        place = int(strange[0])
        raise InputError(
            f"FittedCameras: status[{place}] is {status[place]}; expected 0 to {FittedCameras.MOVED}, such as 0 for OK"
        )


@dataclass(frozen=True)
class FitTimes:
    """Readings of the steady clock (s) along one frame set's way; 0: did not happen."""

    received_first_s: float = 0.0
    received_last_s: float = 0.0
    assembled_s: float = 0.0
    solve_start_s: float = 0.0
    solve_end_s: float = 0.0
    published_s: float = 0.0


@dataclass(frozen=True, eq=False)
class FitRecord:
    """A fit report with its times and the counters of what was dropped since the start."""

    report: FitReport
    times: FitTimes = FitTimes()
    dropped: Mapping[str, int] = field(default_factory=dict)
    reset: bool = False


def report_to_message(types: Types, record: FitRecord, world_frame: str = "world") -> Any:
    """FitReport message."""
    report = record.report
    return types.FitReport(
        header=header_to_message(types, report.stamp_ns, world_frame),
        **{name: float(value) for name, value in vars(record.times).items()},
        cameras_used=list(report.cameras_used),
        keypoints_used=int(report.keypoints_used),
        keypoints_rejected=int(report.keypoints_rejected),
        keypoints_mirrored=int(report.keypoints_mirrored),
        iterations=int(report.iterations),
        cost_names=list(report.cost),
        cost_values=types.array(list(report.cost.values()), "float64"),
        residual_px=float(report.residual_px),
        dropped_causes=list(record.dropped),
        dropped_counts=types.array(list(record.dropped.values()), "uint64"),
        reset=bool(record.reset),
        result=report.result,
    )


def report_from_message(message: Any) -> FitRecord:
    """Record of a FitReport message; the cameras' own figures are in FittedCameras."""
    check_lengths(message, len(message.cost_names), cost_values=1)
    check_lengths(message, len(message.dropped_causes), dropped_counts=1)
    report = FitReport(
        stamp_ns=stamp_from_message(message.header.stamp),
        result=message.result,
        cameras_used=tuple(message.cameras_used),
        keypoints_used=int(message.keypoints_used),
        keypoints_rejected=int(message.keypoints_rejected),
        keypoints_mirrored=int(message.keypoints_mirrored),
        iterations=int(message.iterations),
        cost=_by_name(message.cost_names, message.cost_values, float),
        residual_px=float(message.residual_px),
    )
    times = FitTimes(**{name: float(getattr(message, name)) for name in FitTimes.__dataclass_fields__})
    return FitRecord(report, times, _by_name(message.dropped_causes, message.dropped_counts, int), bool(message.reset))


def _by_name(names: Sequence[str], values: Any, kind: Any) -> dict[str, Any]:
    return {name: kind(value) for name, value in zip(names, values, strict=True)}
