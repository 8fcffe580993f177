"""What is sent to the process that refines the rig, what becomes of its answers, and when a rig is worth taking."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_calibration import KEYPOINTS, PATIENCE_S, RIG, Logger, outcome

from markerless_biomech.body.model import NEUTRAL_QPOS
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.nodes.slow_refinement import BATCH_S, SlowRefinement
from markerless_biomech.recording.result_messages import FittedCameras
from markerless_biomech.results import Tracking

FRAMES = round(60 * BATCH_S)
CALIBRATED = replace(
    subject_from_height(1.7, KEYPOINTS), offsets_m={KEYPOINTS.names[0]: np.zeros(3)}, keypoint_set=KEYPOINTS.name
)


@pytest.fixture
def refinement(monkeypatch):
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    made = []

    def make(half_life_s: float) -> SlowRefinement:
        made.append(SlowRefinement(half_life_s, Logger(), "fake_refinement"))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def settled(index, tracking=Tracking.TRACKED):
    """Frame set `index`, and the settled state of the one six earlier."""
    one, earlier = outcome(index), outcome(max(index - 6, 0))
    body = replace(earlier.estimate.live, settled=True, tracking=tracking, qpos=np.asarray(NEUTRAL_QPOS))
    return replace(one, estimate=replace(one.estimate, settled=(body,)))


def walk(refinement, frames, start=0, tracking=Tracking.TRACKED):
    for index in range(start, start + frames):
        refinement.note(settled(index, tracking))


def wait_for_a_rig(refinement):
    deadline = time.monotonic() + PATIENCE_S
    while not refinement.keep_house():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_batch_is_answered_by_a_rig_and_the_next_one_too(refinement):
    slow = refinement(5.0)
    slow.begin(RIG, CALIBRATED, KEYPOINTS, {})
    for batch in range(2):
        walk(slow, FRAMES + 20, start=1000 * batch)
        wait_for_a_rig(slow)
    assert slow.fit is not None and "2 batches" in slow.words()


@pytest.mark.parametrize(("half_life_s", "worth"), [(5.0, True), (1.0, False)])
def test_a_rig_is_worth_taking_from_two_millimetres_on(refinement, half_life_s, worth):
    slow = refinement(half_life_s)  # the fake moves the cameras by as many millimetres
    slow.begin(RIG, CALIBRATED, KEYPOINTS, {})
    walk(slow, FRAMES + 20)
    wait_for_a_rig(slow)
    assert slow.worth_taking(RIG) == worth


def test_poses_that_were_only_predicted_are_not_sent(refinement):
    slow = refinement(5.0)
    slow.begin(RIG, CALIBRATED, KEYPOINTS, {})
    walk(slow, FRAMES + 20, tracking=Tracking.COASTING)
    assert not slow.keep_house() and slow.words() == "collecting"


def test_a_person_who_was_never_calibrated_is_not_blamed_on_the_cameras(refinement):
    slow = refinement(5.0)
    slow.begin(RIG, subject_from_height(1.7, KEYPOINTS), KEYPOINTS, {})
    assert "waits for a calibrated subject" in slow.words()
    walk(slow, FRAMES + 20)
    assert not slow.keep_house()


def test_what_was_seen_while_a_camera_moved_is_forgotten(refinement):
    slow = refinement(5.0)
    slow.begin(RIG, CALIBRATED, KEYPOINTS, {})
    walk(slow, FRAMES + 20)
    slow.forget_batch()
    assert not slow.keep_house() and slow.words() == "collecting"


@pytest.mark.parametrize("again", [True, False], ids=["another rig", "a camera moved"])
def test_a_batch_that_grows_is_forgotten_too(refinement, monkeypatch, again):
    """The first half was seen by cameras that stood elsewhere."""
    asked = []
    slow = refinement(5.0)
    slow.begin(RIG, CALIBRATED, KEYPOINTS, {})
    walk(slow, FRAMES // 2)
    if again:
        slow.begin(RIG, CALIBRATED, KEYPOINTS, {})
    else:
        slow.forget_batch()
    monkeypatch.setattr(slow._process, "ask", asked.append)
    walk(slow, FRAMES + 20, start=FRAMES // 2)
    slow.keep_house()
    (batch,) = asked
    assert batch.frame_sets[0].stamp_ns == outcome(FRAMES // 2).frame_set.stamp_ns


def test_cameras_that_stand_are_shown_where_they_were_refined_to_and_others_where_they_moved(refinement):
    slow = refinement(5.0)
    slow.begin(RIG, CALIBRATED, KEYPOINTS, {})
    names = tuple(RIG.cameras)
    poses = np.array([np.r_[camera.position_m, camera.orientation_xyzw] for camera in RIG.cameras.values()])
    zeros, count = np.zeros(len(names)), len(names)
    status = np.array([FittedCameras.MOVED] + [FittedCameras.OK] * (count - 1))
    now = FittedCameras(0, names, names, poses, np.zeros((count, 6, 6)), zeros, zeros, zeros, zeros, status)
    assert slow.shown(now) is now
    walk(slow, FRAMES + 20)
    wait_for_a_rig(slow)
    shown = slow.shown(now)
    np.testing.assert_allclose(shown.poses[1:, 0], poses[1:, 0] + 5e-3)
    np.testing.assert_array_equal(shown.poses[0], poses[0])
    assert not shown.covariance[0].any() and shown.covariance[1:].any()
    assert not now.covariance.any()
