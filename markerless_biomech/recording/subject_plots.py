"""Pictures of the subject for the report: intervals against what was known before, offsets on the body, residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from ..session import Determined
from .knowledge import in_words, undetermined
from .plots import GRID, INK, LEFT, MIDDLE, QUIET, RIGHT
from .views import Bone

BAND = "#dfe6ec"
_INTERVAL = 1.96
"""Standard deviations to either side of a 95 % interval."""
_WIDTH_IN, _LETTER_IN = 12.0, 0.075
"""Width of the figure of intervals, and of a letter beside a row."""
OFFSETS_TIMES = 4.0
"""Offsets are drawn so many times their length: 10 mm are nothing beside a body."""
_NAMED = 5
"""Longest offsets whose keypoint is named."""
_HEAD_M, _LINE_M, _NAME_M = 0.1, 0.085, 0.2
"""Radius of the drawn head, distance of two names, and room for them at the edge of a view."""
_COLOURS = {"left": LEFT, "right": RIGHT}
_SIZES = LinearSegmentedColormap.from_list("sizes", ["#8fa3b5", "#5b6fa8", "#8c3f97", "#c8305e"])


@dataclass(frozen=True)
class Panel:
    """Numbers of a person against what was known before, in the unit of the panel."""

    title: str
    known: Sequence[Determined]
    times: float
    """So many of the panel's units are one of the numbers' own."""
    unit: str
    since: str = "the base model"
    """What the axis counts from."""
    absolute: bool = False
    """Whether the numbers are written as they are, not from what was known before."""
    colour: str = ""
    """Of all rows; empty: by the side in each name."""

    def written(self, one: Determined) -> str:
        """The number and half of its 95 % interval."""
        half = self.times * _half(one)
        if self.absolute:
            return f"{self.times * one.value:.0f} ± {half:.0f} {self.unit}"
        return f"{self.times * (one.value - one.prior_mean):+.1f} ± {half:.1f} {self.unit}".replace("-", "−")


def interval_figure(panels: Sequence[Panel]) -> Figure:
    """Panels side by side: dots with 95 % intervals, bands of what was known."""
    height = 0.34 * max(len(panel.known) for panel in panels) + 1.15
    figure = Figure(figsize=(_WIDTH_IN, height))
    for panel, (left, width) in zip(panels, _places(panels), strict=True):
        axis = figure.add_axes((left, 0.6 / height, width, 1 - 1.05 / height))
        _draw_intervals(axis, panel)
        axis.set(title=panel.title, xlabel=f"from {panel.since}, {panel.unit}")
    return figure


def _places(panels: Sequence[Panel]) -> list[tuple[float, float]]:
    """Left edge and width of each panel's axis, as shares of the figure: names and numbers have room beside it."""
    names = [_LETTER_IN * max(len(in_words(one.name)) for one in panel.known) + 0.3 for panel in panels]
    numbers = [_LETTER_IN * max(len(panel.written(one)) for one in panel.known) + 0.2 for panel in panels]
    width = (_WIDTH_IN - sum(names) - sum(numbers)) / len(panels)
    lefts = np.cumsum(np.add(names, [0.0, *(width + number for number in numbers[:-1])]))
    return [(float(left) / _WIDTH_IN, width / _WIDTH_IN) for left in lefts]


def _half(one: Determined) -> float:
    """Half of the 95 % interval."""
    return _INTERVAL * one.posterior_std


