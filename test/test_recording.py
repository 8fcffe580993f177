"""What a recorder takes, where it puts it, and what can be taken out of it again: without ROS."""

import time
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
import yaml
from made_recording import STRING, TOPICS, cdr, recorded

from markerless_biomech.cameras.rig import Rig, rig_text
from markerless_biomech.errors import InputError
from markerless_biomech.recording.bag_names import bag_path
from markerless_biomech.recording.bags import BagWriter, open_bag, types, typestore
from markerless_biomech.recording.foreign_types import learn_type
from markerless_biomech.recording.live_bag import LiveBag, about_recording, given_definitions, missing_for_refit
from markerless_biomech.recording.message_types import header_to_message
from markerless_biomech.recording.messages import camera_to_message, keypoint_frame_to_message
from markerless_biomech.recording.plain_definitions import keypoint_set_text
from markerless_biomech.recording.recorded_session import keypoint_topics, read_rig, read_session
from markerless_biomech.recording.rig_recording import read_rig_recording
from markerless_biomech.recording.session_bag import write_cameras, write_frame
from markerless_biomech.recording.topic_roles import is_latched, is_recorded, offered_qos
from markerless_biomech.recording.unpacking import rig_namespace, unpack
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.virtual_rig import START_NS, simulate

NOW = datetime(2026, 1, 31, 14, 5, 9)


@pytest.fixture(scope="module")
def session():
    return simulate(SimulationSettings(cameras=2, fps=30.0, seconds=0.5, keypoint_set="coco_17", path="stand"))


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_bag_lies_with_its_subject_and_begins_with_its_trial(tmp_path):
    assert bag_path(tmp_path, "P07", "walk_03", NOW) == tmp_path / "P07" / "walk_03_2026-01-31_14-05-09"
    assert bag_path(tmp_path, "", "", NOW) == tmp_path / "recording_2026-01-31_14-05-09"


