"""Calibrations that belong to other cameras: the exchange that makes the images agree.

T[a, i, b, j] is the epipolar distance of the images of a and b under the calibrations i and j; with it every exchange
of two cameras, and every cycle of three, is a few look-ups. The best one is taken again and again while it helps.
"""

from __future__ import annotations

import itertools

import numpy as np

from .epipolar import agreeing_px, poses, together
from .setup import Setup
from .streams import Seen, thinned

INSTANTS = 20
KEYPOINTS = 12
MOST_FOR_CYCLES = 10
"""Cameras up to which cycles of three are tried."""
CAP = 3.0
"""Distances count up to this many times the limit: a pair is no worse than wrong."""


def exchange_table(setup: Setup, seen: list[Seen]) -> np.ndarray:
    """(C, C, C, C) px; NaN where two cameras see too little together."""
    few = thinned(seen, INSTANTS, KEYPOINTS)
    count, pose = len(setup.cameras), poses(setup)
    points = [[setup.normalised_as(own, other, few[own].image_px) for other in range(count)] for own in range(count)]
    table = np.full((count,) * 4, np.nan)
    for a, b in itertools.combinations(range(count), 2):
        both = together(few[a], few[b])
        for i, j in itertools.permutations(range(count), 2):
            apart = agreeing_px(both, points[a][i], points[b][j], pose[i], pose[j])
            if len(apart) >= 20:
                table[a, i, b, j] = table[b, j, a, i] = float(np.median(apart))
    return table


def badness(table: np.ndarray, order: np.ndarray, limit_px: np.ndarray) -> float:
    """Sum over pairs of the distance in units of the limit, at most CAP each."""
    count = len(order)
    matrix = table[np.arange(count)[:, None], order[:, None], np.arange(count)[None], order[None]]
    return float(np.nansum(np.minimum(matrix / limit_px, CAP)) / 2.0)


def ranked_exchanges(table: np.ndarray, limit_px: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Orders (C,) of the calibrations with their badness, the best first: single moves, and the best chain of them."""
    count = table.shape[0]
    start = np.arange(count)
    singles = [(badness(table, order, limit_px), order) for order in _moves(start)]
    singles.sort(key=lambda one: one[0])
    present = (badness(table, start, limit_px), start)
    while True:
        best = min(((badness(table, order, limit_px), order) for order in _moves(present[1])), key=lambda one: one[0])
        if best[0] >= 0.98 * present[0]:
            break
        present = best
    known = [one for one in singles if not np.array_equal(one[1], present[1])]
    return sorted([present, *known[:5]], key=lambda one: one[0]) if present[1] is not start else singles[:5]


def _moves(order: np.ndarray) -> list[np.ndarray]:
    """Every exchange of two, and cycles of three in small rigs."""
    found = []
    for a, b in itertools.combinations(range(len(order)), 2):
        changed = order.copy()
        changed[[a, b]] = changed[[b, a]]
        found.append(changed)
    if len(order) <= MOST_FOR_CYCLES:
        for a, b, c in itertools.combinations(range(len(order)), 3):
            for turned in ((b, c, a), (c, a, b)):
                changed = order.copy()
                changed[[a, b, c]] = order[list(turned)]
                found.append(changed)
    return found
