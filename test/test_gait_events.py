"""Heel strikes and toe offs: found early, told once each, at the right time, and none where nobody steps."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from made_feet import Manner, made_feet
from made_steps import START_NS, Feet, compared, noisy, sample, simulated_feet, told_live

from markerless_biomech.gait.events import GaitDetector
from markerless_biomech.gait.rules import GaitRule
from markerless_biomech.recording.step_judgement import last_revisions

WALKS = [(0, 0.6, 1.60), (1, 0.9, 1.67), (2, 1.25, 1.74), (3, 1.5, 1.81), (4, 1.8, 1.88)]
"""Five people: seed, speed (m/s), stature (m)."""


def straight(seed: int, speed_m_s: float, height_m: float) -> Feet:
    return noisy(simulated_feet(seed=seed, speed_m_s=speed_m_s, height_m=height_m, path="line", seconds=7.0), seed)


@pytest.fixture(scope="module", params=WALKS, ids=lambda walk: f"{walk[1]} m/s")
def walked(request: pytest.FixtureRequest):
    feet = straight(*request.param)
    return feet, told_live(feet, request.param[0])


def test_every_event_is_found_and_none_invented(walked) -> None:
    feet, told = walked
    comparison = compared(last_revisions(event for _, event in told), feet)
    assert not comparison.missed
    assert not comparison.false
    assert comparison.detected >= 15


def test_final_times_are_right(walked) -> None:
    """Median |error| at most 8 ms for both types: half a frame of 60 Hz."""
    feet, told = walked
    comparison = compared(last_revisions(event for _, event in told), feet)
    for errors in comparison.time_error_s.values():
        assert np.median(np.abs(errors)) < 8e-3


def test_step_length_and_width_are_right(walked) -> None:
    """Medians: 8 mm and 6 mm are asked for; the footprints' noise alone is about 1 mm."""
    feet, told = walked
    comparison = compared(last_revisions(event for _, event in told), feet)
    assert len(comparison.length_error_m) >= 4
    assert np.median(np.abs(comparison.length_error_m)) < 4e-3
    assert np.median(np.abs(comparison.width_error_m)) < 4e-3


def test_events_are_told_early_and_final_soon(walked) -> None:
    """Provisional 100 ms after they happened, final after 500 ms, sizes 500 ms after the other foot's next strike.

    Slower than real life by nothing but the samples' own spacing; the first half second has no history.
    """
    feet, told = walked
    first, final, sized = {}, {}, {}
    for now_s, event in told:
        first.setdefault(event.id, now_s)
        if event.final:
            final.setdefault(event.id, now_s)
        if np.isfinite(event.step_length_m):
            sized[event.id] = now_s
    kept = [event for event in last_revisions(event for _, event in told) if event.id in final]
    strikes = [event for event in kept if event.type == "heel_strike"]
    for event in kept:
        time_s = (event.stamp_ns - START_NS) * 1e-9
        if 0.5 < time_s < feet.times_s[-1] - 0.6:
            assert first[event.id] - time_s < 0.1
            assert final[event.id] - time_s < 0.5
    for event, after in zip(strikes, strikes[1:], strict=False):
        after_s = (after.stamp_ns - START_NS) * 1e-9
        if event.id in sized and after_s < feet.times_s[-1] - 0.6:
            assert sized[event.id] - after_s < 0.5


def test_revisions_count_up_and_time_stays_once_final(walked) -> None:
    _, told = walked
    history = defaultdict(list)
    for _, event in told:
        history[event.id].append(event)
    for revisions in history.values():
        assert [event.revision for event in revisions] == list(range(len(revisions)))
        assert len({(event.side, event.type) for event in revisions}) == 1
        final = [event for event in revisions if event.final]
        assert final, "every event ends final or withdrawn"
        assert len({event.stamp_ns for event in final if not event.withdrawn}) <= 1


def test_claimed_std_and_confidence_are_those_of_the_errors(walked) -> None:
    """Root mean square of error / std between 1/3 and 2: the std is neither boast nor excuse."""
    feet, told = walked
    found = last_revisions(event for _, event in told)
    comparison = compared(found, feet)
    ratio = np.concatenate([comparison.time_error_s[kind] / comparison.time_std_s[kind] for kind in feet_types()])
    assert 1 / 3 < np.sqrt(np.mean(ratio**2)) < 2.0
    assert min(event.confidence for event in found) > 0.5


