"""What a viewer knows of a capture, learnt from the topics of one namespace."""

import time
from dataclasses import replace

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from markerless_biomech.keypoints import KeypointFrame, load_keypoint_set
from markerless_biomech.nodes import quality
from markerless_biomech.nodes.capture_view import CaptureView
from markerless_biomech.nodes.newest import Newest
from markerless_biomech.nodes.ros_types import TYPES
from markerless_biomech.recording.definitions import definition_texts
from markerless_biomech.recording.message_types import string_to_message
from markerless_biomech.recording.messages import camera_to_message, keypoint_frame_to_message
from markerless_biomech.recording.oracle import project_px
from markerless_biomech.recording.result_messages import body_to_message
from markerless_biomech.results import BodyEstimate, Tracking
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.camera_ring import true_rig

pytestmark = pytest.mark.ros
KEYPOINTS = load_keypoint_set("coco_17")
RIG = true_rig(SimulationSettings(cameras=3))
PERSON = np.random.default_rng(0).uniform([-0.3, -0.3, 0.2], [0.3, 0.3, 1.8], (17, 3))
FRAME_NS = 20_000_000


@pytest.fixture
def node():
    context = Context()
    rclpy.init(context=context)
    made = Node("viewed", context=context)
    yield made
    made.destroy_node()
    rclpy.shutdown(context=context)


def wait_for(condition):
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def publish(node, kind, topic, profile, *messages):
    publisher = node.create_publisher(getattr(TYPES, kind), topic, profile)
    wait_for(publisher.get_subscription_count)
    for message in messages:
        publisher.publish(message)


def frames(camera, at_m, rectified=False):
    """Keypoints2D of a person who moves 5 cm to +x with every frame, three frames."""
    messages = []
    for index in range(3):
        sites = at_m + [0.05 * index, 0.0, 0.0]
        points = np.c_[project_px(camera, sites, rectified), np.ones(17)][None]
        frame = KeypointFrame(camera.name, index * FRAME_NS, 0, points, (), 0, rectified, (camera.width, camera.height))
        messages.append(keypoint_frame_to_message(TYPES, frame, "coco_17", camera.frame_id))
    return messages


def state(index):
    """BodyState of the same person at one of the three instants."""
    sites = PERSON + [0.05 * index, 0.0, 0.0]
    standing = np.eye(1, 41, 3)[0]
    known = np.full(17, 0.004), np.ones(17, bool)
    body = BodyEstimate(index * FRAME_NS, False, Tracking.TRACKED, standing, np.zeros(40), np.eye(40), sites, *known)
    return body_to_message(TYPES, body)


def define(node, rig):
    texts = definition_texts(KEYPOINTS, rig=rig)
    for name in ("rig", "keypoint_set"):
        publish(node, "String", f"definitions/{name}", quality.LATCHED, string_to_message(TYPES, texts[name]))


def test_the_newest_is_taken_and_all_of_a_queue_in_order(node):
    newest = Newest(node, TYPES.String, "words")
    queue = Newest(node, TYPES.String, "words", quality.EVERY_RESULT)
    publish(node, "String", "words", quality.RESULTS, *(string_to_message(TYPES, word) for word in "abc"))
    heard = []
    wait_for(lambda: heard.extend(message.data for message in queue.take_all()) or len(heard) == 3)
    assert heard == ["a", "b", "c"] and newest.take().data == "c" and newest.take() is None


@pytest.mark.parametrize("rectified", [False, True])
def test_observed_points_are_those_of_the_fitted_instant(node, rectified):
    rig = RIG
    if rectified:  # half the size, and a principal point elsewhere
        p = np.array([[600.0, 0, 300, 0], [0, 600, 250, 0], [0, 0, 1, 0]])
        rig = replace(RIG, cameras={name: replace(camera, p=p) for name, camera in RIG.cameras.items()})
    view = CaptureView(node, 10, pytest.fail)
    define(node, rig)
    publish(node, "BodyState", "body_state", quality.RESULTS, state(1))
    wait_for(lambda: view.look() is not None and None not in (view.rig, view.body) and not view.observed())
    for name, camera in rig.cameras.items():
        if rectified:
            info = camera_to_message(TYPES, camera, 0)
        publish(node, "Keypoints2D", f"{name}/keypoints", quality.KEYPOINTS, *frames(camera, PERSON, rectified))
        if rectified:
            view.observed()
            publish(node, "CameraInfo", f"{name}/camera_info", quality.LATCHED, info)
    found = []

    def seen_by_all():
        observed = view.observed()
        found[:] = [] if observed is None else [observed]
        complete = found and len(observed.rays) == 3 and observed.known.all()
        return complete and np.abs(observed.points_m - PERSON - [0.05, 0, 0]).max() < 2e-3

    # Lines of sight are good to a pixel, which is 2 mm here; the next frame is 50 mm away.
    wait_for(seen_by_all)


def test_what_cannot_be_understood_is_refused_in_a_sentence(node):
    said = []
    view = CaptureView(node, 10, said.append)
    publish(node, "String", "definitions/rig", quality.LATCHED, string_to_message(TYPES, "version: 99"))
    wait_for(lambda: view.look() is not None and said)
    publish(node, "String", "definitions/subject", quality.LATCHED, string_to_message(TYPES, "{"))
    wait_for(lambda: view.look() is not None and len(said) == 2)
    assert "version is 99" in said[0] and "definitions/subject" in said[1] and view.rig is None


def test_silence_is_noticed(node):
    view = CaptureView(node, 10, pytest.fail)
    assert view.silent("body") and view.silent("cameras") and view.observed() is None
    publish(node, "BodyState", "body_state", quality.RESULTS, state(0))
    wait_for(lambda: "body" in view.look())
    assert not view.silent("body")


def test_a_body_with_the_sites_of_another_keypoint_set_does_not_choose_the_subject(node):
    view = CaptureView(node, 10, pytest.fail)
    define(node, RIG)
    body = state(1)
    body.sites_xyz, body.sites_std, body.site_seen = body.sites_xyz[:12], body.sites_std[:4], body.site_seen[:4]
    publish(node, "BodyState", "body_state", quality.RESULTS, body)
    wait_for(lambda: view.look() is not None and None not in (view.rig, view.body) and not view.observed())
    for name, camera in RIG.cameras.items():
        publish(node, "Keypoints2D", f"{name}/keypoints", quality.KEYPOINTS, *frames(camera, PERSON))
    wait_for(lambda: view.observed() is not None)


def test_cameras_that_the_rig_has_no_more_are_forgotten(node):
    p = np.array([[600.0, 0, 300, 0], [0, 600, 250, 0], [0, 0, 1, 0]])
    rig = replace(RIG, cameras={name: replace(camera, p=p) for name, camera in RIG.cameras.items()})
    view = CaptureView(node, 10, pytest.fail)
    define(node, rig)
    wait_for(lambda: view.look() is not None and view.rig is not None and not view.observed())
    cameras = rig.cameras.items()
    for name, camera in cameras:
        publish(node, "Keypoints2D", f"{name}/keypoints", quality.KEYPOINTS, *frames(camera, PERSON, rectified=True))
    wait_for(lambda: view.observed() is not None)
    define(node, replace(RIG, cameras={f"{name}_of_another": camera for name, camera in cameras}))
    wait_for(lambda: view.look() is not None and "cam0" not in view.rig.cameras)
    assert view.observed() is None
    assert not any(node.count_subscribers(f"cam0/{topic}") for topic in ("keypoints", "camera_info"))
