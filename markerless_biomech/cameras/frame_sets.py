"""Frame sets: what all cameras saw at one instant, assembled by stamp from N streams that come when they like.

A set leaves, in the order of stamps, when every camera that may still contribute has, or at its deadline (its first
arrival + deadline) with what came. Nothing is put into the past: what comes too late is counted by cause and dropped.
The output is a pure function of the sequence of calls; no clock is read. Times are nanoseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from ..errors import InputError
from ..keypoints import KeypointFrame
from . import streams
from .camera_stream import HOPELESS_FRAMES, SECOND_NS, CameraStream
from .frame_set import DROP_CAUSES, FrameSet, OpenSet, put_in

JUMP_NS = SECOND_NS // 2
"""Stamps that go back by more than this have jumped; less is out of order."""

BEHIND_FRAMES = 10
"""So many frames in a row that are JUMP_NS older than the last set count as a jump (a backlog is shorter)."""

MAX_OPEN_SETS = 1024
"""Beyond this the oldest leaves."""

__all__ = ["DROP_CAUSES", "FrameSet", "FrameSetAssembler"]


class FrameSetAssembler:
    """Assembles frame sets of the given cameras.

    tolerance_s: largest distance of a member's stamp from its set's; 0: half a period of the fastest camera, measured.
    deadline_s: a set leaves this long after its first member came. offsets_s: added to a camera's stamps.
    replay_mode: no clock; sets leave when complete, or when every camera has delivered a newer stamp.
    """

    def __init__(
        self,
        cameras: Iterable[str],
        tolerance_s: float = 0.0,
        deadline_s: float = 0.05,
        offsets_s: Mapping[str, float] | None = None,
        replay_mode: bool = False,
    ) -> None:
        offsets_s = offsets_s or {}
        # read-only after construction
        self.deadline_ns = round(deadline_s * SECOND_NS)
        self.replay_mode = replay_mode
        self._fixed_tolerance_ns = round(tolerance_s * SECOND_NS)
        self._streams = {name: CameraStream(name, round(offsets_s.get(name, 0.0) * SECOND_NS)) for name in cameras}
        if not self._streams:
            raise InputError("no cameras are configured; set the parameter cameras to their names")
        # changed by push, poll, flush and reset
        self.fastest_period_ns = streams.fastest_period_ns(self._streams.values())
        """Of all cameras; 1/60 s until one is measured."""
        self.counters = dict.fromkeys(("received", "used", *DROP_CAUSES, "reset"), 0)
        self._open: list[OpenSet] = []
        self._closed: deque[tuple[int, int]] = deque(maxlen=256)
        self._last_members: frozenset[str] = frozenset()
        self._suspects: deque[tuple[str, KeypointFrame]] = deque(maxlen=4 * len(self._streams))
        self._now_ns = 0
        self._start_ns: int | None = None
        self._start_stamp_ns = 0
        self._jumped = False
        self._restarting = False

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(self._streams)

    @property
    def waiting(self) -> int:
        """Frames in sets that have not left: received = used + the causes of DROP_CAUSES + waiting."""
        return sum(len(waiting.frames) for waiting in self._open)

    @property
    def tolerance_ns(self) -> int:
        """Half of the fastest camera's period unless it was given."""
        return self._fixed_tolerance_ns or self.fastest_period_ns // 2

    def push(self, frame: KeypointFrame) -> list[FrameSet]:
        """Take one frame in, in the order of arrival; the sets that leave, oldest first."""
        self.counters["received"] += 1
        left = self._advance(frame.arrival_ns)
        stream = self._streams.get(frame.camera)
        if stream is None:
            self.counters["unknown_camera"] += 1
            return left
        stamp_ns = frame.stamp_ns + stream.offset_ns
        cause, jumped = self._refusal(stream, stamp_ns)
        if jumped or cause in ("", "late"):
            # A camera that repeats old stamps is as good as silent.
            self._hear(stream)
        stream.heard_ahead_ns = stamp_ns - self._now_ns
        news = cause in ("duplicate", "out_of_order") or not stream.note_points(frame.points)
        if cause:
            self._drop(stream, cause)
            return left + (self._suspect(stream, cause, frame) if jumped else [])
        if not news:
            self._drop(stream, "frozen")
            self._observe(stream, stamp_ns)
        else:
            self._take(stream, frame, stamp_ns)
        return left + self._leave()

    def poll(self, now_ns: int) -> list[FrameSet]:
        """The sets whose deadline has come. Call it with every frame that arrived before `now_ns` already pushed."""
        return self._advance(now_ns)

    def next_deadline_ns(self) -> int | None:
        """When `poll` has something to do next if nothing arrives; None: nothing waits for a clock."""
        if self.replay_mode or not self._open:
            return None
        times = [waiting.first_arrival_ns + self.deadline_ns for waiting in self._open]
        for stream in self._streams.values():
            if self._is_awaited(stream, self._open[0]):
                heard = stream.newest_stamp_ns is not None
                ends_ns = stream.stale_from_ns(self.deadline_ns) if heard else 0
                times.append(ends_ns if ends_ns > self._now_ns else self._grace_end_ns())
        return min(times)

    def flush(self) -> list[FrameSet]:
        """Everything that waits: the input has ended."""
        leaving, self._open = self._open, []
        return self._close_all([(waiting, "stamps") for waiting in leaving])

    def reset(self) -> None:
        """Forget all stamps and waiting frames, as when time jumps; the next set says so."""
        self.counters["reset"] += 1
        self.counters["cleared"] += self.waiting
        self._open.clear()
        self._closed.clear()
        self._suspects.clear()
        self._last_members = frozenset()
        self._start_ns = None
        self._jumped = True
        for stream in self._streams.values():
            stream.forget_time()

    def status(self, now_ns: int) -> dict[str, str]:
        """OK, LATE (missed the last deadline), STALE (three periods and a deadline silent) or DEAD (1 s) by camera."""
        return {name: stream.status(now_ns, self.deadline_ns) for name, stream in self._streams.items()}

    def complaints(self, now_ns: int) -> dict[str, str]:
        """What is wrong with each camera's stream, and what to do, in a sentence; '' where nothing is."""
        return streams.complaints(self._streams, now_ns, self.deadline_ns)

    def _hear(self, stream: CameraStream) -> None:
        """A message came; if all cameras had been silent, the others are waited for as at the start."""
        if self._start_ns and not any(s.is_fresh(self._now_ns, self.deadline_ns) for s in self._streams.values()):
            self._start_ns = self._now_ns
        stream.heard_ns = self._now_ns

    def _observe(self, stream: CameraStream, stamp_ns: int) -> None:
        """Take note of a stamp, and of what it says of the cameras' rates."""
        stream.observe(stamp_ns)
        self.fastest_period_ns = streams.fastest_period_ns(self._streams.values())

    def _drop(self, stream: CameraStream, cause: str) -> None:
        self.counters[cause] += 1
        stream.troubles.append((self._now_ns, cause))

    def _advance(self, now_ns: int) -> list[FrameSet]:
        """Let time pass, one deadline after the other, so that it does not matter how often it is asked."""
        left: list[FrameSet] = []
        while (next_ns := self.next_deadline_ns()) is not None and next_ns <= now_ns:
            self._now_ns = max(self._now_ns, next_ns)
            left += self._leave()
        self._now_ns = max(self._now_ns, now_ns)
        return left

    def _refusal(self, stream: CameraStream, stamp_ns: int) -> tuple[str, bool]:
        """Why a frame is not taken ('' if it is), and whether time seems to have jumped."""
        back_ns = -1 if stream.newest_stamp_ns is None else stream.newest_stamp_ns - stamp_ns
        # A bag that is played again repeats its stamps too, but from further back.
        if back_ns <= JUMP_NS and stamp_ns in stream.recent_stamps:
            return "duplicate", False
        if self._is_future(stream, stamp_ns):
            return "future", True
        if back_ns >= 0:
            return "out_of_order", back_ns > JUMP_NS
        if not self._closed:
            return "", False
        last_ns, _ = self._closed[-1]
        matches_last = stamp_ns - last_ns <= self.tolerance_ns and stream.name not in self._last_members
        if stamp_ns > last_ns and not matches_last:
            return "", False
        self._note_late(stream, stamp_ns)
        stream.behind = stream.behind + 1 if last_ns - stamp_ns > JUMP_NS else 0
        stream.jumped = stream.jumped and stream.behind > 0
        return "late", stream.behind >= BEHIND_FRAMES

    def _note_late(self, stream: CameraStream, stamp_ns: int) -> None:
        """Remember whether the frame would have come in time had its set been kept open until its deadline."""
        self._observe(stream, stamp_ns)
        arrivals = [first_ns for closed_ns, first_ns in self._closed if abs(closed_ns - stamp_ns) <= self.tolerance_ns]
        in_time = bool(arrivals) and self._now_ns < arrivals[-1] + self.deadline_ns
        stream.hopeless = 0 if in_time else stream.hopeless + 1

    def _is_future(self, stream: CameraStream, stamp_ns: int) -> bool:
        """Far ahead of the other cameras: by stamp less arrival, or in replay mode by stamps alone."""
        everybody = self._streams.values()
        if self.replay_mode:
            return streams.is_future_by_stamps(stream, everybody, stamp_ns)
        return streams.is_future(stream, everybody, stamp_ns, self._now_ns, self.deadline_ns)

    def _suspect(self, stream: CameraStream, cause: str, frame: KeypointFrame) -> list[FrameSet]:
        """A camera's time has jumped; when more than half of the cameras alive say so, start over with their frames."""
        stream.jumped = True
        self._suspects.append((cause, frame))
        absent = self._is_absent if self.replay_mode else lambda s: not s.is_alive(self._now_ns)
        alive = [s for s in self._streams.values() if not absent(s)]
        if self._restarting or 2 * sum(s.jumped for s in alive) <= len(alive):
            return []
        left = self.flush() if self.replay_mode else []
        suspects = list(self._suspects)
        self.reset()
        self._restarting = True
        for cause, suspect in suspects:
            self.counters[cause] -= 1
            self.counters["received"] -= 1
            left += self.push(suspect)
        self._restarting = False
        return left

    def _take(self, stream: CameraStream, frame: KeypointFrame, stamp_ns: int) -> None:
        """Put the frame into the nearest set that lacks its camera, or into a new one."""
        if self._start_ns is None:
            self._start_ns, self._start_stamp_ns = self._now_ns, stamp_ns
        if stream.jumped:
            self._suspects = deque((s for s in self._suspects if s[1].camera != stream.name), self._suspects.maxlen)
        self._observe(stream, stamp_ns)
        stream.ahead_ns = stamp_ns - self._now_ns
        stream.jumped, stream.hopeless, stream.behind = False, 0, 0
        put_in(self._open, frame, stamp_ns, self._now_ns, self.tolerance_ns)

    def _leave(self) -> list[FrameSet]:
        """Close what is due or complete. A set that is due takes all older ones with it; later ones wait for older."""
        due = [not self.replay_mode and self._now_ns >= s.first_arrival_ns + self.deadline_ns for s in self._open]
        forced = max((index + 1 for index, is_due in enumerate(due) if is_due), default=0)
        forced = max(forced, len(self._open) - MAX_OPEN_SETS)
        leaving = []
        for index, waiting in enumerate(self._open):
            reason = self._completeness(waiting)
            if index >= forced and not reason:
                break
            leaving.append((waiting, reason or "deadline"))
        self._open = self._open[len(leaving) :]
        return self._close_all(leaving)

    def _completeness(self, waiting: OpenSet) -> str:
        """'complete', 'stamps' (nobody is awaited, but somebody alive skipped it) or '' while somebody is awaited."""
        missing = [stream for name, stream in self._streams.items() if name not in waiting.frames]
        if any(self._is_awaited(stream, waiting) for stream in missing):
            return ""
        return "stamps" if any(self._has_passed(stream, waiting) for stream in missing) else "complete"

    def _is_awaited(self, stream: CameraStream, waiting: OpenSet) -> bool:
        """Whether a frame of this camera may still come for this set and is worth waiting for."""
        if stream.name in waiting.frames or self._has_passed(stream, waiting):
            return False
        if self.replay_mode:
            return not self._is_absent(stream) and stream.has_frame_near(waiting.stamp_ns, self.fastest_period_ns)
        if stream.newest_stamp_ns is None or not stream.is_fresh(self._now_ns, self.deadline_ns):
            return self._now_ns < self._grace_end_ns()
        return (
            not stream.jumped
            and stream.hopeless < HOPELESS_FRAMES
            and stream.has_frame_near(waiting.stamp_ns, self.fastest_period_ns)
        )

    def _has_passed(self, stream: CameraStream, waiting: OpenSet) -> bool:
        """It has delivered something newer; streams are in order, so nothing for this set will come."""
        return stream.newest_stamp_ns is not None and stream.newest_stamp_ns > waiting.stamp_ns

    def _grace_end_ns(self) -> int:
        """Until then cameras that have not begun (again) are waited for, so that the first sets are whole."""
        return (self._start_ns or 0) + self.deadline_ns

    def _is_absent(self, stream: CameraStream) -> bool:
        """In replay mode: far behind the others by stamps."""
        return streams.is_absent(stream, self._streams.values(), self._start_stamp_ns)

    def _close_all(self, leaving: list[tuple[OpenSet, str]]) -> list[FrameSet]:
        left = []
        for waiting, closed_by in leaving:
            if self._closed and waiting.stamp_ns <= self._closed[-1][0]:
                self.counters["late"] += len(waiting.frames)
                continue
            left.append(self._close(waiting, closed_by))
        return left

    def _close(self, waiting: OpenSet, closed_by: str) -> FrameSet:
        for stream in self._streams.values():
            stream.missed = closed_by == "deadline" and self._is_awaited(stream, waiting)
        self._closed.append((waiting.stamp_ns, waiting.first_arrival_ns))
        self._last_members = frozenset(waiting.frames)
        self.counters["used"] += len(waiting.frames)
        jumped, self._jumped = self._jumped, False
        return waiting.finished(self._streams, closed_by, jumped)
