"""What each camera saw, by time: frames at chosen instants, interpolated to them, several people kept apart.

C cameras, F instants, P people, K keypoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..cameras.association import CONFIDENT, FEWEST_KEYPOINTS
from ..keypoints import KeypointFrame, KeypointSet

INSTANTS = 60
"""Looked at, spread over the recording: more makes no figure steadier, for the detector's habits do not average out."""

MOST_PEOPLE = 3
"""Of one camera at one instant, the largest in the image."""

REACH_S = 0.075
"""Velocities are central differences over a third, two thirds and all of this, before and after; the median of the
three, for one outlier in a difference would count more than all that is right."""


@dataclass(frozen=True, eq=False)
class Stream:
    """One camera's frames in the order of their stamps; T frames."""

    camera: str
    frames: tuple[KeypointFrame, ...]
    stamps_s: np.ndarray
    """(T,) since the common origin, the camera's known time offset added."""

    @cached_property
    def period_s(self) -> float:
        """Median distance of frames; NaN with fewer than two."""
        hops = np.diff(self.stamps_s)
        return float(np.median(hops)) if len(hops) else float("nan")

    def nearest(self, time_s: float) -> int:
        """Index of the frame nearest to an instant."""
        after = int(np.clip(np.searchsorted(self.stamps_s, time_s), 1, max(1, len(self.stamps_s) - 1)))
        before = after - 1
        if after >= len(self.stamps_s) or time_s - self.stamps_s[before] <= self.stamps_s[after] - time_s:
            return before
        return after


def streams_from_frames(
    frames: Iterable[KeypointFrame], cameras: Sequence[str], offsets_s: Mapping[str, float]
) -> tuple[Stream, ...]:
    """One stream for each camera; stamps count from the earliest of all."""
    by_camera: dict[str, list[KeypointFrame]] = {name: [] for name in cameras}
    for frame in frames:
        if frame.camera in by_camera:
            by_camera[frame.camera].append(frame)
    origin_ns = min((frame.stamp_ns for own in by_camera.values() for frame in own), default=0)
    streams = []
    for name, own in by_camera.items():
        own.sort(key=lambda frame: frame.stamp_ns)
        stamps_s = np.array([frame.stamp_ns - origin_ns for frame in own], dtype=float) * 1e-9
        streams.append(Stream(name, tuple(own), stamps_s + offsets_s.get(name, 0.0)))
    return tuple(streams)


def common_instants(streams: Sequence[Stream], count: int = INSTANTS) -> np.ndarray:
    """(F,) s: stamps of the camera with most frames, evenly picked from the time in which at least two cameras ran."""
    running = [stream for stream in streams if len(stream.frames)]
    if len(running) < 2:
        return np.zeros(0)
    starts, ends = (np.sort([stream.stamps_s[index] for stream in running]) for index in (0, -1))
    densest = max(running, key=lambda stream: len(stream.frames)).stamps_s
    usable = densest[(densest >= starts[1]) & (densest <= ends[-2])]
    if len(usable) <= count:
        return usable
    return usable[np.linspace(0, len(usable) - 1, count).round().astype(int)]


@dataclass(frozen=True, eq=False)
class Seen:
    """What one camera saw at the instants: its people, moved by their velocity from the frame's stamp."""

    image_px: np.ndarray
    """(F, P, K, 2)"""
    velocity_px_s: np.ndarray
    """(F, P, K, 2); 0 where not known."""
    weight: np.ndarray
    """(F, P, K) 1: sure, 0: not seen."""

    def pick(self, person: np.ndarray) -> Seen:
        """(F, 1, ...) one person (index, -1: nobody) at each instant."""
        rows = np.arange(len(person))
        index = np.maximum(person, 0)
        weight = np.where((person >= 0)[:, None], self.weight[rows, index], 0.0)
        return Seen(self.image_px[rows, index][:, None], self.velocity_px_s[rows, index][:, None], weight[:, None])


def look(stream: Stream, instants_s: np.ndarray, keypoint_set: KeypointSet, people: int = MOST_PEOPLE) -> Seen:
    """The frame nearest to every instant, if it is within one period; nobody where there is none."""
    crowd = max((len(frame.points) for frame in stream.frames), default=1)
    shape = (len(instants_s), max(1, min(people, crowd)), len(keypoint_set))
    image_px, velocity, weight = np.zeros((*shape, 2)), np.zeros((*shape, 2)), np.zeros(shape)
    for row, instant_s in enumerate(instants_s if len(stream.frames) else ()):
        index = stream.nearest(instant_s)
        late_s = instant_s - stream.stamps_s[index]
        if not abs(late_s) <= 0.75 * np.nan_to_num(stream.period_s):
            continue
        for slot, points in enumerate(_largest(stream.frames[index].points, keypoint_set, people)):
            velocity[row, slot] = _velocity(stream, index, points)
            image_px[row, slot] = points[:, :2] + late_s * velocity[row, slot]
            weight[row, slot] = _sure(points, keypoint_set)
    return Seen(image_px, velocity, weight)


