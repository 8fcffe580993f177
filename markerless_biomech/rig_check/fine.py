"""Cameras that agree roughly: are poses a little off, pictures a fraction of a frame late, a focal length wrong?

Each is a fit of a few parameters beside the free points, and the fits compete by the cost that they leave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .adjust import DELAY, FOCAL, POSE, Adjusted, adjust, free, no_parameters
from .findings import ALL_CAMERAS, Finding
from .points import Cameras, Sightings

GAIN = 0.15
"""Share of the cost that free poses must take away before a calibration is called off. Detectors' habits, which look a
little like calibration errors, take 0.5 to 3 % (docs/check-rig.md)."""

GAIN_OF_TWO = 0.3
"""The same for two cameras, whose poses have 5 figures to please one figure a point with: somebody who stands shows
two cameras hardly more points than a detector has, each with its habit."""

GAIN_OF_CAMERA = 0.25
"""The same for one camera's own cost, beside two or more others: one that is off among sixteen changes little of the
whole. Habits reach 10 %."""

GAIN_PX = 2.0
"""And a camera's residual must fall by this (root of the difference of squares)."""

EXPLAINS = 0.85
"""Share of that gain that the cameras said to have moved must explain alone."""

FRAMES = 0.25
"""Time offsets below this share of a frame are not worth a word: exposures and detectors differ as much."""

SHORTEST_S = 0.003
"""Nor those below this: systematic errors of the estimate reach 1.5 ms."""

DELAYS_EXPLAIN = 0.5
"""Share of what delays and poses explain together from which delays are believed alone."""

SIGMAS = 5.0
SMEAR_PX = 1.0
"""And they must displace the points by this (rms)."""

WIDTH = 2.0
"""Of Cauchy's loss, in medians of the residuals that free poses leave."""


@dataclass(frozen=True, eq=False)
class Clock:
    """When the cameras' pictures were taken; C cameras, NaN for those that do not take part."""

    offset_s: np.ndarray
    """(C,) to add to the stamps, against the median (of two cameras: against the first)."""
    std_s: np.ndarray
    """(C,)"""
    late: np.ndarray
    """(C,) bool: sure, large, and seen in the images."""


@dataclass(frozen=True, eq=False)
class Fine:
    """What the fits say. C cameras; NaN for those that do not take part."""

    findings: tuple[Finding, ...]
    reprojection_px: np.ndarray
    refined_px: np.ndarray
    off: bool
    """Whether free poses take away more of the cost than a detector's habits explain."""
    best: Adjusted
    """With free poses where they help."""
    width_px: float


def loss_width_px(cameras: Cameras, seen: Sightings, agreeing: np.ndarray) -> float:
    """Cauchy's width by what remains with free poses: the detector's noise."""
    count = len(agreeing)
    first = adjust(cameras, seen, no_parameters(count), 20.0)
    return _width(adjust(cameras, seen, free(count, POSE, agreeing), _width(first), steps=6))


def clock(cameras: Cameras, seen: Sightings, agreeing: np.ndarray, width_px: float, frame_s: np.ndarray) -> Clock:
    """Delays by the residuals along the image velocities.

    Somebody who walks one way makes a delay look like a pose: delays alone are believed where they explain most of what
    delays and poses do together, for free poses would hide them.
    """
    count, first = len(agreeing), int(np.flatnonzero(agreeing)[0])
    delays = free(count, DELAY, agreeing)
    delays[first] = False  # all cameras late by the same is nothing that images could show
    plain = adjust(cameras, seen, no_parameters(count), width_px)
    alone = adjust(cameras, seen, delays, width_px, steps=6)
    both = adjust(cameras, seen, delays | free(count, POSE, agreeing), width_px, steps=6)
    best = alone if plain.cost - alone.cost > DELAYS_EXPLAIN * (plain.cost - both.cost) else both
    delay = np.where(agreeing, best.change[:, 6], np.nan)
    offset_s = delay - (0.0 if agreeing.sum() == 2 else np.nanmedian(delay))
    std_s = np.where(agreeing, best.std[:, 6], np.nan)
    others = np.delete(std_s, first)
    std_s[first] = np.nanmedian(others) if np.isfinite(others).any() else np.nan
    return Clock(offset_s, std_s, is_late(offset_s, std_s, frame_s, _speed_px_s(cameras, seen)))


