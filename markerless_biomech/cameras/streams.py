"""All cameras' streams together: how they compare, and what is wrong with each in words.

Functions of `CameraStream`s for `frame_sets.py`; times are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .camera_stream import DEFAULT_PERIOD_NS, SECOND_NS, CameraStream
from .frame_set import median

FUTURE_NS = SECOND_NS // 4
"""A stamp this much (and a deadline) ahead of the other cameras' is from the future."""

REPLAY_WAIT_NS = 5 * SECOND_NS
"""In replay mode: a camera this far behind the others, by stamps, is not waited for."""

FAR_S = 0.4
"""A camera whose stamps are off by more has another time, whatever else it seems to do."""

OTHER_RATE = 0.1
"""A period longer than the fastest camera's by more than this share is worth a word."""

WORDS_WITHIN_NS = SECOND_NS
"""What happened longer ago is no longer said."""


def fastest_period_ns(streams: Collection[CameraStream]) -> int:
    """Of all cameras; 1/60 s until one is measured."""
    return min((s.period_ns for s in streams if s.period_ns), default=DEFAULT_PERIOD_NS)


def usual_ahead_ns(stream: CameraStream, streams: Collection[CameraStream], now_ns: int) -> int | None:
    """Stamp less arrival of the other cameras that are alive (of itself, where it is alone); None: not known."""
    others = [s for s in streams if s is not stream] if len(streams) > 1 else [stream]
    ahead = [s.ahead_ns for s in others if s.ahead_ns is not None and s.is_alive(now_ns)]
    return median(sorted(ahead)) if ahead else None


def is_future(
    stream: CameraStream, streams: Collection[CameraStream], stamp_ns: int, now_ns: int, deadline_ns: int
) -> bool:
    """Far ahead of the other cameras, by stamp less arrival."""
    usual_ns = usual_ahead_ns(stream, streams, now_ns)
    return usual_ns is not None and stamp_ns - now_ns - usual_ns > FUTURE_NS + deadline_ns


def is_future_by_stamps(stream: CameraStream, streams: Collection[CameraStream], stamp_ns: int) -> bool:
    """Far ahead of the other cameras, where arrivals mean nothing."""
    others = [s for s in streams if s is not stream] if len(streams) > 1 else [stream]
    newest = [s.newest_stamp_ns for s in others if s.newest_stamp_ns is not None]
    return bool(newest) and stamp_ns - median(sorted(newest)) > REPLAY_WAIT_NS


def is_absent(stream: CameraStream, streams: Collection[CameraStream], start_stamp_ns: int) -> bool:
    """Far behind the others by stamps; `start_stamp_ns` counts for one that has not begun."""
    newest = sorted(s.newest_stamp_ns for s in streams if s.newest_stamp_ns is not None)
    if not newest:
        return True
    own_ns = start_stamp_ns if stream.newest_stamp_ns is None else stream.newest_stamp_ns
    return median(newest) - own_ns > REPLAY_WAIT_NS


def complaints(streams: Mapping[str, CameraStream], now_ns: int, deadline_ns: int) -> dict[str, str]:
    """What is wrong with each camera's stream, and what to do, in a sentence; '' where nothing is."""
    return {name: _complaint(stream, streams.values(), now_ns, deadline_ns) for name, stream in streams.items()}


def _complaint(stream: CameraStream, streams: Collection[CameraStream], now_ns: int, deadline_ns: int) -> str:
    if stream.heard_ns is None:
        return "has sent nothing yet; start its detector, or take it out of the parameter cameras"
    recent, off_s = stream.recent(now_ns - WORDS_WITHIN_NS), _clock_off_s(stream, streams, now_ns)
    repeats = set(recent) == {"duplicate"}  # so that its stamps fall behind, whatever its clock
    if recent and not repeats and abs(off_s) > FAR_S:
        direction = "ahead of" if off_s > 0.0 else "behind"
        return f"its stamps are {abs(off_s):.2f} s {direction} the other cameras'; synchronise the clocks"
    if recent.get("frozen"):
        return "reports the very same points again and again; look whether its image has stopped"
    if recent.get("duplicate"):
        count = recent["duplicate"]
        return f"{count} messages in the last second had come before; see that only one detector publishes it"
    if not stream.is_fresh(now_ns, deadline_ns) and not recent:
        return f"silent for {(now_ns - stream.heard_ns) * 1e-9:.1f} s; look at its driver, detector and cable"
    fastest_ns = min((s.recent_period_ns for s in streams if s.recent_period_ns), default=DEFAULT_PERIOD_NS)
    return _of_rhythm(stream, fastest_ns, recent, off_s)


def _of_rhythm(stream: CameraStream, fastest_ns: int, recent: Mapping[str, int], off_s: float) -> str:
    """What is wrong with when its messages come."""
    if off_s > fastest_ns * 1e-9:
        return f"its stamps are {1e3 * off_s:.0f} ms ahead of the other cameras'; synchronise the clocks"
    if recent.get("late") or stream.hopeless:
        if off_s > -0.5e-9 * fastest_ns:
            return "frame sets leave before its frames come; look whether another camera's stamps are ahead"
        return (
            f"{-1e3 * off_s:.0f} ms behind the other cameras, so that frame sets leave without it: it or its clock "
            "is slow; raise frame_set_deadline_s, or synchronise the clocks"
        )
    if recent.get("out_of_order"):
        return f"{recent['out_of_order']} messages in the last second came out of order; look at its network"
    period_ns = stream.recent_period_ns or fastest_ns
    if period_ns > (1.0 + OTHER_RATE) * fastest_ns:
        return f"runs at {1e9 / period_ns:.1f} Hz, the fastest camera at {1e9 / fastest_ns:.1f} Hz"
    return ""


def _clock_off_s(stream: CameraStream, streams: Collection[CameraStream], now_ns: int) -> float:
    """Stamp less arrival of its newest message, against the median of all cameras that are alive; 0: not known."""
    ahead = sorted(s.heard_ahead_ns for s in streams if s.heard_ahead_ns is not None and s.is_alive(now_ns))
    return 0.0 if not ahead or stream.heard_ahead_ns is None else (stream.heard_ahead_ns - median(ahead)) * 1e-9
