"""Assembly of frame sets: laws under random arrival, and every bad day of a rig."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markerless_biomech.cameras.frame_sets import DROP_CAUSES, FrameSetAssembler
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import KeypointFrame

MS = 1_000_000
SECOND = 1000 * MS
PERIOD = SECOND // 60
NAMES = ("a", "b", "c", "d")
NOBODY = np.zeros((0, 3, 3), dtype=np.float32)
START = 1_700_000_000 * SECOND
"""Stamps are far from arrival times: the clocks have nothing in common."""


def frame(camera, stamp_ms, arrival_ms=None):
    arrival_ms = stamp_ms + 20 if arrival_ms is None else arrival_ms
    return KeypointFrame(camera, START + round(stamp_ms * MS), round(arrival_ms * MS), NOBODY)


def stream(cameras=NAMES, frames=60, first=0, period_ms=1000 / 60, latency_ms: float | dict = 20.0, skip=()):
    """Regular frames of all cameras; `skip` holds (camera, number); latency may be a dict by camera."""
    made = []
    for number in range(first, first + frames):
        for camera in cameras:
            if (camera, number) not in skip:
                latency = latency_ms[camera] if isinstance(latency_ms, dict) else latency_ms
                stamp = number * period_ms
                made.append(frame(camera, stamp, stamp + latency))
    return sorted(made, key=lambda f: f.arrival_ns)


def run(assembler, frames, flush=False):
    """Push frames, polling in between as a worker would; (set, when it left) in ms."""
    left = []
    for item in frames:
        while (due := assembler.next_deadline_ns()) is not None and due < item.arrival_ns:
            left += [(s, due / MS) for s in assembler.poll(due)]
        left += [(s, item.arrival_ns / MS) for s in assembler.push(item)]
    while (due := assembler.next_deadline_ns()) is not None:
        left += [(s, due / MS) for s in assembler.poll(due)]
    if flush:
        left += [(s, None) for s in assembler.flush()]
    return left


def check_laws(assembler, left):
    """What holds for any input. Returns the sets."""
    sets = [s for s, _ in left]
    used = [id(f) for s in sets for f in s.frames.values()]
    assert len(used) == len(set(used)), "a frame was used twice"
    stamps = [s.stamp_ns for s in sets]
    for before, after in zip(sets, sets[1:], strict=False):
        assert after.jumped or after.stamp_ns > before.stamp_ns, "stamps must increase"
    for s, stamp in zip(sets, stamps, strict=True):
        assert all(abs(f.stamp_ns - stamp) <= PERIOD // 2 + 1 for f in s.frames.values()), (
            "a member is out of tolerance"
        )
        assert all(name == f.camera for name, f in s.frames.items())
        assert s.first_arrival_ns <= s.last_arrival_ns
    counters = assembler.counters
    assert counters["received"] == counters["used"] + sum(counters[c] for c in DROP_CAUSES) + assembler.waiting
    assert counters["used"] == len(used)
    return sets


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_laws_hold_for_any_jitter_drops_and_order_of_arrival(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    drop_share, jitter_ms = data.draw(st.sampled_from([0.0, 0.1, 0.6])), data.draw(st.sampled_from([0.0, 1.0, 6.0]))
    latency_ms = data.draw(st.sampled_from([1.0, 20.0, 80.0]))
    assembler = FrameSetAssembler(NAMES, tolerance_s=PERIOD / 2 / SECOND)
    frames = [
        frame(c, n * 1000 / 60 + rng.normal(0, jitter_ms) / 3, n * 1000 / 60 + rng.exponential(latency_ms))
        for n in range(40)
        for c in NAMES
        if rng.random() >= drop_share
    ]
    if data.draw(st.booleans()) and frames:
        frames += [frames[int(i)] for i in rng.integers(len(frames), size=5)]
    left = run(assembler, sorted(frames, key=lambda f: f.arrival_ns))
    check_laws(assembler, left)
    for s, left_at in left:
        assert left_at <= s.first_arrival_ns / MS + 50.001, "a set left after its deadline"
    assert assembler.counters["reset"] == 0 and assembler.waiting == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([2, 4, 8]))
def test_without_loss_and_with_bounded_delay_every_set_is_whole_and_leaves_at_once(seed, count):
    rng, names = np.random.default_rng(seed), [f"cam{i}" for i in range(count)]
    assembler = FrameSetAssembler(names)
    latency_ms = rng.uniform(5.0, 30.0, size=count)
    frames = [
        frame(c, n * 1000 / 60 + rng.uniform(-1, 1), n * 1000 / 60 + latency_ms[i] + rng.uniform(0, 10))
        for n in range(40)
        for i, c in enumerate(names)
    ]
    left = run(assembler, sorted(frames, key=lambda f: f.arrival_ns))
    sets = check_laws(assembler, left)
    assert len(sets) == 40 and all(len(s.frames) == count and s.closed_by == "complete" for s in sets)
    assert all(at == s.last_arrival_ns / MS for s, at in left[5:])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_the_output_does_not_depend_on_when_it_is_polled(seed):
    rng = np.random.default_rng(seed)
    frames = [f for f in stream(frames=40) if rng.random() > 0.2]
    late = [KeypointFrame(f.camera, f.stamp_ns, f.arrival_ns + int(rng.exponential(15 * MS)), NOBODY) for f in frames]
    frames = sorted(late, key=lambda f: f.arrival_ns)
    often, never = FrameSetAssembler(NAMES), FrameSetAssembler(NAMES)
    one = [s for s, _ in run(often, frames)]
    other = [s for f in frames for s in never.push(f)] + never.poll(frames[-1].arrival_ns + SECOND)
    assert [(s.stamp_ns, tuple(s.frames), s.closed_by) for s in one] == [
        (s.stamp_ns, tuple(s.frames), s.closed_by) for s in other
    ]
    assert often.counters == never.counters


def test_the_stamp_is_the_median_of_corrected_stamps_and_members_keep_the_configured_order():
    assembler = FrameSetAssembler(("a", "b", "c"), offsets_s={"c": -0.1})
    left = run(assembler, [frame("c", 105, 10), frame("b", 2, 11), frame("a", 0, 12)])
    assert [tuple(s.frames) for s, _ in left] == [("a", "b", "c")]
    assert left[0][0].stamp_ns == START + 2 * MS and left[0][0].closed_by == "complete"


def test_a_dropped_frame_costs_no_more_than_a_frame_or_the_deadline():
    assembler = FrameSetAssembler(NAMES)
    left = run(assembler, stream(frames=30, skip={("b", 20)}))
    sets = check_laws(assembler, left)
    short, left_at = left[20]
    assert len(sets) == 30 and set(short.frames) == {"a", "c", "d"}
    # b's next frame, one period later, says that the one before is not coming.
    assert short.closed_by == "stamps" and left_at - short.first_arrival_ns / MS == pytest.approx(1000 / 60, abs=0.1)
    assert all(len(s.frames) == 4 for i, s in enumerate(sets) if i != 20)


def test_a_camera_that_stops_is_waited_for_until_it_is_stale_and_rejoins_by_itself():
    assembler = FrameSetAssembler(NAMES)
    gone = {("d", n) for n in range(20, 140)}
    left = run(assembler, stream(frames=200, skip=gone, latency_ms={"a": 5, "b": 5, "c": 5, "d": 15}))
    sets = check_laws(assembler, left)
    assert len(sets) == 200
    delays = np.array([at - s.first_arrival_ns / MS for s, at in left])
    # The deadline is 50 ms, d is stale 50 ms after its last frame: only those sets wait, none longer than the deadline.
    assert delays.max() <= 50.001 and (delays[20:23] > 9.9).all() and (delays[25:140] == 0).all()
    # d is slower than the others, so the set of its first frame back has left; from the next on it is waited for.
    assert all(len(s.frames) == 3 for s in sets[20:141]) and all(len(s.frames) == 4 for s in sets[141:])
    assert assembler.counters["late"] == 1


def test_states_of_a_camera_follow_its_silence():
    assembler = FrameSetAssembler(("a", "b"))
    assert assembler.status(0) == {"a": "DEAD", "b": "DEAD"}
    run(assembler, stream(("a", "b"), frames=30))
    last_ms = 29 * 1000 / 60 + 20
    states = [assembler.status(round((last_ms + silence) * MS))["a"] for silence in (0, 49, 51, 999, 1001)]
    assert states == ["OK", "OK", "STALE", "STALE", "DEAD"]


def test_a_camera_that_misses_a_deadline_is_late():
    assembler = FrameSetAssembler(("a", "b"), deadline_s=0.02)
    # The 31st frame of b comes 5 ms after the deadline, 40 ms after the one before: not yet stale.
    left = run(assembler, [*stream(("a", "b"), frames=30), frame("a", 500, 520), frame("b", 500, 545)])
    assert left[-1][0].closed_by == "deadline" and left[-1][1] == 540
    assert assembler.status(545 * MS) == {"a": "OK", "b": "LATE"} and assembler.counters["late"] == 1
    run(assembler, stream(("a", "b"), frames=2, first=32))
    assert assembler.status(570 * MS) == {"a": "OK", "b": "OK"}


def test_a_camera_slower_than_the_deadline_does_not_delay_the_others_for_long():
    assembler = FrameSetAssembler(NAMES)
    left = run(assembler, stream(frames=120, latency_ms={"a": 5, "b": 5, "c": 5, "d": 90}))
    check_laws(assembler, left)
    delays = np.array([at - s.first_arrival_ns / MS for s, at in left])
    assert (delays[20:] == 0).all() and assembler.counters["late"] > 100
    # It gets faster: from then on it is waited for and used.
    left = run(assembler, stream(frames=60, first=130, latency_ms={"a": 5, "b": 5, "c": 5, "d": 25}))
    assert all(len(s.frames) == 4 for s, _ in left[3:])


def test_a_camera_that_joins_late_is_used_from_its_second_frame_at_the_latest():
    assembler = FrameSetAssembler(NAMES)
    left = run(
        assembler, stream(frames=60, skip={("d", n) for n in range(30)}, latency_ms={"a": 5, "b": 5, "c": 5, "d": 20})
    )
    sets = check_laws(assembler, left)
    assert all(len(s.frames) == 3 for s in sets[:30]) and all(len(s.frames) == 4 for s in sets[31:])


def test_cameras_of_half_the_rate_do_not_delay_the_sets_they_are_not_in():
    assembler = FrameSetAssembler(NAMES)
    odd = {("d", n) for n in range(1, 120, 2)}
    left = run(assembler, stream(frames=120, skip=odd))
    sets = check_laws(assembler, left)
    delays = [at - s.first_arrival_ns / MS for s, at in left[12:]]
    assert len(sets) == 120 and max(delays) == 0.0
    assert [len(s.frames) for s in sets[20:24]] == [4, 3, 4, 3]


def test_the_measured_tolerance_is_half_a_frame_of_the_fastest_camera():
    assembler = FrameSetAssembler(("a", "b"))
    assert assembler.tolerance_ns == SECOND // 120
    run(
        assembler,
        sorted(stream(("a",), 40, period_ms=10) + stream(("b",), 20, period_ms=20), key=lambda f: f.arrival_ns),
    )
    assert assembler.tolerance_ns == pytest.approx(5 * MS, rel=1e-3)


def test_free_running_cameras_make_one_set_a_frame():
    """Not synchronised: the cameras' instants are spread over most of a frame."""
    assembler = FrameSetAssembler(NAMES)
    phase_ms = {"a": 0.0, "b": 4.0, "c": 9.0, "d": 12.0}
    frames = [frame(c, n * 1000 / 60 + phase_ms[c]) for n in range(60) for c in NAMES]
    left = run(assembler, frames)
    sets = check_laws(assembler, left)
    assert all(len(s.frames) == 4 for s in sets[10:-1]) and 59 <= len(sets) <= 62


