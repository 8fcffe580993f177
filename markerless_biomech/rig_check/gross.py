"""Cameras that disagree by far: which single mistake, put right, makes them agree? Hypotheses compete by epipolar
distance, which needs no triangulation; the simplest one that explains most wins, again and again until all agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..keypoints import KeypointSet
from .epipolar import pair_matrix
from .exchange import CAP, exchange_table, ranked_exchanges
from .findings import ALL_CAMERAS, Finding
from .hypotheses import Hypothesis, exchanged, of_camera, posed, whole_rig
from .points import sightings, standard_cameras, triangulated
from .setup import Setup
from .streams import Seen, Stream, look

LIMIT_PX, LIMIT_SHARE = 15.0, 0.06
"""A pair is wrong when its median distance is beyond this, and beyond this share of the person's size in the image:
detectors err by 1 to 2.5 % of it, a camera one degree off by 4 to 5 %."""

ROUNDS = 5

ENOUGH = 0.5
"""An explanation counts when it takes away this share of what is wrong with the pairs it concerns."""

LAG_S, LAG_STEP_S = 2.0, 0.05
"""Range and step of the search for a camera that is late."""


@dataclass(frozen=True, eq=False)
class Explained:
    """The rig after everything gross has been put right."""

    setup: Setup
    seen: list[Seen]
    agreeing: np.ndarray
    """(C,) bool: cameras that agree with each other now."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """What hypotheses are tried on."""

    streams: Sequence[Stream]
    instants_s: np.ndarray
    keypoint_set: KeypointSet
    scales: list[tuple[float, float] | None]
    limit_px: np.ndarray
    """(C, C)"""


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
        before = _badness(matrix, scene)
        if not ranked or ranked[0][0] > before - ENOUGH * _concerned(matrix, scene, ranked[0][1]):
            break
        found += _findings(ranked, matrix, setup, seen, scene)
        setup, seen = _accepted(ranked[0][1], seen, scene)
    matrix = pair_matrix(setup, seen)
    agreeing = consensus(matrix, scene.limit_px)
    found += _unexplained(setup, matrix, agreeing, scene)
    return Explained(setup, seen, agreeing, tuple(found))


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


def _ranked(setup: Setup, seen: list[Seen], scene: Scene, matrix: np.ndarray) -> list[tuple[float, Hypothesis]]:
    """Hypotheses with the badness that they leave, the best first; among equals the one that changes least."""
    tried: list[tuple[float, Hypothesis]] = []
    wrong = matrix > scene.limit_px
    count = len(matrix)
    if wrong.sum() > 0.4 * np.isfinite(matrix).sum():
        for hypothesis in whole_rig(setup, scene.scales):
            tried.append((_badness(pair_matrix(hypothesis.setup, seen), scene), hypothesis))
    for left, order in ranked_exchanges(exchange_table(setup, seen), scene.limit_px):
        moved = tuple(int(c) for c in np.flatnonzero(order != np.arange(count)))
        if moved:
            tried.append((left, _exchange(setup, order, moved)))
    best = min((left for left, _ in tried), default=np.inf)
    if best > 0.2 * _badness(matrix, scene) or count == 2:
        good = consensus(matrix, scene.limit_px)
        suspects = np.flatnonzero(~good) if good.any() else np.arange(count)
        for index in suspects:
            tried += _tried_with(int(index), setup, seen, scene, matrix, good)
    # A hundredth of the scale: what is equal within it is decided by how much is changed.
    step = 0.05 * max(_badness(matrix, scene), 1.0)
    return sorted(tried, key=lambda one: (round(one[0] / step), one[1].changed(count), one[0]))


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
    index: int, setup: Setup, seen: list[Seen], scene: Scene, matrix: np.ndarray, good: np.ndarray
) -> list[tuple[float, Hypothesis]]:
    """Hypotheses about one camera."""
    tried = []
    rest = matrix.copy()
    rest[index] = rest[:, index] = np.nan
    others = _badness(rest, scene)

    def left(changed: Setup, views: list[Seen]) -> float:
        return others + _badness(pair_matrix(changed, views, only=index), scene)

    for hypothesis in of_camera(setup, index, scene.scales[index]):
        tried.append((left(hypothesis.setup, seen), hypothesis))
    late = _late(index, setup, seen, scene)
    if late is not None:
        tried.append((left(late.setup, _accepted(late, seen, scene)[1]), late))
    best = min(one[0] for one in tried)
    allowed = others + 0.35 * (_badness(matrix, scene) - others)
    if best > allowed and good.sum() >= 2 and not good[index]:
        elsewhere = _elsewhere(index, setup, seen, good)
        if elsewhere is not None:
            tried.append((left(elsewhere.setup, seen), elsewhere))
    return tried


def _late(index: int, setup: Setup, seen: list[Seen], scene: Scene) -> Hypothesis | None:
    """The camera's stamps moved to where its pictures agree best."""
    some = slice(None, None, max(1, len(scene.instants_s) // 20))
    few = [Seen(one.image_px[some], one.velocity_px_s[some], one.weight[some]) for one in seen]

    def distance(lag_s: float) -> float:
        views = list(few)
        views[index] = shifted(scene, index, setup.lags_s[index] + lag_s, scene.instants_s[some])
        row = pair_matrix(setup, views, only=index)[index]
        return float(np.nanmedian(row)) if np.isfinite(row).any() else np.inf

    period_s = np.nan_to_num(scene.streams[index].period_s, nan=LAG_STEP_S)
    coarse = np.arange(-LAG_S, LAG_S + 1e-9, LAG_STEP_S)
    best = min(coarse, key=lambda lag_s: distance(float(lag_s)))
    fine = np.arange(best - LAG_STEP_S, best + LAG_STEP_S + 1e-9, max(period_s / 2, 0.005))
    best = float(min(fine, key=lambda lag_s: distance(float(lag_s))))
    if abs(best) < period_s:
        return None
    way = "later" if best > 0 else "earlier"
    words = (
        f"has a time offset: its pictures were taken {1e3 * abs(best):.0f} ms {way} than its stamps say "
        f"({abs(best) / period_s:.1f} frames)"
    )
    remedy = f"synchronise the cameras, or add {best:+.3f} s to it in camera_time_offsets_s"
    return Hypothesis("time_offset", (index,), setup.with_lag(index, best), words, remedy, 1e3 * best, "ms")


def shifted(scene: Scene, index: int, lag_s: float, instants_s: np.ndarray) -> Seen:
    """What a camera saw at the instants, with its stamps moved on by `lag_s`."""
    stream = scene.streams[index]
    return look(replace(stream, stamps_s=stream.stamps_s + lag_s), instants_s, scene.keypoint_set)


def _elsewhere(index: int, setup: Setup, seen: list[Seen], good: np.ndarray) -> Hypothesis | None:
    """The camera placed anew by the points that the agreeing cameras see (resection)."""
    cameras = standard_cameras(setup)
    points = sightings(
        setup, [one if ok or c == index else _blind(one) for c, (one, ok) in enumerate(zip(seen, good, strict=True))]
    )
    others = points.only(good)
    use = ((others.weight > 0).sum(1) >= 2) & (points.weight[:, index] > 0)
    if use.sum() < 40:
        return None
    places = triangulated(cameras, others)[use]
    x = points.x[use, index]
    threshold = 20.0 / cameras.focal_px[index]
    ok, turn, shift, inliers = cv2.solvePnPRansac(
        places, x, np.eye(3), None, iterationsCount=300, reprojectionError=threshold, flags=cv2.SOLVEPNP_SQPNP
    )
    if not ok or inliers is None or len(inliers) < 0.5 * use.sum():
        return None
    near = np.asarray(inliers)[:, 0].astype(int)
    turn, shift = cv2.solvePnPRefineLM(places[near], x[near], np.eye(3), None, turn, shift)
    rotation = cv2.Rodrigues(turn)[0].T
    centre = cameras.origin_m - cameras.unit_m * rotation @ shift[:, 0]
    old = setup.cameras[index]
    if setup.rectified[index]:
        rotation = rotation @ old.r
    degrees, millimetres = _difference(old.world_from_camera, (rotation, centre))
    words = (
        f"has moved, or has another camera's calibration: by the others it stands {degrees:.1f} deg and "
        f"{millimetres:.0f} mm from where its calibration says"
    )
    remedy = "calibrate it again, or take the pose that calibrate --refine-cameras finds"
    changed = setup.with_camera(index, posed(old, (rotation, centre)))
    return Hypothesis("moved", (index,), changed, words, remedy, degrees, "deg")


def _difference(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """Degrees and millimetres between two poses."""
    cosine = (np.trace(a[0].T @ b[0]) - 1.0) / 2.0
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))), float(1e3 * np.linalg.norm(a[1] - b[1]))


