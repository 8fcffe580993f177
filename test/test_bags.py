"""Bags without ROS: what was written comes back, types are those of live topics, damage is said in one sentence."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from markerless_biomech.cameras.rig import Camera, Rig
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import KeypointFrame, KeypointSet
from markerless_biomech.recording import bags
from markerless_biomech.recording.recorded_session import read_session, relative_name
from markerless_biomech.recording.session_bag import write_cameras, write_frame, write_inputs

KEYPOINTS = KeypointSet("mine", ("a", "b"), ("head", "pelvis"), np.ones((2, 3)), np.arange(2), np.ones(2))


def a_rig(names=("left", "right")) -> Rig:
    k = np.array([[1000.0, 0, 320], [0, 1000, 240], [0, 0, 1]])
    turn = np.array([0.5, -0.5, 0.5, -0.5])
    return Rig(
        {
            name: Camera(name, 640, 480, "plumb_bob", k, np.zeros(5), np.array([i, 2.0, 3.0]), turn, f"{name}_optical")
            for i, name in enumerate(names)
        }
    )


def some_frames(count: int = 5) -> list[KeypointFrame]:
    rng = np.random.default_rng(0)
    return [
        KeypointFrame(
            name, 10**9 + i * 10**7, 10**9 + i * 10**7 + 5 * (name == "right"), points, (), i, False, (640, 480)
        )
        for i in range(count)
        for name in ("left", "right")
        for points in [rng.uniform(0, 400, (i % 3, 2, 3)).astype(np.float32)]
    ]


@pytest.fixture
def bag(tmp_path) -> Path:
    return write_inputs(tmp_path / "bag", KEYPOINTS, a_rig(), some_frames())


def offered(bag: Path) -> dict[str, dict]:
    """First offered QoS profile by topic."""
    topics = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"][
        "topics_with_message_count"
    ]
    return {entry["topic_metadata"]["name"]: entry["topic_metadata"]["offered_qos_profiles"][0] for entry in topics}


def test_a_session_survives_its_bag(bag):
    session = read_session(bag)
    assert session.refused == {}
    assert session.keypoint_set.to_dict() == KEYPOINTS.to_dict()
    assert list(session.rig.cameras) == ["left", "right"] == list(session.cameras)
    assert np.array_equal(session.rig.cameras["right"].position_m, [1, 2, 3])
    assert len(session.frames) == 10
    for written, read in zip(some_frames(), session.frames, strict=True):
        assert np.array_equal(written.points, read.points)
        assert dataclasses.replace(read, points=written.points).__dict__ == written.__dict__


def test_a_bag_is_a_folder_with_metadata_and_one_mcap(bag):
    assert sorted(path.suffix for path in bag.iterdir()) == [".mcap", ".yaml"]
    assert [path.name for path in bag.parent.iterdir()] == ["bag"], "no temporary folder is left"


def test_latched_topics_are_offered_transient_local_and_keypoints_best_effort(bag):
    qos = offered(bag)
    # several nodes may say static transforms, and a player is one node
    for topic, depth in (("/tf_static", 100), ("/left/camera_info", 1), ("/definitions/keypoint_set", 1)):
        assert (qos[topic]["durability"], qos[topic]["depth"]) == ("transient_local", depth), topic
    assert (qos["/left/keypoints"]["reliability"], qos["/left/keypoints"]["depth"]) == ("best_effort", 5)


def test_type_hashes_are_those_that_ros_built():
    """rosidl writes each type's hash beside the installed message."""
    import sys

    from markerless_biomech.recording.bags import PACKAGE, message_directory, typestore

    installed = Path(sys.prefix) / "share" / PACKAGE / "msg"
    described = sorted(installed.glob("*.json"))
    if not described:
        pytest.skip("the messages are not built in this environment")
    assert {path.stem for path in described} == {path.stem for path in message_directory().glob("*.msg")}
    for path in described:
        hashes = {entry["type_name"]: entry["hash_string"] for entry in json.loads(path.read_text())["type_hashes"]}
        name = f"{PACKAGE}/msg/{path.stem}"
        assert typestore().hash_rihs01(name) == hashes[name], path.stem


def test_tf_has_the_type_hash_of_upstream():
    # As `ros2 topic info -v /tf` says on Jazzy.
    expected = "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"
    assert bags.typestore().hash_rihs01("tf2_msgs/msg/TFMessage") == expected


