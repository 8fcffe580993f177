"""The calibration that the estimator works with: exchanged between two frame sets, as arrays on the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from scipy.spatial.transform import Rotation

from ..rotations import xyzw_from_matrix
from .calibrated_camera import Camera, Rig
from .frame_sets import FrameSet
from .rig import camera_arrays

MOVED = ", moved while tracking"
"""Said of a calibration's source."""


class CamerasInUse:
    """A rig, which cameras send rectified points, and the arrays of both. Nothing compiles when they change."""

    def __init__(self, camera_names: tuple[str, ...], device: Any):
        # read-only after construction
        self._names = camera_names
        self._device = device
        # values that may be exchanged between two frame sets
        self.rig: Rig | None = None
        self._nominal = Rig(cameras={})
        self._rectified: dict[str, bool] = {}
        self._convert()

    def take_nominal(self, rig: Rig) -> bool:
        """Use what the lab says; True when a known camera moved, is gone, or has another lens.

        A camera of which the lab says what it said before keeps the pose that was accepted since.
        """
        before, self._nominal = self._nominal, rig
        changed = any(not _same_camera(camera, rig.cameras.get(name)) for name, camera in before.cameras.items())
        in_use = self.rig.cameras if self.rig is not None else {}
        kept = {
            name: in_use[name]
            for name, camera in rig.cameras.items()
            if name in in_use and name in before.cameras and _same_camera(before.cameras[name], camera)
        }
        self.take(replace(rig, cameras={**rig.cameras, **kept}))
        return changed

    def take(self, rig: Rig) -> None:
        """Use another rig."""
        self.rig = rig
        self._convert()

    def follow_rectification(self, frame_set: FrameSet) -> None:
        """A camera whose detector changes between raw and rectified images gets other lens data."""
        now = {name: frame.rectified for name, frame in frame_set.frames.items()}
        if any(self._rectified.get(name, False) != value for name, value in now.items()):
            self._rectified |= now
            self._convert()

    def differing(self, rig: Rig) -> np.ndarray:
        """(C,) bool: known cameras that moved, are gone, or have another lens in `rig`."""
        known = self.rig.cameras if self.rig is not None else {}
        pairs = [(known.get(name), rig.cameras.get(name)) for name in self._names]
        return np.array([camera is not None and not _same_camera(camera, other) for camera, other in pairs])

    def moved(self, increments: Mapping[str, np.ndarray]) -> Rig:
        """The rig with some cameras moved by increments (6,), as `camera.moved` applies them to the arrays."""
        assert self.rig is not None
        cameras = {
            name: _moved(self.rig.cameras[name], increment, self._rectified.get(name, False))
            for name, increment in increments.items()
        }
        return replace(self.rig, cameras={**self.rig.cameras, **cameras})

    def _convert(self) -> None:
        arrays = camera_arrays(self.rig or Rig(cameras={}), self._names, self._rectified)
        rotation, translation = np.asarray(arrays.rotation), np.asarray(arrays.translation)
        self.world_from_camera = (rotation.transpose(0, 2, 1), -np.einsum("cji,cj->ci", rotation, translation))
        """Rotations (C, 3, 3) and centres (C, 3) m."""
        self.arrays = jax.device_put(arrays, self._device)
        """Of C cameras, on the device."""


def _moved(camera: Camera, increment: np.ndarray, rectified: bool) -> Camera:
    """p -> exp(w) p + m in optical axes, those of the rectified image where that is what the detector sees."""
    rotation, translation = camera.camera_from_world
    axes = camera.r if rectified else np.eye(3)
    turn = axes.T @ Rotation.from_rotvec(increment[3:]).as_matrix() @ axes
    rotation, translation = turn @ rotation, turn @ translation + axes.T @ increment[:3]
    return replace(
        camera,
        position_m=-rotation.T @ translation,
        orientation_xyzw=xyzw_from_matrix(rotation.T),
        source=camera.source if camera.source.endswith(MOVED) else camera.source + MOVED,
    )


def _same_camera(camera: Camera, other: Camera | None) -> bool:
    """Whether pose and lens are the same."""
    if other is None:
        return False
    pairs = [(getattr(camera, name), getattr(other, name)) for name in ("k", "d", "position_m", "orientation_xyzw")]
    return camera.distortion_model == other.distortion_model and all(np.array_equal(a, b) for a, b in pairs)
