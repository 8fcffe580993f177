"""Pulses of a synchronisation line (topic `sync_pulse`) on the time axis of an export: force plates and EMG line up.

The other system records the same pulse in its own time; the difference is the offset of the two time axes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .bag_types import PACKAGE
from .bags import BagReader
from .export_csv import seconds_text
from .message_types import stamp_from_message
from .topic_roles import SYNC_TOPIC, is_mark

SYNC_COLUMNS = ("pulse", "name", "time_s", "offset_s")
LOOKED_AT = 200
"""Keypoint messages whose delay is looked at."""
CLOCKS_APART_S = 0.5
"""A pulse that comes so much later or earlier after its stamp than keypoints do is stamped by another clock."""


@dataclass(frozen=True)
class SyncPulse:
    """One pulse."""

    stamp_ns: int
    """When it was, by its header."""
    name: str
    """frame_id of its header: which line, where there are several."""
    received_ns: int


def read_sync_pulses(bag: BagReader) -> tuple[SyncPulse, ...]:
    """All pulses in a bag, by time."""
    found = bag.messages(lambda topic: is_mark(topic, bag.topics[topic], SYNC_TOPIC))
    pulses = [SyncPulse(stamp_from_message(one.stamp), one.frame_id, time_ns) for _, one, time_ns in found]
    return tuple(sorted(pulses, key=lambda pulse: pulse.stamp_ns))


def clocks_apart_s(bag: BagReader, pulses: Sequence[SyncPulse]) -> float:
    """By how much the pulses' clock is behind the cameras', as delays from stamp to arrival tell; 0 without pulses."""
    keypoints = {topic for topic, kind in bag.topics.items() if kind == f"{PACKAGE}/msg/Keypoints2D"}
    messages = islice(bag.readable(keypoints, {}), LOOKED_AT)
    of_keypoints_ns = [time_ns - stamp_from_message(message.header.stamp) for _, message, time_ns in messages]
    of_pulses_ns = [pulse.received_ns - pulse.stamp_ns for pulse in pulses]
    if not of_pulses_ns or not of_keypoints_ns:
        return 0.0
    return float(np.median(of_pulses_ns) - np.median(of_keypoints_ns)) * 1e-9


def clock_remark(bag: BagReader, pulses: Sequence[SyncPulse]) -> str:
    """A sentence where the pulses cannot be on the cameras' clock; else ''."""
    apart_s = clocks_apart_s(bag, pulses)
    if abs(apart_s) < CLOCKS_APART_S:
        return ""
    return (
        f"{bag.path}: {SYNC_TOPIC} is stamped by another clock than the keypoints, about {abs(apart_s):.1f} s "
        f"{'behind' if apart_s > 0 else 'ahead'}; stamp both by one clock, or the offsets are wrong by that"
    )


def sync_csv(pulses: Sequence[SyncPulse], first_ns: int) -> str:
    """The text of sync.csv: each pulse's stamp, and its time after the first row of the export (stamp `first_ns`)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SYNC_COLUMNS)
    for number, pulse in enumerate(pulses, start=1):
        offset_ns = pulse.stamp_ns - first_ns
        writer.writerow([number, pulse.name, seconds_text(pulse.stamp_ns), seconds_text(offset_ns)])
    return text.getvalue()
