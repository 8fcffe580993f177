"""Cameras as unknowns: their columns against differences, the rig's similarity, and rigs that are found again."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from test_bilevel import COCO, RNG, dense, piece_of, somebody, weak_prior
from virtual import circle_rig

from markerless_biomech.body.model import integrate
from markerless_biomech.body.shape import shape_model, shape_vector
from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.cameras.alignment import gauge_of, steps_of_gauge, without_gauge, world_steps
from markerless_biomech.cameras.camera import Cameras
from markerless_biomech.cameras.increments import POSE, refined
from markerless_biomech.cameras.refinement import fitted_rig, numbers_std
from markerless_biomech.cameras.rig import camera_arrays
from markerless_biomech.errors import InputError
from markerless_biomech.fitting.bilevel import CHUNK
from markerless_biomech.fitting.bundle import Bundle, OuterPrior
from markerless_biomech.fitting.judgement import Fitted, judge
from markerless_biomech.fitting.offline import Objective, eliminate_piece, steps_back
from markerless_biomech.recording.metrics import rig_errors
from markerless_biomech.rotations import matrix_from_xyzw, xyzw_from_matrix
from markerless_biomech.session import Trial, fit_session
from markerless_biomech.settings import SessionSettings

CAMERAS = 3


@pytest.fixture(autouse=True, params=[3])
def same_numbers(request: pytest.FixtureRequest) -> None:
    """Whatever ran before: the same people and errors."""
    RNG.bit_generator.state = np.random.default_rng(request.param).bit_generator.state


def rig_prior(numbers: int = POSE, cameras: int = CAMERAS) -> OuterPrior:
    std = np.tile(numbers_std(SessionSettings(refine_lenses=numbers > POSE, refine_times=numbers > POSE)), cameras)
    return OuterPrior(np.zeros(len(std)), np.diag(1.0 / std**2))


@pytest.mark.parametrize("numbers", [POSE, 11])
def test_shape_and_cameras_together_solve_what_one_dense_matrix_solves(numbers: int):
    subject = somebody()
    frames = CHUNK - 5
    piece = piece_of(subject, frames)
    shape = shape_vector(subject_from_height(1.75, COCO), COCO)
    objective = Objective(shape_model(COCO), weak_prior(len(shape)), frames, rig_prior(numbers))
    bundle = Bundle((piece,), shape, np.zeros((CAMERAS, numbers)))
    linear = objective.linearised(piece, bundle)
    factors, outer = eliminate_piece(linear, 0.0)
    prior = objective.prior
    assert prior is not None
    step = -np.linalg.solve(outer[1:, 1:] + prior.information, outer[1:, 0])
    steps = steps_back(factors, step)[:frames]
    matrix, gradient = dense(linear, prior.information)
    expected = -np.linalg.solve(matrix, gradient)
    # in standard deviations of the prior; entries in 32 bits that differ by up to 1e10 in size
    std = 1.0 / np.sqrt(np.diagonal(prior.information))
    np.testing.assert_allclose(step / std, expected[40 * CHUNK :] / std, atol=2e-3)
    np.testing.assert_allclose(steps, np.clip(expected[: 40 * CHUNK].reshape(-1, 40)[:frames], -0.5, 0.5), atol=1e-3)


def test_the_cameras_gradient_is_the_slope_of_the_objective():
    subject = somebody()
    piece = piece_of(subject, CHUNK)
    shape = shape_vector(subject, COCO)
    objective = Objective(shape_model(COCO), weak_prior(len(shape)), CHUNK, rig_prior(11))

    def at(rig: np.ndarray) -> tuple[float, np.ndarray]:
        linear = objective.linearised(piece, Bundle((piece,), shape, rig))[0]
        return float(linear.cost["reprojection"]), np.asarray(linear.outer[0, 1 + len(shape) :]).reshape(rig.shape)

    # a little off, so that slopes are large beside the noise
    rig = np.tile([0.01, -0.01, 0.02, 0.004, 0.004, -0.004, 0.01, 2.0, -2.0, 0.01, 0.01], (CAMERAS, 1))
    _, slope = at(rig)
    for number in (6, 7, 9, 10):
        step = np.zeros_like(rig)
        step[1, number] = 0.2 if number == 7 else 1e-3
        change = (at(rig + step)[0] - at(rig - step)[0]) / (2 * step[1, number])
        # the weights of Huber's loss and the delays' own motion aside
        assert slope[1, number] == pytest.approx(change, rel=0.05)


def test_what_the_alignment_takes_away_is_every_similarity():
    position_m = RNG.normal(size=(5, 3)) * [4.0, 4.0, 1.0]
    steps = steps_of_gauge(position_m)
    np.testing.assert_allclose(gauge_of(position_m) @ steps, np.eye(7), atol=1e-12)
    np.testing.assert_allclose(without_gauge(position_m) @ steps, 0.0, atol=1e-12)


def test_small_errors_after_alignment_are_the_aligned_steps():
    rig = circle_rig(6)
    cameras = camera_arrays(rig, tuple(rig.cameras))
    step = 1e-3 * RNG.normal(size=(6, POSE))
    other = refined(cameras, step)
    rotation, position_m = poses(cameras)
    turned, shifted_m = poses(other)
    error_deg, error_mm = rig_errors(turned, shifted_m, rotation, position_m)
    world = world_steps(np.swapaxes(rotation, 1, 2)) @ step.ravel()
    aligned = (without_gauge(position_m) @ world).reshape(-1, 6)
    # first order of steps of 1e-3
    np.testing.assert_allclose(np.radians(error_deg), np.linalg.norm(aligned[:, 3:], axis=1), rtol=0.02, atol=1e-6)
    np.testing.assert_allclose(1e-3 * error_mm, np.linalg.norm(aligned[:, :3], axis=1), rtol=0.02, atol=1e-5)


def poses(cameras: Cameras) -> tuple[np.ndarray, np.ndarray]:
    """(C, 3, 3) world from camera and (C, 3) positions (m)."""
    rotation = np.swapaxes(np.asarray(cameras.rotation, float), 1, 2)
    return rotation, -np.einsum("cij,cj->ci", rotation, np.asarray(cameras.translation, float))


def test_a_fitted_rig_is_the_nominal_one_with_its_numbers_applied():
    rig = circle_rig(4)
    names = tuple(rig.cameras)
    nominal = camera_arrays(rig, names)
    numbers = RNG.normal(size=(4, 11)) * [0.02, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01, 3.0, 3.0, 0.01, 0.002]
    found = fitted_rig(rig, names, refined(nominal, numbers), nominal, numbers, 1e-8 * np.eye(44))
    for ours, theirs in zip(
        jax.tree.leaves(camera_arrays(found.rig, names)), jax.tree.leaves(refined(nominal, numbers)), strict=True
    ):
        # float32 of poses in metres and focal lengths in pixels; the field's radius follows the new lens
        if ours.shape != (4,):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-5)
    assert found.time_offset_s[names[2]] == pytest.approx(numbers[2, -1])


def test_a_known_shape_that_is_unsure_makes_the_cameras_unsure():
    subject = somebody()
    piece = piece_of(subject, 30)
    shape = shape_vector(subject, COCO)
    fitted = Fitted(Bundle((piece,), shape, np.zeros((CAMERAS, POSE))), 1.0, {})
    model, prior = shape_model(COCO), rig_prior()
    sure = judge(model, fitted, None, None, prior)[1]
    known = 1e-4 * np.eye(len(shape))
    covariance, unsure, _ = judge(model, fitted, None, known, prior)
    np.testing.assert_allclose(covariance, known, atol=1e-9)
    assert (np.linalg.eigvalsh(unsure - sure) > -1e-9).all() and np.trace(unsure) > 1.01 * np.trace(sure)


def test_a_descent_puts_cameras_back():
    subject = somebody()
    piece = piece_of(subject, CHUNK, noise_px=0.5)
    shape = shape_vector(subject, COCO)
    wrong = 0.5 * numbers_std(SessionSettings()) * RNG.normal(size=(CAMERAS, POSE))
    pushed = 0.02 * RNG.normal(size=(1, 40)).astype(np.float32)
    start = dataclasses.replace(
        piece,
        cameras=jax.device_put(refined(piece.cameras, wrong.astype(np.float32))),
        qpos=np.asarray(integrate(piece.qpos, np.tile(pushed, (CHUNK, 1)))),
    )
    objective = Objective(shape_model(COCO), None, CHUNK, rig_prior())
    bundle = objective.descend(Bundle((start,), shape, np.zeros((CAMERAS, POSE))), iterations=8).bundle
    before_deg, _ = rig_errors(*poses(start.cameras), *poses(piece.cameras))
    after_deg, after_mm = rig_errors(*poses(bundle.cameras(start)), *poses(piece.cameras))
    # a second of 17 points at half a pixel of 1100 px of focal length; 0.02 to 0.05 for other people and errors
    assert np.median(after_deg) < 0.08 and np.median(after_mm) < 5.0
    assert np.median(before_deg) > 0.2


def test_cameras_of_two_calibrations_are_not_refined_together():
    rig = circle_rig(3)
    camera = next(iter(rig.cameras.values()))
    turned = dataclasses.replace(camera, orientation_xyzw=xyzw_from_matrix(matrix_from_xyzw(camera.orientation_xyzw)))
    other = dataclasses.replace(turned, position_m=camera.position_m + 0.01)
    rigs = (rig, dataclasses.replace(rig, cameras={**rig.cameras, camera.name: other}))
    trials = [Trial(name, one, ()) for name, one in zip(("walk1", "walk2"), rigs, strict=True)]
    with pytest.raises(InputError, match="walk1 and walk2 were recorded with different calibrations"):
        fit_session(trials, COCO, settings=SessionSettings(refine_cameras=True))


def test_networks_and_cameras_are_not_fitted_together():
    with pytest.raises(InputError, match="exclude each other"):
        settings = SessionSettings(refine_cameras=True, trajectory="implicit")
        fit_session([Trial("walk", circle_rig(3), ())], COCO, settings=settings)
