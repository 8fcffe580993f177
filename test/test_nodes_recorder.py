"""recorder: everything once, whatever publishers and signals do."""

import os
import signal
import time

import pytest
from lab import KEYPOINT_SET, Lab, walking_session
from rclpy.parameter import Parameter
from small_session import WAIT, recorded, small_session, stamps_ns

from markerless_biomech.nodes import quality
from markerless_biomech.nodes.processes import Processes
from markerless_biomech.nodes.recorder import Recorder, wishes
from markerless_biomech.nodes.ros_types import TYPES
from markerless_biomech.recording.bags import BagWriter, open_bag
from markerless_biomech.recording.recorded_session import read_session

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return small_session(tmp_path_factory.mktemp("bags"))


@pytest.fixture
def lab():
    with Lab(walking_session()) as lab:
        yield lab


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


def test_a_recorder_asks_so_that_every_publisher_is_heard_with_what_it_has_latched():
    assert wishes([quality.RESULTS]) == {(False, True)}
    assert wishes([quality.LATCHED]) == {(True, True)}
    assert wishes([quality.RESULTS, quality.NEWEST]) == {(False, False)}
    assert wishes([quality.LATCHED, quality.RESULTS]) == {(True, True), (False, True)}


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_recorder_that_is_told_to_stop_leaves_a_whole_bag(lab, tmp_path, caplog, number):
    lab.publish_cameras()
    lab.start_walking()
    with Processes(tmp_path) as processes:
        parameters = {"folder": str(tmp_path), "subject": "P07", "trial": "walk", "keypoint_set": KEYPOINT_SET}
        processes.start("recorder", parameters)
        lab.wait_for(lambda: list((tmp_path / "P07").glob("walk_*/*.mcap")), "the bag")
        lab.wait_for(lambda: lab.node.count_subscribers("/cam2/keypoints") == 1, "the recorder")
        (bag,) = (tmp_path / "P07").iterdir()
        (file,) = bag.glob("*.mcap")
        size = file.stat().st_size
        lab.wait_for(lambda: file.stat().st_size > size, "the recorder's next visit to the disk")

        def ended():
            """As long as it runs it is told again: nobody's impatience may damage the bag."""
            if processes.running("recorder"):
                os.kill(processes.pid("recorder"), getattr(signal, number))
            return not processes.running("recorder")

        lab.wait_for(ended, "the end of the recorder")
        processes.check()
    assert (bag / "metadata.yaml").is_file()
    session = read_session(bag)
    assert session.cameras == ("cam0", "cam1", "cam2") and not caplog.records


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


def test_two_rigs_give_two_bags_that_are_each_whole(bag, tmp_path):
    """The same cameras' names in both namespaces, a recorder in each."""
    sides = ("left", "right")
    with Lab(walking_session()) as lab, Processes(tmp_path) as processes:
        for side in sides:
            processes.start("recorder", {"bag": str(tmp_path / side)}, f"recorder_{side}", side)
        for side in sides:
            lab.listen("Keypoints2D", f"{side}/cam0/keypoints")
            lab.listen("Keypoints2D", f"{side}/cam1/keypoints")
        for side in sides:
            processes.start("keypoint_player", {"bag": str(bag), "start_delay_s": 3.0, **WAIT}, side, side)
        lab.wait_for(lambda: not any(map(processes.running, sides)), "the end of both")
        for side in sides:
            processes.stop(f"recorder_{side}")
        processes.check()
    for side in sides:
        session = read_session(tmp_path / side)
        assert session.cameras == ("cam0", "cam1") and len(session.frames) == 60
        with open_bag(tmp_path / side) as reader:
            ours = {topic for topic in reader.topics if topic not in ("/tf", "/tf_static")}
        assert all(topic.startswith((f"/{side}/", "/definitions/")) for topic in ours), ours


@pytest.fixture
def recorder(tmp_path, lab):
    """In this process; it is spun from `lab.add` on."""
    parameters = [Parameter("bag", value=str(tmp_path / "recorded"))]
    recorder = Recorder(context=lab.context, parameter_overrides=parameters)
    yield recorder
    if recorder not in lab.node.executor.get_nodes():
        recorder.destroy_node()


