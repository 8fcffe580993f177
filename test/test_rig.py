"""Rigs: files, CameraInfo, static transforms, and what is refused with which words."""

from types import SimpleNamespace

import cv2
import jax.numpy as jnp
import numpy as np
import pytest
from made_rigs import LENSES, make_camera

from markerless_biomech.cameras.calibrated_camera import Rig, pose_from_matrix
from markerless_biomech.cameras.camera import project
from markerless_biomech.cameras.rig import camera_arrays, camera_from_info, load_rig, rig_from_text, rig_text, save_rig
from markerless_biomech.cameras.static_transforms import StaticTransforms
from markerless_biomech.errors import InputError
from markerless_biomech.rotations import xyzw_from_matrix


def make_info(**changes):
    """The fields of a CameraInfo."""
    values = {
        "header": SimpleNamespace(frame_id="left_optical"),
        "width": 1280,
        "height": 720,
        "distortion_model": "plumb_bob",
        "k": [900.0, 0.0, 640.0, 0.0, 905.0, 355.0, 0.0, 0.0, 1.0],
        "d": [-0.2, 0.05, 0.001, -0.002, 0.01],
        "r": [0.0] * 9,
        "p": [0.0] * 12,
        "binning_x": 0,
        "binning_y": 0,
        "roi": SimpleNamespace(width=0, height=0),
    }
    return SimpleNamespace(**{**values, **changes})


POSE = (np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))


def test_a_rig_file_reads_back_exactly(tmp_path):
    rig = Rig({model: make_camera(model, model) for model in LENSES}, "lab")
    path = tmp_path / "new" / "rig.yaml"
    save_rig(rig, path)
    again = load_rig(path)
    assert again.world_frame == "lab" and list(again.cameras) == list(rig.cameras)
    for name, camera in rig.cameras.items():
        for field in ("k", "d", "position_m", "orientation_xyzw"):
            np.testing.assert_array_equal(getattr(again.cameras[name], field), getattr(camera, field))
        assert again.cameras[name].frame_id == camera.frame_id and again.cameras[name].source == "test"
    assert rig_text(again) == rig_text(rig)


def test_a_rig_file_is_not_overwritten_without_force(tmp_path):
    rig, path = Rig({"left": make_camera()}), tmp_path / "rig.yaml"
    save_rig(rig, path)
    with pytest.raises(InputError, match="exists already.*--force"):
        save_rig(rig, path)
    save_rig(rig, path, force=True)
    assert [file.name for file in tmp_path.iterdir()] == ["rig.yaml"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("version: 1", "version: 2", "version is 2; expected 1"),
        ("world_frame: world", "world_frame: ''", "world_frame is ''"),
        ("width: 1280", "width: wide", "camera 'left' has width 'wide'; expected whole pixels"),
        ("width: 1280", "widht: 1280", "camera 'left' has the unknown field 'widht'"),
        (
            "distortion_model: plumb_bob",
            "distortion_model: brown",
            "distortion_model 'brown'; expected one of plumb_bob",
        ),
        ("d: [-0.2, ", "d: [", "has 4|4 distortion coefficients"),
        ("k: [900.0", "k: [0.0", "singular or unusual k"),
        ("position_m: [1.0", "position_m: [.nan", "position_m .* expected three finite numbers"),
        ("position_m: [1.0", "position_m: [one", "position_m .* expected a list of 3 numbers"),
        ("frame_id: left_optical", "source2: x", "unknown field 'source2'"),
        ("cameras:", "cameras: [", "not valid YAML"),
    ],
)
def test_a_damaged_rig_file_is_refused_by_name(old, new, sentence):
    text = rig_text(Rig({"left": make_camera()}))
    assert old in text
    if sentence.startswith("has 4|4"):
        # Four coefficients are plumb_bob without k3; three are none.
        assert len(rig_from_text(text.replace(old, new), "rig.yaml").cameras["left"].d) == 4
        old, new, sentence = "d: [-0.2, 0.05, ", "d: [", "3 distortion coefficients; plumb_bob has 0 or 4 or 5"
    with pytest.raises(InputError, match=f"rig.yaml: .*{sentence}"):
        rig_from_text(text.replace(old, new), "rig.yaml")


def test_a_missing_field_and_a_missing_file_are_named(tmp_path):
    text = rig_text(Rig({"left": make_camera()}))
    without = "\n".join(line for line in text.splitlines() if "frame_id" not in line)
    with pytest.raises(InputError, match="camera 'left' lacks the field 'frame_id'"):
        rig_from_text(without, "rig.yaml")
    with pytest.raises(InputError, match="does not exist"):
        load_rig(tmp_path / "none.yaml")


def test_a_camera_from_camera_info_is_the_same_camera():
    camera = camera_from_info("left", make_info(), POSE)
    assert camera.frame_id == "left_optical" and camera.p is None
    np.testing.assert_array_equal(camera.k, make_camera().k)
    np.testing.assert_array_equal(camera.r, np.eye(3))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"k": [0.0] * 9}, "is not calibrated"),
        ({"k": [900.0, 0, 640, 0, 0, 355, 0, 0, 1]}, "singular or unusual k"),
        ({"k": [900.0, 0, float("nan"), 0, 900, 355, 0, 0, 1]}, "expected finite numbers"),
        ({"k": [-900.0, 0, 640, 0, 900, 355, 0, 0, 1]}, "singular or unusual k"),
        ({"d": [0.1] * 8}, "8 distortion coefficients; plumb_bob has 0 or 4 or 5"),
        ({"d": [0.1, float("inf"), 0, 0, 0]}, "expected finite numbers"),
        ({"distortion_model": "fisheye"}, "distortion_model 'fisheye'; expected one of"),
        ({"width": 0}, "image of 0 x 720 px"),
        ({"r": [1.0, 0, 0, 0, 1, 0, 0, 0, -1]}, "has r .* mirror image"),
        ({"r": [1.0, 0, 0, 0, 1, 0, 0, 0, 0]}, "not orthonormal"),
        ({"binning_x": 2}, "binning or a region of interest"),
    ],
)
def test_camera_info_that_cannot_be_right_is_refused_by_the_cameras_name(changes, sentence):
    with pytest.raises(InputError, match=f"camera 'left' .*{sentence}"):
        camera_from_info("left", make_info(**changes), POSE)


