"""The banded solve against dense linear algebra."""

import jax
import numpy as np
import pytest

from markerless_biomech.fitting.smoother import (
    Band,
    Factor,
    Gaussian,
    covariance_of,
    eliminate,
    factorise,
    newest_covariance,
    solve,
)

T, Q = 6, 40
# float32 Cholesky of matrices with condition numbers of about 1e3.
RELATIVE = 2e-4


@pytest.fixture(scope="module")
def problem() -> tuple[Gaussian, Band, np.ndarray, np.ndarray]:
    """A random band with the structure of the fit, and the same as one dense matrix and vector."""
    rng = np.random.default_rng(3)
    own = rng.normal(size=(T, Q, Q))
    own = own @ own.transpose(0, 2, 1) / Q + np.eye(Q)
    coefficients = np.array([1.0, -2.0, 1.0])
    weight = rng.uniform(0.5, 3.0, (T, Q))
    weight[-2:] = 0.0
    coupling = coefficients[:, None, None] * coefficients[None, :, None] * weight[:, None, None, :]
    gradient, coupling_gradient = rng.normal(size=(T, Q)), rng.normal(size=(T, 3, Q)) * (weight[:, None] > 0)
    prior = rng.normal(size=(2 * Q, 2 * Q))
    prior, prior_gradient = prior @ prior.T / Q, rng.normal(size=2 * Q)
    dense, right = np.zeros((T * Q, T * Q)), np.zeros(T * Q)
    dense[: 2 * Q, : 2 * Q] += prior
    right[: 2 * Q] += prior_gradient
    for t in range(T):
        dense[t * Q : t * Q + Q, t * Q : t * Q + Q] += own[t]
        right[t * Q : t * Q + Q] += gradient[t]
        if t < T - 2:
            for a in range(3):
                right[(t + a) * Q : (t + a + 1) * Q] += coupling_gradient[t, a]
                for b in range(3):
                    dense[(t + a) * Q : (t + a + 1) * Q, (t + b) * Q : (t + b + 1) * Q] += np.diag(coupling[t, a, b])
    band = Band(*(np.asarray(x, np.float32) for x in (own, gradient, coupling, coupling_gradient)))
    return Gaussian(prior.astype(np.float32), prior_gradient.astype(np.float32)), band, dense, right


def factor_of(prior: Gaussian, band: Band) -> Factor:
    """Undamped."""
    return factorise(prior, band, np.zeros((2, Q), np.float32))[0]


def test_the_step_solves_the_dense_system(problem):
    prior, band, dense, right = problem
    step = np.asarray(solve(factor_of(prior, band))).ravel()
    expected = -np.linalg.solve(dense, right)
    assert np.abs(step - expected).max() < RELATIVE * np.abs(expected).max()


def test_the_newest_frames_are_damped(problem):
    prior, band, dense, right = problem
    damping = np.random.default_rng(4).uniform(0.1, 1.0, (2, Q)).astype(np.float32)
    undamped, damped = factorise(prior, band, damping)
    size = np.concatenate([np.zeros((T - 2) * Q), damping.ravel()])
    for factor, matrix in ((undamped, dense), (damped, dense + np.diag(size))):
        expected = -np.linalg.solve(matrix, right)
        step = np.asarray(solve(factor)).ravel()
        assert np.abs(step - expected).max() < RELATIVE * np.abs(expected).max()


def test_covariances_are_blocks_of_the_dense_inverse(problem):
    prior, band, dense, _ = problem
    factor = factor_of(prior, band)
    inverse = np.linalg.inv(dense)
    expected = np.stack([inverse[t * Q : t * Q + Q, t * Q : t * Q + Q] for t in range(T)])
    found = np.stack([covariance_of(factor, t) for t in range(T)])
    assert np.abs(found - expected).max() < RELATIVE * np.abs(expected).max()
    assert np.abs(np.asarray(newest_covariance(factor)) - expected[-1]).max() < RELATIVE * np.abs(expected).max()


def test_a_frame_that_is_eliminated_is_not_forgotten(problem):
    prior, band, dense, right = problem
    left, _ = eliminate(prior, jax.tree.map(lambda x: x[0], band))
    shorter = jax.tree.map(lambda x: x[1:], band)
    step = np.asarray(solve(factor_of(left, shorter))).ravel()
    expected = -np.linalg.solve(dense, right)[Q:]
    assert np.abs(step - expected).max() < RELATIVE * np.abs(expected).max()
