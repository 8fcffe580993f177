"""One foot's states over time: a chain of stance and swing with rare switches (a two-state hidden Markov model).

`probabilities` is the forward-backward algorithm, `best_path` Viterbi's (Rabiner, Proc. IEEE 77:257, 1989). Times are
real stamps: the chance of a switch grows with the time between two instants. Plain floats: two states are too few for
arrays to pay.
"""

from __future__ import annotations

import math

import numpy as np

STANCE, SWING = 0, 1


def best_path(log_odds: np.ndarray, hops_s: np.ndarray, rate_hz: float, before: float) -> np.ndarray:
    """(N,) the likeliest states for log odds (N,) of stance, hops (N,) from the instant before each.

    `before` is the probability of stance at the instant before the first.
    """
    back: list[tuple[int, int]] = []
    switch = np.maximum(_switches(rate_hz, hops_s), 1e-12)
    rows = zip(log_odds.tolist(), np.log(switch).tolist(), np.log1p(-switch).tolist(), strict=True)
    stance, swing = _log(before), _log(1.0 - before)
    for odds, change, stay in rows:
        stays, comes, leaves, remains = stance + stay, swing + change, stance + change, swing + stay
        back.append((0 if stays >= comes else 1, 1 if remains >= leaves else 0))
        stance, swing = (stays if stays >= comes else comes) + odds, remains if remains >= leaves else leaves
    state = 0 if stance >= swing else 1
    path = np.empty(len(back), dtype=int)
    for index in range(len(back) - 1, -1, -1):
        path[index] = state
        state = back[index][state]
    return path


def probabilities(log_odds: np.ndarray, hops_s: np.ndarray, rate_hz: float, before: float) -> np.ndarray:
    """(N,) probability of stance at each instant, given all of them."""
    odds, switch = np.exp(np.clip(log_odds, -50.0, 50.0)).tolist(), _switches(rate_hz, hops_s).tolist()
    forward, current = [], before
    for ratio, change in zip(odds, switch, strict=True):
        predicted = current * (1.0 - change) + (1.0 - current) * change
        current = predicted * ratio / (predicted * ratio + 1.0 - predicted)
        forward.append(current)
    answer = np.empty(len(odds))
    stance, swing = 1.0, 1.0
    for index in range(len(odds) - 1, -1, -1):
        weight = forward[index] * stance
        answer[index] = weight / (weight + (1.0 - forward[index]) * swing)
        change = switch[index]
        stance = stance * odds[index]
        stance, swing = stance * (1 - change) + swing * change, stance * change + swing * (1 - change)
        scale = max(stance, swing)
        stance, swing = stance / scale, swing / scale
    return answer


def _switches(rate_hz: float, hops_s: np.ndarray) -> np.ndarray:
    """(N,) probability that the state has changed after each hop."""
    return 0.5 * (1.0 - np.exp(-2.0 * rate_hz * hops_s))


def _log(probability: float) -> float:
    return math.log(max(probability, 1e-12))
