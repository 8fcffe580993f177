"""The report's section on gait: figures of the steps per side, and joint angles over the gait cycle."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..body.names import JOINT_NAMES
from ..gait.cycles import CycleCurves, gait_cycles
from ..gait.parameters import GaitParameters, gait_parameters
from ..gait.values import StepEvent
from .export_motion import last_words
from .plots import LEFT, RIGHT, SIDED_WORDS
from .report_page import Picture, figures, paragraph, section, table
from .result_bag import BodyTrack, ResultBag

FEWEST_STRIDES = 2
"""Of each side: a mean of fewer is none."""
CYCLE_JOINTS = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle")
_COLUMNS = 3

SIDED_ROWS = (
    ("Step length", "m", "step_length_mean_m", "step_length_std_m"),
    ("Step width", "m", "step_width_mean_m", "step_width_std_m"),
    ("Step time", "s", "step_time_mean_s", "step_time_std_s"),
    ("Stride length", "m", "stride_length_mean_m", "stride_length_std_m"),
    ("Stance", "%", "stance_mean_percent", "stance_std_percent"),
    ("Swing", "%", "swing_mean_percent", "swing_std_percent"),
)
COMMON_ROWS = (
    ("Speed", "m/s", "speed_mean_m_s", "speed_std_m_s"),
    ("Cadence", "steps a minute", "cadence_mean", "cadence_std"),
    ("Double support", "%", "double_support_mean_percent", "double_support_std_percent"),
    ("Symmetry of step length", "", "step_length_symmetry", ""),
    ("Symmetry of step time", "", "step_time_symmetry", ""),
)
_DECIMALS = {"m": 3, "s": 3, "%": 1, "m/s": 2, "steps a minute": 1, "": 3}


def walk_parameters(steps: tuple[StepEvent, ...]) -> GaitParameters | None:
    """Means and SDs over every stride of a recording; None without a stride."""
    return gait_parameters(last_words(steps), newest=max(len(steps), 1))


def cycle_figure(session: ResultBag, track: BodyTrack | None) -> tuple[str, str, Figure] | None:
    """(name, caption, figure) of `track`, LOST frames left out; None where a side has too few strides."""
    if track is None:
        return None
    events = last_words(session.steps)
    cycles = gait_cycles(events, track.stamps_ns, np.degrees(track.qpos[:, 7:]))
    if min(len(one.every) for one in cycles) < FEWEST_STRIDES:
        return None
    left, right = (len(one.every) for one in cycles)
    caption = (
        "Joint angles in degrees over the gait cycle, from heel strike to the next of the same foot: mean (line) and "
        f"one standard deviation between strides (band) of {left} left and {right} right strides. Vertical: toe off."
    )
    return "gait_cycle", caption, _drawn(cycles)


def _drawn(cycles: tuple[CycleCurves, CycleCurves]) -> Figure:
    rows = -(-len(CYCLE_JOINTS) // _COLUMNS)
    figure = Figure(figsize=(12, 2.6 * rows + 0.6))
    axes: Any = figure.subplots(rows, _COLUMNS, sharex=True)
    for axis, joint in zip(axes.flat, CYCLE_JOINTS, strict=True):
        for curves, colour in zip(cycles, (LEFT, RIGHT), strict=True):
            _draw(axis, curves, JOINT_NAMES.index(f"{joint}_{curves.side[0]}"), colour)
        axis.set_title(SIDED_WORDS[joint])
    for axis in axes[-1]:
        axis.set(xlabel="gait cycle, %", xlim=(0, 100))
    for axis in axes[:, 0]:
        axis.set_ylabel("degrees")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=2)
    figure.subplots_adjust(left=0.06, right=0.99, top=0.88, bottom=0.1, hspace=0.3, wspace=0.16)
    return figure


def _draw(axis: Axes, curves: CycleCurves, joint: int, colour: str) -> None:
    mean, std = curves.mean[:, joint], curves.std[:, joint]
    axis.fill_between(curves.percent, mean - std, mean + std, color=colour, alpha=0.18, lw=0)
    axis.plot(curves.percent, mean, color=colour, lw=1.7, label=curves.side)
    if np.isfinite(curves.toe_off_percent):
        axis.axvline(curves.toe_off_percent, color=colour, lw=0.8)


def gait_section(session: ResultBag, pictures: list[Picture]) -> str:
    """HTML of the table, and of the picture where there is one; '' where nobody made a stride."""
    found = walk_parameters(session.steps)
    if found is None:
        return ""
    rows = [
        [words, *(_figure(getattr(found, mean)[side], getattr(found, std)[side], unit) for side in (0, 1)), unit]
        for words, unit, mean, std in SIDED_ROWS
    ]
    both = [
        [words, _figure(getattr(found, mean), getattr(found, std) if std else np.nan, unit), unit]
        for words, unit, mean, std in COMMON_ROWS
    ]
    note = (
        f"Mean ± standard deviation between {found.strides} strides. Length, width and time of a step belong to the "
        "foot whose heel strike ends it. Symmetry: (right - left) / mean of both."
    )
    content = table(["", "left", "right", "unit"], rows), table(["", "both", "unit"], both), paragraph(note)
    return section("gait", "Gait", figures(pictures, "gait"), *content)


def _figure(mean: float, std: float, unit: str) -> str:
    """In words; a dash where it is not known."""
    if not np.isfinite(mean):
        return "–"
    spread = f" ± {std:.{_DECIMALS[unit]}f}" if np.isfinite(std) else ""
    return f"{mean:.{_DECIMALS[unit]}f}{spread}"
