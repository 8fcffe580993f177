"""The lifecycle of motion_estimator, in this process."""

import os

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from markerless_biomech.errors import InputError
from markerless_biomech.nodes.memory import resident_mb
from markerless_biomech.nodes.motion_estimator import MotionEstimatorNode
from markerless_biomech.nodes.worker import State

pytestmark = pytest.mark.ros
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@pytest.fixture
def make_node():
    """A function that makes a node that does not start by itself."""
    context = Context()
    rclpy.init(context=context)
    nodes = []

    def make(**given):
        given = {"autostart": False, "cameras": ["a", "b"], "keypoint_set": "coco_17"} | given
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        nodes.append(MotionEstimatorNode(context=context, parameter_overrides=overrides))
        return nodes[-1]

    yield make
    for node in nodes:
        node.close()
        node.destroy_node()
    rclpy.shutdown(context=context)


def spin_until(node, condition):
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    for _ in range(20_000):
        if condition():
            break
        executor.spin_once(timeout_sec=0.02)
    executor.remove_node(node)
    assert condition()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"subject_file": "nobody.yaml"}, "nobody.yaml"),
        ({"keypoint_set": "nothing"}, "nothing"),
        ({"rig_file": "no_rig.yaml"}, "no_rig.yaml"),
        ({"cameras": ["only"]}, "cameras"),
        ({"sync": "approximate"}, "message_filters"),
    ],
)
def test_a_wrong_file_fails_configure_with_a_sentence_that_names_it(make_node, given, words, capfd):
    if given == {"sync": "approximate"} and _has_message_filters():
        pytest.skip("message_filters is installed here, so this is not wrong")
    node = make_node(**given)
    assert node.trigger_configure() == FAILURE
    assert node.worker is None
    assert words in capfd.readouterr().err


def test_a_wrong_parameter_ends_the_node_at_once(make_node):
    with pytest.raises(InputError, match="window_frames"):
        make_node(window_frames=1)


def test_the_node_goes_round_its_states_twice(make_node):
    node = make_node()
    for _ in range(2):
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        spin_until(node, lambda: node.worker.state is State.READY)
        spin_until(node, lambda: node.count_subscribers("a/keypoints") == 1)
        assert node.trigger_deactivate() == SUCCESS
        assert node.count_subscribers("a/keypoints") == 0
        assert node.trigger_cleanup() == SUCCESS
        assert node.worker is None


def test_what_was_compiled_is_let_go_with_cleanup(make_node):
    node, held_mb = make_node(), []
    for _ in range(6):
        assert node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
        spin_until(node, lambda: node.worker.state is State.READY)
        assert node.trigger_deactivate() == SUCCESS and node.trigger_cleanup() == SUCCESS
        held_mb.append(resident_mb(os.getpid()))
    # What one configuration compiled is 50 MB and more; allocators keep some MB for themselves.
    assert held_mb[-1] < held_mb[2] + 30.0, held_mb


def test_the_executor_answers_while_programs_are_compiled(make_node):
    node = make_node()
    assert node.trigger_configure() == SUCCESS
    ticks = []
    node.create_timer(0.01, lambda: ticks.append(node.worker.state))
    spin_until(node, lambda: node.worker.state is State.READY)
    assert State.COMPILING in ticks


def _has_message_filters():
    try:
        import message_filters  # noqa: F401
    except ImportError:
        return False
    return True
