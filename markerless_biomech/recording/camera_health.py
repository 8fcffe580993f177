"""FittedCameras of a rig: where the cameras stand, and what the last frame set and the assembler say of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..cameras.rig import Rig
from ..results import CameraStanding, FitReport
from .result_messages import FittedCameras


def fitted_cameras(
    rig: Rig,
    stamp_ns: int,
    camera_names: Sequence[str] = (),
    report: FitReport | None = None,
    statuses: Mapping[str, str] | None = None,
    calibration_version: int = 1,
    standing: CameraStanding | None = None,
) -> FittedCameras:
    """`camera_names` gives the order of the report's and the standing's arrays; without statuses every camera is OK.

    Without a standing the cameras are held fixed where the rig says.
    """
    cameras, count = list(rig.cameras.values()), len(rig.cameras)
    residual_px, share = np.full(count, np.nan), np.zeros(count)
    if report is not None and len(report.camera_residual_px) == len(camera_names):
        for row, camera in enumerate(cameras):
            if camera.name in camera_names:
                index = list(camera_names).index(camera.name)
                residual_px[row], share[row] = report.camera_residual_px[index], report.camera_share[index]
    words = [(statuses or {}).get(camera.name, "OK" if statuses is None else "DEAD") for camera in cameras]
    fitted = FittedCameras(
        stamp_ns=stamp_ns,
        names=tuple(camera.name for camera in cameras),
        frame_ids=tuple(camera.frame_id for camera in cameras),
        poses=np.array([np.r_[camera.position_m, camera.orientation_xyzw] for camera in cameras]).reshape(count, 7),
        covariance=np.zeros((count, 6, 6)),
        correction_deg=np.zeros(count),
        correction_m=np.zeros(count),
        residual_px=residual_px,
        share_used=share,
        status=np.array([getattr(FittedCameras, word) for word in words], dtype=np.uint8),
        calibration_version=calibration_version,
    )
    return fitted if standing is None else _with_standing(fitted, tuple(camera_names), standing)


def _with_standing(fitted: FittedCameras, camera_names: tuple[str, ...], standing: CameraStanding) -> FittedCameras:
    """The same with the poses that were found, and MOVED where a camera that delivers no longer stands."""
    rows = np.array([camera_names.index(name) if name in camera_names else -1 for name in fitted.names], int)
    known = (rows >= 0) & np.isfinite(standing.poses[rows]).all(1)
    delivers = np.isin(fitted.status, (FittedCameras.OK, FittedCameras.LATE))

    def where_known(found: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
        return np.where(known.reshape(-1, *[1] * (otherwise.ndim - 1)), found[rows], otherwise)

    return replace(
        fitted,
        poses=where_known(standing.poses, fitted.poses),
        covariance=where_known(standing.covariance, fitted.covariance),
        correction_deg=where_known(standing.correction_deg, fitted.correction_deg),
        correction_m=where_known(standing.correction_m, fitted.correction_m),
        status=np.where(known & standing.moved[rows] & delivers, FittedCameras.MOVED, fitted.status).astype(np.uint8),
    )