def blinded(seen: Seen) -> Seen:
    """The same, with nothing seen."""
    return Seen(seen.image_px, seen.velocity_px_s, np.zeros_like(seen.weight))


def thinned(seen: Sequence[Seen], instants: int, keypoints: int) -> list[Seen]:
    """The same few instants and keypoints of every camera: those seen most often, spread over the body."""
    count = len(seen[0].weight)
    rows = np.linspace(0, count - 1, min(instants, count)).round().astype(int)
    often = np.argsort(-np.sum([(one.weight > 0).sum((0, 1)) for one in seen], axis=0), kind="stable")
    # Neighbours in the list are often neighbours on the body.
    usable = np.sort(often[: max(keypoints, int(0.8 * len(often)))])
    columns = usable[np.linspace(0, len(usable) - 1, min(keypoints, len(usable))).round().astype(int)]
    few = []
    for one in seen:
        pick = np.ix_(rows, np.arange(one.weight.shape[1]), columns)
        few.append(Seen(one.image_px[pick], one.velocity_px_s[pick], one.weight[pick]))
    return few


def person_size_px(points: np.ndarray) -> float:
    """Diagonal of the box around the sure points of (K, 3)."""
    sure = points[points[:, 2] >= CONFIDENT, :2]
    return float(np.linalg.norm(np.ptp(sure, axis=0))) if len(sure) >= 2 else 0.0


def _largest(points: np.ndarray, keypoint_set: KeypointSet, count: int) -> list[np.ndarray]:
    """The people (K, 3) with enough sure points, the largest in the image first."""
    whole = [one for one in points if _sure(one, keypoint_set).sum() >= FEWEST_KEYPOINTS]
    return sorted(whole, key=person_size_px, reverse=True)[:count]


def _sure(points: np.ndarray, keypoint_set: KeypointSet) -> np.ndarray:
    return ((points[:, 2] >= CONFIDENT) & (keypoint_set.weights > 0)).astype(float)


def _velocity(stream: Stream, index: int, points: np.ndarray) -> np.ndarray:
    """(K, 2) px/s of a person in frame `index`; 0 for points of which fewer than two differences are known."""
    slopes = [_slope(stream, index, points, share * REACH_S) for share in (1 / 3, 2 / 3, 1.0)]
    known = [slope for slope in slopes if slope is not None]
    if len(known) < 2:
        return np.zeros((len(points), 2))
    stack = np.stack(known)
    enough = np.isfinite(stack[..., 0]).sum(0) >= 2
    stack[:, ~enough] = 0.0
    return np.nanmedian(stack, axis=0)


def _slope(stream: Stream, index: int, points: np.ndarray, reach_s: float) -> np.ndarray | None:
    """(K, 2) px/s by the frames `reach_s` before and after, NaN for points that are not sure in both."""
    period_s = stream.period_s
    steps = max(1, round(reach_s / period_s)) if period_s > 0 else 1
    before, after = index - steps, index + steps
    if before < 0 or after >= len(stream.frames):
        return None
    hop_s = stream.stamps_s[after] - stream.stamps_s[before]
    one, other = (_same_person(stream.frames[side].points, points) for side in (before, after))
    if one is None or other is None or not 0.0 < hop_s <= 4.0 * REACH_S:
        return None
    known = (one[:, 2] >= CONFIDENT) & (other[:, 2] >= CONFIDENT)
    return np.where(known[:, None], (other - one)[:, :2] / hop_s, np.nan)


def _same_person(people: np.ndarray, points: np.ndarray) -> np.ndarray | None:
    """Who of (P, K, 3) is nearest to (K, 3)."""
    if len(people) < 2:
        return people[0] if len(people) else None
    both = (people[..., 2] >= CONFIDENT) & (points[:, 2] >= CONFIDENT)
    apart = np.linalg.norm(people[..., :2] - points[:, :2], axis=-1)
    medians = [np.median(row[use]) if use.any() else np.inf for row, use in zip(apart, both, strict=True)]
    return people[int(np.argmin(medians))]
