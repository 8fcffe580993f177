"""Each term's gradient against differences of its cost, and what must carry no weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from virtual import circle_rig, images_of, sites_of, swinging

from markerless_biomech.body.model import body_parameters, integrate, sites
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.cameras.camera import project
from markerless_biomech.cameras.rig import camera_arrays
from markerless_biomech.fitting import priors, residuals
from markerless_biomech.fitting.residuals import Observations
from markerless_biomech.keypoints import load_keypoint_set


@pytest.fixture(scope="module")
def lab():
    """Three cameras, coco_17, a pose, and the points it shows."""
    keypoint_set = load_keypoint_set("coco_17")
    subject, rig = subject_from_height(1.75, keypoint_set), circle_rig(3)
    qpos = swinging(30)[[20]].astype(np.float32)
    images = images_of(rig, sites_of(subject, keypoint_set, qpos), noise_px=4.0)
    points = np.stack([images[name] for name in rig.cameras], axis=1)
    observed = Observations(jnp.asarray(points[..., :2]), jnp.asarray(points[..., 2]), jnp.zeros((1, 3)))
    return body_parameters(subject, keypoint_set), camera_arrays(rig, tuple(rig.cameras)), qpos, observed


@pytest.fixture(scope="module")
def term(lab):
    """Reprojection as a jitted function of a step, velocity and observations."""
    parameters, cameras, qpos, _ = lab

    @jax.jit
    def evaluate(step, velocity, observed):
        moved = integrate(jnp.asarray(qpos), step[None])
        quadratic, summary = residuals.reprojection(
            parameters, cameras, moved, velocity[None], observed, jnp.full(3, 0.03)
        )
        return jax.tree.map(lambda x: x[0], (quadratic, summary))

    return evaluate


def test_the_gradient_is_that_of_the_cost(lab, term):
    observed, still = lab[3], jnp.zeros(40)
    gradient = np.asarray(term(jnp.zeros(40), still, observed)[0].gradient)
    width = 1e-3
    numeric = [
        (term(width * axis, still, observed)[0].cost - term(-width * axis, still, observed)[0].cost) / (2 * width)
        for axis in np.eye(40, dtype=np.float32)
    ]
    error = np.abs(np.array(numeric) - gradient)
    # float32 costs of about 20 leave 1e-6 * 20 / 2e-3 = 0.01 of noise in a difference.
    assert error[3:].max() < 0.02 + 5e-3 * np.abs(gradient[3:]).max()
    # Sigma follows the pelvis' depth but is a weight, not a residual: its change has no part in the gradient.
    assert error[:3].max() < 0.02 + 1e-2 * np.abs(gradient[:3]).max()


def test_points_without_weight_change_nothing(lab, term):
    observed, still = lab[3], jnp.zeros(40)
    hidden = Observations(observed.image_px, observed.weight.at[:, 1, 5].set(0.0), observed.delay_s)
    wild = Observations(hidden.image_px.at[:, 1, 5].set(1e6), hidden.weight, hidden.delay_s)
    for a, b in zip(
        jax.tree.leaves(term(still, still, hidden)[0]), jax.tree.leaves(term(still, still, wild)[0]), strict=True
    ):
        assert np.array_equal(a, b)


def test_an_outlier_beyond_the_gate_carries_no_weight(lab, term):
    observed, still = lab[3], jnp.zeros(40)
    wild = Observations(observed.image_px.at[:, 0, 3].add(1000.0), observed.weight, observed.delay_s)
    assert not bool(term(still, still, wild)[1].used[0, 3])
    assert bool(term(still, still, observed)[1].used[0, 3])


def test_a_moving_body_explains_a_late_camera(lab, term):
    """1 m/s seen 10 ms late by one camera: without the delay its points are off, with it they fit."""
    observed, still = lab[3], jnp.zeros(40)
    parameters, cameras, qpos, _ = lab
    velocity = jnp.zeros(40).at[0].set(1.0)
    now, _ = project(cameras, sites(parameters, qpos))
    later, _ = project(cameras, sites(parameters, integrate(jnp.asarray(qpos), 0.01 * velocity[None])))
    late = Observations(now.at[:, 1].set(later[:, 1]), observed.weight, jnp.zeros((1, 3)).at[:, 1].set(0.01))
    assert float(term(still, velocity, late)[1].residual_px.max()) < 0.05  # second order in 1 cm
    assert float(term(still, still, late)[1].residual_px.max()) > 2.0


def test_constant_velocity_on_uneven_stamps_has_no_acceleration():
    hop_s = np.array([0.02, 0.01, 0.03, 0.02, 0.005], np.float32)
    qpos = np.tile(np.eye(41, dtype=np.float32)[3], (5, 1))
    qpos[:, 0] = 1.3 * np.cumsum(hop_s)
    qpos[:, 10] = 2.0 * np.cumsum(hop_s)
    _, weight, residual, _ = residuals.acceleration(jnp.asarray(qpos), jnp.asarray(hop_s), jnp.array([1.0, 1, 1, 0, 0]))
    assert np.abs(residual[:3]).max() < 1e-3  # float32 of velocities 2 rad/s over 5 ms
    assert np.all(np.asarray(weight)[3:] == 0)


def test_acceleration_levels_hold_at_the_reference_rate():
    """At 60 Hz a tenth of the table's acceleration is 0.1 standard deviations; larger ones feel Huber's loss."""
    hop_s = jnp.full(3, 1.0 / priors.REFERENCE_RATE_HZ)
    qpos = np.tile(np.eye(41, dtype=np.float32)[3], (3, 1))
    for size, expected in ((0.1, 0.1**2), (10.0, 10.0 * priors.ACCELERATION_DELTA)):
        qpos[2, 10] = size * priors.ACCELERATION_RMS[9] / priors.REFERENCE_RATE_HZ**2
        _, weight, residual, _ = residuals.acceleration(jnp.asarray(qpos), hop_s, jnp.array([1.0, 0, 0]))
        assert float((weight * residual**2)[0, 9]) == pytest.approx(expected, rel=1e-3)


def test_joint_limits_push_back_from_outside_only():
    qpos = np.zeros((1, 41), np.float32)
    qpos[0, 3] = 1.0
    information, gradient, cost = residuals.joint_limits(jnp.asarray(qpos))
    assert float(cost[0]) == 0.0 and not np.any(gradient)
    qpos[0, 10] = np.radians(170.0)  # knee beyond 160 degrees
    information, gradient, cost = residuals.joint_limits(jnp.asarray(qpos))
    excess = np.radians(10.0)
    assert float(gradient[0, 9]) == pytest.approx(excess / priors.LIMIT_STD_RAD**2, rel=1e-3)
    assert float(cost[0]) == pytest.approx(0.5 * (excess / priors.LIMIT_STD_RAD) ** 2, rel=1e-3)
    assert float(information[0, 9]) > 0 and float(information.sum()) == float(information[0, 9])


def test_posture_counts_in_proportion_to_time():
    qpos = np.zeros((2, 41), np.float32)
    qpos[:, 7:] = 0.3
    _, _, cost = residuals.posture(jnp.asarray(qpos), jnp.array([1 / 60, 1 / 120]))
    assert float(cost[0]) == pytest.approx(2 * float(cost[1]), rel=1e-4)
