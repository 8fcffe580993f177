"""Recordings of others -> bag: the exchange file (session npz), and folders of OpenPose or Pose2Sim JSON.

Everything is checked here, once; what is wrong raises InputError that names file, key and what was expected.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..cameras.calibrated_camera import Camera, Rig
from ..cameras.calibration_files import rig_from_session
from ..errors import InputError
from ..files import npz_arrays, number_text
from ..keypoints import SHIPPED_KEYPOINT_SETS, KeypointFrame, KeypointSet, load_keypoint_set
from .session_bag import write_inputs

REQUIRED_KEYS = ("keypoints", "names", "K", "dist", "rvec", "tvec", "size", "fps")
OPTIONAL_KEYS = ("camera_names", "distortion_model", "stamps_s", "person_ids", "height_m")


@dataclass(frozen=True, eq=False)
class ImportedSession:
    """A recording, as the live estimator would be given it."""

    keypoint_set: KeypointSet
    rig: Rig
    frames: list[KeypointFrame]
    """In the order of arrival; arrival is the stamp, as if nothing had taken time."""
    height_m: float | None = None


def import_recording(
    source: str | Path,
    out: str | Path,
    calibration: str | Path | None = None,
    keypoint_set: str | Path | None = None,
    fps: float | None = None,
    force: bool = False,
) -> ImportedSession:
    """Read `source` (a session npz, or a folder of OpenPose or Pose2Sim JSON) and write the bag `out`."""
    from .bags import check_writable

    check_writable(Path(out), force)
    session = read_recording(source, calibration, keypoint_set, fps)
    write_inputs(out, session.keypoint_set, session.rig, session.frames, force)
    return session


def read_recording(
    source: str | Path,
    calibration: str | Path | None = None,
    keypoint_set: str | Path | None = None,
    fps: float | None = None,
) -> ImportedSession:
    """What `import_recording` writes."""
    from .json_folders import read_json_folders

    source = Path(source)
    if (source / "metadata.yaml").is_file():
        raise InputError(f"{source}: a bag already; give it to replay, calibrate or evaluate as it is")
    if source.is_dir():
        return read_json_folders(source, calibration, keypoint_set, fps)
    if not source.is_file():
        raise InputError(
            f"{source}: no such file or folder; expected a session npz, or a folder with JSON of each camera"
        )
    if not zipfile.is_zipfile(source):
        raise InputError(
            f"{source}: not a session npz; import reads that (NumPy's savez of {', '.join(REQUIRED_KEYS)}), "
            "or a folder with OpenPose's or Pose2Sim's JSON of each camera"
        )
    if calibration is not None:
        raise InputError(f"{source}: a session npz holds its own calibration; leave --calibration out")
    return read_session_npz(source, keypoint_set)


def guess_keypoint_set(names: Sequence[str], where: str) -> KeypointSet:
    """The shipped set with these names, whatever their order and spelling (`LHip`, `l_hip`)."""
    wanted = {_plain(name) for name in names}
    for shipped in SHIPPED_KEYPOINT_SETS:
        keypoint_set = load_keypoint_set(shipped)
        if wanted == {_plain(name) for name in keypoint_set.names}:
            return keypoint_set
    raise InputError(
        f"{where}: its {len(names)} names ({', '.join(list(names)[:4])}, ...) are those of no shipped keypoint set; "
        "give the set's name or file with --keypoint-set"
    )


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def read_session_npz(path: str | Path, keypoint_set: str | Path | None = None) -> ImportedSession:
    """Read the exchange file; its layout is in the README. Unknown keys are ignored."""
    where = str(path)
    content = npz_arrays(Path(path), "session npz", (*REQUIRED_KEYS, *OPTIONAL_KEYS))
    missing = [key for key in REQUIRED_KEYS if key not in content]
    if missing:
        raise InputError(f"{where}: no key '{missing[0]}'; expected {', '.join(REQUIRED_KEYS)}")
    points = _points(where, content)
    rig = _rig(where, content, len(points))
    names = [str(name) for name in np.ravel(content["names"])]
    chosen = load_keypoint_set(keypoint_set) if keypoint_set else guess_keypoint_set(names, where)
    points = points[..., _columns(where, names, chosen), :]
    stamps_ns = _stamps_ns(where, content, points.shape[0], points.shape[2])
    ids = _person_ids(where, content, points.shape[1])
    height_m = _number(where, content, "height_m") if "height_m" in content else None
    frames = [
        _frame(camera, stamps_ns[c, f], points[c, :, f], ids, f + 1)
        for c, camera in enumerate(rig.cameras.values())
        for f in range(points.shape[2])
    ]
    frames.sort(key=lambda frame: frame.arrival_ns)
    return ImportedSession(chosen, rig, frames, height_m)


def _points(where: str, content: dict[str, np.ndarray]) -> np.ndarray:
    """(C, P, F, K, 3); what is not finite or has no confidence is (0, 0, 0)."""
    points = np.asarray(content["keypoints"])
    if points.dtype.kind not in "fiu" or points.ndim not in (4, 5) or points.shape[-1] != 3 or 0 in points.shape:
        raise InputError(
            f"{where}: keypoints is {points.dtype} {points.shape}; expected numbers (cameras, frames, keypoints, 3), "
            "or with a person axis (cameras, people, frames, keypoints, 3)"
        )
    points = points.astype(np.float32).reshape(points.shape[0], -1, *points.shape[-3:])
    return np.where(np.isfinite(points).all(-1, keepdims=True) & (points[..., 2:] > 0), points, np.float32(0))


def _columns(where: str, names: Sequence[str], keypoint_set: KeypointSet) -> list[int]:
    """Place of each of the set's keypoints in the file's order."""
    place = {_plain(name): index for index, name in enumerate(names)}
    missing = [name for name in keypoint_set.names if _plain(name) not in place]
    if missing:
        raise InputError(
            f"{where}: no keypoint '{missing[0]}' among its {len(names)} names, which the keypoint set "
            f"'{keypoint_set.name}' has; choose another with --keypoint-set"
        )
    return [place[_plain(name)] for name in keypoint_set.names]


def _stamps_ns(where: str, content: dict[str, np.ndarray], cameras: int, frames: int) -> np.ndarray:
    """(C, F) int64 from stamps_s, else from fps with the first frame at 0."""
    fps = _number(where, content, "fps")
    check_rate(where, fps)
    if "stamps_s" not in content:
        return np.tile(np.round(np.arange(frames) * (1e9 / fps)).astype(np.int64), (cameras, 1))
    given = content["stamps_s"]
    stamps_s = given.astype(float) if given.dtype.kind in "fiu" else np.zeros(0)
    if stamps_s.shape != (cameras, frames) or not ((stamps_s >= 0) & (stamps_s < LATEST_S)).all():
        raise InputError(
            f"{where}: stamps_s is {given.dtype} {given.shape}; expected seconds >= 0 of shape {(cameras, frames)}"
        )
    return np.round(stamps_s * 1e9).astype(np.int64)


LATEST_S = 2.0**31
"""Of stamps: messages hold no later ones."""


def check_rate(where: str, rate_hz: float) -> None:
    """Raise InputError where frames of that rate cannot be."""
    if not 0.01 <= rate_hz <= 1e5:
        raise InputError(f"{where}: the frame rate is {number_text(rate_hz)} Hz; expected frames a second, such as 60")


def _number(where: str, content: dict[str, np.ndarray], key: str) -> float:
    """A key that holds one number."""
    value = content[key]
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise InputError(f"{where}: {key} is {value.dtype} {value.shape}; expected one number")
    return float(value.ravel()[0])


def _person_ids(where: str, content: dict[str, np.ndarray], people: int) -> tuple[int, ...]:
    if "person_ids" not in content:
        return tuple(range(people)) if people > 1 else ()
    ids = np.ravel(content["person_ids"])
    if len(ids) != people or ids.dtype.kind not in "iu":
        raise InputError(
            f"{where}: person_ids is {ids.dtype} of length {len(ids)}; expected {people} integers, one a person"
        )
    return tuple(int(i) for i in ids)


def _frame(camera: Camera, stamp_ns: int, people: np.ndarray, ids: tuple[int, ...], number: int) -> KeypointFrame:
    """`people` (P, K, 3): those of whom nothing was seen are left out."""
    seen = np.any(people[..., 2] > 0, axis=-1)
    return KeypointFrame(
        camera=camera.name,
        stamp_ns=int(stamp_ns),
        arrival_ns=int(stamp_ns),
        points=people[seen],
        person_ids=tuple(i for i, here in zip(ids, seen.tolist(), strict=True) if here) if ids else (),
        frame_number=number,
        size_px=(camera.width, camera.height),
    )


def _rig(where: str, content: dict[str, np.ndarray], count: int) -> Rig:
    """Cameras of the npz's OpenCV calibration, named as topics may be."""
    rig = rig_from_session(content, where)
    if len(rig.cameras) != count:
        raise InputError(f"{where}: K is for {len(rig.cameras)} cameras, but keypoints has {count}; expected as many")
    cameras = [renamed(camera, topic_name(name)) for name, camera in rig.cameras.items()]
    by_name = {camera.name: camera for camera in cameras}
    if len(by_name) != count:
        raise InputError(f"{where}: camera_names are {', '.join(rig.cameras)}; expected names that differ as topics")
    return replace(rig, cameras=by_name)


def renamed(camera: Camera, name: str) -> Camera:
    """The camera under another name; its optical frame is called after it."""
    return replace(camera, name=name, frame_id=f"{name}_optical")


def topic_name(name: str) -> str:
    """A camera's name as a ROS topic may have it: letters, digits and underscores, no digit first."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_") or "camera"
    return f"cam{plain}" if plain[0].isdigit() else plain
