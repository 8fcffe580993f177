"""The camera keys of a session npz (the exchange file): K, dist, rvec, tvec, size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import InputError
from ...files import npz_arrays
from ..calibrated_camera import Camera, Rig
from .calibration import Calibration, camera_from_opencv, rig_from_calibration
from .values import first_line

KEYS = ("K", "dist", "rvec", "tvec", "size")
OPTIONAL_KEYS = ("camera_names", "distortion_model")


def rig_from_session(session: Mapping[str, Any], where: str) -> Rig:
    """Session npz: K (C,3,3), dist (C,4|5|8), rvec, tvec (C,3), size (C,2); camera_names, distortion_model optional."""
    return rig_from_calibration(where, read_session(session, where))[0]


def read_session(session: Mapping[str, Any], where: str) -> Calibration:
    """As `rig_from_session`, before units and axes."""
    values = _checked_values(session, where)
    count = len(values["K"])
    names = _per_camera(session, "camera_names", where, [f"cam{index}" for index in range(count)])
    default = "rational_polynomial" if values["dist"].shape[1] == 8 else "plumb_bob"
    models = _per_camera(session, "distortion_model", where, [default] * count)
    pairs = enumerate(zip(names, models, strict=True))
    return Calibration([_camera(where, name, model, values, index) for index, (name, model) in pairs])


def _camera(where: str, name: str, model: str, values: Mapping[str, np.ndarray], index: int) -> Camera:
    k, d, rvec, tvec, size = (values[key][index] for key in KEYS)
    if not np.isfinite(rvec).all():
        raise InputError(f"{where}: camera '{name}' has a pose or size with numbers that are not finite")
    return camera_from_opencv(where, name, model, k, d, cv2.Rodrigues(rvec)[0], tvec, size)


def _checked_values(session: Mapping[str, Any], where: str) -> dict[str, np.ndarray]:
    """The numbers of KEYS, of shapes that go together."""
    missing = [key for key in KEYS if key not in session]
    if missing:
        raise InputError(f"{where}: lacks the key '{missing[0]}'; expected {', '.join(KEYS)}")
    values = {}
    for key in KEYS:
        try:
            values[key] = np.asarray(session[key], dtype=float)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{where}: {key} is not numbers ({first_line(error)})") from error
    count = len(values["K"]) if values["K"].ndim else 0
    if not count:
        raise InputError(f"{where}: K has the shape {values['K'].shape}; expected one matrix for each camera")
    shapes = {"K": (count, 3, 3), "rvec": (count, 3), "tvec": (count, 3), "size": (count, 2)}
    for key, shape in shapes.items():
        if values[key].shape != shape:
            raise InputError(f"{where}: {key} has the shape {values[key].shape}; expected {shape}")
    if values["dist"].ndim != 2 or len(values["dist"]) != count or values["dist"].shape[1] not in (4, 5, 8):
        raise InputError(f"{where}: dist has the shape {values['dist'].shape}; expected ({count}, 4, 5 or 8)")
    return values


def session_from_rig(rig: Rig) -> dict[str, np.ndarray]:
    """The camera keys of a session npz: `rig_from_session(session_from_rig(rig))` is the same rig."""
    cameras = list(rig.cameras.values())
    width = max([5, *(len(camera.d) for camera in cameras)])
    poses = [camera.camera_from_world for camera in cameras]
    return {
        "camera_names": np.array([camera.name for camera in cameras]),
        "distortion_model": np.array([camera.distortion_model for camera in cameras]),
        "K": np.array([camera.k for camera in cameras]),
        "dist": np.array([np.pad(camera.d, (0, width - len(camera.d))) for camera in cameras]),
        "rvec": np.array([cv2.Rodrigues(rotation)[0][:, 0] for rotation, _ in poses]),
        "tvec": np.array([translation for _, translation in poses]),
        "size": np.array([(camera.width, camera.height) for camera in cameras]),
    }


def read_npz(path: Path) -> Calibration:
    """The file's camera keys. Raises InputError where it is no npz or holds anything but numbers and words."""
    session = npz_arrays(path, "session npz", (*KEYS, *OPTIONAL_KEYS))
    return read_session(session, str(path))


def _per_camera(session: Mapping[str, Any], key: str, where: str, default: Sequence[str]) -> list[str]:
    """One word a camera from an optional key."""
    if key not in session:
        return list(default)
    words = [str(word) for word in np.atleast_1d(np.asarray(session[key])).ravel()]
    if len(words) == 1 and key == "distortion_model":
        words = words * len(default)
    if len(words) != len(default):
        raise InputError(f"{where}: {key} has {len(words)} entries; expected one for each of {len(default)} cameras")
    return words
