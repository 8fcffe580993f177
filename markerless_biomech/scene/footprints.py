"""Footprints that stay on the floor: what step events leave behind, their outlines, the line of progression."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from ..gait.values import StepEvent

FOOT_BY_STATURE = 0.152
"""Length of the foot by stature (Winter, Biomechanics and Motor Control of Human Movement, figure 4.1)."""
LENGTH_M = 0.26
"""Of a foot where nothing is known of the person."""
_OUTLINE = np.array(
    [(0.00, 0.00), (0.03, 0.09), (0.12, 0.125), (0.30, 0.09), (0.48, 0.08), (0.62, 0.14), (0.74, 0.19), (0.86, 0.19)]
    + [(0.96, 0.14), (1.00, 0.06), (0.97, -0.03), (0.88, -0.12), (0.74, -0.18), (0.60, -0.19), (0.40, -0.16)]
    + [(0.20, -0.135), (0.08, -0.12), (0.02, -0.07)]
)
"""(18, 2) of a right sole from the heel on, by its length: forward, and to the inner side."""
_MIDDLE = (0.5, -0.02)
"""A point from which the whole outline is seen."""
_RESTART_S = 1.0
"""Events are told within this of each other's order; an id told again later than that is of a new ledger."""
_STANCE_S = 2.0
"""A toe off later than this after a strike ends another stance; a strike later than this begins another walk."""
_FOOT_SHARES = (0.7, 1.2)
"""Heel to toe by the foot's length: of a foot at rest, with what the two places may err by."""
_AHEAD_S = 0.1
"""Strikes may be told of before the pose of their instant is."""


def heading_rad(qpos: np.ndarray | None) -> float:
    """Where the pelvis of a pose (41,) faces, about world's z from its x; NaN without a pose."""
    if qpos is None:
        return float("nan")
    w, x, y, z = (float(part) for part in qpos[3:7])
    return math.atan2(2.0 * (x * y + w * z), w * w + x * x - y * y - z * z)


@dataclass(frozen=True, eq=False)
class Footprint:
    """Where a heel struck, and what the step that it ended measured."""

    id: int
    """The event's."""
    side: str
    """'left' or 'right'."""
    stamp_ns: int
    """Of the heel strike."""
    heel_m: np.ndarray
    """(3,) in world."""
    heading_rad: float
    """Where the toes point, about world's z from its x."""
    step_length_m: float
    """NaN: not known (yet)."""
    step_width_m: float
    """NaN: not known (yet)."""
    revision: int = 0
    final: bool = False

    def words(self) -> str:
        """Step length and width; empty while they are not known."""
        parts = (("step", self.step_length_m), ("width", self.step_width_m))
        return "\n".join(f"{name} {value:.2f} m" for name, value in parts if math.isfinite(value))

    def outline_m(self, length_m: float = LENGTH_M) -> np.ndarray:
        """(18, 3) the sole's edge in world, counter-clockwise from above for a right foot."""
        return self._placed(_OUTLINE, length_m)

    def triangles_m(self, length_m: float = LENGTH_M) -> np.ndarray:
        """(18, 3, 3) the sole as triangles in world."""
        edge, middle = self.outline_m(length_m), self.middle_m(length_m)
        return np.stack([np.broadcast_to(middle, edge.shape), edge, np.roll(edge, -1, axis=0)], axis=1)

    def middle_m(self, length_m: float = LENGTH_M) -> np.ndarray:
        """(3,) about the middle of the sole."""
        return self._placed(np.array([_MIDDLE]), length_m)[0]

    def _placed(self, forward_inner: np.ndarray, length_m: float) -> np.ndarray:
        """(N, 3) in world of (N, 2) by the sole's length, forward and to the inner side."""
        x, y = length_m * forward_inner.T
        left = y if self.side == "right" else -y
        cos, sin = math.cos(self.heading_rad), math.sin(self.heading_rad)
        return self.heel_m + np.stack([cos * x - sin * left, sin * x + cos * left, np.zeros_like(x)], axis=-1)


