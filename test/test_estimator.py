"""The live estimator on a small lab: three cameras, coco_17, a person who strides on the spot."""

import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
from virtual import FPS, circle_rig, frame_set, frame_sets, images_of, sites_of, swinging

from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.devices import choose_device
from markerless_biomech.errors import InputError
from markerless_biomech.estimator import MotionEstimator
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.results import Tracking
from markerless_biomech.settings import EstimatorSettings

KEYPOINTS = load_keypoint_set("coco_17")
RIG = circle_rig(3)
SUBJECT = subject_from_height(1.75, KEYPOINTS)
QPOS = swinging(90)
IMAGES = images_of(RIG, sites_of(SUBJECT, KEYPOINTS, QPOS), noise_px=1.0)
SEEN_JOINTS = [7, 10, 14, 17]  # hip flexion and knee of both sides, in qpos


@pytest.fixture(scope="module")
def compiled() -> MotionEstimator:
    settings = EstimatorSettings(cameras=tuple(RIG.cameras), keypoint_set="coco_17")
    estimator = MotionEstimator(settings.cameras, KEYPOINTS, SUBJECT, settings)
    estimator.set_rig(RIG)
    estimator.compile()
    return estimator


@pytest.fixture
def estimator(compiled):
    compiled.set_rig(RIG)
    compiled.set_subject(SUBJECT)
    compiled.care.reset()
    compiled.finish()
    compiled.lost_is_said = True
    return compiled


def errors_deg(estimates, indices):
    """Live error of hips and knees at the given frames."""
    found = np.array([estimates[i].live.qpos[SEEN_JOINTS] for i in indices])
    return np.degrees(found - QPOS[indices][:, SEEN_JOINTS])


def test_the_first_frame_set_is_enough_to_start(estimator):
    estimate = estimator.update(frame_sets(IMAGES)[0])
    assert estimate.live.tracking is Tracking.TRACKED and estimate.report.result == "OK"
    # One frame, three views, 1 px: hips and knees to a few degrees.
    assert np.abs(errors_deg([estimate], [0])).max() < 6.0


def test_live_angles_follow_the_truth(estimator):
    estimates = [estimator.update(f) for f in frame_sets(IMAGES)]
    assert all(e.live.tracking is Tracking.TRACKED for e in estimates)
    # 1 px at 4 m is 4 mm; hips and knees have levers of 0.4 m: 0.5 degrees a view, less after smoothing.
    assert np.sqrt(np.mean(errors_deg(estimates, list(range(20, 90))) ** 2)) < 1.5


def test_every_frame_is_settled_once_and_later(estimator):
    estimates = [estimator.update(f) for f in frame_sets(IMAGES)]
    settled = [s.stamp_ns for e in estimates for s in e.settled]
    stamps = [e.live.stamp_ns for e in estimates]
    lag = round(0.1 * FPS)
    assert settled == stamps[:-lag]
    assert all(e.settled[-1].stamp_ns == s for e, s in zip(estimates[lag:], stamps[: -lag or None], strict=True))


def test_what_waits_is_settled_when_the_track_ends(estimator):
    sets = frame_sets(IMAGES)
    for one in sets[:20]:
        estimator.update(one)
    estimate = estimator.lose(sets[20].stamp_ns, "nobody is there")
    assert [s.stamp_ns for s in estimate.settled] == [f.stamp_ns for f in sets[14:20]]
    assert estimate.live.tracking is Tracking.LOST and estimator.finish() == ()


def test_a_gap_settles_what_came_before_it(estimator):
    sets = frame_sets(IMAGES)
    for one in sets[:20]:
        estimator.update(one)
    estimate = estimator.update(sets[80])
    assert [s.stamp_ns for s in estimate.settled] == [f.stamp_ns for f in sets[14:20]]
    assert estimate.live.tracking is Tracking.TRACKED


def test_settled_is_better_than_live(estimator):
    truth = {frame.stamp_ns: q for frame, q in zip(frame_sets(IMAGES), QPOS, strict=True)}
    live, settled = [], []
    for estimate in [estimator.update(f) for f in frame_sets(IMAGES)][20:]:
        live.append((estimate.live.qpos - truth[estimate.live.stamp_ns])[SEEN_JOINTS])
        settled += [(np.asarray(s.qpos) - truth[s.stamp_ns])[SEEN_JOINTS] for s in estimate.settled]
    assert np.std(settled) < 0.9 * np.std(live)


def test_the_same_frame_sets_give_the_same_bits(estimator):
    first = [estimator.update(f).live.qpos for f in frame_sets(IMAGES)[:20]]
    estimator.reset()
    second = [estimator.update(f).live.qpos for f in frame_sets(IMAGES)[:20]]
    assert np.array_equal(first, second)


