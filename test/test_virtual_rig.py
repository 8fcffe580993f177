"""The virtual rig: what the cameras report is the truth plus the errors that were asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from markerless_biomech.cameras.calibrated_camera import checked_camera
from markerless_biomech.errors import InputError
from markerless_biomech.keypoints import SHIPPED_KEYPOINT_SETS, load_keypoint_set
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.camera_ring import nominal_rig, project, true_rig
from markerless_biomech.simulation.occlusion import body_capsules, hidden_sites
from markerless_biomech.simulation.person import person_subject
from markerless_biomech.simulation.skeleton import build_skeleton
from markerless_biomech.simulation.virtual_rig import SimulatedSession, simulate

SHORT = SimulationSettings(cameras=3, seconds=1.5, keypoint_set="coco_17")


def perfect_pixels(session: SimulatedSession) -> np.ndarray:
    """(F, C, K, 2) of the true sites, by the true cameras."""
    cameras = session.rig_true.cameras.values()
    return np.stack([project(camera, session.sites_m)[0] for camera in cameras], axis=1)


@pytest.fixture(scope="module")
def noisy() -> SimulatedSession:
    return simulate(dataclasses.replace(SHORT, seconds=6.0, cameras=4))


@pytest.fixture(scope="module")
def realistic() -> SimulatedSession:
    return simulate(SimulationSettings(cameras=4, seconds=8.0, realistic=True))


def test_without_noise_keypoints_are_the_projected_sites() -> None:
    session = simulate(dataclasses.replace(SHORT, noise_px=0.0))
    # float32 pixels below 2000
    assert np.abs(session.keypoints[..., :2] - perfect_pixels(session)).max() < 1e-3
    assert (session.keypoints[..., 2] >= 0.5).all()


def test_a_point_on_the_optical_axis_is_at_the_principal_point_and_one_behind_is_not_seen() -> None:
    camera = checked_camera(true_rig(SHORT).cameras["cam1"])
    rotation, center = camera.world_from_camera
    pixels, seen = project(camera, center + np.array([[3.0], [-3.0]]) * rotation[:, 2])
    assert np.allclose(pixels[0], camera.k[:2, 2], atol=1e-9)
    assert seen.tolist() == [True, False]


@pytest.mark.parametrize("path", ["loop", "there-and-back", "treadmill", "line", "sit-to-stand"])
def test_most_cameras_see_the_whole_person_all_along_the_path(path: str) -> None:
    session = simulate(dataclasses.replace(SHORT, cameras=8, seconds=8.0, path=path))
    whole = (session.keypoints[..., 2] > 0.0).all(-1).mean(1)
    assert whole.min() >= 0.75


def test_noise_is_white_and_as_large_as_asked_for_a_person_4_m_away(noisy: SimulatedSession) -> None:
    error = noisy.keypoints[..., :2] - perfect_pixels(noisy)
    pelvis = noisy.motion.qpos[:, None, :3]
    distance = np.linalg.norm(pelvis - [camera.position_m for camera in noisy.rig_true.cameras.values()], axis=-1)
    unit = error * (distance / 4.0)[..., None, None]
    # 49,000 samples: SD of the SD below 0.4 %
    assert unit.std() == pytest.approx(noisy.settings.noise_px, rel=0.02)
    assert abs(np.corrcoef(unit[1:].ravel(), unit[:-1].ravel())[0, 1]) < 0.02
    near = distance < 3.5
    assert error[near].std() > 1.15 * error[distance > 5.0].std()


def test_the_same_settings_give_the_same_session_and_another_seed_another_one() -> None:
    first, again, other = (simulate(dataclasses.replace(SHORT, realistic=True, seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.keypoints, again.keypoints)
    assert np.array_equal(first.stamps_ns, again.stamps_ns)
    assert not np.array_equal(first.keypoints, other.keypoints)
    assert not np.allclose(first.subject.scales, other.subject.scales)


def test_the_nominal_rig_is_off_by_what_was_asked() -> None:
    settings = dataclasses.replace(SHORT, camera_error_deg=0.5, camera_error_mm=20.0)
    true = true_rig(settings)
    nominal = nominal_rig(settings, true)
    for name, camera in true.cameras.items():
        believed = nominal.cameras[name]
        assert np.linalg.norm(believed.position_m - camera.position_m) == pytest.approx(0.02, rel=1e-6)
        cosine = abs(believed.orientation_xyzw @ camera.orientation_xyzw)
        assert np.degrees(2.0 * np.arccos(min(1.0, cosine))) == pytest.approx(0.5, rel=1e-3)
    assert nominal_rig(SHORT, true).cameras["cam0"].position_m == pytest.approx(true.cameras["cam0"].position_m)


def test_sites_behind_the_body_are_hidden_and_joint_centres_are_not() -> None:
    keypoint_set = load_keypoint_set("bml_movi_87")
    skeleton = build_skeleton(person_subject(SimulationSettings(offset_sd_mm=0.0)), keypoint_set)
    # a walker's pose, arms beside the trunk; camera in front, 4 m away
    qpos = skeleton.model.qpos0[None].copy()
    sites = skeleton.sites_m(qpos)
    hidden = hidden_sites(skeleton, body_capsules(skeleton), qpos, sites, np.array([4.0, 0.0, 1.3]))[0]
    index = keypoint_set.site_from_keypoint
    for name in ("upperback", "lbum", "rscapula", "lbackhead", "backneck"):
        assert hidden[index[name]], name
    for name in ("sternum", "lfrontthigh", "rshin", "LKnee", "RAnkle", "LShoulder", "RElbow", "lfronthead", "RBigToe"):
        assert not hidden[index[name]], name


def test_self_occlusion_alone_hides_points_and_invents_none() -> None:
    session = simulate(dataclasses.replace(SHORT, keypoint_set="bml_movi_87", occlusion=True))
    seen = session.keypoints[..., 2] > 0.0
    assert 0.1 < 1.0 - seen.mean() < 0.5
    assert (session.keypoints[~seen] == 0.0).all()
    error = (session.keypoints[..., :2] - perfect_pixels(session))[seen]
    assert np.abs(error).max() < 8.0 * session.settings.noise_px


def test_outliers_come_as_often_as_asked() -> None:
    session = simulate(dataclasses.replace(SHORT, outliers=0.1, seconds=4.0))
    far = np.linalg.norm(session.keypoints[..., :2] - perfect_pixels(session), axis=-1) > 18.0
    # 12,000 points: SD 0.3 %; a few outliers are displaced by little
    assert far[session.keypoints[..., 2] > 0.0].mean() == pytest.approx(0.1, abs=0.02)


def test_realistic_noise_is_correlated_and_biased(realistic: SimulatedSession) -> None:
    good = (realistic.keypoints[..., 2] >= 0.5) & ~realistic.swapped
    error = np.where(good[..., None], realistic.keypoints[..., :2] - perfect_pixels(realistic), np.nan)
    error = np.where(np.abs(error) < 15.0, error, np.nan)
    often = (~np.isnan(error)).mean(0, keepdims=True) > 0.3
    error = np.where(often, error, 0.0)
    bias = np.where(often[0], np.nanmean(error, axis=0), np.nan)
    assert 1.0 < np.nanstd(bias) < 4.0
    apart = round(0.05 * realistic.settings.fps)
    steady = error - bias  # NaN where a site is seldom seen
    pairs = steady[apart:] * steady[:-apart]
    # half of the variance is AR(1) with 0.1 s: 0.5 exp(-0.5) = 0.3, and the bias moves with the view
    assert 0.2 < np.nanmean(pairs) / np.nanvar(steady) < 0.6


def test_swaps_exchange_whole_limbs_for_some_frames(realistic: SimulatedSession) -> None:
    assert 0.001 < realistic.swapped.mean() < 0.05
    names = realistic.keypoint_set.names
    left, right = names.index("LAnkle"), names.index("RAnkle")
    frames, cameras = np.nonzero(realistic.swapped[:, :, left])
    assert np.array_equal(realistic.swapped[:, :, left], realistic.swapped[:, :, right])
    seen = realistic.keypoints[frames, cameras, left, 2] > 0.5
    given = realistic.keypoints[frames, cameras, left, :2][seen]
    pixels = perfect_pixels(realistic)[frames, cameras][seen]
    to_right = np.linalg.norm(given - pixels[:, right], axis=-1)
    assert np.median(to_right) < 10.0


def test_confidence_is_half_or_more_for_what_is_seen_well(noisy: SimulatedSession) -> None:
    confidence = noisy.keypoints[..., 2]
    assert (confidence[confidence > 0.0] >= 0.5).all()
    assert confidence.max() < 1.0


def test_latency_and_jitter_delay_arrivals_and_keep_each_camera_in_order() -> None:
    still = simulate(SHORT)
    assert np.array_equal(still.stamps_ns, still.arrivals_ns)
    assert (np.ptp(still.stamps_ns, axis=1) == 0).all()
    late = simulate(dataclasses.replace(SHORT, latency_s=0.03, jitter_s=0.005))
    delay_s = (late.arrivals_ns - late.stamps_ns) * 1e-9
    assert delay_s.mean() == pytest.approx(0.03, abs=0.002)
    assert delay_s.std() == pytest.approx(0.005, rel=0.2)
    assert (np.diff(late.stamps_ns, axis=0) > 0).all() and (np.diff(late.arrivals_ns, axis=0) >= 0).all()
    off_s = (late.stamps_ns - still.stamps_ns) * 1e-9
    assert off_s.std() == pytest.approx(0.0005, rel=0.25)


def test_frames_start_over_after_the_last_one_and_time_goes_on() -> None:
    session = simulate(SHORT)
    count = len(session.stamps_ns)
    first, again = session.frame(1), session.frame(count + 1)
    assert again[0].stamp_ns - first[0].stamp_ns == session.period_ns == 1_500_000_000
    assert np.array_equal(again[0].points, first[0].points)
    assert again[0].frame_number == count + 2
    arrivals = [frame.arrival_ns for frame in session.frames(0)]
    assert len(arrivals) == 3 * count and arrivals == sorted(arrivals)


def test_a_camera_that_sees_nobody_says_so() -> None:
    session = simulate(SHORT)
    away = dataclasses.replace(session, keypoints=np.zeros_like(session.keypoints))
    assert all(frame.points.shape == (1, 17, 3) for frame in session.frame(0))
    assert all(frame.points.shape == (0, 17, 3) for frame in away.frame(0))


@pytest.mark.parametrize("name", SHIPPED_KEYPOINT_SETS)
def test_every_shipped_keypoint_set_can_be_simulated(name: str) -> None:
    session = simulate(dataclasses.replace(SHORT, keypoint_set=name, seconds=0.5))
    used = np.array([body != "" for body in session.keypoint_set.bodies])
    assert (session.keypoints[:, :, ~used, 2] == 0.0).all()
    assert (session.keypoints[:, :, used, 2] > 0.0).mean() > 0.9
    assert np.isfinite(session.keypoints).all()


def test_a_wrong_setting_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="path is 'moon'"):
        simulate(dataclasses.replace(SHORT, path="moon"))
