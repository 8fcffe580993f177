"""Folders of OpenPose's JSON, one a camera (`cam01_json/cam01.0001.json`, ...), as Pose2Sim lays them out.

The calibration is Pose2Sim's TOML, a Qualisys file or a rig.yaml. Frame rate and keypoint set may be in a Config.toml
beside the folders. Files whose name does not go like most of their folder (left-overs) are passed over.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..cameras.calibrated_camera import Camera, Rig
from ..cameras.calibration_files import load_calibration
from ..errors import InputError
from ..files import VALUE_ERRORS, first_line, short
from ..keypoints import KeypointFrame, KeypointSet, load_keypoint_set
from .imports import LATEST_S, ImportedSession, check_rate, renamed, topic_name

SET_FROM_COUNT = {
    17: "coco_17",
    25: "body_25",
    26: "halpe_26",
    33: "blazepose_33",
    87: "bml_movi_87",
    133: "coco_wholebody_133",
}
"""A set for a bare number of keypoints: 25 is BODY_25 unless a Config.toml or --keypoint-set says BODY_25B."""

CALIBRATION_SUFFIXES = (".toml", ".qca.txt", ".xml", ".yaml")


def read_json_folders(
    source: Path,
    calibration: str | Path | None = None,
    keypoint_set: str | Path | None = None,
    fps: float | None = None,
) -> ImportedSession:
    """Read every camera's folder under `source` (or `source`/pose)."""
    folders = camera_folders(source)
    config = _config(source)
    rig = _rig_of_folders(load_calibration(calibration or find_calibration(source)), folders)
    rate_hz = fps or config.get("frame_rate")
    if not isinstance(rate_hz, (int, float)):
        raise InputError(f"{source}: the frame rate is not known; give it with --fps")
    check_rate(str(source), rate_hz)
    files = {camera: frame_files(folder) for camera, folder in zip(rig.cameras, folders, strict=True)}
    people = {camera: {n: _people(file) for n, file in numbered.items()} for camera, numbered in files.items()}
    chosen = _keypoint_set(source, keypoint_set, config, people)
    numbers = [number for numbered in people.values() for number in numbered]
    first = min(numbers)
    if max(numbers) - first > LATEST_S * rate_hz:
        raise InputError(f"{source}: frame numbers {first} to {max(numbers)}; expected those of one recording")
    frames = [
        _frame(source, rig.cameras[camera], number, round((number - first) * 1e9 / rate_hz), seen, chosen)
        for camera, numbered in people.items()
        for number, seen in numbered.items()
    ]
    frames.sort(key=lambda frame: frame.arrival_ns)
    height_m = config.get("participant_height")
    return ImportedSession(chosen, rig, frames, float(height_m) if isinstance(height_m, (int, float)) else None)


def camera_folders(source: Path) -> list[Path]:
    """One folder a camera, by name."""
    for place in (source, source / "pose"):
        folders = sorted(folder for folder in place.glob("*_json") if folder.is_dir())
        folders = folders or sorted({file.parent for file in place.glob("*/*.json")})
        if folders:
            return folders
    raise InputError(f"{source}: no folders with JSON files; expected one folder a camera, such as cam01_json")


def frame_files(folder: Path) -> dict[int, Path]:
    """File by frame number, of the files named like most of the folder."""
    named = [
        (re.fullmatch(r"(.*?)(\d+)(_keypoints)?\.json", path.name), path) for path in sorted(folder.glob("*.json"))
    ]
    matched = [(match.group(1), int(match.group(2)), path) for match, path in named if match]
    if not matched:
        raise InputError(f"{folder}: no JSON files with a frame number, such as cam01.0001.json")
    usual = Counter(prefix for prefix, _, _ in matched).most_common(1)[0][0]
    return {number: path for prefix, number, path in matched if prefix == usual}


def _people(path: Path) -> list[dict[str, Any]]:
    """The list of people in one frame's file."""
    try:
        people = json.loads(path.read_text())["people"]
    except (OSError, *VALUE_ERRORS) as error:
        raise InputError(
            f"{path}: not a frame of OpenPose's JSON; expected an object with the list 'people'"
        ) from error
    for person in people if isinstance(people, list) else [None]:
        flat = person.get("pose_keypoints_2d") if isinstance(person, dict) else None
        if not isinstance(flat, list) or len(flat) % 3 or not all(map(_is_number, flat)):
            raise InputError(f"{path}: expected people with pose_keypoints_2d (u, v, confidence of each keypoint)")
    return people


def _is_number(value: Any) -> bool:
    """One that a float32 can hold; JSON's may have any number of digits."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**100)


def _person_id(person: dict[str, Any]) -> int:
    """The detector's own, -1 where it gives none."""
    given = person.get("person_id")
    given = given[0] if isinstance(given, list) and given else given
    return given if isinstance(given, int) and 0 <= given < 2**31 else -1


