"""From where each browser looks: at everything, or at the walker, going along. Every browser has its own choice."""

from __future__ import annotations

from typing import Any

import numpy as np

FIELD_OF_VIEW_RAD = 0.6
NEAR_AND_FAR_M = (0.2, 300.0)
"""What lies between is told apart: footprints and the floor, too."""
EVERYTHING, WALKER = "Everything", "The walker, going along"
_ASPECT = 0.95
"""Width by height of the part of a window that the panels leave, at least."""
_ELEVATION_RAD, _AZIMUTH_RAD = 0.40, -1.05
_FILLED = 0.86
"""Share of the view that everything takes up."""
_NEAR_M, _NEAR_ELEVATION_RAD = 4.6, 0.22
_EYE_LEVEL_M = 0.85


class Views:
    """The choice of each browser, and what follows from it."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._choices: dict[int, Any] = {}
        self._everything = view(np.zeros((1, 3)) + [0, 0, 1])
        self._walker_m: np.ndarray | None = None
        server.on_client_connect(self._welcome)
        server.on_client_disconnect(lambda client: self._choices.pop(client.client_id, None))

    def frame(self, points_m: np.ndarray) -> None:
        """Take in all points (N, 3) from now on."""
        self._everything = view(points_m)
        camera = self._server.initial_camera
        camera.fov, camera.up = FIELD_OF_VIEW_RAD, (0.0, 0.0, 1.0)
        camera.near, camera.far = NEAR_AND_FAR_M
        camera.position, camera.look_at = self._everything
        choices = dict(self._choices)
        for number, client in self._server.get_clients().items():  # the camera above is for those who come later
            if number in choices and choices[number].value == EVERYTHING:
                self._aim(client, *self._everything)

    def follow(self, qpos: np.ndarray | None) -> None:
        """Move the views that go along by as much as the pelvis went along the floor."""
        if qpos is None:
            return
        before, self._walker_m = self._walker_m, np.array([qpos[0], qpos[1], _EYE_LEVEL_M])
        if before is None or not np.any(self._walker_m - before):
            return
        choices, clients = dict(self._choices), self._server.get_clients()
        for number, choice in choices.items():
            if number in clients and choice.value == WALKER:
                camera = clients[number].camera
                camera.position = camera.position + (self._walker_m - before)

    def anybody_near(self) -> bool:
        """Whether a browser goes along with the walker, from where small words can be read."""
        return any(choice.value == WALKER for choice in dict(self._choices).values())

    def _welcome(self, client: Any) -> None:
        choice = client.gui.add_dropdown("View", (EVERYTHING, WALKER), initial_value=EVERYTHING, order=10)
        self._choices[client.client_id] = choice
        choice.on_update(lambda _: self.look(client, choice.value))

    def look(self, client: Any, chosen: str) -> None:
        """Let a browser look from where EVERYTHING or WALKER begins."""
        choice = self._choices[client.client_id]
        if choice.value != chosen:
            choice.value = chosen  # comes back here
            return
        eye_m, target_m = self._everything
        if chosen == WALKER and self._walker_m is not None:
            target_m = self._walker_m
            eye_m = target_m + _NEAR_M * _outward(_NEAR_ELEVATION_RAD)
        self._aim(client, eye_m, target_m)

    @staticmethod
    def _aim(client: Any, eye_m: np.ndarray, target_m: np.ndarray) -> None:
        with client.atomic():
            client.camera.position, client.camera.look_at = eye_m, target_m


def _outward(elevation_rad: float) -> np.ndarray:
    """(3,) unit, from what is seen to the eye."""
    level = np.cos(elevation_rad)
    return np.array([level * np.cos(_AZIMUTH_RAD), level * np.sin(_AZIMUTH_RAD), np.sin(elevation_rad)])


def view(points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eye and target (3,) from which all points (N, 3) are seen."""
    target = (points_m.min(axis=0) + points_m.max(axis=0)) / 2
    outward = _outward(_ELEVATION_RAD)
    right = np.array([-np.sin(_AZIMUTH_RAD), np.cos(_AZIMUTH_RAD), 0.0])
    offset = points_m - target
    half = _FILLED * np.tan(FIELD_OF_VIEW_RAD / 2)
    across, up = np.abs(offset @ right) / (half * _ASPECT), np.abs(offset @ np.cross(outward, right)) / half
    distance_m = max(float(np.max(offset @ outward + np.maximum(across, up))), _NEAR_M)
    return target + distance_m * outward, target