def is_late(offset_s: np.ndarray, std_s: np.ndarray, frame_s: np.ndarray, speed_px_s: np.ndarray) -> np.ndarray:
    """(C,) bool: offsets that are sure, large and displace the points."""
    with np.errstate(invalid="ignore"):
        sure = np.abs(offset_s) > SIGMAS * std_s
        large = np.abs(offset_s) > np.maximum(FRAMES * frame_s, SHORTEST_S)
        return sure & large & (np.abs(offset_s) * speed_px_s > SMEAR_PX)


def _speed_px_s(cameras: Cameras, seen: Sightings) -> np.ndarray:
    """(C,) rms of the image velocities."""
    speed = np.linalg.norm(seen.velocity, axis=-1) * cameras.focal_px
    return np.sqrt(np.sum(speed**2 * seen.weight, 0) / np.maximum(seen.weight.sum(0), 1))


def clock_findings(late: Clock, frame_s: np.ndarray, names: tuple[str, ...], two: bool) -> list[Finding]:
    """A sentence for each camera that is late or early."""
    found = []
    for c in np.flatnonzero(late.late):
        ms, std_ms, frames = 1e3 * late.offset_s[c], 1e3 * late.std_s[c], abs(late.offset_s[c]) / frame_s[c]
        way = "later" if ms > 0 else "earlier"
        against = names[0] if two else "the other cameras"
        text = (
            f"{names[c]} has a time offset: its pictures were taken {abs(ms):.1f} +- {std_ms:.1f} ms {way} than its "
            f"stamps say, against {against} ({frames:.2f} of a frame); synchronise the cameras, or add "
            f"{late.offset_s[c]:+.4f} s to it in camera_time_offsets_s."
        )
        found.append(Finding(names[c], "time_offset", float(ms), "ms", text))
    return found


def judge(cameras: Cameras, seen: Sightings, names: tuple[str, ...], agreeing: np.ndarray, width_px: float) -> Fine:
    """Compare the fits and say what is found of poses and lenses; clocks are right by now."""
    count = len(names)
    plain = adjust(cameras, seen, no_parameters(count), width_px)
    posed = adjust(cameras, seen, free(count, POSE, agreeing), width_px)
    off = _is_off(plain, posed, int(agreeing.sum()))
    found: list[Finding] = []
    if off:
        found = _pose_findings(cameras, seen, names, agreeing, plain, posed, width_px)
    best = posed if off else plain
    return Fine(tuple(found), plain.residual_px, posed.residual_px, off, best, width_px)


def _is_off(plain: Adjusted, posed: Adjusted, cameras: int) -> bool:
    """Whether free poses take away more than a detector's habits explain."""
    gain = 1.0 - posed.cost / max(plain.cost, 1e-12)
    if cameras == 2:
        return gain > GAIN_OF_TWO
    took_part = plain.costs > 0.0
    own = 1.0 - posed.costs[took_part] / plain.costs[took_part]
    return gain > GAIN or bool(np.any(own > GAIN_OF_CAMERA))


def _width(adjusted: Adjusted) -> float:
    return max(2.0, WIDTH * float(np.nanmedian(adjusted.residual_px)))


