"""Kinematics against MuJoCo's C engine, Jacobians against MuJoCo's and finite differences, the tangent space's laws."""

import dataclasses

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from body_oracle import oracle_poses, oracle_sites, random_qpos, random_subject, scaled_model

from markerless_biomech.body.base import base_sites
from markerless_biomech.body.model import (
    NEUTRAL_QPOS,
    body_parameters,
    body_poses,
    difference,
    integrate,
    neutral_qpos,
    sites,
    sites_with_jacobian,
)
from markerless_biomech.body.names import BODY_NAMES, SCALE_NAMES
from markerless_biomech.body.scaling import SOLE_SITES, standing_height_m
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.keypoints import load_keypoint_set

# float32 positions up to about 5 m from the origin carry 5 m * 6e-8 = 3e-7 m a step, over at most seven bodies.
POSITION_M = 4e-6
KEYPOINTS = load_keypoint_set("bml_movi_87")
FRAMES = 4


@pytest.fixture(scope="module")
def cases():
    """Three random subjects, each with (parameters, C model, poses)."""
    rng = np.random.default_rng(1)
    subjects = [random_subject(rng, KEYPOINTS) for _ in range(3)]
    return [(body_parameters(s, KEYPOINTS), scaled_model(s, KEYPOINTS), random_qpos(rng, FRAMES)) for s in subjects]


def test_sites_equal_the_c_engine_at_random_poses_scales_and_offsets(cases):
    for parameters, model, qpos in cases:
        found, _ = sites_with_jacobian(parameters, jnp.asarray(qpos, jnp.float32))
        expected = np.array([oracle_sites(model, KEYPOINTS, q) for q in qpos])
        np.testing.assert_allclose(found, expected, atol=POSITION_M)


def test_sites_alone_equal_sites_with_jacobian(cases):
    parameters, _, qpos = cases[0]
    qpos = jnp.asarray(qpos, jnp.float32)
    np.testing.assert_allclose(sites(parameters, qpos), sites_with_jacobian(parameters, qpos)[0], atol=POSITION_M)


def test_body_poses_equal_the_c_engine(cases):
    for parameters, model, qpos in cases:
        position, quaternion = body_poses(parameters, jnp.asarray(qpos, jnp.float32))
        for frame, q in enumerate(qpos):
            data = oracle_poses(model, q)
            np.testing.assert_allclose(position[frame], data.xpos, atol=POSITION_M)
            same = np.abs(np.sum(np.asarray(quaternion[frame]) * data.xquat, axis=1))
            np.testing.assert_allclose(same, 1.0, atol=1e-6)  # cosine of half the angle between them


def test_jacobian_equals_the_c_engine(cases):
    for parameters, model, qpos in cases:
        _, jacobian = sites_with_jacobian(parameters, jnp.asarray(qpos, jnp.float32))
        for frame, q in enumerate(qpos):
            data = oracle_poses(model, q)
            for k, name in enumerate(KEYPOINTS.names):
                expected = np.zeros((3, model.nv))
                mujoco.mj_jacSite(model, data, expected, None, model.site(f"keypoint {name}").id)
                np.testing.assert_allclose(jacobian[frame, k], expected, atol=POSITION_M, err_msg=name)


def test_jacobian_predicts_the_effect_of_a_small_step(cases):
    parameters, model, qpos = cases[1]
    rng = np.random.default_rng(2)
    step = rng.normal(0.0, 1e-4, (FRAMES, 40))
    _, jacobian = sites_with_jacobian(parameters, jnp.asarray(qpos, jnp.float32))
    for frame, q in enumerate(qpos):
        after = q.copy()
        mujoco.mj_integratePos(model, after, step[frame], 1.0)
        moved = oracle_sites(model, KEYPOINTS, after) - oracle_sites(model, KEYPOINTS, q)
        # second order: (40 steps of 1e-4 rad)^2 over a lever of 1 m is below 2e-6 m
        np.testing.assert_allclose(np.asarray(jacobian[frame]) @ step[frame], moved, atol=2e-6)


def test_any_leading_axes_give_the_same_as_one_by_one(cases):
    parameters, _, qpos = cases[0]
    qpos = jnp.asarray(qpos, jnp.float32)
    folded = sites(parameters, qpos.reshape(2, 2, 41)).reshape(4, -1, 3)
    np.testing.assert_allclose(folded, sites(parameters, qpos), atol=POSITION_M)


def test_a_keypoint_that_is_not_used_is_finite_and_does_not_move():
    keypoints = load_keypoint_set("coco_wholebody_133")
    parameters = body_parameters(subject_from_height(1.75, keypoints), keypoints)
    position, jacobian = sites_with_jacobian(parameters, jnp.asarray(NEUTRAL_QPOS, jnp.float32))
    unused = np.array([not body for body in keypoints.bodies])
    assert np.isfinite(position).all()
    assert not np.asarray(jacobian)[unused].any()
    assert np.asarray(jacobian)[~unused].any(axis=(1, 2)).all()


