"""Turns and shifts of a whole rig: another axis up, another height of the floor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..rotations import xyzw_from_matrix
from .calibrated_camera import Camera, Rig

UPRIGHT = "upright"
"""In place of an axis: that along which most images are upright."""

UP_AXES = ("x", "-x", "y", "-y", "z", "-z")

UPRIGHT_WITHIN_DEG = 35.0
"""The mean direction of the images' upper edges must be as near to an axis, to be taken for it."""


def turned(rig: Rig, rotation: np.ndarray, shift_m: np.ndarray) -> Rig:
    """The rig in another world: p_new = rotation p_old + shift."""
    return replace(rig, cameras={name: _turned(camera, rotation, shift_m) for name, camera in rig.cameras.items()})


def _turned(camera: Camera, rotation: np.ndarray, shift_m: np.ndarray) -> Camera:
    world_from_camera, position_m = camera.world_from_camera
    return replace(
        camera,
        position_m=rotation @ position_m + shift_m,
        orientation_xyzw=xyzw_from_matrix(rotation @ world_from_camera),
    )


def up_rotation(axis: str) -> np.ndarray:
    """(3, 3) the least rotation that turns the named axis to z; -z is turned about x."""
    if axis == "-z":
        return np.diag([1.0, -1.0, -1.0])
    return rotation_to_z(_direction(axis))


def rotation_to_z(direction: np.ndarray) -> np.ndarray:
    """(3, 3) the least rotation that turns a unit vector d, not -z, to z: I + [v] + [v]^2 / (1 + d.z), v = d x z."""
    x, y, z = direction
    cross = np.array([[0.0, 0.0, -x], [0.0, 0.0, -y], [x, y, 0.0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + z)


def image_up(rig: Rig) -> np.ndarray:
    """(3,) mean over the cameras of the image's upward direction in world; of length 1 where they agree."""
    return np.mean([-camera.world_from_camera[0][:, 1] for camera in rig.cameras.values()], axis=0)


def upright_axis(rig: Rig) -> str:
    """The axis of world along which the images are upright. Raises InputError where none is near."""
    up = image_up(rig)
    length = float(np.linalg.norm(up))
    cosines = {axis: float(_direction(axis) @ up) / max(length, 1e-9) for axis in UP_AXES}
    best = max(cosines, key=cosines.__getitem__)
    if length < 0.3 or cosines[best] < np.cos(np.radians(UPRIGHT_WITHIN_DEG)):
        raise InputError(
            f"the cameras' images are upright along no axis of their world (mean {np.round(up, 2).tolist()}); "
            f"say which points up with --up ({', '.join(UP_AXES)}), or level with --floor-from-feet"
        )
    return best


def _direction(axis: str) -> np.ndarray:
    sign = -1.0 if axis.startswith("-") else 1.0
    return sign * np.eye(3)["xyz".index(axis[-1])]
