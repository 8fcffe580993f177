"""What the cameras of a simulated session send when things go wrong: pure functions of the session and its faults.

First what is seen changes (`faulted_scene.py`), then what is sent of it.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..keypoints import KeypointFrame
from .faulted_scene import seen_points
from .faults import Fault
from .virtual_rig import START_NS, SimulatedSession

Thing = TypeVar("Thing")
SECOND_NS = 1_000_000_000
TENTH = 0.1
"""Share of an arrival's jitter by which stamps are off."""
BAD_SHARE = 0.1
"""Of the keypoints, at least one, that are not a number or infinite."""
_JITTER = 52
"""Stream of random numbers."""


@dataclass(frozen=True, eq=False)
class Sent:
    """A message of a camera."""

    frame: KeypointFrame
    """Its points may be wrong in any way."""
    keypoint_set: str
    """That the message names."""


def sent_in_order(
    session: SimulatedSession,
    faults: Callable[[], Sequence[Fault]],
    indices: Iterable[int],
    start_ns: int = START_NS,
) -> Iterator[Sent]:
    """What all cameras send, by arrival. `faults` is asked before each frame: they may change while this goes on."""

    def of_frame(index: int) -> list[tuple[int, Sent]]:
        return [(sent.frame.arrival_ns, sent) for sent in sent_frames(session, faults(), index, start_ns)]

    return in_order(session, of_frame, indices, start_ns)


def in_order(
    session: SimulatedSession,
    of_frame: Callable[[int], Iterable[tuple[int, Thing]]],
    indices: Iterable[int],
    start_ns: int = START_NS,
) -> Iterator[Thing]:
    """All that `of_frame` gives for each frame as (time in ns, thing), by time."""
    waiting: list[tuple[int, int, Thing]] = []
    count = 0
    for index in indices:
        lap, row = divmod(index, len(session.arrivals_ns))
        # faults only delay: nothing of this frame or later ones comes before this
        earliest_ns = start_ns + lap * session.period_ns + int(session.stamps_ns[row].min())
        while waiting and waiting[0][0] < earliest_ns:
            yield heapq.heappop(waiting)[2]
        for time_ns, thing in of_frame(index):
            heapq.heappush(waiting, (time_ns, count, thing))
            count += 1
    while waiting:
        yield heapq.heappop(waiting)[2]


def sent_frames(session: SimulatedSession, faults: Sequence[Fault], index: int, start_ns: int = START_NS) -> list[Sent]:
    """Everything that frame `index` of the session makes the cameras send, by arrival."""
    time_s = index / session.settings.fps
    soon = [fault for fault in faults if fault.start_s - 1.0 <= time_s < fault.end_s + 1.0]
    name = session.keypoint_set.name
    if not soon:
        return [Sent(frame, name) for frame in session.frame(index, start_ns)]
    sent = [
        message
        for camera in range(len(session.rig_true.cameras))
        for message in _of_camera(session, soon, index, camera)
    ]
    moved = [
        dataclasses.replace(
            message,
            frame=dataclasses.replace(
                message.frame,
                stamp_ns=message.frame.stamp_ns + start_ns,
                arrival_ns=message.frame.arrival_ns + start_ns,
            ),
        )
        for message in sent
    ]
    return sorted(moved, key=lambda message: message.frame.arrival_ns)


def _of_camera(session: SimulatedSession, faults: Sequence[Fault], index: int, camera: int) -> list[Sent]:
    """What one camera sends of frame `index`; times since the start of the session."""
    frame = session.camera_frame(index, camera, 0)
    mine = [fault for fault in faults if fault.concerns(frame.camera)]
    sent = []
    for taken in _exposures(session, mine, frame, index):
        time_s = taken.stamp_ns / SECOND_NS
        on = [fault for fault in mine if fault.is_on(time_s)]
        points = seen_points(session, mine, index, camera, time_s)
        messages = [Sent(dataclasses.replace(taken, points=points), session.keypoint_set.name)]
        for fault in sorted(on, key=lambda fault: list(_SENDERS).index(fault.kind) if fault.kind in _SENDERS else -1):
            if fault.kind in _SENDERS:
                there = _Place(session, fault, index, camera)
                messages = [result for message in messages for result in _SENDERS[fault.kind](message, there)]
        sent += messages
    return sent


