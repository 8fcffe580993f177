"""FittedCameras of a rig: the poses in use, and what the last frame set and the assembler say of each camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..cameras.rig import Rig
from ..results import FitReport
from .result_messages import FittedCameras


def fitted_cameras(
    rig: Rig,
    stamp_ns: int,
    camera_names: Sequence[str] = (),
    report: FitReport | None = None,
    statuses: Mapping[str, str] | None = None,
    calibration_version: int = 1,
) -> FittedCameras:
    """`camera_names` gives the order of the report's arrays; without statuses every camera is OK."""
    cameras, count = list(rig.cameras.values()), len(rig.cameras)
    residual_px, share = np.full(count, np.nan), np.zeros(count)
    if report is not None and len(report.camera_residual_px) == len(camera_names):
        for row, camera in enumerate(cameras):
            if camera.name in camera_names:
                index = list(camera_names).index(camera.name)
                residual_px[row], share[row] = report.camera_residual_px[index], report.camera_share[index]
    words = [(statuses or {}).get(camera.name, "OK" if statuses is None else "DEAD") for camera in cameras]
    return FittedCameras(
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
