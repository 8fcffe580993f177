"""Two rigs on one machine, seen in RViz: what config/capture.rviz needs is published, nothing of the two clashes."""

import os
from collections import Counter
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import jax.numpy as jnp
import numpy as np
import pytest
from body_oracle import random_qpos
from lab import KEYPOINT_SET, Lab, walking_session
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from test_markers import complaints
from test_urdf import POSITION_M, urdf_positions
from visualization_msgs.msg import Marker, MarkerArray

from markerless_biomech.body.model import body_parameters, body_poses
from markerless_biomech.body.names import BODY_NAMES
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.nodes import quality
from markerless_biomech.nodes.processes import Processes
from markerless_biomech.nodes.rviz_config import rig_config, rig_config_file
from markerless_biomech.recording.definitions import subject_from_text

pytestmark = pytest.mark.ros
CONFIG = Path(__file__).parents[1] / "config" / "capture.rviz"
RIGS = ("left", "right")
CAMERAS = ["cam0", "cam1", "cam2"]
LAYERS = ("body", "keypoints", "cameras", "steps")
DISPLAY_TYPES = {
    "rviz_default_plugins/RobotModel": "std_msgs/msg/String",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
}
GLOBAL_TOPICS = {"/tf", "/tf_static", "/diagnostics", "/rosout", "/parameter_events"}


def start_rig(processes: Processes, name: str) -> None:
    """A walker, the estimator and its markers, all in one namespace, all frames under one prefix."""
    shared = {"keypoint_set": KEYPOINT_SET, "frame_prefix": f"{name}/"}
    parameters = {
        "motion_estimator": {**shared, "cameras": CAMERAS},
        "rviz_markers": {"rays": True},
        "rig_simulator": {**shared, "cameras": 3, "fps": 25.0, "seconds": 4.0, "wait_for_subscribers_s": 100.0},
    }
    for node, given in parameters.items():
        processes.start(node, given, f"{name}_{node}", name)


@pytest.fixture(scope="module")
def two_rigs(tmp_path_factory):
    """Both, while a person walks before each; the rig on the left is looked at, and told to human-robot tools."""
    with Processes(tmp_path_factory.mktemp("logs")) as processes, Lab(walking_session()) as lab:
        lab.processes = processes
        lab.listen("TFMessage", "/tf")
        lab.listen("TFMessage", "/tf_static", quality.STATIC_TRANSFORMS)
        for name in RIGS:
            lab.listen("BodyState", f"/{name}/body_state")
        for topic in ("robot_description", "definitions/subject"):
            lab.listen("String", f"/left/{topic}", quality.LATCHED)
        for layer in LAYERS:
            topic = f"/left/markers/{layer}"
            lab.node.create_subscription(MarkerArray, topic, lab.heard[topic].append, quality.RESULTS)
        for name in RIGS:
            start_rig(processes, name)
        processes.start("humans", {"body_id": "a1b2c"}, namespace="left")
        for name in RIGS:
            lab.wait_for_new(f"/{name}/body_state", lambda state: state.tracking == state.TRACKED, count=10)
        yield lab


def transforms(lab):
    """(parent, child) of everything heard on /tf and /tf_static."""
    messages = [message for topic in ("/tf", "/tf_static") for message in list(lab.heard[topic])]
    return {(one.header.frame_id, one.child_frame_id) for message in messages for one in message.transforms}


def connected(lab) -> set[str]:
    """Frames from which a chain leads up to world."""
    parent_from_child = {child: parent for parent, child in transforms(lab)}
    found = {"world"}
    while more := {child for child, parent in parent_from_child.items() if parent in found} - found:
        found |= more
    return found


def displays(config):
    return config["Visualization Manager"]["Displays"]


def topics(config):
    """(display, its topic property) of every display that has one."""
    for display in displays(config):
        for key in ("Topic", "Description Topic"):
            if key in display:
                yield display, display[key]


def test_every_topic_of_the_layout_is_published_with_its_type_and_a_matching_quality(two_rigs):
    node = two_rigs.node
    for display, topic in topics(rig_config(CONFIG)):
        name = f"/left/{topic['Value']}"  # relative, and RViz runs in the rig's namespace
        offers = node.get_publishers_info_by_topic(name)
        assert [offer.topic_type for offer in offers] == [DISPLAY_TYPES[display["Class"]]], name
        offered = offers[0].qos_profile
        if topic["Reliability Policy"] == "Reliable":
            assert offered.reliability == ReliabilityPolicy.RELIABLE, name
        if topic["Durability Policy"] == "Transient Local":
            assert offered.durability == DurabilityPolicy.TRANSIENT_LOCAL, name


def test_every_frame_of_the_layout_and_of_the_person_is_there(two_rigs):
    config = rig_config(CONFIG, frame_prefix="left/")
    manager = config["Visualization Manager"]
    wanted = {manager["Global Options"]["Fixed Frame"]}
    wanted |= {display["Reference Frame"] for display in displays(config) if "Reference Frame" in display}
    wanted |= {manager["Views"]["Current"]["Target Frame"]}
    robot = ElementTree.fromstring(two_rigs.heard["/left/robot_description"][-1].data)
    prefix = next(display["TF Prefix"] for display in displays(config) if "TF Prefix" in display)
    wanted |= {f"{prefix}/{link.attrib['name']}" for link in robot.findall("link")}
    wanted |= {f"left/{camera}_optical" for camera in CAMERAS}
    two_rigs.wait_for(lambda: wanted - {"<Fixed Frame>"} <= connected(two_rigs), "every frame")


