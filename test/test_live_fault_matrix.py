"""Faults against the live nodes over DDS: nobody dies, nothing is stale, the fault is named, all is well after it.

Here are the faults that go another way over DDS than in one process (test_fault_matrix.py has them all); `make
faults-full` runs every one of them, and writes docs/faults.md.
"""

import os

import pytest
from fault_bench import SEEN_WELL
from live_fault_table import FAULTS, LAG_S, SMALL
from live_faults import WELL_WITHIN_S, LiveSystem
from rclpy.serialization import serialize_message

from markerless_biomech.nodes.ros_types import TYPES

pytestmark = pytest.mark.ros
ONLY_HERE = (
    "camera-stop:cam1", "camera-stop", "camera-lag:cam1=5frames", "jitter=100ms", "duplicate", "reorder:cam1",
    "clock-step:cam1=1s", "clock-step=5s", "nan:cam1", "wrong-length:cam1", "wrong-set:cam1", "wrong-size:cam1",
    "person-leaves", "camera-bump:cam1=1deg,20mm",
)  # fmt: skip
"""Those whose messages, clocks or silences the middleware may treat in its own way."""


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """Started with one camera that joins late."""
    domain = {name: os.environ[name] for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")}
    with LiveSystem(tmp_path_factory.mktemp("logs"), domain, SMALL, SEEN_WELL) as system:
        system.start("camera-stop:cam2")
        system.wait_for(lambda: "has sent nothing yet" in system.words("camera cam2"), "a word on the absent camera")
        system.set_faults()
        system.wait_for(lambda: system.words("camera cam2") == "OK", "the camera that joins late")
        system.learn()
        yield system


@pytest.mark.parametrize("text", ONLY_HERE)
def test_a_fault_is_named_and_over_when_it_is_over(text, system):
    verdict = system.try_fault(text, FAULTS[text], LAG_S.get(text, 0.0))
    assert not verdict.wrong
    assert verdict.said or not FAULTS[text]
    if verdict.kept_up:
        assert verdict.well_s <= WELL_WITHIN_S + 0.5, verdict


def test_bytes_that_are_no_message_end_nothing(system):
    stranger = system.publisher("Keypoints2D", "cam1/keypoints")
    system.wait_for(lambda: stranger.get_subscription_count() > 1, "the estimator to find another publisher")
    empty = bytes(serialize_message(TYPES.Keypoints2D(keypoint_set="coco_17")))
    for data in (b"", b"\x00\x01\x00\x00", b"\xff" * 64, empty[:20], empty[:-6] + b"\xff\xff\xff\x7f", empty):
        stranger.publish(data)
    system.wait_for(lambda: "keypoints in an image of 0 x 0 px" in system.words("assembly"), "the empty one's refusal")
    system.wait_until(system.now_ns + 10**9)
    assert system.is_well()
