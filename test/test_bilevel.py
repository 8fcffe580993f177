"""The offline solve: chunks against one dense matrix, the shape's derivatives against differences."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from virtual import circle_rig, images_of, sites_of, swinging

from markerless_biomech.body.model import body_parameters, integrate, sites
from markerless_biomech.body.shape import (
    SCALES,
    shape_covariance,
    shape_model,
    shape_parameters,
    shape_vector,
    site_derivatives,
    with_shape,
)
from markerless_biomech.body.subject import Subject, subject_from_height
from markerless_biomech.cameras.rig import camera_arrays
from markerless_biomech.fitting.bilevel import CHUNK, Noise, add_spread
from markerless_biomech.fitting.bundle import Bundle, OuterPrior, Piece, chunk_frames
from markerless_biomech.fitting.judgement import PieceStates, measure, noise_correlation
from markerless_biomech.fitting.offline import Objective, eliminate_piece, steps_back
from markerless_biomech.fitting.residuals import Observations
from markerless_biomech.keypoints import KeypointSet, load_keypoint_set

COCO = load_keypoint_set("coco_17")
RNG = np.random.default_rng(3)


def somebody(keypoint_set: KeypointSet = COCO) -> Subject:
    """A person whose scales and offsets are their own."""
    generic = subject_from_height(1.7, keypoint_set)
    shape = shape_vector(generic, keypoint_set)
    shape[:SCALES] += 0.04 * RNG.normal(size=SCALES)
    shape[SCALES:] = 0.012 * RNG.normal(size=len(shape) - SCALES)
    return with_shape(generic, keypoint_set, shape)


def piece_of(subject: Subject, frames: int, noise_px: float = 2.0, cameras: int = 3) -> Piece:
    """What `cameras` see of somebody who swings arms and legs; the poses are the true ones."""
    qpos = swinging(frames)
    rig = circle_rig(cameras)
    images = images_of(rig, sites_of(subject, COCO, qpos), noise_px)
    points = np.stack(list(images.values()), 1)
    delay_s = np.zeros((frames, cameras), np.float32)
    observed = Observations(points[..., :2], points[..., 2], delay_s)
    arrays = jax.device_put(camera_arrays(rig, tuple(rig.cameras)))
    return Piece(
        np.arange(frames) / 60.0, qpos.astype(np.float32), observed, arrays, np.full(cameras, 0.01, np.float32)
    )


def weak_prior(count: int) -> OuterPrior:
    """10 % and 15 mm about the base model."""
    std = np.r_[np.full(SCALES, 0.1), np.full(count - SCALES, 0.015)]
    return OuterPrior(np.zeros(count), np.diag(1.0 / std**2))


def test_a_shape_vector_makes_the_same_body_as_the_subject():
    subject = somebody()
    ours = shape_parameters(shape_model(COCO), jnp.asarray(shape_vector(subject, COCO)))
    theirs = body_parameters(subject, COCO)
    for name in ("body_pos", "body_scale", "site_pos"):
        # float32 of lengths below 1 m
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=2e-7)


def test_covariances_travel_between_file_and_vector():
    subject = somebody()
    size = SCALES + 3 * len(COCO)
    root = RNG.normal(size=(size, size))
    kept = with_shape(subject, COCO, shape_vector(subject, COCO), root @ root.T)
    np.testing.assert_array_equal(shape_covariance(kept, COCO), root @ root.T)
    assert not shape_covariance(kept, load_keypoint_set("halpe_26")).any()


def test_sites_move_with_the_shape_as_differences_say():
    model, shape = shape_model(COCO), shape_vector(somebody(), COCO).astype(np.float32)
    qpos = swinging(5).astype(np.float32)[3]
    found = site_derivatives(model, shape, qpos)
    for index in range(SCALES):
        step = np.zeros_like(shape)
        step[index] = 0.01
        high, low = (sites(shape_parameters(model, shape + sign * step), qpos) for sign in (1, -1))
        # sites are linear in the scales: only float32 counts, 1e-7 m over 0.02
        np.testing.assert_allclose(found.by_body[:, :, index], (high - low) / 0.02, atol=4e-5)
    for axis in range(3):
        moved = shape.copy()
        moved[SCALES + axis :: 3] += 0.01
        change = (sites(shape_parameters(model, moved), qpos) - found.position) / 0.01
        np.testing.assert_allclose(found.by_offset[:, :, axis], change, atol=8e-5)


def test_chunks_solve_what_one_dense_matrix_solves():
    subject = somebody()
    frames = CHUNK + 7
    piece = piece_of(subject, frames)
    shape = shape_vector(subject_from_height(1.75, COCO), COCO)
    objective = Objective(shape_model(COCO), weak_prior(len(shape)), frames)
    linear = objective.linearised(piece, Bundle((piece,), shape))
    factors, outer = eliminate_piece(linear, 0.0)
    information = outer[1:, 1:] + objective.prior.information
    shape_step = -np.linalg.solve(information, outer[1:, 0])
    steps = steps_back(factors, shape_step)[:frames]
    matrix, gradient = dense(linear, objective.prior.information)
    expected = -np.linalg.solve(matrix, gradient)
    rows = 40 * 2 * CHUNK
    # Schur complements in 64 bits of entries in 32 bits, which differ by up to 1e8 in size
    np.testing.assert_allclose(shape_step, expected[rows:], atol=1e-6, rtol=1e-4)
    np.testing.assert_allclose(steps, np.clip(expected[:rows].reshape(-1, 40)[:frames], -0.5, 0.5), atol=2e-4)


def dense(linear: list, prior_information: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole matrix and gradient of all chunks: frames first, then the shape."""
    frames, outside = CHUNK * len(linear), linear[0].outer.shape[0] - 1
    matrix, gradient = np.zeros((40 * frames + 80 + outside,) * 2), np.zeros(40 * frames + 80 + outside)
    shape = slice(40 * frames + 80, None)
    for number, chunk in enumerate(jax.tree.map(lambda x: np.asarray(x, float), linear)):
        for t in range(CHUNK):
            start = 40 * (number * CHUNK + t)
            own = slice(start, start + 40)
            matrix[own, own] += chunk.image[t] + np.diag(chunk.own[t])
            gradient[own] += chunk.gradient[t, :, 0]
            matrix[own, shape] += chunk.gradient[t, :, 1:]
            matrix[shape, own] += chunk.gradient[t, :, 1:].T
            for i in range(3):
                row = np.arange(start + 40 * i, start + 40 * i + 40)
                gradient[row] += chunk.coupling_gradient[t, i]
                for j in range(3):
                    matrix[row, row + 40 * (j - i)] += chunk.coupling[t, i, j]
        matrix[shape, shape] += chunk.outer[1:, 1:]
        gradient[shape] += chunk.outer[0, 1:]
    matrix[shape, shape] += prior_information
    kept = np.r_[0 : 40 * frames, 40 * frames + 80 : len(gradient)]
    return matrix[np.ix_(kept, kept)], gradient[kept]