def feet_types() -> tuple[str, ...]:
    return ("heel_strike", "toe_off")


def test_the_same_samples_give_the_same_events() -> None:
    feet = straight(*WALKS[2])
    again = [told_live(feet) for _ in range(2)]
    assert [(now, event.id, event.revision, event.stamp_ns) for now, event in again[0]] == [
        (now, event.id, event.revision, event.stamp_ns) for now, event in again[1]
    ]


@pytest.mark.parametrize("path", ["stand", "sit-to-stand"])
def test_feet_that_stay_on_the_floor_make_no_events(path: str) -> None:
    feet = noisy(simulated_feet(path=path, seconds=30.0))
    assert told_live(feet) == []


def shifting_weight(seconds: float = 60.0) -> Feet:
    """Standing; every two seconds the weight goes to the other foot, and the unloaded heel rises by 3 cm."""
    times_s = np.arange(0.0, seconds, 1.0 / 60.0)
    points = np.zeros((len(times_s), 5, 3))
    points[:, :, 1] = [0.1, -0.1, 0.11, -0.11, 0.0]
    points[:, 2:4, 0] = 0.22
    shift = np.sin(np.pi * times_s / 2.0)
    points[:, 4] = [0.05, 0.0, 0.95]
    points[:, 4, 1] += 0.08 * shift
    points[:, 0, 2] = 0.03 * np.clip(-shift, 0.0, 1.0) ** 2
    points[:, 1, 2] = 0.03 * np.clip(shift, 0.0, 1.0) ** 2
    return Feet(times_s, points)


def test_weight_shifting_for_a_minute_makes_no_event() -> None:
    assert told_live(noisy(shifting_weight())) == []


def test_points_alone_suffice_without_a_pelvis_and_through_gaps() -> None:
    """Marker recordings: settled samples only; three samples in twenty of a heel are missing."""
    feet = straight(*WALKS[2])
    points = feet.points_m.copy()
    points[:, 4] = np.nan
    points[np.arange(len(points)) % 20 < 3, 0] = np.nan
    gappy = Feet(feet.times_s, points, feet.events)
    detector = GaitDetector()
    told = [event for row in range(len(points)) for event in detector.update(sample(gappy, row, True))]
    comparison = compared(last_revisions(told + detector.finish()), feet)
    assert not comparison.missed and not comparison.false


def test_time_that_jumps_back_starts_a_new_walk_with_new_ids() -> None:
    feet = straight(*WALKS[2])
    detector = GaitDetector()
    first = [event for _, event in told_live(feet, detector=detector)]
    second = [event for _, event in told_live(feet, detector=detector)]
    assert len(last_revisions(second)) >= len(last_revisions(first)) - 1
    assert min(event.id for event in second if not event.withdrawn) > max(event.id for event in first)


def test_stance_is_certain_in_mid_stance_and_in_mid_swing() -> None:
    """The probabilities that the next solve may hold feet with."""
    feet = straight(*WALKS[2])
    detector, stance = GaitDetector(), {}
    for row in range(len(feet.times_s)):
        detector.update(sample(feet, row, True))
        known = detector.stance()
        assert known is not None
        stance |= {stamp_ns: (known, at) for at, stamp_ns in enumerate(known.stamps_ns.tolist())}
    strikes = [event for event in feet.events if event.type == "heel_strike" and event.side == "left"]
    heel_left, toe_left = 0, 2
    for event in strikes[1:-1]:
        middle, swing = (min(stance, key=lambda ns, t=t: abs(ns - event.stamp_ns - t)) for t in (250e6, -200e6))
        known, at = stance[middle]
        assert known.foot[at, 0] > 0.95 and (known.still[at, [heel_left, toe_left]] > 0.9).all()
        assert abs(known.floor_m[at, heel_left]) < 5e-3
        known, at = stance[swing]
        assert known.foot[at, 0] < 0.05 and known.still[at, heel_left] < 0.05


