"""TRC and MOT read back by OpenSim itself: the same angles, points and times, in its axes, names and signs."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_motions import FPS, LOST, SKIPPED, walking_motion
from scipy.spatial.transform import Rotation

from markerless_biomech.body.names import JOINT_NAMES
from markerless_biomech.recording.export_opensim import mot_text, opensim_coordinates, trc_text

MOTION = walking_motion()
HELD = np.flatnonzero(MOTION.held)
MISSING = [*range(LOST.start, LOST.stop), SKIPPED]

_PELVIS = [f"pelvis_{name}" for name in ("tilt", "list", "rotation", "tx", "ty", "tz")]
_LUMBAR = ["lumbar_extension", "lumbar_bending", "lumbar_rotation"]


def _leg(side: str, knee: tuple[str, ...]) -> list[str]:
    joints = ("hip_flexion", "hip_adduction", "hip_rotation", *knee, "ankle_angle", "subtalar_angle", "mtp_angle")
    return [name.replace("_S", f"_{side}") if "_S" in name else f"{name}_{side}" for name in joints]


def _arm(side: str) -> list[str]:
    joints = ("arm_flex", "arm_add", "arm_rot", "elbow_flex", "pro_sup", "wrist_flex", "wrist_dev")
    return [f"{name}_{side}" for name in joints]


_KNEE = ("knee_angle", "knee_angle_S_beta")
RAJAGOPAL = [*_PELVIS, *_leg("r", _KNEE), *_leg("l", _KNEE), *_LUMBAR, *_arm("r"), *_arm("l")]
"""Coordinates of Rajagopal2016.osim in its order."""
GAIT2392 = [*_PELVIS, *_leg("r", _KNEE[:1]), *_leg("l", _KNEE[:1]), *_LUMBAR]
"""Coordinates of gait2392_simbody.osim in its order."""


def read_by_opensim(path: Path) -> dict:
    """What OpenSim says is in the file."""
    if importlib.util.find_spec("opensim") is None:
        pytest.skip("OpenSim's Python package is not installed (pip install opensim)")
    script = Path(__file__).with_name("opensim_reads.py")
    run = subprocess.run(
        [sys.executable, script, path], cwd=path.parent, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def mot(tmp_path_factory) -> dict:
    path = tmp_path_factory.mktemp("mot") / "walk.mot"
    path.write_text(mot_text(MOTION))
    return read_by_opensim(path)


def _column(read: dict, name: str) -> np.ndarray:
    return np.array(read["rows"])[:, read["labels"].index(name)]


def test_a_mot_has_the_coordinates_of_the_model_in_its_order():
    assert list(opensim_coordinates(MOTION)) == RAJAGOPAL
    assert list(opensim_coordinates(MOTION, "gait2392")) == GAIT2392


def test_opensim_reads_the_angles_of_every_state_in_degrees(mot):
    assert mot["labels"] == RAJAGOPAL and mot["in_degrees"] and mot["size"] == len(HELD)
    # Eight decimals are written.
    np.testing.assert_allclose(mot["time"], MOTION.time_s[HELD], atol=1e-8)
    for name in set(RAJAGOPAL) & set(JOINT_NAMES):
        sign = -1 if name.startswith("mtp") else 1  # Rajagopal's toes go down with a positive angle
        expected = sign * np.degrees(MOTION.qpos[HELD, 7 + JOINT_NAMES.index(name)])
        np.testing.assert_allclose(_column(mot, name), expected, atol=1e-8, err_msg=name)
    np.testing.assert_array_equal(_column(mot, "knee_angle_r_beta"), _column(mot, "knee_angle_r"))


def test_opensim_puts_the_pelvis_where_ours_is_with_y_up(mot):
    to_opensim = Rotation.from_euler("x", -90, degrees=True)  # takes z (up) to y, y (left) to -z
    for pose, frame in zip(np.array(mot["pelvis"]), HELD, strict=True):
        x_m, y_m, z_m = MOTION.qpos[frame, :3]
        # Eight decimals of a degree and of a metre are written.
        np.testing.assert_allclose(pose[:3], [x_m, z_m, -y_m], atol=1e-8)
        ours = to_opensim * Rotation.from_quat(MOTION.qpos[frame, [4, 5, 6, 3]]) * to_opensim.inv()
        np.testing.assert_allclose(pose[3:].reshape(3, 3), ours.as_matrix(), atol=1e-9)


def test_gait2392_flexes_knees_and_toes_the_other_way_and_has_no_arms(tmp_path):
    path = tmp_path / "walk.mot"
    path.write_text(mot_text(MOTION, "gait2392"))
    read, rajagopal = read_by_opensim(path), opensim_coordinates(MOTION)
    assert read["labels"] == GAIT2392
    for name in GAIT2392:
        sign = -1 if name.startswith(("knee", "mtp")) else 1
        np.testing.assert_allclose(_column(read, name), sign * rajagopal[name][HELD], atol=1e-8, err_msg=name)


def test_opensim_reads_the_markers_and_where_they_are_missing(tmp_path):
    path = tmp_path / "walk.trc"
    path.write_text(trc_text(MOTION, path.name))
    read = read_by_opensim(path)
    assert tuple(read["labels"]) == MOTION.site_names and read["units"] == "mm"
    assert read["rate"] == pytest.approx(FPS, abs=1e-5)
    np.testing.assert_allclose(read["time"], MOTION.time_s, atol=1e-8)
    found_mm = np.array(read["rows"]).reshape(len(MOTION.held), -1, 3)
    x, y, z = np.moveaxis(MOTION.sites_m[HELD] * 1000.0, -1, 0)
    # Five decimals of a millimetre are written.
    np.testing.assert_allclose(found_mm[HELD], np.stack([x, z, -y], axis=-1), atol=1e-5)
    assert np.isnan(found_mm[MISSING]).all()
    assert read["frames_of_marker_data"] == len(MOTION.held)
    assert read["markers_of_marker_data"] == len(MOTION.site_names)
