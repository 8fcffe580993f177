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
    score = [_log(before), _log(1.0 - before)]
    back: list[tuple[int, int]] = []
    for odds, hop in zip(log_odds.tolist(), hops_s.tolist(), strict=True):
        change = _log(_switch(rate_hz, hop))
        stay = _log(1.0 - _switch(rate_hz, hop))
        from_stance = 0 if score[0] + stay >= score[1] + change else 1
        from_swing = 1 if score[1] + stay >= score[0] + change else 0
        to_stance = max(score[0] + stay, score[1] + change) + odds
        to_swing = max(score[1] + stay, score[0] + change)
        back.append((from_stance, from_swing))
        score = [to_stance, to_swing]
    state = 0 if score[0] >= score[1] else 1
    path = np.empty(len(back), dtype=int)
    for index in range(len(back) - 1, -1, -1):
        path[index] = state
        state = back[index][state]
    return path


def probabilities(log_odds: np.ndarray, hops_s: np.ndarray, rate_hz: float, before: float) -> np.ndarray:
    """(N,) probability of stance at each instant, given all of them."""
    odds, hops = np.exp(np.clip(log_odds, -50.0, 50.0)).tolist(), hops_s.tolist()
    forward, current = [], before
    for ratio, hop in zip(odds, hops, strict=True):
        change = _switch(rate_hz, hop)
        predicted = current * (1.0 - change) + (1.0 - current) * change
        current = predicted * ratio / (predicted * ratio + 1.0 - predicted)
        forward.append(current)
    answer = np.empty(len(odds))
    stance, swing = 1.0, 1.0
    for index in range(len(odds) - 1, -1, -1):
        weight = forward[index] * stance
        answer[index] = weight / (weight + (1.0 - forward[index]) * swing)
        change = _switch(rate_hz, hops[index])
        stance, swing = stance * odds[index], swing
        stance, swing = stance * (1 - change) + swing * change, stance * change + swing * (1 - change)
        scale = max(stance, swing)
        stance, swing = stance / scale, swing / scale
    return answer


def _switch(rate_hz: float, hop_s: float) -> float:
    """Probability that the state has changed after `hop_s`."""
    return 0.5 * (1.0 - math.exp(-2.0 * rate_hz * hop_s))


def _log(probability: float) -> float:
    return math.log(max(probability, 1e-12))
