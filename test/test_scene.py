"""What is drawn of a capture, as geometry: frusta, footprints, ellipsoids, observed points."""

import numpy as np
import pytest

from markerless_biomech.cameras.rig import Rig
from markerless_biomech.gait.values import StepEvent
from markerless_biomech.keypoints import KeypointFrame
from markerless_biomech.recording.oracle import project_px
from markerless_biomech.recording.result_messages import FittedCameras
from markerless_biomech.rotations import matrix_from_xyzw, wxyz_from_xyzw
from markerless_biomech.scene.colours import CAMERA_COLOURS, CAMERA_STATUSES, rgb
from markerless_biomech.scene.ellipsoids import ellipsoid_axes, site_covariances
from markerless_biomech.scene.footprints import LENGTH_M, Footprints, heading_rad
from markerless_biomech.scene.frusta import EDGES, FACES, camera_words, frustum_m
from markerless_biomech.scene.observed import observe
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.camera_ring import true_rig

NAN = float("nan")


def test_status_words_are_the_messages_numbers():
    assert all(getattr(FittedCameras, word) == number for number, word in enumerate(CAMERA_STATUSES))
    assert set(CAMERA_COLOURS) == set(CAMERA_STATUSES) and rgb("#ff8000") == pytest.approx((1.0, 128 / 255, 0.0))


@pytest.fixture(scope="module")
def rig() -> Rig:
    return true_rig(SimulationSettings(cameras=3))


def test_a_frustum_ends_where_the_images_corners_are_seen(rig):
    camera = rig.cameras["cam1"]
    corners = frustum_m(camera)
    np.testing.assert_allclose(corners[0], camera.position_m)
    rotation, translation = camera.camera_from_world
    inside = corners[1:5] @ rotation.T + translation
    image_px = (inside / inside[:, 2:]) @ camera.k.T
    wanted_px = [[0, 0], [camera.width, 0], [camera.width, camera.height], [0, camera.height]]
    np.testing.assert_allclose(image_px[:, :2], wanted_px, atol=1e-6)  # an exact inverse
    assert np.max([*EDGES]) == 5 and np.max([*FACES]) == 4 and corners[5, 2] > corners[1, 2]


def test_a_frustum_moves_with_the_fitted_pose(rig):
    camera = rig.cameras["cam0"]
    pose = np.r_[camera.position_m + [0.1, 0, 0], camera.orientation_xyzw]
    np.testing.assert_allclose(frustum_m(camera, pose), frustum_m(camera) + [0.1, 0, 0], atol=1e-12)


def test_a_camera_says_what_is_wrong_with_it():
    assert camera_words("cam0", FittedCameras.OK, 3.21) == "cam0\n3.2 px"
    assert camera_words("cam0", FittedCameras.DEAD, NAN) == "cam0 DEAD"
    assert camera_words("cam0", FittedCameras.MOVED, 9.0, 1.04, 0.02) == "cam0 MOVED\n1.0 deg, 20 mm"
    assert camera_words("cam0", FittedCameras.MOVED, 9.0) == "cam0 MOVED\n9.0 px"


def strike(number: int, second: float, x: float, side: str, revision: int = 0, **more) -> StepEvent:
    y = 0.06 if side == "left" else -0.06
    return StepEvent(round(second * 1e9), side, "heel_strike", np.array([x, y, 0.0]), number, revision, **more)


def walk_four(footprints: Footprints) -> None:
    for index, side in enumerate(("left", "right", "left", "right")):
        footprints.take(strike(index + 1, 10 + 0.5 * index, 0.6 * index, side), heading_rad=0.0)


def test_a_footprint_is_as_long_as_the_foot_and_points_where_the_body_faces():
    footprints = Footprints(10)
    footprints.take(strike(1, 10.0, 2.0, "right"), heading_rad=np.pi / 2)
    outline = footprints.prints[0].outline_m(0.3)
    assert np.ptp(outline[:, 1]) == pytest.approx(0.3) and outline[:, 1].min() == pytest.approx(-0.06)
    # The right foot's inner side, where the big toe is, is on its left: towards -x when it points along y.
    assert outline[outline[:, 1].argmax(), 0] < 2.0
    triangles = footprints.prints[0].triangles_m(0.3)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])[:, 2]
    assert np.all(normals < 0) or np.all(normals > 0), "the middle sees the whole outline"


def test_the_pelvis_faces_where_its_x_points_seen_from_above():
    turn_xyzw = np.array([0.2, -0.4, 0.1, 0.9])
    forward = matrix_from_xyzw(turn_xyzw)[:, 0]
    qpos = np.r_[np.zeros(3), 3.0 * wxyz_from_xyzw(turn_xyzw), np.zeros(34)]  # of any length
    assert heading_rad(qpos) == pytest.approx(np.arctan2(forward[1], forward[0]))
    assert np.isnan(heading_rad(None))


def test_revisions_replace_and_withdrawals_remove():
    footprints = Footprints(10)
    assert footprints.take(strike(1, 10.0, 0.0, "left"))
    assert footprints.prints[0].words() == ""
    assert footprints.take(strike(1, 10.01, 0.01, "left", 2, step_length_m=0.62, step_width_m=0.11))
    assert not footprints.take(strike(1, 10.0, 0.0, "left", 1)), "an older revision"
    assert footprints.prints[0].words() == "step 0.62 m\nwidth 0.11 m"
    assert footprints.take(strike(1, 10.0, 0.0, "left", 3, withdrawn=True)) and not footprints.prints


