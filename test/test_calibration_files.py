"""Calibrations of other programs: the same pixels as OpenCV with the file's own numbers."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_rigs import LENSES, make_camera

from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.cameras.calibration_files import (
    load_calibration,
    rig_from_qualisys,
    rig_from_session,
    rig_from_toml,
    session_from_rig,
)
from markerless_biomech.cameras.rig import save_rig
from markerless_biomech.errors import InputError

REAL = Path(__file__).parents[2] / "shared" / "data" / "pose2sim_balancing" / "openpose_body25b.npz"

TOML = """
[cam_01]
name = "left"
size = [ 1088.0, 1920.0]
matrix = [ [ 1681.2, 0.0, 533.0], [ 0.0, 1681.1, 948.1], [ 0.0, 0.0, 1.0]]
distortions = [ -0.05, 0.02, 1e-05, 2e-05]
rotation = [ 1.688, 1.048, -0.4196]
translation = [ 0.321, 0.956, 2.891]
fisheye = false

[cam_02]
name = "right"
size = [ [ 1088, 1920], [ 1088, 1920] ]
matrix = [ [ 900.0, 0.0, 534.5], [ 0.0, 900.0, 963.2], [ 0.0, 0.0, 1.0]]
distortions = [ -0.02, 0.01, -0.003, 0.001]
rotation = [ 1.35, 1.596, -1.198]
translation = [ -0.112, 0.777, 3.068]
fisheye = true

[metadata]
adjusted = false
error = 0.0
"""

QUALISYS = """<?xml version='1.0' encoding='ASCII'?>
<calibration source="test"><cameras>
<camera active="1" serial="left">
  <fov_video bottom="1919" left="0" right="1087" top="0"/>
  <transform r11="0.0" r12="1.0" r13="0.0" r21="0.0" r22="0.0" r23="1.0" r31="1.0" r32="0.0" r33="0.0" x="3000" y="0" z="1500"/>
  <intrinsic centerPointU="34816" centerPointV="61440" focalLengthU="107520" focalLengthV="107520" radialDistortion1="-0.046"
   radialDistortion2="0.14" radialDistortion3="0.0" tangentalDistortion1="0.0006" tangentalDistortion2="0.0007"/>
