"""The chain of stance and swing against the sum over all sequences of states."""

from __future__ import annotations

import itertools

import numpy as np

from markerless_biomech.gait.stance_chain import STANCE, best_path, probabilities

RATE_HZ = 2.0


def every_sequence(log_odds: np.ndarray, hops_s: np.ndarray, before: float) -> dict[tuple[int, ...], float]:
    """Probability (not normalised) of each sequence of states, 0 stance and 1 swing."""
    change = 0.5 * (1.0 - np.exp(-2.0 * RATE_HZ * hops_s))
    likelihood = {}
    for states in itertools.product((0, 1), repeat=len(log_odds)):
        total = 0.0
        for start, prior in ((0, before), (1, 1.0 - before)):
            weight, previous = prior, start
            for row, state in enumerate(states):
                weight *= change[row] if state != previous else 1.0 - change[row]
                weight *= np.exp(log_odds[row]) if state == STANCE else 1.0
                previous = state
            total += weight
        likelihood[states] = total
    return likelihood


def test_probabilities_are_the_sum_over_all_sequences() -> None:
    rng = np.random.default_rng(0)
    log_odds, hops_s = rng.normal(0.0, 2.0, 8), rng.uniform(0.01, 0.1, 8)
    likelihood = every_sequence(log_odds, hops_s, 0.3)
    total = sum(likelihood.values())
    expected = [sum(p for states, p in likelihood.items() if states[row] == STANCE) / total for row in range(8)]
    np.testing.assert_allclose(probabilities(log_odds, hops_s, RATE_HZ, 0.3), expected, atol=1e-12)


def test_the_best_path_is_the_likeliest_sequence() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        log_odds, hops_s = rng.normal(0.0, 3.0, 8), rng.uniform(0.01, 0.1, 8)
        likelihood = every_sequence(log_odds, hops_s, 0.999)
        assert tuple(best_path(log_odds, hops_s, RATE_HZ, 0.999)) == max(likelihood, key=lambda s: likelihood[s])


def test_one_doubtful_instant_does_not_lift_a_foot() -> None:
    log_odds = np.full(30, 2.0)
    log_odds[15] = -4.0
    assert (best_path(log_odds, np.full(30, 1 / 60), RATE_HZ, 0.999) == STANCE).all()
