"""TOML with a section a camera, as Pose2Sim, AniPose, FreeMoCap and Caliscope write it; Pose2Sim's is written as well.

OpenCV's convention (p_camera = R p_world + t). Pose2Sim: metres, z up. AniPose: whatever its user's board was measured
in, and mostly the first camera's axes. FreeMoCap (its metadata name a charuco board): mm, z up where the board lay on
the floor (groundplane_calibration), else the first camera's axes.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import cv2
import numpy as np

from ...errors import InputError
from ..calibrated_camera import Camera, Rig
from ..levelling import UPRIGHT
from .calibration import Calibration, camera_from_opencv, lens_model, rig_from_calibration
from .values import first_line, numbers, short

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHAPES = {"matrix": (3, 3), "distortions": (None,), "rotation": (3,), "translation": (3,), "size": (2,)}
"""Fields that every camera's section must have."""


def rig_from_toml(text: str, where: str) -> Rig:
    """TOML with a section a camera: name, size, matrix, distortions, rotation (Rodrigues), translation, fisheye."""
    return rig_from_calibration(where, read_toml_calibration(text, where))[0]


def read_toml_calibration(text: str, where: str) -> Calibration:
    """As `rig_from_toml`, before units and axes."""
    try:
        content = tomllib.loads(text)
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{where}: not valid TOML ({first_line(error)})") from error
    sections = {name: section for name, section in content.items() if isinstance(section, dict) and "matrix" in section}
    if not sections:
        raise InputError(
            f"{where}: no camera found; expected sections with size, matrix, distortions, rotation, translation"
        )
    cameras = [_camera(where, name, section) for name, section in sections.items()]
    metadata = content.get("metadata")
    if not isinstance(metadata, dict) or not any(key.startswith(("charuco_", "groundplane_")) for key in metadata):
        return Calibration(cameras)
    if metadata.get("groundplane_calibration") is True:
        return Calibration(cameras, "mm", "z", (f"{where}: of FreeMoCap, in mm, the board on the floor as z = 0",))
    return Calibration(
        cameras,
        "mm",
        UPRIGHT,
        (
            f"{where}: of FreeMoCap, in mm, without a ground plane, so that the floor is not z = 0; "
            "level with --floor-from-feet",
        ),
    )


def _camera(where: str, key: str, section: dict[str, Any]) -> Camera:
    """One camera of a TOML file."""
    name = str(section.get("name", key))
    place = f"{where}: camera '{name}'"
    missing = [field for field in SHAPES if field not in section]
    if missing:
        raise InputError(f"{place} lacks the field '{missing[0]}'; expected {', '.join(SHAPES)}")
    k, d, rvec, tvec, size = (_constant(place, field, section[field], shape) for field, shape in SHAPES.items())
    model = lens_model(d, fisheye=section.get("fisheye") is True)
    return camera_from_opencv(where, name, model, k, d, cv2.Rodrigues(rvec)[0], tvec, size)


def _constant(place: str, field: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """An array of the given shape; Pose2Sim writes one a frame for a moving camera, which must all be equal."""
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{place} has {field} {short(value)}; expected numbers") from error
    if array.ndim == len(shape) + 1 and len(array):
        if not (array == array[0]).all():
            raise InputError(f"{place} moves ({field} differs from frame to frame); expected a fixed camera")
        array = array[0]
    return numbers(place, field, array, shape)


def toml_text(rig: Rig) -> str:
    """Pose2Sim's Calib.toml: `rig_from_toml(toml_text(rig))` is the same rig, but for r and p."""
    sections = [_section(index, camera) for index, camera in enumerate(rig.cameras.values(), start=1)]
    return "\n".join([*sections, "[metadata]\nadjusted = false\nerror = 0.0\n"])


def _section(index: int, camera: Camera) -> str:
    camera_from_world, translation = camera.camera_from_world
    fields = {
        "size": np.array([camera.width, camera.height], dtype=float),
        "matrix": camera.k,
        # Pose2Sim expects four numbers at least.
        "distortions": camera.d if len(camera.d) else np.zeros(4),
        "rotation": cv2.Rodrigues(camera_from_world)[0][:, 0],
        "translation": translation,
    }
    lines = [f"{key} = {json.dumps(np.asarray(value).tolist())}" for key, value in fields.items()]
    fisheye = "true" if camera.distortion_model == "equidistant" else "false"
    return "\n".join([f"[cam_{index:02d}]", f"name = {_quoted(camera.name)}", *lines, f"fisheye = {fisheye}", ""])


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's, whose rules differ in DEL alone."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
