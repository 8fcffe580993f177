"""The live page over real topics: it may start first, and it goes on when the estimator comes back."""

import threading
import time

import pytest
from made_capture import recorded

pytestmark = pytest.mark.ros

PATIENCE_S = 120.0


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def test_the_page_follows_an_estimator_that_comes_goes_and_comes_back(tmp_path):
    from rclpy.context import Context
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.node import Node

    from markerless_biomech.nodes import quality
    from markerless_biomech.nodes.ros_types import TYPES
    from markerless_biomech.nodes.viewer import Viewer
    from markerless_biomech.recording.message_types import string_to_message
    from markerless_biomech.recording.result_messages import body_to_message, cameras_to_message
    from markerless_biomech.viewing.server import open_server

    session = recorded(tmp_path)
    bodies = session.bodies("body_state")[:20]
    context = Context()
    context.init()
    server = open_server(port=0)
    viewer, lab = Viewer(server, context=context), Node("lab", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(viewer)
    executor.add_node(lab)

    def spin():
        try:
            executor.spin()
        except ExternalShutdownException:
            return

    spinning = threading.Thread(target=spin, daemon=True)
    spinning.start()

    def says(word):
        return lambda: word in viewer._page._panels._status.content

    def estimator():
        """Publishers of an estimator that has just started."""
        made = [
            lab.create_publisher(TYPES.String, f"definitions/{name}", quality.LATCHED) for name in ("subject", "rig")
        ]
        for publisher, name in zip(made, ("subject", "rig"), strict=True):
            publisher.publish(string_to_message(TYPES, session.definitions[name]))
        body = lab.create_publisher(TYPES.BodyState, "body_state", quality.RESULTS)
        cameras = lab.create_publisher(TYPES.FittedCameras, "fitted_cameras", quality.RESULTS)
        wait_for(body.get_subscription_count, "the page's subscription")
        cameras.publish(cameras_to_message(TYPES, session.fitted_cameras()[1]))
        for estimate in bodies:
            body.publish(body_to_message(TYPES, estimate))
        return [*made, body, cameras]

    try:
        wait_for(says("WAITING"), "the page to wait")
        publishers = estimator()
        wait_for(says("TRACKING"), "the page to show the body")
        wait_for(lambda: "MOVED" in viewer._page._panels._cameras.content, "the bumped camera")
        assert server.scene.get_handle_by_name("/subject").visible
        for publisher in publishers:
            lab.destroy_publisher(publisher)
        wait_for(says("it has said nothing"), "the page to say that nothing comes")
        estimator()
        wait_for(says("TRACKING"), "the page to go on")
    finally:
        context.try_shutdown()
        spinning.join()
        viewer.close()
        viewer.destroy_node()
        lab.destroy_node()
