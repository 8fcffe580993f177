"""The cameras: frusta where they were found, coloured by their status, with their residual as text."""

from __future__ import annotations

import numpy as np

from ...cameras.calibrated_camera import Rig
from ...recording.result_messages import FittedCameras
from ...scene.colours import CAMERA_COLOURS, CAMERA_STATUSES, INFERRED
from ...scene.frusta import EDGES, FACES, camera_words, frustum_m
from .canvas import Canvas

LINE_M = 0.012
TEXT_M = 0.11
SHOWN_FROM_DEG, SHOWN_FROM_M = 0.3, 0.005
"""A camera that was found further from its calibration than this is drawn there too."""


def draw_cameras(canvas: Canvas, rig: Rig, fitted: FittedCameras | None) -> None:
    """Every camera of the rig; grey and without words while nothing is said of them."""
    rows = {} if fitted is None else {name: row for row, name in enumerate(fitted.names)}
    for number, (name, camera) in enumerate(rig.cameras.items()):
        row = rows.get(name)
        if fitted is None or row is None:
            _draw(canvas, number, frustum_m(camera), INFERRED, name)
            continue
        status, degrees, metres = int(fitted.status[row]), fitted.correction_deg[row], fitted.correction_m[row]
        words = camera_words(name, status, float(fitted.residual_px[row]), float(degrees), float(metres))
        colour = CAMERA_COLOURS[CAMERA_STATUSES[status]]
        _draw(canvas, number, frustum_m(camera, fitted.poses[row]), colour, words)
        if degrees > SHOWN_FROM_DEG or metres > SHOWN_FROM_M:
            canvas.lines("calibrated", number, frustum_m(camera)[np.ravel(EDGES)], LINE_M / 2, INFERRED, 0.6)


def _draw(canvas: Canvas, number: int, corners_m: np.ndarray, colour: str, words: str) -> None:
    canvas.lines("frusta", number, corners_m[np.ravel(EDGES)], LINE_M, colour)
    canvas.triangles("sights", number, corners_m[np.ravel(FACES)], colour, 0.25)
    canvas.text("residuals", number, corners_m[0] + [0, 0, 0.28], words, TEXT_M, colour)