class Footprints:
    """The newest footprints, oldest first. `take` every step event in the order of arrival, revisions and all."""

    def __init__(self, kept: int) -> None:
        """`kept`: how many footprints stay at most."""
        self._kept = kept
        self._print_from_id: dict[int, Footprint] = {}

    @property
    def prints(self) -> list[Footprint]:
        """In order of time."""
        return sorted(self._print_from_id.values(), key=lambda one: one.stamp_ns)

    def clear(self) -> None:
        """A new floor."""
        self._print_from_id.clear()

    def take(self, event: StepEvent, heading_rad: float = float("nan"), length_m: float = LENGTH_M) -> bool:
        """Take in one revision of one event; whether that changed anything.

        `heading_rad`: where the pelvis faces now, about world's z from its x; NaN: not known. A toe off turns its
        print to where the toe stood.
        """
        if event.type == "heel_strike":
            return self._take_strike(event, heading_rad)
        return not event.withdrawn and self._turn_to(event, length_m)

    def _take_strike(self, event: StepEvent, heading_rad: float) -> bool:
        known = self._print_from_id.get(event.id)
        if known is not None and abs(event.stamp_ns - known.stamp_ns) > _RESTART_S * 1e9:
            self.clear()
            known = None
        if event.withdrawn:
            return self._print_from_id.pop(event.id, None) is not None
        if known is not None and event.revision <= known.revision:
            return False
        if known is None and self._print_from_id and event.stamp_ns < self.prints[-1].stamp_ns - _STANCE_S * 1e9:
            self.clear()  # time has jumped back
        heading = known.heading_rad if known is not None else self._heading_or_last(heading_rad)
        self._print_from_id[event.id] = Footprint(
            id=event.id,
            side=event.side,
            stamp_ns=event.stamp_ns,
            heel_m=np.asarray(event.foot_position_m, dtype=float),
            heading_rad=heading,
            step_length_m=event.step_length_m,
            step_width_m=event.step_width_m,
            revision=event.revision,
            final=event.final,
        )
        for old in self.prints[: -self._kept]:
            del self._print_from_id[old.id]
        return True

    def _heading_or_last(self, heading_rad: float) -> float:
        if math.isfinite(heading_rad):
            return heading_rad
        return self.prints[-1].heading_rad if self._print_from_id else 0.0

    def _turn_to(self, toe_off: StepEvent, length_m: float) -> bool:
        """The toe stood where it left the floor, unless the floor moved: then the distance to the heel is no foot's."""
        age_ns = {one.id: toe_off.stamp_ns - one.stamp_ns for one in self._print_from_id.values()}
        ours = [one for one in self.prints if one.side == toe_off.side and 0 < age_ns[one.id] < _STANCE_S * 1e9]
        if not ours:
            return False
        x, y = (toe_off.foot_position_m - ours[-1].heel_m)[:2]
        shortest, longest = _FOOT_SHARES
        if not shortest * length_m < math.hypot(x, y) < longest * length_m:
            return False
        self._print_from_id[ours[-1].id] = replace(ours[-1], heading_rad=math.atan2(y, x))
        return True

    def progression_m(self) -> list[np.ndarray]:
        """Line of progression, midway between each heel and the other foot's next: (N, 3) paths.

        A new path begins where a strike was missed, or where the person stood.
        """
        paths: list[list[np.ndarray]] = [[]]
        for one, following in itertools.pairwise(self.prints):
            if one.side != following.side and following.stamp_ns - one.stamp_ns < _STANCE_S * 1e9:
                paths[-1].append((one.heel_m + following.heel_m) / 2.0)
            else:
                paths.append([])
        return [np.array(path) for path in paths if len(path) > 1]

    def struck_lately(self, now_ns: int, lately_s: float) -> list[Footprint]:
        """Strikes of so long before an instant until then: those that flash. What is far ahead was before a jump."""
        first_ns, last_ns = now_ns - round(lately_s * 1e9), now_ns + round(_AHEAD_S * 1e9)
        return [one for one in self.prints if first_ns <= one.stamp_ns <= last_ns]
