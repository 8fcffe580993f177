"""Every fault against the live path in one process: nothing raised, nothing stale, the fault named, all well after.

The figures: a fault lasts from 1.5 s to 3 s of the recording. It is named within 1 s, and not any more 2 s after its
end. From then on the joints may err by a fifth more than without it, and a tenth of a degree (a hundredth of the error,
for rounding): the window remembers half a second, so that by then its content is the same.
"""

import re

import pytest
from fault_bench import START_NS, Shown, joint_error_deg, show, tracked

START_S, END_S, WELL_S, LAST_S = 1.5, 3.0, 5.0, 6.0
NAMED_WITHIN_S = 1.0
OLDEST_S = 0.1
"""Deadline of a frame set (0.05 s) and one frame (0.033 s)."""

OF_CAMERA = {
    "camera-stop:cam1": "silent for",
    "camera-stop": "silent for",
    "camera-freeze:cam1": "the very same points",
    "camera-freeze": "the very same points",
    "camera-repeat:cam1": "had come before",
    "camera-lag:cam1=5frames": r"16\d ms behind the other cameras",
    "camera-rate:cam1=12Hz": r"runs at 12\.0 Hz, the fastest camera at 30\.0 Hz",
    "camera-rate:cam2=25Hz": r"runs at 25\.0 Hz, the fastest camera at 30\.0 Hz",
    "camera-rate:cam1=60Hz": r"runs at 30\.0 Hz, the fastest camera at 60\.0 Hz",
    "duplicate": "had come before",
    "reorder:cam1": "came out of order",
    "reorder": "came out of order",
    "clock-step:cam1=1s": r"1\.00 s ahead of the other cameras'",
    "clock-step:cam1=-1s": r"1\.00 s behind the other cameras'",
    "clock-step:cam1=0.05s": "50 ms ahead of the other cameras'",
}
"""What complaints say of some camera."""

REFUSED = {
    "nan:cam1": "camera cam1: u of keypoint 'nose' of person 0 is nan",
    "inf": "camera cam0: u of keypoint 'nose' of person 0 is inf",
    "wrong-length:cam1": "camera cam1: 50 numbers in points, expected a multiple of 51",
    "wrong-set:cam1": "camera cam1: keypoints of the set 'halpe_26', expected 'coco_17'",
    "wrong-size:cam1": "camera cam1: keypoints in an image of 640 x 512 px",
}
"""The sentence with which a message is refused."""

NAMELESS = ("camera-lag:cam1=1frames", "jitter=10ms", "clock-step:cam1=0.012s", "second-person")
"""The live path takes these in its stride; there is nothing to say."""

MOVING = ("camera-bump:cam1=1deg,20mm", "camera-drift:cam1=0.5deg/s", "camera-focal:cam1=2%")
"""Whoever watches the cameras names these; the stream is as it should be."""


@pytest.fixture(scope="module")
def unharmed() -> Shown:
    return show(seconds=LAST_S)


def with_fault(text: str) -> Shown:
    kind, equals, sizes = text.partition("=")
    return show(f"{kind}@{START_S}-{END_S}{equals}{sizes}", seconds=LAST_S)


def check(shown: Shown, unharmed: Shown, oldest_s: float = OLDEST_S) -> None:
    """Nothing stale, and well again."""
    newest_ns = 0
    for now_ns, estimate in shown.estimates:
        if estimate.live is not None:
            assert estimate.live.stamp_ns > newest_ns or estimate.reset
            newest_ns = estimate.live.stamp_ns
            assert 0.0 <= (now_ns - newest_ns) * 1e-9 < oldest_s, (now_ns - START_NS) * 1e-9
    assert len(tracked(shown, WELL_S, LAST_S)) == len(tracked(unharmed, WELL_S, LAST_S)) == 30
    usual_deg = joint_error_deg(unharmed, WELL_S, LAST_S)
    assert joint_error_deg(shown, WELL_S, LAST_S) < 1.2 * usual_deg + 0.1
    assert not any(any(words.values()) for time_s, words in shown.words if time_s >= WELL_S)
    assert all(set(statuses.values()) == {"OK"} for time_s, statuses in shown.statuses if time_s >= WELL_S)


