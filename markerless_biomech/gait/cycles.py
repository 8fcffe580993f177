"""Curves over the gait cycle: any signal cut at one foot's heel strikes, 0 to 100 % of the stride, with mean and SD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .parameters import strides
from .values import SIDES, StepEvent

POINTS = 101
"""Per cent 0 to 100."""
_LARGEST_GAP_SHARE = 0.1
"""A stride with a longer gap in the signal, as a share of the stride, is left out."""


@dataclass(frozen=True, eq=False)
class CycleCurves:
    """Signals of one side over S strides; J signals."""

    side: str
    percent: np.ndarray
    """(101,) of the stride, from heel strike to heel strike."""
    every: np.ndarray
    """(S, 101, J)"""
    toe_off_percent: float
    """Mean end of stance; NaN without toe offs."""

    @property
    def mean(self) -> np.ndarray:
        """(101, J); NaN without strides."""
        return self.every.mean(axis=0) if len(self.every) else np.full(self.every.shape[1:], np.nan)

    @property
    def std(self) -> np.ndarray:
        """(101, J) between strides; NaN for fewer than two."""
        return self.every.std(axis=0, ddof=1) if len(self.every) > 1 else np.full(self.every.shape[1:], np.nan)


def gait_cycles(
    events: Sequence[StepEvent], stamps_ns: np.ndarray, signals: np.ndarray
) -> tuple[CycleCurves, CycleCurves]:
    """(left, right) cycles of `signals` (F, J) at `stamps_ns` (F,), linear between samples.

    Each side's strides cut every signal: give a side's own joints to its own cycle.
    """
    every = strides(events)
    return _one_side(every, "left", stamps_ns, signals), _one_side(every, "right", stamps_ns, signals)


def _one_side(every: Sequence, side: str, stamps_ns: np.ndarray, signals: np.ndarray) -> CycleCurves:
    assert side in SIDES
    own = [stride for stride in every if stride.side == side]
    cut = [_cut(stride.start_ns, stride.end_ns, stamps_ns, signals) for stride in own]
    curves = [curve for curve in cut if curve is not None]
    stance = np.array([stride.stance_percent for stride in own])
    stance = stance[np.isfinite(stance)]
    return CycleCurves(
        side,
        np.linspace(0.0, 100.0, POINTS),
        np.array(curves).reshape(-1, POINTS, signals.shape[1]),
        float(stance.mean()) if stance.size else float("nan"),
    )


def covered(start_ns: int, end_ns: int, stamps_ns: np.ndarray) -> bool:
    """Whether samples at rising stamps (F,) reach over a stride without a long gap."""
    near = _rows_around(start_ns, end_ns, stamps_ns)
    inside = stamps_ns[near[0] : near[1]]
    if len(inside) < 3 or inside[0] > start_ns or inside[-1] < end_ns:
        return False
    return bool(np.diff(inside).max() <= _LARGEST_GAP_SHARE * (end_ns - start_ns))


def _rows_around(start_ns: int, end_ns: int, stamps_ns: np.ndarray) -> np.ndarray:
    """(2,) first row and the one after the last, with a sample beyond either end where there is one."""
    return np.clip(np.searchsorted(stamps_ns, [start_ns, end_ns]) + [-1, 1], 0, len(stamps_ns))


def _cut(start_ns: int, end_ns: int, stamps_ns: np.ndarray, signals: np.ndarray) -> np.ndarray | None:
    """(101, J) of one stride; None where the samples do not cover it."""
    if not covered(start_ns, end_ns, stamps_ns):
        return None
    near = _rows_around(start_ns, end_ns, stamps_ns)
    inside = stamps_ns[near[0] : near[1]]
    wanted = start_ns + np.linspace(0.0, 1.0, POINTS) * (end_ns - start_ns)
    times_s, wanted_s = (inside - start_ns) * 1e-9, (wanted - start_ns) * 1e-9
    rows = signals[near[0] : near[1]]
    return np.stack([np.interp(wanted_s, times_s, rows[:, j]) for j in range(signals.shape[1])], axis=-1)