def pulse(second):
    return TYPES.Header(stamp=TYPES.Time(sec=second), frame_id="line")


def look(lab, recorder, topic, publishers):
    """Look when so many publishers are known, and wait until they have found each other."""
    lab.wait_for(lambda: recorder.count_publishers(topic) == publishers, "the publishers")
    recorder._look()
    held = recorder._subscriptions_by_topic[topic].values()
    lab.wait_for(lambda: all(one.get_publisher_count() for one in held), "the subscriptions")


def pulses_of(bag, topic="/sync_pulse"):
    return [message.stamp.sec for message in recorded(bag, topic)]


def test_a_topic_that_is_latched_by_one_and_not_by_another_is_recorded_once(lab, recorder, tmp_path):
    """The volatile subscription hears both."""
    latched = lab.node.create_publisher(TYPES.Header, "/sync_pulse", quality.LATCHED)
    volatile = lab.node.create_publisher(TYPES.Header, "/sync_pulse", quality.RESULTS)
    look(lab, recorder, "/sync_pulse", 2)
    lab.wait_for(lambda: latched.get_subscription_count() == 2 and volatile.get_subscription_count() == 1, "both")
    lab.add(recorder)
    for publisher, second in ((latched, 1), (volatile, 2), (volatile, 2), (latched, 3)):
        publisher.publish(pulse(second))
    lab.wait_for(lambda: recorder._bag.count == 4, "all pulses")
    time.sleep(0.3)  # a copy would come now
    recorder.close()
    assert sorted(pulses_of(tmp_path / "recorded")) == [1, 2, 2, 3]


def test_what_waits_in_a_subscription_that_is_replaced_is_recorded(lab, recorder, tmp_path):
    reliable = lab.node.create_publisher(TYPES.Header, "/sync_pulse", quality.EVERY_RESULT)
    look(lab, recorder, "/sync_pulse", 1)
    lab.wait_for(lambda: reliable.get_subscription_count() == 1, "the recorder")
    for second in range(50):
        reliable.publish(pulse(second))
    assert reliable.wait_for_all_acked()
    lab.node.create_publisher(TYPES.Header, "/sync_pulse", quality.NEWEST)
    look(lab, recorder, "/sync_pulse", 2)
    recorder._look()
    recorder.close()
    assert pulses_of(tmp_path / "recorded") == list(range(50))


def test_a_topic_that_changes_its_type_ends_no_recording(lab, recorder, tmp_path):
    first = lab.node.create_publisher(TYPES.Header, "/sync_pulse", quality.RESULTS)
    look(lab, recorder, "/sync_pulse", 1)
    with Lab(walking_session()) as other:  # a participant has one type for a topic
        other.node.create_publisher(TYPES.String, "/sync_pulse", quality.LATCHED)
        lab.wait_for(lambda: recorder.count_publishers("/sync_pulse") == 2, "the second type")
        recorder._look()
        assert recorder._retyped == {"/sync_pulse"}
        lab.node.destroy_publisher(first)
        lab.wait_for(lambda: recorder.count_publishers("/sync_pulse") == 1, "the second type alone")
        recorder._look()
        lab.add(recorder)
        third = lab.node.create_publisher(TYPES.Header, "/other/sync_pulse", quality.RESULTS)
        lab.wait_for(lambda: third.get_subscription_count() == 1, "the recorder, which still looks")
        third.publish(pulse(7))
        lab.wait_for(lambda: recorder._bag.count == 1, "a pulse")
    recorder.close()
    assert pulses_of(tmp_path / "recorded", "/other/sync_pulse") == [7]


def test_a_full_disk_at_the_end_is_an_error_and_no_crash(recorder, monkeypatch):
    def full(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BagWriter, "close", full)
    recorder._bag.write("/trial", "std_msgs/msg/String", b"\0\1\0\0\1\0\0\0\0", 1)
    recorder.close()
    assert not recorder._bag.is_open
