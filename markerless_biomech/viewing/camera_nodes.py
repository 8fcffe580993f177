"""The cameras in the scene: pyramids in the colour of their status, with what is to be said of each beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cameras.calibrated_camera import Camera
from ..recording.result_messages import FittedCameras
from ..scene.colours import CAMERA_COLOURS, CAMERA_STATUSES, rgb
from ..scene.frusta import EDGES, FACES, camera_words, frustum_m

_GHOST = "#B9C2CA"
"""Where the calibration has a camera that has moved."""
_GHOST_M = 0.01
"""Nearer than this the two pyramids would be one."""
_SEEN_M = 1e-3
"""A pose nearer than this to the one shown is the same."""


class CameraNodes:
    """Every camera of the calibration."""

    def __init__(self, server: Any, cameras: Mapping[str, Camera]) -> None:
        self._server = server
        self._cameras = cameras
        self._shown: dict[str, tuple[Any, ...]] = {}
        self._moved: set[str] = set()
        for name, camera in cameras.items():
            self._place(name, None)
            server.scene.add_label(
                _label(name), name, position=_above(camera), anchor="bottom-center", font_screen_scale=0.85
            )

    def show(self, fitted: FittedCameras | None) -> None:
        """Colour, place and words of each camera; grey names alone while nothing is known of them."""
        if fitted is None:
            return
        for row, name in enumerate(fitted.names):
            if name in self._cameras:
                words = camera_words(
                    name,
                    int(fitted.status[row]),
                    float(fitted.residual_px[row]),
                    float(fitted.correction_deg[row]),
                    float(fitted.correction_m[row]),
                )
                self._show(name, CAMERA_STATUSES[int(fitted.status[row])], fitted.poses[row], words)

    def _show(self, name: str, status: str, pose: np.ndarray, words: str) -> None:
        label = self._server.scene.get_handle_by_name(_label(name))
        label.text = words.replace("\n", "  ")
        away_m = float(np.linalg.norm(pose[:3] - self._cameras[name].position_m))
        self._ghost(name, status == "MOVED" and away_m > _GHOST_M)
        known = (status, *np.round(pose / _SEEN_M))
        if self._shown.get(name) != known:
            self._shown[name] = known
            self._place(name, pose, CAMERA_COLOURS[status])
            label.position = _above(self._cameras[name], pose)

    def _ghost(self, name: str, moved: bool) -> None:
        """A pale pyramid where the camera was."""
        if moved and name not in self._moved:
            _add_pyramid(self._server, f"{_path(name)}/calibrated", frustum_m(self._cameras[name]), _GHOST)
            self._moved.add(name)
        elif not moved and name in self._moved:
            self._server.scene.remove_by_name(f"{_path(name)}/calibrated")
            self._moved.remove(name)

    def _place(self, name: str, pose: np.ndarray | None, colour: str = _GHOST) -> None:
        corners_m = frustum_m(self._cameras[name], pose)
        _add_pyramid(self._server, f"{_path(name)}/pyramid", corners_m, colour)


def _path(name: str) -> str:
    return f"/cameras/{name.strip('/').replace('/', '_')}"


def _label(name: str) -> str:
    return f"{_path(name)}/words"


def _above(camera: Camera, pose: np.ndarray | None = None) -> np.ndarray:
    corners_m = frustum_m(camera, pose)
    return np.array([*corners_m[0, :2], corners_m[:, 2].max() + 0.06])


def _add_pyramid(server: Any, path: str, corners_m: np.ndarray, colour: str) -> None:
    colour_255 = tuple(round(255 * part) for part in rgb(colour))
    server.scene.add_line_segments(f"{path}/edges", corners_m[np.array(EDGES)], colour_255, thickness=0.012)
    server.scene.add_mesh_simple(
        f"{path}/sides",
        corners_m,
        np.array(FACES),
        color=colour_255,
        opacity=0.25,
        side="double",
        flat_shading=True,
        cast_shadow=False,
        receive_shadow=False,
    )