def test_an_existing_bag_is_replaced_only_by_force(bag):
    with pytest.raises(InputError, match="--force"):
        write_inputs(bag, KEYPOINTS, a_rig(), some_frames())
    write_inputs(bag, KEYPOINTS, a_rig(), some_frames(2), force=True)
    assert len(read_session(bag).frames) == 4


def test_force_does_not_replace_a_folder_that_is_no_bag(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(InputError, match="not a bag"):
        write_inputs(tmp_path / "thesis", KEYPOINTS, a_rig(), some_frames(), force=True)
    assert (tmp_path / "thesis" / "chapter1.txt").exists()


def test_a_failed_write_leaves_nothing_behind_and_keeps_the_old_bag(bag):
    def frames():
        yield some_frames()[0]
        raise OSError("No space left on device")

    with pytest.raises(OSError):
        write_inputs(bag, KEYPOINTS, a_rig(), frames(), force=True)
    assert [path.name for path in bag.parent.iterdir()] == ["bag"]
    assert len(read_session(bag).frames) == 10


def test_a_folder_that_is_no_bag_is_named(tmp_path):
    with pytest.raises(InputError, match="not a bag"):
        read_session(tmp_path)
    with pytest.raises(InputError, match="no such bag"):
        read_session(tmp_path / "nothing")


def test_a_bags_file_says_what_to_give_instead(bag):
    (mcap,) = bag.glob("*.mcap")
    with pytest.raises(InputError, match="not a bag but a bag's file; give its folder"):
        read_session(mcap)


def partial_bag(path: Path, rig: Rig | None, cameras=("left", "right")) -> Path:
    """Keypoints of both cameras, CameraInfo and poses of `rig` alone, no definitions."""
    with bags.BagWriter(path) as writer:
        if rig is not None:
            write_cameras(writer, rig, 1)
        for frame in some_frames():
            if frame.camera in cameras:
                write_frame(writer, frame, dataclasses.replace(KEYPOINTS, name="coco_17"), a_rig())
    return path


def test_a_bag_without_keypoints_says_what_it_expected(tmp_path):
    with pytest.raises(InputError, match="no keypoints; expected topics <camera>/keypoints"):
        read_session(partial_bag(tmp_path / "bag", a_rig(), cameras=()))


def test_a_camera_without_camera_info_is_named(tmp_path):
    with pytest.raises(InputError, match="no camera_info for camera right"):
        read_session(partial_bag(tmp_path / "bag", a_rig(("left",))))


def test_messages_that_cannot_be_used_are_counted_by_reason(tmp_path):
    """Two keypoints under the name of a set with 17: of five frames a camera, the two without people are still good."""
    session = read_session(partial_bag(tmp_path / "bag", a_rig()))
    assert len(session.frames) == 4
    assert sum(session.refused.values()) == 6
    assert "camera left: 6 numbers in points, expected a multiple of 51" in next(iter(session.refused))


def test_an_unknown_keypoint_set_asks_for_its_file(tmp_path):
    with bags.BagWriter(tmp_path / "bag") as writer:
        write_cameras(writer, a_rig(), 1)
        for frame in some_frames():
            write_frame(writer, frame, KEYPOINTS, a_rig())
    with pytest.raises(InputError, match="--keypoint-set"):
        read_session(tmp_path / "bag")
    assert len(read_session(tmp_path / "bag", KEYPOINTS).frames) == 10


def test_a_bag_of_another_message_version_is_refused(bag, monkeypatch):
    store = bags.typestore()
    monkeypatch.setattr(store, "hash_rihs01", lambda kind: "RIHS01_another")
    with pytest.raises(InputError, match="another version of markerless_biomech/msg/Keypoints2D"):
        read_session(bag)


def test_message_definitions_are_found_in_an_install(tmp_path, monkeypatch):
    """As colcon and pip lay it out: <prefix>/lib/python3.12/site-packages and <prefix>/share."""
    package = tmp_path / "lib" / "python3.12" / "site-packages" / "markerless_biomech"
    shared = tmp_path / "share" / "markerless_biomech" / "msg"
    package.mkdir(parents=True)
    shutil.copytree(bags.message_directory(), shared)
    monkeypatch.setattr("markerless_biomech.__path__", [str(package)])
    assert bags.message_directory() == shared


@pytest.mark.parametrize(
    ("topic", "name"),
    [("/body_state", "body_state"), ("/lab/truth/body_state", "truth/body_state"), ("/cam0/keypoints", "keypoints"),
     ("/a/truth/definitions/subject", "truth/definitions/subject")],
)  # fmt: skip
def test_topics_are_known_without_their_namespace(topic, name):
    assert relative_name(topic) == name
