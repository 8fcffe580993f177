"""Cameras that disagree by far: which single mistake, put right, makes them agree? Hypotheses compete by epipolar
distance, which needs no triangulation; the simplest one that explains most wins, again and again until all agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .epipolar import pair_matrix
from .exchange import CAP, exchange_table, ranked_exchanges
from .findings import ALL_CAMERAS, Finding
from .hypotheses import Hypothesis, exchanged, of_camera, whole_rig
from .plausible import plausible
from .searched import Scene, accepted, elsewhere, late
from .setup import Setup
from .streams import Seen, thinned

LIMIT_PX, LIMIT_SHARE = 15.0, 0.06
"""A pair is wrong when its median distance is beyond this, and beyond this share of the person's size in the image:
detectors err by 1 to 2.5 % of it, a camera one degree off by 4 to 5 %."""

ROUNDS = 5

ENOUGH = 0.5
"""An explanation counts when it takes away this share of what is wrong with the pairs it concerns."""

NEAR, NEAR_OF_ONE_PAIR = 0.5, 0.3
"""And when it brings their median to this share of the limit. A single pair is met by a wrong one more easily."""

FEW_INSTANTS, FEW_KEYPOINTS = 30, 20
"""Hypotheses are tried on these; the winner's figures are those of all points."""

ALIKE = 0.6
"""Share to which an exchange must bring the distance down where it is not gross to begin with."""

STEP = 0.05
"""Share of the badness as given within which hypotheses are equal: then the one that changes less wins."""


@dataclass(frozen=True, eq=False)
class Explained:
    """The rig after everything gross has been put right."""

    setup: Setup
    seen: list[Seen]
    agreeing: np.ndarray
    """(C,) bool: cameras that agree with each other now."""
    findings: tuple[Finding, ...]


def limits_px(seen: list[Seen]) -> np.ndarray:
    """(C, C) distance beyond which a pair is wrong."""
    size = np.array([_size_px(one) for one in seen])
    return np.maximum(LIMIT_PX, LIMIT_SHARE * 0.5 * (size[:, None] + size[None]))


def explain(setup: Setup, seen: list[Seen], scene: Scene) -> Explained:
    """Put right what can be, and say so."""
    found: list[Finding] = []
    for _ in range(ROUNDS):
        matrix = pair_matrix(setup, seen)
        if not (matrix > scene.limit_px).any():
            break
        ranked = _ranked(setup, seen, scene, matrix)
        if not ranked or not _explains(ranked[0], matrix, seen, scene):
            break
        found += _findings(ranked, matrix, setup, seen, scene)
        setup, seen = accepted(ranked[0][1], seen, scene)
    matrix = pair_matrix(setup, seen)
    agreeing = consensus(matrix, scene.limit_px)
    found += _unexplained(setup, matrix, agreeing, scene)
    return Explained(setup, seen, agreeing, tuple(found))


def nearly_alike(explained: Explained, scene: Scene) -> list[Finding]:
    """Cameras that were exchanged without gross disagreement, for they stand opposite each other or side by side.

    For rigs that a refinement would improve by much; exchanged, the pairs must come down to half.
    """
    setup, seen = explained.setup, explained.seen
    matrix = pair_matrix(setup, seen)
    tight = replace(scene, limit_px=np.full_like(matrix, float(np.nanmedian(matrix))))
    best, order = ranked_exchanges(exchange_table(setup, seen), tight.limit_px)[0]
    moved = tuple(int(c) for c in np.flatnonzero(order != np.arange(len(order))))
    if len(moved) != 2:
        return []
    hypothesis = _exchange(setup, order, moved)
    before = float(np.nanmedian(matrix[list(moved)]))
    after = float(np.nanmedian(pair_matrix(hypothesis.setup, seen)[list(moved)]))
    return _findings([(best, hypothesis)], matrix, setup, seen, scene) if after < ALIKE * before else []


def consensus(matrix: np.ndarray, limit_px: np.ndarray) -> np.ndarray:
    """(C,) bool: the cameras left when the one with most wrong pairs is taken out until none is wrong."""
    active = np.array(np.isfinite(matrix).any(1))
    wrong = matrix > limit_px
    while (wrong & active & active[:, None]).any():
        count = (wrong & active & active[:, None]).sum(1)
        total = np.where(active, np.nansum(np.where(active, matrix, 0.0), 1), 0.0)
        active[np.lexsort((total, count))[-1]] = False
    return active if active.sum() >= 2 else np.zeros_like(active)


def _badness(matrix: np.ndarray, scene: Scene) -> float:
    """As `exchange.badness`; beyond the limit counts, below it the distance does not matter much."""
    return float(np.nansum(np.minimum(matrix / scene.limit_px, CAP)) / 2.0)


