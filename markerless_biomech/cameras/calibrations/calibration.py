"""What a reader found in a file, and how it becomes a rig: metres, z up, every camera checked.

Readers leave positions in the file's own unit and axes, and say which these are where the format says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import InputError
from ...rotations import xyzw_from_matrix
from ..calibrated_camera import Camera, Rig, checked_camera
from ..levelling import UPRIGHT, turned, up_rotation, upright_axis

METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}
"""Of each unit that a calibration may be in."""

LARGEST_RIG_M = 200.0
"""Cameras further apart than this are given in millimetres."""

SMALLEST_RIG_M = 0.01
"""Cameras that are all nearer than this to each other are given in something larger than was assumed."""

COEFFICIENTS = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
"""Of each distortion model; more, as OpenCV and padded files have, must be zero."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Cameras as a file gives them."""

    cameras: Sequence[Camera]
    """Positions in `unit`, poses in the file's world."""
    unit: str = "m"
    """One of METRES: what the format says, else metres."""
    up: str = "z"
    """The axis of the file's world that points up, by the format; 'upright': that along which most images are."""
    remarks: tuple[str, ...] = ()
    """What a person should know, a sentence each."""
    world_frame: str = "world"


def rig_from_calibration(
    where: str, found: Calibration, unit: str | None = None, up: str | None = None
) -> tuple[Rig, tuple[str, ...]]:
    """The rig in metres with z up, and remarks. `unit` and `up` are a person's word against the format's.

    Raises InputError where two cameras share a name or the rig cannot be in that unit.
    """
    rig = _scaled(where, found, METRES[unit or found.unit])
    axis, remarks = up or found.up, found.remarks
    if axis == UPRIGHT:
        axis = upright_axis(rig)
        remarks += (f"{where}: the images are upright along the file's {axis} axis, which becomes z",)
    return rig if axis == "z" else turned(rig, up_rotation(axis), np.zeros(3)), remarks


def _scaled(where: str, found: Calibration, metres: float) -> Rig:
    with np.errstate(over="ignore"):
        cameras = [replace(camera, position_m=metres * camera.position_m) for camera in found.cameras]
    by_name = {camera.name: camera for camera in cameras}
    if len(by_name) != len(cameras):
        raise InputError(f"{where}: two cameras have the same name; expected {len(cameras)} different ones")
    positions = np.array([camera.position_m for camera in cameras])
    with np.errstate(over="ignore", invalid="ignore"):
        spread_m = float(np.linalg.norm(positions - positions.mean(axis=0), axis=1).max())
    if not spread_m <= LARGEST_RIG_M:
        raise InputError(
            f"{where}: cameras are {spread_m:.0f} m from their middle; expected metres, not millimetres "
            "(convert-rig with --units mm, or cm, converts them)"
        )
    if 0.0 < spread_m < SMALLEST_RIG_M:
        raise InputError(
            f"{where}: cameras are at most {1e3 * spread_m:.2g} mm from their middle; expected a rig of metres "
            "(convert-rig with --units says what the file is in)"
        )
    return Rig(by_name, found.world_frame)


def camera_from_opencv(
    where: str,
    name: str,
    model: str,
    k: np.ndarray,
    d: np.ndarray,
    camera_from_world: np.ndarray,
    translation: np.ndarray,
    size: np.ndarray,
) -> Camera:
    """A camera from OpenCV's p_camera = R p_world + t: k (3, 3), d (N,), R (3, 3), t (3,), size (2,) px."""
    place = f"{where}: camera '{name}'"
    if not (np.isfinite(translation).all() and np.isfinite(size).all()):
        raise InputError(f"{place} has a pose or size with numbers that are not finite")
    if np.isfinite(k).all() and (k[0, 0] < 0.0 or k[1, 1] < 0.0):
        raise InputError(
            f"{place} has focal lengths {k[0, 0]:g} and {k[1, 1]:g} px, of an image whose axes are reversed (mirrored, "
            "or y up); expected both positive, u right, v down"
        )
    used = COEFFICIENTS.get(model, len(d))
    if np.any(d[used:] != 0.0):
        raise InputError(f"{place} has {len(d)} distortion coefficients; {model} has {used}")
    with np.errstate(over="ignore", invalid="ignore"):
        position = -camera_from_world.T @ translation
    camera = Camera(
        name=name,
        width=round(min(float(size[0]), 1e9)),
        height=round(min(float(size[1]), 1e9)),
        distortion_model=model,
        k=np.asarray(k, dtype=float),
        d=np.asarray(d, dtype=float)[:used],
        position_m=position,
        orientation_xyzw=xyzw_from_matrix(camera_from_world.T),
        frame_id=f"{name}_optical",
        source=where,
    )
    return checked_camera(camera, where)


def lens_model(d: np.ndarray, fisheye: bool = False) -> str:
    """ROS's name of the lens model that OpenCV uses for so many coefficients."""
    if fisheye:
        return "equidistant"
    return "rational_polynomial" if len(d) >= 8 else "plumb_bob"
