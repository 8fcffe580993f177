"""convert-rig as a user types it, and the floor under the feet of somebody who walks."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import made_calibrations as made
import numpy as np
import pytest
from click.testing import CliRunner
from made_calibrations import Y_DOWN, Source

from markerless_biomech import cli
from markerless_biomech.cameras.calibrated_camera import Rig
from markerless_biomech.cameras.calibration_files import load_calibration, save_calibration
from markerless_biomech.cameras.levelling import UP_AXES, turned, up_rotation, upright_axis
from markerless_biomech.cameras.rig_summary import doubts, summarise
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.floor import floor_from_feet, plane
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.recording.session_bag import write_inputs
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.virtual_rig import simulate

TILT, SHIFT_M = cv2.Rodrigues(np.array([0.08, -0.05, 0.4]))[0], np.array([0.5, -0.3, 0.7])


def run(*arguments: object):
    return CliRunner().invoke(cli.main, ["convert-rig", *map(str, arguments)])


def answer(*arguments: object) -> dict:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> Path:
    """A walk on a loop before six cameras, 3 px of noise."""
    settings = SimulationSettings(cameras=6, fps=30.0, seconds=6.0, keypoint_set="body_25", noise_px=3.0, seed=2)
    simulated = simulate(settings)
    out = tmp_path_factory.mktemp("floor") / "walk"
    write_inputs(out, load_keypoint_set("body_25"), simulated.rig_nominal, simulated.frames())
    return out


def assert_level(rig: Rig, truth: Rig) -> None:
    """The cameras stand as high and look as steeply as in truth, wherever x points."""
    for name, camera in rig.cameras.items():
        # 3 px at 4.5 m are 10 mm; 30 stances average; a foot's height above its sole is known to 5 mm.
        assert abs(camera.position_m[2] - truth.cameras[name].position_m[2]) < 0.02
        steepness = camera.world_from_camera[0][2] - truth.cameras[name].world_from_camera[0][2]
        assert np.abs(steepness).max() < np.radians(0.3)


@pytest.mark.parametrize("turn", ["tilted", "on its side", "upside down"])
def test_a_rig_stands_on_the_floor_that_feet_rest_on(turn, walk):
    session = read_session(walk)
    rotation = {"tilted": TILT, "on its side": up_rotation("y") @ TILT, "upside down": np.diag([1.0, -1.0, -1.0])}[turn]
    floor = floor_from_feet(session, turned(session.rig, rotation, SHIFT_M))
    normal = rotation @ [0.0, 0.0, 1.0]
    assert floor.normal @ normal > np.cos(np.radians(0.3))
    assert abs(floor.offset_m - normal @ SHIFT_M) < 0.02
    # What it claims to know it knows: within four standard deviations.
    assert np.arccos(min(1.0, floor.normal @ normal)) < 4 * floor.tilt_std_rad < np.radians(2.0)
    assert_level(floor.level(turned(session.rig, rotation, SHIFT_M)), session.rig)


def test_a_box_that_somebody_stands_on_is_not_the_floor():
    """Of 30 places a third are on a box, 0.3 m high; heels lifted now and then; the floor is tilted by 3 deg."""
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-2.0, 2.0, (30, 2)), rng.normal(0.03, 0.008, 30)]
    points[:10, 2] += 0.3
    points[10:14, 2] += rng.uniform(0.03, 0.1, 4)
    rotation = cv2.Rodrigues(np.radians([3.0, 0.0, 0.0]))[0]
    floor = plane(points @ rotation.T, np.full(30, 0.03), np.array([0.0, 0.0, 1.0]))
    # 8 mm over 16 places that are 1 m apart: 2 mm, 0.1 deg.
    assert np.arccos(floor.normal @ rotation[:, 2]) < np.radians(0.5) and abs(floor.offset_m) < 0.01
    assert 14 <= floor.places <= 20 and floor.places_seen == 30


def test_where_nobody_walked_the_floor_stays_as_it_was():
    """On the spot the tilt is not seen: it stays, and is said to be unknown."""
    points = np.tile([1.0, 2.0, 0.5], (6, 1)) + 1e-3 * np.random.default_rng(0).normal(size=(6, 3))
    floor = plane(points, np.zeros(6), np.array([0.0, 0.0, 1.0]))
    assert floor.tilt_deg < 0.1 and abs(floor.offset_m - 0.5) < 0.005
    assert np.degrees(floor.tilt_std_rad) == pytest.approx(2.0, abs=0.1), "the prior's"


def test_a_floor_needs_feet_and_cameras_that_agree(walk, tmp_path):
    session = read_session(walk)
    with pytest.raises(InputError, match="expected at least two cameras of the same name"):
        floor_from_feet(session, replace(session.rig, cameras={"cam0": session.rig.cameras["cam0"]}))
    still = [replace(frame, points=frame.points[:0]) for frame in session.frames]
    with pytest.raises(InputError, match="no frame shows feet and trunk"):
        floor_from_feet(replace(session, frames=still))


def test_convert_rig_levels_a_rig_by_a_recording_of_its_cameras(walk, tmp_path):
    session = read_session(walk)
    save_calibration(turned(session.rig, TILT, SHIFT_M), tmp_path / "rig.yaml", "rig")
    told = answer(tmp_path / "rig.yaml", "--floor-from-feet", walk, "--out", tmp_path / "level.yaml")
    assert told["out"] == str(tmp_path / "level.yaml") and told["cameras"] == list(session.rig.cameras)
    # acos(cos 0.08 cos 0.05) about
    assert told["floor"]["tilt_deg"] == pytest.approx(5.4, abs=0.3) and not told["remarks"]
    assert_level(load_calibration(tmp_path / "level.yaml"), session.rig)
    assert answer(walk, "--out", tmp_path / "bag.yaml")["cameras"] == list(session.rig.cameras)


def test_convert_rig_says_what_a_person_can_check(tmp_path):
    source = made.toml_file(tmp_path / "calibration.toml", Source(Y_DOWN, 1e-3))
    told = answer(source, "--units", "mm", "--up", "-y", "--out", tmp_path / "rig.yaml")
    assert told["summary"] == (
        "2 cameras, 5.6 m apart, 1.5 to 2.0 m above the floor (z = 0), looking at (0.0, 0.0, 1.0) m from 3.6 to 4.0 m"
    )
    assert told["heights_m"] == {"left": pytest.approx(1.5), "right": pytest.approx(2.0)}
    lying = answer(source, "--units", "mm", "--out", tmp_path / "lying.yaml")
    assert any("turn the world with --up -y" in remark["sentence"] for remark in lying["remarks"])


def test_convert_rig_writes_what_the_ending_says_and_nothing_twice(tmp_path):
    source = made.easymocap_files(tmp_path, Source(), sizes=False)
    size = ("--image-size", f"{made.WIDTH}x{made.HEIGHT}")
    for out, kind in (("rig.yaml", "rig"), ("Calib.toml", "pose2sim"), ("infos", "ros")):
        assert answer(source, *size, "--out", tmp_path / out)["format"] == kind
        assert list(load_calibration(tmp_path / out).cameras) == ["left", "right"]
        again = run(source, *size, "--out", tmp_path / out)
        assert again.exit_code == 1 and "--force" in again.stderr
        assert run(source, *size, "--out", tmp_path / out, "--force").exit_code == 0
    assert run(source, "--out", tmp_path / "x.yaml", "--image-size", "large").exit_code == 2
    assert "--image-size" in run(source, "--out", tmp_path / "x.yaml").stderr


def test_cameras_are_named_as_topics_may_be_but_for_pose2sim(tmp_path):
    text = made.toml_file(tmp_path / "a.toml", Source()).read_text().replace('"left"', '"2 left"')
    (tmp_path / "b.toml").write_text(text)
    assert answer(tmp_path / "b.toml", "--out", tmp_path / "rig.yaml")["cameras"] == ["cam2_left", "right"]
    assert answer(tmp_path / "b.toml", "--out", tmp_path / "c.toml")["cameras"] == ["2 left", "right"]


def test_json_folders_take_their_calibration_from_any_kind(tmp_path):
    people = {"people": [{"pose_keypoints_2d": [10.0, 20.0, 0.9] * 17}]}
    for name in made.K:
        (tmp_path / "trial" / f"{name}_json").mkdir(parents=True)
        for index in range(3):
            (tmp_path / "trial" / f"{name}_json" / f"{name}.{index:04d}.json").write_text(json.dumps(people))
    (tmp_path / "ros").mkdir()
    calibrations = [
        made.ros_files(tmp_path / "ros", Source()),
        made.opencap_session(tmp_path / "opencap", Source(Y_DOWN, 1e-3)),
        made.opencv_file(tmp_path / "cams.yml", Source()),
        made.easymocap_files(tmp_path, Source()) / "intri.yml",
    ]
    for index, calibration in enumerate(calibrations):
        arguments = [
            "import",
            tmp_path / "trial",
            "--calibration",
            calibration,
            "--fps",
            30,
            "--out",
            tmp_path / f"{index}",
        ]
        result = CliRunner().invoke(cli.main, list(map(str, arguments)))
        assert result.exit_code == 0, result.output
        rig = read_session(tmp_path / f"{index}").rig
        np.testing.assert_allclose(rig.cameras["right"].position_m, made.CENTRES_M["right"], atol=1e-6)


@pytest.mark.parametrize("axis", UP_AXES)
def test_the_axis_that_is_up_becomes_z_without_a_mirror(axis):
    rotation = up_rotation(axis)
    direction = (-1.0 if axis[0] == "-" else 1.0) * np.eye(3)["xyz".index(axis[-1])]
    np.testing.assert_allclose(rotation @ direction, [0.0, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


@pytest.fixture
def rig(tmp_path) -> Rig:
    return load_calibration(made.toml_file(tmp_path / "doubts.toml", Source()))


def test_a_rig_that_stands_right_raises_no_doubts(rig):
    assert doubts(rig) == () and upright_axis(rig) == "z"
    alone = Rig({"left": rig.cameras["left"]})
    assert doubts(alone) == () and summarise(alone).sentence == "1 camera, 1.5 m above the floor (z = 0)"


def test_doubts_name_what_is_wrong_and_what_to_do(rig):
    low = doubts(turned(rig, np.eye(3), np.array([0.0, 0.0, -1.7])))
    assert len(low) == 1 and "camera left below the floor" in low[0] and "--floor-from-feet" in low[0]
    inverse = {
        name: replace(
            camera, position_m=camera.camera_from_world[1], orientation_xyzw=camera.orientation_xyzw * [-1, -1, -1, 1]
        )
        for name, camera in rig.cameras.items()
    }
    assert any("look away" in words or "not upright" in words for words in doubts(Rig(inverse)))
    backward = {
        name: replace(camera, position_m=-camera.position_m + [0, 0, 4]) for name, camera in rig.cameras.items()
    }
    assert any("cameras left, right look away" in words for words in doubts(Rig(backward)))
