"""Whose points: the nearest person, left and right, and the group that agrees best."""

import numpy as np
from virtual import circle_rig, images_of, sites_of, swinging

from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.cameras.association import (
    Prediction,
    Rays,
    closest_m,
    groups,
    inside,
    nearest_people,
    right_way_round,
    triangulate,
)
from markerless_biomech.keypoints import KeypointFrame, load_keypoint_set

KEYPOINTS = load_keypoint_set("coco_17")
RIG = circle_rig(3)
POSE = swinging(40)[[25]]
POINTS_M = sites_of(subject_from_height(1.75, KEYPOINTS), KEYPOINTS, POSE)[0]
IMAGES = np.stack([points[0] for points in images_of(RIG, POINTS_M[None], 1.0).values()])
PREDICTION = Prediction(IMAGES[..., :2], np.ones(IMAGES.shape[:2], bool), np.full(3, 5.0))
LEGS = np.array(["knee" in n or "ankle" in n for n in KEYPOINTS.names])
ARMS = np.array(["elbow" in n or "wrist" in n for n in KEYPOINTS.names])


def rays_of(points_m: np.ndarray, person: int = 0, cameras: tuple[int, ...] = (0, 1, 2)) -> list[Rays]:
    """Exact lines of sight of points (K, 3)."""
    rays = []
    for index in cameras:
        origin = list(RIG.cameras.values())[index].position_m
        direction = points_m - origin
        rays.append(
            Rays(
                index,
                person,
                origin,
                direction / np.linalg.norm(direction, axis=-1, keepdims=True),
                np.ones(len(points_m)),
            )
        )
    return rays


def nearest_person(people: np.ndarray, camera: int, prediction: Prediction, gate: float, partners=None) -> int:
    """The choice among people (P, K, 3) of one camera."""
    frames = {"cam": KeypointFrame("cam", 0, 0, people)}
    return nearest_people(frames, {"cam": camera}, prediction, gate, partners)["cam"]


def test_the_nearest_person_is_taken_whatever_the_order():
    me, other = IMAGES[0], IMAGES[0] + np.array([90.0, 0, 0], np.float32)
    assert nearest_person(np.stack([me, other]), 0, PREDICTION, gate=6.0) == 0
    assert nearest_person(np.stack([other, me]), 0, PREDICTION, gate=6.0) == 1


def test_nobody_is_taken_when_nobody_is_near():
    other = IMAGES[0] + np.array([90.0, 0, 0], np.float32)
    assert nearest_person(other[None], 0, PREDICTION, gate=6.0) == -1
    assert nearest_person(np.zeros((0, 17, 3), np.float32), 0, PREDICTION, gate=6.0) == -1


def test_the_subject_with_left_and_right_exchanged_is_still_the_subject():
    mirrored = IMAGES[:, KEYPOINTS.partners]
    narrow = Prediction(PREDICTION.image_px, PREDICTION.valid, np.full(3, 1.0))
    assert nearest_person(mirrored[[0]], 0, narrow, 6.0) == -1
    assert nearest_person(mirrored[[0]], 0, narrow, 6.0, KEYPOINTS.partners) == 0
    elsewhere = mirrored[[0]] + np.array([300.0, 0.0, 0.0])
    assert nearest_person(elsewhere, 0, narrow, 6.0, KEYPOINTS.partners) == -1


def test_a_person_with_three_confident_points_is_not_used():
    me = IMAGES[0].copy()
    me[3:, 2] = 0.0
    assert nearest_person(me[None], 0, PREDICTION, gate=6.0) == -1


def _sides(image_px: np.ndarray):
    return right_way_round(
        image_px, np.ones(image_px.shape[:2]), PREDICTION, KEYPOINTS.partners, np.stack([ARMS, LEGS])
    )


def test_legs_with_sides_exchanged_are_put_right_and_counted():
    wrong = IMAGES[..., :2].copy()
    camera = int(np.argmax(np.linalg.norm(wrong[:, LEGS] - wrong[:, KEYPOINTS.partners][:, LEGS], axis=-1).mean(1)))
    wrong[camera, LEGS] = wrong[camera, KEYPOINTS.partners][LEGS]
    sides = _sides(wrong)
    assert np.array_equal(sides.image_px, IMAGES[..., :2])
    assert sides.mirrored == LEGS.sum() and sides.ambiguous == 0


