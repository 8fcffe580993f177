"""`sync: approximate`: frame sets by message_filters' ApproximateTimeSynchronizer, for labs whose other nodes use it.

Same interface as `cameras.frame_sets.FrameSetAssembler`, with message_filters' rules: a set needs every camera, so a
camera that stops ends the sets, and there is no deadline. The package is imported only when this is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from ..cameras import streams
from ..cameras.camera_stream import SECOND_NS, CameraStream
from ..cameras.frame_set import FrameSet, median
from ..cameras.frame_sets import DROP_CAUSES, JUMP_NS
from ..errors import InputError
from ..keypoints import KeypointFrame

QUEUE_FRAMES = 10
"""Frames of each camera that wait for the others."""

DEFAULT_SLOP_S = 1.0 / 120.0
"""Largest distance of two members when no tolerance is set: half a frame at 60 Hz."""


def require_message_filters() -> Any:
    """The module, or InputError saying how to get it or do without."""
    try:
        import message_filters
    except ImportError:
        raise InputError(
            "parameter sync is 'approximate', which needs the ROS 2 package message_filters, which is not installed; "
            "install it (apt install ros-jazzy-message-filters) or use sync: deadline"
        ) from None
    return message_filters


class ApproximateFrameSets:
    """Assembles complete frame sets only. Parameters as of FrameSetAssembler; tolerance_s is message_filters' slop."""

    def __init__(
        self, cameras: Iterable[str], tolerance_s: float = 0.0, offsets_s: Mapping[str, float] | None = None
    ) -> None:
        offsets_s = offsets_s or {}
        # read-only after construction
        self._message_filters = require_message_filters()
        self._slop_s = tolerance_s or DEFAULT_SLOP_S
        self._streams = {name: CameraStream(name, round(offsets_s.get(name, 0.0) * SECOND_NS)) for name in cameras}
        # changed by push and reset
        self.counters = dict.fromkeys(("received", "used", *DROP_CAUSES, "reset"), 0)
        self._waiting: dict[str, list[int]] = {}
        self._complete: list[FrameSet] = []
        self._newest_set_ns: int | None = None
        self._jumped = False
        self._connect()

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(self._streams)

    @property
    def waiting(self) -> int:
        """Frames that wait for the other cameras'."""
        return sum(len(stamps) for stamps in self._waiting.values())

    def push(self, frame: KeypointFrame) -> list[FrameSet]:
        """Hand one frame to message_filters; the set that it completes, if any."""
        self.counters["received"] += 1
        stream = self._streams.get(frame.camera)
        if stream is None:
            self.counters["unknown_camera"] += 1
            return []
        stamp_ns = frame.stamp_ns + stream.offset_ns
        stream.heard_ns = frame.arrival_ns
        cause = self._refusal(stream, stamp_ns)
        if cause:
            self.counters[cause] += 1
            return []
        stream.observe(stamp_ns)
        self._signal(frame, stamp_ns)
        left, self._complete = self._complete, []
        return left

    def poll(self, now_ns: int) -> list[FrameSet]:
        """Nothing: message_filters has no deadline."""
        return []

    def next_deadline_ns(self) -> int | None:
        """None: message_filters has no deadline."""
        return None

    def flush(self) -> list[FrameSet]:
        """Nothing: what waits is not complete."""
        return []

    def reset(self) -> None:
        """Forget all stamps and waiting frames; the next set says so."""
        self.counters["reset"] += 1
        self.counters["cleared"] += self.waiting
        self._newest_set_ns, self._jumped = None, True
        for stream in self._streams.values():
            stream.forget_time()
        self._connect()

    def status(self, now_ns: int) -> dict[str, str]:
        """OK, STALE or DEAD by camera."""
        return {name: stream.status(now_ns, 0) for name, stream in self._streams.items()}

    def complaints(self, now_ns: int) -> dict[str, str]:
        """What is wrong with each camera's stream, in a sentence; '' where nothing is."""
        return streams.complaints(self._streams, now_ns, 0)

    def _connect(self) -> None:
        """New filters: message_filters' queues keep the largest stamps, so after a jump back they never recover."""
        self._filters = {name: self._message_filters.SimpleFilter() for name in self._streams}
        self._synchronizer = self._message_filters.ApproximateTimeSynchronizer(
            list(self._filters.values()), QUEUE_FRAMES, self._slop_s
        )
        self._synchronizer.registerCallback(self._take)
        self._waiting = {name: [] for name in self._streams}

    def _refusal(self, stream: CameraStream, stamp_ns: int) -> str:
        """Why a frame is not taken; '' if it is. One camera's jump back starts over: all have to be in step anyway."""
        if stream.newest_stamp_ns is None or stamp_ns > stream.newest_stamp_ns:
            return ""
        if stream.newest_stamp_ns - stamp_ns > JUMP_NS:
            self.reset()
            return ""
        return "duplicate" if stamp_ns in stream.recent_stamps else "out_of_order"

    def _signal(self, frame: KeypointFrame, stamp_ns: int) -> None:
        from builtin_interfaces.msg import Time

        stamp = Time(sec=stamp_ns // SECOND_NS, nanosec=stamp_ns % SECOND_NS)
        stamps = self._waiting[frame.camera]
        stamps.append(stamp_ns)
        if len(stamps) > QUEUE_FRAMES:
            # message_filters drops the oldest without a word.
            stamps.pop(0)
            self.counters["cleared"] += 1
        message = SimpleNamespace(header=SimpleNamespace(stamp=stamp), frame=frame, stamp_ns=stamp_ns)
        self._filters[frame.camera].signalMessage(message)

    def _take(self, *messages: Any) -> None:
        """Called by message_filters, under its lock, with one message a camera."""
        for message in messages:
            self._waiting[message.frame.camera].remove(message.stamp_ns)
        stamp_ns = median(sorted(message.stamp_ns for message in messages))
        if self._newest_set_ns is not None and stamp_ns <= self._newest_set_ns:
            self.counters["late"] += len(messages)
            return
        self._newest_set_ns = stamp_ns
        self.counters["used"] += len(messages)
        arrivals = [message.frame.arrival_ns for message in messages]
        jumped, self._jumped = self._jumped, False
        frames = {message.frame.camera: message.frame for message in messages}
        self._complete.append(FrameSet(stamp_ns, frames, "complete", min(arrivals), max(arrivals), jumped))
