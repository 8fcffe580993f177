"""Where first poses start: for every shipped keypoint set the limbs are near before anything is fitted."""

import numpy as np
import pytest
from postures import postures, segment_errors_deg
from virtual import circle_rig, sites_of

from markerless_biomech.body.model import body_parameters, sites
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.cameras.association import Group, Rays, triangulate
from markerless_biomech.fitting.start_postures import LIBRARY, limbs, placement, start_poses, trunk_weights
from markerless_biomech.fitting.stature import rigid_pairs, stature_ratio
from markerless_biomech.keypoints import SHIPPED_KEYPOINT_SETS, load_keypoint_set

RIG = circle_rig(4)
NAMES, TRUTH = postures(each=3, seed=7)


def group_of(points_m: np.ndarray, used: np.ndarray, noise_m: float = 0.008) -> Group:
    """All four cameras see the person; 8 mm is what 3 px are at 4 m."""
    rng = np.random.default_rng(0)
    views = []
    for index, camera in enumerate(RIG.cameras.values()):
        direction = points_m + noise_m * rng.normal(size=points_m.shape) - camera.position_m
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        views.append(Rays(index, 0, camera.position_m, direction, 1.0 * used))
    points, known, _ = triangulate(views)
    return Group(tuple(views), points, known, 0.0)


@pytest.mark.parametrize("name", SHIPPED_KEYPOINT_SETS)
def test_the_best_start_has_the_trunk_right_and_no_leg_far_off(name):
    """Neighbours on the legs' grid are 45 degrees apart: the nearest is within 30, or 45 where points are few."""
    keypoint_set = load_keypoint_set(name)
    subject = subject_from_height(1.75, keypoint_set)
    library_m = np.asarray(sites(body_parameters(subject, keypoint_set), LIBRARY))
    trunk, parts = sum(trunk_weights(keypoint_set)), limbs(keypoint_set)
    found = [
        start_poses(library_m, group_of(points_m, keypoint_set.weights > 0), trunk, parts, count=4)
        for points_m in sites_of(subject, keypoint_set, TRUTH)
    ]
    assert all(poses.shape == (4, 41) for poses in found)
    errors = segment_errors_deg(np.array([poses[0] for poses in found]), TRUTH)
    # The trunk's side axis: tilts of the lumbar spine aside.
    assert np.mean(errors[:, :2].max(axis=1) < 35.0) > 0.95
    assert np.mean(errors[:, 2:].max(axis=1) < 50.0) > 0.9


def test_one_wild_point_hardly_turns_the_trunk():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(6, 3)) * [0.1, 0.2, 0.4]
    wild = points.copy()
    wild[5] += [0.0, 2.0, 0.0]
    rotation, shift_m = placement(points, wild, np.ones(6))
    assert np.abs(rotation - np.eye(3)).max() < 0.15 and np.abs(shift_m).max() < 0.05


@pytest.mark.parametrize("height_m", [1.2, 1.5, 1.95])
@pytest.mark.parametrize("name", ["coco_17", "bml_movi_87"])
def test_the_stature_is_measured_in_any_posture(name, height_m):
    keypoint_set = load_keypoint_set(name)
    generic, person = (subject_from_height(h, keypoint_set) for h in (1.75, height_m))
    used = keypoint_set.weights > 0
    pairs, lengths_m = rigid_pairs(np.asarray(sites(body_parameters(generic, keypoint_set), LIBRARY)), used)
    measured = [
        stature_ratio(group_of(points_m, used), pairs, lengths_m) * 1.75
        for points_m in sites_of(person, keypoint_set, TRUTH[::3])
    ]
    # 5 mm at the ends of 0.3 m is 2 %, and a median of nine lengths or more: 1 %.
    assert np.abs(np.array(measured) / height_m - 1.0).max() < 0.05


def test_too_few_lengths_say_nothing_of_the_stature():
    nobody = Group((), np.zeros((17, 3)), np.zeros(17, bool), 0.0)
    assert np.isnan(stature_ratio(nobody, np.array([[0, 1], [2, 3], [4, 5]]), np.ones(3)))
