"""Where a result's sites fall in the images, and how far from the keypoints: OpenCV's projection, not the fit's own.

With several people in view the one nearest to the result counts. Sites are moved by their velocity to each camera's
own stamp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..cameras.rig import Camera
from ..keypoints import KeypointFrame
from .oracle import project_px
from .result_bag import ResultBag, matched


@dataclass(frozen=True, eq=False)
class CameraResiduals:
    """The messages of one camera that have a result; N messages, K keypoints."""

    rows: np.ndarray
    """(N,) index of each message's result."""
    residual_px: np.ndarray
    """(N, K, 2) keypoint minus projected site; NaN: not seen."""
    confidence: np.ndarray
    """(N, K) of the person that counts; 0: not seen."""
    sites_m: np.ndarray
    """(N, K, 3) sites at the camera's stamp, world."""

    @property
    def distance_px(self) -> np.ndarray:
        """(N, K) length of the residual; NaN: not seen."""
        return np.linalg.norm(self.residual_px, axis=-1)


def reprojection_residuals(
    session: ResultBag,
    rig: Mapping[str, Camera],
    stamps_ns: np.ndarray,
    sites_m: np.ndarray,
    cameras: Sequence[str] | None = None,
) -> dict[str, CameraResiduals]:
    """By camera (all, or those named), for a result with stamps (F,) and sites (F, K, 3) in world."""
    names = cameras if cameras is not None else session.keypoints
    half_ns = session.half_frame_ns
    return {name: camera_residuals(rig[name], session.keypoints[name], stamps_ns, sites_m, half_ns) for name in names}


def camera_residuals(
    camera: Camera, frames: Sequence[KeypointFrame], stamps_ns: np.ndarray, sites_m: np.ndarray, within_ns: int
) -> CameraResiduals:
    """Of one camera's messages, each with the result nearest in time and at most `within_ns` away."""
    frame_stamps = np.array([frame.stamp_ns for frame in frames], dtype=np.int64)
    messages, rows = matched(frame_stamps, stamps_ns, within_ns)
    later_s = (frame_stamps[messages] - stamps_ns[rows]) / 1e9
    moved = sites_m[rows] + _velocity_m_s(stamps_ns, sites_m)[rows] * later_s[:, None, None]
    return _camera_residuals(camera, [frames[index] for index in messages], moved, rows)


def _velocity_m_s(stamps_ns: np.ndarray, sites_m: np.ndarray) -> np.ndarray:
    """(F, K, 3) of sites, by central differences."""
    if len(stamps_ns) < 2:
        return np.zeros_like(sites_m)
    return np.gradient(sites_m, (stamps_ns - stamps_ns[0]) / 1e9, axis=0)


def _camera_residuals(
    camera: Camera, frames: list[KeypointFrame], sites_m: np.ndarray, rows: np.ndarray
) -> CameraResiduals:
    projected = project_px(camera, sites_m, rectified=bool(frames) and frames[0].rectified)
    residual_px, confidence = np.full((*sites_m.shape[:2], 2), np.nan), np.zeros(sites_m.shape[:2])
    for row, frame in enumerate(frames):
        if len(frame.points):
            person = nearest_person(person_errors_px(frame.points, projected[row]))
            points = frame.points[person]
            seen = points[:, 2] > 0
            residual_px[row, seen], confidence[row] = (points[:, :2] - projected[row])[seen], points[:, 2]
    return CameraResiduals(rows, residual_px, confidence, sites_m)


def person_errors_px(points: np.ndarray, projected_px: np.ndarray) -> np.ndarray:
    """(P, K) distance of (P, K, 3) points from (K, 2) projected sites; NaN for points not seen."""
    error_px = np.linalg.norm(points[..., :2] - projected_px, axis=-1)
    return np.where(points[..., 2] > 0, error_px, np.nan)


def nearest_person(error_px: np.ndarray) -> int:
    """Index of the person with the least median of (P, K) errors; people without any come last."""
    medians = [np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.inf for row in error_px]
    return int(np.argmin(medians))
