"""Trials marked in one bag: from a message of the topic `trial` to the next, by the time of arrival.

A stretch is read as a recording of its own, with everything latched that stood when it began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InputError
from .bags import BagReader, open_bag
from .topic_roles import TRIAL_TOPIC, is_latched, is_mark, relative_name

END_OF_TIME_NS = 1 << 63


@dataclass(frozen=True)
class Stretch:
    """A marked trial."""

    name: str
    """As marked; the second of a name is 'name#2'."""
    start_ns: int
    end_ns: int
    """Exclusive; END_OF_TIME_NS: the bag ends first."""

    def holds(self, time_ns: int) -> bool:
        """Whether a message received then belongs to it."""
        return self.start_ns <= time_ns < self.end_ns


def stretches(marks: Sequence[tuple[int, str]]) -> list[Stretch]:
    """Trials of marks (time in ns, name; '' ends a trial), in order. A name that is said again goes on."""
    found: list[Stretch] = []
    seen: Counter[str] = Counter()
    changes = [mark for index, mark in enumerate(marks) if not index or mark[1] != marks[index - 1][1]]
    ends = [time_ns for time_ns, _ in changes[1:]] + [END_OF_TIME_NS]
    for (start_ns, name), end_ns in zip(changes, ends, strict=False):
        if name:
            seen[name] += 1
            found.append(Stretch(name if seen[name] == 1 else f"{name}#{seen[name]}", start_ns, end_ns))
    return found


def marked_trials(bag: BagReader) -> list[Stretch]:
    """All trials marked in a bag."""
    marks = bag.messages(lambda topic: is_mark(topic, bag.topics[topic], TRIAL_TOPIC))
    return stretches([(time_ns, message.data.strip()) for _, message, time_ns in marks])


def find_trial(bag: BagReader, name: str) -> Stretch:
    """The trial of a name. Raises InputError that lists those there are."""
    trials = marked_trials(bag)
    for trial in trials:
        if trial.name == name:
            return trial
    if not trials:
        raise InputError(
            f"{bag.path}: no trial '{name}', for none is marked in this bag; leave --trial out to take all of it"
        )
    raise InputError(f"{bag.path}: no trial '{name}'; marked are {', '.join(trial.name for trial in trials)}")


def named_trials(paths: Sequence[Path], names: Sequence[str]) -> list[tuple[Path, str]]:
    """Where trials are: (bag, name) of each name in each bag that has it; without names all of each bag ('').

    Raises InputError for a name that is in none, with those there are.
    """
    if not names:
        return [(path, "") for path in paths]
    marked: dict[Path, list[str]] = {}
    for path in paths:
        with open_bag(path) as bag:
            marked[path] = [trial.name for trial in marked_trials(bag)]
    for name in names:
        if not any(name in found for found in marked.values()):
            there = [f"{path}: {', '.join(found) or 'none'}" for path, found in marked.items()]
            raise InputError(f"no trial '{name}'; marked are {'; '.join(there)}")
    return [(path, name) for path, found in marked.items() for name in dict.fromkeys(names) if name in found]


class TrialBag(BagReader):
    """One trial of a bag, read like a bag."""

    def __init__(self, bag: BagReader, stretch: Stretch) -> None:
        super().__init__(bag.path, bag._reader, bag.remark)
        self.stretch = stretch

    def raw_messages(
        self, wanted: Collection[str] | Callable[[str], bool] = lambda _: True
    ) -> Iterator[tuple[Any, int, bytes]]:
        """As a bag's; what stood before the trial began comes with its beginning."""
        standing: dict[str, bool] = {}
        for connection, time_ns, data in super().raw_messages(wanted):
            if time_ns >= self.stretch.end_ns:
                return
            topic = connection.topic
            if topic not in standing:
                standing[topic] = _stands(topic)
            if self.stretch.holds(time_ns) or standing[topic]:
                yield connection, max(time_ns, self.stretch.start_ns), data

    def count(self, topic: str) -> int:
        """How many messages of the trial `topic` has."""
        return self._counts[topic]

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter(connection.topic for connection, _, _ in self.raw_messages())


@contextmanager
def open_recording(path: str | Path, trial: str = "") -> Iterator[BagReader]:
    """A bag, or the trial of a name in it. Raises InputError as `open_bag`, and where there is no such trial."""
    with open_bag(path) as bag:
        yield TrialBag(bag, find_trial(bag, trial)) if trial else bag


def _stands(topic: str) -> bool:
    """What is latched stays as it was said last; a mark is of its own stretch."""
    return is_latched(topic) and relative_name(topic) != TRIAL_TOPIC
