"""Another body in the middle of a walk: the track goes on, every frame is settled once, and the new body is used."""

from dataclasses import replace

import numpy as np
import pytest

from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.capture import Capture
from markerless_biomech.results import Tracking
from markerless_biomech.settings import EstimatorSettings, SimulationSettings
from markerless_biomech.simulation.virtual_rig import START_NS, simulate

SESSION = simulate(
    SimulationSettings(
        cameras=4, fps=30.0, seconds=4.0, keypoint_set="coco_17", path="treadmill", hard_person=True, noise_px=2.0
    )
)
GENERIC = subject_from_height(SESSION.settings.height_m, SESSION.keypoint_set)
EXCHANGE = 60
"""Frame before which the body is exchanged."""
TRUTH = {
    START_NS + int(stamp_ns): qpos
    for stamp_ns, qpos in zip(np.median(SESSION.stamps_ns, axis=1), SESSION.motion.qpos, strict=True)
}
KNEES_AND_ELBOWS = [7 + 3, 7 + 10, 7 + 23, 7 + 30]
"""In qpos: their neighbours' lengths decide them."""


@pytest.fixture(scope="module")
def compiled():
    settings = EstimatorSettings(cameras=tuple(SESSION.rig_nominal.cameras), keypoint_set="coco_17")
    capture = Capture(settings, SESSION.keypoint_set, GENERIC)
    capture.estimator.set_rig(SESSION.rig_nominal)
    capture.estimator.compile()
    return capture


@pytest.fixture
def capture(compiled):
    """At the start of a track with the generic body."""
    compiled.assembler.reset()
    compiled.estimator.set_subject(GENERIC)
    compiled.estimator.care.reset()
    compiled.estimator.finish()
    compiled.estimator.lost_is_said = True
    return compiled


def frame_sets(capture):
    return [one for frame in SESSION.frames() for one in capture.assembler.push(frame)] + capture.assembler.flush()


def walk(capture, sets, exchange_before, subject):
    """All estimates of a walk, the body exchanged on the way."""
    estimates = []
    for index, one in enumerate(sets):
        if index == exchange_before:
            capture.estimator.exchange_subject(subject)
        estimates.append(capture.estimate(one))
    return estimates


def rmse_deg(bodies):
    errors = [np.asarray(body.qpos)[KNEES_AND_ELBOWS] - TRUTH[body.stamp_ns][KNEES_AND_ELBOWS] for body in bodies]
    return np.degrees(np.sqrt(np.mean(np.square(errors))))


def test_every_frame_is_tracked_and_the_error_is_small_soon_after(capture):
    programs = capture.estimator.live.programs
    estimates = walk(capture, frame_sets(capture), EXCHANGE, SESSION.subject)
    live = [estimate.live for estimate in estimates]
    assert {body.tracking for body in live} == {Tracking.TRACKED}
    assert capture.estimator.live.programs is programs
    generic, true = rmse_deg(live[20:EXCHANGE]), rmse_deg(live[EXCHANGE + 5 :])
    assert true < 0.5 * generic
    assert rmse_deg(live[EXCHANGE : EXCHANGE + 5]) < 0.5 * generic
    assert np.abs(np.diff([body.qpos[:3] for body in live[EXCHANGE - 5 : EXCHANGE + 5]], axis=0)).max() < 0.1


def test_every_frame_is_settled_once_in_order_those_that_waited_with_the_new_body(capture):
    estimates = walk(capture, frame_sets(capture), EXCHANGE, SESSION.subject)
    settled = [body for estimate in estimates for body in estimate.settled] + list(capture.estimator.finish())
    assert [body.stamp_ns for body in settled] == [estimate.live.stamp_ns for estimate in estimates]
    waited = estimates[EXCHANGE].settled
    assert all(body.stamp_ns < estimates[EXCHANGE].live.stamp_ns for body in waited)
    assert rmse_deg(waited) < 0.5 * rmse_deg(settled[20:50])


def test_a_track_that_coasts_goes_on_coasting_and_is_found_again(capture):
    sets = frame_sets(capture)
    for index in range(EXCHANGE - 10, EXCHANGE + 3):
        sets[index] = replace(sets[index], frames={})
    estimates = walk(capture, sets, EXCHANGE, SESSION.subject)
    coasting = [n for n, estimate in enumerate(estimates) if estimate.live.tracking is Tracking.COASTING]
    assert coasting == list(range(EXCHANGE - 10, EXCHANGE + 3))
    assert {estimate.live.tracking for estimate in estimates} == {Tracking.TRACKED, Tracking.COASTING}
    assert rmse_deg([estimate.live for estimate in estimates[EXCHANGE + 20 :]]) < 3.0


@pytest.mark.parametrize("seen_frames", [0, 1, 3])
def test_at_the_start_of_a_track_or_before_it_the_body_is_exchanged_too(capture, seen_frames):
    estimates = walk(capture, frame_sets(capture)[:30], seen_frames, SESSION.subject)
    assert capture.estimator.subject is SESSION.subject
    assert {estimate.live.tracking for estimate in estimates} == {Tracking.TRACKED}
    assert rmse_deg([estimate.live for estimate in estimates[15:]]) < 3.0


def test_a_window_that_saw_nothing_keeps_its_prediction(capture):
    sets = frame_sets(capture)
    frames = capture.estimator.settings.window_frames
    capture.estimator.exchange_subject(GENERIC)
    for index, one in enumerate(sets[: 20 + frames]):
        if index >= 20:
            one = replace(one, frames={}, stamp_ns=sets[19].stamp_ns + (index - 19) * 10_000_000)
        last = capture.estimate(one)
    assert last.live.tracking is Tracking.COASTING
    capture.estimator.exchange_subject(SESSION.subject)
    one = replace(sets[20], frames={}, stamp_ns=one.stamp_ns + 10_000_000)
    after = capture.estimate(one).live
    assert after.tracking is Tracking.COASTING and np.abs(after.qpos - last.live.qpos).max() < 0.3


def test_a_body_that_makes_the_fit_diverge_starts_cold(capture):
    sets = frame_sets(capture)
    for one in sets[:20]:
        capture.estimate(one)
    broken = replace(SESSION.subject, scales=SESSION.subject.scales * np.nan)
    capture.estimator.exchange_subject(broken)
    assert capture.estimator.tracking is Tracking.LOST
    capture.estimator.exchange_subject(SESSION.subject)
    assert capture.estimate(sets[20]).live.tracking is Tracking.TRACKED
