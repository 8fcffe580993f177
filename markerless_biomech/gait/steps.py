"""Lengths, widths and times of steps from final heel strikes and the places where the feet stood.

For strikes k-1, k, k+1 (k the other foot) with footprints h: stride vector s = h(k+1) - h(k-1), s^ its direction. Step
length k = (h(k) - h(k-1)) . s^, step width k = |(h(k) - h(k-1)) x s^| (horizontal): right on curves too. A footprint is
the median place of the heel over foot flat; on a treadmill everything is in the belt's frame.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from .values import SIDES, StepEvent

_MEMORY_S = 5.0
_FOOT_FLAT_S = 0.30
"""Step length waits for this much of the next stance: foot flat has begun then."""
_LONGEST_STEP_S = 2.5
"""Between strikes further apart the person has stopped."""
_FEWEST_FLAT = 3
_LEAST_PROGRESS_M_S = 0.1
"""Who is slower goes in no direction that could turn."""
_LEAST_PLACE_STD_M, _PLACE_STD_SHARE = 0.001, 0.7
"""Of a footprint: the heel gives way under load; this share of a sample's noise lasts as long as foot flat."""


@dataclass(frozen=True, eq=False)
class SettledFeet:
    """One settled instant."""

    time_s: float
    position_m: np.ndarray
    """(4, 3) heel left, heel right, toe left, toe right."""
    still: np.ndarray
    """(4,) probability that the point does not move on the surface."""
    std_m: np.ndarray
    """(4,) of each point along each axis."""
    surface_m_s: np.ndarray
    """(2,) velocity of the belt."""
    progress_m_s: np.ndarray
    """(2,) velocity of the person over it."""
    origin_ns: int
    """Stamp at time 0."""


@dataclass(eq=False)
class _Strike:
    """A final heel strike; its footprint is refined while the foot stands."""

    event: StepEvent
    time_s: float
    foot: int
    measured: bool = False
    seen: bool = True
    """False: the foot stood there already when the walk began."""


