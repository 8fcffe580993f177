"""Steps beside the live estimator: told early, final later, the same in a replay, never across the end of a track."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from markerless_biomech.capture import Capture
from markerless_biomech.gait.step_watch import StepNews, StepWatch
from markerless_biomech.gait.values import StepEvent
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.recording.export_motion import last_words
from markerless_biomech.recording.exports import export
from markerless_biomech.recording.recorded_session import read_session
from markerless_biomech.recording.replay import replay
from markerless_biomech.recording.simulated_bag import write_simulation
from markerless_biomech.results import FitReport, MotionEstimate, lost
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.virtual_rig import START_NS, SimulatedSession, simulate

WALK = SimulationSettings(cameras=4, fps=30.0, seconds=5.0, keypoint_set="halpe_26", path="treadmill", noise_px=2.0)
SESSION: SimulatedSession = simulate(WALK)
KEYPOINTS = load_keypoint_set(WALK.keypoint_set)


@pytest.fixture(scope="module")
def walked() -> tuple[list[MotionEstimate], list[StepNews]]:
    """Every estimate of the walk, with what it said of steps; at last what the end said."""
    settings = EstimatorSettings(cameras=tuple(SESSION.rig_nominal.cameras), keypoint_set=WALK.keypoint_set)
    capture = Capture(settings, KEYPOINTS, SESSION.subject)
    capture.estimator.set_rig(SESSION.rig_nominal)
    capture.compile()
    estimates = [estimate for frame in SESSION.frames() for estimate in capture.push(frame)] + list(capture.flush())
    news = [capture.steps(estimate) for estimate in estimates]
    return estimates, [*news, capture.last_steps(capture.estimator.finish())]


def told(news: Sequence[StepNews]) -> list[StepEvent]:
    return [event for one in news for event in one.events]


def by_id(news: Sequence[StepNews]) -> dict[int, list[StepEvent]]:
    histories = defaultdict(list)
    for event in told(news):
        histories[event.id].append(event)
    return histories


def watched(estimates: Sequence[MotionEstimate]) -> list[StepNews]:
    """What another watch says of these estimates."""
    watch = StepWatch(KEYPOINTS, SESSION.subject, -1.0, 0.5)
    return [*(watch.take(estimate, SESSION.subject) for estimate in estimates), watch.finish(())]


def gone(stamp_ns: int, settled: tuple = ()) -> MotionEstimate:
    return MotionEstimate(lost(stamp_ns, len(KEYPOINTS), settled=False), settled, FitReport(stamp_ns, "LOST"))


def test_every_true_event_within_the_walk_is_found_and_none_invented(walked) -> None:
    """Away from both ends, within 50 ms: more than a frame of 33 ms."""
    found = [event for event in last_words(told(walked[1])) if event.final]
    times_s = {(event.side, event.type): [] for event in found}
    for event in found:
        times_s[event.side, event.type].append((event.stamp_ns - START_NS) * 1e-9)
    true = [event for event in SESSION.motion.events if 1.5 < event.time_s < WALK.seconds - 0.5]
    assert len(true) >= 8
    for event in true:
        assert min(abs(np.array(times_s[event.side, event.type]) - event.time_s)) < 0.05
    assert sum(1.5 < time_s < WALK.seconds - 0.5 for times in times_s.values() for time_s in times) <= len(true) + 2


def test_events_are_provisional_first_and_final_later_under_one_id(walked) -> None:
    histories = [one for one in by_id(walked[1]).values() if not one[-1].withdrawn]
    assert len(histories) >= 8
    for revisions in histories:
        assert [event.revision for event in revisions] == list(range(len(revisions)))
        assert len({(event.side, event.type) for event in revisions}) == 1
        finals = [event.final for event in revisions]
        assert finals == sorted(finals) and finals[-1]
    assert sum(not revisions[0].final for revisions in histories) >= len(histories) - 4, "those of the first second"


def test_parameters_come_with_the_strides(walked) -> None:
    parameters = [one.parameters for one in walked[1] if one.parameters is not None]
    strides = [one.strides for one in parameters]
    assert strides == sorted(strides) and strides[-1] >= 3
    assert parameters[-1].speed_mean_m_s == pytest.approx(WALK.speed_m_s, rel=0.05)


def test_a_lost_track_ends_nothing_half_way(walked) -> None:
    """Cut in mid walk: what had settled stays, the rest is withdrawn, and no stride spans the gap."""
    estimates, _ = walked
    middle = len(estimates) // 2
    cut_ns = estimates[middle].live.stamp_ns
    news = watched([*estimates[:middle], gone(cut_ns), *estimates[middle + 6 :]])
    until = by_id(news[: middle + 1])
    assert all(revisions[-1].final for revisions in until.values())
    assert set(until).isdisjoint(by_id(news[middle + 1 :]))
    first = next(event for event in told(news[middle + 1 :]) if event.final and event.type == "heel_strike")
    assert np.isnan(first.step_time_s) and np.isnan(first.stride_time_s)


@pytest.mark.parametrize("how", ["fresh", "reset", "subject"])
def test_a_new_track_or_body_begins_a_new_walk(walked, how: str) -> None:
    estimates, _ = walked
    middle = len(estimates) // 2
    watch, other = StepWatch(KEYPOINTS, SESSION.subject, -1.0, 0.5), replace(SESSION.subject, name="another")
    before = [watch.take(estimate, SESSION.subject) for estimate in estimates[:middle]]
    change = {} if how == "subject" else {how: True}
    begun = watch.take(replace(estimates[middle], **change), other if how == "subject" else SESSION.subject)
    assert all(revisions[-1].final for revisions in by_id([*before, begun]).values())


def test_nothing_is_told_while_nobody_is_tracked() -> None:
    nobody = [MotionEstimate(None, (), FitReport(k, "LOST")) for k in range(3)]
    assert not told(watched([gone(0), *nobody]))


def test_after_a_failure_what_is_open_is_withdrawn_and_ids_go_on(walked) -> None:
    estimates, _ = walked
    watch = StepWatch(KEYPOINTS, SESSION.subject, -1.0, 0.5)
    before = [watch.take(estimate, SESSION.subject) for estimate in estimates[: len(estimates) // 2]]
    withdrawn = watch.abandon()
    assert all(event.withdrawn for event in withdrawn.events)
    assert all(revisions[-1].final for revisions in by_id([*before, withdrawn]).values())
    after = by_id([watch.take(estimate, SESSION.subject) for estimate in estimates[len(estimates) // 2 :]])
    assert min(after) > max(by_id(before))


def test_the_same_bag_gives_the_same_events_csv(tmp_path: Path) -> None:
    write_simulation(replace(WALK, seconds=3.0), tmp_path / "walk")
    tables = []
    for name in ("one", "two"):
        replay(tmp_path / "walk", SESSION.subject, tmp_path / name)
        export(tmp_path / name, tmp_path / name / "joints.csv")
        tables.append((tmp_path / name / "events.csv").read_bytes())
    assert tables[0] == tables[1]
    again = read_session(tmp_path / "two").results
    assert tables[0].count(b"\n") == 1 + len(last_words(again["step_events"])) > 5
    assert again["gait_parameters"][-1].strides >= 1
