"""Hypotheses whose figures must be searched for: how late a camera is, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..keypoints import KeypointSet
from .epipolar import pair_matrix
from .hypotheses import Hypothesis, posed
from .points import sightings, standard_cameras, triangulated
from .setup import Setup
from .streams import Seen, Stream, blinded, look

LAG_S, LAG_STEP_S = 2.0, 0.05
"""Range and step of the search for a camera that is late."""

FEWEST_FOR_A_POSE = 40
"""Points, of which half at least must agree with it."""

POSE_WITHIN_PX = 20.0


@dataclass(frozen=True, eq=False)
class Scene:
    """What hypotheses are tried on."""

    streams: Sequence[Stream]
    instants_s: np.ndarray
    keypoint_set: KeypointSet
    scales: list[tuple[float, float] | None]
    limit_px: np.ndarray
    """(C, C)"""


def accepted(hypothesis: Hypothesis, seen: list[Seen], scene: Scene) -> tuple[Setup, list[Seen]]:
    """The setup put right, and what its cameras saw at the instants."""
    seen = list(seen)
    if hypothesis.kind == "time_offset":
        for index in hypothesis.cameras:
            seen[index] = shifted(scene, index, hypothesis.setup.lags_s[index], scene.instants_s)
    return hypothesis.setup, seen


def shifted(scene: Scene, index: int, lag_s: float, instants_s: np.ndarray) -> Seen:
    """What a camera saw at the instants, with its stamps moved on by `lag_s`."""
    stream = scene.streams[index]
    return look(replace(stream, stamps_s=stream.stamps_s + lag_s), instants_s, scene.keypoint_set)


def late(index: int, setup: Setup, seen: list[Seen], scene: Scene) -> Hypothesis | None:
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


def elsewhere(index: int, setup: Setup, seen: list[Seen], good: np.ndarray) -> Hypothesis | None:
    """The camera placed anew by the points that the agreeing cameras see (resection)."""
    cameras = standard_cameras(setup)
    points = sightings(
        setup, [one if ok or c == index else blinded(one) for c, (one, ok) in enumerate(zip(seen, good, strict=True))]
    )
    others = points.only(good)
    use = ((others.weight > 0).sum(1) >= 2) & (points.weight[:, index] > 0)
    if use.sum() < FEWEST_FOR_A_POSE:
        return None
    places = triangulated(cameras, others)[use]
    x = points.x[use, index]
    threshold = POSE_WITHIN_PX / cameras.focal_px[index]
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
