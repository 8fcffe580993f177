"""keypoint_player, rig_simulator: what goes in comes out."""

import struct

import numpy as np
import pytest
from lab import KEYPOINT_SET, PATIENCE_S, Lab, walking_session
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rosgraph_msgs.msg import Clock
from small_session import WAIT, recorded, small_session, stamps_ns

from markerless_biomech.errors import InputError
from markerless_biomech.nodes import quality
from markerless_biomech.nodes.header_stamp import shifted_stamp, stamp_of
from markerless_biomech.nodes.processes import Processes
from markerless_biomech.nodes.ros_types import TYPES
from markerless_biomech.nodes.timetable import Timetable
from markerless_biomech.recording.bags import BagWriter, open_bag, types
from markerless_biomech.recording.message_types import stamp_from_message
from markerless_biomech.recording.messages import transforms_to_message

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return small_session(tmp_path_factory.mktemp("bags"))


@pytest.fixture
def lab():
    with Lab(walking_session()) as lab:
        yield lab


def test_a_played_bag_arrives_whole_with_all_stamps_moved_by_one_constant(lab, bag, tmp_path):
    for camera in ("cam0", "cam1"):
        lab.listen("Keypoints2D", f"{camera}/keypoints")
    lab.listen("CameraInfo", "cam1/camera_info", quality.LATCHED)
    lab.listen("BodyState", "truth/body_state")
    with Processes(tmp_path) as processes:
        processes.start("keypoint_player", {"bag": str(bag), **WAIT})
        lab.wait_for(lambda: not processes.running("keypoint_player"), "the end of the bag")
        processes.check()
    original = recorded(bag, "/cam0/keypoints")
    lab.wait_for(lambda: len(lab.heard["cam0/keypoints"]) == len(original), "all keypoints")
    played = lab.heard["cam0/keypoints"]
    assert len(set(stamps_ns(played) - stamps_ns(original))) == 1
    assert all(np.array_equal(a.points, b.points) for a, b in zip(played, original, strict=True))
    assert len(lab.heard["cam1/keypoints"]) == len(lab.heard["truth/body_state"]) == 30
    assert lab.heard["cam1/camera_info"][0].k[0] > 0


def test_a_loop_goes_on_in_time(lab, bag, tmp_path):
    lab.listen("Keypoints2D", "cam0/keypoints")
    with Processes(tmp_path) as processes:
        processes.start("keypoint_player", {"bag": str(bag), "loop": True, "rate": 10.0, **WAIT})
        lab.listen("Keypoints2D", "cam1/keypoints")
        lab.wait_for(lambda: len(lab.heard["cam0/keypoints"]) > 70, "the third round")
    assert (np.diff(stamps_ns(lab.heard["cam0/keypoints"])) > 0).all()


def test_the_simulator_shows_each_frame_of_each_camera_and_the_truth(lab, tmp_path):
    for camera in ("cam0", "cam1", "cam2"):
        lab.listen("Keypoints2D", f"{camera}/keypoints")
    lab.listen("BodyState", "truth/body_state")
    lab.listen("StepEvent", "truth/step_events")
    lab.listen("String", "truth/definitions/subject", quality.LATCHED)
    parameters = {"cameras": 3, "fps": 25.0, "seconds": 2.0, "passes": 1, "keypoint_set": KEYPOINT_SET, **WAIT}
    with Processes(tmp_path) as processes:
        processes.start("rig_simulator", parameters)
        lab.wait_for(lambda: not processes.running("rig_simulator"), "the end of the walk")
        processes.check()
    lab.wait_for(lambda: len(lab.heard["cam2/keypoints"]) == 50, "all frames")
    assert {len(lab.heard[topic]) for topic in ("cam0/keypoints", "cam1/keypoints", "truth/body_state")} == {50}
    assert lab.heard["truth/step_events"] and "simulated" in lab.heard["truth/definitions/subject"][0].data


def set_faults(lab, faults):
    """The answer of the running simulator."""
    client = AsyncParameterClient(lab.node, "rig_simulator")
    lab.wait_for(client.services_are_ready, "the simulator's services")
    answer = client.set_parameters([Parameter("faults", Parameter.Type.STRING_ARRAY, faults)])
    lab.wait_for(answer.done, "the answer")
    return answer.result().results[0]


