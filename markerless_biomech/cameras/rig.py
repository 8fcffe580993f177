"""A rig: named cameras with lens and pose, from CameraInfo and /tf_static or from rig.yaml.

`camera_arrays` turns a rig into the arrays that the fit projects with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import yaml

from ..errors import InputError
from ..files import file_text, short, write_text, yaml_content
from .calibrated_camera import Camera, Rig, checked_camera, pose_from_matrix
from .camera import BROWN, EQUIDISTANT, Cameras, valid_radius
from .static_transforms import StaticTransforms

__all__ = [
    "Camera",
    "Rig",
    "StaticTransforms",
    "camera_arrays",
    "camera_from_info",
    "checked_camera",
    "load_rig",
    "pose_from_matrix",
    "rig_from_text",
    "rig_text",
    "save_rig",
]

FILE_VERSION = 1
"""Of rig.yaml's layout."""

FIELDS = ("width", "height", "distortion_model", "k", "d", "position_m", "orientation_xyzw", "frame_id", "source")
"""Of each camera in rig.yaml; `source` may be absent."""


def load_rig(path: str | Path) -> Rig:
    """Read rig.yaml. Raises InputError naming file, camera, field, what was found and what was expected."""
    return rig_from_text(file_text(Path(path), "rig file"), str(path))


def rig_from_text(text: str, where: str) -> Rig:
    """Parse the text of a rig.yaml; `where` names it in errors."""
    content = yaml_content(text, where)
    if not isinstance(content, dict):
        raise InputError(f"{where}: expected a map with version, world_frame and cameras")
    version = content.get("version")
    if version != FILE_VERSION:
        raise InputError(f"{where}: version is {short(version)}; expected {FILE_VERSION}, which this program writes")
    world_frame, cameras = content.get("world_frame"), content.get("cameras")
    if not isinstance(world_frame, str) or not world_frame:
        raise InputError(f"{where}: world_frame is {short(world_frame)}; expected the name of a frame, such as world")
    if not isinstance(cameras, dict) or not cameras:
        raise InputError(f"{where}: cameras is {short(cameras)}; expected a map from camera name to its calibration")
    return Rig({str(name): _camera_from_entry(where, str(name), entry) for name, entry in cameras.items()}, world_frame)


def rig_text(rig: Rig) -> str:
    """The text of a rig.yaml; `rig_from_text(rig_text(rig))` is the identity but for r and p."""
    cameras = {
        name: {
            "width": int(camera.width),
            "height": int(camera.height),
            "distortion_model": camera.distortion_model,
            "k": _plain(camera.k),
            "d": _plain(camera.d),
            "position_m": _plain(camera.position_m),
            "orientation_xyzw": _plain(camera.orientation_xyzw),
            "frame_id": camera.frame_id,
            "source": camera.source,
        }
        for name, camera in rig.cameras.items()
    }
    content = {"version": FILE_VERSION, "world_frame": rig.world_frame, "cameras": cameras}
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120)


def save_rig(rig: Rig, path: str | Path, force: bool = False) -> None:
    """Write rig.yaml, atomically. Raises InputError when the file exists and `force` is not set."""
    write_text(path, rig_text(rig), force)


def _plain(values: np.ndarray) -> list[float]:
    return [float(x) for x in np.ravel(values)]


def _camera_from_entry(where: str, name: str, entry: Any) -> Camera:
    """Check one camera of a file."""
    place = f"{where}: camera '{name}'"
    if not isinstance(entry, dict):
        raise InputError(f"{place} is {short(entry)}; expected a map with {', '.join(FIELDS)}")
    unknown = [key for key in entry if key not in FIELDS]
    missing = [key for key in FIELDS[:-1] if key not in entry]
    if unknown:
        raise InputError(f"{place} has the unknown field '{unknown[0]}'; known are {', '.join(FIELDS)}")
    if missing:
        raise InputError(f"{place} lacks the field '{missing[0]}'")
    for key in ("width", "height"):
        if not isinstance(entry[key], int) or isinstance(entry[key], bool):
            raise InputError(f"{place} has {key} {short(entry[key])}; expected whole pixels")
    camera = Camera(
        name=name,
        width=entry["width"],
        height=entry["height"],
        distortion_model=str(entry["distortion_model"]),
        k=_numbers(place, entry, "k", 9).reshape(3, 3),
        d=_numbers(place, entry, "d", None),
        position_m=_numbers(place, entry, "position_m", 3),
        orientation_xyzw=_numbers(place, entry, "orientation_xyzw", 4),
        frame_id=str(entry["frame_id"]),
        source=str(entry.get("source", "")),
    )
    return checked_camera(camera, where)