def test_integrate_equals_the_c_engine(cases):
    _, model, qpos = cases[0]
    step = np.random.default_rng(3).normal(0.0, 1.0, (FRAMES, 40))
    found = integrate(jnp.asarray(qpos, jnp.float32), jnp.asarray(step, jnp.float32))
    for frame, q in enumerate(qpos):
        expected = q.copy()
        mujoco.mj_integratePos(model, expected, step[frame], 1.0)
        sign = np.sign(np.dot(expected[3:7], np.asarray(found[frame, 3:7])))
        expected[3:7] *= sign
        np.testing.assert_allclose(found[frame], expected, atol=3e-6)  # angles up to 8 rad in float32


@pytest.mark.parametrize("angle_rad", [0.0, 1e-8, 1e-4, 0.5, 3.0, 3.14])
def test_difference_undoes_integrate(angle_rad):
    rng = np.random.default_rng(4)
    start = jnp.asarray(random_qpos(rng, 8), jnp.float32)
    axis = rng.normal(size=(8, 3))
    step = rng.normal(0.0, 0.3, (8, 40))
    step[:, 3:6] = angle_rad * axis / np.linalg.norm(axis, axis=1, keepdims=True)
    found = difference(start, integrate(start, jnp.asarray(step, jnp.float32)))
    np.testing.assert_allclose(found, step, atol=3e-6)


def test_integrate_undoes_difference_for_any_two_poses():
    rng = np.random.default_rng(5)
    start, end = (jnp.asarray(random_qpos(rng, 16), jnp.float32) for _ in range(2))
    arrived = np.asarray(integrate(start, difference(start, end)))
    same = np.sum(arrived[:, 3:7] * end[:, 3:7], axis=1)
    np.testing.assert_allclose(np.abs(same), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.delete(arrived, slice(3, 7), 1), np.delete(end, slice(3, 7), 1), atol=3e-6)
    assert (np.linalg.norm(difference(start, end)[:, 3:6], axis=1) <= np.pi + 1e-6).all()


def test_difference_has_finite_gradients_where_the_poses_are_equal():
    qpos = jnp.asarray(NEUTRAL_QPOS, jnp.float32)
    gradient = jax.jacfwd(lambda step: difference(qpos, integrate(qpos, step)))(jnp.zeros(40))
    np.testing.assert_allclose(gradient, np.eye(40), atol=1e-6)


@pytest.mark.parametrize("height_m", [1.2, 1.75, 2.0])
def test_a_subject_by_height_stands_that_high_with_its_soles_on_the_floor(height_m):
    subject = subject_from_height(height_m, KEYPOINTS)
    landmarks = base_sites(("vertex", *SOLE_SITES))
    found = sites(body_parameters(subject, landmarks), jnp.asarray(neutral_qpos(subject), jnp.float32))
    assert standing_height_m(subject) == pytest.approx(height_m, abs=1e-9)
    np.testing.assert_allclose(found[0, 2], height_m, atol=POSITION_M)
    np.testing.assert_allclose(found[1:, 2], 0.0, atol=POSITION_M)


def test_offsets_of_another_keypoint_set_are_left_out():
    openpose = load_keypoint_set("body_25")
    subject = random_subject(np.random.default_rng(7), KEYPOINTS)
    own = dataclasses.replace(subject, offsets_m={"LKnee": np.array([0.0, 0.01, 0.0])})
    knee = openpose.site_from_keypoint["LKnee"]
    np.testing.assert_array_equal(body_parameters(own, openpose).site_pos[knee], 0.0)
    same = dataclasses.replace(own, keypoint_set="body_25")
    np.testing.assert_allclose(body_parameters(same, openpose).site_pos[knee], [0.0, 0.01, 0.0], atol=1e-9)


def test_trunk_length_lifts_head_and_shoulders_and_shoulder_width_spreads_them():
    qpos = jnp.asarray(NEUTRAL_QPOS, jnp.float32)

    def positions_m(**factors: float) -> dict[str, np.ndarray]:
        scales = np.array([factors.get(name, 0.0) for name in SCALE_NAMES])
        subject = dataclasses.replace(subject_from_height(1.75, KEYPOINTS), scales=scales)
        return dict(
            zip(BODY_NAMES, np.asarray(body_poses(body_parameters(subject, KEYPOINTS), qpos)[0])[1:], strict=True)
        )

    base, longer, wider = positions_m(), positions_m(trunk_length=0.1), positions_m(shoulder_width=0.1)
    # torso offsets in the base model: head (0.022, 0, 0.468), humerus (0.030, -+0.178, 0.348)
    for body, lifted, spread in (
        ("torso", [0, 0, 0], [0, 0, 0]),
        ("head", [0, 0, 0.0468], [0, 0, 0]),
        ("humerus_r", [0, 0, 0.0348], [0, -0.0178, 0]),
        ("humerus_l", [0, 0, 0.0348], [0, 0.0178, 0]),
    ):
        np.testing.assert_allclose(longer[body] - base[body], lifted, atol=POSITION_M)
        np.testing.assert_allclose(wider[body] - base[body], spread, atol=POSITION_M)