def test_duplicates_and_frames_out_of_order_are_counted_and_dropped():
    assembler = FrameSetAssembler(("a", "b"))
    frames = stream(("a", "b"), frames=10)
    run(assembler, frames)
    now_ms = frames[-1].arrival_ns / MS
    again, old = frame("a", 9 * 1000 / 60, now_ms + 1), frame("a", 8.5 * 1000 / 60, now_ms + 2)
    assert not assembler.push(again) and not assembler.push(old)
    assert assembler.counters["duplicate"] == 1 and assembler.counters["out_of_order"] == 1
    assert assembler.counters["used"] == 20


def test_a_frame_from_the_future_is_counted_and_harms_nobody():
    assembler = FrameSetAssembler(NAMES)
    frames = stream(frames=60)
    wrong = frame("b", 30 * 1000 / 60 + 3_600_000, 30 * 1000 / 60 + 20)
    left = run(assembler, [wrong if (f.camera, f.stamp_ns) == ("b", frames[121].stamp_ns) else f for f in frames])
    sets = check_laws(assembler, left)
    assert assembler.counters["future"] == 1 and assembler.counters["reset"] == 0
    assert len(sets) == 60 and sum(len(s.frames) for s in sets) >= 60 * 4 - 2


def test_a_first_frame_from_the_future_is_mended_by_the_others():
    assembler = FrameSetAssembler(NAMES)
    left = run(assembler, [frame("a", 3_600_000, 15), *stream(frames=90)])
    sets = [s for s, _ in left]
    assert assembler.counters["reset"] == 1
    assert sum(len(s.frames) == 4 for s in sets) > 60 and all(s.stamp_ns < START + 60 * SECOND for s in sets[-60:])