def _numbers(place: str, entry: dict[str, Any], key: str, count: int | None) -> np.ndarray:
    """A list of `count` (None: any) numbers."""
    values = entry[key]
    good = isinstance(values, list) and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in values)
    if not good or (count is not None and len(values) != count):
        expected = "a list of numbers" if count is None else f"a list of {count} numbers"
        raise InputError(f"{place} has {key} {short(values)}; expected {expected}")
    try:
        return np.array(values, dtype=float)
    except OverflowError as error:
        raise InputError(f"{place} has {key} with a number that is too large; expected finite numbers") from error


def camera_from_info(name: str, info: Any, pose: tuple[np.ndarray, np.ndarray], source: str = "camera_info") -> Camera:
    """A camera from a CameraInfo message (or anything with its fields) and its optical frame's pose in world.

    `pose` is position (m) and quaternion x y z w. Raises InputError naming the camera when it cannot be used.
    """
    p = np.array(info.p, dtype=float).reshape(3, 4)
    r = np.array(info.r, dtype=float).reshape(3, 3)
    binned = (info.binning_x > 1) or (info.binning_y > 1) or info.roi.width not in (0, info.width)
    if binned:
        raise InputError(
            f"camera '{name}' has camera_info with binning or a region of interest; expected that of the whole image"
        )
    camera = Camera(
        name=name,
        width=int(info.width),
        height=int(info.height),
        distortion_model=str(info.distortion_model) or "plumb_bob",
        k=np.array(info.k, dtype=float).reshape(3, 3),
        d=np.array(info.d, dtype=float),
        position_m=np.array(pose[0], dtype=float),
        orientation_xyzw=np.array(pose[1], dtype=float),
        frame_id=str(info.header.frame_id),
        source=source,
        # Drivers of unrectified cameras leave both empty.
        r=r if np.any(r) else np.eye(3),
        p=p if np.any(p) else None,
    )
    return checked_camera(camera)


def camera_arrays(rig: Rig, names: tuple[str, ...], rectified: dict[str, bool] | None = None) -> Cameras:
    """Arrays for projection in the order of `names`; a camera that the rig lacks sees nothing (usable 0).

    A rectified camera's pixels are those of the rectified image: P's focal lengths and centre, R's axes, no distortion.
    P's fourth column (a stereo pair's baseline) is not used: each camera's pose is that of its own optical frame.
    """
    rectified = rectified or {}
    rows = [_row(rig.cameras.get(name), rectified.get(name, False)) for name in names]
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    lens = jnp.asarray(columns.pop("lens"), dtype=jnp.int32)
    return Cameras(lens=lens, **{key: jnp.asarray(values, dtype=jnp.float32) for key, values in columns.items()})


def _row(camera: Camera | None, rectified: bool) -> dict[str, Any]:
    """One camera's entries of `Cameras`."""
    if camera is None:
        return {
            "focal": np.ones(2),
            "center": np.zeros(2),
            "distortion": np.zeros(8),
            "lens": BROWN,
            "rotation": np.eye(3),
            "translation": np.zeros(3),
            "max_radius": 1.0,
            "usable": 0.0,
        }
    rotation, translation = camera.camera_from_world
    matrix, lens, distortion = camera.k, _lens(camera), _padded_distortion(camera)
    if rectified:
        matrix, lens, distortion = camera.k if camera.p is None else camera.p, BROWN, np.zeros(8)
        rotation, translation = camera.r @ rotation, camera.r @ translation
    focal, center = np.array([matrix[0, 0], matrix[1, 1]]), np.array([matrix[0, 2], matrix[1, 2]])
    return {
        "focal": focal,
        "center": center,
        "distortion": distortion,
        "lens": lens,
        "rotation": rotation,
        "translation": translation,
        "max_radius": valid_radius(focal, center, distortion, lens, (camera.width, camera.height)),
        "usable": 1.0,
    }


def _lens(camera: Camera) -> int:
    return EQUIDISTANT if camera.distortion_model == "equidistant" else BROWN


def _padded_distortion(camera: Camera) -> np.ndarray:
    return np.concatenate([camera.d, np.zeros(8 - len(camera.d))])