def _blind(seen: Seen) -> Seen:
    return Seen(seen.image_px, seen.velocity_px_s, np.zeros_like(seen.weight))


def _accepted(hypothesis: Hypothesis, seen: list[Seen], scene: Scene) -> tuple[Setup, list[Seen]]:
    """The setup put right, and what its cameras saw at the instants."""
    seen = list(seen)
    if hypothesis.kind == "time_offset":
        for index in hypothesis.cameras:
            seen[index] = shifted(scene, index, hypothesis.setup.lags_s[index], scene.instants_s)
    return hypothesis.setup, seen


def _findings(
    ranked: list[tuple[float, Hypothesis]], matrix: np.ndarray, setup: Setup, seen: list[Seen], scene: Scene
) -> list[Finding]:
    """One for each camera that the winner changes, or one for the rig, with the figures of its rivals."""
    winner = ranked[0][1]
    rows = list(winner.cameras) or list(range(len(matrix)))
    after = pair_matrix(*_accepted(winner, seen, scene))
    figures = f"{_median(matrix[rows]):.0f} px as given, {_median(after[rows]):.1f} px put right"
    rival = next((one for one in ranked[1:] if not _same(one[1], winner)), None)
    second = ""
    if rival is not None:
        other = pair_matrix(*_accepted(rival[1], seen, scene))
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
