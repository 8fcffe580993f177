"""Steps of a result bag against the truth: the keys `events`, `step_length_mm`, `step_width_mm` of `evaluate`.

Judged are the bag's own step events; a bag without any (a refit, an older replay) is judged by what the detector makes
of the result's states.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..gait.over_bodies import steps_of_bodies
from ..gait.values import TYPES_OF_EVENT, StepEvent
from ..results import BodyEstimate, Tracking
from . import metrics
from .result_bag import BodyTrack, ResultBag
from .step_judgement import EDGE_S, StepComparison, compare_steps, last_revisions, true_step_sizes

UNKNOWN: dict[str, Any] = {
    "events": {
        "detected": None,
        "missed": None,
        "false": None,
        "timing_ms": dict.fromkeys(TYPES_OF_EVENT),
    },
    "step_length_mm": None,
    "step_width_mm": None,
}
"""What is said of a bag without true steps."""


def compare_bag_steps(session: ResultBag, track: BodyTrack) -> StepComparison | None:
    """Found against true, over the time of the track; None without true steps."""
    if session.true_steps is None or not len(track):
        return None
    found = last_revisions(session.steps) if session.steps else steps_of_track(session, track)
    edge_ns = round(EDGE_S * 1e9)
    start_ns, end_ns = int(track.stamps_ns[0]) + edge_ns, int(track.stamps_ns[-1]) - edge_ns
    return compare_steps(found, with_true_sizes(session.true_steps, session.belt_m_s), start_ns, end_ns)


def steps_of_track(session: ResultBag, track: BodyTrack) -> list[StepEvent]:
    """Final events by the detector, taking the track's states as settled."""
    return last_revisions(event for _, event in steps_of_bodies(session.subject, session.keypoint_set, _bodies(track)))


def with_true_sizes(true: Sequence[StepEvent], belt_m_s: np.ndarray) -> list[StepEvent]:
    """The true events, each heel strike with the size of its step by the footprints; `belt_m_s` (2,)."""
    strikes = [event for event in true if event.type == "heel_strike"]
    if not strikes:
        return list(true)
    times_s = [event.stamp_ns * 1e-9 - strikes[0].stamp_ns * 1e-9 for event in strikes]
    heels_m = np.array([event.foot_position_m for event in strikes])
    sizes = zip(*true_step_sizes(times_s, [event.side for event in strikes], heels_m, belt_m_s), strict=True)
    sized = {
        event.id: dataclasses.replace(event, step_length_m=float(length), step_width_m=float(width))
        for event, (length, width) in zip(strikes, sizes, strict=True)
    }
    return [sized.get(event.id, event) for event in true]


def step_figures(comparison: StepComparison | None) -> dict[str, Any]:
    """The keys of `evaluate`: counts, and medians of |error| in ms and mm."""
    if comparison is None:
        return UNKNOWN
    timing_ms = {kind: _median_abs(1e3 * error) for kind, error in comparison.time_error_s.items()}
    return {
        "events": {
            "detected": comparison.detected,
            "missed": len(comparison.missed),
            "false": len(comparison.false),
            "timing_ms": timing_ms,
        },
        "step_length_mm": _median_abs(1e3 * comparison.length_error_m),
        "step_width_mm": _median_abs(1e3 * comparison.width_error_m),
    }


def step_calibration(comparison: StepComparison | None) -> dict[str, float | None]:
    """Expected calibration error of the events' times and of the steps' lengths and widths."""
    if comparison is None:
        return {"events": None, "steps": None}
    error_s, std_s = (
        np.concatenate(list(by_type.values())) for by_type in (comparison.time_error_s, comparison.time_std_s)
    )
    error_m = np.concatenate([comparison.length_error_m, comparison.width_error_m])
    std_m = np.concatenate([comparison.length_std_m, comparison.width_std_m])
    return {
        "events": metrics.expected_calibration_error(error_s, std_s),
        "steps": metrics.expected_calibration_error(error_m, std_m),
    }


def _median_abs(errors: np.ndarray) -> float | None:
    return float(np.median(np.abs(errors))) if errors.size else None


def _bodies(track: BodyTrack) -> list[BodyEstimate]:
    """States of a track, without what nobody asks for here."""
    nothing = np.zeros((40, 40))
    return [
        BodyEstimate(
            stamp_ns=int(track.stamps_ns[row]),
            settled=True,
            tracking=Tracking(int(track.tracking[row])),
            qpos=track.qpos[row],
            qvel=np.zeros(40),
            covariance=nothing,
            sites_m=track.sites_m[row],
            sites_std_m=track.sites_std_m[row],
            site_seen=np.ones(track.sites_m.shape[1], bool),
        )
        for row in range(len(track))
    ]
