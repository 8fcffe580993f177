"""Found steps against true ones: which events were found, how far off their times, lengths and widths are.

The true lengths are computed here, from the true footprints, by the definitions of docs/gait.md and not by `gait/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..gait.values import TYPES_OF_EVENT, StepEvent

SAME_EVENT_S = 0.1
"""A found event is a true one of the same foot and type when their times differ by less."""
EDGE_S = 0.15
"""True events nearer than this to either end of a recording are not counted: half of them lies outside."""


@dataclass(frozen=True, eq=False)
class StepComparison:
    """Found minus true."""

    missed: tuple[StepEvent, ...]
    false: tuple[StepEvent, ...]
    """Found, with no true event near."""
    time_error_s: dict[str, np.ndarray]
    """(N,) by type of event."""
    time_std_s: dict[str, np.ndarray]
    """(N,) that the found events claim, in the same order."""
    length_error_m: np.ndarray
    """(S,) of steps whose length is known on both sides."""
    width_error_m: np.ndarray
    """(S,)"""

    @property
    def detected(self) -> int:
        """How many true events were found."""
        return sum(len(errors) for errors in self.time_error_s.values())


def last_revisions(told: Iterable[StepEvent]) -> list[StepEvent]:
    """What remains of a stream of events: the last revision of each, withdrawn ones left out, in order of time."""
    newest: dict[int, StepEvent] = {}
    for event in told:
        if event.id not in newest or event.revision >= newest[event.id].revision:
            newest[event.id] = event
    return sorted((event for event in newest.values() if not event.withdrawn), key=lambda event: event.stamp_ns)


def compare_steps(
    found: Sequence[StepEvent], true: Sequence[StepEvent], start_ns: int, end_ns: int, same_s: float = SAME_EVENT_S
) -> StepComparison:
    """Compare last revisions with the true events from `start_ns` to `end_ns`; the true ones carry true lengths."""
    counted = [event for event in true if start_ns <= event.stamp_ns <= end_ns]
    pairs = [(partner, event) for event in counted if (partner := _nearest(found, event, same_s)) is not None]
    paired = {event.id for _, event in pairs}
    near_true = {partner.id for event in true if (partner := _nearest(found, event, same_s)) is not None}
    inside = [event for event in found if start_ns <= event.stamp_ns <= end_ns]
    by_type = {kind: [pair for pair in pairs if pair[1].type == kind] for kind in TYPES_OF_EVENT}
    steps = [pair for pair in pairs if all(np.isfinite(one.step_length_m) for one in pair)]
    return StepComparison(
        missed=tuple(event for event in counted if event.id not in paired),
        false=tuple(event for event in inside if event.id not in near_true),
        time_error_s={k: np.array([(a.stamp_ns - b.stamp_ns) * 1e-9 for a, b in v]) for k, v in by_type.items()},
        time_std_s={kind: np.array([a.time_std_s for a, _ in rows]) for kind, rows in by_type.items()},
        length_error_m=np.array([a.step_length_m - b.step_length_m for a, b in steps]),
        width_error_m=np.array([a.step_width_m - b.step_width_m for a, b in steps]),
    )


def _nearest(events: Sequence[StepEvent], wanted: StepEvent, within_s: float) -> StepEvent | None:
    """The event of the same foot and type nearest in time."""
    same = [event for event in events if (event.side, event.type) == (wanted.side, wanted.type)]
    nearest = min(same, key=lambda event: abs(event.stamp_ns - wanted.stamp_ns), default=None)
    return nearest if nearest and abs(nearest.stamp_ns - wanted.stamp_ns) < within_s * 1e9 else None


def true_step_sizes(
    times_s: Sequence[float], sides: Sequence[str], heels_m: np.ndarray, belt_m_s: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(S,) length and width of the step that each heel strike ends, NaN where a neighbour is missing.

    Strikes in order of time with the heel's place in world (S, 2 or 3) at that time; `belt_m_s` (2,) moves the floor.
    """
    belt = np.zeros(2) if belt_m_s is None else belt_m_s
    place = np.asarray(heels_m, dtype=float)[:, :2] - np.asarray(times_s)[:, None] * belt
    length, width = np.full(len(place), np.nan), np.full(len(place), np.nan)
    for k in range(1, len(place) - 1):
        if sides[k - 1] == sides[k] or sides[k] == sides[k + 1]:
            continue
        stride, step = place[k + 1] - place[k - 1], place[k] - place[k - 1]
        reach = float(np.linalg.norm(stride))
        if reach > 0.0:
            length[k] = step @ stride / reach
            width[k] = abs(step[0] * stride[1] - step[1] * stride[0]) / reach
    return length, width
