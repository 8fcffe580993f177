"""The cold start: any posture, any direction, strange statures, few views; and a reason wherever there is none."""

from dataclasses import replace

import numpy as np
import pytest
from postures import postures, segment_errors_deg
from virtual import circle_rig, frame_set, frame_sets, images_of, sites_of, swinging

from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.estimator import MotionEstimator
from markerless_biomech.keypoints import load_keypoint_set
from markerless_biomech.results import Tracking
from markerless_biomech.settings import EstimatorSettings

RIG = circle_rig(4)
NOISE_PX = 3.0


class Lab:
    """One compiled estimator for a keypoint set; each question starts from nothing."""

    def __init__(self, name: str):
        self.keypoint_set = load_keypoint_set(name)
        self.generic = subject_from_height(1.75, self.keypoint_set)
        settings = EstimatorSettings(cameras=tuple(RIG.cameras), keypoint_set=name)
        self.estimator = MotionEstimator(settings.cameras, self.keypoint_set, self.generic, settings)
        self.estimator.set_rig(RIG)
        self.estimator.compile()

    def fresh(self, subject=None) -> MotionEstimator:
        self.estimator.set_subject(subject or self.generic)
        self.estimator.finish()
        self.estimator._search.held()
        self.estimator.lost_is_said = True
        return self.estimator

    def images(self, qpos, subject=None, noise_px=NOISE_PX) -> dict[str, np.ndarray]:
        return images_of(RIG, sites_of(subject or self.generic, self.keypoint_set, qpos), noise_px)

    def first(self, one):
        """The estimate of one frame set, from nothing."""
        return self.fresh().update(one)


@pytest.fixture(scope="module")
def coco() -> Lab:
    return Lab("coco_17")


def first_poses(lab: Lab, images, cameras=None) -> tuple[np.ndarray, list[str]]:
    """(N, 41) NaN where there was no start, and what the reports say; every frame set starts from nothing."""
    found, results = [], []
    for one in frame_sets(images):
        if cameras:
            one = replace(one, frames={name: one.frames[name] for name in cameras})
        estimate = lab.first(one)
        found.append(estimate.live.qpos if estimate.live is not None else np.full(41, np.nan))
        results.append(estimate.report.result)
    return np.array(found), results


def test_every_posture_in_every_direction_is_found_in_one_frame_set(coco):
    """4 cameras, 3 px: 8 mm on levers of 0.17 m (pelvis, the worst) are 3 degrees; 25 degrees is another posture."""
    names, truth = postures(each=8)
    found, _ = first_poses(coco, coco.images(truth))
    errors = segment_errors_deg(found, truth)
    wrong = [name for name, error in zip(names, errors, strict=True) if not error.max() < 25.0]
    assert len(wrong) <= 1, wrong
    assert np.nanmedian(errors) < 3.0


def test_two_cameras_are_enough_for_every_posture(coco):
    names, truth = postures(each=4, seed=1)
    found, _ = first_poses(coco, coco.images(truth), cameras=("cam0", "cam1"))
    errors = segment_errors_deg(found, truth)
    assert np.mean(errors.max(axis=1) < 30.0) >= 0.95
    assert len(names) == len(found)


def test_outliers_and_missing_points_do_not_stop_a_start(coco):
    """Of all points, 5 % are somewhere else and 20 % are not seen."""
    names, truth = postures(each=4, seed=2)
    images, rng = coco.images(truth), np.random.default_rng(0)
    for points in images.values():
        wild = rng.random(points.shape[:2]) < 0.05
        points[wild, :2] += rng.uniform(-200.0, 200.0, (wild.sum(), 2))
        points[rng.random(points.shape[:2]) < 0.2, 2] = 0.0
    found, _ = first_poses(coco, images)
    assert np.mean(segment_errors_deg(found, truth).max(axis=1) < 25.0) >= 0.95, names


@pytest.mark.parametrize("height_m", [1.50, 1.95])
def test_a_strange_stature_is_started_on_and_said(coco, height_m):
    """A model that is 12 to 17 % off bends knees and lumbar spine; nobody is turned round, and the words say why."""
    person = subject_from_height(height_m, coco.keypoint_set)
    _, truth = postures(each=2, seed=3)
    found, results = first_poses(coco, coco.images(truth, person))
    said = [f"the person seems {height_m:.1f}"[:-1] in result and "set height_m" in result for result in results]
    assert np.mean(said) > 0.9, results
    assert np.nanmedian(segment_errors_deg(found, truth)[:, 1]) < 20.0
    assert np.mean(segment_errors_deg(found, truth)[:, 1] < 60.0) >= 0.95


def test_a_generic_body_of_the_right_stature_is_plainly_ok(coco):
    _, truth = postures(each=1, seed=4)
    assert set(first_poses(coco, coco.images(truth))[1]) == {"OK"}