def test_faults_are_switched_on_and_off_while_the_simulator_runs(lab, tmp_path):
    for camera in ("cam0", "cam1"):
        lab.listen("Keypoints2D", f"{camera}/keypoints")
    parameters = {"cameras": 3, "fps": 25.0, "seconds": 2.0, "keypoint_set": KEYPOINT_SET, "path": "treadmill"}
    with Processes(tmp_path) as processes:
        processes.start("rig_simulator", parameters)
        lab.wait_for_new("cam1/keypoints")
        assert set_faults(lab, ["camera-stop:cam1"]).successful
        lab.wait_for_new("cam0/keypoints", count=10)
        before = len(lab.heard["cam1/keypoints"])
        lab.wait_for_new("cam0/keypoints", count=10)
        assert len(lab.heard["cam1/keypoints"]) == before
        assert set_faults(lab, [""]).successful
        lab.wait_for_new("cam1/keypoints", count=10)
        refusal = set_faults(lab, ["camera-stop:cam7"])
        assert not refusal.successful and "there is no camera 'cam7' among cam0, cam1, cam2" in refusal.reason
        processes.check()


def test_a_missing_bag_ends_the_player_with_one_sentence(tmp_path):
    with Processes(tmp_path) as processes:
        processes.start("keypoint_player", {"bag": str(tmp_path / "none")})
        assert processes.wait("keypoint_player", PATIENCE_S)
        assert processes.last_words("keypoint_player").startswith(f"error: {tmp_path / 'none'}: no such bag")


def test_moving_a_stamp_changes_nothing_else():
    data = b"\x00\x01\x00\x00" + struct.pack("<iI", 5, 999_999_999) + b"rest"
    assert shifted_stamp(data, 2) == b"\x00\x01\x00\x00" + struct.pack("<iI", 6, 1) + b"rest"


@pytest.mark.parametrize("length", range(12))
def test_a_message_too_short_for_a_header_is_named(length):
    with pytest.raises(InputError, match=f"has {length} bytes, too few for a header"):
        stamp_of((b"\x00\x01" + bytes(10))[:length])


def test_what_ends_a_timetable_is_told_even_without_words():
    told = []
    table = Timetable(raising(AssertionError()), told.append)
    table.start()
    table.stop()
    assert told == ["AssertionError"]


def raising(error):
    raise error
    yield


def test_each_camera_pose_of_one_moment_is_played(lab, bag, tmp_path):
    """With use_sim_time all drivers speak at the same time of arrival, before /clock goes on."""
    path, unit = tmp_path / "poses", np.array([[0.0, 0.0, 0.0, 1.0]])
    with open_bag(bag) as reader, BagWriter(path) as writer:
        for connection, time_ns, data in reader.raw_messages(lambda topic: topic.endswith("/keypoints")):
            writer.write_raw(connection.topic, connection.msgtype, data, time_ns, like=connection)
        for child in ("cam0_optical", "cam1_optical", "cam2_optical"):
            pose = transforms_to_message(types(), 0, ["world"], [child], np.zeros((1, 3)), unit)
            writer.write("/tf_static", pose, time_ns)
    lab.listen("TFMessage", "/tf_static", quality.STATIC_TRANSFORMS)
    for camera in ("cam0", "cam1"):
        lab.listen("Keypoints2D", f"{camera}/keypoints")
    played(lab, path, tmp_path)
    heard = [one.child_frame_id for message in lab.heard["/tf_static"] for one in message.transforms]
    assert heard == ["cam0_optical", "cam1_optical", "cam2_optical"]


def test_a_message_without_a_stamp_that_can_be_moved_is_left_out(lab, bag, tmp_path):
    path = tmp_path / "foreign"
    with open_bag(bag) as reader, BagWriter(path) as writer:
        for connection, time_ns, data in reader.raw_messages():
            writer.write_raw(connection.topic, connection.msgtype, data, time_ns, like=connection)
            if connection.topic == "/cam0/keypoints":
                writer.write_raw("/cam1/keypoints", connection.msgtype, b"\0\0\0\0" + bytes(40), time_ns)
    lab.listen("Keypoints2D", "cam1/keypoints")
    lab.listen("Keypoints2D", "cam0/keypoints")
    with Processes(tmp_path) as processes:
        processes.start("keypoint_player", {"bag": str(path), **WAIT})
        lab.wait_for(lambda: not processes.running("keypoint_player"), "the end of the bag")
        processes.check()
        said = (tmp_path / "keypoint_player.log").read_text()
    lab.wait_for(lambda: len(lab.heard["cam1/keypoints"]) == 30, "all keypoints that are good")
    assert said.count("messages of /cam1/keypoints are left out: the message is big-endian") == 1


def test_a_loop_over_nothing_ends(tmp_path):
    with BagWriter(tmp_path / "log") as writer:
        writer.write_text("/rosout", "of no type that is played", 1)
    with Processes(tmp_path) as processes:
        processes.start("keypoint_player", {"bag": str(tmp_path / "log"), "mode": "show", "loop": True})
        assert processes.wait("keypoint_player", 30.0)