def test_without_two_views_the_state_coasts_and_its_std_grows_then_lost_once(estimator):
    sets = frame_sets(IMAGES)
    for one in sets[:30]:
        last = estimator.update(one)
    seen = [0, 1, 2, *(i - 1 for i in SEEN_JOINTS)]
    stds, states = [np.diag(last.live.covariance)[seen]], []
    for one in sets[30:75]:
        blind = replace(one, frames={"cam0": one.frames["cam0"]})
        estimate = estimator.update(blind)
        states.append(estimate.live.tracking if estimate.live else None)
        if estimate.live and estimate.live.tracking is Tracking.COASTING:
            assert estimate.live.stamp_ns == blind.stamp_ns and not estimate.live.site_seen.any()
            stds.append(np.diag(estimate.live.covariance)[seen])
    # coast_s = 0.5 s are 30 frames, or 29 by rounding.
    assert states.count(Tracking.LOST) == 1 and states.count(Tracking.COASTING) in (29, 30)
    assert states[31:] == [None] * (len(states) - 31)
    assert np.all(np.diff(stds, axis=0) > 0)


def test_it_finds_the_subject_again_by_itself(estimator):
    sets = frame_sets(IMAGES)
    for one in sets[:20]:
        estimator.update(one)
    for one in sets[20:60]:
        estimator.update(replace(one, frames={}))
    assert estimator.tracking is Tracking.LOST
    assert estimator.update(sets[60]).live.tracking is Tracking.TRACKED


def test_a_second_person_is_never_taken_for_the_subject(estimator):
    """Another person, first in every list, crosses at 0.7 m; the subject disappears for a while."""
    shifted = QPOS.copy()
    shifted[:, 1] += 0.7
    other = images_of(RIG, sites_of(SUBJECT, KEYPOINTS, shifted), noise_px=1.0, seed=5)
    estimates = []
    for index in range(90):
        people = {name: np.stack([other[name][index], IMAGES[name][index]]) for name in RIG.cameras}
        if index < 3:
            people = {name: both[1:] for name, both in people.items()}
        if 40 <= index < 55:
            people = {name: both[:1] for name, both in people.items()}
        estimates.append(estimator.update(frame_set(people, index)))
    assert {e.live.tracking for e in estimates[40:55]} == {Tracking.COASTING}
    assert {e.live.tracking for e in estimates[56:]} == {Tracking.TRACKED}
    sideways_m = [abs(e.live.qpos[1] - QPOS[i, 1]) for i, e in enumerate(estimates)]
    assert max(sideways_m) < 0.3


def test_exchanged_legs_in_one_camera_do_not_move_the_body(estimator):
    legs = np.array([any(part in name for part in ("hip", "knee", "ankle")) for name in KEYPOINTS.names])
    swapped = {name: points.copy() for name, points in IMAGES.items()}
    swapped["cam1"][30:60][:, legs] = swapped["cam1"][30:60][:, KEYPOINTS.partners][:, legs]
    estimates = [estimator.update(f) for f in frame_sets(swapped)]
    assert sum(e.report.keypoints_mirrored for e in estimates) > 0
    assert np.abs(errors_deg(estimates, list(range(25, 65)))).max() < 8.0


def test_a_jump_in_time_starts_anew(estimator):
    sets = frame_sets(IMAGES)
    for one in sets[60:80]:
        estimator.update(one)
    estimate = estimator.update(replace(sets[0], jumped=True), reset=True)
    assert estimate.reset and estimate.live.tracking is Tracking.TRACKED
    assert np.abs(errors_deg([estimate], [0])).max() < 6.0


def test_people_outside_the_capture_volume_do_not_start_a_track(compiled):
    settings = replace(compiled.settings, capture_volume_m=(3.0, 4.0, 3.0, 4.0, 0.0, 2.0))
    estimator = MotionEstimator(settings.cameras, KEYPOINTS, SUBJECT, settings)
    estimator.set_rig(RIG)
    estimate = estimator.update(frame_sets(IMAGES)[0])
    assert estimate.live is None and "no person" in estimate.report.result