def _keypoint_set(
    source: Path, wanted: str | Path | None, config: dict[str, Any], people: dict[str, dict[int, list[dict[str, Any]]]]
) -> KeypointSet:
    if wanted:
        return load_keypoint_set(wanted)
    named = str(config.get("pose_model", "")).lower()
    if named in SET_FROM_COUNT.values() or named == "body_25b":
        return load_keypoint_set(named)
    counts = {len(p["pose_keypoints_2d"]) // 3 for frames in people.values() for seen in frames.values() for p in seen}
    if len(counts) != 1 or not counts <= set(SET_FROM_COUNT):
        raise InputError(
            f"{source}: people with {' or '.join(map(str, sorted(counts))) or 'no'} keypoints; "
            "give the keypoint set's name or file with --keypoint-set"
        )
    return load_keypoint_set(SET_FROM_COUNT[counts.pop()])


def _frame(
    source: Path, camera: Camera, number: int, stamp_ns: int, people: list[dict[str, Any]], keypoint_set: KeypointSet
) -> KeypointFrame:
    flat = [person["pose_keypoints_2d"] for person in people]
    wrong = [len(values) // 3 for values in flat if len(values) != 3 * len(keypoint_set)]
    if wrong:
        raise InputError(
            f"{source}: camera {camera.name}, frame {number}: {wrong[0]} keypoints, expected the "
            f"{len(keypoint_set)} of '{keypoint_set.name}'; choose another with --keypoint-set"
        )
    with np.errstate(over="ignore"):
        points = np.array(flat, dtype=np.float32).reshape(-1, len(keypoint_set), 3)
    points = np.where(np.isfinite(points).all(-1, keepdims=True) & (points[..., 2:] > 0), points, np.float32(0))
    ids = [_person_id(person) for person in people]
    seen = np.any(points[..., 2] > 0, axis=-1)
    kept = tuple(i for i, here in zip(ids, seen.tolist(), strict=True) if here)
    size_px = (camera.width, camera.height)
    person_ids = kept if all(i >= 0 for i in kept) else ()
    return KeypointFrame(camera.name, stamp_ns, stamp_ns, points[seen], person_ids, number, False, size_px)


def _config(source: Path) -> dict[str, Any]:
    """frame_rate, pose_model and participant_height of a Config.toml in the folder or above it."""
    for path in (source / "Config.toml", source.parent / "Config.toml"):
        if path.is_file():
            content = read_toml(path)
            sections = {name: content.get(name) for name in ("project", "pose")}
            wrong = [name for name, section in sections.items() if not isinstance(section, (dict, type(None)))]
            if wrong:
                raise InputError(f"{path}: [{wrong[0]}] is {short(sections[wrong[0]])}; expected a section")
            found = {**(sections["project"] or {}), "pose_model": (sections["pose"] or {}).get("pose_model")}
            return {key: found.get(key) for key in ("frame_rate", "pose_model", "participant_height")}
    return {}


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file. Raises InputError naming it when it cannot be read."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text())
    except (OSError, *VALUE_ERRORS) as error:
        raise InputError(f"{path}: not valid TOML ({first_line(error)})") from error


def find_calibration(source: Path) -> Path:
    """The one calibration file in source/calibration, or beside it."""
    places = [source / "calibration", source, source.parent / "calibration", source.parent]
    for place in places:
        found = sorted(
            path
            for path in (place.glob("*") if place.is_dir() else ())
            if path.name.endswith(CALIBRATION_SUFFIXES) and path.name != "Config.toml"
        )
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                f"{place}: {len(found)} calibration files ({found[0].name}, ...); choose with --calibration"
            )
    raise InputError(f"{source}: no calibration file (Calib.toml, *.qca.txt or rig.yaml); give one with --calibration")


def _rig_of_folders(rig: Rig, folders: list[Path]) -> Rig:
    """Cameras in the order of the folders: matched by name where that is possible, else both in order."""
    names = [topic_name(folder.name.removesuffix("_json")) for folder in folders]
    plain = {re.sub(r"\W|_", "", name).lower(): camera for name, camera in rig.cameras.items()}
    matched = [plain.get(re.sub(r"\W|_", "", name).lower()) for name in names]
    if not all(matched):
        if len(rig.cameras) != len(names):
            raise InputError(
                f"{folders[0].parent}: folders {', '.join(names)}, but the calibration has {', '.join(rig.cameras)}; "
                "name them alike"
            )
        matched = list(rig.cameras.values())
    cameras = [renamed(camera, name) for name, camera in zip(names, matched, strict=True) if camera is not None]
    return replace(rig, cameras={camera.name: camera for camera in cameras})
