"""Projection against OpenCV, Jacobians against finite differences, and what must carry no weight."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markerless_biomech.cameras.calibrated_camera import Camera, Rig
from markerless_biomech.cameras.camera import (
    MIN_DEPTH_M,
    project,
    project_with_jacobian,
    undistort,
)
from markerless_biomech.cameras.increments import (
    CAMERA_NUMBERS,
    NUMBERS,
    camera_jacobian,
    moved,
    pose_jacobian,
    refined,
    rotation_from_vector,
)
from markerless_biomech.cameras.rig import camera_arrays
from markerless_biomech.rotations import xyzw_from_matrix

NAMES = ("narrow", "brown", "rational", "fisheye")
LENSES = {
    "narrow": ("plumb_bob", []),
    "brown": ("plumb_bob", [-0.28, 0.09, 0.001, -0.002, 0.01]),
    "rational": ("rational_polynomial", [2.1, 0.9, 0.001, -0.002, 0.05, 2.4, 1.6, 0.2]),
    "fisheye": ("equidistant", [-0.02, 0.01, -0.004, 0.001]),
}
K = np.array([[900.0, 0.0, 640.0], [0.0, 905.0, 355.0], [0.0, 0.0, 1.0]])


def make_rig(seed=0):
    """One camera of each lens, 4 m from the origin and looking at it, rolled at random."""
    rng, cameras = np.random.default_rng(seed), {}
    for name, (model, d) in LENSES.items():
        world_from_camera = cv2.Rodrigues(rng.normal(size=3))[0]
        focal = (
            K if name != "fisheye" else np.diag([0.5, 0.5, 1.0]) @ K + np.array([[0, 0, 320], [0, 0, 178], [0, 0, 0]])
        )
        pose = world_from_camera @ [0.0, 0.0, -4.0], xyzw_from_matrix(world_from_camera)
        cameras[name] = Camera(name, 1280, 720, model, focal, np.array(d), *pose, name)
    return Rig(cameras)


def opencv_pixels(camera, points):
    rotation, translation = camera.camera_from_world
    rvec = cv2.Rodrigues(rotation)[0]
    points = np.asarray(points, dtype=float)[:, None]
    if camera.distortion_model == "equidistant":
        return cv2.fisheye.projectPoints(points, rvec, translation, camera.k, camera.d)[0][:, 0]
    d = camera.d if len(camera.d) else np.zeros(5)
    return cv2.projectPoints(points, rvec, translation, camera.k, d)[0][:, 0]


@pytest.fixture(scope="module")
def rig():
    return make_rig()


@pytest.fixture(scope="module")
def cameras(rig):
    return camera_arrays(rig, NAMES)


def some_points(*shape, seed=0, spread_m=0.8):
    points = np.random.default_rng(seed).uniform(-spread_m, spread_m, size=(*shape, 3))
    return jnp.asarray(points, dtype=jnp.float32)


def test_pixels_are_opencvs(rig, cameras):
    points = some_points(200, spread_m=1.2)
    image_px, valid = project(cameras, points)
    assert valid.mean() > 0.9
    for index, name in enumerate(NAMES):
        expected = opencv_pixels(rig.cameras[name], points)
        seen = np.asarray(valid[index])
        # float32 carries 2000 px to 1e-4 px; a few operations on it.
        np.testing.assert_allclose(np.asarray(image_px[index])[seen], expected[seen], atol=2e-3, err_msg=name)


def test_any_leading_axes_give_the_same_pixels(cameras):
    points = some_points(3, 2, 7)
    image_px, valid = project(cameras, points)
    assert image_px.shape == (3, 2, 4, 7, 2) and valid.shape == (3, 2, 4, 7)
    single, _ = project(cameras, points[1, 1])
    np.testing.assert_allclose(image_px[1, 1], single, atol=1e-3)
    mapped, _, jacobian = jax.vmap(project_with_jacobian, in_axes=(None, 0))(cameras, points[0])
    np.testing.assert_allclose(mapped, image_px[0], atol=1e-3)
    assert jacobian.shape == (2, 4, 7, 2, 3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.02, 0.3, 1.5]))
def test_point_jacobian_is_the_slope_of_the_projection(seed, spread_m):
    cameras = camera_arrays(make_rig(seed % 7), NAMES)
    points = some_points(5, seed=seed, spread_m=spread_m)
    _, valid, jacobian = project_with_jacobian(cameras, points)
    # Automatic differentiation of the projection alone is exact to float32, unlike a difference quotient in float32.
    # (4, 5, 2, 5, 3): pixels of point a by point b; only a == b is not zero.
    slope = jnp.einsum("cakai->caki", jax.jacfwd(lambda p: project(cameras, p)[0])(points))
    np.testing.assert_allclose(np.asarray(jacobian)[valid], np.asarray(slope)[valid], rtol=2e-3, atol=0.05)


def test_jacobians_agree_with_opencvs_finite_differences(rig, cameras):
    """Differences of OpenCV's double precision projection: an oracle that shares no line with ours."""
    points, step = some_points(30), 1e-5
    double = np.asarray(points, dtype=float)
    _, valid, jacobian = project_with_jacobian(cameras, points)
    for index, name in enumerate(NAMES):
        before = [opencv_pixels(rig.cameras[name], double - step * axis) for axis in np.eye(3)]
        after = [opencv_pixels(rig.cameras[name], double + step * axis) for axis in np.eye(3)]
        columns = (np.array(after) - np.array(before)) / (2 * step)
        seen = np.asarray(valid[index])
        # 200 px/m slopes in float32, with r^6 terms: 1e-4 of the largest.
        np.testing.assert_allclose(
            np.asarray(jacobian[index])[seen], np.moveaxis(columns, 0, -1)[seen], atol=0.05, err_msg=name
        )


