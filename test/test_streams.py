"""Streams of cameras that misbehave: what is used of them, what is said of them."""

import dataclasses

import numpy as np
import pytest
from test_frame_sets import MS, NAMES, SECOND, START, check_laws, frame, run, stream

from markerless_biomech.cameras.frame_sets import FrameSetAssembler

SOMEBODY = np.ones((1, 3, 3), np.float32)


def showing(frames, points_of):
    """The same frames with points (P, K, 3)."""
    return [dataclasses.replace(item, points=points_of(item)) for item in frames]


def moving(item):
    """Somebody who is elsewhere in each frame."""
    return SOMEBODY * np.float32((item.stamp_ns - START) / MS)


def test_points_that_repeat_themselves_to_the_last_bit_are_dropped_and_not_waited_for():
    assembler = FrameSetAssembler(NAMES)
    frames = showing(stream(), lambda item: SOMEBODY if item.camera == "b" else moving(item))
    sets = check_laws(assembler, run(assembler, frames))
    assert assembler.counters["frozen"] == 59 and len(sets) == 60
    # the second frame is still waited for: one that repeats may be chance
    assert {s.closed_by for s in sets[2:]} == {"complete"}
    assert assembler.status(1000 * MS)["b"] == "STALE" and assembler.status(1000 * MS)["a"] == "OK"
    assert "the very same points" in assembler.complaints(1000 * MS)["b"]


@pytest.mark.parametrize("people", [0, 1])
def test_an_empty_image_may_stay_empty(people):
    assembler = FrameSetAssembler(NAMES)
    nobody = np.zeros((people, 3, 3), np.float32)
    check_laws(assembler, run(assembler, showing(stream(), lambda _: nobody)))
    assert assembler.counters["frozen"] == 0


def test_when_all_cameras_were_frozen_or_silent_the_first_set_afterwards_is_whole():
    for points_of in (moving, lambda item: SOMEBODY if 10 <= (item.stamp_ns - START) / MS / 16 < 40 else moving(item)):
        skip = {(c, n) for c in NAMES for n in range(10, 40)} if points_of is moving else set()
        assembler = FrameSetAssembler(NAMES)
        latency = {"a": 20.0, "b": 21.0, "c": 22.0, "d": 23.0}
        sets = check_laws(assembler, run(assembler, showing(stream(skip=skip, latency_ms=latency), points_of)))
        assert all(len(s.frames) == 4 for s in sets) and assembler.counters["late"] == 0


def test_a_camera_from_the_future_is_stale_and_its_clock_is_named():
    assembler = FrameSetAssembler(NAMES)
    ahead = [dataclasses.replace(f, stamp_ns=f.stamp_ns + 2 * SECOND * (f.camera == "c")) for f in stream(first=60)]
    run(assembler, stream() + ahead)
    now_ns = ahead[-1].arrival_ns
    assert assembler.status(now_ns) == {"a": "OK", "b": "OK", "c": "STALE", "d": "OK"}
    words = assembler.complaints(now_ns)
    assert words["c"] == "its stamps are 2.00 s ahead of the other cameras'; synchronise the clocks"
    assert words["a"] == words["b"] == words["d"] == ""


def test_a_camera_that_never_began_says_what_to_do():
    assembler = FrameSetAssembler(NAMES)
    run(assembler, stream(("a", "b", "c")))
    assert assembler.complaints(1000 * MS)["d"].startswith("has sent nothing yet; start its detector")


def test_what_is_over_for_a_second_is_no_longer_said():
    assembler = FrameSetAssembler(NAMES)
    frames = stream(frames=120)
    run(assembler, [*frames[:40], *frames[36:40], *frames[40:]])
    assert assembler.counters["duplicate"] == 4
    at_ns = frames[40].arrival_ns
    early = FrameSetAssembler(NAMES)
    run(early, [*frames[:40], *frames[36:40], *frames[40:80]])
    assert "had come before" in early.complaints(at_ns + 300 * MS)["a"]
    assert set(assembler.complaints(frames[-1].arrival_ns).values()) == {""}


@pytest.mark.parametrize("rate_hz", [15, 30, 50])
def test_a_slower_camera_is_named_with_its_rate(rate_hz):
    assembler = FrameSetAssembler(NAMES)
    slow = [frame("d", 1000 * n / rate_hz) for n in range(2 * rate_hz)]
    others = stream(("a", "b", "c"), frames=120)
    run(assembler, sorted(slow + others, key=lambda f: f.arrival_ns))
    assert assembler.complaints(2000 * MS)["d"] == f"runs at {rate_hz}.0 Hz, the fastest camera at 60.0 Hz"
