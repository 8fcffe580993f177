"""Gait parameters from final events: strides with their phases, and rolling means and standard deviations over them.

A stride of a foot goes from its heel strike to its next. Stance ends with its toe off; double support is the time from
each foot's strike to the other's toe off. Symmetry: (right - left) / mean of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .values import SIDES, StepEvent

ROLLING_STRIDES = 10
"""Of each foot: what GaitParameters are taken over."""
_LONGEST_STRIDE_S = 4.0


@dataclass(frozen=True)
class Stride:
    """One stride of one foot; NaN where an event or a footprint is missing."""

    side: str
    start_ns: int
    end_ns: int
    toe_off_ns: int
    """0: not found."""
    length_m: float
    step_length_m: float
    """Of the step that the stride's last strike ends."""
    step_width_m: float
    step_time_s: float
    double_support_s: float
    """Both double supports of the stride together."""

    @property
    def time_s(self) -> float:
        """Duration."""
        return (self.end_ns - self.start_ns) * 1e-9

    @property
    def stance_percent(self) -> float:
        """Share of the stride with the foot on the floor."""
        return 100.0 * (self.toe_off_ns - self.start_ns) * 1e-9 / self.time_s if self.toe_off_ns else float("nan")

    @property
    def double_support_percent(self) -> float:
        """Share of the stride with both feet on the floor."""
        return 100.0 * self.double_support_s / self.time_s

    @property
    def single_support_percent(self) -> float:
        """Share of the stride with this foot alone on the floor."""
        return self.stance_percent - self.double_support_percent

    @property
    def speed_m_s(self) -> float:
        """Stride length over stride time."""
        return self.length_m / self.time_s


def strides(events: Sequence[StepEvent]) -> list[Stride]:
    """All strides between final, standing events (last revisions), in order of their ends.

    Where the events state stride times, strikes without one begin a walk: no stride spans what was not seen.
    """
    ordered = sorted((e for e in events if e.final and not e.withdrawn), key=lambda event: event.stamp_ns)
    stated = any(np.isfinite(event.stride_time_s) for event in ordered)
    found = []
    for side in SIDES:
        strikes = [event for event in ordered if event.side == side and event.type == "heel_strike"]
        for start, end in zip(strikes, strikes[1:], strict=False):
            seen = not stated or np.isfinite(end.stride_time_s)
            if seen and end.stamp_ns - start.stamp_ns <= _LONGEST_STRIDE_S * 1e9:
                found.append(_stride(ordered, start, end))
    return sorted(found, key=lambda stride: stride.end_ns)


def _stride(ordered: Sequence[StepEvent], start: StepEvent, end: StepEvent) -> Stride:
    inside = [event for event in ordered if start.stamp_ns <= event.stamp_ns < end.stamp_ns]
    off = [event.stamp_ns for event in inside if event.side == start.side and event.type == "toe_off"]
    return Stride(
        side=start.side,
        start_ns=start.stamp_ns,
        end_ns=end.stamp_ns,
        toe_off_ns=off[0] if len(off) == 1 else 0,
        length_m=end.stride_length_m,
        step_length_m=end.step_length_m,
        step_width_m=end.step_width_m,
        step_time_s=end.step_time_s,
        double_support_s=_double_support_s(inside, start),
    )


def _double_support_s(inside: Sequence[StepEvent], start: StepEvent) -> float:
    """Own strike to the other's toe off, and the other's strike to the own toe off; NaN unless each is there once.

    A toe off that comes before the strike (running) gives a flight: less than no double support, counted as none.
    """
    other = [event for event in inside if event.side != start.side]
    own_off = [event.stamp_ns for event in inside if event.side == start.side and event.type == "toe_off"]
    other_off = [event.stamp_ns for event in other if event.type == "toe_off"]
    other_strike = [event.stamp_ns for event in other if event.type == "heel_strike"]
    if len(own_off) != 1 or len(other_off) != 1 or len(other_strike) != 1:
        return float("nan")
    first, second = other_off[0] - start.stamp_ns, own_off[0] - other_strike[0]
    if other_off[0] > other_strike[0]:  # flight: the other foot leaves after it landed, and before this stride began
        first = 0
    return max(first, 0) * 1e-9 + max(second, 0) * 1e-9


@dataclass(frozen=True, eq=False)
class GaitParameters:
    """Rolling figures, as in the message of this name; arrays are (2,) [left, right]; NaN: not enough strides."""

    stamp_ns: int
    """Of the newest event that counts."""
    strides: int
    window_s: float
    cadence_mean: float
    cadence_std: float
    """Steps a minute."""
    speed_mean_m_s: float
    speed_std_m_s: float
    step_length_mean_m: np.ndarray
    step_length_std_m: np.ndarray
    step_width_mean_m: np.ndarray
    step_width_std_m: np.ndarray
    step_time_mean_s: np.ndarray
    step_time_std_s: np.ndarray
    stride_length_mean_m: np.ndarray
    stride_length_std_m: np.ndarray
    stance_mean_percent: np.ndarray
    stance_std_percent: np.ndarray
    swing_mean_percent: np.ndarray
    swing_std_percent: np.ndarray
    double_support_mean_percent: float
    double_support_std_percent: float
    step_length_symmetry: float
    step_time_symmetry: float


def gait_parameters(events: Sequence[StepEvent], newest: int = ROLLING_STRIDES) -> GaitParameters | None:
    """Means and SDs over the newest strides of each foot; None before the first stride."""
    every = strides(events)
    chosen = [stride for side in SIDES for stride in [one for one in every if one.side == side][-newest:]]
    if not chosen:
        return None
    start_ns, end_ns = min(stride.start_ns for stride in chosen), max(stride.end_ns for stride in chosen)
    by_side = [[stride for stride in chosen if stride.side == side] for side in SIDES]

    def sides(figure: str) -> tuple[np.ndarray, np.ndarray]:
        pairs = [_mean_std([getattr(stride, figure) for stride in rows]) for rows in by_side]
        return np.array([mean for mean, _ in pairs]), np.array([std for _, std in pairs])

    lengths, times, stance = sides("step_length_m"), sides("step_time_s"), sides("stance_percent")
    widths, stride_lengths = sides("step_width_m"), sides("length_m")
    cadence = _mean_std([60.0 / stride.step_time_s for stride in chosen])
    speed = _mean_std([stride.speed_m_s for stride in chosen])
    double = _mean_std([stride.double_support_percent for stride in chosen])
    return GaitParameters(
        end_ns, len(chosen), (end_ns - start_ns) * 1e-9, *cadence, *speed, *lengths, *widths, *times, *stride_lengths,
        *stance, 100.0 - stance[0], stance[1].copy(), *double, symmetry(*lengths[0]), symmetry(*times[0]),
    )  # fmt: skip


def symmetry(left: float, right: float) -> float:
    """(right - left) / mean of both; 0 is symmetric."""
    return float(2.0 * (right - left) / (right + left)) if right + left else float("nan")


def _mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample SD of the finite values; NaN where there are too few."""
    known = np.array([value for value in values if np.isfinite(value)])
    mean = float(known.mean()) if known.size else float("nan")
    return mean, float(known.std(ddof=1)) if known.size > 1 else float("nan")
