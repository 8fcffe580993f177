"""Calibrations from elsewhere as a rig: session npz, TOML of Pose2Sim, AniPose and Caliscope, Qualisys XML.

OpenCV's convention in the first two (p_camera = R p_world + t), turned into poses of the optical frame in world. World
must be z up and in metres with the floor at 0, as Pose2Sim writes it; AniPose's world is what its user chose.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import InputError
from ..rotations import xyzw_from_matrix
from .calibrated_camera import Camera, Rig, checked_camera
from .rig import load_rig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

COEFFICIENTS = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
"""Of each distortion model in a session npz; more are padding and must be zero."""

LARGEST_RIG_M = 200.0
"""Cameras further apart than this are given in millimetres."""


def load_calibration(path: str | Path) -> Rig:
    """Read a rig.yaml, session npz, TOML or Qualisys file, told apart by its ending."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"calibration file '{path}' does not exist")
    name = path.name.lower()
    if name.endswith((".yaml", ".yml")):
        return load_rig(path)
    if name.endswith(".toml"):
        return rig_from_toml(_text(path), str(path))
    if name.endswith((".qca.txt", ".xml")):
        return rig_from_qualisys(_text(path), str(path))
    if name.endswith(".npz"):
        with np.load(path) as session:
            return rig_from_session(session, str(path))
    raise InputError(f"calibration file '{path}' is of an unknown kind; expected .yaml, .toml, .qca.txt or .npz")


def rig_from_session(session: Mapping[str, Any], where: str) -> Rig:
    """Session npz: K (C,3,3), dist (C,4|5|8), rvec, tvec (C,3), size (C,2); camera_names, distortion_model optional."""
    missing = [key for key in ("K", "dist", "rvec", "tvec", "size") if key not in session]
    if missing:
        raise InputError(f"{where}: lacks the key '{missing[0]}'; expected K, dist, rvec, tvec, size")
    values = {key: np.asarray(session[key], dtype=float) for key in ("K", "dist", "rvec", "tvec", "size")}
    count = len(values["K"])
    shapes = {"K": (count, 3, 3), "rvec": (count, 3), "tvec": (count, 3), "size": (count, 2)}
    for key, shape in shapes.items():
        if values[key].shape != shape:
            raise InputError(f"{where}: {key} has the shape {values[key].shape}; expected {shape}")
    if values["dist"].ndim != 2 or len(values["dist"]) != count or values["dist"].shape[1] not in (4, 5, 8):
        raise InputError(f"{where}: dist has the shape {values['dist'].shape}; expected ({count}, 4, 5 or 8)")
    names = _per_camera(session, "camera_names", where, [f"cam{index}" for index in range(count)])
    default = "rational_polynomial" if values["dist"].shape[1] == 8 else "plumb_bob"
    models = _per_camera(session, "distortion_model", where, [default] * count)
    cameras = [
        _camera_from_opencv(where, name, model, *(values[key][index] for key in values))
        for index, (name, model) in enumerate(zip(names, models, strict=True))
    ]
    return _rig(where, cameras)


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


def rig_from_toml(text: str, where: str) -> Rig:
    """TOML with a section a camera: name, size, matrix, distortions, rotation (Rodrigues), translation, fisheye."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not valid TOML ({error})") from error
    sections = {name: section for name, section in content.items() if isinstance(section, dict) and "matrix" in section}
    if not sections:
        raise InputError(
            f"{where}: no camera found; expected sections with size, matrix, distortions, rotation, translation"
        )
    return _rig(where, [_camera_from_section(where, name, section) for name, section in sections.items()])


def rig_from_qualisys(text: str, where: str) -> Rig:
    """Qualisys' calibration (XML, often .qca.txt): poses in mm, intrinsics in 64ths of a pixel."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{where}: not valid XML ({error})") from error
    found = [element for element in root.iter("camera") if element.get("active", "1") != "0"]
    if not found:
        raise InputError(f"{where}: no camera found; expected a Qualisys calibration")
    return _rig(where, [_camera_from_qualisys(where, index, element) for index, element in enumerate(found)])


def _camera_from_section(where: str, key: str, section: dict[str, Any]) -> Camera:
    """One camera of a TOML file."""
    name = str(section.get("name", key))
    place = f"{where}: camera '{name}'"
    shapes = {"matrix": (3, 3), "distortions": (None,), "rotation": (3,), "translation": (3,), "size": (2,)}
    missing = [field for field in shapes if field not in section]
    if missing:
        raise InputError(f"{place} lacks the field '{missing[0]}'; expected {', '.join(shapes)}")
    values = [_constant(place, field, section[field], shape) for field, shape in shapes.items()]
    model = "equidistant" if section.get("fisheye", False) else "plumb_bob"
    if model == "plumb_bob" and len(values[1]) == 8:
        model = "rational_polynomial"
    return _camera_from_opencv(where, name, model, *values)


