"""Who is tracked, told to human-robot tools: good for as long as somebody says so in words that are understood."""

import numpy as np
import pytest
from lab import Lab
from made_capture import recorded
from rclpy.parameter import Parameter

pytestmark = pytest.mark.ros


@pytest.fixture
def lab_and_humans():
    """The node, in the laboratory's executor."""
    from markerless_biomech.nodes.humans import Humans

    with Lab(None) as lab:
        seldom = Parameter("rate_hz", value=5.0)  # something has always come when the node looks
        humans = Humans(context=lab.context, parameter_overrides=[seldom])
        lab.add(humans)
        yield lab, humans


def test_messages_that_are_not_understood_are_as_good_as_silence(tmp_path, lab_and_humans):
    from markerless_biomech.nodes import quality
    from markerless_biomech.nodes.ros_types import TYPES
    from markerless_biomech.recording.message_types import string_to_message
    from markerless_biomech.recording.result_messages import body_to_message

    lab, humans = lab_and_humans
    session = recorded(tmp_path)
    state = body_to_message(TYPES, session.bodies("body_state")[0])
    subject = lab.node.create_publisher(TYPES.String, "definitions/subject", quality.LATCHED)
    subject.publish(string_to_message(TYPES, session.definitions["subject"]))
    bodies = lab.node.create_publisher(TYPES.BodyState, "body_state", quality.RESULTS)

    def somebody(told):
        """Whether somebody is listed while `told` is sent again and again."""
        bodies.publish(told)
        return humans._human is not None

    lab.wait_for(lambda: somebody(state), "somebody to be listed")
    state.position = np.zeros(33, np.float32)
    lab.wait_for(lambda: not somebody(state), "nobody to be listed")
