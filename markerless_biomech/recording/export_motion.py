"""What the exports take from a bag: one result, the subject and the sites' names, the last word on each step.

Formats without a time column need evenly spaced frames: a `Motion` has a row for every frame period between its first
and its last state, empty where the subject was LOST or a frame was skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..body.subject import Subject
from ..errors import InputError
from ..keypoints import KeypointSet
from ..results import BodyEstimate, Tracking
from .bags import BagReader, open_bag
from .definitions import subject_from_text
from .recorded_session import (
    RESULT_READERS,
    find_keypoint_set,
    keypoint_topics,
    read_definitions,
    relative_name,
)
from .result_bag import RESULTS
from .step_messages import StepRecord
from .sync_pulses import SyncPulse, read_sync_pulses
from .trial_marks import open_recording

TOPIC_FROM_RESULT = {
    "refit": "body_state_refit",
    "settled": "body_state_settled",
    "live": "body_state",
    "truth": "truth/body_state",
}
"""The best result comes first."""


@dataclass(frozen=True, eq=False)
class Motion:
    """One result in F evenly spaced rows, K sites in use."""

    result: str
    """Its name: 'refit', 'settled', 'live' or 'truth'."""
    rate_hz: float
    """Rows a second: of the recording's own stamps, so 59.94 stays 59.94."""
    stamps_ns: np.ndarray
    """(F,) of each row; where there is no state, where it would have been."""
    held: np.ndarray
    """(F,) bool: is there a state, TRACKED or COASTING?"""
    qpos: np.ndarray
    """(F, 41) pelvis position (m, world), quaternion w x y z, joints (rad); NaN where not held."""
    site_names: tuple[str, ...]
    """(K,)"""
    sites_m: np.ndarray
    """(F, K, 3) in world; NaN where not held."""
    sites_std_m: np.ndarray
    """(F, K); NaN where not held."""
    site_seen: np.ndarray
    """(F, K) bool: observed in this frame, not inferred from the rest of the body."""
    subject: Subject
    steps: tuple[StepRecord, ...]
    """Last revision of each step event that was not withdrawn, by time."""
    pulses: tuple[SyncPulse, ...] = ()
    """Of a synchronisation line, by time."""

    @property
    def time_s(self) -> np.ndarray:
        """(F,) seconds since the first row."""
        return (self.stamps_ns - self.stamps_ns[0]) / 1e9


def read_motion(path: str | Path, result: str | None = None, trial: str = "") -> Motion:
    """One result of a bag or a trial in it; without a name the best there is. Raises InputError for a bag without."""
    name, bodies = read_bodies(path, result, trial)
    with open_recording(path, trial) as bag:
        steps, pulses = _read_steps(bag, name), read_sync_pulses(bag)
    subject, keypoint_set = read_person(path, name, trial)
    return replace(motion_of(name, bodies, keypoint_set, subject, steps), pulses=pulses)


def read_steps(path: str | Path, result: str, trial: str = "") -> tuple[StepRecord, ...]:
    """A bag's step events: of the fit, or for the result 'truth' of the simulation; none where it holds none."""
    with open_recording(path, trial) as bag:
        return last_words(_read_steps(bag, result))


def read_person(path: str | Path, result: str, trial: str = "") -> tuple[Subject, KeypointSet]:
    """Whom a result was fitted with, and the points that were detected. Raises InputError for a bag without."""
    with open_recording(path, trial) as bag:
        definitions = read_definitions(bag)
        keypoint_set = find_keypoint_set(bag, _keypoint_topics(bag, definitions), definitions)
    return _subject_of(definitions, result, str(path)), keypoint_set


def read_subject(path: str | Path, result: str = "live") -> Subject:
    """Whom a bag's results were fitted with; of 'truth', who walked. Raises InputError for a bag without."""
    with open_bag(path) as bag:
        return _subject_of(read_definitions(bag), result, str(path))


def read_bodies(bag: str | Path, result: str | None = None, trial: str = "") -> tuple[str, list[BodyEstimate]]:
    """Name and states, in the order of their stamps, of one result; without a name the best that is there."""
    with open_recording(bag, trial) as reader:
        counts = Counter(relative_name(topic) for topic in reader.topics if reader.count(topic))
        held = [name for name, topic in TOPIC_FROM_RESULT.items() if counts[topic]]
        wanted = [result] if result else [name for name in held if name != "truth"]
        for name in wanted:
            topic = TOPIC_FROM_RESULT[name]
            messages = reader.messages(lambda full, topic=topic: relative_name(full) == topic)
            bodies = [RESULT_READERS[topic](message) for _, message, _ in messages]
            if any(body.tracking is not Tracking.LOST for body in bodies):
                return name, sorted(bodies, key=lambda body: body.stamp_ns)
    if any(name in held for name in wanted) or (not held and counts["fit_report"]):
        raise InputError(
            f"{bag}: the subject was never tracked, so nothing can be written; 'markerless-biomech evaluate' says why"
        )
    raise InputError(_nothing_held(bag, result, held))