class StepBook:
    """The newest strikes and where the feet have been since."""

    def __init__(self) -> None:
        self._rows: deque[SettledFeet] = deque()
        self._gone_m: deque[np.ndarray] = deque()
        """(2,) for each row: how far the surface has moved since the start."""
        self._strikes: list[_Strike] = []

    def settle(self, feet: SettledFeet) -> None:
        """Take in the next settled instant."""
        if self._rows:
            hop_s = feet.time_s - self._rows[-1].time_s
            self._gone_m.append(self._gone_m[-1] + hop_s * feet.surface_m_s)
        else:
            self._gone_m.append(np.zeros(2))
        self._rows.append(feet)
        while self._rows[0].time_s < feet.time_s - _MEMORY_S:
            self._rows.popleft()
            self._gone_m.popleft()

    def measured(self, told: list[StepEvent], settled_s: float) -> list[StepEvent]:
        """`told` with the figures known by now, and new revisions of earlier strikes whose step is complete."""
        answer = [self._entered(event) for event in told]
        for k in range(1, len(self._strikes) - 1):
            if not self._strikes[k].measured and settled_s >= self._strikes[k + 1].time_s + _FOOT_FLAT_S:
                answer.append(self._complete(k))
        self._strikes = self._strikes[-4:]
        return answer

    def stride_time_s(self, at_s: float) -> float | None:
        """Mean time of the newest strides before `at_s`; None when there are none."""
        times_s = [one.event.stride_time_s for one in self._strikes if at_s - one.time_s < _LONGEST_STEP_S]
        known = [time_s for time_s in times_s if np.isfinite(time_s)]
        return float(np.mean(known)) if known else None

    def finish(self) -> list[StepEvent]:
        """No more samples come: complete what can be."""
        return [self._complete(k) for k in range(1, len(self._strikes) - 1) if not self._strikes[k].measured]

    def _entered(self, event: StepEvent) -> StepEvent:
        """A final event with its times and, for a strike, length and width along where its stride will point."""
        if not event.final or event.withdrawn or not self._rows:
            return event
        time_s = (event.stamp_ns - self._rows[-1].origin_ns) * 1e-9
        if event.type != "heel_strike":
            return event
        strike = _Strike(event, time_s, SIDES.index(event.side))
        if not self._strikes or time_s - self._strikes[-1].time_s > _LONGEST_STEP_S:
            self._strikes += self._where_feet_stood(event, strike)
        place = next((i for i, one in enumerate(self._strikes) if one.time_s > time_s), len(self._strikes))
        self._strikes.insert(place, strike)
        strike.event = self._with_times(place)
        if 1 <= place == len(self._strikes) - 1 and self._follows(place):
            strike.event = self._with_lengths(place, self._direction_ahead(place))
        return strike.event

    def _where_feet_stood(self, event: StepEvent, first: _Strike) -> list[_Strike]:
        """Before the first strike of a walk: this foot's last stance, then the other's."""
        begin_s = max(self._rows[0].time_s, first.time_s - _LONGEST_STEP_S)
        half_s = 0.5 * (begin_s + first.time_s)
        return [
            _Strike(event, begin_s, first.foot, measured=True, seen=False),
            _Strike(event, half_s - 1e-3, 1 - first.foot, measured=True, seen=False),
        ]

    def _complete(self, k: int) -> StepEvent:
        """Strike k with its final figures."""
        strike = self._strikes[k]
        strike.measured = True
        direction = self._direction(k - 1, k + 1) if self._follows(k) and self._follows(k + 1) else None
        event = self._with_lengths(k, direction) if self._follows(k) else strike.event
        strike.event = replace(event, revision=strike.event.revision + 1, final=True)
        return strike.event

    def _follows(self, k: int) -> bool:
        """Strike k is of the other foot than k-1, and of the same walk."""
        before, here = self._strikes[k - 1], self._strikes[k]
        return before.foot != here.foot and here.time_s - before.time_s < _LONGEST_STEP_S

    def _with_times(self, k: int) -> StepEvent:
        """Step and stride time."""
        event, here = self._strikes[k].event, self._strikes[k]
        if k >= 1 and self._follows(k) and self._strikes[k - 1].seen:
            event = replace(event, step_time_s=here.time_s - self._strikes[k - 1].time_s)
            if k >= 2 and self._follows(k - 1) and self._strikes[k - 2].seen:
                event = replace(event, stride_time_s=here.time_s - self._strikes[k - 2].time_s)
        return event

    def _direction(self, first: int, last: int) -> np.ndarray | None:
        """(2,) unit vector from the footprint of one strike to that of another; None where one is not known."""
        ends = [self._footprint(k) for k in (first, last)]
        if ends[0] is None or ends[1] is None:
            return None
        stride = ends[1] - ends[0]
        length = float(np.linalg.norm(stride))
        return stride / length if length > 0.02 else None

    def _direction_ahead(self, k: int) -> np.ndarray | None:
        """(2,) the direction of the stride around strike k, before its other end is known: that of the stride that ends
        with k, half a stride older, turned as the person has turned. None where there is none."""
        if k < 2 or not self._follows(k - 1):
            return None
        direction, start = self._direction(k - 2, k), self._strikes[k - 2]
        if direction is None or not start.seen:
            return direction
        turn = self._turn_rad(self._strikes[k].time_s - start.time_s)
        c, s = np.cos(turn), np.sin(turn)
        return np.array([c * direction[0] - s * direction[1], s * direction[0] + c * direction[1]])

    def _turn_rad(self, stride_s: float) -> float:
        """By how much the person's way has turned over the newest half of a stride; each direction is that of a whole
        stride, over which the body's sway cancels. 0 where the samples do not reach back, or nobody walks."""
        end_s = self._rows[-1].time_s
        if self._rows[0].time_s > end_s - 1.5 * stride_s:
            return 0.0
        before, now = (self._progress_m_s(until_s, stride_s) for until_s in (end_s - 0.5 * stride_s, end_s))
        if min(np.linalg.norm(before), np.linalg.norm(now)) < _LEAST_PROGRESS_M_S:
            return 0.0
        return float(np.arctan2(before[0] * now[1] - before[1] * now[0], before @ now))

    def _progress_m_s(self, until_s: float, stride_s: float) -> np.ndarray:
        """(2,) mean over the stride that ends then."""
        rows = [row.progress_m_s for row in self._rows if until_s - stride_s < row.time_s <= until_s]
        return np.mean(rows, axis=0) if rows else np.zeros(2)

    def _with_lengths(self, k: int, direction: np.ndarray | None) -> StepEvent:
        """Step length and width along `direction`, stride length."""
        event = self._strikes[k].event
        here, before = self._footprint(k), self._footprint(k - 1)
        if here is None or before is None:
            return event
        std_m = self._length_std_m(k)
        if direction is not None:
            step = here - before
            across = step[0] * direction[1] - step[1] * direction[0]
            event = replace(
                event,
                step_length_m=float(step @ direction),
                step_width_m=float(abs(across)),
                step_length_std_m=std_m,
                step_width_std_m=std_m,
            )
        if k >= 2 and self._follows(k - 1) and (last := self._footprint(k - 2)) is not None:
            stride_m = float(np.linalg.norm(here - last))
            event = replace(event, stride_length_m=stride_m, stride_length_std_m=std_m)
        return event

    def _length_std_m(self, k: int) -> float:
        """SD of the distance between two footprints, along each axis."""
        heels = [row.std_m[self._strikes[k].foot] for row in self._rows]
        return float(np.hypot(_LEAST_PLACE_STD_M, _PLACE_STD_SHARE * np.median(heels)) * np.sqrt(2.0))

    def _footprint(self, k: int) -> np.ndarray | None:
        """(2,) place of strike k on the surface; None when the settled samples do not reach there."""
        strike = self._strikes[k]
        until_s = next((one.time_s for one in self._strikes[k + 1 :] if one.foot == strike.foot), np.inf)
        heel, toe = strike.foot, 2 + strike.foot
        flat, heel_down, any_still = [], [], []
        for row, gone_m in zip(self._rows, self._gone_m, strict=True):
            if not strike.time_s <= row.time_s < until_s - 0.1:
                continue
            place = row.position_m[heel, :2] - gone_m
            if row.still[heel] > 0.5 and row.still[toe] > 0.5:
                flat.append(place)
            elif row.still[heel] > 0.5:
                heel_down.append(place)
            elif row.still[toe] > 0.5:
                any_still.append(place)
        for places in (flat, heel_down, any_still):
            if len(places) >= _FEWEST_FLAT:
                return np.median(places, axis=0)
        return None