def _draw_intervals(axis: Axes, panel: Panel) -> None:
    """One row each, with its words at the right."""
    known, times = panel.known, panel.times
    doubtful = {one.name for one in undetermined(known)}
    for row, one in enumerate(known):
        colour = panel.colour or _COLOURS.get(in_words(one.name).split()[0], MIDDLE)
        band, half = _INTERVAL * one.prior_std * times, _half(one) * times
        value = (one.value - one.prior_mean) * times
        axis.barh(row, 2 * band, left=-band, height=0.62, color=BAND, lw=0, zorder=1)
        axis.hlines(row, value - half, value + half, color=colour, lw=2.4, zorder=3)
        filled = "white" if one.name in doubtful else colour
        axis.plot(value, row, "o", ms=6.5, mfc=filled, mec=colour, mew=1.6, zorder=4)
        words, place = panel.written(one), axis.get_yaxis_transform()
        axis.text(1.02, row, words, transform=place, va="center", fontsize=8.5, color=INK)
    axis.axvline(0, color=QUIET, lw=0.8, zorder=2)
    axis.set(yticks=range(len(known)), ylim=(len(known) - 0.4, -0.6))
    axis.set_yticklabels([in_words(one.name) for one in known], fontsize=9, color=INK)
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
    axis.spines["left"].set_visible(False)


def offset_figure(skeleton: Sequence[Bone], sites_m: np.ndarray, offsets_m: np.ndarray, names: Sequence[str]) -> Figure:
    """The neutral body from the front and from its right, with an arrow from each site (K, 3) along its offset (K, 3).

    Sites are those without offset, in world: x forward, y left, z up (m); names (K,) of the keypoints.
    """
    figure = Figure(figsize=(11, 8.4))
    axes: Any = figure.subplots(
        1, 2, gridspec_kw={"left": 0.01, "right": 0.9, "top": 0.94, "bottom": 0.02, "wspace": 0}
    )
    size_mm = 1000 * np.linalg.norm(offsets_m, axis=1)
    scale = Normalize(0.0, max(float(size_mm.max(initial=0.0)), 1.0))
    named = np.argsort(-size_mm)[:_NAMED]
    for axis, title, across in zip(axes, ("From the front", "From the right"), (1, 0), strict=True):
        _draw_body(axis, skeleton, across)
        _draw_offsets(axis, sites_m[:, [across, 2]], offsets_m[:, [across, 2]], size_mm, scale)
        _name_offsets(axis, sites_m[:, [across, 2]], offsets_m[:, [across, 2]], size_mm, names, named)
        axis.set_title(title, loc="center")
    colours = figure.add_axes((0.925, 0.25, 0.012, 0.5))
    figure.colorbar(ScalarMappable(scale, _SIZES), cax=colours, label="length of the offset, mm")
    return figure


def _draw_body(axis: Axes, skeleton: Sequence[Bone], across: int) -> None:
    lines = [ends[:, [across, 2]] for _, ends in skeleton]
    top = max(np.vstack(lines), key=lambda point: point[1])
    widths = [13 if side or line[:, 1].max() >= top[1] else 22 for (side, _), line in zip(skeleton, lines, strict=True)]
    axis.add_collection(LineCollection(lines, colors=BAND, lw=widths, capstyle="round", joinstyle="round", zorder=1))
    axis.add_collection(LineCollection(lines, colors="#b8c4cf", lw=1.4, capstyle="round", zorder=2))
    axis.add_patch(Circle((top[0], top[1] - 0.8 * _HEAD_M), _HEAD_M, color=BAND, lw=0, zorder=1))
    points = np.vstack(lines)
    low, high = points.min(axis=0) - [0.3, 0.08], points.max(axis=0) + [0.3, 0.14]
    middle = (low[0] + high[0]) / 2
    half = max((high[0] - low[0]) / 2, 0.62)
    axis.set(xlim=(middle - half, middle + half), ylim=(low[1], high[1]), aspect="equal")
    axis.set_axis_off()


def _draw_offsets(axis: Axes, start: np.ndarray, offset: np.ndarray, size_mm: np.ndarray, scale: Normalize) -> None:
    """Arrows (K, 2), the longest on top."""
    order = np.argsort(size_mm)
    axis.scatter(start[:, 0], start[:, 1], s=7, color="#7b8a98", lw=0, zorder=3)
    axis.quiver(
        *start[order].T,
        *(OFFSETS_TIMES * offset[order]).T,
        color=_SIZES(scale(size_mm[order])),
        angles="xy",
        scale_units="xy",
        scale=1.0,
        width=0.0042,
        headwidth=3.6,
        headlength=4.2,
        headaxislength=3.8,
        minlength=0.3,
        zorder=4,
    )