def test_the_spread_of_poses_pulls_the_shape_as_differences_say():
    subject = somebody()
    piece = replace(piece_of(subject, CHUNK), noise_m=np.full(3, 0.2, np.float32))  # so that no point is an outlier
    model, shape = shape_model(COCO), shape_vector(subject, COCO).astype(np.float32)
    objective = Objective(model, weak_prior(len(shape)), CHUNK)
    frames = chunk_frames(piece, piece.observed, 0.0)[0]
    linear = objective.linearised(piece, Bundle((piece,), shape))[0]
    covariance = np.tile(1e-3 * np.eye(40, dtype=np.float32), (CHUNK, 1, 1))

    def spread(at: np.ndarray) -> tuple[float, np.ndarray]:
        found = add_spread(linear, model, at, piece.cameras, Noise(piece.noise_m, piece.cameras), frames, covariance, 4)
        return float(found.cost["spread"]), np.asarray(found.outer[0, 1:] - linear.outer[0, 1:])

    value, slope = spread(shape)
    assert value > 0
    for index in (0, 3, SCALES + 3 * 9 + 2):
        # The images' information per site is a constant here, as in the expectation step: differences with it fixed
        # would need the same constant, so only its weak dependence on where the site is (2 cm of 4 m) is left.
        step = np.zeros_like(shape)
        step[index] = 2e-2
        difference = (spread(shape + step)[0] - spread(shape - step)[0]) / 4e-2
        assert difference == pytest.approx(slope[index], rel=0.1, abs=0.02 * value)


def test_a_descent_finds_poses_that_were_moved_away():
    subject = somebody()
    piece = piece_of(subject, 40, noise_px=0.5)
    pushed = 0.05 * RNG.normal(size=(1, 40)).astype(np.float32)
    start = replace(piece, qpos=np.asarray(integrate(piece.qpos, np.tile(pushed, (40, 1)))))
    objective = Objective(shape_model(COCO), None, 40)
    ended = objective.descend(Bundle((start,), shape_vector(subject, COCO)), iterations=8)
    legs = slice(7, 11)
    error = np.degrees(ended.bundle.pieces[0].qpos[:, legs] - piece.qpos[:, legs])
    # hip and knee of half a pixel's noise; from 3 degrees away
    assert np.abs(error).mean() < 0.5


def test_independent_noise_counts_in_full_and_a_standing_error_once():
    rng = np.random.default_rng(0)

    def states(standard: np.ndarray) -> PieceStates:
        used = np.ones(standard.shape[:-1], bool)
        nothing = np.zeros(0)
        pull = np.random.default_rng(1).normal(size=(len(standard), 30, 3))
        return PieceStates(nothing, nothing, nothing, nothing, nothing, standard, used, pull, 0.0)

    shape = (200, 6, 30, 2)
    white = rng.normal(size=shape)
    assert noise_correlation([states(white)]) == pytest.approx(1.33, abs=0.1)  # 12 means a site, 3 said to be absorbed
    standing = np.broadcast_to(rng.normal(size=(1, *shape[1:])), shape)
    assert noise_correlation([states(standing)]) == pytest.approx(200 * 12 / 9, rel=1e-6)


def test_the_measured_noise_is_the_detectors():
    subject = somebody()
    piece = piece_of(subject, 90, noise_px=3.0)
    bundle = Bundle((piece,), shape_vector(subject, COCO))
    bundle = Objective(shape_model(COCO), None, 90).descend(bundle, iterations=4).bundle
    measured, correlation = measure(shape_model(COCO), bundle)
    # 3 px at 4 m and 1100 px focal length are 11 mm; 90 frames x 17 points x 2 give a hundredth, cameras differ in
    # distance by a twentieth
    np.testing.assert_allclose(measured.pieces[0].noise_m, 3.0 * 4.0 / 1100.0, rtol=0.1)
    assert correlation < 2.0
