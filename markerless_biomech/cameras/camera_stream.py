"""One camera's stream of frames: its rate, its newest stamp, whether it is late, stale or dead.

Pure bookkeeping for `frame_sets.py`; times are integers in nanoseconds, stamps by the cameras' clock, the others by the
reader's steady clock.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np

SECOND_NS = 1_000_000_000

DEAD_NS = SECOND_NS
"""A camera that was silent for this long, and for four of its periods, is DEAD."""

STALE_PERIODS = 3
"""A camera that was silent for this many periods, and for a frame set's deadline, is STALE."""

HOPELESS_FRAMES = 5
"""So many frames in a row later than any deadline: not waited for until one would have been in time."""

FROZEN_FRAMES = 2
"""A camera that reports the same points so many times is not waited for."""

RECENT_STEPS = 8

DEFAULT_PERIOD_NS = SECOND_NS // 60
"""Until a camera's own is measured."""


@dataclass
class CameraStream:
    """What is known of one camera."""

    name: str
    offset_ns: int = 0
    """Added to its stamps."""
    newest_stamp_ns: int | None = None
    """Corrected stamp of its newest frame that was in order."""
    heard_ns: int | None = None
    """Arrival of its newest message, whatever became of it."""
    ahead_ns: int | None = None
    """Stamp less arrival of the newest frame that was taken: minus the latency, if clocks agree."""
    heard_ahead_ns: int | None = None
    """The same of its newest message, whatever became of it."""
    missed: bool = False
    """The last frame set left at its deadline without it."""
    hopeless: int = 0
    """Frames in a row that no deadline would have waited for."""
    behind: int = 0
    """Frames in a row far older than the last frame set."""
    jumped: bool = False
    """Its time has jumped, and no frame was taken since."""
    frozen: int = 0
    """Frames in a row that repeat the points of the one before; never of an empty image."""
    _points: np.ndarray | None = None
    troubles: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=256))
    """(when, cause) of the frames that were not used."""
    recent_stamps: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    _steps_ns: deque[int] = field(default_factory=lambda: deque(maxlen=32))
    period_ns: int | None = None
    """Lower quartile of the last steps of stamps (dropped frames do not lengthen it); None until five are known."""

    def observe(self, stamp_ns: int) -> None:
        """Take note of a stamp that is in order."""
        if self.newest_stamp_ns is not None:
            self._steps_ns.append(stamp_ns - self.newest_stamp_ns)
            if len(self._steps_ns) >= 5:
                self.period_ns = sorted(self._steps_ns)[len(self._steps_ns) // 4]
        self.newest_stamp_ns = stamp_ns
        self.recent_stamps.append(stamp_ns)

    @property
    def recent_period_ns(self) -> int | None:
        """As `period_ns`, but of the last eight steps."""
        steps = sorted(list(self._steps_ns)[-RECENT_STEPS:])
        return steps[len(steps) // 4] if len(steps) == RECENT_STEPS else None

    def note_points(self, points: np.ndarray) -> bool:
        """Take note of what a frame shows (P, K, 3); True: the very same as the one before, somebody's points.

        No detector finds a person in two images at the same place to the last bit; an image that has stopped does.
        """
        same = self._points is not None and bool((points[..., 2] > 0.0).any()) and np.array_equal(points, self._points)
        self._points = points
        self.frozen = self.frozen + 1 if same else 0
        return same

    def recent(self, since_ns: int) -> Counter[str]:
        """How many of its frames were not used since then, by cause. Another thread may take frames in meanwhile."""
        return Counter(cause for when_ns, cause in tuple(self.troubles) if when_ns > since_ns)

    def forget_time(self) -> None:
        """The clock starts over: the rate stays, the stamps go."""
        self.newest_stamp_ns = self.ahead_ns = self.heard_ahead_ns = None
        self.missed = self.jumped = False
        self.hopeless = self.behind = 0
        self.recent_stamps.clear()
        self.troubles.clear()

    def stale_from_ns(self, deadline_ns: int) -> int:
        """When silence makes it STALE."""
        assert self.heard_ns is not None
        return self.heard_ns + max(STALE_PERIODS * (self.period_ns or DEFAULT_PERIOD_NS), deadline_ns)

    def dead_from_ns(self) -> int:
        """When silence makes it DEAD."""
        assert self.heard_ns is not None
        return self.heard_ns + max(DEAD_NS, 4 * (self.period_ns or DEFAULT_PERIOD_NS))

    def is_alive(self, now_ns: int) -> bool:
        return self.heard_ns is not None and now_ns < self.dead_from_ns()

    def is_fresh(self, now_ns: int, deadline_ns: int) -> bool:
        """Neither STALE nor DEAD: it sends, and what it sends is news."""
        is_recent = self.is_alive(now_ns) and now_ns < self.stale_from_ns(deadline_ns)
        return is_recent and self.frozen < FROZEN_FRAMES

    def status(self, now_ns: int, deadline_ns: int) -> str:
        """OK, LATE, STALE or DEAD; DEAD also when it was never heard, STALE also when what it sends is of no use."""
        if not self.is_alive(now_ns):
            return "DEAD"
        if not self.is_fresh(now_ns, deadline_ns) or self.jumped:
            return "STALE"
        return "LATE" if self.missed or self.hopeless else "OK"

    def has_frame_near(self, stamp_ns: int, fastest_ns: int) -> bool:
        """Whether a frame of its rhythm falls near `stamp_ns`; a camera of half the rate has none at every second."""
        if self.newest_stamp_ns is None or self.period_ns is None or 2 * self.period_ns < 3 * fastest_ns:
            return True
        since = stamp_ns - self.newest_stamp_ns
        nearest = max(1, round(since / self.period_ns)) * self.period_ns
        return 4 * abs(since - nearest) <= 3 * fastest_ns
