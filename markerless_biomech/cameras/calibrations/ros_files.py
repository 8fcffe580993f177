"""ROS: a camera_info YAML for each camera, and the poses of their optical frames; read and written.

The camera's file is camera_calibration's (image_width, camera_name, camera_matrix, ...) or what `ros2 topic echo --once
<camera>/camera_info` prints. Poses are what `ros2 topic echo --once /tf_static` prints: `transforms`, each with
header.frame_id (parent), child_frame_id, transform.translation {x y z} and transform.rotation {x y z w}.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ...errors import InputError
from ...files import write_text
from ...rotations import matrix_from_xyzw
from ..calibrated_camera import DISTORTION_LENGTHS, Camera, Rig
from ..static_transforms import StaticTransforms
from .calibration import COEFFICIENTS, Calibration, camera_from_opencv
from .values import integer_size, matrix, numbers, proper_rotation, read_text, short, yaml_documents

POSES_FILE = "tf_static.yaml"
"""Written beside the cameras' files."""

FRAME_ENDINGS = ("_optical", "_optical_frame", "")
"""Of a camera's optical frame after its name, in the order tried; camera_calibration's files do not name it."""

OF_A_FILE = frozenset(("camera_name", "distortion_model", "rectification_matrix"))
"""Fields beside camera_matrix that OpenCV's files do not have."""

WORLD_FRAMES = ("world", "map")


def is_camera_info(document: Any) -> bool:
    """Whether a YAML document is one camera's."""
    if not isinstance(document, dict):
        return False
    in_a_file = "camera_matrix" in document and not OF_A_FILE.isdisjoint(document)
    return in_a_file or {"k", "d", "width"} <= set(document)


def is_poses(document: Any) -> bool:
    """Whether a YAML document holds transforms."""
    if isinstance(document, list):
        return bool(document) and all(isinstance(entry, dict) and "child_frame_id" in entry for entry in document)
    return isinstance(document, dict) and ("transforms" in document or "child_frame_id" in document)


def read_ros(paths: list[Path]) -> Calibration:
    """All cameras of some files, with their poses. Raises InputError naming file, camera and field."""
    transforms, parents, infos = StaticTransforms(), {}, []
    for path in paths:
        for document in yaml_documents(read_text(path), str(path)):
            if is_poses(document):
                parents |= _add_poses(transforms, document, str(path))
            elif is_camera_info(document):
                infos.append((path, document))
            else:
                raise InputError(f"{path}: neither a camera_info (camera_matrix, image_width, ...) nor transforms")
    if not infos:
        raise InputError(f"{paths[0]}: poses without cameras; give each camera's camera_info YAML as well")
    if not parents:
        raise InputError(
            f"{infos[0][0]}: a camera without its pose; give a YAML of /tf_static as well (transforms: "
            "header.frame_id, child_frame_id, transform), or the folder with all files"
        )
    world = _world_frame(parents, str(paths[0]))
    cameras = [_camera(path, info, transforms, set(parents), world) for path, info in infos]
    return Calibration(cameras, world_frame=world)


def _add_poses(transforms: StaticTransforms, document: Any, where: str) -> dict[str, str]:
    """Take the transforms of one document in; parent by child."""
    entries = document if isinstance(document, list) else document.get("transforms", [document])
    parents = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        place = f"{where}: transform {index}"
        parent = _entry(place, _entry(place, entry, "header"), "frame_id")
        child, pose = _entry(place, entry, "child_frame_id"), _entry(place, entry, "transform")
        position = [_entry(place, _entry(place, pose, "translation"), axis) for axis in "xyz"]
        quaternion = [_entry(place, _entry(place, pose, "rotation"), axis) for axis in "xyzw"]
        translation, turn = numbers(place, "translation", position, (3,)), numbers(place, "rotation", quaternion, (4,))
        with np.errstate(over="ignore"):
            reason = transforms.add(str(parent), str(child), translation, turn)
        if reason:
            raise InputError(f"{where}: {reason}; expected x y z in metres and a unit quaternion x y z w")
        parents[str(child).removeprefix("/")] = str(parent).removeprefix("/")
    return parents


def _entry(place: str, content: Any, key: str) -> Any:
    if not isinstance(content, dict) or key not in content:
        raise InputError(
            f"{place} lacks '{key}'; expected header.frame_id, child_frame_id, transform.translation {{x, y, z}} and "
            "transform.rotation {x, y, z, w}"
        )
    return content[key]


def _world_frame(parents: dict[str, str], where: str) -> str:
    """'world' or 'map' where there is one, else the one frame that is nobody's child."""
    frames = {*parents, *parents.values()}
    roots = sorted(set(parents.values()) - set(parents))
    named = [name for name in WORLD_FRAMES if name in frames]
    if named or len(roots) == 1:
        return named[0] if named else roots[0]
    raise InputError(
        f"{where}: the transforms have {len(roots)} frames that are nobody's child ({', '.join(roots) or 'a circle'}); "
        "expected one, or one called world"
    )


