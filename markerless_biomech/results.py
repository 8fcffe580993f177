"""What a fit says: plain values that nodes publish, bags record and evaluation judges."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np


class Tracking(IntEnum):
    """State of the subject's track, as in BodyState."""

    TRACKED = 0
    COASTING = 1
    LOST = 2


@dataclass(frozen=True, eq=False)
class BodyEstimate:
    """Pose, velocity and uncertainty of the whole body at one instant."""

    stamp_ns: int
    """The frame set's stamp."""
    settled: bool
    """False: live, from what came before; True: smoothed by what followed for `lag_s`."""
    tracking: Tracking
    qpos: np.ndarray
    """(41,) pelvis position (m, world), pelvis quaternion w x y z (world from pelvis), 34 joint angles (rad)."""
    qvel: np.ndarray
    """(40,) pelvis velocity (m/s, world axes), angular velocity (rad/s, pelvis axes), joint velocities (rad/s)."""
    covariance: np.ndarray
    """(40, 40) of (pelvis position in world, rotation about pelvis axes, joints): m^2, m rad, rad^2."""
    sites_m: np.ndarray
    """(K, 3) keypoint sites in world."""
    sites_std_m: np.ndarray
    """(K,) root mean square over the three axes of the site's standard deviation."""
    site_seen: np.ndarray
    """(K,) bool: True observed in this frame set, False inferred from the model."""


def lost(stamp_ns: int, keypoints: int, settled: bool = True) -> BodyEstimate:
    """The estimate that says: nobody. All finite, at the origin, with K = `keypoints` sites."""
    return BodyEstimate(
        stamp_ns=stamp_ns,
        settled=settled,
        tracking=Tracking.LOST,
        qpos=np.eye(1, 41, 3, dtype=np.float32)[0],
        qvel=np.zeros(40, np.float32),
        covariance=np.zeros((40, 40), np.float32),
        sites_m=np.zeros((keypoints, 3), np.float32),
        sites_std_m=np.zeros(keypoints, np.float32),
        site_seen=np.zeros(keypoints, bool),
    )


@dataclass(frozen=True, eq=False)
class FitReport:
    """How one frame set's fit went. Camera arrays are in the order of the configured cameras."""

    stamp_ns: int
    result: str
    """'OK', or the reason in words."""
    cameras_used: tuple[str, ...] = ()
    keypoints_used: int = 0
    keypoints_rejected: int = 0
    """Seen with confidence, but given no weight (gate, ambiguous sides, outside of the lens model)."""
    keypoints_mirrored: int = 0
    """Left and right exchanged before the fit because the exchanged points agree clearly better."""
    iterations: int = 0
    cost: dict[str, float] = field(default_factory=dict)
    """Value of each term by name (dimensionless: half a sum of squares in standard deviations)."""
    residual_px: float = float("nan")
    """Mean reprojection error of the points used."""
    camera_residual_px: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """(C,) NaN for a camera without points."""
    camera_share: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """(C,) share of a camera's confident points that were used."""


@dataclass(frozen=True, eq=False)
class CameraStanding:
    """How the cameras stand, judged by the person they see; in the order of the configured cameras."""

    moved: np.ndarray
    """(C,) bool: no longer where the calibration in use says."""
    words: tuple[str, ...]
    """What happened to each camera, and the odds; empty: nothing that is known."""
    poses: np.ndarray
    """(C, 7) position (m) and quaternion x y z w of the optical frame in world; NaN: not calibrated."""
    covariance: np.ndarray
    """(C, 6, 6) position, rotation about the world's axes: m^2, m rad, rad^2; 0: held fixed."""
    correction_deg: np.ndarray
    """(C,) from the calibration in use."""
    correction_m: np.ndarray
    """(C,)"""
    proposed: tuple[str, ...] = ()
    """Cameras whose new pose is known well enough to be taken into use."""


@dataclass(frozen=True, eq=False)
class MotionEstimate:
    """Everything that one frame set brought."""

    live: BodyEstimate | None
    """None while LOST (the first LOST is an estimate that says so)."""
    settled: tuple[BodyEstimate, ...]
    """Those that became `lag_s` old with this frame set, oldest first."""
    report: FitReport
    reset: bool = False
    """Time jumped: windows and events were cleared before this frame set."""
    fresh: bool = False
    """There was no track before this frame set."""