def _constant(place: str, field: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """An array of the given shape; Pose2Sim writes one a frame for a moving camera, which must all be equal."""
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{place} has {field} {value!r}; expected numbers") from error
    if array.ndim == len(shape) + 1 and len(array):
        if not (array == array[0]).all():
            raise InputError(f"{place} moves ({field} differs from frame to frame); expected a fixed camera")
        array = array[0]
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        raise InputError(f"{place} has {field} of shape {array.shape}; expected {shape}")
    return array


def _camera_from_qualisys(where: str, index: int, element: ElementTree.Element) -> Camera:
    name = element.get("serial") or f"cam{index}"
    place = f"{where}: camera '{name}'"

    def number(tag: str, attribute: str) -> float:
        child = element.find(tag)
        text = None if child is None else child.get(attribute)
        try:
            return float(text or "")
        except ValueError as error:
            raise InputError(f"{place} has {tag} {attribute} {text!r}; expected a number") from error

    def pixels(attribute: str) -> float:
        return number("intrinsic", attribute) / 64.0

    # Rows are the camera's axes in world: x right, y up, z backward; the optical frame has y down and z forward.
    rows = np.array([[number("transform", f"r{i}{j}") for j in (1, 2, 3)] for i in (1, 2, 3)])
    camera_from_world = np.diag([1.0, -1.0, -1.0]) @ rows
    if abs(np.linalg.det(camera_from_world) - 1.0) > 1e-2:
        raise InputError(f"{place} has a transform that is not a rotation; expected r11 to r33 of a rotation matrix")
    k = [[pixels("focalLengthU"), 0.0, pixels("centerPointU")], [0.0, pixels("focalLengthV"), pixels("centerPointV")]]
    # Distortion works on normalised coordinates, so it has no unit to convert.
    names = (
        "radialDistortion1",
        "radialDistortion2",
        "tangentalDistortion1",
        "tangentalDistortion2",
        "radialDistortion3",
    )
    camera = Camera(
        name=name,
        width=round(number("fov_video", "right") - number("fov_video", "left")) + 1,
        height=round(number("fov_video", "bottom") - number("fov_video", "top")) + 1,
        distortion_model="plumb_bob",
        k=np.array([*k, [0.0, 0.0, 1.0]]),
        d=np.array([number("intrinsic", attribute) for attribute in names]),
        position_m=np.array([number("transform", axis) for axis in "xyz"]) / 1e3,
        orientation_xyzw=xyzw_from_matrix(camera_from_world.T),
        frame_id=f"{name}_optical",
        source=where,
    )
    return checked_camera(camera, where)


def _camera_from_opencv(
    where: str,
    name: str,
    model: str,
    k: np.ndarray,
    d: np.ndarray,
    rvec: np.ndarray,
    tvec: np.ndarray,
    size: np.ndarray,
) -> Camera:
    """A camera from OpenCV's p_camera = R(rvec) p_world + tvec."""
    place = f"{where}: camera '{name}'"
    if not (np.isfinite(rvec).all() and np.isfinite(tvec).all() and np.isfinite(size).all()):
        raise InputError(f"{place} has a pose or size with numbers that are not finite")
    used = COEFFICIENTS.get(model, len(d))
    if np.any(d[used:] != 0.0):
        raise InputError(f"{place} has {len(d)} distortion coefficients; {model} has {used}")
    world_from_camera = cv2.Rodrigues(np.asarray(rvec, dtype=float))[0].T
    camera = Camera(
        name=name,
        width=round(float(size[0])),
        height=round(float(size[1])),
        distortion_model=model,
        k=np.asarray(k, dtype=float),
        d=np.asarray(d, dtype=float)[:used],
        position_m=-world_from_camera @ tvec,
        orientation_xyzw=xyzw_from_matrix(world_from_camera),
        frame_id=f"{name}_optical",
        source=where,
    )
    return checked_camera(camera, where)


def _per_camera(session: Mapping[str, Any], key: str, where: str, default: Sequence[str]) -> list[str]:
    """One word a camera from an optional key."""
    if key not in session:
        return list(default)
    words = [str(word) for word in np.atleast_1d(np.asarray(session[key]))]
    if len(words) == 1 and key == "distortion_model":
        words = words * len(default)
    if len(words) != len(default):
        raise InputError(f"{where}: {key} has {len(words)} entries; expected one for each of {len(default)} cameras")
    return words


def _rig(where: str, cameras: list[Camera]) -> Rig:
    """Cameras by name, unless two share one or the rig cannot be in metres."""
    by_name = {camera.name: camera for camera in cameras}
    if len(by_name) != len(cameras):
        raise InputError(f"{where}: two cameras have the same name; expected {len(cameras)} different ones")
    positions = np.array([camera.position_m for camera in cameras])
    spread_m = float(np.linalg.norm(positions - positions.mean(axis=0), axis=1).max())
    if spread_m > LARGEST_RIG_M:
        raise InputError(f"{where}: cameras are {spread_m:.0f} m from their middle; expected metres, not millimetres")
    return Rig(by_name)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"calibration file '{path}' cannot be read as text ({error})") from error
