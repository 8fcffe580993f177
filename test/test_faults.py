"""Faults on demand: each changes what it says, where and when it says, and nothing else."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markerless_biomech.cli import main
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import KeypointFrame
from markerless_biomech.recording.bags import read_bag, types
from markerless_biomech.recording.messages import keypoint_frame_from_message, keypoint_frame_to_message
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.camera_ring import project
from markerless_biomech.simulation.faulted_frames import Sent, sent_in_order
from markerless_biomech.simulation.faulted_scene import person_is_there, true_rig_at
from markerless_biomech.simulation.faults import KINDS, Fault, parse_fault, parse_faults
from markerless_biomech.simulation.virtual_rig import START_NS, SimulatedSession, simulate

CAMERAS = ("cam0", "cam1", "cam2")
FPS = 30.0
FRAMES = 60
FRAME_NS = round(1e9 / FPS)


@pytest.fixture(scope="module")
def session() -> SimulatedSession:
    return simulate(SimulationSettings(cameras=3, fps=FPS, seconds=2.0, keypoint_set="coco_17", path="treadmill"))


def sent_by(session: SimulatedSession, *texts: str, frames: int = FRAMES) -> dict[str, list[Sent]]:
    """All messages by camera, in order of arrival."""
    faults = parse_faults(texts, CAMERAS)
    messages = list(sent_in_order(session, lambda: faults, range(frames)))
    arrivals = [message.frame.arrival_ns for message in messages]
    assert arrivals == sorted(arrivals)
    return {name: [message for message in messages if message.frame.camera == name] for name in CAMERAS}


def same(one: KeypointFrame, other: KeypointFrame) -> bool:
    """Bit for bit."""
    fields = [field.name for field in dataclasses.fields(KeypointFrame) if field.name != "points"]
    equal = all(getattr(one, name) == getattr(other, name) for name in fields)
    return equal and np.array_equal(one.points, other.points)


def seconds(sent: Sent) -> float:
    """Stamp since the start."""
    return (sent.frame.stamp_ns - START_NS) * 1e-9


def changed_at(before: list[Sent], after: list[Sent]) -> list[int]:
    """Numbers of the frames that are not as they were."""
    assert len(before) == len(after)
    pairs = enumerate(zip(before, after, strict=True))
    return [i for i, (a, b) in pairs if not same(a.frame, b.frame) or a.keypoint_set != b.keypoint_set]


@pytest.mark.parametrize("kind", KINDS)
def test_outside_of_its_time_and_its_cameras_a_fault_changes_nothing(session: SimulatedSession, kind: str) -> None:
    one = ":cam1" if KINDS[kind].of_cameras else ""
    before, after = sent_by(session), sent_by(session, f"{kind}{one}@0.5-1.0")
    for name in CAMERAS:
        touched = name == "cam1" or not one
        for message in before[name]:
            if not touched or not 0.5 <= round(seconds(message), 6) < 1.0:
                alike = [m for m in after[name] if m.frame.stamp_ns == message.frame.stamp_ns]
                assert any(same(message.frame, m.frame) for m in alike), (name, seconds(message))
    done = any(len(before[name]) != len(after[name]) or changed_at(before[name], after[name]) for name in CAMERAS)
    # who walks through is not in view so soon
    assert done or kind == "second-person"


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_messages(session: SimulatedSession, kind: str) -> None:
    first, again = (sent_by(session, f"{kind}@0.5", frames=30) for _ in range(2))
    for name in CAMERAS:
        assert len(first[name]) == len(again[name])
        for one, other in zip(first[name], again[name], strict=True):
            assert np.array_equal(one.frame.points, other.frame.points, equal_nan=True)
            assert (one.frame.stamp_ns, one.frame.arrival_ns) == (other.frame.stamp_ns, other.frame.arrival_ns)


def test_a_camera_that_stops_is_silent_and_returns(session: SimulatedSession) -> None:
    silent = sent_by(session, "camera-stop:cam2@0.5-1.0")
    assert [len(silent[name]) for name in CAMERAS] == [60, 60, 45]
    late = sent_by(session, "camera-stop:cam0@0-0.5")
    assert round(seconds(late["cam0"][0]), 3) == 0.5
    assert sum(map(len, sent_by(session, "camera-stop@0.5-1.0").values())) == 3 * 45


def test_a_frozen_camera_shows_its_last_frame_under_new_stamps(session: SimulatedSession) -> None:
    cam = sent_by(session, "camera-freeze:cam0@0.5-1.0")["cam0"]
    assert all(np.array_equal(message.frame.points, cam[14].frame.points) for message in cam[15:30])
    assert np.diff([message.frame.stamp_ns for message in cam]).min() > 0.9 * FRAME_NS


def test_a_repeating_camera_sends_its_last_message_again(session: SimulatedSession) -> None:
    cam = sent_by(session, "camera-repeat:cam0@0.5-1.0")["cam0"]
    assert {message.frame.stamp_ns for message in cam[15:30]} == {cam[14].frame.stamp_ns}
    assert np.diff([message.frame.arrival_ns for message in cam]).min() > 0.9 * FRAME_NS


def test_a_lagging_camera_is_late_by_so_many_frames(session: SimulatedSession) -> None:
    cam = sent_by(session, "camera-lag:cam0@0-10=4frames")["cam0"]
    late_ns = [message.frame.arrival_ns - message.frame.stamp_ns for message in cam]
    assert late_ns == pytest.approx([4 * FRAME_NS] * FRAMES, abs=10)


@pytest.mark.parametrize("rate_hz", [12.0, 25.0, 50.0])
def test_a_camera_at_another_rate_sees_the_person_at_its_own_instants(rate_hz: float) -> None:
    still = simulate(
        SimulationSettings(cameras=3, fps=FPS, seconds=2.0, keypoint_set="coco_17", path="treadmill", noise_px=0.0)
    )
    cam = sent_by(still, f"camera-rate:cam0@0={rate_hz}Hz")["cam0"]
    assert len(cam) == round(2.0 * rate_hz)
    assert np.diff([message.frame.stamp_ns for message in cam]) == pytest.approx(1e9 / rate_hz, abs=2)
    times_s = np.array([seconds(message) for message in cam])
    sites_m = still.skeleton.sites_m(still.motion.sample(times_s))
    pixels, _ = project(still.rig_true.cameras["cam0"], sites_m)
    # float32 pixels below 2000
    assert np.abs(np.array([message.frame.points[0, :, :2] for message in cam]) - pixels).max() < 2e-3


def test_jitter_is_as_large_as_asked(session: SimulatedSession) -> None:
    before, after = sent_by(session)["cam0"], sorted(sent_by(session, "jitter@0=20ms")["cam0"], key=seconds)
    late_ms = [(b.frame.arrival_ns - a.frame.arrival_ns) * 1e-6 for a, b in zip(before, after, strict=True)]
    off_ms = [(b.frame.stamp_ns - a.frame.stamp_ns) * 1e-6 for a, b in zip(before, after, strict=True)]
    # 60 draws from the whole range: its last tenth is missed once in 500 times
    assert 0.0 <= min(late_ms) < 2.0 and 18.0 < max(late_ms) <= 20.0
    assert -2.0 <= min(off_ms) < -1.6 and 1.6 < max(off_ms) <= 2.0


def test_duplicates_come_twice_and_reordered_ones_the_other_way_round(session: SimulatedSession) -> None:
    twice = sent_by(session, "duplicate:cam0@0")["cam0"]
    assert len(twice) == 2 * FRAMES and twice[0].frame.stamp_ns == twice[1].frame.stamp_ns
    cam = sent_by(session, "reorder:cam0@0")["cam0"]
    assert [message.frame.frame_number for message in cam[:6]] == [2, 1, 4, 3, 6, 5]


def test_a_clock_step_moves_stamps_alone(session: SimulatedSession) -> None:
    before, after = sent_by(session), sent_by(session, "clock-step@0.5-1.0=-5s")
    for name in CAMERAS:
        for row in changed_at(before[name], after[name]):
            moved = dataclasses.replace(after[name][row].frame, stamp_ns=after[name][row].frame.stamp_ns + 5 * 10**9)
            assert same(before[name][row].frame, moved)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nan", "is nan; send finite numbers"),
        ("inf", "is inf; send finite numbers"),
        ("wrong-length", "numbers in points, expected a multiple of 51"),
        ("wrong-set", "keypoints of the set 'halpe_26', expected 'coco_17'"),
        ("wrong-size", "keypoints in an image of 640 x 512 px"),
    ],
)
def test_spoilt_messages_are_refused_in_words(session: SimulatedSession, kind: str, words: str) -> None:
    for message in sent_by(session, f"{kind}:cam1@0.5-1.0")["cam1"][15:30]:
        raw = keypoint_frame_to_message(types(), message.frame, message.keypoint_set, "cam1_optical")
        with pytest.raises(InputError, match=words):
            keypoint_frame_from_message("cam1", raw, 0, session.keypoint_set, (1280, 1024))


def test_a_swap_exchanges_left_and_right_in_the_named_cameras(session: SimulatedSession) -> None:
    before, after = sent_by(session), sent_by(session, "swap:cam0,cam2@0.5-1.0")
    for name in ("cam0", "cam2"):
        for row in range(15, 30):
            exchanged = before[name][row].frame.points[:, session.keypoint_set.partners]
            assert np.array_equal(after[name][row].frame.points, exchanged)
    assert not changed_at(before["cam1"], after["cam1"])


def test_a_bump_turns_and_moves_the_true_camera_by_what_was_asked_and_points_follow(session: SimulatedSession) -> None:
    faults = parse_faults(["camera-bump:cam1@0.5-1.0=1.5deg,30mm"])
    rig, bumped = session.rig_true, true_rig_at(session, faults, 0.7)
    cosine = abs(rig.cameras["cam1"].orientation_xyzw @ bumped.cameras["cam1"].orientation_xyzw)
    assert np.degrees(2.0 * math.acos(min(1.0, cosine))) == pytest.approx(1.5, rel=1e-3)
    moved_m = np.linalg.norm(rig.cameras["cam1"].position_m - bumped.cameras["cam1"].position_m)
    assert moved_m == pytest.approx(0.03, rel=1e-6)
    assert bumped.cameras["cam0"] is rig.cameras["cam0"]
    assert true_rig_at(session, faults, 0.4) is rig and true_rig_at(session, faults, 1.0) is rig
    before, after = sent_by(session)["cam1"][20], sent_by(session, "camera-bump:cam1@0.5-1.0=1.5deg,30mm")["cam1"][20]
    shift = (
        project(bumped.cameras["cam1"], session.sites_m[20])[0] - project(rig.cameras["cam1"], session.sites_m[20])[0]
    )
    seen = after.frame.points[0, :, 2] > 0.0
    given_shift = (after.frame.points - before.frame.points)[0, seen, :2]
    # 1.5 deg at 1,100 px are up to 29 px; float32 pixels below 2000
    assert given_shift == pytest.approx(shift[seen], abs=1e-3) and np.abs(shift).max() > 3.0


def test_a_camera_drifts_with_time_and_zooms_at_once(session: SimulatedSession) -> None:
    faults = parse_faults(["camera-drift:cam1@0.5=0.2deg/s", "camera-focal:cam0@0=2%"])
    angles = []
    for time_s in (0.5, 1.0, 1.5):
        rig = true_rig_at(session, faults, time_s)
        cosine = abs(rig.cameras["cam1"].orientation_xyzw @ session.rig_true.cameras["cam1"].orientation_xyzw)
        angles.append(np.degrees(2.0 * math.acos(min(1.0, cosine))))
        assert rig.cameras["cam0"].k[0, 0] == pytest.approx(1.02 * session.rig_true.cameras["cam0"].k[0, 0])
    # the arc cosine loses half of the digits near 1
    assert angles == pytest.approx([0.0, 0.1, 0.2], abs=1e-5)


def test_a_person_who_leaves_is_in_no_image(session: SimulatedSession) -> None:
    faults = parse_faults(["person-leaves@0.5-1.0"])
    assert [person_is_there(faults, time_s) for time_s in (0.4, 0.5, 0.9, 1.0)] == [True, False, False, True]
    for messages in sent_by(session, "person-leaves@0.5-1.0").values():
        assert [len(message.frame.points) for message in messages] == [1] * 15 + [0] * 15 + [1] * 30


def test_a_second_person_comes_beside_the_first_in_any_order_and_leaves_their_points_alone(
    session: SimulatedSession,
) -> None:
    before, after = sent_by(session, frames=360)["cam0"], sent_by(session, "second-person@2", frames=360)["cam0"]
    seen = [(a.frame.points[0], b.frame.points) for a, b in zip(before, after, strict=True)]
    places = [[np.array_equal(subject, person) for person in people] for subject, people in seen if len(people) > 1]
    assert all(sum(place) == 1 for place in places)
    assert len(places) > 100 and 0.3 < np.mean([place[0] for place in places]) < 0.7
    assert all(len(people) == 1 for _, people in seen[:60])


def test_a_session_that_starts_over_keeps_its_faults_where_they_are(session: SimulatedSession) -> None:
    cam = sent_by(session, "camera-stop:cam1@3-4", frames=150)["cam1"]
    assert len(cam) == 120 and not any(3.0 <= round(seconds(message), 6) < 4.0 for message in cam)


def test_faults_may_change_while_frames_are_sent(session: SimulatedSession) -> None:
    faults: list[Fault] = []
    heard = []
    for message in sent_in_order(session, lambda: faults, range(FRAMES)):
        heard.append(message.frame.camera)
        if len(heard) == 30:
            faults.append(Fault("camera-stop", ("cam1",)))
    assert heard.count("cam1") < heard.count("cam0") == FRAMES


@given(
    kind=st.sampled_from(sorted(KINDS)),
    start=st.integers(0, 100),
    length=st.one_of(st.none(), st.integers(1, 100)),
    cameras=st.lists(st.sampled_from(CAMERAS), unique=True),
    scale=st.floats(0.5, 8.0),
)
def test_a_fault_is_its_text(kind: str, start: int, length: int | None, cameras: list[str], scale: float) -> None:
    sizes = tuple(round(scale * size, 3) for _, size in KINDS[kind].sizes)
    end_s = math.inf if length is None else start + length
    fault = Fault(kind, tuple(cameras) if KINDS[kind].of_cameras else (), float(start), end_s, sizes)
    assert parse_fault(str(fault), CAMERAS) == fault


def test_sizes_that_are_not_given_are_the_kinds_own() -> None:
    fault = parse_fault("camera-bump:cam3@5=2deg")
    assert (fault.size("deg"), fault.size("mm"), fault.cameras, fault.start_s) == (2.0, 20.0, ("cam3",), 5.0)
    assert parse_fault("clock-step=-5").size("s") == -5.0
    assert parse_fault("camera-rate:cam1").size("Hz") == 25.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("camera-explode:cam1", "'camera-explode' is not a kind of fault"),
        ("", "'' is not a kind"),
        ("camera-stop:cam7", "there is no camera 'cam7' among cam0, cam1, cam2"),
        ("camera-stop:cam1@6-3", "'@6-3' is not a time"),
        ("camera-stop:cam1@1.2.3", "is not a time"),
        ("camera-bump:cam1=1kg", "'1kg' is not one of its sizes, such as 1deg and 20mm"),
        ("camera-bump:cam1=3", "'3' is not one of its sizes"),
        ("camera-rate:cam1=0Hz", "'0Hz' is not one of its sizes"),
        ("camera-stop=1s", "is not one of its sizes, such as none"),
        ("person-leaves:cam1", "person-leaves is not a camera's"),
    ],
)
def test_a_wrong_text_is_refused_with_the_kinds_there_are(text: str, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_fault(text, CAMERAS)
    sentence = str(refusal.value)
    assert words in sentence and all(kind in sentence for kind in KINDS) and "\n" not in sentence


def test_simulate_writes_the_faulty_messages_and_the_truth_that_goes_with_them(tmp_path, capsys) -> None:
    out = tmp_path / "bag"
    small = ["--cameras", "3", "--fps", "30", "--seconds", "1", "--keypoint-set", "coco_17", "--path", "treadmill"]
    faults = ["--fault", "camera-bump:cam1@0.5", "--fault", "camera-stop:cam2@0.2-0.4", "--fault", "person-leaves@0.9"]
    main(["simulate", "--out", str(out), *small, *faults], standalone_mode=False)
    topics = [topic for topic, _, _ in read_bag(out)]
    assert topics.count("/cam2/keypoints") == 24 and topics.count("/cam1/keypoints") == 30
    assert topics.count("/truth/fitted_cameras") == 2 and topics.count("/truth/body_state") == 27


def test_simulate_refuses_a_camera_that_is_not_there(tmp_path) -> None:
    settings = SimulationSettings(cameras=3, seconds=0.5, keypoint_set="coco_17", faults=("camera-stop:cam5",))
    with pytest.raises(InputError, match="there is no camera 'cam5'"):
        simulate(settings)
