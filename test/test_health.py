"""What diagnostics are made of: of silence, and from one configuration to the next."""

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from test_calibration import outcome

from markerless_biomech.cameras.frame_sets import DROP_CAUSES, FrameSet
from markerless_biomech.nodes import diagnoses
from markerless_biomech.nodes.health import Health
from markerless_biomech.settings import EstimatorSettings

pytestmark = pytest.mark.ros
SETTINGS = EstimatorSettings(cameras=("a", "b"))


def worker() -> Any:
    """With nothing dropped."""
    assembler = SimpleNamespace(counters=dict.fromkeys(DROP_CAUSES, 0))
    return SimpleNamespace(
        capture=SimpleNamespace(assembler=assembler), queue_overflows=0, without_rig=0, compile_s=0.0
    )


@pytest.fixture
def health():
    context = Context()
    rclpy.init(context=context)
    node = Node("fitting", context=context)
    made = Health(node)
    made.configured(SETTINGS, worker())
    yield made
    node.destroy_node()
    rclpy.shutdown(context=context)


def stamped_now(arrival_ns):
    """A frame set as it comes from synchronised cameras."""
    one = outcome(0)
    frame_set = replace(one.frame_set, stamp_ns=time.time_ns(), last_arrival_ns=arrival_ns)
    return replace(one, frame_set=frame_set)


def test_silence_is_not_taken_for_a_clock_that_is_behind(health):
    """Its LOST is stamped just after the last frame set, two seconds ago."""
    now_ns, now_s = time.monotonic_ns(), time.monotonic()
    health.note(stamped_now(now_ns), now_s)
    assert health._clock(0).text == "stamps follow this machine's clock"
    silence = FrameSet(time.time_ns() - 2_000_000_000, {}, "deadline", now_ns, now_ns)
    health.note(replace(outcome(0), frame_set=silence), now_s)
    assert health._clock(0).level == diagnoses.OK
    assert health._figures()["frame sets"] == "1"


def test_a_new_configuration_begins_without_the_refusals_and_overruns_of_the_last(health):
    health.refuse("camera a: 6 numbers in points, expected a multiple of 51")
    health.note(replace(stamped_now(time.monotonic_ns()), newest=False), 0.0)
    assert health.dropped()["refused"] == 1 and health._figures()["overruns"] == "1"
    health.configured(SETTINGS, worker())
    assert health.dropped()["refused"] == 0 and health._figures()["overruns"] == "0"
    assert not health._refusal