def test_camera_jacobian_is_the_slope_of_refined_cameras(cameras):
    points = some_points(20)
    speed_px_s = jnp.ones((len(cameras.usable), 20, 2))
    jacobian = camera_jacobian(cameras, points, speed_px_s, NUMBERS)
    for number in range(NUMBERS - 1):
        # px-sized steps: of the centre 1 px, of the others what moves the image by about as much
        step = 1.0 if "px" in CAMERA_NUMBERS[number] else 1e-3
        numbers = np.zeros((len(cameras.usable), NUMBERS), np.float32)
        numbers[:, number] = step
        ahead, behind = (project(refined(cameras, sign * jnp.asarray(numbers)), points) for sign in (1, -1))
        valid = ahead[1] & behind[1]
        slope = (ahead[0] - behind[0]) / (2 * step)
        # float32 pixels of a 1000 px image over steps of 2e-3: 0.1 px per unit, of slopes of up to 1e4
        np.testing.assert_allclose(jacobian[..., number][valid], slope[valid], atol=0.5, rtol=2e-3)
    assert (np.asarray(jacobian[..., -1])[np.asarray(project(cameras, points)[1])] == 1.0).all()


def test_pose_jacobian_is_the_slope_of_moved_cameras(cameras):
    points = some_points(20)
    jacobian = pose_jacobian(cameras, points)
    _, valid = project(cameras, points)

    def pixels(increment):
        return project(moved(cameras, increment), points)[0]

    # (C, K, 2, C, 6): each camera's pixels move with its own increment only.
    slope = jnp.einsum("ckpci->ckpi", jax.jacfwd(pixels)(jnp.zeros((4, 6))))
    np.testing.assert_allclose(np.asarray(jacobian)[valid], np.asarray(slope)[valid], rtol=1e-3, atol=0.05)
    step = 3e-3
    for i in range(6):
        increment = jnp.zeros((4, 6)).at[:, i].set(step)
        difference = (pixels(increment) - pixels(-increment)) / (2 * step)
        # Second order in the step (1e-5 of 3000 px/rad) and float32 pixels over 6e-3: 1e-4 px / 6e-3.
        np.testing.assert_allclose(np.asarray(difference)[valid], np.asarray(jacobian)[valid, :, i], atol=0.5)


def test_rotation_of_a_vector_is_opencvs():
    for vector in np.concatenate(
        [np.zeros((1, 3)), np.random.default_rng(0).normal(size=(5, 3)), np.full((1, 3), 1e-4)]
    ):
        expected = cv2.Rodrigues(vector)[0]
        np.testing.assert_allclose(rotation_from_vector(jnp.asarray(vector, dtype=jnp.float32)), expected, atol=1e-6)


def test_points_behind_a_camera_have_no_weight(rig, cameras):
    for index, name in enumerate(NAMES):
        rotation, position = rig.cameras[name].world_from_camera
        depths = np.array([-3.0, -0.01, 0.0, 0.9 * MIN_DEPTH_M, 1.1 * MIN_DEPTH_M, 3.0])
        points = jnp.asarray(np.outer(depths, rotation[:, 2]) + position, dtype=jnp.float32)
        image_px, valid, jacobian = project_with_jacobian(cameras, points)
        assert valid[index].tolist() == [False, False, False, False, True, True]
        np.testing.assert_array_equal(jacobian[index][:4], 0.0)
        np.testing.assert_allclose(image_px[index], np.tile(rig.cameras[name].k[:2, 2], (6, 1)), atol=0.05)


