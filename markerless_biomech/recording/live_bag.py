"""A bag while it is recorded: what comes is written as it is, and what a refit years later needs is put beside it.

`definitions/recording` says who, which trial, when, and with which versions. Where no estimator is running, the
keypoint set that the messages name is defined here, and files that the recorder is given stand for what it would say.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..files import file_text
from ..keypoints import SHIPPED_KEYPOINT_SETS, KeypointSet, load_keypoint_set
from .bag_types import PACKAGE, typestore
from .bags import BagWriter, decode_errors, decoded
from .plain_definitions import keypoint_set_text, versions, yaml_text
from .topic_roles import relative_name

KEYPOINTS = f"{PACKAGE}/msg/Keypoints2D"
EARLY_MOST = 10_000
"""Messages that wait for a clock which has not started."""


class LiveBag:
    """Writes one recording. Its folder is there from the beginning, and goes again if no message comes."""

    def __init__(self, path: Path, about: Mapping[str, Any], texts: Mapping[str, str], own_set: KeypointSet | None):
        """`about` goes into definitions/recording, `texts` to definitions/<name>; `own_set` is a lab's own."""
        self._writer: BagWriter | None = BagWriter(path, live=True)
        self._about = dict(about)
        self._texts = dict(texts)
        self._own_set = own_set
        self._early: deque[tuple[int, str, str, bytes]] = deque(maxlen=EARLY_MOST)
        """Each with this machine's time (ns) when it came."""
        self._looked_at: set[str] = set()
        """Keypoint topics whose set is known."""
        self.path = path
        self.count = 0
        self.unclocked = 0
        """Messages that were recorded without their clock, which never started."""
        self.topics: set[str] = set()
        """What has come so far."""

    @property
    def is_open(self) -> bool:
        return self._writer is not None

    @property
    def waiting(self) -> int:
        """Messages that wait for the clock."""
        return len(self._early)

    @property
    def came(self) -> int:
        """All messages so far, recorded or waiting."""
        return self.count + self.waiting

    def write(self, topic: str, kind: str, data: bytes, now_ns: int) -> None:
        """Append CDR bytes as received at `now_ns`; 0: the clock has not started, and the message waits for it."""
        self._early.append((time.time_ns(), topic, kind, data))
        while now_ns and self._early:
            self._append(*self._early.popleft()[1:], now_ns)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Complete the bag; without a message there is none. What waits in vain for a clock has this machine's time."""
        self.unclocked = len(self._early) if self.is_open else 0
        while self._early:
            came_ns, topic, kind, data = self._early.popleft()
            self._append(topic, kind, data, came_ns)
        self._end(lambda writer: writer.close() if self.count else writer.abort())

    def abort(self) -> None:
        """The disk is full, or gone: what was written stays."""
        self._end(BagWriter.abort)

    def missing(self) -> list[str]:
        """What a refit will not find in the bag, a phrase each."""
        return missing_for_refit(self.topics)

    def _end(self, how: Callable[[BagWriter], Any]) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            try:
                how(writer)
            except OSError:
                writer.abort()
                raise

    def _append(self, topic: str, kind: str, data: bytes, now_ns: int) -> None:
        if self._writer is None:
            return
        if not self.count:
            texts = {"recording": yaml_text({**self._about, "versions": versions()}), **self._texts}
            self._define(self._writer, texts, now_ns)
        if kind == KEYPOINTS and topic not in self._looked_at:
            self._define(self._writer, self._keypoint_set(topic, data), now_ns)
        self._writer.write_raw(topic, kind, data, now_ns)
        self.topics.add(relative_name(topic) if "definitions/" in topic else topic)
        self.count += 1

    def _define(self, writer: BagWriter, texts: Mapping[str, str], now_ns: int) -> None:
        for name, text in texts.items():
            writer.write_text(f"/definitions/{name}", text, now_ns)
            self.topics.add(f"definitions/{name}")

    def _keypoint_set(self, topic: str, data: bytes) -> dict[str, str]:
        """The definition of the set that a detector's message names, once; an estimator's comes later and counts."""
        if "definitions/keypoint_set" in self.topics:
            self._looked_at.add(topic)
            return {}
        try:
            name = str(decoded(typestore().deserialize_cdr, data, KEYPOINTS).keypoint_set)
        except decode_errors():
            return {}  # the next message may be a good one
        self._looked_at.add(topic)
        if self._own_set is not None and self._own_set.name == name:
            return {"keypoint_set": keypoint_set_text(self._own_set)}
        return {"keypoint_set": keypoint_set_text(load_keypoint_set(name))} if name in SHIPPED_KEYPOINT_SETS else {}


def about_recording(subject: str, trial: str, now: datetime) -> dict[str, Any]:
    """The content of definitions/recording, but for the versions."""
    return {"subject": subject, "trial": trial, "started": now.astimezone().isoformat(timespec="seconds")}


def given_definitions(subject_file: str, rig_file: str) -> dict[str, str]:
    """Texts of the files that a recorder is given, by definition. Raises InputError where one is missing."""
    files = {"subject": subject_file, "rig": rig_file}
    return {name: file_text(Path(file), f"{name} file") for name, file in files.items() if file}


def missing_for_refit(topics: Collection[str]) -> list[str]:
    """Phrases for what is not among a recording's topics; definitions without their namespace."""
    cameras = [topic.removesuffix("/keypoints") for topic in sorted(topics) if topic.endswith("/keypoints")]
    if not cameras:
        return ["keypoints (<camera>/keypoints)"]
    missing = []
    if "definitions/rig" not in topics:
        missing += [f"{camera}/camera_info" for camera in cameras if f"{camera}/camera_info" not in topics]
        missing += [] if "/tf_static" in topics else ["the cameras' poses (/tf_static)"]
    if "definitions/keypoint_set" not in topics:
        missing.append("the keypoint set's definition")
    return missing
