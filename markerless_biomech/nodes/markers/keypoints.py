"""What the detectors saw: the subject's keypoints where the lines of sight meet, and those lines."""

from __future__ import annotations

import numpy as np

from ...cameras.association import CONFIDENT
from ...scene.colours import INFERRED, OBSERVED
from ...scene.observed import Observed
from .canvas import Canvas

POINT_M = 0.022


def draw_keypoints(canvas: Canvas, observed: Observed | None, with_rays: bool) -> None:
    """Triangulated points; with rays a line from each camera to each of them that it saw."""
    if observed is None:
        return
    canvas.spheres("keypoints", observed.points_m[observed.known], POINT_M, OBSERVED)
    if not with_rays:
        return
    for rays in observed.rays:
        ends = observed.points_m[observed.known & (rays.confidence >= CONFIDENT)]
        lines = np.stack([np.broadcast_to(rays.origin_m, ends.shape), ends], axis=1).reshape(-1, 3)
        canvas.lines("rays", rays.camera, lines, 0.002, INFERRED, 0.25)
