"""A frame set: what all cameras saw at one instant; finished, and still being assembled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..keypoints import KeypointFrame

DROP_CAUSES: tuple[str, ...] = ("late", "duplicate", "out_of_order", "future", "frozen", "unknown_camera", "cleared")
"""Why a frame was not used; 'frozen': the very same points as before, 'cleared': it waited when time jumped."""


@dataclass(frozen=True, eq=False)
class FrameSet:
    """At most one frame of each camera, of one instant."""

    stamp_ns: int
    """Median of the members' corrected stamps."""
    frames: dict[str, KeypointFrame]
    """By camera, in the order of the configured cameras."""
    closed_by: str
    """'complete', 'stamps' (a camera skipped this instant) or 'deadline'."""
    first_arrival_ns: int
    last_arrival_ns: int
    jumped: bool = False
    """Time jumped before this set: nothing older belongs to it."""


@dataclass
class OpenSet:
    """A set that waits for members; times in nanoseconds."""

    frames: dict[str, KeypointFrame] = field(default_factory=dict)
    """By camera."""
    stamps_ns: list[int] = field(default_factory=list)
    """Corrected, sorted."""
    first_arrival_ns: int = 0
    last_arrival_ns: int = 0

    @property
    def stamp_ns(self) -> int:
        """Median of the members' stamps."""
        return median(self.stamps_ns)

    def add(self, frame: KeypointFrame, stamp_ns: int, arrival_ns: int) -> None:
        """Take a member in, with its corrected stamp."""
        self.first_arrival_ns = self.first_arrival_ns if self.frames else arrival_ns
        self.last_arrival_ns = arrival_ns
        self.frames[frame.camera] = frame
        self.stamps_ns = sorted([*self.stamps_ns, stamp_ns])

    def finished(self, cameras: Iterable[str], closed_by: str, jumped: bool) -> FrameSet:
        """As it leaves, its frames in the order of the configured cameras."""
        return FrameSet(
            stamp_ns=self.stamp_ns,
            frames={name: self.frames[name] for name in cameras if name in self.frames},
            closed_by=closed_by,
            first_arrival_ns=self.first_arrival_ns,
            last_arrival_ns=self.last_arrival_ns,
            jumped=jumped,
        )

    def fits(self, stamp_ns: int, tolerance_ns: int) -> bool:
        """Whether the stamp is within tolerance of the set's, and all members stay so when it joins."""
        if abs(stamp_ns - self.stamp_ns) > tolerance_ns:
            return False
        joined = sorted([*self.stamps_ns, stamp_ns])
        middle = median(joined)
        return max(middle - joined[0], joined[-1] - middle) <= tolerance_ns


def put_in(waiting: list[OpenSet], frame: KeypointFrame, stamp_ns: int, arrival_ns: int, tolerance_ns: int) -> None:
    """Put a frame into the nearest set that lacks its camera, or into a new one; sets stay in the order of stamps."""
    candidates = [s for s in waiting if frame.camera not in s.frames and s.fits(stamp_ns, tolerance_ns)]
    if not candidates:
        candidates = [OpenSet()]
        waiting += candidates
    nearest = min(candidates, key=lambda s: abs(s.stamp_ns - stamp_ns) if s.frames else 0)
    nearest.add(frame, stamp_ns, arrival_ns)
    waiting.sort(key=lambda s: s.stamp_ns)


def median(values: list[int]) -> int:
    """Of sorted integers; of an even number the lower half of the middle pair's sum."""
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) // 2
