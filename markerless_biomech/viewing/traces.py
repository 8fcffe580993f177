"""Joint angles over the last seconds: a chart for each chosen joint, left and right together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..body.names import JOINT_NAMES
from ..recording.plots import MIDDLE_WORDS, SIDED_WORDS
from ..scene.colours import LEFT, MIDDLE, RIGHT
from .moment import Trace
from .recorded import TRACE_S

FIRST_CHOSEN = ("Hip flexion", "Knee flexion", "Ankle dorsiflexion")
_HEIGHT = 116
_LEAST_SPAN_DEG = 20.0
_QUIET = "#6b7680"


def joints_by_words() -> dict[str, tuple[int, ...]]:
    """Indices in JOINT_NAMES by what a person calls them: (left, right), or one of the trunk."""
    sided = {
        words: (JOINT_NAMES.index(f"{joint}_l"), JOINT_NAMES.index(f"{joint}_r"))
        for joint, words in SIDED_WORDS.items()
    }
    return {**sided, **{words: (JOINT_NAMES.index(joint),) for joint, words in MIDDLE_WORDS.items()}}


class TraceCharts:
    """Charts in the container in which they are made; the joint of each is chosen above it."""

    def __init__(self, server: Any) -> None:
        self._gui = server.gui
        self._joints = joints_by_words()
        self._choices, self._charts = [], []
        for words in FIRST_CHOSEN:
            self._choices.append(self._gui.add_dropdown("Angle, deg", tuple(self._joints), initial_value=words))
            self._charts.append(self._chart())

    def show(self, trace: Trace, time_s: float) -> None:
        """Draw the seconds before `time_s`."""
        for choice, chart in zip(self._choices, self._charts, strict=True):
            times_s, curves_deg = drawn(trace, self._joints[choice.value], time_s)
            low, high = _span(curves_deg)
            chart.data = (times_s, *curves_deg)
            chart.scales = {
                "x": {"time": False, "auto": False, "range": (max(0.0, time_s - TRACE_S), max(TRACE_S, time_s))},
                "y": {"auto": False, "range": (low, high)},
            }

    def _chart(self) -> Any:
        nothing = np.zeros(1)
        axis = {
            "stroke": _QUIET,
            "grid": {"stroke": "#e9edf0", "width": 1},
            "ticks": {"show": False},
            "font": "11px Inter",
        }
        return self._gui.add_uplot(
            data=(nothing, nothing, nothing, nothing),
            series=(
                {"label": "s"},
                *({"stroke": colour, "width": 2, "points": {"show": False}} for colour in (LEFT, RIGHT, MIDDLE)),
            ),
            scales={"x": {"time": False, "auto": False, "range": (0.0, TRACE_S)}},
            axes=({**axis, "size": 24}, {**axis, "size": 34}),
            legend={"show": False},
            cursor={"show": False},
            height=_HEIGHT,
            padding=(8, 12, 0, 0),
        )


def drawn(trace: Trace, joints: tuple[int, ...], time_s: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Times (N,) and the curves of the left side, the right side and the trunk, in degrees; NaN: not this one."""
    if not len(trace.times_s):
        return np.array([time_s]), [np.array([np.nan])] * 3
    nothing = np.full(len(trace.times_s), np.nan)
    chosen = [trace.angles_deg[:, joint] for joint in joints]
    return trace.times_s, [*chosen, nothing] if len(chosen) == 2 else [nothing, nothing, *chosen]


def _span(curves_deg: list[np.ndarray]) -> tuple[float, float]:
    """Limits of the axis of angles: of whole tens, and never so near that noise looks like motion."""
    together = np.concatenate(curves_deg)
    together = together[np.isfinite(together)]
    if not len(together):
        return -_LEAST_SPAN_DEG / 2, _LEAST_SPAN_DEG / 2
    low, high = together.min(), together.max()
    missing = max(0.0, _LEAST_SPAN_DEG - (high - low)) / 2
    return float(10 * np.floor((low - missing) / 10)), float(10 * np.ceil((high + missing) / 10))
