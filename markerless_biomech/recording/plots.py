"""Figures over time for the report: joint angles, residuals, tracking. Each function returns a matplotlib figure.

Colours are Okabe and Ito's, told apart by colour-blind people: left blue, right vermilion, trunk green, truth black.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..body.names import JOINT_NAMES
from ..results import Tracking
from ..scene.colours import LEFT, MIDDLE, RIGHT, TRACKING_COLOURS
from .result_bag import BodyTrack

INK, QUIET, GRID, PAPER = "#1b2733", "#5f6b76", "#e3e8ec", "#ffffff"

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": "#b8c1c9",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
}

SIDED_WORDS = {
    "hip_flexion": "Hip flexion",
    "hip_adduction": "Hip adduction",
    "hip_rotation": "Hip internal rotation",
    "knee_angle": "Knee flexion",
    "ankle_angle": "Ankle dorsiflexion",
    "subtalar_angle": "Subtalar inversion",
    "mtp_angle": "Toe dorsiflexion",
    "arm_flex": "Shoulder flexion",
    "arm_add": "Shoulder adduction",
    "arm_rot": "Shoulder internal rotation",
    "elbow_flex": "Elbow flexion",
    "pro_sup": "Forearm pronation",
    "wrist_flex": "Wrist flexion",
    "wrist_dev": "Wrist ulnar deviation",
}
MIDDLE_WORDS = {
    "lumbar_extension": "Trunk extension",
    "lumbar_bending": "Trunk bending to the right",
    "lumbar_rotation": "Trunk rotation to the left",
    "neck_extension": "Neck extension",
    "neck_bending": "Neck bending to the right",
    "neck_rotation": "Neck rotation to the left",
}
MAIN_SIDED = ("hip_flexion", "hip_adduction", "knee_angle", "ankle_angle", "arm_flex", "elbow_flex")
MAIN_MIDDLE = ("lumbar_extension", "lumbar_bending", "lumbar_rotation")


def joint_words(name: str) -> str:
    """What a person calls the joint angle, with its side: 'Left knee flexion'."""
    if name in MIDDLE_WORDS:
        return MIDDLE_WORDS[name]
    side = {"_l": "Left ", "_r": "Right "}[name[-2:]]
    words = SIDED_WORDS[name[:-2]]
    return side + words[0].lower() + words[1:]


@dataclass(frozen=True, eq=False)
class AngleCurves:
    """Angles of one track, ready to be drawn: NaN wherever the curve must break."""

    times_s: np.ndarray
    """(F,) since the start of the recording"""
    angles_deg: np.ndarray
    """(F, 34)"""
    std_deg: np.ndarray
    """(F, 34)"""


def angle_curves(track: BodyTrack | None, start_ns: int, half_frame_ns: int) -> AngleCurves | None:
    """Curves of a track: broken where frames are missing or the subject was lost; None without a track."""
    if track is None or not len(track):
        return None
    angles_deg = np.degrees(track.qpos[:, 7:])
    angles_deg[track.tracking == Tracking.LOST] = np.nan
    times_s = (track.stamps_ns - start_ns) / 1e9
    gaps = np.flatnonzero(np.diff(track.stamps_ns) > 5 * half_frame_ns) + 1
    return AngleCurves(
        times_s=np.insert(times_s, gaps, times_s[gaps - 1]),
        angles_deg=np.insert(angles_deg, gaps, np.nan, axis=0),
        std_deg=np.insert(np.degrees(track.joint_std_rad), gaps, np.nan, axis=0),
    )


@dataclass(frozen=True, eq=False)
class Curves:
    """What is drawn together; a curve that is not there is None."""

    smooth: AngleCurves | None
    """The refit or the settled result."""
    live: AngleCurves | None
    truth: AngleCurves | None
    smooth_name: str = "settled"


def angle_figure(curves: Curves, end_s: float) -> Figure:
    """Main joints over time: left in the left column, right in the right one, the trunk below."""
    rows = len(MAIN_SIDED)
    height = 2.0 * (rows + 1) + 0.9
    figure = Figure(figsize=(12, height))
    trunk_top = 2.35 / height
    grid = figure.add_gridspec(
        rows, 2, left=0.05, right=0.99, top=1 - 0.65 / height, bottom=trunk_top + 0.5 / height, hspace=0.3, wspace=0.06
    )
    below = figure.add_gridspec(
        1, 3, left=0.05, right=0.99, top=trunk_top - 0.3 / height, bottom=0.45 / height, wspace=0.14
    )
    axes: Any = grid.subplots(sharex=True, sharey="row")
    for row, joint in enumerate(MAIN_SIDED):
        for column, side in enumerate("lr"):
            _draw_joint(axes[row, column], f"{joint}_{side}", (LEFT, RIGHT)[column], curves)
        axes[row, 0].set_ylabel("degrees")
    trunk: Any = below.subplots()
    for axis, name in zip(trunk, MAIN_MIDDLE, strict=True):
        _draw_joint(axis, name, MIDDLE, curves)
    for axis in (*axes[-1], *trunk):
        axis.set(xlabel="time, seconds", xlim=(0, end_s))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", bbox_to_anchor=(0.995, 1.0), ncols=4, fontsize=9)
    return figure


def _draw_joint(axis: Axes, name: str, colour: str, curves: Curves) -> None:
    joint = JOINT_NAMES.index(name)
    smooth, live, truth = curves.smooth, curves.live, curves.truth
    main = smooth or live
    if main is not None:
        low, high = (main.angles_deg[:, joint] + sign * 2 * main.std_deg[:, joint] for sign in (-1, 1))
        axis.fill_between(main.times_s, low, high, color=colour, alpha=0.18, lw=0, label="± 2 standard deviations")
    if live is not None:
        axis.plot(live.times_s, live.angles_deg[:, joint], color=colour, lw=0.8, alpha=0.5, label="live")
    if smooth is not None:
        axis.plot(smooth.times_s, smooth.angles_deg[:, joint], color=colour, lw=1.7, label=curves.smooth_name)
    if truth is not None:
        axis.plot(truth.times_s, truth.angles_deg[:, joint], color=INK, lw=1.0, ls=(0, (4, 2)), label="truth")
    axis.set_title(joint_words(name), color=colour)
    show_at_least(axis, 10.0)


def show_at_least(axis: Axes, span_deg: float) -> None:
    """Widen the axis so that noise on a still joint does not look like movement."""
    low, high = axis.get_ylim()
    missing = span_deg - (high - low)
    if missing > 0:
        axis.set_ylim(low - missing / 2, high + missing / 2)


def residual_figure(
    times_s: np.ndarray,
    residual_px: dict[str, np.ndarray],
    tracking_times_s: np.ndarray,
    tracking: np.ndarray,
    end_s: float,
) -> Figure:
    """Tracking, median residual of all cameras, and each camera's (F,) mean residual as a map over time."""
    height = 3.3 + 0.26 * len(residual_px)
    figure = Figure(figsize=(12, height))
    heights = [0.16, 1.3, 0.35 + 0.22 * len(residual_px)]
    margins = {"left": 0.07, "right": 0.93, "top": 1 - 0.35 / height, "bottom": 0.5 / height, "hspace": 0.5}
    strip, line, grid = figure.subplots(3, 1, sharex=True, height_ratios=heights, gridspec_kw=margins)
    _draw_tracking(strip, tracking_times_s, tracking)
    table = np.array(list(residual_px.values()))
    _draw_median(line, times_s, table)
    _draw_map(figure, grid, times_s, residual_px, table)
    grid.set_xlim(0, end_s)
    return figure


