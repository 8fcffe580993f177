"""Calibrations from elsewhere as a rig: which file is of which program, and where its readers are (calibrations/).

A rig is in metres, z up, with poses of the optical frame in world. Most programs write OpenCV's inverse; many are in mm
or have another axis up: what a format says is believed, a person's word (`unit`, `up`) counts more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files import write_text
from .calibrated_camera import Rig
from .calibrations.calibration import Calibration, rig_from_calibration
from .calibrations.opencap import FILE_NAME as OPENCAP_FILE
from .calibrations.opencap import read_opencap
from .calibrations.opencv_yaml import looks_like_opencv, read_opencv
from .calibrations.qualisys import read_qualisys, rig_from_qualisys
from .calibrations.ros_files import is_camera_info, is_poses, read_ros, write_ros
from .calibrations.session_npz import read_npz, rig_from_session, session_from_rig
from .calibrations.toml_files import read_toml_calibration, rig_from_toml, toml_text
from .calibrations.values import read_text, yaml_documents
from .rig import rig_from_text, save_rig

__all__ = [
    "ImportedRig",
    "load_calibration",
    "read_calibration",
    "rig_from_qualisys",
    "rig_from_session",
    "rig_from_toml",
    "save_calibration",
    "session_from_rig",
]

SUFFIXES = (".yaml", ".yml", ".toml", ".qca.txt", ".xml", ".npz", ".pickle", ".pkl")

FORMATS = ("rig", "ros", "pose2sim")
"""What `save_calibration` writes."""

OTHERS = ("Config.toml", "metadata.yaml")
"""Files of such endings that lie beside calibrations and are none."""

EASYMOCAP = ("intri.yml", "extri.yml")
"""Two files that belong together: one may be given for both."""

EXPECTED = (
    "a rig.yaml, Calib.toml (Pose2Sim, AniPose, FreeMoCap, Caliscope), *.qca.txt (Qualisys), session npz, OpenCV's "
    "YAML, intri.yml and extri.yml (EasyMocap), cameraIntrinsicsExtrinsics.pickle (OpenCap), or camera_info and "
    "/tf_static YAML (ROS)"
)


@dataclass(frozen=True, eq=False)
class ImportedRig:
    """A rig, and what a person should know about where it comes from."""

    rig: Rig
    remarks: tuple[str, ...] = ()


def load_calibration(path: str | Path) -> Rig:
    """Read a calibration of any known kind: a file, or a folder with the files of all cameras."""
    return read_calibration([path]).rig


def read_calibration(
    sources: Sequence[str | Path],
    unit: str | None = None,
    up: str | None = None,
    size_px: tuple[int, int] | None = None,
) -> ImportedRig:
    """Read files or a folder that make up one calibration. Raises InputError with file, place and what was expected.

    unit: of the file's lengths ('m', 'cm', 'mm'); up: its axis that points up, or 'upright' for that along which the
    images are; size_px: width and height of every image, for formats that do not say. None: as the format has it.
    """
    files = [file for source in sources for file in _files(Path(source))]
    kinds = {file: _kind(file) for file in files}
    if len(files) > 1 and len(set(kinds.values())) > 1:
        first, other = files[0], next(file for file in files if kinds[file] != kinds[files[0]])
        raise InputError(f"'{first}' and '{other}' are of different kinds; give the files of one calibration")
    kind = kinds[files[0]]
    if len(files) > 1 and kind in SINGLE:
        raise InputError(f"'{files[0]}' and '{files[1]}' are whole calibrations each; give one of them")
    where = str(files[0]) if len(files) == 1 else str(files[0].parent)
    if kind == "opencv":
        found = read_opencv(files, size_px)
    else:
        found = SINGLE[kind](files[0]) if kind in SINGLE else TOGETHER[kind](files)
    rig, remarks = rig_from_calibration(where, found, unit, up)
    return ImportedRig(rig, remarks)


def save_calibration(rig: Rig, out: str | Path, kind: str, force: bool = False) -> None:
    """Write a rig as one of FORMATS; read again it is the same. Raises InputError when something is there already.

    'rig': rig.yaml; 'pose2sim': Calib.toml; 'ros': a folder with a camera_info YAML a camera and tf_static.yaml.
    """
    if kind == "ros":
        write_ros(rig, Path(out), force)
    elif kind == "pose2sim":
        write_text(out, toml_text(rig), force)
    else:
        save_rig(rig, out, force)


def _read_rig(path: Path) -> Calibration:
    rig = rig_from_text(read_text(path), str(path))
    return Calibration(list(rig.cameras.values()), world_frame=rig.world_frame)


SINGLE: dict[str, Callable[[Path], Calibration]] = {
    "rig": _read_rig,
    "toml": lambda path: read_toml_calibration(read_text(path), str(path)),
    "qualisys": lambda path: read_qualisys(read_text(path), str(path)),
    "npz": read_npz,
}
"""Kinds of which one file is a whole calibration."""

TOGETHER: dict[str, Callable[[list[Path]], Calibration]] = {"ros": read_ros, "opencap": read_opencap}
"""Kinds with a file for each camera."""


def _kind(path: Path) -> str:
    """One of SINGLE and TOGETHER, or 'opencv', by the file's ending and, for YAML, by what is in it."""
    name = path.name.lower()
    if name.endswith((".yaml", ".yml")):
        return _kind_of_yaml(path)
    if name.endswith(".toml"):
        return "toml"
    if name.endswith((".qca.txt", ".xml")):
        return "qualisys"
    if name.endswith(".npz"):
        return "npz"
    if name.endswith((".pickle", ".pkl")):
        return "opencap"
    raise InputError(
        f"calibration file '{path}' is of an unknown kind; expected .yaml, .toml, .qca.txt, .npz or .pickle"
    )


def _kind_of_yaml(path: Path) -> str:
    text = read_text(path)
    documents = yaml_documents(text, str(path))
    if text.startswith("%YAML"):
        return "opencv"
    if any(is_camera_info(document) or is_poses(document) for document in documents):
        return "ros" if "!!opencv-" not in text else "opencv"
    content = documents[0] if documents else None
    if isinstance(content, dict) and "cameras" in content:
        return "rig"
    return "opencv" if looks_like_opencv(text, documents) else "rig"


def _files(source: Path) -> list[Path]:
    """The files of a calibration: `source` itself, its partner beside it, or what lies in the folder."""
    if source.is_dir():
        return _files_of_folder(source)
    if not source.is_file():
        raise InputError(f"calibration file '{source}' does not exist")
    partner = [source.with_name(name) for name in EASYMOCAP] if source.name in EASYMOCAP else []
    return partner if partner and all(path.is_file() for path in partner) else [source]


def _files_of_folder(folder: Path) -> list[Path]:
    """OpenCap's files at any depth, else EasyMocap's two, else every file that may be a calibration."""
    found = sorted(folder.rglob(OPENCAP_FILE))
    if found:
        return found
    pair = [folder / name for name in EASYMOCAP]
    if all(path.is_file() for path in pair):
        return pair
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in OTHERS)
    found = [path for path in files if path.name.lower().endswith(SUFFIXES)]
    if not found:
        raise InputError(f"{folder}: no calibration in this folder; expected {EXPECTED}")
    return found