def test_the_published_urdf_places_every_body_where_the_model_does(two_rigs):
    robot = ElementTree.fromstring(two_rigs.heard["/left/robot_description"][-1].data)
    subject = subject_from_text(two_rigs.heard["/left/definitions/subject"][-1].data, "definitions/subject")
    parameters = body_parameters(subject, load_keypoint_set(KEYPOINT_SET))
    for qpos in random_qpos(np.random.default_rng(4), 3):
        positions, _ = body_poses(parameters, jnp.asarray(qpos, jnp.float32))
        found = urdf_positions(robot, qpos)
        for index, name in enumerate(BODY_NAMES, start=1):
            np.testing.assert_allclose(found[name], positions[index], atol=POSITION_M, err_msg=name)


def test_the_layout_names_the_layers_that_are_drawn_and_their_namespaces(two_rigs):
    known = {
        topic["Value"]: set(display["Namespaces"])
        for display, topic in topics(rig_config(CONFIG))
        if "Topic" in display
    }
    assert set(known) == {f"markers/{layer}" for layer in LAYERS}
    seen = {"body": "sites", "keypoints": "rays", "cameras": "frusta", "steps": "footprints"}
    for layer, namespace in seen.items():
        topic = f"/left/markers/{layer}"
        two_rigs.wait_for_new(topic, lambda array, wanted=namespace: any(m.ns == wanted for m in array.markers))
        drawn = {marker.ns for array in list(two_rigs.heard[topic]) for marker in array.markers}
        assert drawn <= known[f"markers/{layer}"], layer


def test_rviz_has_nothing_to_complain_about_in_what_is_really_drawn(two_rigs):
    for layer in LAYERS:
        for array in list(two_rigs.heard[f"/left/markers/{layer}"]):
            drawn = [marker for marker in array.markers if marker.action == Marker.ADD]
            assert not [complaints(marker) for marker in drawn if complaints(marker)], layer
            keys = Counter((marker.ns, marker.id) for marker in array.markers)
            assert max(keys.values(), default=1) == 1 and {m.header.frame_id for m in drawn} <= {"world"}


def test_two_rigs_share_no_topic_but_those_of_ros_no_service_and_no_node(two_rigs):
    node = two_rigs.node
    publishers = Counter()
    for topic, _ in node.get_topic_names_and_types():
        owners = {offer.node_namespace for offer in node.get_publishers_info_by_topic(topic)} & {"/left", "/right"}
        publishers[topic] = len(owners)
    assert {topic for topic, count in publishers.items() if count > 1} <= GLOBAL_TOPICS
    ours = [f"{namespace}/{name}" for name, namespace in node.get_node_names_and_namespaces()]
    assert len(ours) == len(set(ours))
    services = {name for name, _ in node.get_service_names_and_types()}
    for service in ("reacquire", "accept_cameras", "calibrate_subject"):
        assert {f"/{name}/motion_estimator/{service}" for name in RIGS} <= services


def test_two_rigs_share_no_frame_but_world(two_rigs):
    def complete():
        children = {child for _, child in transforms(two_rigs)}
        return {
            f"{name}/{frame}" for name in RIGS for frame in ("toes_l", "cam2_optical", "cam2_optical_fitted")
        } <= children

    two_rigs.wait_for(complete, "frames of both rigs")
    for parent, child in transforms(two_rigs) - {("world", "body_a1b2c")}:
        name = child.split("/")[0]
        assert name in RIGS and parent in ("world", f"{name}/{parent.removeprefix(f'{name}/')}"), (parent, child)


def test_nobody_draws_what_nobody_looks_at(two_rigs):
    names = [offer.node_namespace for offer in two_rigs.node.get_publishers_info_by_topic("/right/markers/body")]
    assert names == ["/right"] and not two_rigs.node.get_subscriptions_info_by_topic("/right/cam0/keypoints")[1:]


def test_the_person_is_a_body_of_rep155(two_rigs):
    topic = "/humans/bodies/a1b2c"
    two_rigs.listen("JointState", f"{topic}/joint_states")
    two_rigs.listen("String", f"{topic}/urdf", quality.LATCHED)
    state = two_rigs.wait_for_new(f"{topic}/joint_states")[0]
    two_rigs.wait_for(lambda: two_rigs.heard[f"{topic}/urdf"], "the human's URDF")
    robot = ElementTree.fromstring(two_rigs.heard[f"{topic}/urdf"][0].data)
    moving = [joint.attrib["name"] for joint in robot.findall("joint") if joint.attrib["type"] == "revolute"]
    assert list(state.name) == moving and np.isfinite(state.position).all()
    two_rigs.wait_for(lambda: ("world", "body_a1b2c") in transforms(two_rigs), "the frame body_a1b2c")


def test_a_layout_is_copied_only_where_frames_differ():
    assert rig_config_file(CONFIG) == CONFIG
    copied = rig_config_file(CONFIG, "lab", "left/")
    assert copied != CONFIG and "Fixed Frame: lab" in copied.read_text() and "TF Prefix: left" in copied.read_text()
    assert f"_{os.getuid()}_" in copied.name  # another user's could not be written again
    copied.unlink()
    with pytest.raises(ValueError, match="ends with a slash"):
        rig_config(CONFIG, frame_prefix="left_")


def test_the_types_of_the_layout_are_installed():
    for kind in DISPLAY_TYPES.values():
        package, _, name = kind.split("/")
        assert hasattr(import_module(f"{package}.msg"), name)
