"""Moments onto the page, again and again, until somebody says stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .live_feed import LiveFeed
from .moment import Capture
from .panels import Panels, Player
from .playhead import PlayHead
from .recorded import RecordedMotion
from .stage import Stage
from .views import Views

RATE_HZ = 30.0
_SLOW_EVERY = 3
"""Tables and charts change with every third picture."""


@contextmanager
def until_told_to_stop() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class RecordedPage:
    """A bag on a page."""

    def __init__(self, server: Any, motion: RecordedMotion) -> None:
        self._server, self._motion = server, motion
        self.player = Player(PlayHead(motion.length_s), motion.results)
        self._panels = Panels(server, self.player)
        self.views = Views(server)
        self._stage = Stage(server, motion.capture, self.views)
        self._drawn: tuple[float, str, bool] | None = None
        self._told: tuple[float, str, bool] | None = None
        self._count = 0
        self.advance(0.0)

    def advance(self, elapsed_s: float) -> None:
        """Let so much of the watcher's time go by, and draw what there is to be seen then."""
        head = self.player.head
        head.advance(elapsed_s)
        time_s, result = head.time_s, self.player.result
        now = (time_s, result, self.views.anybody_near())
        with self._server.atomic():
            if now != self._drawn:
                self._stage.show(self._motion.moment(time_s, result))
                self._drawn = now
            if now != self._told and (not head.playing or self._count % _SLOW_EVERY == 0):
                self._panels.show(self._motion.moment(time_s, result), f"{time_s:.2f} of {head.length_s:.2f} s")
                self._panels.show_trace(self._motion.trace(time_s, result), time_s)
                self._told = now
            if self._panels.player_controls is not None:
                self._panels.player_controls.show()
        self._count += 1


class LivePage:
    """A running system on a page: what it will be is not known before it speaks."""

    def __init__(self, server: Any, feed: LiveFeed) -> None:
        self._server, self._feed = server, feed
        self._panels, self.views = Panels(server), Views(server)
        self._stage: Stage | None = None
        self._version = -1
        self._count = 0
        self.advance(0.0)

    def advance(self, _elapsed_s: float) -> None:
        """Draw what is known now."""
        version, capture = self._feed.capture()
        moment = self._feed.moment()
        with self._server.atomic():
            if version != self._version and capture is not None:
                self._build(version, capture)
            if self._stage is not None:
                self._stage.show(moment)
            if self._count % _SLOW_EVERY == 0:
                self._panels.show(moment, "live")
                self._panels.show_trace(self._feed.trace(), moment.time_s)
        self._count += 1

    def _build(self, version: int, capture: Capture) -> None:
        """A scene for another subject or another rig."""
        if self._stage is not None:
            self._stage.remove()
        self._stage, self._version = Stage(self._server, capture, self.views), version


def turn_pages(advance: Callable[[float], None], stop: threading.Event, rate_hz: float = RATE_HZ) -> None:
    """Call `advance` with the time that went by, until `stop` is set."""
    before_s = time.monotonic()
    while not stop.wait(max(0.0, before_s + 1 / rate_hz - time.monotonic())):
        now_s = time.monotonic()
        advance(now_s - before_s)
        before_s = now_s