def test_a_pose_that_is_no_pose_is_refused_by_the_cameras_name():
    with pytest.raises(InputError, match="camera 'left' has orientation_xyzw .* of length 0"):
        camera_from_info("left", make_info(), (np.zeros(3), np.zeros(4)))
    with pytest.raises(InputError, match="camera 'left' has pose .* mirror image"):
        pose_from_matrix("left", np.diag([1.0, 1.0, -1.0]), np.zeros(3))
    with pytest.raises(InputError, match="camera 'left' has pose .* not orthonormal"):
        pose_from_matrix("left", np.zeros((3, 3)), np.zeros(3))


def test_a_camera_that_is_not_known_yet_sees_nothing():
    arrays = camera_arrays(Rig({"left": make_camera()}), ("left", "right"))
    rotation, position = make_camera().world_from_camera
    point = jnp.asarray(rotation @ np.array([0.1, 0.1, 3.0]) + position, dtype=jnp.float32)
    image_px, valid = project(arrays, point[None])
    assert valid[:, 0].tolist() == [True, False] and np.isfinite(image_px).all()


@pytest.mark.parametrize("model", LENSES)
def test_rectified_pixels_are_those_of_opencvs_rectified_image(model):
    turn = cv2.Rodrigues(np.array([0.02, -0.05, 0.01]))[0]
    p = np.array([[800.0, 0, 600, 0], [0, 800.0, 350, 0], [0, 0, 1, 0]])
    camera = make_camera(model=model, r=turn, p=p)
    rotation, position = camera.world_from_camera
    points = np.random.default_rng(0).uniform([-0.5, -0.3, 2.0], [0.5, 0.3, 4.0], size=(20, 3)) @ rotation.T + position
    points = jnp.asarray(points, dtype=jnp.float32)
    raw, _ = project(camera_arrays(Rig({"a": camera}), ("a",)), points)
    rectified, valid = project(camera_arrays(Rig({"a": camera}), ("a",), {"a": True}), points)
    undistort = cv2.fisheye.undistortPoints if model == "equidistant" else cv2.undistortPoints
    expected = undistort(np.asarray(raw[0], dtype=float)[:, None], camera.k, camera.d, R=turn, P=p)
    assert valid.all()
    # OpenCV's undistortion iterates to 0.01 px or so.
    np.testing.assert_allclose(rectified[0], expected[:, 0], atol=0.05)


def found(transforms, world, frame):
    pose = transforms.lookup(world, frame)
    assert pose is not None
    return pose


def test_whole_chains_of_static_transforms_are_composed():
    rng = np.random.default_rng(1)
    transforms, world_from_frame, parent = StaticTransforms(), np.eye(4), "world"
    for child in ("truss", "mount", "camera_link", "left_optical"):
        step = np.eye(4)
        step[:3, :3], step[:3, 3] = cv2.Rodrigues(rng.normal(size=3))[0], rng.normal(size=3)
        assert transforms.add(parent, child, step[:3, 3], xyzw_from_matrix(step[:3, :3])) == ""
        world_from_frame, parent = world_from_frame @ step, child
    position, quaternion = found(transforms, "world", "/left_optical")
    np.testing.assert_allclose(position, world_from_frame[:3, 3], atol=1e-12)
    np.testing.assert_allclose(quaternion, xyzw_from_matrix(world_from_frame[:3, :3]), atol=1e-12)
    inverse, _ = found(transforms, "left_optical", "world")
    np.testing.assert_allclose(inverse, np.linalg.inv(world_from_frame)[:3, 3], atol=1e-12)


def test_of_two_static_transforms_the_last_to_come_counts():
    transforms, upright = StaticTransforms(), [0.0, 0.0, 0.0, 1.0]
    transforms.add("world", "left", [1.0, 0, 0], upright)
    transforms.add("world", "left", [2.0, 0, 0], upright)
    assert found(transforms, "world", "left")[0][0] == 2.0


def test_a_chain_that_leads_nowhere_says_why():
    transforms, upright = StaticTransforms(), [0.0, 0.0, 0.0, 1.0]
    assert "no transform with the child 'left'" in transforms.reason("world", "left")
    transforms.add("map", "left", [1.0, 0, 0], upright)
    assert transforms.lookup("world", "left") is None
    assert "up to 'map', which is not connected to 'world'" in transforms.reason("world", "left")
    transforms.add("left", "map", [1.0, 0, 0], upright)
    assert transforms.lookup("world", "left") is None
    assert "in a circle: left -> map -> left" in transforms.reason("world", "left")
    assert "names itself" in transforms.add("a", "a", [0, 0, 0], upright)
    assert "no unit quaternion" in transforms.add("world", "b", [0, 0, 0], [0, 0, 0, 0])
    assert "not finite" in transforms.add("world", "b", [np.nan, 0, 0], upright)