def test_only_the_newest_footprints_stay():
    footprints = Footprints(2)
    walk_four(footprints)
    assert [one.id for one in footprints.prints] == [3, 4]


def test_only_what_struck_lately_flashes_also_after_a_jump_back_of_time():
    footprints = Footprints(10)
    walk_four(footprints)
    assert [one.id for one in footprints.struck_lately(11_600_000_000, 0.2)] == [4]
    assert [one.id for one in footprints.struck_lately(11_450_000_000, 0.5)] == [3, 4], "told of before its pose"
    assert not footprints.struck_lately(8_000_000_000, 0.4)


def test_the_line_of_progression_runs_between_the_feet():
    footprints = Footprints(10)
    walk_four(footprints)
    first = [[0.3, 0, 0], [0.9, 0, 0], [1.5, 0, 0]]
    np.testing.assert_allclose(footprints.progression_m(), [first], atol=1e-12)
    for number, (second, side) in enumerate(((20.0, "right"), (20.5, "left"), (21.0, "right")), start=5):
        footprints.take(strike(number, second, 5.0, side))
    again = [[5, 0, 0], [5, 0, 0]]
    for found, wanted in zip(footprints.progression_m(), (first, again), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_a_toe_off_turns_the_print_unless_the_floor_moved():
    footprints = Footprints(10)
    walk_four(footprints)
    toe = np.array([0.6 + LENGTH_M * np.cos(0.2), -0.06 - LENGTH_M * np.sin(0.2), 0.02])
    assert footprints.take(StepEvent(11_200_000_000, "right", "toe_off", toe, 9))
    assert footprints.prints[1].heading_rad == pytest.approx(-0.2)
    assert not footprints.take(StepEvent(11_250_000_000, "right", "toe_off", toe - [0.8, 0, 0], 10))


def test_a_new_ledger_or_a_jump_back_in_time_clears_the_floor():
    footprints = Footprints(10)
    walk_four(footprints)
    footprints.take(strike(2, 60.0, 0.0, "left"))
    assert [one.stamp_ns for one in footprints.prints] == [60_000_000_000]
    footprints.take(strike(7, 20.0, 0.0, "left"))
    assert [one.id for one in footprints.prints] == [7]


def test_an_ellipsoid_has_the_covariances_axes():
    turn = matrix_from_xyzw(np.array([0.2, -0.4, 0.1, 0.9]))
    covariance = turn @ np.diag([1e-4, 4e-4, 9e-4]) @ turn.T
    axes_m, quaternion = ellipsoid_axes(covariance[None], sigmas=2.0)
    assert np.linalg.det(matrix_from_xyzw(quaternion)[0]) == pytest.approx(1.0)
    back = matrix_from_xyzw(quaternion[0])
    np.testing.assert_allclose(back @ np.diag((axes_m[0] / 2) ** 2) @ back.T, covariance, atol=1e-12)


def test_a_sites_uncertainty_is_as_large_as_told_and_lies_along_the_sight():
    sites, cameras = np.array([[0.0, 0.0, 1.0]]), np.array([[5.0, 0.3, 1.0], [5.0, -0.3, 1.0]])
    covariance = site_covariances(sites, np.array([0.01]), cameras)[0]
    assert np.trace(covariance) / 3 == pytest.approx(1e-4)
    axis = np.linalg.eigh(covariance)[1][:, 2]
    assert abs(axis[0]) > 0.99, "two cameras on one side know least how far away it is"
    np.testing.assert_allclose(site_covariances(sites, np.array([0.01]), np.zeros((0, 3)))[0], 1e-4 * np.eye(3))


def seen(rig: Rig, people: list[np.ndarray]) -> dict[str, KeypointFrame]:
    """Perfect images of people, each (K, 3) points."""
    frames = {}
    for name, camera in rig.cameras.items():
        points = np.stack([np.c_[project_px(camera, sites), np.ones(len(sites))] for sites in people])
        frames[name] = KeypointFrame(name, 0, 0, points, (), 0, False, (camera.width, camera.height))
    return frames


def test_observed_points_are_the_subjects_and_not_a_bystanders(rig):
    subject = np.random.default_rng(0).uniform([-0.3, -0.3, 0.5], [0.3, 0.3, 1.5], (17, 3))
    found = observe(rig, seen(rig, [subject + [1.5, 0.5, 0], subject]), sites_m=subject + 0.02)
    assert found is not None and found.known.all() and len(found.rays) == 3
    np.testing.assert_allclose(found.points_m, subject, atol=1e-4)  # lines that meet
    assert observe(rig, seen(rig, [subject + [3.0, 0, 0]]), sites_m=subject) is None


def test_nothing_is_observed_with_one_camera(rig):
    subject = np.random.default_rng(1).uniform(0.5, 1.0, (17, 3))
    assert observe(rig, {"cam0": seen(rig, [subject])["cam0"]}, None) is None
