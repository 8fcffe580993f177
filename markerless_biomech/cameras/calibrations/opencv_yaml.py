"""OpenCV's YAML (FileStorage): one file or several, in the layouts that people write; EasyMocap's among them.

p_camera = R p_world + t. Each camera's entries are under its name (`left: {K, D, R, T}`), end in it (`K_left`,
`dist_left`, ...: EasyMocap's intri.yml and extri.yml), are those of a stereo pair (M1, D1, M2, D2, R, T: the world is
camera 1), or are alone in the file, which then names the camera. Matrices are !!opencv-matrix or plain lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ..calibrated_camera import DISTORTION_LENGTHS, Camera
from ..levelling import UPRIGHT
from .calibration import Calibration, camera_from_opencv, lens_model
from .values import integer_size, matrix, numbers, read_text, rotation, yaml_documents

ALIASES: dict[str, tuple[str, ...]] = {
    "K": ("K", "camera_matrix", "cameraMatrix", "intrinsic_matrix", "intrinsics", "intrinsic", "mtx", "M"),
    "D": ("D", "dist", "distortion_coefficients", "distCoeffs", "dist_coeffs", "distortion"),
    "R": ("R", "Rot", "rotation_matrix", "rotation", "rvec", "Rvec"),
    "T": ("T", "translation", "translation_vector", "tvec", "t"),
    "width": ("W", "width", "image_width", "imageWidth"),
    "height": ("H", "height", "image_height", "imageHeight"),
    "size": ("image_size", "imageSize", "size", "resolution"),
    "model": ("distortion_model", "model"),
    "fisheye": ("fisheye",),
}
"""Names of each quantity, in the order tried."""

Entries = Mapping[str, Any]


def looks_like_opencv(text: str, documents: list[Any]) -> bool:
    """Whether a YAML text is of OpenCV: its header or its matrices, or entries that only such files have."""
    if text.startswith("%YAML") or "!!opencv-" in text:
        return True
    content = documents[0] if documents else None
    return isinstance(content, dict) and bool(_cameras(content))


def read_opencv(paths: list[Path], size_px: tuple[int, int] | None = None) -> Calibration:
    """The cameras of some files together; `size_px` (width, height) where the files do not say it."""
    contents = [_content(path) for path in paths]
    alone = [path for path, content in zip(paths, contents, strict=True) if _is_one_camera(content)]
    if alone and len(alone) == len(paths):
        found = {_own_name(path, content): content for path, content in zip(paths, contents, strict=True)}
        if len(found) != len(paths):
            raise InputError(f"{paths[0]}: two files name the same camera; expected {len(paths)} different ones")
        return Calibration([_camera(str(paths[0].parent), name, entries, size_px) for name, entries in found.items()])
    merged: dict[str, Any] = {}
    for content in contents:
        merged.update(content)
    where = " and ".join(str(path) for path in paths)
    found, stereo = _cameras(merged), _stereo_pair(merged)
    if not found and not stereo:
        raise InputError(
            f"{where}: no camera found; expected for each its K, D, R and T: under its name (left: {{K: ..., D: ...}}),"
            " ending in it (K_left, dist_left, R_left, T_left), or one camera a file"
        )
    cameras = [_camera(where, name, entries, size_px) for name, entries in (stereo or found).items()]
    if stereo:
        return Calibration(cameras, up=UPRIGHT, remarks=(f"{where}: a stereo pair, whose world is camera 1",))
    return Calibration(cameras)


def _content(path: Path) -> dict[str, Any]:
    documents = yaml_documents(read_text(path), str(path))
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise InputError(f"{path}: not a map of names to matrices; expected OpenCV's YAML (FileStorage)")
    return {str(key): value for key, value in documents[0].items()}


def _is_one_camera(content: Entries) -> bool:
    return _find(content, "K") is not None


def _own_name(path: Path, content: Entries) -> str:
    return str(content.get("camera_name") or content.get("name") or path.stem)


def _cameras(content: Entries) -> dict[str, dict[str, Any]]:
    """Entries of each camera by its name, where they are under it or end in it."""
    shared = {key: value for key, value in content.items() if not isinstance(value, dict) or "data" in value}
    under = {
        str(name): {**_shared_size(shared), **{str(key): entry for key, entry in value.items()}}
        for name, value in content.items()
        if isinstance(value, dict) and _find(value, "K") is not None
    }
    if under:
        return under
    names = content.get("names")
    ends = [str(name) for name in names] if isinstance(names, list) else _endings(content)
    found = {name: {**_shared_size(shared), **_ending_in(content, name)} for name in ends}
    return {name: entries for name, entries in found.items() if isinstance(names, list) or "K" in entries}


def _endings(content: Entries) -> list[str]:
    """What follows a name of K and an underscore, in the file's order."""
    longest_first = sorted(ALIASES["K"], key=len, reverse=True)
    found = []
    for key in map(str, content):
        alias = next((alias for alias in longest_first if key.startswith(f"{alias}_")), None)
        if alias is not None and len(key) > len(alias) + 1:
            found.append(key[len(alias) + 1 :])
    return list(dict.fromkeys(found))