def test_points_beyond_the_fold_of_a_lens_have_no_weight():
    # r (1 + k1 r^2) turns back where 1 + 3 k1 r^2 = 0: with k1 = -0.35 at r = 0.976; beyond, two rays share a pixel.
    barrel = Camera(
        "a", 1280, 720, "plumb_bob", K, np.array([-0.35, 0.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0, 0, 1]), "a"
    )
    radius = np.array([0.5, 0.95, 1.0, 1.3, 6.0])
    points = jnp.asarray(np.stack([radius, 0 * radius, 1 + 0 * radius], -1), dtype=jnp.float32)
    _, valid = project(camera_arrays(Rig({"a": barrel}), ("a",)), points)
    assert valid[0].tolist() == [True, True, False, False, False]


def test_points_far_outside_of_the_image_have_no_weight(rig, cameras):
    """Polynomials were fitted inside of the image; 1.5 times its corner is as far as they are believed."""
    rotation, position = rig.cameras["brown"].world_from_camera
    radius = np.array([0.5, 0.9, 2.5, 6.0])
    points = (np.outer(radius, [1.0, 0.0, 0.0]) + [0.0, 0.0, 1.0]) @ rotation.T + position
    _, valid = project(cameras, jnp.asarray(points, dtype=jnp.float32))
    assert valid[1].tolist() == [True, True, False, False]


@pytest.mark.parametrize("k1", [-0.35, -0.2, 0.0, 0.2])
def test_every_valid_radius_grows_in_the_image_and_covers_it(k1):
    camera = Camera(
        "a", 1280, 720, "plumb_bob", K, np.array([k1, 0.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0, 0, 1]), "a"
    )
    cameras = camera_arrays(Rig({"a": camera}), ("a",))
    limit = float(cameras.max_radius[0])
    radius = np.linspace(0.0, 0.999 * limit, 200)
    points = jnp.asarray(np.stack([radius, 0 * radius, 1 + 0 * radius], -1), dtype=jnp.float32)
    image_px, valid = project(cameras, points)
    assert valid.all() and (np.diff(image_px[0, :, 0]) > 0).all()
    # The corner is at r = 0.82 after distortion; without a fold before it, it is inside with room to spare.
    corner = np.hypot(640.5 / 900, 355.5 / 905)
    folds_before = k1 < 0 and 2 / 3 * np.sqrt(-1 / (3 * k1)) < corner
    assert folds_before or float(image_px[0, -1, 0] - 640) / 900 > corner


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.floats(width=32, allow_nan=False, allow_infinity=False)] * 3))
def test_everything_is_finite_for_any_finite_point(point):
    cameras = camera_arrays(make_rig(), (*NAMES, "unknown"))
    points = jnp.asarray([point], dtype=jnp.float32)
    outputs = project_with_jacobian(cameras, points), pose_jacobian(cameras, points)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(outputs))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_undistorted_pixels_lead_back_to_the_point(seed):
    cameras = camera_arrays(make_rig(seed % 5), NAMES)
    points = some_points(20, seed=seed, spread_m=1.5)
    image_px, valid = project(cameras, points)
    normalised, reached = undistort(cameras, image_px)
    in_camera = np.einsum("cij,kj->cki", cameras.rotation, points) + np.asarray(cameras.translation)[:, None]
    assert reached[valid].all()
    expected = in_camera[..., :2] / in_camera[..., 2:]
    # 1e-4 px of float32 over a focal length of 450 px, and the flat outer field of the fisheye.
    np.testing.assert_allclose(np.asarray(normalised)[valid], expected[valid], atol=2e-5, rtol=2e-4)


def test_a_change_of_lens_does_not_recompile(rig):
    traces = []

    def count(cameras, points):
        traces.append(1)
        return project(cameras, points)

    compiled, points = jax.jit(count), some_points(7)
    compiled(camera_arrays(rig, ("narrow", "brown")), points)
    compiled(camera_arrays(rig, ("fisheye", "rational")), points)
    compiled(camera_arrays(rig, ("fisheye", "not there yet")), points)
    assert len(traces) == 1