def test_legs_that_agree_stay_as_they_are():
    sides = _sides(IMAGES[..., :2])
    assert np.array_equal(sides.image_px, IMAGES[..., :2]) and sides.mirrored == 0


def test_legs_between_both_sides_carry_no_weight():
    vague = IMAGES[..., :2].copy()
    gap = np.linalg.norm(vague[:, LEGS] - vague[:, KEYPOINTS.partners][:, LEGS], axis=-1).mean(1)
    camera = int(np.argmax(gap))
    vague[camera, LEGS] = 0.4 * vague[camera, LEGS] + 0.6 * vague[camera, KEYPOINTS.partners][LEGS]
    sides = _sides(vague)
    assert np.all(sides.weight[camera, LEGS] == 0) and sides.ambiguous == LEGS.sum()
    assert np.all(sides.weight[camera, ~LEGS] == 1)


def test_triangulation_finds_the_points_and_ignores_one_wild_view():
    rays = rays_of(POINTS_M)
    points, known, _ = triangulate(rays)
    assert known.all() and np.abs(points - POINTS_M).max() < 1e-6
    wild = rays[2].direction.copy()
    wild[4] = [0.0, 0.0, 1.0]
    rays[2] = Rays(2, 0, rays[2].origin_m, wild, rays[2].confidence)
    points, known, _ = triangulate(rays)
    # Cauchy's loss leaves a wild view (metres away) a weight of 1e-3.
    assert known[4] and np.abs(points[4] - POINTS_M[4]).max() < 5e-3


def test_two_people_are_kept_apart_across_views_and_the_one_seen_by_more_cameras_comes_first():
    other = POINTS_M + np.array([0.8, 0.3, 0.0])
    views = rays_of(POINTS_M, person=0) + rays_of(other, person=1, cameras=(0, 2))
    people = groups(views)
    assert [sorted((view.camera, view.person) for view in group.views) for group in people] == [
        [(0, 0), (1, 0), (2, 0)],
        [(0, 1), (2, 1)],
    ]
    assert np.abs(people[0].points_m - POINTS_M).max() < 1e-3


def test_the_capture_volume_tells_who_is_inside():
    (group,) = groups(rays_of(POINTS_M + np.array([1.2, 0.3, 0.0])))
    assert inside(group, ()) and inside(group, (0.7, 2.0, -1.0, 1.5, 0.0, 2.0))
    assert not inside(group, (5.0, 6.0, 5.0, 6.0, 0.0, 2.0))


def test_one_view_is_no_group_and_has_nobody_to_meet():
    assert groups(rays_of(POINTS_M, cameras=(1,))) == []
    assert closest_m(rays_of(POINTS_M, cameras=(1,))) == np.inf


def test_how_far_two_views_are_from_a_person_is_measured():
    """Rays of one camera from a person 0.5 m higher up pass the others' at about that distance."""
    lifted = rays_of(POINTS_M + np.array([0.0, 0.0, 0.5]), cameras=(0,))
    views = lifted + rays_of(POINTS_M, cameras=(1,))
    assert groups(views) == [] and 0.3 < closest_m(views) < 0.6


def test_every_camera_has_its_own_nearest_person():
    far = np.array([90.0, 0, 0], np.float32)
    frames = {
        "left": KeypointFrame("left", 0, 0, np.stack([IMAGES[2] + far, IMAGES[2]])),
        "empty": KeypointFrame("empty", 0, 0, np.zeros((0, 17, 3), np.float32)),
        "right": KeypointFrame("right", 0, 0, np.stack([IMAGES[0], IMAGES[0] + far, IMAGES[0] - far])),
    }
    chosen = nearest_people(frames, {"right": 0, "empty": 1, "left": 2}, PREDICTION, 6.0, KEYPOINTS.partners)
    assert chosen == {"left": 1, "empty": -1, "right": 0}
