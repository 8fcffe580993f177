"""Which events have been told, and what has to be said about them next: ids, revisions, withdrawals."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from .values import SIDES, TYPES_OF_EVENT, StepEvent

_SAME_EVENT_S = 0.2
"""A foot cannot strike or leave twice within this."""
_FINALS = 40
"""Remembered: more than anybody makes in what a change of the belt has looked at again."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """An event as the newest samples show it."""

    stamp_ns: int
    foot: int
    """0 left, 1 right."""
    type: int
    """0 heel strike, 1 toe off."""
    time_std_s: float
    confidence: float
    foot_position_m: np.ndarray
    """(3,)"""
    final: bool


class EventLedger:
    """Events that are told and not final, and the newest that are."""

    def __init__(self, publish_confidence: float, revise_s: float) -> None:
        self._publish_confidence, self._revise_ns = publish_confidence, round(revise_s * 1e9)
        self._next_id = 1
        self._open: list[StepEvent] = []
        self._finals: deque[StepEvent] = deque(maxlen=_FINALS)

    def take(self, candidates: list[Candidate]) -> list[StepEvent]:
        """What is new, in order of time, when these and no others are the events that are not final yet.

        What is final and found again, as when the belt turned out to be another one, is no news.
        """
        candidates = [one for one in candidates if not any(_same(event, one) for event in self._finals)]
        told: list[StepEvent] = []
        unmatched = list(self._open)
        self._open = []
        for candidate in sorted(candidates, key=lambda one: one.stamp_ns):
            known = next((event for event in unmatched if _same(event, candidate)), None)
            if known is not None:
                unmatched.remove(known)
            told += self._tell(known, candidate)
        self._finals.extend(event for event in told if event.final and not event.withdrawn)
        return told + [self._withdrawn(event) for event in unmatched]

    def withdraw_all(self) -> list[StepEvent]:
        """The walk is over: nothing more will be known of the open events."""
        self._finals.clear()
        open_events, self._open = self._open, []
        return [self._withdrawn(event) for event in open_events]

    def _tell(self, known: StepEvent | None, candidate: Candidate) -> list[StepEvent]:
        sure = candidate.confidence >= (0.5 if candidate.final else self._publish_confidence)
        if known is None:
            if not sure:
                return []
            event = self._event(candidate, self._next_id, 0)
            self._next_id += 1
        elif candidate.final and not sure:
            return [self._withdrawn(known)]
        else:
            event = self._event(candidate, known.id, known.revision + 1)
            moved = abs(event.stamp_ns - known.stamp_ns) >= self._revise_ns
            if not (moved or candidate.final):
                self._open.append(known)
                return []
        if not candidate.final:
            self._open.append(event)
        return [event]

    @staticmethod
    def _event(candidate: Candidate, number: int, revision: int) -> StepEvent:
        return StepEvent(
            stamp_ns=candidate.stamp_ns,
            side=SIDES[candidate.foot],
            type=TYPES_OF_EVENT[candidate.type],
            foot_position_m=candidate.foot_position_m,
            id=number,
            revision=revision,
            final=candidate.final,
            time_std_s=candidate.time_std_s,
            confidence=candidate.confidence,
        )

    @staticmethod
    def _withdrawn(event: StepEvent) -> StepEvent:
        return replace(event, revision=event.revision + 1, final=True, withdrawn=True, confidence=0.0)


def _same(event: StepEvent, candidate: Candidate) -> bool:
    same_kind = event.side == SIDES[candidate.foot] and event.type == TYPES_OF_EVENT[candidate.type]
    return same_kind and abs(event.stamp_ns - candidate.stamp_ns) < _SAME_EVENT_S * 1e9