def _camera(path: Path, info: dict[str, Any], transforms: StaticTransforms, children: set[str], world: str) -> Camera:
    """One camera of a document that `is_camera_info`, in either of its spellings."""
    name = str(info.get("camera_name") or path.stem)
    where, place = str(path), f"{path}: camera '{name}'"
    model = str(info.get("distortion_model") or "plumb_bob").lower()
    model = "equidistant" if model == "fisheye" else model
    if model not in DISTORTION_LENGTHS:
        raise InputError(f"{place} has distortion_model '{model}'; expected one of {', '.join(DISTORTION_LENGTHS)}")
    k = matrix(place, "camera_matrix", _either(place, info, "camera_matrix", "k"), (3, 3))
    d = matrix(place, "distortion_coefficients", _either(place, info, "distortion_coefficients", "d"), (None,))
    size = integer_size(
        place, _either(place, info, "image_width", "width"), _either(place, info, "image_height", "height")
    )
    frame = _frame(place, name, info, transforms, children, world)
    pose = transforms.lookup(world, frame)
    assert pose is not None
    camera_from_world = matrix_from_xyzw(pose[1]).T
    camera = camera_from_opencv(where, name, model, k, d, camera_from_world, -camera_from_world @ pose[0], size)
    r, p = _rectification(place, info)
    return replace(camera, frame_id=frame, r=r, p=p)


def _either(place: str, info: dict[str, Any], of_the_file: str, of_the_message: str) -> Any:
    for key in (of_the_file, of_the_message):
        if key in info:
            return info[key]
    raise InputError(f"{place} lacks the field '{of_the_file}'; expected a camera_info of camera_calibration")


def _rectification(place: str, info: dict[str, Any]) -> tuple[np.ndarray, np.ndarray | None]:
    """R and P; absent or all zero, as drivers of unrectified cameras leave them: none."""
    r = matrix(place, "rectification_matrix", info.get("rectification_matrix", info.get("r", [0.0] * 9)), (3, 3))
    p = matrix(place, "projection_matrix", info.get("projection_matrix", info.get("p", [0.0] * 12)), (3, 4))
    r = proper_rotation(place, "rectification_matrix", r) if np.any(r) else np.eye(3)
    if np.any(p) and not (p[0, 0] > 0 and p[1, 1] > 0):
        raise InputError(f"{place} has projection_matrix {short(p.tolist())}; expected positive focal lengths")
    return r, p if np.any(p) else None


def _frame(
    place: str, name: str, info: dict[str, Any], transforms: StaticTransforms, children: set[str], world: str
) -> str:
    """The optical frame's name: the message's own, else the camera's with an ending that the transforms know."""
    header = info.get("header")
    own = header.get("frame_id") if isinstance(header, dict) else None
    candidates = [str(own).removeprefix("/")] if own else [name + ending for ending in FRAME_ENDINGS]
    frame = next((candidate for candidate in candidates if candidate in children), None)
    if frame is None:
        raise InputError(
            f"{place} has no pose: no transform has the child {' or '.join(candidates)}; "
            f"expected one, of its optical frame (x right, y down, z forward), among {', '.join(sorted(children))}"
        )
    if transforms.lookup(world, frame) is None:
        raise InputError(f"{place} has no pose: {transforms.reason(world, frame)}")
    return frame


def write_ros(rig: Rig, folder: Path, force: bool = False) -> None:
    """One camera_info YAML for each camera, and tf_static.yaml: `read_ros` of the folder gives the same rig.

    Raises InputError where the folder holds files of other cameras, or ours and `force` is not set.
    """
    texts = {f"{name}.yaml": _camera_text(camera) for name, camera in rig.cameras.items()}
    wrong = next((name for name in texts if "/" in name or name == POSES_FILE or name.startswith(".")), None)
    if wrong:
        raise InputError(f"camera '{wrong.removesuffix('.yaml')}' cannot name a file; rename it")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give the name of a folder for the cameras' files")
    strangers = sorted({path.name for path in folder.glob("*.y*ml")} - {*texts, POSES_FILE})
    if strangers:
        raise InputError(f"{folder} holds {strangers[0]} already, which is not of this rig; choose another folder")
    existing = [name for name in (*texts, POSES_FILE) if (folder / name).exists()]
    if existing and not force:
        raise InputError(f"{folder / existing[0]} exists already; choose another folder, or give --force to replace it")
    for name, text in {**texts, POSES_FILE: _poses_text(rig)}.items():
        write_text(folder / name, text, force)


def _camera_text(camera: Camera) -> str:
    d = np.pad(camera.d, (0, COEFFICIENTS[camera.distortion_model] - len(camera.d)))
    p = camera.p if camera.p is not None else np.c_[camera.k, np.zeros(3)]
    content = {
        "image_width": int(camera.width),
        "image_height": int(camera.height),
        "camera_name": camera.name,
        "camera_matrix": _matrix(camera.k),
        "distortion_model": camera.distortion_model,
        "distortion_coefficients": _matrix(d[None]),
        "rectification_matrix": _matrix(camera.r),
        "projection_matrix": _matrix(p),
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120)


def _matrix(values: np.ndarray) -> dict[str, Any]:
    return {"rows": values.shape[0], "cols": values.shape[1], "data": [float(x) for x in values.ravel()]}


def _poses_text(rig: Rig) -> str:
    transforms = [
        {
            "header": {"frame_id": rig.world_frame},
            "child_frame_id": camera.frame_id,
            "transform": {
                "translation": dict(zip("xyz", map(float, camera.position_m), strict=True)),
                "rotation": dict(zip("xyzw", map(float, camera.orientation_xyzw), strict=True)),
            },
        }
        for camera in rig.cameras.values()
    ]
    return yaml.safe_dump({"transforms": transforms}, sort_keys=False, default_flow_style=None, width=120)