def _concerned(matrix: np.ndarray, scene: Scene, hypothesis: Hypothesis) -> float:
    """Badness of the wrong pairs that the hypothesis changes."""
    rows = list(hypothesis.cameras) or list(range(len(matrix)))
    wrong = np.where(matrix > scene.limit_px, np.minimum(matrix / scene.limit_px, CAP), 0.0)
    touched = np.zeros_like(wrong, dtype=bool)
    touched[rows] = touched[:, rows] = True
    if len(rows) == 1 and len(matrix) > 2:
        # Pairs with other cameras that are wrong themselves cannot be mended by one.
        good = consensus(matrix, scene.limit_px)
        touched &= good | good[:, None]
    return float(np.sum(wrong * touched) / 2.0)


def _explains(best: tuple[float, Hypothesis], matrix: np.ndarray, seen: list[Seen], scene: Scene) -> bool:
    """Whether the best hypothesis is good enough to be said."""
    left, hypothesis = best
    if left > _badness(matrix, scene) - ENOUGH * _concerned(matrix, scene, hypothesis):
        return False
    rows = list(hypothesis.cameras) or list(range(len(matrix)))
    after = pair_matrix(*accepted(hypothesis, seen, scene))
    good = consensus(after, scene.limit_px)
    ratio = (after / scene.limit_px)[rows][:, good]
    allowed = NEAR_OF_ONE_PAIR if len(matrix) == 2 else NEAR
    return bool(np.isfinite(ratio).any() and np.nanmedian(ratio) < allowed)


def _ranked(setup: Setup, seen: list[Seen], scene: Scene, matrix: np.ndarray) -> list[tuple[float, Hypothesis]]:
    """Hypotheses with the badness that they leave, the best first; among equals the one that changes least."""
    tried: list[tuple[float, Hypothesis]] = []
    wrong, count, few = matrix > scene.limit_px, len(matrix), thinned(seen, FEW_INSTANTS, FEW_KEYPOINTS)
    step = STEP * max(_badness(matrix, scene), 1.0)
    if wrong.sum() > 0.4 * np.isfinite(matrix).sum():
        for hypothesis in whole_rig(setup, scene.scales):
            tried.append((_badness(pair_matrix(hypothesis.setup, few), scene), hypothesis))
        tried = _most_plausible_first(tried, seen, scene, 2.0 * step)
    for left, order in ranked_exchanges(exchange_table(setup, seen), scene.limit_px):
        moved = tuple(int(c) for c in np.flatnonzero(order != np.arange(count)))
        if moved:
            tried.append((left, _exchange(setup, order, moved)))
    best = min((left for left, _ in tried), default=np.inf)
    if best > 0.2 * _badness(matrix, scene) or count == 2:
        good = consensus(matrix, scene.limit_px)
        suspects = np.flatnonzero(~good) if good.any() else np.arange(count)
        for index in suspects:
            tried += _tried_with(int(index), setup, few, seen, scene, matrix, good)
    return sorted(tried, key=lambda one: (round(one[0] / step), one[1].changed(count)))


def _most_plausible_first(
    tried: list[tuple[float, Hypothesis]], seen: list[Seen], scene: Scene, equal: float
) -> list[tuple[float, Hypothesis]]:
    """Rigs that differ by a turn of the world fit equally well: those with a person upright and in front come first."""
    best = min(left for left, _ in tried)
    tied = [hypothesis for left, hypothesis in tried if left <= best + equal]
    rest = [(left, hypothesis) for left, hypothesis in tried if left > best + equal]
    good = [hypothesis for hypothesis in tied if plausible(hypothesis.setup, seen, scene.keypoint_set)]
    others = [(best + equal, hypothesis) for hypothesis in tied if hypothesis not in good]
    mirrors = list(dict.fromkeys(one.words for one in good if one.kind == "mirrored"))
    if good and good[0].kind == "mirrored" and len(mirrors) > 1:
        words = f"{mirrors[0][:-1]}; or, which the images cannot tell apart, {_in_brackets(mirrors[1])})"
        good[0] = replace(good[0], words=words)
    return [*((best, hypothesis) for hypothesis in good), *others, *rest]


def _in_brackets(words: str) -> str:
    return words[words.index("(") + 1 : -1]


def _exchange(setup: Setup, order: np.ndarray, moved: tuple[int, ...]) -> Hypothesis:
    names = [setup.cameras[c].name for c in moved]
    words = (
        f"{' and '.join(names)} are swapped" if len(moved) == 2 else f"{', '.join(names)} are swapped among each other"
    )
    takes = ", ".join(f"{setup.cameras[c].name} has the calibration of {_owner(setup, order, c)}" for c in moved)
    return Hypothesis("swapped", moved, exchanged(setup, order), f"{words}: {takes}", "exchange them")