def named_s(shown: Shown, pattern: str) -> float:
    """When a complaint first fits."""
    for time_s, words in shown.words:
        if any(re.search(pattern, sentence) for sentence in words.values()):
            return time_s
    return float("inf")


def test_without_a_fault_nothing_is_said_and_every_frame_is_tracked(unharmed):
    check(unharmed, unharmed)
    assert not any(any(words.values()) for time_s, words in unharmed.words if time_s > 0.1)
    # walking on a treadmill before three cameras, 3 px
    assert joint_error_deg(unharmed, 1.0, LAST_S) < 3.0


@pytest.mark.parametrize("text", OF_CAMERA)
def test_a_fault_of_a_camera_is_named_and_over_when_it_is_over(text, unharmed):
    shown = with_fault(text)
    check(shown, unharmed)
    assert START_S <= named_s(shown, OF_CAMERA[text]) <= START_S + NAMED_WITHIN_S


@pytest.mark.parametrize("text", REFUSED)
def test_messages_of_no_use_are_refused_in_words_and_harm_nothing(text, unharmed):
    shown = with_fault(text)
    check(shown, unharmed)
    assert any(REFUSED[text] in sentence for sentence in shown.refused)
    assert named_s(shown, "silent for") <= START_S + NAMED_WITHIN_S


@pytest.mark.parametrize("text", [*NAMELESS, *MOVING])
def test_what_the_fit_takes_in_its_stride_costs_nothing_afterwards(text, unharmed):
    shown = with_fault(text)
    check(shown, unharmed)
    assert len(tracked(shown, START_S, END_S)) >= 44


def test_all_cameras_that_come_late_give_late_results_with_their_own_stamps(unharmed):
    check(with_fault("camera-lag=5frames"), unharmed, oldest_s=OLDEST_S + 5 / 30)


def test_frames_that_come_at_any_time_are_left_out_when_they_are_too_late(unharmed):
    shown = with_fault("jitter=100ms")
    check(shown, unharmed)
    assert named_s(shown, "out of order|behind the other cameras|frame sets leave before") <= START_S + NAMED_WITHIN_S


@pytest.mark.parametrize("step", ["5s", "-5s"])
def test_a_step_of_all_clocks_is_one_reset_each_way(step, unharmed):
    shown = show(f"clock-step@{START_S}-{END_S}={step}", seconds=LAST_S)
    assert [round((now_ns - START_NS) * 1e-9, 1) for now_ns, e in shown.estimates if e.reset] == [1.5, 3.0]
    after = Shown([e for e in shown.estimates if e[0] >= START_NS + (END_S + 0.5) * 1e9])
    after.words, after.statuses = shown.words, shown.statuses
    check(after, unharmed)
    stamps_s = [(e.live.stamp_ns - START_NS) * 1e-9 for _, e in shown.estimates if e.live is not None]
    during = [stamp_s for stamp_s in stamps_s if not 0.0 <= stamp_s < LAST_S]
    assert len(during) in (44, 45), "results go on with the stamps that the cameras give"


def test_a_person_who_leaves_is_lost_in_words_and_found_again(unharmed):
    shown = with_fault("person-leaves")
    check(shown, unharmed)
    reasons = [
        e.report.result for now_ns, e in shown.estimates if (now_ns - START_NS) * 1e-9 < START_S + NAMED_WITHIN_S
    ]
    assert any(reason.startswith("LOST: seen by fewer than 2 cameras") for reason in reasons)


@pytest.mark.parametrize("cameras", ["cam1", "cam0,cam1", "cam0,cam1,cam2"])
def test_detectors_that_take_left_for_right_do_no_lasting_harm(cameras, unharmed):
    check(with_fault(f"swap:{cameras}"), unharmed)
