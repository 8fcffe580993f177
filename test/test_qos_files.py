"""The QoS overrides that we ship for `ros2 bag` fit what our nodes offer and ask for."""

from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.nodes import quality
from markerless_biomech.nodes.publishing import ResultPublisher
from markerless_biomech.nodes.qos_files import file_texts
from markerless_biomech.nodes.rig_publishers import RigPublishers
from markerless_biomech.settings import EstimatorSettings

pytestmark = pytest.mark.ros
CONFIG = Path(__file__).parents[1] / "config"


def shipped(name):
    """A file as `ros2 bag` reads it: profiles by topic."""
    content = yaml.safe_load((CONFIG / name).read_text())
    return {
        topic: QoSProfile(
            history=HistoryPolicy.get_from_short_key(entry["history"]),
            depth=entry["depth"],
            reliability=ReliabilityPolicy.get_from_short_key(entry["reliability"]),
            durability=DurabilityPolicy.get_from_short_key(entry["durability"]),
        )
        for topic, entry in content.items()
    }


@pytest.fixture(scope="module")
def offered():
    """What the estimator's publishers and those of cameras offer, as the middleware says.

    Only of this node: of one killed before, the middleware speaks until its lease is over.
    """
    context = Context()
    rclpy.init(context=context)
    node = Node("offers", context=context)
    keypoint_set = load_keypoint_set("coco_17")
    publisher = ResultPublisher(node, EstimatorSettings(), keypoint_set, subject_from_height(1.75, keypoint_set))
    RigPublishers(node, ["cam0", "cam1"])
    offers = {
        topic: one.qos_profile
        for topic, _ in node.get_topic_names_and_types()
        for one in node.get_publishers_info_by_topic(topic)
        if one.node_name == node.get_name()
    }
    publisher.close()
    node.destroy_node()
    rclpy.shutdown(context=context)
    return offers


def fit(offer, request):
    return qos_check_compatible(offer, request)[0] is not QoSCompatibility.ERROR


def test_the_files_are_those_that_follow_from_the_nodes():
    for name, text in file_texts().items():
        assert (CONFIG / name).read_text() == text, "run `make config`"


def test_every_topic_of_the_estimator_has_an_entry(offered):
    ours = {topic for topic in offered if topic not in ("/rosout", "/parameter_events")}
    assert ours <= set(shipped("qos_play.yaml")) and len(ours) > 15
    assert {topic for topic in ours if not topic.startswith("/cam")} <= set(shipped("qos_record.yaml"))


def test_a_recorder_with_the_file_hears_every_topic_and_gets_what_is_latched(offered):
    for topic, request in shipped("qos_record.yaml").items():
        if topic in offered:
            assert fit(offered[topic], request), topic
            assert (request.durability is DurabilityPolicy.TRANSIENT_LOCAL) == (
                offered[topic].durability is DurabilityPolicy.TRANSIENT_LOCAL
            ), topic


def test_a_player_with_the_file_is_heard_as_the_nodes_are(offered):
    for topic, offer in shipped("qos_play.yaml").items():
        if topic in offered:
            # whoever hears our node hears the player
            assert fit(offer, offered[topic]), topic
            assert offer.depth >= offered[topic].depth, topic


def test_an_estimator_hears_a_player_with_the_file_in_replay_mode_too():
    offers = shipped("qos_play.yaml")
    for request in (quality.KEYPOINTS, quality.EVERY_KEYPOINT):
        assert fit(offers["/cam0/keypoints"], request)
    for request in (quality.KEYPOINTS, quality.LATCHED):
        assert fit(offers["/cam0/camera_info"], request)
    assert fit(offers["/tf_static"], quality.STATIC_TRANSFORMS)
