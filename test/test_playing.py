"""What a player and a replay make of a recording: names, frames, definitions; without ROS."""

from dataclasses import replace

import pytest
from made_recording import TF, TOPICS, cdr, frames_message, recorded

from markerless_biomech.cameras.rig import Rig
from markerless_biomech.recording.bags import BagWriter, open_bag, types, typestore
from markerless_biomech.recording.camera_health import fitted_cameras
from markerless_biomech.recording.definitions import definition_texts
from markerless_biomech.recording.link_messages import fitted_to_message
from markerless_biomech.recording.playing import REFIT, SHOW, frames_of_ours, played_names, without_frames
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.recording.refit import _copy_input
from markerless_biomech.recording.replay import copy_input
from markerless_biomech.recording.session_bag import write_definitions
from markerless_biomech.results import FitReport
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.virtual_rig import START_NS, simulate


@pytest.fixture(scope="module")
def session():
    return simulate(SimulationSettings(cameras=2, fps=30.0, seconds=0.5, keypoint_set="coco_17", path="stand"))


def test_a_refit_is_shown_inputs_and_definitions_under_their_own_names():
    names = played_names(TOPICS, REFIT)
    assert set(TOPICS) - set(names) == {
        "/lab/joint_states",
        "/lab/body_state_settled",
        "/emg",
        "/cam0/image_raw",
        "/rosout",
        "/clock",
    }
    assert names["/tf_static"] == ["/tf_static"] and names["/lab/cam0/keypoints"] == ["lab/cam0/keypoints"]


def test_recorded_results_are_shown_apart_from_new_ones():
    names = played_names(TOPICS, REFIT, recorded_results=True)
    assert names["/lab/joint_states"] == ["recorded/lab/joint_states"]
    assert names["/tf"] == ["/tf", "recorded/tf"]
    assert names["/lab/definitions/subject"] == ["lab/definitions/subject", "recorded/lab/definitions/subject"]


def test_show_plays_everything_under_its_own_name():
    names = played_names(TOPICS, SHOW)
    assert set(TOPICS) - set(names) == {"/rosout", "/clock"}
    assert names["/lab/joint_states"] == ["lab/joint_states"]


def test_of_tf_a_refit_is_shown_only_frames_of_others(session, tmp_path):
    with open_bag(recorded(session, tmp_path / "bag")) as bag:
        ours = frames_of_ours(bag)
    kept = without_frames(cdr(frames_message("pelvis", "gripper", "hip_flexion_r_link")), ours)
    assert [one.child_frame_id for one in typestore().deserialize_cdr(kept, TF).transforms] == ["gripper"]
    assert without_frames(cdr(frames_message("femur_l", "cam1_optical_fitted")), ours) is None
    foreign = cdr(frames_message("cam0_optical", "gripper"))
    assert without_frames(foreign, ours) is foreign


def test_cameras_that_came_from_a_file_are_the_estimators_frames(session, tmp_path):
    with open_bag(recorded(session, tmp_path / "bag", rig_file="rig.yaml")) as bag:
        assert {"cam0_optical", "cam1_optical"} <= frames_of_ours(bag)


def test_fitted_cameras_are_left_out_under_the_name_they_were_published_by(session, tmp_path):
    """A rig file's frames have the prefix already."""
    settings = EstimatorSettings(cameras=("cam0",), rig_file="rig.yaml", frame_prefix="left/")
    nominal = session.rig_nominal.cameras
    cameras = {name: replace(camera, frame_id=f"left/{camera.frame_id}") for name, camera in nominal.items()}
    rig, nobody = Rig(cameras), FitReport(START_NS, "OK")
    found = fitted_cameras(rig, START_NS, tuple(cameras), nobody)
    published = {one.child_frame_id for one in fitted_to_message(types(), found, settings).transforms}
    texts = definition_texts(session.keypoint_set, rig, session.subject, settings)
    with BagWriter(tmp_path / "bag") as writer:
        write_definitions(writer, texts, START_NS)
    with open_bag(tmp_path / "bag") as bag:
        assert published == {"left/cam0_optical_fitted", "left/cam1_optical_fitted"} <= frames_of_ours(bag)


def test_a_robot_of_the_lab_is_not_taken_for_the_person(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.write_text("/robot_description", '<robot name="arm"><link name="gripper"/></robot>', START_NS)
    with open_bag(tmp_path / "bag") as bag:
        assert not frames_of_ours(bag)


def test_a_replay_without_ros_keeps_frames_of_others_too(session, tmp_path):
    bag = recorded(session, tmp_path / "bag")
    with BagWriter(tmp_path / "out") as writer:
        copy_input(writer, bag)
    with open_bag(tmp_path / "out") as reader:
        assert "/definitions/subject" not in reader.topics and reader.count("/cam0/keypoints") == 15
        (transforms,) = [message.transforms for _, message, _ in reader.messages({"/tf"})]
    assert [one.child_frame_id for one in transforms] == ["gripper"]


def test_a_refit_of_another_body_keeps_frames_of_others_too(session, tmp_path):
    bag = read_session(recorded(session, tmp_path / "bag"))
    for with_results, expected in (
        (False, ["gripper"]),
        (True, ["pelvis", "femur_r", "cam0_optical_fitted", "gripper"]),
    ):
        with BagWriter(tmp_path / f"out_{with_results}") as writer:
            _copy_input(writer, bag, with_results)
        with open_bag(tmp_path / f"out_{with_results}") as reader:
            (transforms,) = [message.transforms for _, message, _ in reader.messages({"/tf"})]
        assert [one.child_frame_id for one in transforms] == expected
