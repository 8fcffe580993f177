"""The frames that a person should look at first: without the subject, or furthest from the keypoints, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..results import Tracking

MOST = 8
"""Frames that are listed."""
APART_S = 0.25
"""Two frames nearer than this are one event."""
_STANDS_OUT = 2.0
"""A camera or a keypoint is named when its residual is so many times that of the others."""


@dataclass(frozen=True, eq=False)
class TrialResiduals:
    """One recording: F frames, C cameras, K keypoints."""

    name: str
    times_s: np.ndarray
    """(F,) since its start"""
    tracking: np.ndarray
    """(F,) values of `Tracking`"""
    residual_px: np.ndarray
    """(F, C, K) NaN: no point"""


@dataclass(frozen=True)
class WorstFrame:
    """A frame, or a stretch of frames, and what is the matter with it."""

    trial: str
    start_s: float
    end_s: float
    residual_px: float
    """Mean over its points; NaN where there are none."""
    reason: str


def worst_frames(
    trials: Sequence[TrialResiduals], cameras: Sequence[str], keypoints: Sequence[str]
) -> list[WorstFrame]:
    """At most MOST: the longest stretches without the subject first, then the frames with the largest residual."""
    gaps = [gap for trial in trials for gap in _gaps(trial)]
    gaps.sort(key=lambda gap: gap.start_s - gap.end_s)
    gaps = gaps[: MOST // 2]
    far = [(trial, frame) for trial in trials for frame in _peaks(trial)]
    far.sort(key=lambda one: -np.nanmean(one[0].residual_px[one[1]]))
    return gaps + [_frame(trial, frame, cameras, keypoints) for trial, frame in far[: MOST - len(gaps)]]


def _gaps(trial: TrialResiduals) -> list[WorstFrame]:
    """Stretches in which the subject was predicted or lost."""
    found = []
    words = {Tracking.COASTING: "predicted: too few views of the subject", Tracking.LOST: "the subject was lost"}
    starts = np.flatnonzero(np.diff(trial.tracking, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(trial.tracking)], strict=True):
        state = Tracking(trial.tracking[start])
        if state in words:
            times_s = trial.times_s[[start, end - 1]]
            found.append(WorstFrame(trial.name, float(times_s[0]), float(times_s[1]), float("nan"), words[state]))
    return found


def _peaks(trial: TrialResiduals) -> list[int]:
    """Tracked frames in the order of their mean residual, none near a worse one; at most MOST."""
    tracked = (trial.tracking == Tracking.TRACKED) & np.isfinite(trial.residual_px).any(axis=(1, 2))
    candidates = np.flatnonzero(tracked)
    means = np.array([np.nanmean(trial.residual_px[frame]) for frame in candidates])
    chosen: list[int] = []
    for frame in candidates[np.argsort(-means, kind="stable")]:
        if len(chosen) < MOST and all(abs(trial.times_s[frame] - trial.times_s[other]) >= APART_S for other in chosen):
            chosen.append(int(frame))
    return chosen


def _frame(trial: TrialResiduals, frame: int, cameras: Sequence[str], keypoints: Sequence[str]) -> WorstFrame:
    residual_px = trial.residual_px[frame]
    time_s = float(trial.times_s[frame])
    return WorstFrame(
        trial.name, time_s, time_s, float(np.nanmean(residual_px)), _reason(residual_px, cameras, keypoints)
    )


def _reason(residual_px: np.ndarray, cameras: Sequence[str], keypoints: Sequence[str]) -> str:
    """Of residuals (C, K): the camera or the keypoint that stands out, if one does."""
    for axis, names, words in ((1, cameras, "camera"), (0, keypoints, "keypoint")):
        seen = np.flatnonzero(np.isfinite(residual_px).any(axis=axis))
        means = np.nanmean(np.take(residual_px, seen, axis=1 - axis), axis=axis)
        others = np.median(np.delete(means, np.argmax(means))) if len(means) > 1 else np.inf
        if means.max() > _STANDS_OUT * others:
            return f"{words} {names[seen[np.argmax(means)]]}: {means.max():.0f} px, the others {others:.0f} px"
    views = int(np.isfinite(residual_px).any(axis=1).sum())
    return f"{views} of {len(cameras)} cameras see the subject" if views < len(cameras) else "all views alike"