def motion_of(
    name: str,
    bodies: Sequence[BodyEstimate],
    keypoint_set: KeypointSet,
    subject: Subject,
    steps: Sequence[StepRecord] = (),
) -> Motion:
    """States in the order of their stamps, on an even grid that begins and ends with one that is held."""
    held = [body for body in bodies if body.tracking is not Tracking.LOST]
    rate_hz, row, stamps_ns = frame_grid(np.array([body.stamp_ns for body in held], dtype=np.int64))
    used = [index for index, body in enumerate(keypoint_set.bodies) if body]
    frames, sites = len(stamps_ns), len(used)
    qpos, sites_m, std_m = (np.full((frames, *shape), np.nan) for shape in ((41,), (sites, 3), (sites,)))
    seen, filled = np.zeros((frames, sites), bool), np.zeros(frames, bool)
    for index, body in zip(row, held, strict=True):
        qpos[index], filled[index] = body.qpos, True
        if len(body.sites_m) == len(keypoint_set):
            sites_m[index], std_m[index] = body.sites_m[used], body.sites_std_m[used]
            seen[index] = body.site_seen[used]
    names = tuple(keypoint_set.names[index] for index in used)
    return Motion(name, rate_hz, stamps_ns, filled, qpos, names, sites_m, std_m, seen, subject, last_words(steps))


def frame_grid(stamps_ns: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Rate (Hz), the row of each of the (N,) ascending stamps, and the (F,) stamps of all rows.

    The frame period is the median distance at first, then the recording's length over its number of periods, so that
    rows do not drift from the stamps. A row keeps its state's own stamp.
    """
    if len(stamps_ns) < 2 or stamps_ns[-1] == stamps_ns[0]:
        raise InputError("the result has a single state; a recording of at least two frames is needed")
    gaps = np.diff(stamps_ns)
    period_ns = np.median(gaps[gaps > 0])
    row = np.concatenate([[0], np.cumsum(np.rint(gaps / period_ns).astype(int))])
    exact_ns = (stamps_ns[-1] - stamps_ns[0]) / row[-1]
    every_ns = stamps_ns[0] + np.rint(np.arange(row[-1] + 1) * exact_ns).astype(np.int64)
    every_ns[row] = stamps_ns
    return 1e9 / exact_ns, row, every_ns


def last_words(steps: Sequence[StepRecord]) -> tuple[StepRecord, ...]:
    """The last revision of each event, without those that were withdrawn, by time."""
    newest: dict[int, StepRecord] = {}
    for step in steps:
        if step.id not in newest or step.revision >= newest[step.id].revision:
            newest[step.id] = step
    return tuple(sorted((s for s in newest.values() if not s.withdrawn), key=lambda step: step.stamp_ns))


def _read_steps(bag: BagReader, result: str) -> list[StepRecord]:
    topic = "truth/step_events" if result == "truth" else "step_events"
    found = bag.messages(lambda full: relative_name(full) == topic)
    return [RESULT_READERS[topic](message) for _, message, _ in found]


def _keypoint_topics(bag: BagReader, definitions: dict[str, str]) -> dict[str, str]:
    """Needed only where the bag does not define its keypoint set."""
    return {} if "keypoint_set" in definitions else keypoint_topics(bag)


def _subject_of(definitions: dict[str, str], result: str, where: str) -> Subject:
    """Whom the result was fitted with."""
    name = "truth/subject" if result == "truth" else "subject"
    if name not in definitions and result == "truth":
        raise InputError(_nothing_held(where, result, []))
    if name not in definitions:
        raise InputError(
            f"{where}: holds no definitions/subject and so no result; run 'markerless-biomech replay' or 'refit' on it "
            "first"
        )
    return subject_from_text(definitions[name], f"{where}: definitions/{name}")


def _nothing_held(bag: str | Path, result: str | None, held: list[str]) -> str:
    """The sentence that says so, and what to do."""
    wanted = f"{result} result" if result else "result"
    there = f" (only {', '.join(held)})" if held else ""
    if result == "truth":
        return f"{bag}: holds no truth{there}; only bags of 'markerless-biomech simulate' do"
    return f"{bag}: holds no {wanted}{there}; run 'markerless-biomech {RESULTS[result or 'live']}' on it first"