def test_a_given_belt_speed_is_used_and_zero_is_believed() -> None:
    feet = noisy(simulated_feet(path="treadmill", speed_m_s=1.2, seconds=6.0))
    given, still = GaitDetector(GaitRule(belt_speed_m_s=1.2)), GaitDetector(GaitRule(belt_speed_m_s=0.0))
    comparison = compared(last_revisions(event for _, event in told_live(feet, detector=given)), feet)
    assert not comparison.false and len(comparison.missed) <= 2
    told_live(feet, detector=still)
    assert not still._belt.velocity_m_s.any()


def faster_from(feet: Feet, from_s: float, times: float, seconds: float) -> Feet:
    """The first of a walk over ground, on a belt that keeps up with it; from `from_s` on all goes `times` as fast."""
    now_s = np.arange(0.0, seconds, 1.0 / 60.0)
    then_s = now_s + (times - 1.0) * np.maximum(now_s - from_s, 0.0)
    points = np.array(
        [[np.interp(then_s, feet.times_s, axis) for axis in point.T] for point in feet.points_m.swapaxes(0, 1)]
    )
    points = points.transpose(2, 0, 1)
    points[..., 0] -= then_s[:, None]
    when_s = [float(np.interp((one.stamp_ns - START_NS) * 1e-9, then_s, now_s)) for one in feet.events]
    events = [replace(one, stamp_ns=START_NS + round(s * 1e9)) for one, s in zip(feet.events, when_s, strict=True)]
    return Feet(now_s, points, tuple(one for one in events if one.stamp_ns < START_NS + now_s[-1] * 1e9))


def test_a_belt_that_changes_its_speed_makes_no_event_twice() -> None:
    """From 1 to 1.45 m/s within a frame: what was final stays the same event."""
    feet = noisy(faster_from(made_feet(Manner(speed_m_s=1.0, seconds=20.0, stop_s=20.0)), 6.0, 1.45, 12.0))
    detector = GaitDetector()
    told = [event for _, event in told_live(feet, detector=detector)]
    np.testing.assert_allclose(detector._belt.velocity_m_s, [-1.45, 0.0], atol=0.05)
    comparison = compared(last_revisions(told), feet)
    assert not comparison.false and len(comparison.missed) <= 1
    kept = [event for event in last_revisions(told) if not event.withdrawn]
    for side, kind in Counter((event.side, event.type) for event in kept):
        stamps_ns = sorted(event.stamp_ns for event in kept if (event.side, event.type) == (side, kind))
        assert np.diff(stamps_ns).min() > 400_000_000


@pytest.mark.parametrize("speed_m_s", [0.6, 1.2, 1.8])
def test_the_first_events_on_a_belt_wait_half_a_second_whether_its_speed_is_told_or_not(speed_m_s: float) -> None:
    """Until the belt's direction is known, and one look more; it runs before the person is seen."""
    feet = noisy(simulated_feet(path="treadmill", speed_m_s=speed_m_s, seconds=4.0))
    for given in (float("nan"), speed_m_s):
        told = told_live(feet, detector=GaitDetector(GaitRule(belt_speed_m_s=given)))
        waits_s = [now_s - (event.stamp_ns - START_NS) * 1e-9 for now_s, event in told if event.revision == 0]
        assert len(waits_s) >= 6 and max(waits_s) < 0.65
        assert not compared(last_revisions(event for _, event in told), feet).false


def test_a_belt_that_starts_under_a_person_who_stood_is_found_within_a_second_and_a_half() -> None:
    """The three seconds before are not weighed against it until they are in the minority."""
    over_ground = made_feet(Manner(speed_m_s=1.0, start_s=3.0, stop_s=20.0, seconds=8.0))
    points = over_ground.points_m - over_ground.points_m[:, 4:, :1] * [1.0, 0.0, 0.0]
    told = told_live(noisy(Feet(over_ground.times_s, points)))
    waits_s = [now_s - (event.stamp_ns - START_NS) * 1e-9 for now_s, event in told if event.revision == 0]
    assert len(waits_s) >= 15 and max(waits_s) < 1.5
