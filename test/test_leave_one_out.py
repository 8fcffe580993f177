"""The cameras foretell one that was left out: pixels and intervals, against noise that is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_results import made_session

from markerless_biomech.cameras.frame_set import FrameSet
from markerless_biomech.cameras.rig import Rig
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import KeypointFrame
from markerless_biomech.recording import metrics
from markerless_biomech.recording.leave_one_out import foretold, keypoint_noise_m, leave_one_out, without
from markerless_biomech.recording.oracle import BodyOracle
from markerless_biomech.recording.recorded_session import RecordedSession
from markerless_biomech.recording.reprojection import reprojection_residuals
from markerless_biomech.session import Trial


def recorded(session) -> RecordedSession:
    frames = [frame for frames in session.keypoints.values() for frame in frames]
    return RecordedSession(session.path, session.keypoint_set, Rig(session.rig), frames, {}, {})


def test_sure_sites_are_foretold_with_the_noise_of_the_other_cameras():
    """The trajectory is the truth, so only the detector's 3 px are left; cameras are 3 to 5 m away."""
    session = made_session(frames=60, cameras=4, noise_px=3.0)
    assert session.truth is not None
    track = dataclasses.replace(session.truth, sites_std_m=np.zeros_like(session.truth.sites_std_m))
    found = foretold(session, track, "cam1")
    assert len(found.error_px) == 60 * len(session.keypoint_set)
    assert np.sqrt(np.mean(found.error_px**2)) == pytest.approx(3.0, rel=0.02)
    # The noise is the same in pixels, near and far; as a length at the person it is not, hence the tolerance.
    for level, share in metrics.coverage(found.error_px, found.std_px).items():
        assert share == pytest.approx(int(level) / 100, abs=0.04)


def test_unsure_sites_widen_what_is_foretold():
    """20 mm along each axis at 4 m and f = 1100 px are 5.5 px along u and v."""
    session = made_session(frames=20, cameras=4, noise_px=3.0)
    assert session.truth is not None
    sure, unsure = (
        dataclasses.replace(session.truth, sites_std_m=np.full_like(session.truth.sites_std_m, std_m))
        for std_m in (0.0, 0.02)
    )
    before, after = foretold(session, sure, "cam0").std_px, foretold(session, unsure, "cam0").std_px
    added_px = np.sqrt(after**2 - before**2)
    assert np.median(added_px) == pytest.approx(1100 * 0.02 / 4.0, rel=0.1)


def test_the_camera_left_out_does_not_tell_its_own_noise():
    session = made_session(frames=20, cameras=4, noise_px=3.0)
    assert session.truth is not None
    before = foretold(session, session.truth, "cam2").std_px
    rng = np.random.default_rng(0)
    for frame in session.keypoints["cam2"]:
        frame.points[..., :2] += rng.normal(0, 50.0, frame.points[..., :2].shape)
    np.testing.assert_array_equal(foretold(session, session.truth, "cam2").std_px, before)


def test_a_keypoint_that_the_detector_places_badly_has_noise_of_its_own():
    session = made_session(frames=30, cameras=4, noise_px=2.0)
    assert session.truth is not None
    rng = np.random.default_rng(0)
    for frames in session.keypoints.values():
        for frame in frames:
            frame.points[:, 7, :2] += rng.normal(0, 20.0, 2)
    sites_m = BodyOracle(session.subject, session.keypoint_set).sites_m(session.truth.qpos)
    residuals = reprojection_residuals(session, session.rig, session.truth.stamps_ns, sites_m)
    noise_m = keypoint_noise_m(session.rig, residuals)
    assert noise_m[7] > 8 * np.median(noise_m)
    # 2 px at 4 m and f = 1100 px
    assert np.median(noise_m) == pytest.approx(2.0 * 4.0 / 1100, rel=0.1)


def test_points_of_little_confidence_are_not_scored():
    session = made_session(frames=10, cameras=3)
    assert session.truth is not None
    for frame in session.keypoints["cam0"]:
        frame.points[:, 10:, 2] = 0.4
    assert len(foretold(session, session.truth, "cam0").error_px) == 10 * 10


def test_a_camera_left_out_sees_nothing():
    def frame(camera: str, stamp_ns: int) -> KeypointFrame:
        return KeypointFrame(camera, stamp_ns, stamp_ns, np.ones((1, 17, 3), np.float32))

    def frame_set(stamp_ns: int, *cameras: str) -> FrameSet:
        frames = {name: frame(name, stamp_ns) for name in cameras}
        return FrameSet(stamp_ns, frames, "complete", stamp_ns, stamp_ns)

    rig = Rig(made_session(frames=2, cameras=3).rig)
    trial = Trial("walk", rig, (frame_set(0, "cam0", "cam1"), frame_set(1, "cam2"), frame_set(2, "cam1", "cam2")))
    fewer = without(trial, "cam2")
    assert [(one.stamp_ns, *one.frames) for one in fewer.frame_sets] == [(0, "cam0", "cam1"), (2, "cam1")]
    assert len(trial.frame_sets) == 3


def test_two_cameras_are_too_few():
    session = made_session(frames=5, cameras=2)
    with pytest.raises(InputError, match="2 cameras sent keypoints; --leave-one-out needs at least 3"):
        leave_one_out(recorded(session), session)
