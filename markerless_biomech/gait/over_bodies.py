"""The detector over states of the body that are already there: a bag's live and settled results, or a refit."""

from __future__ import annotations

from collections.abc import Sequence

from ..body.subject import Subject
from ..keypoints import KeypointSet
from ..results import BodyEstimate
from .body_feet import BodyFeet
from .events import GaitDetector
from .rules import GaitRule
from .values import StepEvent


def steps_of_bodies(
    subject: Subject,
    keypoint_set: KeypointSet,
    settled: Sequence[BodyEstimate],
    live: Sequence[BodyEstimate] = (),
    lag_s: float = 0.1,
    rule: GaitRule | None = None,
) -> list[tuple[int, StepEvent]]:
    """(stamp of the newest state when it was told, event), in the order told.

    Each live state is preceded by the settled ones that are `lag_s` older, as the live estimator brings them. Without
    a `rule` the reference is the one that fits the keypoint set's feet.
    """
    feet = BodyFeet(subject, keypoint_set)
    detector = GaitDetector(rule or GaitRule(reference=feet.reference))
    told: list[tuple[int, StepEvent]] = []
    waiting = list(settled)[::-1]

    def take(body: BodyEstimate, now_ns: int) -> None:
        sample = feet.sample(body)
        if sample is not None:
            told.extend((now_ns, event) for event in detector.update(sample))

    for body in live:
        while waiting and waiting[-1].stamp_ns <= body.stamp_ns - round(lag_s * 1e9):
            take(waiting.pop(), body.stamp_ns)
        take(body, body.stamp_ns)
    last_ns = max((body.stamp_ns for body in (*live, *settled)), default=0)
    while waiting:
        body = waiting.pop()
        take(body, last_ns if live else body.stamp_ns)
    return told + [(last_ns, event) for event in detector.finish()]