def _pose_findings(
    cameras: Cameras,
    seen: Sightings,
    names: tuple[str, ...],
    agreeing: np.ndarray,
    plain: Adjusted,
    posed: Adjusted,
    width_px: float,
) -> list[Finding]:
    """Which cameras have moved, if few explain it; else which residuals are too large."""
    if agreeing.sum() == 2:
        return [_whole_finding(plain, posed)]
    few = _moved_cameras(cameras, seen, agreeing, plain, posed, width_px)
    if few is not None:
        return [_moved_finding(c, few, cameras, seen, names, plain, posed, width_px) for c in few[0]]
    found = []
    for c in np.flatnonzero(agreeing):
        before, after = plain.residual_px[c], posed.residual_px[c]
        if np.sqrt(max(0.0, before**2 - after**2)) > GAIN_PX and before > 1.15 * after:
            text = (
                f"{names[c]} has a residual of {before:.1f} px (median) where {after:.1f} px would be possible with "
                "all cameras' poses refined; refine the calibration (calibrate --refine-cameras), or calibrate again."
            )
            found.append(Finding(names[c], "residual", float(before), "px", text))
    return found or [_whole_finding(plain, posed)]


def _whole_finding(plain: Adjusted, posed: Adjusted) -> Finding:
    before, after = float(np.nanmedian(plain.residual_px)), float(np.nanmedian(posed.residual_px))
    text = (
        f"the calibration is off by more than the detector's noise: residual {before:.1f} px (median), {after:.1f} px "
        "with all cameras' poses refined; refine it (calibrate --refine-cameras), or calibrate again."
    )
    return Finding(ALL_CAMERAS, "residual", before, "px", text)


def _moved_cameras(
    cameras: Cameras,
    seen: Sightings,
    agreeing: np.ndarray,
    plain: Adjusted,
    posed: Adjusted,
    width_px: float,
) -> tuple[list[int], Adjusted] | None:
    """The fewest cameras (a third at most, and two others stay) whose poses alone explain EXPLAINS of the gain."""
    count, possible = len(agreeing), plain.cost - posed.cost
    chosen: list[int] = []
    while len(chosen) < min(3, (agreeing.sum() - 1) // 2):
        rest = [int(c) for c in np.flatnonzero(agreeing) if c not in chosen]
        fits = {c: adjust(cameras, seen, free(count, POSE, [*chosen, c]), width_px, steps=6) for c in rest}
        best = min(rest, key=lambda c: fits[c].cost)
        chosen.append(best)
        if plain.cost - fits[best].cost >= EXPLAINS * possible:
            return chosen, fits[best]
    return None


def _moved_finding(
    c: int,
    few: tuple[list[int], Adjusted],
    cameras: Cameras,
    seen: Sightings,
    names: tuple[str, ...],
    plain: Adjusted,
    posed: Adjusted,
    width_px: float,
) -> Finding:
    """A pose that is off, or a focal length where that alone does as well."""
    chosen, fit = few
    before, after = plain.residual_px[c], fit.residual_px[c]
    zoomed = adjust(cameras, seen, free(len(names), FOCAL, chosen), width_px)
    if plain.cost - zoomed.cost >= 0.9 * (plain.cost - fit.cost):
        percent = 100.0 * zoomed.change[c, 7]
        text = (
            f"{names[c]} has a focal length that fits better {percent:+.1f} % (residual {before:.1f} px, "
            f"{zoomed.residual_px[c]:.1f} px with it); was it zoomed or refocused? calibrate its lens again."
        )
        return Finding(names[c], "focal_length", float(percent), "%", text)
    turn_deg = float(np.degrees(np.linalg.norm(fit.change[c, 3:6])))
    shift_mm = 1e3 * float(np.linalg.norm(fit.cameras.centre[c] - cameras.centre[c]) * cameras.unit_m)
    text = (
        f"{names[c]} has moved or is badly calibrated: turned by {turn_deg:.2f} deg and shifted by {shift_mm:.0f} mm "
        f"against the others, which agree (residual {before:.1f} px, {after:.1f} px with that pose); calibrate it "
        "again, or take the pose that calibrate --refine-cameras finds."
    )
    return Finding(names[c], "moved", turn_deg, "deg", text)