def test_legs_whose_sides_one_camera_exchanged_are_put_right_at_the_start(coco):
    _, truth = postures(each=1, seed=5)
    images = coco.images(truth[:2])
    legs = np.array([name.endswith(("knee", "ankle")) for name in coco.keypoint_set.names])
    swapped = images["cam1"].copy()
    swapped[:, legs] = swapped[:, coco.keypoint_set.partners][:, legs]
    found, _ = first_poses(coco, images | {"cam1": swapped})
    assert segment_errors_deg(found, truth[:2]).max() < 25.0


def test_the_person_seen_by_most_cameras_is_taken_first(coco):
    truth = np.repeat(swinging(1), 2, axis=0)
    truth[1, 0] += 1.5
    images = coco.images(truth)
    people = {n: p if n != "cam2" else p[:1] for n, p in images.items()}
    assert np.linalg.norm(coco.first(frame_set(people, 0)).live.qpos[:3] - truth[0, :3]) < 0.05


def reason(lab: Lab, people: dict[str, np.ndarray]) -> str:
    estimate = lab.first(frame_set(people, 0))
    assert estimate.live is None
    return estimate.report.result


def test_every_way_not_to_start_has_its_sentence(coco):
    points = {name: seen[:1] for name, seen in coco.images(swinging(1)).items()}
    legs = np.array([name.endswith(("knee", "ankle")) for name in coco.keypoint_set.names])
    nobody = {name: seen[:0] for name, seen in points.items()}
    assert reason(coco, nobody) == "LOST: no camera sees a person"
    assert "cam0 sees a person" in reason(coco, nobody | {"cam0": points["cam0"]})
    assert "expected 2 cameras (1 report people)" in reason(coco, nobody | {"cam0": points["cam0"]})
    half = {name: np.where(legs[:, None], seen, seen * [1.0, 1.0, 0.0]) for name, seen in points.items()}
    assert "too little of the person is seen: 0 points of the hips" in reason(coco, half)
    apart = {name: seen + [0.0, 150.0 * (i % 2), 0.0] for i, (name, seen) in enumerate(points.items())}
    apart = {name: apart[name] for name in ("cam0", "cam1")}
    assert "no person that 2 cameras agree on: lines of sight pass at 0." in reason(coco, apart)


def test_a_calibration_in_other_units_is_recognised(coco):
    """Cameras in a room ten times as large see a giant."""
    huge = {name: replace(camera, position_m=10.0 * camera.position_m) for name, camera in RIG.cameras.items()}
    one = frame_sets(coco.images(swinging(1)))[0]
    estimator = coco.fresh()
    try:
        estimator.set_rig(replace(RIG, cameras=huge))
        result = estimator.update(one).report.result
    finally:
        estimator.set_rig(RIG)
    assert "times as tall as the subject; check the units" in result or "agree on" in result


def test_who_leaves_is_lost_with_a_reason_and_found_again_on_return(coco):
    estimator, sets = coco.fresh(), frame_sets(coco.images(swinging(110), noise_px=1.0))
    gone = [
        replace(one, frames={name: replace(f, points=f.points[:0]) for name, f in one.frames.items()}) for one in sets
    ]
    results = [estimator.update(one) for one in sets[:20] + gone[20:60] + sets[60:]]
    kinds = [e.live.tracking if e.live is not None else None for e in results]
    assert kinds[19] is Tracking.TRACKED and kinds[20] is Tracking.COASTING
    assert kinds.count(Tracking.LOST) == 1 and kinds[60] is Tracking.TRACKED
    assert "seen by fewer than 2 cameras" in results[kinds.index(Tracking.LOST)].report.result
    assert results[59].report.result == "LOST: no camera sees a person"


def test_who_enters_at_the_border_is_not_tracked_before_hips_and_shoulders_are_seen(coco):
    estimator, sets = coco.fresh(), frame_sets(coco.images(swinging(30), noise_px=1.0))
    hips_and_legs = np.array([n.endswith(("hip", "knee", "ankle")) for n in coco.keypoint_set.names])

    def entering(frame):
        return replace(frame, points=np.where(hips_and_legs[:, None], frame.points, 0.0).astype(np.float32))

    half = [replace(one, frames={n: entering(f) for n, f in one.frames.items()}) for one in sets[:10]]
    assert all(estimator.update(one).live is None for one in half)
    assert estimator.update(sets[10]).live.tracking is Tracking.TRACKED


def test_a_start_that_does_not_hold_is_taken_back_and_another_one_found(coco):
    """A window that begins with the person's back to front: legs and arms are crossed, points do not agree."""
    estimator, sets = coco.fresh(), frame_sets(coco.images(swinging(60)))
    estimator.update(sets[0])
    turned = np.array(estimator.live.window.qpos[-1])
    turned[3:7] = [-turned[6], -turned[5], turned[4], turned[3]]  # half a turn about the vertical
    estimator.live.window = estimator.live.programs.start(turned, np.full(4, 0.015, np.float32))
    results = [estimator.update(one).report.result for one in sets[1:]]
    lost = [result for result in results if result.startswith("LOST: the start did not hold")]
    assert len(lost) == 1 and results[-1] == "OK"
    assert segment_errors_deg(np.asarray(estimator.live.window.qpos)[-1:], swinging(60)[-1:]).max() < 8.0