def _draw_median(axis: Axes, times_s: np.ndarray, table: np.ndarray) -> None:
    """Median over the cameras of (C, F) residuals, and their range."""
    seen = np.isfinite(table).any(axis=0)
    middle, low, high = np.full((3, table.shape[1]), np.nan)
    if seen.any():
        middle[seen] = np.nanmedian(table[:, seen], axis=0)
        low[seen], high[seen] = np.nanmin(table[:, seen], axis=0), np.nanmax(table[:, seen], axis=0)
    axis.fill_between(times_s, low, high, color=LEFT, alpha=0.15, lw=0)
    axis.plot(times_s, middle, color=LEFT, lw=1.5)
    axis.set(ylabel="pixels", title="Mean residual: median of the cameras, and their range", ylim=(0, None))


def _draw_tracking(axis: Axes, times_s: np.ndarray, tracking: np.ndarray) -> None:
    for state, colour in TRACKING_COLOURS.items():
        rows = tracking == state
        axis.vlines(times_s[rows], 0, 1, color=colour, lw=max(1.2, 800 / max(len(times_s), 1)))
    axis.set(yticks=[], ylim=(0, 1), title="Tracking: green tracked, amber predicted, red lost")
    axis.grid(False)
    axis.spines[:].set_visible(False)


def _draw_map(
    figure: Figure, axis: Axes, times_s: np.ndarray, residual_px: dict[str, np.ndarray], table: np.ndarray
) -> None:
    top = np.nanpercentile(table, 98) if np.isfinite(table).any() else 1.0
    names = list(residual_px)
    half = (times_s[-1] - times_s[0]) / max(len(times_s) - 1, 1) / 2
    extent = (times_s[0] - half, times_s[-1] + half, len(names) - 0.5, -0.5)
    image = axis.imshow(table, aspect="auto", cmap="cividis", vmin=0, vmax=top, extent=extent, interpolation="nearest")
    axis.set(yticks=range(len(names)), xlabel="time, seconds", title="Mean residual of each camera (white: no points)")
    axis.set_yticklabels(names)
    axis.grid(False)
    place = axis.get_position()
    figure.colorbar(image, cax=figure.add_axes((0.945, place.y0, 0.012, place.height)), label="pixels")
