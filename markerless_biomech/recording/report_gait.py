"""The report's section on gait: figures of the strides per side, and joint angles over the gait cycle."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..body.names import JOINT_NAMES
from ..gait.cycles import CycleCurves, gait_cycles
from ..gait.norms import CYCLE_ANGLES, Norm, Norms
from ..gait.parameters import GaitParameters, gait_parameters, symmetry
from ..gait.values import StepEvent
from .export_motion import last_words
from .opensim_axes import PELVIS_ANGLES
from .plots import LEFT, RIGHT, SIDED_WORDS, show_at_least
from .report_page import Picture, figures, paragraph, section, table
from .result_bag import BodyTrack, ResultBag
from .stride_figures import FIGURES, OWN_SIDE, Walker, stride_figures, walker, whole_recording

FEWEST_STRIDES = 2
"""Of each side: a mean of fewer is none."""
CYCLE_WORDS = {
    "pelvis_tilt": "Pelvic tilt (forward negative)",
    "pelvis_list": "Pelvic list (own side down)",
    "pelvis_rotation": "Pelvic rotation (own side forward)",
    **SIDED_WORDS,
}
_COLUMNS = 3
_NORM = "#8a949d"

COMMON_ROWS = (
    ("Speed", "m/s", "speed_mean_m_s", "speed_std_m_s"),
    ("Cadence", "steps a minute", "cadence_mean", "cadence_std"),
    ("Double support", "%", "double_support_mean_percent", "double_support_std_percent"),
)
SYMMETRIES = (("Symmetry of step length", "step_length_m"), ("Symmetry of step time", "step_time_s"))
_OF_BOTH = ("speed", "cadence", "double_support")
"""Figures that the table of both sides has."""
_UNITS = {"m": "m", "s": "s", "percent": "%", "deg": "deg"}
_DECIMALS = {"m": 3, "s": 3, "%": 1, "m/s": 2, "steps a minute": 1, "deg": 1, "": 3}


def walk_parameters(steps: tuple[StepEvent, ...]) -> GaitParameters | None:
    """Means and SDs over every stride of a recording; None without a stride."""
    return gait_parameters(last_words(steps), newest=max(len(steps), 1))


def walker_of(session: ResultBag, track: BodyTrack | None) -> Walker | None:
    """The body of `track`, LOST frames left out; None without a stride."""
    if track is None:
        return None
    return walker(session.subject, session.keypoint_set, track.stamps_ns, track.qpos, last_words(session.steps))


def cycle_figure(
    walking: Walker | None, track: BodyTrack | None, norms: Norms | None = None
) -> tuple[str, str, Figure] | None:
    """(name, caption, figure) of `track`, LOST frames left out; None where a side has too few strides."""
    if walking is None or track is None:
        return None
    cycles = tuple(
        gait_cycles(walking.events, track.stamps_ns, _angles_deg(walking, track, side))[index]
        for index, side in enumerate(("left", "right"))
    )
    if min(len(one.every) for one in cycles) < FEWEST_STRIDES:
        return None
    left, right = (len(one.every) for one in cycles)
    caption = (
        "Joint angles in degrees over the gait cycle, from heel strike to the next of the same foot: mean (line) and "
        f"one standard deviation between strides (band) of {left} left and {right} right strides. Vertical: toe off. "
        "The pelvis is seen along the direction of progress."
    )
    if norms is not None:
        caption += f" Grey: mean and one standard deviation between healthy people{_source(norms)}."
    return "gait_cycle", caption, _drawn(cycles, norms)


def _source(norms: Norms) -> str:
    return f" ({norms.source.rstrip('.')})" if norms.source else ", from the file given"


def _angles_deg(walking: Walker, track: BodyTrack, side: str) -> np.ndarray:
    """(F, 9) CYCLE_ANGLES of one side."""
    joints_deg, pelvis_deg = np.degrees(track.qpos[:, 7:]), walking.pelvis_deg * OWN_SIDE[side]
    pelvis_from_name = dict(zip(PELVIS_ANGLES, pelvis_deg.T, strict=True))
    return np.stack(
        [
            pelvis_from_name[name]
            if name in pelvis_from_name
            else joints_deg[:, JOINT_NAMES.index(f"{name}_{side[0]}")]
            for name in CYCLE_ANGLES
        ],
        axis=-1,
    )


def _drawn(cycles: tuple[CycleCurves, ...], norms: Norms | None) -> Figure:
    rows = -(-len(CYCLE_ANGLES) // _COLUMNS)
    height = 2.6 * rows + 0.6
    figure = Figure(figsize=(12, height))
    axes: Any = figure.subplots(rows, _COLUMNS, sharex=True)
    for index, (axis, joint) in enumerate(zip(axes.flat, CYCLE_ANGLES, strict=True)):
        if norms is not None and joint in norms.norm_from_joint:
            _draw_norm(axis, norms.norm_from_joint[joint])
        for curves, colour in zip(cycles, (LEFT, RIGHT), strict=True):
            _draw(axis, curves, index, colour)
        axis.set_title(CYCLE_WORDS[joint])
        show_at_least(axis, 10.0)
    for axis in axes[-1]:
        axis.set(xlabel="gait cycle, %", xlim=(0, 100))
    for axis in axes[:, 0]:
        axis.set_ylabel("degrees")
    entries = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="upper right", ncols=len(entries))
    margins = {"left": 0.06, "right": 0.99, "top": 1.0 - 0.65 / height, "bottom": 0.5 / height}
    figure.subplots_adjust(**margins, hspace=0.3, wspace=0.2)
    figure.align_ylabels(axes[:, 0])
    return figure


def _draw_norm(axis: Axes, norm: Norm) -> None:
    low, high = norm.mean_deg - norm.std_deg, norm.mean_deg + norm.std_deg
    axis.fill_between(norm.percent, low, high, color=_NORM, alpha=0.25, lw=0)
    axis.plot(norm.percent, norm.mean_deg, color=_NORM, lw=1.0, ls=(0, (4, 2)), label="healthy people")


def _draw(axis: Axes, curves: CycleCurves, joint: int, colour: str) -> None:
    mean, std = curves.mean[:, joint], curves.std[:, joint]
    axis.fill_between(curves.percent, mean - std, mean + std, color=colour, alpha=0.18, lw=0)
    axis.plot(curves.percent, mean, color=colour, lw=1.7, label=curves.side)
    if np.isfinite(curves.toe_off_percent):
        axis.axvline(curves.toe_off_percent, color=colour, lw=0.8)


def gait_section(session: ResultBag, walking: Walker | None, pictures: list[Picture]) -> str:
    """HTML of the tables, and of the picture where there is one; '' where nobody made a stride."""
    found = walk_parameters(session.steps)
    if found is None or walking is None:
        return ""
    left, right = whole_recording(stride_figures(walking))
    rows = [
        [one.words, *(_text(side.mean[one.column], side.std[one.column], _UNITS[one.unit]) for side in (left, right))]
        + [_UNITS[one.unit]]
        for one in FIGURES
        if one.name not in _OF_BOTH
    ]
    both = [
        [words, _text(getattr(found, mean), getattr(found, std), unit), unit] for words, unit, mean, std in COMMON_ROWS
    ]
    both += [
        [words, _text(symmetry(left.mean[column], right.mean[column]), np.nan, ""), ""] for words, column in SYMMETRIES
    ]
    note = (
        f"Mean ± standard deviation between {found.strides} strides. Length, width and time of a step belong to the "
        "foot whose heel strike ends it. Symmetry: (right - left) / mean of both. Margin of stability: from the "
        "extrapolated centre of mass to the outer edge and to the tip of the foot that lands, positive inside."
    )
    content = table(["", "left", "right", "unit"], rows), table(["", "both", "unit"], both), paragraph(note)
    return section("gait", "Gait", figures(pictures, "gait"), *content)


def _text(mean: float, std: float, unit: str) -> str:
    """In words; a dash where it is not known."""
    if not np.isfinite(mean):
        return "–"
    spread = f" ± {std:.{_DECIMALS[unit]}f}" if np.isfinite(std) else ""
    return f"{mean:.{_DECIMALS[unit]}f}{spread}"