@pytest.mark.parametrize("replay_mode", [False, True])
def test_when_time_jumps_back_everything_starts_over_without_losing_frames(replay_mode):
    assembler = FrameSetAssembler(NAMES, replay_mode=replay_mode)
    first = stream(frames=60)
    again = [KeypointFrame(f.camera, f.stamp_ns, f.arrival_ns + 1500 * MS, f.points) for f in stream(frames=60)]
    left = run(assembler, first + again, flush=True)
    sets = check_laws(assembler, left)
    assert [i for i, s in enumerate(sets) if s.jumped] == [60] and len(sets) == 120
    assert all(len(s.frames) == 4 for s in sets) and assembler.counters["reset"] == 1
    assert [s.stamp_ns for s in sets[60:]] == [s.stamp_ns for s in sets[:60]]


def test_one_camera_whose_time_jumps_back_alone_is_dropped_and_does_not_delay_the_others():
    assembler = FrameSetAssembler(NAMES)
    frames = [
        KeypointFrame("b", f.stamp_ns - 100 * SECOND, f.arrival_ns, f.points) if f.camera == "b" and n >= 120 else f
        for n, f in enumerate(stream(frames=60))
    ]
    left = run(assembler, frames)
    sets = check_laws(assembler, left)
    assert assembler.counters["reset"] == 0 and assembler.counters["out_of_order"] == 30
    assert len(sets) == 60 and all(at == s.first_arrival_ns / MS for s, at in left[35:])