def _exposures(
    session: SimulatedSession, faults: Sequence[Fault], frame: KeypointFrame, index: int
) -> list[KeypointFrame]:
    """The frame itself, or those of a camera that runs at a rate of its own in its stead."""
    fps = session.settings.fps
    rates = [fault.size("Hz") for fault in faults if fault.kind == "camera-rate" and fault.is_on(index / fps)]
    if not rates:
        return [frame]
    first, end = (math.ceil(round(number / fps * rates[-1], 6)) for number in (index, index + 1))
    delay_ns = frame.arrival_ns - frame.stamp_ns
    stamps_ns = [round(tick / rates[-1] * SECOND_NS) for tick in range(first, end)]
    return [dataclasses.replace(frame, stamp_ns=stamp, arrival_ns=stamp + delay_ns) for stamp in stamps_ns]


@dataclass(frozen=True, eq=False)
class _Place:
    """Which frame of which camera has the fault."""

    session: SimulatedSession
    fault: Fault
    index: int
    camera: int

    @property
    def last_good(self) -> int:
        """Number of the camera's last frame before the fault."""
        return max(0, math.ceil(round(self.fault.start_s * self.session.settings.fps, 6)) - 1)


def _changed(sent: Sent, **changes: object) -> Sent:
    """The same with another frame."""
    return dataclasses.replace(sent, frame=dataclasses.replace(sent.frame, **changes))


def _later(sent: Sent, by_s: float) -> Sent:
    return _changed(sent, arrival_ns=sent.frame.arrival_ns + round(by_s * SECOND_NS))


def _stop(sent: Sent, place: _Place) -> list[Sent]:
    return []


def _freeze(sent: Sent, place: _Place) -> list[Sent]:
    frozen = place.session.camera_frame(place.last_good, place.camera, 0)
    return [_changed(sent, points=frozen.points)]


def _repeat(sent: Sent, place: _Place) -> list[Sent]:
    again = place.session.camera_frame(place.last_good, place.camera, 0)
    return [dataclasses.replace(sent, frame=dataclasses.replace(again, arrival_ns=sent.frame.arrival_ns))]


def _lag(sent: Sent, place: _Place) -> list[Sent]:
    return [_later(sent, place.fault.size("frames") / place.session.settings.fps)]


def _jitter(sent: Sent, place: _Place) -> list[Sent]:
    rng = np.random.default_rng([place.session.settings.seed, _JITTER, place.camera, place.index])
    size_s = place.fault.size("ms") / 1e3
    off_ns = round(TENTH * size_s * rng.uniform(-1.0, 1.0) * SECOND_NS)
    return [_later(_changed(sent, stamp_ns=sent.frame.stamp_ns + off_ns), size_s * rng.random())]


def _duplicate(sent: Sent, place: _Place) -> list[Sent]:
    return [sent, _later(sent, 0.2 / place.session.settings.fps)]


def _reorder(sent: Sent, place: _Place) -> list[Sent]:
    return [sent if place.index % 2 else _later(sent, 1.5 / place.session.settings.fps)]


def _clock_step(sent: Sent, place: _Place) -> list[Sent]:
    return [_changed(sent, stamp_ns=sent.frame.stamp_ns + round(place.fault.size("s") * SECOND_NS))]


def _not_finite(value: float) -> Callable[[Sent, _Place], list[Sent]]:
    def spoil(sent: Sent, place: _Place) -> list[Sent]:
        points = sent.frame.points.copy()
        points[:, :: round(1.0 / BAD_SHARE), :2] = value
        return [_changed(sent, points=points)]

    return spoil


def _wrong_length(sent: Sent, place: _Place) -> list[Sent]:
    flat = sent.frame.points.reshape(-1)
    return [_changed(sent, points=flat[:-1] if flat.size else np.zeros(2, np.float32))]


def _wrong_set(sent: Sent, place: _Place) -> list[Sent]:
    return [dataclasses.replace(sent, keypoint_set="halpe_26" if sent.keypoint_set != "halpe_26" else "coco_17")]


def _wrong_size(sent: Sent, place: _Place) -> list[Sent]:
    width, height = sent.frame.size_px
    return [_changed(sent, size_px=(width // 2, height // 2))]


_SENDERS: dict[str, Callable[[Sent, _Place], list[Sent]]] = {
    "camera-freeze": _freeze,
    "camera-repeat": _repeat,
    "nan": _not_finite(math.nan),
    "inf": _not_finite(math.inf),
    "wrong-length": _wrong_length,
    "wrong-set": _wrong_set,
    "wrong-size": _wrong_size,
    "clock-step": _clock_step,
    "jitter": _jitter,
    "camera-lag": _lag,
    "reorder": _reorder,
    "duplicate": _duplicate,
    "camera-stop": _stop,
}
"""How each kind changes messages, in the order in which they are applied."""