</camera></cameras></calibration>
"""  # noqa: E501


def test_a_rig_becomes_a_session_and_comes_back():
    rig = Rig({model: make_camera(model, model) for model in LENSES})
    again = rig_from_session(session_from_rig(rig), "session.npz")
    for name, camera in rig.cameras.items():
        assert again.cameras[name].distortion_model == name and again.cameras[name].frame_id == f"{name}_optical"
        for field in ("k", "d", "position_m", "orientation_xyzw"):
            np.testing.assert_allclose(getattr(again.cameras[name], field), getattr(camera, field), atol=1e-12)


def test_a_session_without_names_has_cam0_and_plumb_bob():
    session = session_from_rig(Rig({"a": make_camera("a"), "b": make_camera("b")}))
    del session["camera_names"], session["distortion_model"]
    rig = rig_from_session({**session, "something_else": 1}, "session.npz")
    assert list(rig.cameras) == ["cam0", "cam1"] and rig.cameras["cam1"].distortion_model == "plumb_bob"


def test_poses_are_the_inverse_of_opencvs():
    """p_camera = R p_world + t: a camera at (1, 2, 3) whose optical axis is world's x, image up is world's z."""
    camera_from_world = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    session = session_from_rig(Rig({"a": make_camera("a")}))
    session["rvec"] = cv2.Rodrigues(camera_from_world)[0].T
    session["tvec"] = -(camera_from_world @ [1.0, 2.0, 3.0])[None]
    camera = rig_from_session(session, "session.npz").cameras["a"]
    rotation, position = camera.world_from_camera
    np.testing.assert_allclose(position, [1.0, 2.0, 3.0], atol=1e-12)
    np.testing.assert_allclose(rotation @ [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(rotation @ [0.0, -1.0, 0.0], [0.0, 0.0, 1.0], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"K": np.eye(3)}, r"K has the shape \(3, 3\); expected"),
        ({"rvec": np.zeros((1, 3, 1))}, "rvec has the shape"),
        ({"dist": np.zeros((1, 6))}, "dist has the shape"),
        ({"camera_names": np.array(["a", "b"])}, "camera_names has 2 entries"),
        ({"distortion_model": np.array(["brown"])}, "camera 'a' has distortion_model 'brown'"),
        (
            {"distortion_model": np.array(["equidistant"])},
            "camera 'a' has 5 distortion coefficients; equidistant has 4",
        ),
        ({"tvec": np.full((1, 3), np.nan)}, "camera 'a' has a pose or size with numbers that are not finite"),
        ({"K": np.zeros((1, 3, 3))}, "camera 'a' is not calibrated"),
    ],
)
def test_a_damaged_session_is_refused_by_name(change, sentence):
    with pytest.raises(InputError, match=f"session.npz: {sentence}"):
        rig_from_session({**session_from_rig(Rig({"a": make_camera("a")})), **change}, "session.npz")


def test_toml_is_read_in_opencvs_convention_and_a_still_camera_may_be_written_as_moving():
    rig = rig_from_toml(TOML, "Calib.toml")
    left, right = rig.cameras["left"], rig.cameras["right"]
    assert (left.distortion_model, right.distortion_model) == ("plumb_bob", "equidistant")
    assert (left.width, left.height, right.width) == (1088, 1920, 1088)
    rotation, translation = left.camera_from_world
    np.testing.assert_allclose(cv2.Rodrigues(rotation)[0][:, 0], [1.688, 1.048, -0.4196], atol=1e-9)
    np.testing.assert_allclose(translation, [0.321, 0.956, 2.891], atol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[ 1088, 1920], [ 1088, 1920]", "[ 1088, 1920], [ 1088, 1921]", "camera 'right' moves"),
        ("rotation = [ 1.35", "turn = [ 1.35", "camera 'right' lacks the field 'rotation'"),
        ("translation = [ 0.321, ", "translation = [ ", "camera 'left' has translation of shape"),
        ('"right"', '"left"', "two cameras have the same name"),
        ("translation = [ 0.321", "translation = [ 3210.0", "expected metres, not millimetres"),
        ("[cam_01]", "[cam_01", "not valid TOML"),
        ("matrix =", "matrice =", "no camera found"),
    ],
)
def test_a_damaged_toml_is_refused_by_name(old, new, sentence):
    assert old in TOML
    with pytest.raises(InputError, match=f"Calib.toml: .*{sentence}"):
        rig_from_toml(TOML.replace(old, new), "Calib.toml")


def test_qualisys_cameras_look_along_minus_their_third_axis():
    camera = rig_from_qualisys(QUALISYS, "Calib.qca.txt").cameras["left"]
    rotation, position = camera.world_from_camera
    # At x = 3 m, 1.5 m high, looking along -x; image up is world's z.
    np.testing.assert_allclose(position, [3.0, 0.0, 1.5])
    np.testing.assert_allclose(rotation, [[0, 0, -1], [1, 0, 0], [0, -1, 0]], atol=1e-12)
    assert (camera.width, camera.height) == (1088, 1920)
    np.testing.assert_allclose(camera.k, [[1680, 0, 544], [0, 1680, 960], [0, 0, 1]])
    np.testing.assert_allclose(camera.d, [-0.046, 0.14, 0.0006, 0.0007, 0.0])
    with pytest.raises(InputError, match=r"camera 'left' has transform r11 None; expected a number"):
        rig_from_qualisys(QUALISYS.replace("r11=", "q11="), "Calib.qca.txt")
    with pytest.raises(InputError, match="not valid XML"):
        rig_from_qualisys(QUALISYS[:-20], "Calib.qca.txt")


def test_files_are_told_apart_by_their_ending(tmp_path):
    rig = Rig({"a": make_camera("a")})
    save_rig(rig, tmp_path / "rig.yaml")
    np.savez(tmp_path / "session.npz", **session_from_rig(rig))  # pyright: ignore[reportArgumentType]
    (tmp_path / "Calib.toml").write_text(TOML)
    (tmp_path / "Calib.qca.txt").write_text(QUALISYS)
    names = {
        f: list(load_calibration(tmp_path / f).cameras)
        for f in ("rig.yaml", "session.npz", "Calib.toml", "Calib.qca.txt")
    }
    assert names == {
        "rig.yaml": ["a"],
        "session.npz": ["a"],
        "Calib.toml": ["left", "right"],
        "Calib.qca.txt": ["left"],
    }
    (tmp_path / "Calib.json").write_text("{}")
    with pytest.raises(InputError, match="unknown kind; expected .yaml, .toml"):
        load_calibration(tmp_path / "Calib.json")
    with pytest.raises(InputError, match="does not exist"):
        load_calibration(tmp_path / "none.toml")


@pytest.mark.skipif(not REAL.is_file(), reason="the shared recordings are not beside this checkout")
def test_the_balancing_recordings_cameras_stand_around_the_beam_and_look_at_it():
    rig = load_calibration(REAL)
    assert list(rig.cameras) == ["cam0", "cam1", "cam2", "cam3"]
    for camera in rig.cameras.values():
        rotation, position = camera.world_from_camera
        # World z up, metres: at 1.5 to 2.3 m height, image up is up, looking towards the middle.
        assert 1.5 < position[2] < 2.3 and rotation[2, 1] < -0.8 and rotation[:2, 2] @ position[:2] < 0