def _name_offsets(
    axis: Axes, start: np.ndarray, offset: np.ndarray, size_mm: np.ndarray, names: Sequence[str], which: np.ndarray
) -> None:
    """Names beside the longest arrows, on the outer side of the body, none upon another."""
    tips = start + OFFSETS_TIMES * offset
    low, high = axis.get_xlim()
    for side, edge in ((-1, low), (1, high)):
        outer = [index for index in which if (tips[index, 0] >= np.median(start[:, 0])) == (side > 0)]
        height_m = np.inf
        for index in sorted(outer, key=lambda index: -tips[index, 1]):
            height_m = min(tips[index, 1], height_m - _LINE_M)
            axis.annotate(
                f"{names[index]}\n{size_mm[index]:.0f} mm",
                (float(tips[index, 0]), float(tips[index, 1])),
                (edge - side * _NAME_M, height_m),
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=8,
                color=INK,
                arrowprops={"arrowstyle": "-", "color": "#a9b4be", "lw": 0.7, "shrinkA": 3, "shrinkB": 2},
                zorder=5,
            )


def site_residual_figure(median_px: np.ndarray, cameras: Sequence[str], sites: Sequence[str]) -> Figure:
    """Median residual (C, K) in px as a map; its median over the cameras above, over the sites at the right."""
    few = len(sites) < 40
    labels = 0.25 + (0.09 if few else 0.065) * max(map(len, sites))
    height = 2.05 + labels + 0.24 * len(cameras)
    figure = Figure(figsize=(12, height))
    grid = figure.add_gridspec(
        2, 2, left=0.07, right=0.93, top=1 - 0.35 / height, bottom=labels / height, hspace=0.09, wspace=0.02,
        height_ratios=[1.35, 0.24 * len(cameras) + 0.2], width_ratios=[9, 1],
    )  # fmt: skip
    image = figure.add_subplot(grid[1, 0])
    above = figure.add_subplot(grid[0, 0], sharex=image)
    right = figure.add_subplot(grid[1, 1], sharey=image)
    top = float(np.nanpercentile(median_px, 98)) if np.isfinite(median_px).any() else 1.0
    drawn = image.imshow(median_px, aspect="auto", cmap="cividis", vmin=0, vmax=top, interpolation="nearest")
    image.set(yticks=range(len(cameras)), xticks=range(len(sites)))
    image.set_yticklabels(cameras)
    image.set_xticklabels(sites, rotation=90, fontsize=8 if few else 6)
    image.tick_params(length=0)
    image.grid(False)
    _draw_bars(above, np.arange(len(sites)), _medians(median_px, 0), upright=True)
    _draw_bars(right, np.arange(len(cameras)), _medians(median_px, 1), upright=False)
    above.set(title="Residual of each keypoint: median, pixels")
    right.set_title("each camera", fontsize=9, fontweight="normal", color=QUIET)
    place = image.get_position()
    figure.colorbar(drawn, cax=figure.add_axes((0.945, place.y0, 0.012, place.height)), label="pixels")
    return figure


def _medians(values: np.ndarray, axis: int) -> np.ndarray:
    """Median along an axis; 0 where nothing was seen."""
    seen = np.atleast_1d(np.isfinite(values).any(axis=axis))
    medians = np.zeros(len(seen))
    medians[seen] = np.nanmedian(np.compress(seen, values, axis=1 - axis), axis=axis)
    return medians


def _draw_bars(axis: Axes, places: np.ndarray, values: np.ndarray, upright: bool) -> None:
    if upright:
        axis.bar(places, values, width=0.8, color=LEFT, lw=0)
        axis.tick_params(axis="x", length=0, labelbottom=False)
        axis.grid(False, axis="x")
    else:
        axis.barh(places, values, height=0.8, color=LEFT, lw=0)
        axis.tick_params(axis="y", length=0, labelleft=False)
        axis.grid(False, axis="y")
        axis.spines["left"].set_visible(False)
    axis.set_axisbelow(True)
    axis.grid(color=GRID)
