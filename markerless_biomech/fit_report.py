"""What one frame's fit is reported as: figures from residuals. C cameras."""

from __future__ import annotations

import numpy as np

from .fitting.trajectory import LiveFit
from .results import FitReport
from .sightings import Sighting


def fit_report(
    stamp_ns: int, result: str, camera_names: tuple[str, ...], sighting: Sighting, fit: LiveFit, iterations: int
) -> FitReport:
    """Figures of the newest frame; `result` in words."""
    used = np.asarray(fit.summary.used)
    residual_px = np.asarray(fit.summary.residual_px)
    count = used.sum(1)
    confident = sighting.confident.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        per_camera = np.where(used, residual_px, 0.0).sum(1) / count
        share = np.where(confident > 0, np.minimum(count / confident, 1.0), 0.0)
    return FitReport(
        stamp_ns=stamp_ns,
        result=result,
        cameras_used=tuple(name for name, n in zip(camera_names, count, strict=True) if n),
        keypoints_used=int(count.sum()),
        keypoints_rejected=int(np.maximum(confident - count, 0).sum()),
        keypoints_mirrored=sighting.mirrored,
        iterations=iterations,
        cost={name: float(np.asarray(value)) for name, value in fit.cost.items()},  # float of JAX's is slow
        residual_px=float(residual_px[used].mean()) if used.any() else float("nan"),
        camera_residual_px=per_camera,
        camera_share=share,
    )