def test_a_bag_never_takes_the_name_of_an_old_one(tmp_path):
    taken = []
    for _ in range(3):
        taken.append(bag_path(tmp_path, "P07", "walk", NOW))
        taken[-1].mkdir(parents=True)
    assert [path.name.removeprefix("walk_2026-01-31_14-05-09") for path in taken] == ["", "_2", "_3"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "walk 3: fast", "..", "\0", "Jürgen"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    path = bag_path(tmp_path, name, name, NOW)
    assert path.parent.parent == tmp_path and path.name.endswith("_14-05-09")


# --- what is recorded ------------------------------------------------------------------------------------------------


def test_a_recording_holds_the_capture_and_nothing_else_unless_it_is_asked_for():
    taken = {topic for topic, kind in TOPICS.items() if is_recorded(topic, kind, everything=False)}
    assert set(TOPICS) - taken == {"/emg", "/cam0/image_raw", "/rosout", "/clock"}
    everything = {topic for topic, kind in TOPICS.items() if is_recorded(topic, kind, everything=True)}
    assert set(TOPICS) - everything == {"/rosout", "/clock"}


def test_a_recorder_in_a_namespace_takes_its_rig_and_what_rigs_share():
    taken = {topic for topic, kind in TOPICS.items() if is_recorded(topic, kind, False, "/lab")}
    assert taken == {topic for topic in TOPICS if topic.startswith("/lab/")} | {
        "/tf",
        "/tf_static",
        "/trial",
        "/sync_pulse",
    }
    others = {topic for topic, kind in TOPICS.items() if is_recorded(topic, kind, True, "/right")}
    assert others == {"/tf", "/tf_static", "/trial", "/sync_pulse", "/emg", "/cam0/image_raw"}
    assert not is_recorded("/lab2/cam0/keypoints", TOPICS["/lab/cam0/keypoints"], True, "/lab")


def test_cameras_of_one_name_in_two_namespaces_keep_their_own_lenses_and_poses(session, tmp_path):
    """Once the last name's CameraInfo was everybody's."""
    with BagWriter(tmp_path / "bag") as writer:
        write_two_rigs(writer, session)
    with open_bag(tmp_path / "bag") as bag:
        rig = read_rig(bag, {}, tuple(keypoint_topics(bag)))
    assert [rig.cameras[f"{side}/cam0"].k[0, 0] for side in ("left", "right")] == [500.0, 600.0]
    assert [rig.cameras[f"{side}/cam0"].position_m[0] for side in ("left", "right")] == [1.0, 2.0]


def test_a_camera_without_camera_info_is_not_given_that_of_another_rig(session, tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        write_two_rigs(writer, session, infos=("right",))
    with open_bag(tmp_path / "bag") as bag, pytest.raises(InputError, match="no camera_info for camera left/cam0"):
        read_rig(bag, {}, tuple(keypoint_topics(bag)))


def test_a_bag_of_two_estimators_is_refused_with_what_to_do(session, tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        write_two_rigs(writer, session)
        for side in ("left", "right"):
            writer.write_text(f"/{side}/definitions/model", "base_model: person", START_NS)
    sentence = "holds 2 rigs, in the namespaces /left/, /right/; record each by itself, with a recorder in its"
    for read in (read_session, lambda bag: unpack(bag, tmp_path / "files")):
        with pytest.raises(InputError, match=sentence):
            read(tmp_path / "bag")


def write_two_rigs(writer, session, infos=("left", "right")):
    """cam0 of each, with its own focal length and place."""
    frame, camera = next(iter(session.frames(START_NS))), session.rig_nominal.cameras["cam0"]
    for number, side in enumerate(("left", "right"), start=1):
        k = np.array([[400.0 + 100 * number, 0, 320], [0, 400.0 + 100 * number, 240], [0, 0, 1]])
        one = replace(camera, name=f"{side}/cam0", k=k, position_m=np.array([number, 0.0, 0.0]), frame_id=f"{side}/c")
        rig = Rig({one.name: one})
        if side in infos:
            write_cameras(writer, rig, START_NS)
        write_frame(writer, replace(frame, camera=one.name), session.keypoint_set, rig)


@pytest.mark.parametrize(
    ("topic", "latched"),
    [("/tf_static", True), ("/lab/truth/fitted_cameras", True), ("/fitted_cameras", False), ("/tf", False)]
    + [("/a/definitions/rig", True), ("/a/cam0/camera_info", True), ("/trial", True), ("/sync_pulse", False)],
)
def test_what_is_latched_is_so_in_every_bag(topic, latched):
    (profile,) = offered_qos(topic)
    assert is_latched(topic) == (profile.durability.name == "TRANSIENT_LOCAL") == latched


def test_a_topic_that_has_our_name_but_another_type_is_not_ours():
    assert not is_recorded("/trial", "std_msgs/msg/Int32", everything=False)


def test_a_recording_without_an_estimator_can_be_refitted_from_itself(session, tmp_path):
    """Detectors and a recorder alone: the keypoint set that the messages name is put in, and who was recorded."""
    given = given_definitions(subject_file="", rig_file="")
    bag = LiveBag(tmp_path / "bag", about_recording("P07", "walk_03", NOW), given, None)
    for frame in session.frames(START_NS):
        message = keypoint_frame_to_message(types(), frame, "coco_17", f"{frame.camera}_optical")
        bag.write(f"/{frame.camera}/keypoints", message.__msgtype__, cdr(message), frame.arrival_ns)
    assert bag.missing() == ["/cam0/camera_info", "/cam1/camera_info", "the cameras' poses (/tf_static)"]
    bag.close()
    with open_bag(tmp_path / "bag") as reader:
        texts = {topic: yaml.safe_load(message.data) for topic, message, _ in reader.messages(lambda t: "def" in t)}
    assert texts["/definitions/keypoint_set"] == session.keypoint_set.to_dict()
    about = texts["/definitions/recording"]
    assert (about["subject"], about["trial"]) == ("P07", "walk_03") and about["versions"]["markerless_biomech"]


def test_a_message_that_is_none_ends_no_recording_and_spoils_no_bag(session, tmp_path):
    bag = LiveBag(tmp_path / "bag", {}, {"rig": rig_text(session.rig_nominal)}, None)
    kind, frames = "markerless_biomech/msg/Keypoints2D", list(session.frames(START_NS))
    bag.write("/cam0/keypoints", kind, b"garbage", START_NS)
    for frame in frames:
        message = keypoint_frame_to_message(types(), frame, "coco_17", f"{frame.camera}_optical")
        bag.write(f"/{frame.camera}/keypoints", kind, cdr(message), frame.arrival_ns)
    bag.write("/cam1/keypoints", kind, b"\0\1\0\0", frames[-1].arrival_ns)
    bag.close()
    assert not bag.missing()
    for read in (read_session(tmp_path / "bag"), read_rig_recording(tmp_path / "bag")):
        assert len(read.frames) == len(frames)
        assert read.refused == {
            f"/{name}/keypoints: bytes that are no {kind}; see what publishes them": 1 for name in ("cam0", "cam1")
        }


def test_a_bag_of_nothing_but_garbage_says_so(session, tmp_path):
    bag = LiveBag(tmp_path / "bag", {}, {"rig": rig_text(session.rig_nominal)}, None)
    bag.write("/cam0/keypoints", "markerless_biomech/msg/Keypoints2D", b"garbage", START_NS)
    bag.close()
    with pytest.raises(InputError, match="/cam0/keypoints: bytes that are no markerless_biomech/msg/Keypoints2D"):
        read_session(tmp_path / "bag")


def test_messages_before_the_clock_starts_are_recorded_when_it_does(tmp_path):
    bag = LiveBag(tmp_path / "bag", about_recording("", "", NOW), {}, None)
    data = cdr(types().String(data="early"))
    bag.write("/definitions/model", STRING, data, 0)
    assert bag.count == 0
    bag.write("/definitions/model", STRING, cdr(types().String(data="late")), 5_000_000_000)
    bag.close()
    with open_bag(tmp_path / "bag") as reader:
        found = [(message.data, time_ns) for _, message, time_ns in reader.messages({"/definitions/model"})]
    assert found == [("early", 5_000_000_000), ("late", 5_000_000_000)]


def test_messages_whose_clock_never_starts_are_recorded_when_they_came(tmp_path):
    bag, before_ns = LiveBag(tmp_path / "bag", about_recording("", "", NOW), {}, None), time.time_ns()
    for number in range(100):
        bag.write("/definitions/model", STRING, cdr(types().String(data=str(number))), 0)
    assert (bag.count, bag.waiting, bag.came) == (0, 100, 100)
    bag.close()
    assert (bag.count, bag.waiting, bag.unclocked) == (100, 0, 100)
    with open_bag(tmp_path / "bag") as reader:
        found = [(int(message.data), time_ns) for _, message, time_ns in reader.messages({"/definitions/model"})]
    times_ns = [time_ns for _, time_ns in found]
    assert [number for number, _ in found] == list(range(100))
    assert times_ns == sorted(times_ns) and before_ns <= times_ns[0] <= times_ns[-1] <= time.time_ns()


def test_a_labs_own_messages_are_recorded_by_their_installed_definitions(tmp_path, monkeypatch):
    folder = tmp_path / "share" / "lab_msgs" / "msg"
    folder.mkdir(parents=True)
    (folder / "Emg.msg").write_text("std_msgs/Header header\nSample[] samples  # one a channel\n")
    (folder / "Sample.msg").write_text("uint8 CHANNELS=8\nfloat64 volts\n")
    (folder / "Broken.msg").write_text("Missing[] parts\n")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path}")
    assert learn_type("lab_msgs/msg/Emg")
    assert not learn_type("lab_msgs/msg/Broken") and not learn_type("lab_msgs/msg/Nothing") and not learn_type("odd")
    classes = typestore().types
    sample = classes["lab_msgs/msg/Sample"](volts=0.5)
    emg = classes["lab_msgs/msg/Emg"](header=header_to_message(types(), START_NS, "leg"), samples=[sample])
    bag = LiveBag(tmp_path / "bag", {}, {}, None)
    bag.write("/emg", emg.__msgtype__, cdr(emg), START_NS)
    bag.close()
    with open_bag(tmp_path / "bag") as reader:
        ((_, read, _),) = reader.messages({"/emg"})
    assert read.samples[0].volts == 0.5 and read.header.frame_id == "leg"


def test_a_recording_of_nothing_leaves_nothing(tmp_path):
    LiveBag(tmp_path / "bag", {}, {}, None).close()
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"subject file .*anna.yaml does not exist"):
        given_definitions(str(tmp_path / "anna.yaml"), "")


def test_what_a_refit_will_miss_is_named():
    assert missing_for_refit(()) == ["keypoints (<camera>/keypoints)"]
    assert missing_for_refit(("/cam0/keypoints", "definitions/rig")) == ["the keypoint set's definition"]


# --- what an estimator is started with -------------------------------------------------------------------------------


def test_an_estimator_is_started_with_what_is_in_the_bag(session, tmp_path):
    bag = recorded(session, tmp_path / "bag", keypoint_set="gone/set.yaml", lag_s=0.2, subject_file="gone.yaml")
    found = unpack(bag, tmp_path / "files")
    parameters = yaml.safe_load(found.params_file.read_text())["/**"]["ros__parameters"]
    assert parameters["lag_s"] == 0.2 and parameters["replay_mode"] and parameters["cameras"] == ["cam0", "cam1"]
    assert parameters["keypoint_set"] == str(found.keypoint_set) and parameters["subject_file"] == str(found.subject)
    assert parameters["rig_file"] == "" and found.namespace == ""
    assert set(parameters) <= set(EstimatorSettings.__dataclass_fields__)


def test_a_rig_that_came_from_a_file_is_given_as_one_without_its_prefix(session, tmp_path):
    bag = recorded(session, tmp_path / "bag", rig_file="gone.yaml", frame_prefix="cam")
    found = unpack(bag, tmp_path / "files")
    parameters = yaml.safe_load(found.params_file.read_text())["/**"]["ros__parameters"]
    assert parameters["rig_file"] == str(found.rig)
    cameras = yaml.safe_load(found.rig.read_text())["cameras"]
    assert [camera["frame_id"] for camera in cameras.values()] == ["0_optical", "1_optical"]


@pytest.mark.parametrize("with_poses", [True, False])
def test_a_rig_file_is_given_unless_every_cameras_pose_was_recorded(session, tmp_path, with_poses):
    """Drivers may say their lenses, and only a file where the cameras stand."""
    rig, path = session.rig_nominal, tmp_path / "bag"
    with BagWriter(path) as writer:
        writer.write_text("/definitions/rig", rig_text(rig), START_NS)
        writer.write_text("/definitions/keypoint_set", keypoint_set_text(session.keypoint_set), START_NS)
        for camera in rig.cameras.values():
            info = camera_to_message(types(), camera, START_NS)
            writer.write(f"/{camera.name}/camera_info", info, START_NS)
        if with_poses:
            write_cameras(writer, rig, START_NS)
        for frame in session.frames(START_NS):
            write_frame(writer, frame, session.keypoint_set, rig)
    found = unpack(path, tmp_path / "files")
    parameters = yaml.safe_load(found.params_file.read_text())["/**"]["ros__parameters"]
    assert parameters["rig_file"] == ("" if with_poses else str(found.rig))


@pytest.mark.parametrize(
    ("topics", "cameras", "expected"),
    [
        (["/cam0/keypoints", "/cam1/keypoints"], (), ("", ("cam0", "cam1"))),
        (["/lab/cam0/keypoints", "/lab/cam1/keypoints"], (), ("lab", ("cam0", "cam1"))),
        (["/a/left/keypoints", "/b/left/keypoints"], (), ("", ("a/left", "b/left"))),
        (["/lab/front/cam0/keypoints"], ("front/cam0",), ("lab", ("front/cam0",))),
    ],
)
def test_namespace_and_cameras_follow_from_the_topics(topics, cameras, expected):
    assert rig_namespace(topics, cameras) == expected


def test_a_bag_of_another_place_is_read_as_any(session, tmp_path):
    assert read_session(recorded(session, tmp_path / "bag", "lab/")).definitions["subject"]