def _owner(setup: Setup, order: np.ndarray, camera: int) -> str:
    """Whose calibration the camera has now: the one to which `order` gives it."""
    return setup.cameras[int(np.flatnonzero(order == camera)[0])].name


def _tried_with(
    index: int,
    setup: Setup,
    few: list[Seen],
    seen: list[Seen],
    scene: Scene,
    matrix: np.ndarray,
    good: np.ndarray,
) -> list[tuple[float, Hypothesis]]:
    """Hypotheses about one camera; `few`: of its points."""
    tried = []
    rest = matrix.copy()
    rest[index] = rest[:, index] = np.nan
    others = _badness(rest, scene)

    def left(changed: Setup, views: list[Seen]) -> float:
        return others + _badness(pair_matrix(changed, views, only=index), scene)

    for hypothesis in of_camera(setup, index, scene.scales[index]):
        tried.append((left(hypothesis.setup, few), hypothesis))
    delayed = late(index, setup, seen, scene)
    if delayed is not None:
        tried.append((left(delayed.setup, accepted(delayed, seen, scene)[1]), delayed))
    best = min(one[0] for one in tried)
    allowed = others + 0.35 * (_badness(matrix, scene) - others)
    if best > allowed and good.sum() >= 2 and not good[index]:
        placed = elsewhere(index, setup, seen, good)
        if placed is not None:
            tried.append((left(placed.setup, seen), placed))
    return tried


def _findings(
    ranked: list[tuple[float, Hypothesis]], matrix: np.ndarray, setup: Setup, seen: list[Seen], scene: Scene
) -> list[Finding]:
    """One for each camera that the winner changes, or one for the rig, with the figures of its rivals."""
    winner = ranked[0][1]
    rows = list(winner.cameras) or list(range(len(matrix)))
    after = pair_matrix(*accepted(winner, seen, scene))
    figures = f"{_median(matrix[rows]):.0f} px as given, {_median(after[rows]):.1f} px put right"
    rival = next((one for one in ranked[1:] if not _same(one[1], winner)), None)
    second = ""
    if rival is not None:
        other = pair_matrix(*accepted(rival[1], seen, scene))
        who = "" if rival[1].kind == "swapped" else f"{_who(rival[1], setup)} "
        second = f"; next best: {who}{rival[1].words.split(':')[0]}, {_median(other[rows]):.0f} px"
    names = [setup.cameras[c].name for c in winner.cameras] or [ALL_CAMERAS]
    start = "" if winner.kind == "swapped" else f"{_who(winner, setup)} "
    text = f"{start}{winner.words} (epipolar distance {figures}{second}); {winner.remedy}."
    value, unit = winner.value, winner.unit
    if not np.isfinite(value):
        value, unit = _median(matrix[rows]), "px"
    return [Finding(name, winner.kind, value, unit, text) for name in names]


def _who(hypothesis: Hypothesis, setup: Setup) -> str:
    return " and ".join(setup.cameras[c].name for c in hypothesis.cameras) if hypothesis.cameras else "the rig"


def _same(a: Hypothesis, b: Hypothesis) -> bool:
    return a.cameras == b.cameras and a.kind == b.kind


def _unexplained(setup: Setup, matrix: np.ndarray, agreeing: np.ndarray, scene: Scene) -> list[Finding]:
    """Cameras that no hypothesis brings back."""
    found = []
    judged = np.array(np.isfinite(matrix).any(1))
    wrong = (matrix > scene.limit_px).any(1)
    for index in np.flatnonzero(judged & ~agreeing & wrong):
        name = setup.cameras[index].name
        against = agreeing if agreeing.any() else judged & (np.arange(len(judged)) != index)
        distance = _median(matrix[index, against])
        others = ", ".join(setup.cameras[c].name for c in np.flatnonzero(against))
        text = (
            f"{name} disagrees with {others} by {distance:.0f} px and no simple mistake explains it; check whose "
            "calibration it has, and calibrate it again."
        )
        found.append(Finding(name, "residual", distance, "px", text))
    return found


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def _size_px(seen: Seen) -> float:
    """Median size of the largest person in one camera's image (px)."""
    sizes = [
        float(np.linalg.norm(np.ptp(image_px[weight > 0], axis=0)))
        for image_px, weight in zip(seen.image_px[:, 0], seen.weight[:, 0], strict=True)
        if (weight > 0).sum() >= 2
    ]
    return float(np.median(sizes)) if sizes else 0.0