def _ending_in(content: Entries, name: str) -> dict[str, Any]:
    """One camera's entries by their first names, of keys like K_left."""
    found = {}
    for quantity, aliases in ALIASES.items():
        keys = [key for alias in aliases if (key := f"{alias}_{name}") in content]
        if keys:
            found[quantity] = content[keys[0]]
    return found


def _shared_size(shared: Entries) -> dict[str, Any]:
    keys = [alias for quantity in ("width", "height", "size", "model", "fisheye") for alias in ALIASES[quantity]]
    return {key: shared[key] for key in keys if key in shared}


def _stereo_pair(content: Entries) -> dict[str, dict[str, Any]]:
    """M1, D1, M2, D2, R, T as OpenCV's stereo samples write them (R1, R2 there rectify and are not poses)."""
    for k, d in (("M", "D"), ("K", "D"), ("cameraMatrix", "distCoeffs")):
        if all(key in content for key in (f"{k}1", f"{d}1", f"{k}2", f"{d}2", "R", "T")):
            first = {"K": content[f"{k}1"], "D": content[f"{d}1"], "R": np.eye(3).tolist(), "T": [0.0, 0.0, 0.0]}
            second = {"K": content[f"{k}2"], "D": content[f"{d}2"], "R": content["R"], "T": content["T"]}
            return {"cam1": {**_shared_size(content), **first}, "cam2": {**_shared_size(content), **second}}
    return {}


def _find(entries: Entries, quantity: str) -> Any:
    """The entry under the first of a quantity's names that is there."""
    return next((entries[alias] for alias in ALIASES[quantity] if entries.get(alias) is not None), None)


def _camera(where: str, name: str, entries: Entries, size_px: tuple[int, int] | None) -> Camera:
    place = f"{where}: camera '{name}'"

    def required(quantity: str) -> Any:
        value = _find(entries, quantity)
        if value is None:
            aliases = ALIASES[quantity]
            raise InputError(f"{place} lacks its {quantity}; expected {' or '.join(aliases[:4])}")
        return value

    k = matrix(place, "K", required("K"), (3, 3))
    d = matrix(place, "D", required("D"), (None,))
    camera_from_world = rotation(place, "R", required("R"))
    translation = matrix(place, "T", required("T"), (3,))
    size = _size(place, entries, size_px)
    said = _find(entries, "model")
    known = isinstance(said, str) and said in DISTORTION_LENGTHS
    model = str(said) if known else lens_model(d, fisheye=bool(_find(entries, "fisheye")))
    return camera_from_opencv(where, name, model, k, d, camera_from_world, translation, size)


def _size(place: str, entries: Entries, size_px: tuple[int, int] | None) -> np.ndarray:
    width, height, size = (_find(entries, quantity) for quantity in ("width", "height", "size"))
    if size_px is not None:
        return np.array(size_px, dtype=float)
    if size is not None:
        return numbers(place, "image_size", size, (2,))
    if width is None or height is None:
        raise InputError(
            f"{place} does not say its image's size (image_width and image_height, or W_ and H_ of its name); "
            "give it with convert-rig's --image-size, such as 1920x1080"
        )
    return integer_size(place, width, height)