@pytest.fixture(scope="module")
def result_bag(bag, tmp_path_factory):
    """The same session with a result, a definition and a robot's frame beside the person's."""
    path = tmp_path_factory.mktemp("bags") / "result"
    with open_bag(bag) as reader, BagWriter(path) as writer:
        for connection, time_ns, data in reader.raw_messages():
            writer.write_raw(connection.topic, connection.msgtype, data, time_ns, like=connection)
            if connection.topic == "/truth/body_state":
                writer.write_raw("/body_state", connection.msgtype, data, time_ns, like=connection)
            if connection.topic == "/truth/definitions/subject":
                writer.write_raw("/definitions/subject", connection.msgtype, data, time_ns, like=connection)
                writer.write_text("/robot_description", '<robot name="person"><link name="pelvis"/></robot>', time_ns)
                writer.write_text("/definitions/model", "base_model: person", time_ns)
                unit = np.tile([0.0, 0.0, 0.0, 1.0], (2, 1))
                frames = transforms_to_message(types(), 0, ["world"] * 2, ["pelvis", "gripper"], np.zeros((2, 3)), unit)
                writer.write("/tf", frames, time_ns)
    return path


def listen_to_all(lab, *prefixes):
    """Keypoints, /clock and /tf; BodyState and definitions under each prefix."""
    lab.node.create_subscription(Clock, "/clock", lab.heard["/clock"].append, quality.EVERY_RESULT)
    lab.listen("TFMessage", "/tf")
    for camera in ("cam0", "cam1"):
        lab.listen("Keypoints2D", f"{camera}/keypoints", quality.EVERY_KEYPOINT)
    for prefix in prefixes:
        lab.listen("BodyState", f"{prefix}body_state")
        lab.listen("String", f"{prefix}definitions/subject", quality.LATCHED)


def played(lab, bag, tmp_path, **parameters):
    """Play to the end; returns what the lab heard of cam0 and what had been recorded."""
    with Processes(tmp_path) as processes:
        processes.start("keypoint_player", {"bag": str(bag), "settle_s": 0.0, **WAIT, **parameters})
        lab.wait_for(lambda: not processes.running("keypoint_player"), "the end of the bag")
        processes.check()
    original = recorded(bag, "/cam0/keypoints")
    lab.wait_for(lambda: len(lab.heard["cam0/keypoints"]) == len(original), "all keypoints")
    return lab.heard["cam0/keypoints"], original


def test_an_estimator_is_shown_what_was_recorded_at_its_time_and_results_apart(lab, result_bag, tmp_path):
    listen_to_all(lab, "", "recorded/")
    heard, original = played(lab, result_bag, tmp_path, mode="refit", recorded_results=True)
    assert np.array_equal(stamps_ns(heard), stamps_ns(original))
    assert not lab.heard["body_state"] and len(lab.heard["recorded/body_state"]) == 30
    # nobody else defines a subject here
    assert len(lab.heard["definitions/subject"]) == len(lab.heard["recorded/definitions/subject"]) == 1
    assert [[one.child_frame_id for one in message.transforms] for message in lab.heard["/tf"]] == [["gripper"]]
    clock_ns = np.array([stamp_from_message(message.clock) for message in lab.heard["/clock"]])
    assert (np.diff(clock_ns) >= 0).all() and clock_ns[-1] - clock_ns[0] >= 0.9e9
    assert abs(clock_ns[0] - stamps_ns(original)[0]) < 1e9


def test_a_bag_is_shown_as_it_was_again_and_again(lab, result_bag, tmp_path):
    listen_to_all(lab, "", "recorded/")
    original = recorded(result_bag, "/cam0/keypoints")
    with Processes(tmp_path) as processes:
        processes.start("keypoint_player", {"bag": str(result_bag), "mode": "show", "loop": True, "rate": 3.0})
        lab.wait_for(lambda: len(lab.heard["body_state"]) > 70, "the third round")
        processes.check()
    heard_ns = stamps_ns(lab.heard["cam0/keypoints"])
    assert set(heard_ns) == set(stamps_ns(original)) and (np.diff(heard_ns) < 0).any()
    assert not lab.heard["recorded/body_state"] and lab.heard["definitions/subject"]
    assert {tuple(one.child_frame_id for one in message.transforms) for message in lab.heard["/tf"]} == {
        ("pelvis", "gripper")
    }


def test_a_player_leaves_to_an_estimator_what_it_defines_itself(lab, result_bag, tmp_path):
    listen_to_all(lab, "")
    lab.node.create_publisher(TYPES.String, "definitions/subject", quality.LATCHED)
    played(lab, result_bag, tmp_path, mode="refit", rate=10.0)
    assert not lab.heard["definitions/subject"]
