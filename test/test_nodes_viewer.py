"""The live page over real topics: it may start first, and it goes on when the estimator comes back."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from lab import Lab
from made_capture import recorded

pytestmark = pytest.mark.ros


def an_estimator(lab, session):
    """Publishers of one that has just started, and has told what it has."""
    from markerless_biomech.nodes import quality
    from markerless_biomech.nodes.ros_types import TYPES
    from markerless_biomech.recording.message_types import string_to_message
    from markerless_biomech.recording.result_messages import body_to_message, cameras_to_message

    made = []
    for name in ("subject", "rig"):
        made.append(lab.node.create_publisher(TYPES.String, f"definitions/{name}", quality.LATCHED))
        made[-1].publish(string_to_message(TYPES, session.definitions[name]))
    body = lab.node.create_publisher(TYPES.BodyState, "body_state", quality.RESULTS)
    cameras = lab.node.create_publisher(TYPES.FittedCameras, "fitted_cameras", quality.RESULTS)
    lab.wait_for(body.get_subscription_count, "the page's subscription")
    cameras.publish(cameras_to_message(TYPES, session.fitted_cameras()[1]))
    for estimate in session.bodies("body_state")[:20]:
        body.publish(body_to_message(TYPES, estimate))
    return [*made, body, cameras]


@pytest.fixture
def page():
    """The node, in the laboratory's executor, and its server."""
    from markerless_biomech.nodes.viewer import Viewer
    from markerless_biomech.viewing.server import open_server

    server = open_server(port=0)
    with Lab(None) as lab:
        viewer = Viewer(server, context=lab.context)
        lab.add(viewer)
        yield lab, viewer, server
        viewer.close()


def test_the_page_follows_an_estimator_that_comes_goes_and_comes_back(tmp_path, page):
    lab, viewer, server = page
    session = recorded(tmp_path)

    def wait_until_it_says(word):
        lab.wait_for(lambda: word in viewer._page._panels._status.content, f"the page to say '{word}'")

    wait_until_it_says("WAITING")
    publishers = an_estimator(lab, session)
    wait_until_it_says("TRACKING")
    lab.wait_for(lambda: "MOVED" in viewer._page._panels._cameras.content, "the bumped camera")
    assert server.scene.get_handle_by_name("/subject").visible
    for publisher in publishers:
        lab.node.destroy_publisher(publisher)
    wait_until_it_says("it has said nothing")
    an_estimator(lab, session)
    wait_until_it_says("TRACKING")


def test_messages_of_another_version_are_told_of_and_the_page_goes_on(tmp_path, page, monkeypatch):
    from markerless_biomech.nodes.ros_types import TYPES
    from markerless_biomech.recording.result_messages import body_to_message, cameras_to_message

    lab, viewer, _ = page
    session, said = recorded(tmp_path), Mock()
    monkeypatch.setattr(viewer, "get_logger", lambda: said)
    *_, bodies, cameras = an_estimator(lab, session)
    moved = cameras_to_message(TYPES, session.fitted_cameras()[-1])
    strange = cameras_to_message(TYPES, replace(session.fitted_cameras()[-1], status=np.array([0, 0, 9])))
    short = body_to_message(TYPES, session.bodies("body_state")[30])
    short.position = short.position[:33]
    bodies.publish(short)
    cameras.publish(strange)
    lab.wait_for(lambda: said.warning.call_count == 2, "both to be refused")
    sentences = " ".join(call.args[0] for call in said.warning.call_args_list)
    assert "position has the length 33; expected 34" in sentences and "status[2] is 9" in sentences
    cameras.publish(moved)
    lab.wait_for(lambda: "DEAD" in viewer._page._panels._cameras.content, "what is understood to be shown")
