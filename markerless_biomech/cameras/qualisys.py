"""Calibrations of Qualisys video cameras (*.qca.txt, XML), as Pose2Sim's demonstration data carries them.

Lengths in pixels and distortion coefficients are in units of 1/64; positions are in mm. The file's rotation has the
camera's y up and z backwards, so its last two rows change sign to give the optical frame.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..rotations import xyzw_from_matrix
from .calibrated_camera import Camera, Rig, checked_camera

SUBPIXELS = 64.0


def load_qualisys(path: str | Path) -> Rig:
    """Rig of a Qualisys calibration; cameras are named by serial. Raises InputError naming file, camera and field."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(
            f"{path}: not a Qualisys calibration ({error}); expected XML with <camera> elements"
        ) from error
    cameras = [_camera(str(path), element) for element in root.iter("camera")]
    if not cameras:
        raise InputError(f"{path}: no <camera> element; expected a Qualisys calibration (*.qca.txt)")
    return Rig(cameras={camera.name: camera for camera in cameras})


def _camera(where: str, element: ElementTree.Element) -> Camera:
    name = element.get("serial", "")
    view = _numbers(where, name, element, "fov_video", ("left", "right", "top", "bottom"))
    k = _numbers(where, name, element, "intrinsic", ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV"))
    fx, fy, cx, cy = k / SUBPIXELS
    radial = _numbers(where, name, element, "intrinsic", tuple(f"radialDistortion{i}" for i in (1, 2, 3))) / SUBPIXELS
    # The format's own spelling.
    tangential = (
        _numbers(where, name, element, "intrinsic", ("tangentalDistortion1", "tangentalDistortion2")) / SUBPIXELS
    )
    turn = _numbers(where, name, element, "transform", tuple(f"r{row}{column}" for row in "123" for column in "123"))
    camera_from_world = np.diag([1.0, -1.0, -1.0]) @ turn.reshape(3, 3)
    camera = Camera(
        name=name,
        width=int(view[1] - view[0] + 1),
        height=int(view[3] - view[2] + 1),
        distortion_model="plumb_bob",
        k=np.array([[fx, 0.0, cx - view[0]], [0.0, fy, cy - view[2]], [0.0, 0.0, 1.0]]),
        d=np.array([radial[0], radial[1], tangential[0], tangential[1], radial[2]]),
        position_m=_numbers(where, name, element, "transform", ("x", "y", "z")) / 1e3,
        orientation_xyzw=xyzw_from_matrix(camera_from_world.T),
        frame_id=f"{name}_optical",
        source=Path(where).name,
    )
    return checked_camera(camera, where)


def _numbers(where: str, name: str, element: ElementTree.Element, tag: str, keys: tuple[str, ...]) -> np.ndarray:
    """Attributes of a child element."""
    child = element.find(tag)
    values = [None if child is None else child.get(key) for key in keys]
    try:
        return np.array([float(value) for value in values])  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        wrong = next(key for key, value in zip(keys, values, strict=True) if not _is_number(value))
        raise InputError(
            f"{where}: camera '{name}' has no number in <{tag}> {wrong}; the file is incomplete"
        ) from error


def _is_number(value: str | None) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True