def test_when_all_clocks_jump_ahead_it_goes_on():
    assembler = FrameSetAssembler(NAMES)
    ahead = [
        KeypointFrame(f.camera, f.stamp_ns + 3600 * SECOND, f.arrival_ns, f.points) for f in stream(frames=30, first=30)
    ]
    left = run(assembler, stream(frames=30) + ahead)
    sets = check_laws(assembler, left)
    assert assembler.counters["reset"] == 1 and len(sets) == 60 and all(len(s.frames) == 4 for s in sets)
    assert [i for i, s in enumerate(sets) if s.jumped] == [30]


def test_a_pause_of_all_cameras_is_no_jump():
    assembler = FrameSetAssembler(NAMES)
    left = run(assembler, stream(frames=30) + stream(frames=30, first=330))
    assert assembler.counters["reset"] == 0 and len(check_laws(assembler, left)) == 60


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_in_replay_mode_no_frame_is_lost_however_unevenly_it_arrives(seed):
    rng = np.random.default_rng(seed)
    assembler = FrameSetAssembler(NAMES, replay_mode=True)
    queues = {c: stream((c,), frames=60, skip={(c, int(n)) for n in rng.integers(60, size=6)}) for c in NAMES}
    total, frames, clock = sum(map(len, queues.values())), [], 0
    while any(queues.values()):
        name = rng.choice([c for c in NAMES if queues[c]])
        for _ in range(min(len(queues[name]), int(rng.integers(1, 30)))):
            clock += int(rng.exponential(30 * MS))
            taken = queues[name].pop(0)
            frames.append(KeypointFrame(name, taken.stamp_ns, clock, NOBODY))
    left = run(assembler, frames, flush=True)
    sets = check_laws(assembler, left)
    assert assembler.counters["used"] == total and assembler.next_deadline_ns() is None
    assert len({s.stamp_ns for s in sets}) == len(sets) <= 60


def test_in_replay_mode_a_camera_that_ends_is_given_up_after_five_seconds_of_stamps():
    assembler = FrameSetAssembler(NAMES, replay_mode=True)
    left = run(assembler, stream(frames=600, skip={("d", n) for n in range(60, 600)}))
    sets = check_laws(assembler, left)
    assert len(sets) == 600 and assembler.counters["used"] == 3 * 600 + 60


def test_a_set_waits_for_cameras_that_start_a_little_later():
    assembler = FrameSetAssembler(NAMES)
    left = run(assembler, [frame("a", 0, 10), frame("b", 0, 12), frame("c", 0, 15), frame("d", 0, 30)])
    assert [(len(s.frames), at) for s, at in left] == [(4, 30.0)]


def test_frames_of_unknown_cameras_are_counted():
    assembler = FrameSetAssembler(("a",))
    assert assembler.push(frame("z", 0)) == [] and assembler.counters["unknown_camera"] == 1
    with pytest.raises(InputError, match="no cameras are configured"):
        FrameSetAssembler(())


def test_what_waits_is_bounded():
    assembler = FrameSetAssembler(("a", "b"), deadline_s=10.0)
    run_frames = stream(("a", "b"), frames=3) + stream(("a",), frames=3000, first=3)
    for item in run_frames:
        assembler.push(item)
    assert assembler.waiting <= 1100