def test_the_subject_is_exchanged_without_compiling(estimator):
    programs = estimator.live.programs
    taller = subject_from_height(1.9, KEYPOINTS)
    images = images_of(RIG, sites_of(taller, KEYPOINTS, QPOS), noise_px=1.0)
    estimator.set_subject(taller)
    estimates = [estimator.update(f) for f in frame_sets(images)]
    assert estimator.live.programs is programs
    assert np.sqrt(np.mean(errors_deg(estimates, list(range(20, 90))) ** 2)) < 1.5


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"capture_volume_m": (0.0, 1.0)}, "capture_volume_m is .*; expected xmin, xmax"),
        ({"capture_volume_m": (1.0, 0.0, 0.0, 1.0, 0.0, 1.0)}, "with min below max"),
        ({"camera_time_offsets_s": (0.0,)}, "camera_time_offsets_s has 1 values; expected one for each of 3 cameras"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_by_name(compiled, wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        MotionEstimator(compiled.camera_names, KEYPOINTS, SUBJECT, replace(compiled.settings, **wrong))


def test_one_camera_is_refused_with_a_sentence():
    settings = EstimatorSettings(cameras=("cam0",), keypoint_set="coco_17")
    with pytest.raises(InputError, match="cameras names 1; expected at least 2"):
        MotionEstimator(settings.cameras, KEYPOINTS, SUBJECT, settings)


def test_a_fit_that_diverges_says_so_and_the_next_frame_starts_cold(estimator):
    sets = frame_sets(IMAGES)
    for one in sets[:10]:
        estimator.update(one)
    window = estimator.live.window
    estimator.live.window = replace(window, gradient=window.gradient * np.nan)
    estimate = estimator.update(sets[10])
    assert estimate.report.result == "LOST: the fit diverged" and estimate.settled == ()
    assert estimate.live.tracking is Tracking.LOST and np.isfinite(estimate.live.qpos).all()
    assert estimator.update(sets[11]).live.tracking is Tracking.TRACKED


def test_without_a_gpu_auto_means_cpu_and_gpu_is_refused():
    if any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("this machine has a GPU")
    assert choose_device("auto").platform == choose_device("cpu").platform == "cpu"
    with pytest.raises(InputError, match="JAX sees no GPU"):
        choose_device("gpu")


def test_points_that_scatter_for_long_are_not_the_subject(estimator):
    """7 cm of scatter is within the gate, but nobody's detector: the track must not go on for ever."""
    sites_m = sites_of(SUBJECT, KEYPOINTS, swinging(240))
    clean, wild = images_of(RIG, sites_m, noise_px=1.0), images_of(RIG, sites_m, noise_px=20.0)
    images = {name: np.concatenate([clean[name][:20], wild[name][20:]]) for name in clean}
    results = [estimator.update(f).report.result for f in frame_sets(images)]
    assert "LOST: the images have not agreed with the model for too long" in results


def test_lost_is_said_once_after_a_gap_or_a_reset(estimator):
    sets = frame_sets(IMAGES)
    for one in sets[:20]:
        estimator.update(one)
    empty = [replace(one, frames={}) for one in sets]
    after_gap = [estimator.update(empty[80]), estimator.update(empty[81])]
    assert after_gap[0].live.tracking is Tracking.LOST and after_gap[1].live is None
    assert estimator.update(sets[82]).live.tracking is Tracking.TRACKED
    estimator.reacquire()
    assert estimator.update(empty[83]).live.tracking is Tracking.LOST


def test_a_new_subject_settles_what_waited_with_the_old_one(estimator):
    sets = frame_sets(IMAGES)
    for one in sets[:20]:
        estimator.update(one)
    estimator.set_subject(SUBJECT)
    assert [s.stamp_ns for s in estimator.update(sets[20]).settled] == [f.stamp_ns for f in sets[14:20]]


def test_a_camera_that_joins_keeps_the_track_one_that_moved_starts_it_anew(estimator):
    sets = frame_sets(IMAGES)
    two = replace(RIG, cameras={name: RIG.cameras[name] for name in ("cam0", "cam1")})
    estimator.set_rig(two)
    for one in sets[:20]:
        estimator.update(one)
    estimator.set_rig(RIG)
    assert estimator.tracking is Tracking.TRACKED
    shifted = {name: replace(c, position_m=c.position_m + [0.1, 0.0, 0.0]) for name, c in RIG.cameras.items()}
    estimator.set_rig(replace(RIG, cameras=shifted))
    estimate = estimator.update(sets[20])
    error_m = estimate.live.qpos[:3] - QPOS[20, :3] - [0.1, 0.0, 0.0]
    assert estimate.live.tracking is Tracking.TRACKED and np.abs(error_m).max() < 0.03


def test_points_that_the_set_does_not_use_do_not_decide_who_is_the_subject():
    """A whole-body detector is sure of face and hands too; this body has none."""
    keypoint_set = load_keypoint_set("coco_wholebody_133")
    subject = subject_from_height(1.75, keypoint_set)
    images = images_of(RIG, sites_of(subject, keypoint_set, QPOS[:12]), noise_px=1.0)
    for points in images.values():
        points[:, keypoint_set.weights == 0, :2] = 300.0
    settings = EstimatorSettings(cameras=tuple(RIG.cameras), keypoint_set="coco_wholebody_133")
    estimator = MotionEstimator(settings.cameras, keypoint_set, subject, settings)
    estimator.set_rig(RIG)
    assert {estimator.update(f).live.tracking for f in frame_sets(images)} == {Tracking.TRACKED}


def test_velocity_at_the_end_of_a_track_is_whole(estimator):
    for one in frame_sets(IMAGES)[:40]:
        live = estimator.update(one).live
    last = estimator.finish()[-1]
    assert last.stamp_ns == live.stamp_ns
    assert np.allclose(last.qvel[SEEN_JOINTS[1] - 1], live.qvel[SEEN_JOINTS[1] - 1], rtol=0.05)


def test_importing_the_estimator_leaves_the_gpu_alone():
    """The share of its memory is a setting, and JAX reads that when it first looks for devices."""
    code = "import markerless_biomech.capture; from jax._src import xla_bridge as b; exit(b.backends_are_initialized())"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
