"""keypoint_player, recorder, rig_simulator: what goes in comes out."""

import os
import signal
import struct

import numpy as np
import pytest
from lab import KEYPOINT_SET, PATIENCE_S, Lab, walking_session
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient

from markerless_biomech.nodes import quality
from markerless_biomech.nodes.keypoint_player import shifted_stamp
from markerless_biomech.nodes.processes import Processes
from markerless_biomech.recording.bags import open_bag
from markerless_biomech.recording.message_types import stamp_from_message
from markerless_biomech.recording.simulated_bag import write_simulation
from markerless_biomech.settings import SimulationSettings

pytestmark = pytest.mark.ros
SETTINGS = SimulationSettings(cameras=2, fps=30.0, seconds=1.0, keypoint_set=KEYPOINT_SET, path="stand")
WAIT = {"wait_for_subscribers_s": PATIENCE_S}


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """A simulated session of 2 cameras and 30 frames."""
    path = tmp_path_factory.mktemp("bags") / "session"
    write_simulation(SETTINGS, path)
    return path


@pytest.fixture
def lab():
    with Lab(walking_session()) as lab:
        yield lab


def stamps_ns(messages):
    return np.array([stamp_from_message(message.header.stamp) for message in messages])


def recorded(bag, topic):
    with open_bag(bag) as reader:
        return [message for _, message, _ in reader.messages({topic})]


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


def test_the_recorder_keeps_every_message_and_latched_ones(bag, tmp_path):
    out = tmp_path / "copy"
    topics = ["/cam0/keypoints", "/cam1/keypoints", "/cam0/camera_info", "/tf_static"]
    with Lab(walking_session()) as lab, Processes(tmp_path) as processes:
        processes.start("recorder", {"bag": str(out), "topics": topics})
        lab.wait_for(lambda: lab.node.count_subscribers("/cam1/keypoints") == 1, "the recorder")
        for camera in ("cam0", "cam1"):
            lab.listen("Keypoints2D", f"{camera}/keypoints")
        processes.start("keypoint_player", {"bag": str(bag), **WAIT})
        lab.wait_for(lambda: not processes.running("keypoint_player"), "the end of the bag")
        lab.wait_for(lambda: len(lab.heard["cam1/keypoints"]) == 30, "all keypoints")
        processes.stop("recorder")
        processes.check()
    for topic in topics:
        assert len(recorded(out, topic)) == len(recorded(bag, topic)), topic


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


def test_a_killed_recorder_leaves_a_bag_that_is_readable_up_to_its_last_flush(lab, tmp_path):
    out = tmp_path / "recorded"
    with Processes(tmp_path) as processes:
        processes.start("recorder", {"bag": str(out)})
        processes.start("rig_simulator", {"cameras": 3, "fps": 25.0, "seconds": 2.0, "keypoint_set": KEYPOINT_SET})
        lab.listen("Keypoints2D", "cam1/keypoints")
        lab.wait_for_new("cam1/keypoints", count=100)
        heard, file = stamps_ns(lab.heard["cam1/keypoints"]), out / "recorded.mcap"
        size = file.stat().st_size
        lab.wait_for(lambda: file.stat().st_size > size, "the recorder's next visit to the disk")
        os.kill(processes.pid("recorder"), signal.SIGKILL)
        lab.wait_for(lambda: not processes.running("recorder"), "the end of the recorder")
        processes.stop("rig_simulator")
    read = stamps_ns(recorded(out, "/cam1/keypoints"))
    assert set(heard[-50:-10]) <= set(read)
